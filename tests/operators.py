"""operators.py NNCC - OPERATORS.md: what `NNCC --list-ops=md` lists, and how many of ONNX's tests of each operator pass (onnx/by_operator.txt)."""
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "onnx", "by_operator.txt")) as f:
    tests = {tuple(line.split()[:2]): line.split()[2:] for line in f}
domain = None
print("<!-- Written by tests/operators.py; tests compare the two. -->")
for line in subprocess.run([sys.argv[1], "--list-ops=md"], capture_output=True, text=True, check=True).stdout.splitlines():
    if line.startswith("## "):
        domain = line[3:]
    elif line.startswith("| operator |"):
        line = "| operator | tests |" + line[12:]
    elif line.startswith("|---"):
        line = "|---" + line
    elif line.startswith("| "):
        name, rest = line[2:].split(" | ", 1)
        line = f"| {name} | {' of '.join(tests.get((domain, name), []))} | {rest}"
    elif line.startswith("`gradient`"):
        print("`tests`: how many of ONNX's own tests that run the operator pass, alone or among others (`tests/onnx/by_operator.py`).\n")
    print(line)
