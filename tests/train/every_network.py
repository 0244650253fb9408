#!/usr/bin/env python3
"""Which weights of which networks train: every_network.py NNCC CC DIR SHARED TABLE [--update] [MODEL...].

MODELs are names in SHARED/models or paths below SHARED/exported; none: all of them. A line of TABLE, and of what is printed, is a network,
how many tensors are trained, and those among them without a gradient; behind "=" a reason, which stays when the table is
written anew. Exit status 1 if a network is not as the table says.
"""
import glob
import os
import re
import subprocess
import sys

# What networks need beside the extents of 4 that they get if their own do not say enough.
OPTIONS = {
    "exported/ort_static_qdq_s4w/torch_ts_dyn_enc/model": ["--dim=batch=4", "--dim=time=7"],
    "exported/torch_ts_dyn/enc/model": ["--dim=batch=4", "--dim=time=7"],
    "models/ae_decoder": ["--outputs=28"],
    "models/fns_candy": ["--dim=None=1"],
    "models/ort_tiny_gpt2_greedy": ["--dim=batch_size=2", "--dim=sequence_length=6"],
    "models/scrfd_500m": ["--dim=input.1:0=1", "--dim=*=64"],
    "models/silero_model_mini": ["--dim=batch=1", "--dim=samples=4000"],
    "models/silero_vad_16k_op15": ["--dim=batch=1", "--dim=sequence=512"],
    "models/silero_vad_half": ["--dim=batch=1", "--dim=sequence=512"],
    "models/silero_vad_op18_ifless": ["--dim=batch=1", "--dim=sequence=576"],
}

PROGRAM = """
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *block(size_t n) {
    void *p = NULL;
    return posix_memalign(&p, NET_ALIGN, n + NET_ALIGN) ? NULL : memset(p, 0, n + NET_ALIGN);
}
static uint32_t seed = 1;
static double drawn(void) {
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (1 << 24) - 0.5;
}
#define FILL(type, p, n, real) for (long at_ = 0; at_ < (long)(n); at_++) ((type *)(p))[at_] = (real) ? (type)(2 * drawn()) : (type)1
static double number(const char *type, const void *p, long i) {
    return !strcmp(type, "f64") ? ((const double *)p)[i] : ((const float *)p)[i];
}
int main(void) {
    static net_net net;
    int code = 0;
%s
    net.lr = 1e-3;
    net.params = block(NET_PARAMS_BYTES), net.grads = block(NET_GRADS_BYTES), net.opt = block(NET_OPT_BYTES);
    net.state = block(NET_STATE_BYTES), net.arena = block(NET_ARENA_BYTES);
    if ((code = net_init(&net, 1)) || (code = net_forward(&net)) || (code = net_backward(&net))) return printf("code %%d\\n", code), 3;
    char *before = memcpy(block(NET_PARAMS_BYTES), net.params, NET_PARAMS_BYTES);
    char *grads = memcpy(block(NET_GRADS_BYTES), net.grads, NET_GRADS_BYTES);
    if ((code = net_apply(&net))) return printf("apply %%d\\n", code), 3;
    for (const net_tensor *t = net_tensors; t->name; t++) {
        if (strcmp(t->block, "params")) continue;
        long n = (long)t->bytes / (!strcmp(t->type, "f64") ? 8 : 4);
        const net_tensor *g = net_tensors;
        for (; g->name; g++)
            if (!strcmp(g->block, "grads") && strstr(g->name, t->name) == g->name && !strcmp(g->name + strlen(t->name), ".gradient")) break;
        int any = 0, moved = 0, bad = 0;
        for (long i = 0; i < n && g->name; i++) {
            double x = number(t->type, grads + g->offset, i);
            any |= x != 0, bad |= !isfinite(x);
            moved |= number(t->type, before + t->offset, i) != number(t->type, (char *)net.params + t->offset, i);
        }
        printf("%%s %%s\\n", bad ? "nan" : !any ? "zero" : moved ? "ok" : "still", t->name);
    }
    return 0;
}
"""


def fields(header):
    """C that gives every port memory: inputs random, outputs zeros."""
    body = re.search(r"typedef struct \{\n(.*?)\n\} net_net;", header, re.S).group(1)
    for line in body.splitlines():
        port = re.match(r"\s+(const )?(\w+) \*(\w+); /\* (in|out|gradient)?", line)
        if not port or port.group(2) == "void":
            extent = re.match(r"\s+int (\w+); /\* extent in this call, (\d+) to (\d+)", line)
            if extent:
                yield f"    net.{extent.group(1)} = {min(4, int(extent.group(3)))};"
            continue
        const, kind, name = port.group(1), port.group(2), port.group(3)
        length = f"NET_{name.upper()}_LEN"
        if f"#define {length} " not in header:
            continue
        yield f"    {kind} *const {name}_ = block(sizeof({kind}) * {length}); net.{name} = {name}_;"
        if const:
            yield f"    FILL({kind}, {name}_, {length}, {int(kind in ('float', 'double'))});"


def run(words, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=600, **more)


def compiled(nncc, path, name, out):
    command = [nncc, path, "--train", "--lr=0.001", "--prefix=net", "--target=c", "-O1", "-o", out]
    for more in [OPTIONS.get(name, []), ["--dim=*=4"]]:
        done = run(command + more)
        if not done.returncode:
            return None
        said = [line for line in done.stderr.splitlines() if "note:" not in line and "warning:" not in line]
        if name in OPTIONS:
            break
    return "refused: " + re.sub(r"\s+", " ", " ".join(said[:2]))[:150]


def network(nncc, cc, work, path, name):
    """'trained' or a refusal in one line, and the weights that did not."""
    out = os.path.join(work, "net.c")
    refused = compiled(nncc, path, name, out)
    if refused:
        return refused, []
    header = open(os.path.join(work, "net.h")).read()
    with open(os.path.join(work, "main.c"), "w") as f:
        f.write(PROGRAM % "\n".join(fields(header)))
    done = run([cc, "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1", "-I", work, os.path.join(work, "main.c"), out, "-o", os.path.join(work, "net"), "-lm"])
    if done.returncode:
        return "does not compile: " + done.stderr.splitlines()[0][:120], []
    done = run([os.path.join(work, "net")])
    if done.returncode:
        return f"stops with {done.returncode}: {done.stdout.strip()[:80]}", []
    lines = [line.split(" ", 1) for line in done.stdout.splitlines()]
    return f"{len(lines)} trained", [f"{what} {weight}" for what, weight in lines if what != "ok"]


def read(table):
    known = {}
    if os.path.exists(table):
        for line in open(table):
            said, _, reason = line.rstrip("\n").partition(" = ")
            if said and not said.startswith("#"):
                known[said.split(": ")[0]] = (said, reason)
    return known


def main():
    nncc, cc, work, shared, table, *names = sys.argv[1:]
    update = "--update" in names
    names = [n for n in names if n != "--update"]
    if not os.path.isdir(shared):
        print(f"skipped: there is no {shared}")
        return 0
    every = sorted(glob.glob(shared + "/models/*.onnx")) + sorted(glob.glob(shared + "/exported/**/*.onnx", recursive=True))
    known, passed, failed, seen = read(table), 0, 0, {}
    for path in every:
        name = os.path.relpath(path, shared)[:-5]
        if names and not any(n in name for n in names):
            continue
        how, without = network(nncc, cc, work, path, name)
        said = f"{name}: {how}" + ("; " + ", ".join(without) if without else "")
        expected, reason = known.get(name, ("", ""))
        seen[name] = (said, reason)
        good = said == expected and (bool(reason) or (not without and how.endswith("trained") and not how.startswith("0")))
        passed, failed = passed + good, failed + (not good)
        if not good or names:
            print(("ok      " if good else "FAILED  ") + said + (f" = {reason}" if reason else ""), flush=True)
    if update:
        known.update(seen)
        head = [line for line in open(table) if line.startswith("#")] if os.path.exists(table) else []
        with open(table, "w") as f:
            f.writelines(head)
            f.writelines(said + (f" = {reason}" if reason else "") + "\n" for said, reason in (known[k] for k in sorted(known)))
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
