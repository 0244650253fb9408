#!/usr/bin/env python3
"""Record PyTorch's gradients of small networks, in double: record_operators.py >operators.txt (needs torch).

A network a line, as JSON: the case of vjp.py, and `wanted`, its outputs and the gradients of its inputs. operators.sh compares.
"""
import json
import random

import torch

import random_torch
import torch_cases

EACH, SEED = 4, 3


def main():
    torch.set_num_threads(1)
    rng = random.Random(SEED)
    cases = [case for group in torch_cases.OPERATORS for case in group()]
    for make in torch_cases.FAMILIES.values():
        kept = []
        while len(kept) < EACH:
            case = make(rng)
            if not case.get("constants"):
                kept.append(case)
        cases += kept
    for case in cases:
        made = random_torch.with_numbers(rng, case)
        print(json.dumps({k: v for k, v in made.items() if k not in ("torch", "constants")}))


if __name__ == "__main__":
    main()
