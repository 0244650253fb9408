#!/usr/bin/env python3
"""Networks that PyTorch exported, trained by nncc as by PyTorch: exported.py NNCC CC DIR FOLDER [NAME].

FOLDER is exported/, written by record_exported.py. As many numbers are trained as PyTorch trains; the losses of each
step, the loss in evaluation after the last, and the outputs of `predict` then are within 1e-5 of PyTorch's, in double.
What `nncc train` writes of a network exported in training mode infers by running statistics and drops nothing. And what
tiles its input trains alike with an open batch and a fixed one.
"""
import os
import re
import struct
import subprocess
import sys

LR, BATCH = 0.05, 4

PROGRAM = """#include "net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
static void *block(size_t n) {
    void *p = NULL;
    return posix_memalign(&p, NET_ALIGN, n + NET_ALIGN) ? NULL : p;
}
#ifdef BATCH
enum { OUTPUTS = NET_Y_LEN / 8 * BATCH };
#else
enum { OUTPUTS = NET_Y_LEN };
#endif
int main(int argc, char **argv) {
    static double x[NET_X_LEN], y[NET_Y_LEN], target[NET_TARGET_LEN], loss;
    if (argc != 2) return 2;
    for (int i = 0; i < NET_X_LEN; i++) x[i] = sin(0.37 * i + 0.1);
    for (int i = 0; i < NET_TARGET_LEN; i++) target[i] = cos(0.23 * i);
    net_net net = {.x = x, .y = y, .target = target, .loss = &loss, .lr = NET_LR};
#ifdef BATCH
    net.batch = BATCH;
#endif
    net.params = block(NET_PARAMS_BYTES), net.state = block(NET_STATE_BYTES), net.opt = block(NET_OPT_BYTES), net.arena = block(NET_ARENA_BYTES);
    if (net_init(&net, 1)) return 3;
    for (int s = 0; s < atoi(argv[1]); s++) {
        if (net_train_batch(&net)) return 4;
        printf("%.10g\\n", loss);
    }
    if (net_eval_batch(&net) || (printf("%.10g\\n", loss), net_predict(&net))) return 5;
    for (int i = 0; i < OUTPUTS; i++) printf("%.10g\\n", y[i]);
    return 0;
}
"""

SGD = ["--loss=MeanSquaredError", "--optimizer=SGD", "--lr=%g" % LR]


def run(command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def trained(nncc, cc, folder, model, steps, batch=None):
    """Losses of each step, the loss in evaluation, outputs."""
    run([nncc, model, "--train", "--real=f64", "--prefix=net", "-o", folder + "/net.c"] + SGD + (["--dim=batch=1..8"] if batch else []))
    open(folder + "/main.c", "w").write(PROGRAM)
    open_batch = ["-DBATCH=%d" % batch] if batch else []
    run(cc.split() + ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1"] + open_batch + [folder + "/main.c", folder + "/net.c", "-lm", "-o", folder + "/net"])
    return [float(v) for v in run([folder + "/net", str(steps)]).split()]


def differ(mine, expected, tolerance, steps):
    if len(mine) < len(expected):
        return "%d numbers, %d recorded" % (len(mine), len(expected))
    for i, (a, b) in enumerate(zip(mine, expected)):
        if not abs(a - b) <= tolerance * max(abs(b), 0.1):
            return "number %d (of %d losses): %.10g, expected %.10g" % (i, steps + 1, a, b)
    return None


def follows(nncc, cc, folder, model, recorded):
    steps, floats = int(recorded[0]), int(recorded[1])
    summary = run([nncc, "summary", "--train", model] + SGD)
    found = re.search(r"^trains ([0-9,]*) floats", summary, re.M)
    if not found or int(found.group(1).replace(",", "")) != floats:
        return "%s, PyTorch trains %d" % (found.group(0) if found else summary, floats)
    return differ(trained(nncc, cc, folder, model, steps), [float(v) for v in recorded[2:]], 1e-5, steps)


def npy(path, shape, kind, numbers):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': (%s,), }" % (kind, ", ".join(map(str, shape)))
    head += " " * (-(10 + len(head) + 1) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        f.write(struct.pack("<%df" % len(numbers), *numbers))


def exports(nncc, cc, folder, model, batch):
    """What nncc train writes: no layer of it is in training mode."""
    data = folder + "/data"
    os.makedirs(data, exist_ok=True)
    npy(data + "/x_train.npy", (4 * BATCH, 3), "<f4", [i % 7 - 3 for i in range(12 * BATCH)])
    npy(data + "/y_train.npy", (4 * BATCH, 4), "<f4", [i % 5 - 2 for i in range(16 * BATCH)])
    said = run([nncc, "train", model, "--data", data, "-o", folder + "/out.onnx"] + SGD)
    text = run([nncc, folder + "/out.onnx", "--emit=nn", "--passes=none"])
    if "trains 52 floats in 8 tensors" not in said:
        return said
    if "training_mode = 1" in text or not re.search(r"Dropout\(%[^,]*(, %[^,]*)?\)", text):
        return text
    return None


TILE = """network @tile(%%x: f32[%s,3]) {
  %%a = dense(%%x) {units = 2}
  %%b = Tile(%%a, [1, 2])
  %%c = Tile(Reshape(%%b, [-1, 2, 2]), [1, 3, 2])
  %%y = ReduceSum(%%c, [1]) {keepdims = 0}
  return %%y
}
"""


def tiles(nncc, cc, folder):
    numbers = []
    for dim, batch in (("3", None), ("batch", 3)):
        open(folder + "/tile.nn", "w").write(TILE % dim)
        numbers.append(trained(nncc, cc, folder, folder + "/tile.nn", 4, batch))
    return differ(numbers[1], numbers[0], 1e-12, 4)


def main():
    nncc, cc, folder, exported, *wanted = sys.argv[1:]
    results = []
    for line in open(exported + "/exported.txt"):
        name, *recorded = line.split()
        results.append((name, follows, "%s/%s.onnx" % (exported, name), recorded))
    results.append(("exported again", exports, exported + "/dropout_training.onnx", BATCH))
    results.append(("tile", tiles))
    passed = failed = 0
    for name, test, *arguments in results:
        if wanted and name not in wanted:
            continue
        try:
            wrong = test(nncc, cc, folder, *arguments)
        except subprocess.CalledProcessError as e:
            wrong = "%s: %s" % (" ".join(e.cmd[:3]), e.stderr.strip()[-400:] or e.returncode)
        passed, failed = passed + (not wrong), failed + bool(wrong)
        print("%s  %s%s" % ("FAIL" if wrong else "ok  ", name, ": " + wrong if wrong else ""))
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
