"""usage: course.py HEADER >main.c: a program around the C, in double, of a network that trains. The gradient along a random direction of all
parameters is what the loss changes by; a step of training changes every parameter that a gradient reaches; the loss is a number.
A network without a loss has the sum of its outputs times random numbers.
"""
import re
import sys

header = open(sys.argv[1]).read()
struct = re.search(r"typedef struct \{((?:(?!typedef struct).)*?)\} net_net;", header, re.S).group(1)
ports = re.findall(r"(?:const )?(\w+) \*(\w+); /\* (in |out)", struct)
blocks = re.findall(r"void \*(params|grads|opt|state);", struct)
functions = re.findall(r"int net_(\w+)\(const net_net \*net\);", header)
outputs = [n for _, n, way in ports if way == "out" and f"{n}_grad" in [p[1] for p in ports]]
length = lambda n: f"NET_{n.upper()}_LEN"
value = {"double": "number()", "int32_t": "(int32_t)(i % 2)", "int64_t": "i % 2", "uint8_t": "(uint8_t)(i % 2)"}

if "forward_backward" in functions:
    compute = "    if (net_forward_backward(&net)) return NAN;\n    return f_loss[0];"
else:
    compute = "    double sum = 0;\n    if (net_forward(&net)) return NAN;\n" + "".join(
        f"    for (int i = 0; i < {length(n)}; i++) sum += f_{n}[i] * f_{n}_grad[i];\n" for n in outputs) + \
        "    return net_backward(&net) ? NAN : sum;"

arrays = [f"static {kind} f_{name}[{length(name)}];" for kind, name, _ in ports]
arrays += [f"#if NET_{b.upper()}_BYTES\nNET_{b.upper()}({b});\n#else\nstatic unsigned char {b}[1];\n#endif" for b in blocks]
if "state" not in blocks: arrays.append("static unsigned char state[1];")
print("""#include "net.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

%(arrays)s
NET_ARENA(arena);
static net_net net;
static unsigned char before[sizeof state];
static double start[NET_PARAMS_BYTES / 8], way[NET_PARAMS_BYTES / 8];

static unsigned seed = 1;
static double number(void) {
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / 16777216.0;
}
/* The loss at the same random numbers; its gradient in grads. */
static double at(double step) {
    for (int i = 0; i < NET_PARAMS_BYTES / 8; i++) ((double *)(void *)params)[i] = start[i] + step * way[i];
    memcpy(state, before, sizeof before);
    memset(grads, 0, NET_GRADS_BYTES);
%(compute)s
}

int main(void) {
    const double h = 1e-8;
    double slope = 0;
%(draw)s
%(fields)s
    net.arena = arena, net.lr = NET_LR;
#ifdef NET_MAX_BATCH
    net.batch = NET_MAX_BATCH;
#endif
    if (net_init(&net, 1)) return 2;
    memcpy(start, params, sizeof start), memcpy(before, state, sizeof before);
    for (int i = 0; i < NET_PARAMS_BYTES / 8; i++) way[i] = 2 * number() - 1;
    const double up = at(h), down = at(-h), loss_then = at(0);
    for (const net_tensor *t = net_tensors, *p = t; t->name; t++) {
        if (t->block[0] != 'g') continue;
        const double *const g = (const double *)(const void *)(grads + t->offset);
        double most = 0;
        while (p->block[0] != 'p') p++;
        for (int i = 0; i < t->bytes / 8; i++) slope += g[i] * way[p->offset / 8 + i], most = fmax(most, fabs(g[i]));
        if (!(most > 0)) return fprintf(stderr, "no gradient: %%s\\n", t->name), 3;
        p++;
    }
    printf("loss %%.9g, slope %%.9g, of differences %%.9g\\n", loss_then, slope, (up - down) / (2 * h));
    if (!(fabs((up - down) / (2 * h) - slope) <= 1e-4 * (fabs(slope) + 1e-2 * fabs(loss_then)))) return 4;
    if (net_apply(&net)) return 5;
    const double *const now = (const double *)(const void *)params;
    int moved = 0;
    for (int i = 0; i < NET_PARAMS_BYTES / 8; i++) moved += !(now[i] == start[i]);
    return moved && isfinite(loss_then) ? 0 : 6;
}""" % {
    "arrays": "\n".join(arrays), "compute": compute,
    "draw": "\n".join(f"    for (int i = 0; i < {length(n)}; i++) f_{n}[i] = {value[k]};" for k, n, way in ports if way == "in "),
    "fields": "\n".join([f"    net.{n} = f_{n};" for _, n, _ in ports] + [f"    net.{b} = {b};" for b in blocks])})
