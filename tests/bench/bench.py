"""usage: bench.py NNCC WORKDIR MODEL.onnx...: median times of one inference, as Markdown.

Every contender runs pinned to one core in this process, called from the same loop: nncc's C as a shared object, ONNX Runtime with
inputs and outputs bound, OpenVINO with its tensors set. They take turns: in each round each runs for at least 20 ms. Before that
their outputs have to agree with ONNX Runtime's unoptimised graph.
"""
import ctypes
import os
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

CORE = max(os.sched_getaffinity(0))

import numpy as np
import onnx
import onnxruntime as ort
import openvino as ov

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "zoo"))
from alive import why_dead

ROUNDS, MIN_ROUNDS, ROUND_SECONDS, MAX_SECONDS = 25, 5, 0.02, 6.0
RTOL, ATOL_OF_LARGEST = 1e-3, 1e-4
FLAGS = ["-O3", "-march=native", "-std=gnu11", "-ffp-contract=fast", "-shared", "-fPIC"]
CC = shlex.split(os.environ.get("CC", "gcc"))
TARGETS = os.environ.get("TARGETS", "native c").split()
NNCC_FLAGS = shlex.split(os.environ.get("NNCC_FLAGS", ""))

# Memory and the weights are the program's own; what is timed is one call of run() without arguments.
SHIM = """
#define _POSIX_C_SOURCE 200809L
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static net_net net;
static void *memory(size_t bytes) {
    void *p;
    return posix_memalign(&p, 64, bytes + 64) ? NULL : memset(p, 0, bytes + 64);
}
int bench_open(void) {
%s
    return net_open(&net);
}
int bench_run(void) { return net_run(&net); }
%s
"""
LOAD = """    FILE *f = fopen("%s", "rb");
    void *weights = memory(NET_WEIGHTS_BYTES);
    if (!f || !weights || fread(weights, 1, NET_WEIGHTS_BYTES, f) != NET_WEIGHTS_BYTES) return 90;
    fclose(f);
    net.weights = weights;"""


class Failed(Exception):
    pass


def run(*words, **more):
    done = subprocess.run(words, capture_output=True, text=True, **more)
    if done.returncode:
        raise Failed((done.stderr or done.stdout).strip().splitlines()[0][:160])
    return done.stdout


def knows(nncc, target, model):
    return not subprocess.run([nncc, model, "--target=" + target, "--emit=h", "-o", os.devnull], capture_output=True).returncode


def fields_of(header):
    """The struct's fields by kind: inputs and outputs as (name, bytes macro or count), and which others there are."""
    struct = re.search(r"typedef struct \{(.*?)\} net_net;", header, re.S).group(1)
    ports = re.findall(r"(?:const )?(\w+) \*(\w+); /\* (in |out)", struct)
    return ports, set(re.findall(r"\*(\w+);", struct))


def shim_of(header, directory):
    ports, fields = fields_of(header)
    lines, access = [], []
    for i, (ctype, name, kind) in enumerate(ports):
        lines.append(f"    void *p{i} = memory(NET_{name.upper()}_LEN * sizeof({ctype}));\n    net.{name} = p{i};")
        access.append(f"const void *bench_port_{i}(void) {{ return net.{name}; }}")
    if "arena" in fields:
        lines.append("    net.arena = memory(NET_ARENA_BYTES);")
    if "weights" in fields:
        lines.append(LOAD % os.path.join(directory, "net.weights"))
    return SHIM % ("\n".join(lines), "\n".join(access)), ports


def build(nncc, work, model, target):
    """Compiles a network; what the timing needs of it."""
    directory = os.path.join(work, f"{name_of(model)}-{target}")
    os.makedirs(directory)
    start = time.perf_counter()
    run(nncc, model, "--target=" + target, *NNCC_FLAGS, "--prefix=net", "-o", os.path.join(directory, "net.c"))
    with open(os.path.join(directory, "net.h")) as f:
        shim, ports = shim_of(f.read(), directory)
    with open(os.path.join(directory, "shim.c"), "w") as f:
        f.write(shim)
    run(*CC, *FLAGS, "-o", "net.so", "net.c", "shim.c", "-lm", cwd=directory)
    return os.path.join(directory, "net.so"), ports, time.perf_counter() - start


def name_of(model):
    return os.path.basename(model)[: -len(".onnx")]


def inputs_of(model):
    graph = onnx.load(model).graph
    known = {t.name for t in graph.initializer}
    rng = np.random.RandomState(0)

    def contents(v):
        kind = onnx.helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type)
        shape = [d.dim_value or 1 for d in v.type.tensor_type.shape.dim]
        return (rng.standard_normal(shape) if kind.kind == "f" else rng.randint(0, 8, shape)).astype(kind)

    return {v.name: contents(v) for v in graph.input if v.name not in known}


def session(model, level):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def ort_contender(model, feeds, want):
    s = session(model, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    binding = s.io_binding()
    held = [ort.OrtValue.ortvalue_from_numpy(v) for v in feeds.values()]
    for name, value in zip(feeds, held):
        binding.bind_ortvalue_input(name, value)
    results = [ort.OrtValue.ortvalue_from_shape_and_type(list(y.shape), y.dtype.type) for y in want]
    for o, value in zip(s.get_outputs(), results):
        binding.bind_ortvalue_output(o.name, value)
    return (lambda: s.run_with_iobinding(binding)), lambda: [v.numpy() for v in results]


def openvino_contender(model, feeds, want):
    core = ov.Core()
    m = core.read_model(model)
    m.reshape({k: list(v.shape) for k, v in feeds.items()})
    config = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}
    request = core.compile_model(m, "CPU", config).create_infer_request()
    for k, v in feeds.items():
        request.set_tensor(k, ov.Tensor(v, shared_memory=True))
    return request.infer, lambda: [np.array(request.get_output_tensor(i).data) for i in range(len(want))]


def nncc_contender(built, feeds, want):
    path, ports, _ = built
    lib = ctypes.CDLL(path)
    code = lib.bench_open()
    if code:
        raise Failed(f"open returned {code}")
    address = []
    for i in range(len(ports)):
        port = getattr(lib, f"bench_port_{i}")
        port.restype = ctypes.c_void_p
        address.append(port())
    for at, v in zip(address, feeds.values()):
        ctypes.memmove(at, np.ascontiguousarray(v).ctypes.data, v.nbytes)
    call = lib.bench_run

    def outputs():
        if call():
            raise Failed("run returned an error")
        found = [np.empty_like(y) for y in want]
        for at, y in zip(address[len(feeds) :], found):
            ctypes.memmove(y.ctypes.data, at, y.nbytes)
        return found

    return call, outputs


def disagreement(got, want):
    """The largest difference relative to the largest value; fails if it is beyond the tolerance."""
    worst = 0.0
    for g, w in zip(got, want):
        g, w = g.astype(np.float64), w.astype(np.float64)
        largest = np.abs(w).max()
        if not (np.abs(g - w) <= RTOL * np.abs(w) + ATOL_OF_LARGEST * largest).all():
            raise Failed(f"WRONG: off by {np.abs(g - w).max() / largest:.1e} of the largest value")
        worst = max(worst, np.abs(g - w).max() / largest)
    return worst


def seconds_of(call, times):
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def medians(calls):
    """Milliseconds of each, in rounds in which all take their turn."""
    times, spent = {}, 0.0
    for name, call in calls.items():
        once = min(seconds_of(call, 1) for _ in range(3))
        times[name] = max(1, int(np.ceil(ROUND_SECONDS / once)))
        spent += times[name] * once
    rounds = int(min(ROUNDS, max(MIN_ROUNDS, MAX_SECONDS / spent)))
    took = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            took[name].append(seconds_of(call, times[name]) * 1e3)
    return {name: float(np.median(t)) for name, t in took.items()}


def measure(model, builds):
    """The row of one network: medians, agreement, and what is wrong with whom."""
    feeds, faults = inputs_of(model), []
    want = session(model, ort.GraphOptimizationLevel.ORT_DISABLE_ALL).run(None, feeds)
    for y in want:
        if why_dead(y):
            raise Failed(why_dead(y))
    makers = {label: (lambda m, f, w, b=b: nncc_contender(b.result(), f, w)) for label, b in builds.items()}
    makers |= {"ort": ort_contender, "openvino": openvino_contender}
    calls, error = {}, 0.0
    for label, make in makers.items():
        try:
            call, outputs = make(model, feeds, want)
            call()
            off = disagreement(outputs(), want)
            calls[label], error = call, max(error, off if label in builds else 0.0)
        except Failed as e:
            faults.append(f"{label}: {e}")
    return medians(calls), error, faults


def cpu():
    with open("/proc/cpuinfo") as f:
        text = f.read()
    field = lambda name: re.search(rf"^{name}\s*: (.*)$", text, re.M).group(1)
    had = [w for w in ("avx2", "fma", "avx512f", "avx512vl", "avx512_vnni", "avx512_bf16", "amx_tile") if w in field("flags").split()]
    return f"{field('model name')} (family {field('cpu family')}, model {field('model')}), {os.cpu_count()} cores; {' '.join(had)}"


def geomean(values):
    return float(np.exp(np.mean(np.log(values)))) if values else float("nan")


def cell(value):
    return f"{value:9.4f}" if value is not None else f"{'-':>9}"


def main():
    nncc, work, models = sys.argv[1], sys.argv[2], sys.argv[3:]
    labels = [t for t in TARGETS if knows(nncc, t, models[0])]
    absent = [t for t in TARGETS if t not in labels]
    labels = labels or ["c"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        builds = {m: {t: pool.submit(build, nncc, work, m, t) for t in labels} for m in models}
    os.sched_setaffinity(0, {CORE})
    columns = labels + ["ort", "openvino"]
    heads = [f"nncc {t}" for t in labels] + ["ONNX Runtime", "OpenVINO"]
    ours = labels[0]
    print("# One inference in milliseconds\n\nMade by `tests/bench/run.sh`: one core, batch and lengths as in the model, medians of up to")
    print(f"{ROUNDS} interleaved rounds of at least 20 ms each, all called from the same Python loop.\nBelow 1 in the last columns nncc is faster; error is the largest difference from ONNX Runtime's unoptimised graph, relative to the\nlargest value.\n")
    print(f"- measured on {time.strftime('%d %B %Y').lstrip('0')}\n- machine: {cpu()}")
    version = run(*CC, "--version").splitlines()[0]
    print(f"- versions: nncc {os.environ.get('NNCC_COMMIT', '?')}, {version}, onnxruntime {ort.__version__}, openvino {ov.__version__.split('-')[0]}")
    print(f"- flags: `nncc {' '.join(NNCC_FLAGS + ['--target=' + '|'.join(labels)])}`, `{' '.join(CC + FLAGS)}`")
    for t in absent:
        print(f"- **nncc has no target {t}: {ours} stands in its place**")
    print("\n| network |", " | ".join(heads), "| nncc / ONNX Runtime | nncc / OpenVINO | error |")
    print("|---|" + "--:|" * (len(heads) + 3), flush=True)
    faults, ratios = [], {"ort": [], "openvino": []}
    for model in models:
        try:
            ms, error, wrong = measure(model, builds[model])
        except Failed as e:
            ms, error, wrong = {}, 0.0, [str(e)]
        faults += [f"{name_of(model)}: {w}" for w in wrong]
        ratio = {k: ms[ours] / ms[k] if ours in ms and k in ms else None for k in ratios}
        for k, r in ratio.items():
            ratios[k] += [r] if r else []
        cells = [cell(ms.get(c)) for c in columns] + [f"{r:.2f}" if r else "-" for r in ratio.values()]
        print(f"| {name_of(model)} |", " | ".join(cells), f"| {error:.0e} |", flush=True)
    for f in faults:
        print(f"\nFAIL {f}")
    print(f"\nagainst OpenVINO: geomean {geomean(ratios['openvino']):.3f}\n\ngeomean {geomean(ratios['ort']):.3f}")
    return 1 if faults else 0


sys.exit(main())
