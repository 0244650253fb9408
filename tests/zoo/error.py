"""usage: error.py NNCC MODEL DATA TARGET...: max |error| / max |y| of a network's output against nncc's arithmetic in double, of ONNX
Runtime (DATA/output_0.pb) and of each target. Fails where a target's is above 1e-6 (class A), or, of the networks that
Winograd computes, above 1e-5 (class B); these are class A with --no-winograd."""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

A, B = 1e-6, 1e-5
BY_WINOGRAD = {"resnet18", "resnet50", "squeezenet", "unet"}
nncc, model, data, *targets = sys.argv[1:]


def tensor(path):
    message = onnx.TensorProto()
    with open(path, "rb") as f:
        message.ParseFromString(f.read())
    return numpy_helper.to_array(message)


def output(*options):
    with tempfile.TemporaryDirectory() as directory:
        y = os.path.join(directory, "y.npy")
        subprocess.run([nncc, "run", model, "--input", f"x={data}/input_0.pb", "--output", f"y={y}", *options],
                       check=True, stdout=subprocess.DEVNULL)
        return np.load(y)


exact = output("--target=c", "--real=f64")
largest = np.abs(exact).max()


def error(y):
    return float(np.abs(y.astype(np.float64) - exact).max() / largest)


runtime = error(tensor(f"{data}/output_0.pb"))
ours = {target: error(output(f"--target={target}")) for target in targets}
print(f"{runtime:.1e}", *(f"{e:.1e}" for e in ours.values()))
name = os.path.basename(model).removesuffix(".onnx")
limits = {target: B if name in BY_WINOGRAD else A for target in ours}
if name in BY_WINOGRAD:
    without = f"{targets[0]} --no-winograd"
    ours[without], limits[without] = error(output(f"--target={targets[0]}", "--no-winograd")), A
wrong = [f"{target} {e:.2e}, expected at most {limits[target]:g}" for target, e in ours.items() if not e <= limits[target]]
sys.exit(f"error of {'; '.join(wrong)}" if wrong else None)
