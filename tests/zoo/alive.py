"""usage: alive.py output.pb: fails if a network's output tells nothing: the same everywhere, or a saturated probability."""
import sys

import numpy as np
import onnx
from onnx import numpy_helper

tensor = onnx.TensorProto()
with open(sys.argv[1], "rb") as f:
    tensor.ParseFromString(f.read())
y = numpy_helper.to_array(tensor).astype(np.float64)
if not np.isfinite(y).all():
    sys.exit("the reference is not finite")
if y.std() < 1e-3 * np.abs(y).max():
    sys.exit("the reference is the same everywhere")
if y.min() >= 0 and y.max() <= 1:
    softmax = np.allclose(y.sum(-1), 1, atol=1e-3)
    if (y.max() > 0.999) if softmax else np.mean((y < 1e-6) | (y > 1 - 1e-6)) > 0.5:
        sys.exit("the reference is saturated")
