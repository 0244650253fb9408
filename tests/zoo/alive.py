"""usage: alive.py output.pb: fails if a network's output tells nothing: the same everywhere, or a saturated probability."""
import sys

import numpy as np


def why_dead(y):
    """What is wrong with an output as a reference; None if nothing."""
    y = y.astype(np.float64)
    if not np.isfinite(y).all():
        return "the reference is not finite"
    if y.std() < 1e-3 * np.abs(y).max():
        return "the reference is the same everywhere"
    if y.min() >= 0 and y.max() <= 1:
        softmax = np.allclose(y.sum(-1), 1, atol=1e-3)
        if (y.max() > 0.999) if softmax else np.mean((y < 1e-6) | (y > 1 - 1e-6)) > 0.5:
            return "the reference is saturated"
    return None


if __name__ == "__main__":
    import onnx
    from onnx import numpy_helper

    tensor = onnx.TensorProto()
    with open(sys.argv[1], "rb") as f:
        tensor.ParseFromString(f.read())
    sys.exit(why_dead(numpy_helper.to_array(tensor)))
