"""Random configurations of RNN, GRU and LSTM against ONNX Runtime: what random_forms.py draws of them, and the batch in front, or open.

usage: random_recurrent.py NNCC [CONFIGURATIONS] [SEED]

Directions, activations with their alphas and betas (where a node leaves these out ONNX Runtime 1.32 has others than ONNX), clip, peepholes, lengths, first states, input_forget, linear_before_reset, any of
the results. With layout 1, which ONNX Runtime refuses, it judges the same with layout 0, whose inputs and results are transposed. Every
third model has an open batch. `nncc verify` compares models of PER configurations, interpreted and as C; one that differs is printed. The
same seed gives the same ones. Last line: N passed, N failed.
"""
import concurrent.futures
import copy
import os
import random
import sys
import tempfile

import numpy as np
import onnxruntime

from random_forms import judge, maybe, model_of, recurrent, telling, verify, write_set

PER, OPEN_BATCH = 20, 2
OPSETS = [7, 14, 22]
BATCH_FIRST = {0: (1, 0, 2), 5: (1, 0, 2), 6: (1, 0, 2)}  # of X and the states, what makes the batch the first dim
RESULTS = [(2, 0, 1, 3), (1, 0, 2), (1, 0, 2)]


def draw(r, opset, open_batch):
    while True:
        f = recurrent(r, opset)
        if open_batch and f.inputs[0][0].shape[1] != OPEN_BATCH:
            continue
        if open_batch and f.inputs[4][0] is not None:
            f.inputs[4] = f.inputs[4][0], False
        model, feeds, _ = model_of([("n", f)], opset)
        results = judge(model, feeds)
        if any(not np.isfinite(x).all() or abs(x).max() < 1e-3 for x in results):
            continue
        return (f, results) if opset < 14 or not maybe(r, 0.5) else batch_first(f, results)


def batch_first(f, results):
    f = copy.copy(f)
    f.attr = {**f.attr, "layout": 1}
    f.inputs = [(np.ascontiguousarray(a.transpose(BATCH_FIRST[i])) if i in BATCH_FIRST and a is not None else a, const) for i, (a, const) in enumerate(f.inputs)]
    wanted = [perm for perm, given in zip(RESULTS, f.outputs) if given]
    return f, [np.ascontiguousarray(x.transpose(perm)) for perm, x in zip(wanted, results)]


def built(forms, opset, open_batch):
    model, feeds, outputs = model_of([(f"f{i}", f) for i, (f, _) in enumerate(forms)], opset)
    for v in model.graph.input if open_batch else []:
        form, i = map(int, v.name[1:].split("_i"))
        if i in (0, 4, 5, 6):
            v.type.tensor_type.shape.dim[0 if i == 4 or forms[form][0].attr.get("layout", 0) else 1].dim_param = "n"
    return model, feeds, outputs, [x for _, results in forms for x in results]


def check(nncc, work, number, seed):
    r, open_batch = random.Random(f"{seed}.{number}"), number % 3 == 2
    opset = OPSETS[number % len(OPSETS)] if not open_batch else r.choice(OPSETS)
    forms = [draw(r, opset, open_batch) for _ in range(PER)]
    failed, lines = set(), []
    for most, options in (OPEN_BATCH, ["--interpret"]), (OPEN_BATCH + 1, ["--cc", "cc -O0"]):
        options = options + [f"--dim=n=1..{most}"] * open_batch
        folder = os.path.join(work, str(number))
        write_set(folder, *built(forms, opset, open_batch))
        code, text = verify(nncc, folder, options)
        if code == 0:
            continue
        for i, form in enumerate(forms):
            write_set(os.path.join(work, f"{number}_{i}"), *built([form], opset, open_batch))
            one, report = verify(nncc, os.path.join(work, f"{number}_{i}"), options)
            if one:
                failed.add(i)
                lines.append(f"FAIL  {' '.join(options)}: {form[0]}\n      {telling(report)}")
        if not failed:
            failed.add(0)
            lines.append(f"FAIL  model {number} as a whole, {' '.join(options)}: {telling(text)}")
    return PER - len(failed), len(failed), lines


def main():
    nncc, count = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 600
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    onnxruntime.set_default_logger_severity(4)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for right, wrong, lines in pool.map(lambda k: check(nncc, work, k, seed), range(-(-count // PER))):
            passed, failed = passed + right, failed + wrong
            for line in lines:
                print(line, flush=True)
    print(f"{passed} of them agree with ONNX Runtime {onnxruntime.__version__}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
