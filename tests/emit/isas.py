"""A program around a network for tests/emit/isas.sh, and what it prints compared with what another one prints.

usage: isas.py main HEADER >main.c: calls net_run on fixed inputs, once for each extent of an open batch, and prints every output
       isas.py compare LIMIT REFERENCE PRINTED...: max |error| / max |y| of each output of each file, LIMIT at most
"""
import math
import re
import sys

MAIN = """#include "net.h"
#include <stdio.h>

%(arrays)s
static unsigned state = 1;
static double number(void) {
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / 8388608.0 - 1.0;
}

int main(void) {
    net_net net;
%(fields)s
#if NET_WEIGHTS_BYTES
    FILE *f = fopen("net.weights", "rb");
    if (!f || fread(weights, 1, sizeof weights, f) != sizeof weights) return 2;
    fclose(f);
#endif
%(draw)s
    if (net_open(&net)) return 3;
    for (int batch = 1; batch <= NET_EXTENTS; batch++) {
        NET_SET_BATCH;
        if (net_run(&net)) return 4;
%(prints)s
    }
    return 0;
}
"""


def write_main(path):
    header = open(path).read()
    struct = re.search(r"typedef struct \{((?:(?!typedef struct).)*?)\} net_net;", header, re.S).group(1)
    ports = re.findall(r"(?:const )?(\w+) \*(\w+); /\* (in |out)", struct)
    blocks = re.findall(r"void \*(arena|weights);", struct)
    arrays = [f"static {kind} {name}[NET_{name.upper()}_LEN];" for kind, name, _ in ports]
    arrays += [f"NET_{b.upper()}({b});" for b in blocks]
    arrays += ["#ifdef NET_MAX_BATCH\n#define NET_EXTENTS NET_MAX_BATCH\n#define NET_SET_BATCH net.batch = batch",
               "#else\n#define NET_EXTENTS 1\n#define NET_SET_BATCH (void)0\n#endif"]
    value = {"float": "(float)number()", "double": "number()"}
    loop = "{}for (int i = 0; i < NET_{}_LEN; i++) {}"
    print(MAIN % {
        "arrays": "\n".join(arrays),
        "fields": "\n".join(f"    net.{name} = {name};" for name in [p[1] for p in ports] + blocks),
        "draw": "\n".join(loop.format("    ", n.upper(), f"{n}[i] = {value.get(k, '(' + k + ')(i % 2)')};")
                          for k, n, way in ports if way == "in "),
        "prints": "\n".join(loop.format("        ", n.upper(), f'printf("{n} %.17g\\n", (double){n}[i]);')
                            for k, n, way in ports if way == "out"),
    }, end="")


def read(path):
    """The numbers behind each name."""
    values = {}
    for line in open(path):
        name, number = line.split()
        values.setdefault(name, []).append(float(number))
    return values


def wrong(limit, reference, path):
    seen, worst = read(path), 0.0
    if not reference or reference.keys() != seen.keys():
        return f"{path}: expected outputs {', '.join(reference)}, saw {', '.join(seen) or 'none'}"
    for name, expected in reference.items():
        largest = max(map(abs, expected))
        if len(expected) != len(seen[name]) or not all(map(math.isfinite, seen[name])) or not 0 < largest < math.inf:
            return f"{path}: {name}: expected {len(expected)} finite numbers, saw {len(seen[name])}; the largest expected is {largest:g}"
        if len(expected) > 1 and len(set(expected)) == 1:
            return f"{path}: {name} is the same everywhere, which proves nothing"
        error = max(abs(a - b) for a, b in zip(expected, seen[name])) / largest
        worst = max(worst, error)
        if error > limit:
            return f"{path}: {name}: expected {limit:g} of the largest at most, saw {error:.3g}"
    print(f"{path}: {worst:.3g} of the largest")


if sys.argv[1] == "main":
    write_main(sys.argv[2])
else:
    reference = read(sys.argv[3])
    faults = [fault for path in sys.argv[4:] if (fault := wrong(float(sys.argv[2]), reference, path))]
    sys.exit("\n".join(faults) or (None if sys.argv[4:] else "nothing to compare"))
