#!/usr/bin/env python3
"""Rename every string of a model to hostile text and compare what nncc makes of both.

usage: rename.py NNCC CC MODEL.onnx [OPTION...]      needs: onnx
With --names=plain the files have to be the same but for the table of names (and the hash of the model); by default they have to
be the same program: equal tokens once comments are gone and identifiers are numbered, and equal machine code and data.
"""
import os, re, subprocess, sys, tempfile
import onnx

HOSTILE = ["*/ int x; /*", '"; system("true"); "', "line\nbreak\\\n#include <x>", "??/", "int", "default", "I", "errno", "a.b", "a_b",
           "A B", "\x1b[31mred", "%s%n", "long " * 2000, "\u202e\u4e2d\u6587", "t1", "t2", "0", "-", "//", "'", "`", "net", "arena", "weights"]


class Renamer:
    def __init__(self): self.names = {"": ""}

    def __call__(self, old):
        if old not in self.names:
            k = len(self.names)
            h = HOSTILE[k % len(HOSTILE)]
            self.names[old] = h if k <= len(HOSTILE) else f"{h}{k}"
        return self.names[old]


def rename_graph(g, r):
    g.name, g.doc_string = r(g.name), "doc */ string\n"
    for v in list(g.input) + list(g.output) + list(g.value_info):
        v.name = r(v.name)
        for d in v.type.tensor_type.shape.dim:
            if d.dim_param: d.dim_param = r(d.dim_param) + "d"  # what has no letter counts as no name
    for t in g.initializer: t.name = r(t.name)
    for n in g.node:
        n.name, n.doc_string = r("node:" + n.name), "*/"
        n.input[:] = [r(x) for x in n.input]
        n.output[:] = [r(x) for x in n.output]
        for a in n.attribute:
            if a.HasField("g"): rename_graph(a.g, r)


def compile_model(nncc, model, folder, options):
    os.makedirs(folder)
    subprocess.run([nncc, model, "--prefix", "m", "-o", f"{folder}/m.c", *options], check=True, cwd=folder)
    return [open(f"{folder}/m.{e}").read() for e in "ch"]


KEPT = set("""int float double void const static inline for while if else return sizeof restrict size_t ptrdiff_t uint8_t int8_t uint16_t int16_t
uint32_t int32_t uint64_t int64_t memcpy memcmp struct typedef enum extern unsigned char INFINITY NAN NULL define include""".split())


def tokens(text):
    """The program without comments, every name of ours or theirs replaced by one word."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r'\*field = "([A-Za-z_]\w*)"', r"*field = \1", text)  # check names the field
    return [t if not re.match(r"[A-Za-z_]", t) or t in KEPT else "NAME" for t in re.findall(r'[A-Za-z_]\w*|"[^"\n]*"|[^\sA-Za-z_"]+', text)]


def machine_code(cc, folder):
    flags = "-std=c11 -O1 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Werror".split()
    subprocess.run([cc, *flags, "-c", "m.c", "-o", "m.o"], check=True, cwd=folder)
    parts = []
    for section in (".text", ".rodata", ".data"):
        subprocess.run(["objcopy", "-O", "binary", f"--only-section={section}", "m.o", "part"], check=True, cwd=folder)
        parts.append(open(f"{folder}/part", "rb").read() if os.path.exists(f"{folder}/part") else b"")
    return parts


def plain(files):
    text = "\0".join(files)
    text = re.sub(r"sha256 [0-9a-f]+", "sha256", text)
    return re.sub(r"/\* Names in the model:.*?\*/", "", text, flags=re.S)


def main():
    nncc, cc, path, options = sys.argv[1], sys.argv[2], os.path.abspath(sys.argv[3]), sys.argv[4:]
    with tempfile.TemporaryDirectory() as work:
        model, r = onnx.load(path), Renamer()
        rename_graph(model.graph, r)
        model.producer_name = model.producer_version = "*/ int y;\n"
        model.doc_string = "??/\n*/"
        os.makedirs(f"{work}/hostile")
        hostile = f"{work}/hostile/{os.path.basename(path)}"
        onnx.save(model, hostile)
        theirs = [o if "=" not in o else "=".join([r(o.split("=")[0]) + "d", o.split("=")[1]]) for o in options]
        a = compile_model(nncc, path, f"{work}/a", ["--names=plain", *options])
        b = compile_model(nncc, hostile, f"{work}/b", ["--names=plain", *theirs])
        if plain(a) != plain(b): sys.exit(f"{path}: --names=plain depends on the model's names")
        a = compile_model(nncc, path, f"{work}/c", options)
        b = compile_model(nncc, hostile, f"{work}/d", theirs)
        for x, y, name in zip(a, b, "ch"):
            if tokens(x) != tokens(y): sys.exit(f"{path}: m.{name} is another program")
            if re.search(r"[^\x09\x0a\x20-\x7e]", y) or "??/" in y: sys.exit(f"{path}: a byte of the model's in m.{name}")
        if machine_code(cc, f"{work}/c") != machine_code(cc, f"{work}/d"): sys.exit(f"{path}: other machine code")


main()
