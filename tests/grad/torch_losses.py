#!/usr/bin/env python3
"""Losses and their gradients in the generated C against those of PyTorch: torch_losses.py NNCC CC DIR [TEXT].

losses.txt, written by record_losses.py, has a call of the train line, what it reads, and what PyTorch makes of it. All are losses of
one network by name. In double within 1e-9 of PyTorch's, in single precision within 1e-4 of the largest. TEXT: only calls that contain it.
"""
import math
import re
import subprocess
import sys


def read(path, wanted):
    cases = []
    for line in open(path):
        word, rest = line.split(None, 1)
        if word == "=":
            cases.append({"call": rest.strip(), "in": [], "grad": {}})
        elif word == "in":
            about, numbers = rest.split(":")
            name, kind, dims = about.split()
            cases[-1]["in"].append((name, kind, dims, numbers.split()))
        elif word == "loss":
            cases[-1]["loss"] = float(rest)
        else:
            name, *numbers = rest.split()
            cases[-1]["grad"][name] = [float(v) for v in numbers]
    return [c for c in cases if wanted in c["call"]]


def network(cases):
    inputs, losses = [], []
    for i, case in enumerate(cases):
        call = case["call"]
        for name, kind, dims, _ in case["in"]:
            if name in case["grad"]:
                inputs.append("%%%s_%d: %s[%s]" % (name, i, kind, dims))
            call = re.sub(r"\b%s(?=[,)])" % name, "%s_%d" % (name, i), call)
        losses.append("l%d = %s" % (i, call))
    return "network @net(%s) {\n  return %%%s\n}\ntrain @net {loss = {%s}}\n" % (
        ",\n  ".join(inputs), inputs[0].split(":")[0][1:] + " as %out", ",\n  ".join(losses))


def program(cases):
    lines = ['#include "net.h"', "#include <stdio.h>", "#include <stdlib.h>", "static REAL loss;", "int main(void) {", "    net_net net = {.loss = &loss};"]
    show = []
    for i, case in enumerate(cases):
        for name, kind, _, numbers in case["in"]:
            field, n = "%s_%d" % (name, i), len(numbers)
            kind = "int" if kind == "i32" else "REAL"
            values = ", ".join("(%s)%s" % (kind, v) for v in numbers)
            lines.append("    static const %s in_%s[%d] = {%s};\n    net.%s = in_%s;" % (kind, field, n, values, field, field))
            if name in case["grad"]:
                lines.append("    static REAL grad_%s[%d];\n    net.%s_grad = grad_%s;" % (field, n, field, field))
                show.append('    for (int i = 0; i < %d; i++) printf("%%.17g\\n", (double)grad_%s[i]);' % (n, field))
        lines.append("    static REAL value_%d;\n    net.l%d = &value_%d;" % (i, i, i))
        show.append('    printf("%%.17g\\n", (double)value_%d);' % i)
    lines += ["    static REAL out[1 << 10];", "    net.out = out;", "#ifdef NET_CORRECT_LEN", "    int correct;", "    net.correct = &correct;", "#endif",
              "    void *arena = NULL;",
              "    if (posix_memalign(&arena, NET_ALIGN, NET_ARENA_BYTES)) return 3;", "    net.arena = arena;",
              "    if (net_eval_batch(&net) || net_input_grad(&net)) return 4;"]
    return "\n".join(lines + show + ["    return 0;", "}"]) + "\n"


def run(nncc, cc, folder, cases, kind):
    open(folder + "/net.nn", "w").write(network(cases))
    open(folder + "/main.c", "w").write(program(cases))
    real = {"f32": "float", "f64": "double"}[kind]
    subprocess.run([nncc, folder + "/net.nn", "--train", "--target=c", "--real=" + kind, "--prefix=net", "-o", folder + "/net.c"], check=True)
    subprocess.run(cc.split() + ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1", "-DREAL=" + real, folder + "/main.c", folder + "/net.c", "-lm", "-o", folder + "/net"], check=True)
    return [float(v) for v in subprocess.run([folder + "/net"], capture_output=True, text=True, check=True).stdout.split()]


def agree(mine, want, most, kind):
    if math.isnan(mine):
        return False
    if kind == "f64":
        return abs(mine - want) <= 1e-9 * abs(want) + 1e-15
    return abs(mine - want) <= 1e-4 * most + 1e-7


def main():
    nncc, cc, folder, *wanted = sys.argv[1:]
    cases = read(__file__.replace("torch_losses.py", "losses.txt"), wanted[0] if wanted else "")
    passed = failed = 0
    for kind in ("f64", "f32") if cases else ():
        out = iter(run(nncc, cc, folder, cases, kind))
        for case in cases:
            wrong = []
            for name, *_ in case["in"]:
                most = max(map(abs, case["grad"].get(name, [0])))
                for i, want in enumerate(case["grad"].get(name, [])):
                    mine = next(out)
                    if not agree(mine, want, most, kind):
                        wrong.append("gradient of %s[%d]: %.17g, PyTorch %.17g" % (name, i, mine, want))
            mine = next(out)
            if not agree(mine, case["loss"], abs(case["loss"]), kind):
                wrong.append("loss: %.17g, PyTorch %.17g" % (mine, case["loss"]))
            passed += not wrong
            failed += bool(wrong)
            print("%s  %s, %s" % ("FAIL" if wrong else "ok  ", case["call"], kind))
            for w in wrong[:8]:
                print("      " + w)
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
