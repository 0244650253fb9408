#!/usr/bin/env python3
"""Gradients in the generated C against those of PyTorch 2.15 in operators.txt: operators.py NNCC CC DIR [TEXT], only networks with TEXT."""
import json
import os
import sys

import vjp

TOLERANCE = 1e-9


def main():
    nncc, cc, folder, *wanted = sys.argv[1:]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "operators.txt")) as f:
        cases = [json.loads(line) for line in f]
    cases = [c for c in cases if not wanted or wanted[0] in "\n".join(c["text"])]
    failed = 0
    for case, result in zip(cases, vjp.run(nncc, cc, folder, cases)):
        error = result if isinstance(result, str) else max(map(vjp.distance, result, case["wanted"]))
        wrong = isinstance(error, str) or not error <= TOLERANCE
        failed += wrong
        print("%s  %s%s" % ("FAIL" if wrong else "ok  ", case["text"][0].split("= ", 1)[1], ": %s" % error if wrong else ""))
    print("%d passed, %d failed" % (len(cases) - failed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
