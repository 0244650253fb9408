"""The structural fuzzer: valid ONNX files and texts with wild attributes, shapes, element types, constants, omitted inputs and results.

usage: structural.py NNCC DRIVER DIR [--models N] [--seconds S] [--seed SEED] [--run SHARE] [--need N]
       [--jobs N] [--only ROW,...]        or --teeth: faults planted in generated C have to be found, nothing else

NNCC lists the rows; DRIVER (structural.c) compiles models, hundreds in one process, under ASan and UBSan. Of those accepted a SHARE
(1: all) is compiled as C with both sanitizers and run on wild inputs. A third of the models is a row's valid node as it is
(structural_rows.py, _ml.py, _microsoft.py), the rest has one to four faults planted in one node. Every row has to be accepted and refused at least N
times. A finding is a crash, an internal error, what takes longer than 5 s or 192 MB, C that does not compile, or a report of a
sanitizer while it runs; its model stays in DIR. Last lines: rows, shares, and `N passed, N failed`."""
import argparse
import collections
import os
import platform
import random
import re
import shutil
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper

from structural_microsoft import MICROSOFT_ROWS
from structural_ml import ML_ROWS
from structural_rows import NUM, ROWS, TYPES, Arg, Draw, Made, Node

ROWS = ROWS | ML_ROWS | MICROSOFT_ROWS

WILD = [-1, 0, 1, 2, 3, 5, 7, -2, -3, -9, 13, 255, 1 << 16, (1 << 31) - 1, 1 << 31, -(1 << 31), 1 << 40, 1 << 62, (1 << 63) - 1, -(1 << 63)]
WORDS = ["", "none", "add", "max", "linear", "nearest", "cubic", "constant", "wrap", "SAME_UPPER", "VALID", "NOTSET", "bidirectional", "tanh", "DCR", "LEFT",
         "mean", "reflect", "zeros", "ij,jk->ik", "a...->...a", "aa->a", "abcdefgh,ijklmnop->abcdefghijklmnop", "...", "->", "a,b", "align_corners"]
NUMPY = {"f32": "f4", "f64": "f8", "f16": "f2", "bf16": "u2", "bool": "?", **{f"{k}{b}": f"{k}{b // 8}" for k in "iu" for b in (8, 16, 32, 64)}}
NAMES = ["axis", "axes", "perm", "pads", "strides", "dilations", "kernel_shape", "group", "mode", "keepdims", "to", "alpha", "hidden_size", "direction", "num_outputs",
         "blocksize", "batch_dims", "start", "end", "output_shape", "output_padding", "auto_pad", "activations", "clip", "layout", "block_size", "reduction", "equation"]
SLOW = 5000  # ms of the processor


# ---- rows ----

class Row:
    def __init__(self, line):
        self.domain, self.op, since, _, least, most, _, outs, attrs, self.status, _ = line.split("\t")
        self.since, self.least, self.most, self.outs = int(since), int(least), int(most), int(outs)
        self.attrs = [tuple(a.split(": ")[0:1]) + (a.split(": ")[1].split(" ")[0],) for a in attrs.split(", ") if ": " in a]
        self.key = self.op if not self.domain or f"{self.domain}.{self.op}" not in ROWS else f"{self.domain}.{self.op}"


def rows_of(nncc):
    return [Row(line) for line in subprocess.run([nncc, "--list-ops"], capture_output=True, text=True, check=True).stdout.splitlines()]


# ---- faults ----

def wild_value(d, kind):
    if kind == "int":
        return d.of(WILD)
    if kind == "float":
        return d.of([0.0, -1.0, 1e38, float("inf"), float("nan"), 1e-45, 3.5])
    if kind == "string":
        return d.of(WORDS)
    if kind == "ints":
        return [d.of(WILD) if d.maybe(0.6) else d.int(0, 3) for _ in range(d.int(0, 6))]
    if kind == "floats":
        return [d.r.uniform(-2, 2) for _ in range(d.int(0, 4))]
    return [d.of(["Tanh", "Relu", "Sigmoid", "Affine", "quux", ""]) for _ in range(d.int(0, 4))] if kind == "strings" else d.const("f32", [1.0] * d.int(0, 2))


def fault_attr(d, row, n):
    known = [a for a in row.attrs if a[1] != "graph"]
    if known and d.maybe(0.9):
        name, kind = d.of(known)
        old = n.attrs.get(name)
        if isinstance(old, list) and old and d.maybe(0.6):
            old = n.attrs[name] = list(old)
            at = d.int(0, len(old) - 1)
            if d.maybe(0.7):
                old[at] = d.of(WILD)
            elif d.maybe():
                del old[at]
            else:
                old.insert(at, d.int(0, 2))
        elif name in n.attrs and d.maybe(0.15):
            del n.attrs[name]
        else:
            n.attrs[name] = wild_value(d, kind if d.maybe(0.95) else d.of(["int", "float", "string", "ints", "floats"]))
    else:
        n.attrs[d.of(NAMES)] = wild_value(d, d.of(["int", "float", "string", "ints"]))


def some_arg(d, n):
    args = [a for a in n.args if a]
    return d.of(args) if args else None


def fault_shape(d, row, n):
    a = some_arg(d, n)
    if not a:
        return
    s = a.shape
    if s and d.maybe(0.6):
        s[d.int(0, len(s) - 1)] = d.of([0, 1, 2, 3, 5, 17] + ([1 << 12, 1 << 20, 1 << 33, 1 << 62] if d.maybe(0.2) else []))
    elif d.maybe():
        s.insert(d.int(0, len(s)), d.of([1, 1, 2, 0]))
    elif s and d.maybe(0.8):
        del s[d.int(0, len(s) - 1)]
    else:
        a.shape = [1] * d.int(7, 14)


def fault_type(d, row, n):
    a = some_arg(d, n)
    if a:
        a.dtype = d.of(NUM + ["bool", "i64"])


def fault_omit(d, row, n):
    n.args = list(n.args)
    if n.args and d.maybe(0.7):
        n.args[d.int(0, len(n.args) - 1)] = None
    elif n.args:
        del n.args[d.int(0, len(n.args) - 1):]


def fault_results(d, row, n):
    if d.maybe(0.7) or row.outs > 4:
        n.outs = [d.maybe() for _ in range(max(1, min(len(n.outs) + d.int(0, 2), row.outs)))]
    else:
        n.outs = n.outs + [True] * d.int(1, 3)


def fault_extra(d, row, n):
    n.args = n.args + [d.x(d.shape(), d.of(NUM)) for _ in range(d.int(1, 3))]


def fault_contents(d, row, n):
    some = [a for a in n.args if a and a.data]
    if some and d.maybe(0.8):
        a = d.of(some)
        a.data = [d.of(WILD) if d.maybe() else v for v in a.data]
    elif some and d.maybe():
        d.of(some).data = None
    else:
        a = some_arg(d, n)
        if a and d.size(a.shape) in range(65):
            a.data = [d.of(WILD) for _ in range(d.size(a.shape))]


def fault_swap(d, row, n):
    if len(n.args) > 1:
        i, j = d.r.sample(range(len(n.args)), 2)
        n.args[i], n.args[j] = n.args[j], n.args[i]


FAULTS = [fault_attr] * 5 + [fault_shape] * 3 + [fault_type] * 2 + [fault_omit, fault_results, fault_contents, fault_contents, fault_extra, fault_swap]


def copied(n):
    """A node whose parts are its own, so that a fault in one changes no other."""
    return Node(n.op, [Arg(a.dtype, a.shape, list(a.data) if a.data is not None else None, a.state) if a else None for a in n.args], n.attrs, list(n.outs))


def spoil(d, row, n):
    n = copied(n)
    for _ in range(d.of([1, 1, 1, 2, 3])):
        d.of(FAULTS)(d, row, n)
    if d.maybe(0.15):  # so that rows that take nearly anything are refused, too
        fault_extra(d, row, n)
    return n


# ---- models ----

def clamp(v, dtype):
    if dtype == "bool":
        return bool(v)
    if dtype[0] not in "iu":
        return float(v)
    bits = int(dtype[1:])
    v = int(v) & ((1 << bits) - 1)
    return v - (1 << bits) if dtype[0] == "i" and v >> (bits - 1) else v


def values(a):
    return [clamp(v, a.dtype) for v in a.data]


class Model:
    """Nodes with names for what they read and make; written as ONNX or as a text."""

    def __init__(self, d, rows):
        self.d, self.rows = d, rows
        self.inputs, self.consts, self.states, self.nodes, self.results = [], [], [], [], []
        self.names = 0

    def name(self, stem):
        self.names += 1
        return f"{stem}{self.names}"

    def arg(self, a):
        if a is None:
            return None
        if isinstance(a, Made):
            made = self.name("m")
            self.nodes.append((a.node.op, "", [self.arg(x) for x in a.node.args], a.node.attrs, [made]))
            return made
        name = self.name("c" if a.data is not None else "x")
        if a.state:
            self.states.append((name, a))
            return name
        (self.consts if a.data is not None else self.inputs).append((name, a))
        plain = a.data is None and a.dtype in ("f32", "f64", "i32", "i64") and self.d.maybe(0.25)
        if not plain:
            return name
        made = self.name("p")
        self.nodes.append((self.d.of(["Abs", "Identity", "Neg"]), "", [name], {}, [made]))
        return made

    def add(self, row, n):
        outs = [self.name("y") if wanted else None for wanted in n.outs]
        n.args, given = list(n.args), {}
        ins = []
        for a in n.args:  # what stands twice among the arguments is one value
            if a is None or id(a) not in given:
                given[id(a)] = self.arg(a)
            ins.append(None if a is None else given[id(a)])
        self.nodes.append((row.op, row.domain, ins, n.attrs, outs))
        for o in filter(None, outs):
            if self.d.maybe(0.2):
                cast, last = self.name("z"), self.name("z")
                self.nodes.append(("Cast", "", [o], {"to": 1}, [cast]))
                self.nodes.append((self.d.of(["Tanh", "Sigmoid", "Relu"]), "", [cast], {}, [last]))
                self.results.append(last)
            else:
                self.results.append(o)
        if not self.results:
            x = self.arg(Arg("f32", [2]))
            self.nodes.append(("Relu", "", [x], {}, ["last"]))
            self.results.append("last")

    # -- as ONNX

    def tensor(self, name, a):
        t = TensorProto(name=name, data_type=TYPES[a.dtype], dims=a.shape)
        with np.errstate(all="ignore"):
            t.raw_data = np.array(values(a), "f4").view("u4").__rshift__(16).astype("u2").tobytes() if a.dtype == "bf16" else np.array(values(a), NUMPY[a.dtype]).tobytes()
        return t

    def attribute(self, name, v):
        a = AttributeProto(name=name)
        if isinstance(v, Arg):
            a.type, _ = AttributeProto.TENSOR, a.t.CopyFrom(self.tensor("", v))
        elif isinstance(v, int):
            a.type, a.i = AttributeProto.INT, v
        elif isinstance(v, float):
            a.type, a.f = AttributeProto.FLOAT, v
        elif isinstance(v, str):
            a.type, a.s = AttributeProto.STRING, v.encode()
        elif any(isinstance(x, str) for x in v):
            a.type, _ = AttributeProto.STRINGS, a.strings.extend(str(s).encode() for s in v)
        elif any(isinstance(x, float) for x in v):
            a.type, _ = AttributeProto.FLOATS, a.floats.extend(map(float, v))
        else:
            a.type, _ = AttributeProto.INTS, a.ints.extend(v)
        return a

    def info(self, name, a):
        shape = list(a.shape)
        if self.open and shape:
            shape[0] = "N"
        return helper.make_tensor_value_info(name, TYPES[a.dtype], shape)

    def node(self, op, domain, ins, attrs, outs):
        n = onnx.NodeProto(op_type=op, domain=domain, input=[i or "" for i in ins], output=[o or "" for o in outs])
        n.attribute.extend(self.attribute(k, v) for k, v in attrs.items())
        if op == "If":
            n.ClearField("input")
            n.input.extend([ins[0] or ""] if ins else [])
            for k, (name, inner) in enumerate((("then_branch", self.branch), ("else_branch", "Sub"))):
                body = onnx.NodeProto(op_type=inner, input=[i or "" for i in ins[1:3]], output=[f"{outs[0] or 'o'}_{k}"])
                body.attribute.extend([helper.make_attribute("axis", 0)] if inner == "Concat" else [])
                n.attribute.append(helper.make_attribute(name, helper.make_graph([body], name, [], [onnx.ValueInfoProto(name=f"{outs[0] or 'o'}_{k}")])))
        return n

    @property
    def branch(self):
        """A branch's operator: of the extents of the other one's, or of more."""
        return "Concat" if len(self.nodes) % 2 else "Add"

    def onnx(self, opset):
        self.open = self.d.maybe(0.08)
        g = helper.make_graph([self.node(*n) for n in self.nodes], "fuzz", [self.info(*i) for i in self.inputs], [onnx.ValueInfoProto(name=r) for r in self.results])
        g.initializer.extend(self.tensor(*c) for c in self.consts)
        m = helper.make_model(g, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("ai.onnx.ml", 5),
                                                helper.make_opsetid("ai.onnx.preview", 1), helper.make_opsetid("ai.onnx.preview.training", 1)])
        m.ir_version = 10
        return b"o", m.SerializeToString()

    # -- as a text

    def literal(self, v):
        if isinstance(v, Arg):
            return f"{v.dtype}[{','.join(map(str, v.shape))}] [{', '.join(map(self.literal, values(v)))}]"
        if isinstance(v, bool):
            return str(v).lower()
        if isinstance(v, str):
            return '"' + v + '"'
        return "[" + ", ".join(map(self.literal, v)) + "]" if isinstance(v, list) else repr(v)

    def text(self):
        type_of = lambda a: f"{a.dtype}[{','.join(map(str, a.shape))}]"
        lines = []
        for name, a in self.consts:
            v = list(map(self.literal, values(a)))
            lines.append(f"const %{name}: {type_of(a)} = {'[' + ', '.join(v) + ']' if a.shape else ''.join(v[:1])}")
        lines += [f"state %{name}: {type_of(a)} = zeros" for name, a in self.states]
        lines.append(f"network @fuzz({', '.join(f'%{n}: {type_of(a)}' for n, a in self.inputs)}) {{")
        for op, domain, ins, attrs, outs in self.nodes:
            args = [f"%{i}" if i else "_" for i in ins]
            given = [f"{k} = {self.literal(v)}" for k, v in attrs.items()]
            if op == "If":
                inner = ", ".join(args[1:3])
                given += [f"then_branch = {{ %t{outs[0]} = {self.branch}({inner}) {'{axis = 0}' if self.branch == 'Concat' else ''} return %t{outs[0]} }}", f"else_branch = {{ %e{outs[0]} = Sub({inner}) return %e{outs[0]} }}"]
                args = args[:1]
            lines.append(f"  {', '.join(f'%{o}' if o else '_' for o in outs)} = {domain + '.' if domain else ''}{op}({', '.join(args)})" + (f" {{{', '.join(given)}}}" if given else ""))
        lines.append(f"  return {', '.join('%' + r for r in self.results)}\n}}\n")
        return b"t", "\n".join(lines).encode()


def make(seed, rows, turn):
    """A model, the row it is about, and whether it was spoiled."""
    d = Draw(random.Random(seed))
    row = rows[turn % len(rows)]
    n = ROWS.get(row.key, lambda d, op: Node(op, [d.x(d.shape()) for _ in range(max(1, row.least))], {}, 1))(d, row.op)
    spoiled = d.maybe(0.7)
    if spoiled:
        n = spoil(d, row, n)
    m = Model(d, rows)
    m.add(row, n)
    if d.maybe(0.25):  # another node beside it
        other = d.of([r for r in rows if r.key in ROWS and r.since and not r.status])
        m.add(other, ROWS[other.key](d, other.op))
    onnx_opset = d.int(max(7, row.since - 12), 28) if d.maybe(0.1) and spoiled else 28
    return (m.text() if not row.since or d.maybe(0.3) else m.onnx(onnx_opset)), row, spoiled


# ---- running ----

MAIN = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static uint64_t state = 88172645463325252u;
static uint64_t next(void) { state ^= state << 13; state ^= state >> 7; return state ^= state << 17; }
void *block(long long bytes) { void *p; if (posix_memalign(&p, 64, bytes ? (size_t)bytes : 1)) abort(); memset(p, 0xfb, bytes); return p; }
void *wild(char kind, long long bytes, int size) {
    static const double odd[] = {0, -0.0, 1e-40, 3e38, -3e38, 1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0, 1e9, -1e9, 0.5, 2.5};
    static const int64_t far[] = {INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, 1 << 20, -(1 << 20), 255, -128, 1ll << 40, -9};
    char *p = malloc(bytes ? (size_t)bytes : 1);
    for (long long i = 0; i + size <= bytes; i += size) {
        uint64_t r = next(), how = next() % 8;
        double f = how < 5 ? (double)(int64_t)r / 4e18 : odd[r % 12];
        float f4 = (float)f;
        int64_t v = how < 4 ? (int64_t)(r % 5) : how < 6 ? -(int64_t)(r % 7) : far[r % 10];
        if (kind == 'b') p[i] = (char)(r & 1);
        else if (kind == 'f' && size == 8) memcpy(p + i, &f, 8);
        else if (kind == 'f' && size == 4) memcpy(p + i, &f4, 4);
        else if (kind == 'f') memcpy(p + i, &r, 2);
        else memcpy(p + i, &v, (size_t)size);
    }
    return p;
}
static const struct { int index; int (*run)(void); } all[] = {LIST};
int main(int argc, char **argv) {
    for (int i = argc > 1 ? atoi(argv[1]) : 0; i < (int)(sizeof all / sizeof *all); i++) {
        printf("%d %d\n", i, all[i].index);
        fflush(stdout);
        int code = all[i].run();
        if (code) printf("! %d returns %d\n", all[i].index, code);
    }
    return 0;
}
"""


# Calls in place of inline checks, which are no others, take a quarter off the compiler's time.
CC = ["cc", "-std=c99", "-O0", "-w", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "--param", "asan-instrumentation-with-call-threshold=0", "-pipe"]

# What a generated file has of its own: a function, a constant or a type at the start of a line. Its functions named nncc_* are the
# same text in every file.
STATIC = re.compile(r"^(?:static|typedef)\b[^;{=(]*?\b(\w+)\s*(?:\[[^;{=]*)?(?:\(|=|;|__attribute__)", re.M)
HELPER = re.compile(r"^static [^;{=(]*\b(nncc_\w+)\([^;{]*\{(?:[^\n]*\}\n|.*?^\}\n)", re.M | re.S)


def together(here, indices):
    """The C of many models as one source: starting the compiler and reading headers takes longer than most of them do. What they
    have of their own gets their index, and helpers that were there before go."""
    out, seen = ["#include <math.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <string.h>\n"], {}
    for i in indices:
        with open(os.path.join(here, f"m{i}.c")) as f:
            text = f.read()
        helpers = {m[1]: m[0] for m in HELPER.finditer(text)}
        if all(seen.get(name, body) == body for name, body in helpers.items()):
            text = HELPER.sub(lambda m: "" if m[1] in seen else m[0], text)
            seen.update(helpers)
            own = set(STATIC.findall(text)) - helpers.keys()
        else:
            own = set(STATIC.findall(text))
        out += [f"#define {name} {name}_in_{i}\n" for name in sorted(own)] + [text] + [f"#undef {name}\n" for name in sorted(own)]
    return "".join(out)


SIZE = 200  # models in a pack


class Pack(list):
    """Models, the row of each and whether it was spoiled; `base` is the number of the first."""


class Fuzz:
    def __init__(self, o):
        self.o, self.rows = o, rows_of(o.nncc)
        self.accepted, self.refused, self.findings = collections.Counter(), collections.Counter(), collections.Counter()
        self.models = self.taken = self.ran = 0
        self.lock = threading.Lock()
        self.env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}

    def finding(self, pack, index, what):
        with self.lock:
            self.note(pack, index, what)

    def note(self, pack, index, what):
        where = next((line.strip() for line in what.splitlines() if "runtime error" in line or "ERROR: Add" in line or "internal error" in line), what.strip()[:200])
        frame = next((line.split(" in ")[1].split()[0] for line in what.splitlines() if line.strip().startswith("#") and " in " in line
                      and "/compiler/" in line), "")
        key = f"{where.split('==')[-1]} {frame}"
        self.findings[key] += 1
        if self.findings[key] > 3:
            return
        kind, bytes_ = pack[index][0]
        name = f"finding-{self.o.seed}-{pack.base + index}.{'onnx' if kind == b'o' else 'nn'}"
        with open(os.path.join(self.o.dir, name), "wb") as f:
            f.write(bytes_)
        print(f"FINDING {name}, {pack[index][1].op}, -O{index % 4}: {what.strip()[-1500:] if self.findings[key] == 1 else key}", flush=True)

    def compile(self, pack, path, here):
        """Exit code and whether C was written, for each model; None for one that was a finding."""
        got, first = {}, 0
        while first < len(pack):
            try:
                p = subprocess.run([self.o.driver, path, here, str(first)], capture_output=True, text=True, errors="replace", env=self.env, timeout=600)
                out, err, code = p.stdout, p.stderr, p.returncode
            except subprocess.TimeoutExpired as e:
                out, err, code = (e.stdout or b"").decode(), "timed out", 1
            last = first
            for line in out.splitlines():
                part = line.split(" ", 4)
                last = int(part[0])
                if len(part) < 4:
                    continue
                got[last] = (int(part[1]), part[3] == "1")
                if int(part[2]) > SLOW:
                    self.finding(pack, last, f"slow: {part[2]} ms")
                if int(part[1]) == 70:
                    self.finding(pack, last, f"internal error: {part[4]}")
                if os.environ.get("STRUCTURAL_VERBOSE") and int(part[1]):
                    print(pack[last][1].op, pack[last][2], part[4])
            if code == 0:
                break
            self.finding(pack, last, err or f"exit status {code}")
            got[last] = None
            first = last + 1
        return got

    def run(self, pack, here, chosen):
        """Compiles what was emitted with sanitizers, in one program, and runs it."""
        if not chosen:
            return 0
        if not self.link(here, "all.c", together(here, chosen), chosen):
            chosen = self.alone(pack, here, chosen)
            if not self.link(here, "main.c", "".join(f"int try_{i}(void);\n" for i in chosen), chosen, [f"m{i}.o" for i in chosen]):
                sys.exit(f"structural.py: models {pack.base} to {pack.base + len(pack) - 1} compile, but do not link")
        first = 0
        while first < len(chosen):
            try:
                p = subprocess.run([os.path.join(here, "all"), str(first)], capture_output=True, text=True, env=self.env, timeout=300)
                out, err, code = p.stdout, p.stderr, p.returncode
            except subprocess.TimeoutExpired as e:
                out, err, code = (e.stdout or b"").decode(), "timed out", 1
            for line in out.splitlines():
                if line.startswith("!"):
                    self.finding(pack, int(line.split()[1]), line)
            last = [line.split() for line in out.splitlines() if not line.startswith("!")]
            if code == 0 or not last:
                break
            self.finding(pack, int(last[-1][1]), "while it runs: " + err)
            first = int(last[-1][0]) + 1
        return len(chosen)

    def link(self, here, name, text, chosen, objects=()):
        """Writes a source with a main() that runs what was chosen, and links it; whether that went well."""
        with open(os.path.join(here, name), "w") as f:
            f.write(text + MAIN.replace("LIST", ", ".join(f"{{{i}, try_{i}}}" for i in chosen)))
        return subprocess.run([*CC, name, *objects, "-lm", "-o", "all"], cwd=here, capture_output=True).returncode == 0

    def alone(self, pack, here, chosen):
        """Compiles each by itself, which tells the one that does not compile; the others are returned."""
        good = []
        for i in chosen:
            p = subprocess.run([*CC, "-c", f"m{i}.c"], cwd=here, capture_output=True, text=True)
            if p.returncode:
                self.finding(pack, i, "C does not compile: " + p.stderr[:500])
            else:
                good.append(i)
        return good

    def batch(self, base, size):
        if time.time() > self.end:
            return
        pack = Pack(make(f"{self.o.seed}/{base + i}", self.rows, base + i) for i in range(size))
        pack.base = base
        here = os.path.join(self.o.dir, f"batch-{self.o.seed}-{threading.get_ident()}")
        shutil.rmtree(here, ignore_errors=True)
        os.makedirs(here)
        path = os.path.join(here, "pack")
        with open(path, "wb") as f:
            for (kind, data), _, _ in pack:
                f.write(kind + struct.pack("<I", len(data)) + data)
        got = self.compile(pack, path, here)
        written = []
        with self.lock:
            for i, (_, row, _) in enumerate(pack):
                if not got.get(i):
                    continue
                code, wrote = got[i]
                (self.refused if code else self.accepted)[row.key] += 1
                self.taken += not code
                if wrote and not code and random.Random(f"{self.o.seed}/{base + i}/run").random() < self.o.run:
                    written.append(i)
        ran = self.run(pack, here, written)
        with self.lock:
            self.models += size
            self.ran += ran
            if self.models // 2000 != (self.models - size) // 2000:
                print(f"{self.models} models, {self.taken} accepted, {self.ran} run, {len(self.findings)} findings, {time.strftime('%H:%M:%S')}", flush=True)

    def summary(self):
        width = [f"{r.key} {self.accepted[r.key]}/{self.refused[r.key]}" for r in self.rows]
        for i in range(0, len(width), 6):
            print("  " + "  ".join(f"{w:<30}" for w in width[i:i + 6]).rstrip())
        few = [r.key for r in self.rows if (self.accepted[r.key] < self.o.need and r.status != "refused") or self.refused[r.key] < self.o.need]
        never = [r.op for r in self.rows if r.status == "refused"]
        print(f"rows, accepted/refused, above; {len(never)} are refused always (ops/ops.def says why): {' '.join(never)}")
        share = self.taken / max(1, self.models)
        print(f"{self.models} models, {self.taken} accepted ({share:.0%}), {self.ran} of these compiled and run with sanitizers")
        if few:
            print(f"fewer than {self.o.need} times accepted or refused: {' '.join(few)}")
        for what, times in self.findings.most_common():
            print(f"{times} x {what}")
        failed = len(self.findings) + bool(few) + (share < 0.3)
        print(f"{self.models - sum(self.findings.values())} passed, {failed} failed")
        return failed


# Faults for the function that runs a model, behind its declarations.
PAST, OVERFLOW, SYNTAX = "{ char *volatile past = block(1); past[1] = 0; }", "{ volatile int most = 2147483647; most++; }", "}"


class Planted(Fuzz):
    """A pack with faults in the C of its first models; `found` are those that were reported."""

    def __init__(self, o, faults):
        super().__init__(o)
        self.faults, self.planted, self.found, self.end = faults, [], [], float("inf")

    def run(self, pack, here, chosen):
        self.planted = chosen[:len(self.faults)]
        for i, fault in zip(self.planted, self.faults):
            path = os.path.join(here, f"m{i}.c")
            with open(path) as f:
                text = f.read().replace("    int code;\n", f"    int code;\n    {fault}\n")
            with open(path, "w") as f:
                f.write(text)
        return super().run(pack, here, chosen)

    def finding(self, pack, index, what):
        self.found.append(index)


def teeth(o):
    failed = 0
    for faults in [PAST, OVERFLOW], [SYNTAX, PAST, OVERFLOW], []:
        f = Planted(o, faults)
        f.batch(0, 60)
        if f.ran < 15 or len(f.planted) != len(faults) or sorted(f.found) != f.planted:
            failed += 1
            print(f"of {f.taken} accepted {f.ran} ran; planted {faults} in {f.planted}, found {sorted(f.found)}")
    print(f"{3 - failed} passed, {failed} failed")
    return failed


def main():
    p = argparse.ArgumentParser()
    p.add_argument("nncc"), p.add_argument("driver"), p.add_argument("dir")
    p.add_argument("--models", type=int, default=10 ** 6), p.add_argument("--jobs", type=int, default=1), p.add_argument("--seconds", type=float, default=1e9)
    p.add_argument("--seed", default="0"), p.add_argument("--run", type=float, default=1), p.add_argument("--need", type=int, default=0)
    p.add_argument("--only", default=""), p.add_argument("--teeth", action="store_true")
    o = p.parse_args()
    os.makedirs(o.dir, exist_ok=True)
    o.dir, o.driver = os.path.abspath(o.dir), os.path.abspath(o.driver)
    if o.teeth:
        sys.exit(teeth(o) != 0)
    f = Fuzz(o)
    f.end = time.time() + o.seconds
    if o.only:
        f.rows = [r for r in f.rows if r.op in o.only.split(",")]
    with ThreadPoolExecutor(o.jobs) as pool:
        for done in [pool.submit(f.batch, at, min(SIZE, o.models - at)) for at in range(0, o.models, SIZE)]:
            done.result()
    sys.exit(f.summary() != 0)


if __name__ == "__main__":
    main()
