"""Gradients of small networks in the generated C, in double: what random_torch.py and operators.py share.

A case has `text`, the lines of a network's body and the consts before it, `inputs`, names and shapes of floats, `outputs`, names, and
`numbers`: of every input its elements, then of every output the gradient that reaches it. run() gives for each case the outputs and the
gradients of the inputs, in order, or the message of what refused it.
"""
import math
import os
import subprocess

MAIN = """#include <math.h>
#include <stdio.h>
#include <stdlib.h>
static double *numbers(int n) {
    double *x = malloc(sizeof(double) * (size_t)(n > 0 ? n : 1));
    for (int i = 0; i < n; i++) if (scanf("%lf", &x[i]) != 1) exit(2);
    return x;
}
static void put(const double *x, int n) {
    for (int i = 0; i < n; i++) printf("%.17g ", x[i]);
}
"""


def network(case):
    """The text: consts, and one network whose inputs are the case's."""
    inputs = ", ".join("%%%s: f32[%s]" % (name, ",".join(map(str, shape))) for name, shape in case["inputs"])
    body = "\n".join("  " + line for line in case["text"])
    return "%s\nnetwork @net(%s) {\n%s\n  return %s\n}\ntrain @net {}\n" % (
        "\n".join(case.get("consts", [])), inputs, body, ", ".join("%" + name for name in case["outputs"]))


def program(i, case):
    p = "n%d" % i
    up = p.upper()
    lines = ['#include "%s.h"' % p, "static void run%d(void) {" % i, "    %s_net net = {0};" % p]
    for name, _ in case["inputs"]:
        size = "%s_%s_LEN" % (up, name.upper())
        lines += ["    net.%s = numbers(%s);" % (name, size), "    net.%s_grad = numbers(0 * %s), net.%s_grad = malloc(8 * %s);" % (name, size, name, size)]
    for name in case["outputs"]:
        size = "%s_%s_LEN" % (up, name.upper())
        lines += ["    net.%s_grad = numbers(%s);" % (name, size), "    net.%s = malloc(8 * %s);" % (name, size)]
    lines += ["#ifdef %s_ARENA_BYTES" % up, "    if (posix_memalign(&net.arena, %s_ALIGN, %s_ARENA_BYTES)) exit(3);" % (up, up), "#endif"]
    lines += ["    if (%s_forward(&net) || %s_backward(&net)) exit(4);" % (p, p)]
    for name in case["outputs"]:
        lines.append("    put(net.%s, %s_%s_LEN), puts(\"\");" % (name, up, name.upper()))
    for name, _ in case["inputs"]:
        lines.append("    put(net.%s_grad, %s_%s_LEN), puts(\"\");" % (name, up, name.upper()))
    return "\n".join(lines + ["}"])


def compiled(nncc, folder, i, case, options):
    path = "%s/n%d" % (folder, i)
    with open(path + ".nn", "w") as f:
        f.write(network(case))
    made = subprocess.run([nncc, path + ".nn", "--train", "--real=f64", "--prefix=n%d" % i, "-o", path + ".c"] + options, capture_output=True, text=True)
    return None if made.returncode == 0 else (made.stderr + made.stdout).strip()


def run(nncc, cc, folder, cases, options=()):
    """Lists of lists of numbers, or a message, for every case."""
    refused = [compiled(nncc, folder, i, case, list(options)) for i, case in enumerate(cases)]
    good = [i for i, r in enumerate(refused) if r is None]
    if not good:
        return refused
    with open(folder + "/main.c", "w") as f:
        f.write(MAIN + "\n".join(program(i, cases[i]) for i in good))
        f.write("\nint main(void) {\n%s\n    return 0;\n}\n" % "\n".join("    run%d();" % i for i in good))
    files = ["%s/n%d.c" % (folder, i) for i in good]
    subprocess.run(cc.split() + ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-w", folder + "/main.c"] + files + ["-lm", "-o", folder + "/main"], check=True)
    numbers = " ".join("%.17g" % v for i in good for part in cases[i]["numbers"] for v in part)
    out = subprocess.run([folder + "/main"], input=numbers, capture_output=True, text=True, check=True).stdout.split("\n")
    at = 0
    results = list(refused)
    for i in good:
        parts = len(cases[i]["outputs"]) + len(cases[i]["inputs"])
        results[i] = [[float(v) for v in line.split()] for line in out[at:at + parts]]
        at += parts
    for name in os.listdir(folder):
        if name.endswith((".c", ".h")):
            os.remove(os.path.join(folder, name))
    return results


def distance(mine, wanted):
    """The largest difference over the largest of what is wanted; infinite where one is finite and the other is not."""
    if len(mine) != len(wanted):
        return math.inf
    largest = max([abs(v) for v in wanted if math.isfinite(v)] + [1e-3])
    worst = 0.0
    for a, b in zip(mine, wanted):
        if math.isnan(b) or a == b:
            worst = math.inf if math.isnan(a) and not math.isnan(b) else worst
        else:
            worst = max(worst, abs(a - b) / largest) if math.isfinite(a) and math.isfinite(b) else math.inf
    return worst
