"""usage: entries.py HEADER [--print] >main.c: a program that calls every function of a network that trains, in what C and C++ have in
common; with --print one that prints all gradients of one batch.
"""
import re
import sys

TOP = """#include "net.h"
#include <stdio.h>

%(arrays)s
NET_ARENA(arena);

static unsigned r = 1;
static double number(void) {
    r = r * 1664525u + 1013904223u;
    return (double)(r >> 8) / 16777216.0;
}

static void draw(void) {
%(draw)s
}
"""

CALLS = """
static int alive(const float *p, int n) {
    for (int i = 0; i < n; i++)
        if (p[i] < 0.0f || p[i] > 0.0f) return 1;
    return 0;
}

int main(void) {
    net_net net;
%(fields)s
    net.arena = arena, net.lr = NET_LR;
    if (net_init(&net, 1)) return 2;
    for (int k = 0; k < 4; k++) {
        draw();
        net.batch = k %% 2 ? NET_MAX_BATCH - 1 : NET_MAX_BATCH;
        if (%(calls)s) return 3;
        if (!(loss[0] > 0.0f && loss[0] < 1e6f)) return fprintf(stderr, "a loss of %%g\\n", (double)loss[0]), 4;
        if (!alive(%(gradient)s, NET_%(GRADIENT)s_LEN)) return fprintf(stderr, "no gradient of the input\\n"), 5;
    }
    return 0;
}
"""
PRINT = """
static void print(const char *name, const REAL *p, int64_t n) {
    for (int64_t i = 0; i < n; i++) printf("%%s %%.17g\\n", name, (double)p[i]);
}

int main(void) {
    net_net net;
%(fields)s
    net.arena = arena;
#ifdef NET_MAX_BATCH
    net.batch = NET_MAX_BATCH;
#endif
    if (net_init(&net, 1)) return 2;
    draw();
    if (net_forward_backward(&net)) return 3;
    for (const net_tensor *t = net_tensors; t->name; t++)
        if (t->block[0] == 'g') print(t->name, (const REAL *)(const void *)(grads + t->offset), t->bytes / (int64_t)sizeof(REAL));
    if (net_input_grad(&net)) return 4;
%(prints)s
    return 0;
}
"""

header = open(sys.argv[1]).read()
struct = re.search(r"typedef struct \{((?:(?!typedef struct).)*?)\} net_net;", header, re.S).group(1)
ports = re.findall(r"(?:const )?(\w+) \*(\w+); /\* (in |out)", struct)
blocks = re.findall(r"void \*(params|grads|opt|state);", struct)
functions = [f for f in re.findall(r"int net_(\w+)\(const net_net \*net\);", header)]
arrays = [f"static {kind} {name}[NET_{name.upper()}_LEN];" for kind, name, _ in ports]
# The macro of a block that is empty is not there.
arrays += [f"#if NET_{b.upper()}_BYTES\nNET_{b.upper()}({b});\n#else\nstatic unsigned char {b}[1];\n#endif" for b in blocks]
printing = "--print" in sys.argv
number = "2 * number() - 1" if printing else "number()"  # targets of cross entropy lie from 0 to 1
values = {"float": f"(float)({number})", "double": number, "int32_t": "i % 2"}
print((TOP + (PRINT if printing else CALLS)) % {
    "arrays": "\n".join(arrays),
    "draw": "\n".join(f"    for (int i = 0; i < NET_{n.upper()}_LEN; i++) {n}[i] = {values[k]};" for k, n, way in ports if way == "in "),
    "fields": "\n".join(f"    net.{n} = {n};" for n in [p[1] for p in ports] + blocks),
    # Gradients are added twice before they are applied.
    "calls": " || ".join(f"net_{f}(&net)" for f in functions for _ in range(1 + (f == "forward_backward"))),
    "gradient": next(n for _, n, way in ports if n.endswith("_grad")),
    "prints": "\n".join(f'    print("{n}", {n}, NET_{n.upper()}_LEN);' for _, n, way in ports if n.endswith("_grad")),
    "GRADIENT": next(n for _, n, way in ports if n.endswith("_grad")).upper(),
}, end="")
