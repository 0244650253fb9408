"""trees.py NNCC WORK [TREES]: a LightGBM model in nncc's C, ONNX Runtime, lleaves and tl2cgen, for rows one by one and for 1,000 at once.

All in this process, on one core and one thread, in turns; microseconds for a row, medians. One by one: 1,000 different rows, each a call of its
own from C, so that none knows the way of the next; ONNX Runtime alone is called from Python, with one row again and again. lleaves and tl2cgen
are called where their compiled code begins, but for 1,000 rows in tl2cgen, whose loop over rows is in its library."""
import ctypes
import importlib.metadata
import os
import sys

import lightgbm
import lleaves
import numpy as np
import tl2cgen
import treelite
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

import machine
from bench import rounds_of, spread
from contenders import OnnxRuntime, Recipe, fields_of, loaded, nncc_contender, ort, run

FEATURES, ROWS = 28, 1000
# Inputs are floats: thresholds, which are doubles in the model, lie between them, but for those that rounding to floats moves.
SAME = 1e-4

CALLS = """
#define _POSIX_C_SOURCE 200809L
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
static net_net net;
int rows_open(void) {
    void *p;
#if NET_ARENA_BYTES
    if (posix_memalign(&p, 64, NET_ARENA_BYTES)) return 90;
    net.arena = p;
#endif
#if NET_WEIGHTS_BYTES
    FILE *f = fopen("%(weights)s", "rb");
    if (!f || posix_memalign(&p, 64, NET_WEIGHTS_BYTES) || fread(p, 1, NET_WEIGHTS_BYTES, f) != NET_WEIGHTS_BYTES) return 91;
    fclose(f);
    net.weights = p;
#endif
    (void)p;
    return 0;
}
int rows_run(const float *x, float *y) {
    for (int i = 0; i < %(rows)d; i++) {
        net.%(x)s = x + %(features)d * i, net.%(y)s = y + i;
        if (net_run(&net)) return 1;
    }
    return 0;
}
"""
OTHERS = """
union entry { int missing; double value; };
void lleaves_rows(void (*f)(const double *, double *, int, int), const double *x, double *y) {
    for (int i = 0; i < %(rows)d; i++) f(x + %(features)d * i, y + i, 0, 1);
}
void tl2cgen_rows(int (*f)(union entry *, int, double *), union entry *x, double *y) {
    for (int i = 0; i < %(rows)d; i++) f(x + %(features)d * i, 0, y + i);
}
"""
DOUBLES = ctypes.POINTER(ctypes.c_double)


def trained(trees):
    rng = np.random.RandomState(1)
    x = rng.standard_normal((20000, FEATURES)).astype(np.float32)
    y = np.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2] + np.abs(x[:, 3]) + 0.1 * rng.standard_normal(len(x))
    data = lightgbm.Dataset(x.astype(np.float64), y)
    return lightgbm.train({"objective": "regression", "num_leaves": 31, "verbose": -1, "num_threads": 1, "seed": 1}, data, trees)


def written(work, booster, rows):
    path = os.path.join(work, f"trees_{rows}.onnx")
    proto = convert_lightgbm(booster, initial_types=[("x", FloatTensorType([rows, FEATURES]))], target_opset=15)
    with open(path, "wb") as f:
        f.write(proto.SerializeToString())
    return path


def library(work, name, text, *more):
    source = os.path.join(work, f"{name}.c")
    with open(source, "w") as f:
        f.write(text)
    run("cc", "-O2", "-shared", "-fPIC", *more, "-o", f"{source}.so", source)
    return ctypes.CDLL(f"{source}.so")


def nncc_rows(nncc, work, recipe, path, x):
    folder = os.path.join(work, f"rows_{recipe.id}")
    os.makedirs(folder)
    run(nncc, path, *recipe.options.split(), "--prefix=net", "-o", os.path.join(folder, "net.c"))
    run(recipe.cc, *recipe.flags.split(), "-c", "-fPIC", "-o", os.path.join(folder, "net.o"), os.path.join(folder, "net.c"))
    with open(os.path.join(folder, "net.h")) as f:
        ports, _ = fields_of(f.read())
    names = {"x": ports[0][1], "y": ports[1][1], "weights": os.path.join(folder, "net.weights"), "rows": ROWS, "features": FEATURES}
    lib, y = library(work, f"rows_{recipe.id}_calls", CALLS % names, f"-I{folder}", os.path.join(folder, "net.o"), "-lm"), np.zeros(ROWS, np.float32)
    if lib.rows_open():
        sys.exit("rows_open failed")
    args = x.ctypes.data_as(ctypes.c_void_p), y.ctypes.data_as(ctypes.c_void_p)
    return (lambda: lib.rows_run(*args)), lambda: y


class Trees:
    """What lleaves and tl2cgen have compiled."""

    def __init__(self, work, text):
        self.lleaves, path = lleaves.Model(model_file=text), os.path.join(work, "tl2cgen.so")
        self.lleaves.compile()
        model = treelite.frontend.load_lightgbm_model(text)
        tl2cgen.export_lib(model, toolchain="gcc", libpath=path, params={"parallel_comp": 16}, nthread=1, options=["-O3", "-march=native"])
        self.predictor, self.tl2cgen = tl2cgen.Predictor(path, nthread=1), ctypes.CDLL(path).predict
        self.others = library(work, "others", OTHERS % {"rows": ROWS, "features": FEATURES})

    def at_once(self, x):
        out, entry = np.zeros(ROWS), self.lleaves._c_entry_func
        args = x.ctypes.data_as(DOUBLES), out.ctypes.data_as(DOUBLES), 0, ROWS
        matrix = tl2cgen.DMatrix(x)
        return {"lleaves": ((lambda: entry(*args)), lambda: out),
                "tl2cgen": ((lambda: self.predictor.predict(matrix)), lambda: self.predictor.predict(matrix).ravel())}

    def one_by_one(self, x):
        out, other = np.zeros(ROWS), np.zeros(ROWS)
        first = self.lleaves._c_entry_func, x.ctypes.data_as(DOUBLES), out.ctypes.data_as(DOUBLES)
        second = self.tl2cgen, x.ctypes.data_as(ctypes.c_void_p), other.ctypes.data_as(DOUBLES)
        return {"lleaves": ((lambda: self.others.lleaves_rows(*first)), lambda: out),
                "tl2cgen": ((lambda: self.others.tl2cgen_rows(*second)), lambda: other)}


def checked(made, want):
    for name, (call, outputs) in made.items():
        call()
        off = np.max(np.abs(np.ravel(outputs()) - want.ravel()[: np.size(outputs())]))
        if not off <= SAME * np.max(np.abs(want)):
            sys.exit(f"{name}: differs from ONNX Runtime by {off:.1e}")
    return {name: call for name, (call, _) in made.items()}


def row(label, took, per):
    us = {k: float(np.median(t)) * 1e3 / per[k] for k, t in took.items()}
    ratio = us["native"] / min(us[k] for k in ("ort", "lleaves", "tl2cgen"))
    wide = 100 * max(spread(t) for t in took.values())
    print(f"| {label} | " + " | ".join(f"{t:.3g}" for t in us.values()) + f" | {ratio:.2f} | {wide:.0f} % |", flush=True)


def main():
    nncc, work = sys.argv[1:3]
    trees = int(sys.argv[3]) if len(sys.argv) > 3 else 500
    os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    booster, text = trained(trees), os.path.join(work, "trees.txt")
    booster.save_model(text)
    compiled = Trees(work, text)
    one, all_rows = written(work, booster, 1), written(work, booster, ROWS)
    x = np.random.RandomState(2).standard_normal((ROWS, FEATURES)).astype(np.float32)
    doubles = np.ascontiguousarray(x, dtype=np.float64)
    want = loaded(all_rows, ort.GraphOptimizationLevel.ORT_DISABLE_ALL).run(None, {"x": x})
    recipes = [Recipe("default", "", "cc", "-O2"), Recipe("native", "--target=native", "cc", "-O3 -march=native")]
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("lightgbm", "onnxruntime", "lleaves", "llvmlite", "tl2cgen"))
    print(f"{machine.title()}; {trees} trees of 31 leaves, {FEATURES} features; {versions}\n")
    print("| rows | nncc, cc -O2 | nncc --target=native | ONNX Runtime | lleaves | tl2cgen | native / the fastest | spread |\n|---|--:|--:|--:|--:|--:|--:|--:|")
    made = {r.id: nncc_rows(nncc, work, r, one, x) for r in recipes}
    made["ort"] = OnnxRuntime.contender(one, {"x": x[:1]}, [want[0][:1]], 1)
    calls = checked(made | compiled.one_by_one(doubles), want[0])
    row("one by one", rounds_of(calls), {k: 1 if k == "ort" else ROWS for k in calls})
    made = {r.id: nncc_contender(r.build(nncc, work, all_rows), {"x": x}, want) for r in recipes}
    made["ort"] = OnnxRuntime.contender(all_rows, {"x": x}, want, 1)
    calls = checked(made | compiled.at_once(doubles), want[0])
    row("1,000 at once", rounds_of(calls), {k: ROWS for k in calls})


main()
