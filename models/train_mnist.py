#!/usr/bin/env python3
"""Trains the network of the demo and writes mnist.onnx and digits/*.pgm beside this script.

    python3 models/train_mnist.py DIR

DIR holds MNIST as its authors publish it: {train,t10k}-{images-idx3,labels-idx1}-ubyte.gz. Needs numpy and onnx; takes
some minutes on one core. A run is seeded, so that one version of numpy on one machine gives one network.

Layout inside is NHWC: a convolution is then one matrix product of patches, whose columns are (row, column, channel).
"""

import gzip
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
EPOCHS, BATCH, RATE = 5, 64, 2e-3


def read_idx(path):
    """An IDX file's bytes in its shape."""
    raw = gzip.open(path).read()
    rank = raw[3]
    shape = np.frombuffer(raw, ">i4", rank, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def patches(x):
    """All 3x3 windows of x[n,h,w,c] with a frame of zeros, as rows of 9 * c."""
    n, h, w, c = x.shape
    framed = np.zeros((n, h + 2, w + 2, c), np.float32)
    framed[:, 1:-1, 1:-1] = x
    windows = [framed[:, i : i + h, j : j + w] for i in range(3) for j in range(3)]
    return np.concatenate(windows, axis=3).reshape(n * h * w, 9 * c)


def fold(rows, shape):
    """The transpose of patches(): adds every window back to where it came from."""
    n, h, w, c = shape
    rows = rows.reshape(n, h, w, 9, c)
    framed = np.zeros((n, h + 2, w + 2, c), np.float32)
    for i in range(3):
        for j in range(3):
            framed[:, i : i + h, j : j + w] += rows[:, :, :, 3 * i + j]
    return framed[:, 1:-1, 1:-1]


class ConvReluPool:
    """3x3 convolution, Relu, 2x2 maximum. The maximum comes first: Relu is monotone, so it commutes and costs less."""

    def __init__(self, rng, channels, filters):
        self.w = rng.normal(0, np.sqrt(2 / (9 * channels)), (9 * channels, filters)).astype(np.float32)
        self.b = np.zeros(filters, np.float32)

    def forward(self, x):
        n, h, w, _ = self.shape = x.shape
        self.rows = patches(x)
        y = (self.rows @ self.w + self.b).reshape(n, h // 2, 2, w // 2, 2, -1)
        pooled = np.maximum(y.max(axis=(2, 4)), 0)
        self.winner = (y == pooled[:, :, None, :, None]) & (pooled > 0)[:, :, None, :, None]
        return pooled

    def backward(self, dy, want_dx):
        d = (dy[:, :, None, :, None] * self.winner).reshape(len(self.rows), -1)
        return [self.rows.T @ d, d.sum(0)], fold(d @ self.w.T, self.shape) if want_dx else None


class Dense:
    def __init__(self, rng, inputs, outputs):
        self.w = rng.normal(0, np.sqrt(1 / inputs), (inputs, outputs)).astype(np.float32)
        self.b = np.zeros(outputs, np.float32)

    def forward(self, x):
        self.x, self.shape = x.reshape(len(x), -1), x.shape
        return self.x @ self.w + self.b

    def backward(self, dy):
        return [self.x.T @ dy, dy.sum(0)], (dy @ self.w.T).reshape(self.shape)


def softmax(scores):
    e = np.exp(scores - scores.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def gradients(layers, x, labels):
    """The gradients of the mean cross entropy, in the order of parameters()."""
    first, second, dense = layers
    scores = softmax(dense.forward(second.forward(first.forward(x))))
    scores[np.arange(len(labels)), labels] -= 1
    g_dense, d = dense.backward(scores / len(labels))
    g_second, d = second.backward(d, True)
    g_first, _ = first.backward(d, False)
    return g_first + g_second + g_dense


def parameters(layers):
    return [p for layer in layers for p in (layer.w, layer.b)]


def train(layers, images, labels, rng):
    """Adam with a learning rate that falls linearly to zero."""
    params = parameters(layers)
    mean = [np.zeros_like(p) for p in params]
    square = [np.zeros_like(p) for p in params]
    steps = EPOCHS * (len(images) // BATCH)
    step = 0
    for epoch in range(EPOCHS):
        order = rng.permutation(len(images))
        for i in range(0, len(images) - BATCH + 1, BATCH):
            step += 1
            pick = order[i : i + BATCH]
            rate = RATE * (1 - step / steps) * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            for p, g, m, v in zip(params, gradients(layers, images[pick], labels[pick]), mean, square):
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                p -= np.float32(rate) * m / (np.sqrt(v) + 1e-8)
        seen = accuracy(layers, images[:10000], labels[:10000])
        print(f"epoch {epoch + 1}: accuracy on training images {seen:.4f}", flush=True)


def accuracy(layers, images, labels):
    right = 0
    for i in range(0, len(images), 500):
        x = images[i : i + 500]
        for layer in layers:
            x = layer.forward(x)
        right += (x.argmax(1) == labels[i : i + 500]).sum()
    return right / len(images)


def onnx_model(layers):
    """The network in ONNX's layout: filters first, channels before rows and columns."""
    first, second, dense = layers
    f1, f2 = len(first.b), len(second.b)
    weights = {
        "conv1.weight": first.w.reshape(3, 3, 1, f1).transpose(3, 2, 0, 1),
        "conv1.bias": first.b,
        "conv2.weight": second.w.reshape(3, 3, f1, f2).transpose(3, 2, 0, 1),
        "conv2.bias": second.b,
        "dense.weight": dense.w.reshape(7, 7, f2, 10).transpose(3, 2, 0, 1).reshape(10, -1),
        "dense.bias": dense.b,
    }
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("Conv", ["image", "conv1.weight", "conv1.bias"], ["conv1"], "conv1", **conv),
        helper.make_node("Relu", ["conv1"], ["relu1"], "relu1"),
        helper.make_node("MaxPool", ["relu1"], ["pool1"], "pool1", **pool),
        helper.make_node("Conv", ["pool1", "conv2.weight", "conv2.bias"], ["conv2"], "conv2", **conv),
        helper.make_node("Relu", ["conv2"], ["relu2"], "relu2"),
        helper.make_node("MaxPool", ["relu2"], ["pool2"], "pool2", **pool),
        helper.make_node("Flatten", ["pool2"], ["features"], "flatten"),
        helper.make_node("Gemm", ["features", "dense.weight", "dense.bias"], ["scores"], "dense", transB=1),
        helper.make_node("Softmax", ["scores"], ["probabilities"], "softmax", axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "mnist",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(np.ascontiguousarray(w), name) for name, w in weights.items()],
    )
    model = helper.make_model(graph, producer_name="train_mnist.py", opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.checker.check_model(model, full_check=True)
    return model


def write_digits(images, labels):
    """The first test image of each digit, and then of the first two digits a second one: digits/LABEL-INDEX.pgm."""
    seconds = [np.flatnonzero(labels == d)[1] for d in (2, 7)]
    for i in [np.flatnonzero(labels == d)[0] for d in range(10)] + seconds:
        path = HERE / "digits" / f"{labels[i]}-{i:04}.pgm"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"P5\n28 28\n255\n" + images[i].tobytes())


def read_part(data, name):
    return read_idx(data / f"{name}-images-idx3-ubyte.gz"), read_idx(data / f"{name}-labels-idx1-ubyte.gz")


def scaled(images):
    """Bytes as numbers from 0 to 1, with a channel dimension at the end."""
    return (images[..., None] / np.float32(255)).astype(np.float32)


def main():
    data = pathlib.Path(sys.argv[1])
    images, labels = read_part(data, "train")
    test_images, test_labels = read_part(data, "t10k")
    rng = np.random.default_rng(1)
    layers = [ConvReluPool(rng, 1, 16), ConvReluPool(rng, 16, 32), Dense(rng, 7 * 7 * 32, 10)]
    train(layers, scaled(images), labels, rng)
    print(f"test accuracy {accuracy(layers, scaled(test_images), test_labels):.4f}")
    onnx.save(onnx_model(layers), HERE / "mnist.onnx")
    write_digits(test_images, test_labels)


if __name__ == "__main__":
    main()
