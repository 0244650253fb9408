#!/usr/bin/env python3
"""Gradients in the generated C against those of PyTorch 2.15: torch_gradients.py NNCC CC DIR [TEXT].

torch.txt, written by record_torch.py, has operators at inputs from 1e-40 to 1e38 and where slopes jump. All become one
network whose loss hands every result the gradient FLOWING. In double within 1e-9 of PyTorch's; in single precision
within 1e-5, or four times what single precision costs PyTorch. nncc's gradient is always a number; where PyTorch's
is none (0 times infinity, 0 divided by 0), any. TEXT: only expressions that contain it.
"""
import math
import re
import subprocess
import sys

WIDTH = 64
FLOWING = [1 + (i % 8) / 8 for i in range(WIDTH)]

def read(path, wanted):
    rows = []
    for line in open(path):
        word, *rest = line.split()
        if word == "=":
            rows.append({"text": line[2:].strip(), "x": [], "f64": [], "f32": []})
        else:
            rows[-1][word].append([float(v) for v in rest])
    return [r for r in rows if wanted in r["text"]]


def power_of_two(n):
    return 1 << (n - 1).bit_length()


def network(rows):
    """Every expression on a slice of x; the loss is minus the mean of all results times FLOWING and their number."""
    blocks = sum(len(r["x"]) for r in rows)
    results = power_of_two(len(rows))
    flow = ", ".join(repr(-v * results * WIDTH) for v in FLOWING)
    lines = ["const %%flow: f32[8,8] = [%s]" % flow, "network @net(%%x: f32[%d,8,8]) {" % blocks]
    at = 0
    for i, row in enumerate(rows):
        text = row["text"]
        for name in "ab"[:len(row["x"])]:
            lines.append("  %%%s%d = Reshape(Slice(%%x, [%d], [%d], [0]), [8,8])" % (name, i, at, at + 1))
            text = re.sub("%" + name + r"\b", "%%%s%d" % (name, i), text)
            at += 1
        lines.append("  %%y%d = %s" % (i, text))
        lines.append("  %%r%d = Mul(Expand(%%y%d, [8,8]), %%flow)" % (i, i))
    parts = ["%%r%d" % (i % len(rows)) for i in range(len(rows))]
    lines.append("  %%all = Reshape(Concat(%s) {axis = 0}, [-1,1])" % ", ".join(parts))
    if results > len(rows):
        lines.append("  %%rest = Slice(%%x, [0], [1], [0])")
        lines.append("  %%none = Expand(Mul(Reshape(Slice(%%rest, [0], [1], [1]), [8,1]), 0.0), [8,%d])" % ((results - len(rows)) * 8))
        lines.append("  %scores = Concat(%all, Reshape(%none, [-1,1])) {axis = 0}")
    else:
        lines.append("  %scores = Identity(%all)")
    lines += ["  return %scores", "}", "train @net {loss = NegativeLogLikelihoodLoss}"]
    return "\n".join(lines).replace("%%", "%") + "\n"


PROGRAM = """#include "net.h"
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    static REAL x[NET_X_LEN], grad[NET_X_LEN], loss, scores[NET_SCORES_LEN];
    static int label[NET_LABEL_LEN];
    for (int i = 0; i < NET_X_LEN; i++) {
        double v;
        if (scanf("%lf", &v) != 1) return 2;
        x[i] = (REAL)v;
    }
    net_net net = {.x = x, .label = label, .x_grad = grad, .loss = &loss, .scores = scores};
    void *arena = NULL;
    if (posix_memalign(&arena, NET_ALIGN, NET_ARENA_BYTES)) return 3;
    net.arena = arena;
    if (net_input_grad(&net)) return 4;
    for (int i = 0; i < NET_X_LEN; i++) printf("%.17g\\n", (double)grad[i]);
    return 0;
}
"""


def run(nncc, cc, folder, rows, kind):
    open(folder + "/net.nn", "w").write(network(rows))
    open(folder + "/main.c", "w").write(PROGRAM)
    real = {"f32": "float", "f64": "double"}[kind]
    subprocess.run([nncc, folder + "/net.nn", "--train", "--real=" + kind, "--prefix=net", "-o", folder + "/net.c"], check=True)
    subprocess.run(cc.split() + ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1", "-DREAL=" + real, folder + "/main.c", folder + "/net.c", "-lm", "-o", folder + "/net"], check=True)
    numbers = " ".join("%.17g" % v for row in rows for x in row["x"] for v in x)
    out = subprocess.run([folder + "/net"], input=numbers, capture_output=True, text=True, check=True).stdout.split()
    return [float(v) for v in out]


def agree(mine, row, kind, k, i):
    exact, want = row["f64"][k][i], row[kind][k][i]
    if math.isnan(want) or mine == want:
        return not math.isnan(mine)
    if not math.isfinite(want) or not math.isfinite(mine):
        return False
    if kind == "f64":
        return abs(mine - want) <= 1e-9 * abs(want) + 1e-15
    spread = abs(want - exact) if math.isfinite(exact) else 0
    return abs(mine - want) <= 1e-5 * abs(want) + 4 * spread + 1e-7


def main():
    nncc, cc, folder, *wanted = sys.argv[1:]
    rows = read(__file__.replace("torch_gradients.py", "torch.txt"), wanted[0] if wanted else "")
    passed = failed = 0
    for kind in ("f64", "f32") if rows else ():
        out = run(nncc, cc, folder, rows, kind)
        at = 0
        for row in rows:
            wrong = []
            for k in range(len(row["x"])):
                for i in range(WIDTH):
                    mine = out[at]
                    at += 1
                    if not agree(mine, row, kind, k, i):
                        wrong.append((k, i, mine))
            passed += not wrong
            failed += bool(wrong)
            print("%s  %s, %s" % ("FAIL" if wrong else "ok  ", row["text"], kind))
            for k, i, mine in wrong[:8]:
                print("      of input %d at %s: %.9g, PyTorch %.9g" % (k, [x[i] for x in row["x"]], mine, row[kind][k][i]))
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
