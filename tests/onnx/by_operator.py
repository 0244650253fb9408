"""by_operator.py DIR EXPECTED [DIR EXPECTED]... - which operators ONNX's tests run, and how many of those pass: tests/onnx/by_operator.txt.

DIR holds node/test_abs/model.onnx and so on, EXPECTED says which pass. A line: domain, operator, passed, all; a test counts for each
operator in its graph, in subgraphs and functions.
"""
import collections
import os
import sys
import onnx

passed, tests = collections.Counter(), collections.Counter()


def operators(nodes):
    for n in nodes:
        yield n.domain or "ai.onnx", n.op_type
        for a in n.attribute:
            for g in [a.g, *a.graphs]:
                yield from operators(g.node)


for folder, expected in zip(sys.argv[1::2], sys.argv[2::2]):
    for line in open(expected):
        name, verdict = line.split()[:2]
        path = os.path.join(folder, name, "model.onnx")
        if not os.path.exists(path):
            continue
        model = onnx.load(path, load_external_data=False)
        for op in set(operators([*model.graph.node, *(n for f in model.functions for n in f.node)])):
            tests[op] += 1
            passed[op] += verdict == "PASS"
for op in sorted(tests):
    print(*op, passed[op], tests[op])
