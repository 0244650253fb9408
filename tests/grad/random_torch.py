#!/usr/bin/env python3
"""Random networks against PyTorch's autograd, in double: random_torch.py NNCC CC DIR [CONFIGURATIONS] [GRAPHS] [SEED].

Configurations of RNN, GRU, LSTM, Resize, scatters and Einsum (torch_cases.py), then graphs of many operators (torch_graphs.py).
Outputs and gradients within 1e-9 of the largest of PyTorch's; 1e-6 of attributes that ONNX has in single precision.
"""
import random
import sys

import torch

import torch_cases
import torch_graphs
import vjp

TOLERANCE = 1e-9
BATCH = 20


def with_numbers(rng, case):
    """Gives a case its numbers, and what PyTorch makes of them."""
    leaves = [torch.tensor([rng.gauss(0, 1) for _ in range(torch.Size(s).numel())], dtype=torch.float64).reshape(s).requires_grad_() for _, s in case["inputs"]]
    found = case["torch"](*leaves)
    flowing = [torch.tensor([rng.gauss(0, 1) for _ in range(y.numel())], dtype=torch.float64).reshape(y.shape) for y in found]
    depends = [(y, g) for y, g in zip(found, flowing) if y.requires_grad]
    grads = torch.autograd.grad([y for y, _ in depends], leaves, [g for _, g in depends], allow_unused=True) if depends else [None] * len(leaves)
    case["numbers"] = [t.flatten().tolist() for t in leaves + flowing]
    case["wanted"] = [y.flatten().tolist() for y in found] + [(torch.zeros_like(x) if g is None else g).flatten().tolist() for x, g in zip(leaves, grads)]
    return case


def judge(case, result):
    """The largest error; a message where there is none."""
    if isinstance(result, str):
        return result
    return max(vjp.distance(mine, wanted) for mine, wanted in zip(result, case["wanted"]))


def check(nncc, cc, folder, cases):
    failed, worst = 0, 0.0
    for at in range(0, len(cases), BATCH):
        batch = cases[at:at + BATCH]
        for case, result in zip(batch, vjp.run(nncc, cc, folder, batch)):
            error = judge(case, result)
            if isinstance(error, str) or not error <= (1e-6 if case.get("constants") else TOLERANCE):
                failed += 1
                print("FAIL  %s: %s\n%s" % (case["name"], error, vjp.network(case)))
            else:
                worst = max(worst, 0 if case.get("constants") else error)
    return failed, worst


def main():
    nncc, cc, folder, *numbers = sys.argv[1:]
    configurations, graphs, seed = (list(map(int, numbers)) + [300, 200, 1][len(numbers):])[:3]
    torch.set_num_threads(1)
    rng = random.Random(seed)
    families = torch_cases.FAMILIES
    made = []
    for i in range(configurations):
        name = list(families)[i % len(families)]
        made.append(dict(families[name](rng), name="%s %d" % (name, i)))
    for i in range(graphs):
        made.append(dict(torch_graphs.graph(rng), name="graph %d" % i))
    failed, worst = check(nncc, cc, folder, [with_numbers(rng, c) for c in made])
    print("largest error %.2g" % worst)
    print("%d passed, %d failed" % (len(made) - failed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
