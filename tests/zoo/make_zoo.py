#!/usr/bin/env python3
"""make_zoo.py DIR [NAME...] - writes the 18 benchmark networks as DIR/NAME.onnx: published architectures, random weights.

Each has one input x and one output y of float32 and fixed dims. A network is a layer, and a layer a function from a graph and
a value to a value, so that networks are lists of layers and residual branches are layers too. A value carries its mean and
variance, as far as one can tell without running the network; weights are scaled by them so that what they give has variance 1.
Thus signals stay alive at every depth and no softmax saturates. Weights depend on the name of the network alone.
"""
import math
import os
import sys
import zlib
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 28, 13


class Value(NamedTuple):
    name: str
    shape: tuple
    mean: float = 0.0
    variance: float = 1.0

    @property
    def power(self):
        return self.mean**2 + self.variance


class Graph:
    """A network under construction. Values and nodes are numbered in the order in which they are made."""

    def __init__(self, name, shape):
        # The numbers of RandomState are the same in every version of numpy.
        self.name, self.random = name, np.random.RandomState(zlib.crc32(name.encode()))
        self.nodes, self.tensors, self.x = [], [], Value("x", shape)

    def constant(self, contents):
        """An initializer's name; floats are written as float32, integers as int64."""
        contents = np.asarray(contents)
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(contents.astype(np.int64 if contents.dtype.kind == "i" else np.float32), name))
        return name

    def normal(self, *shape, mean=0.0, deviation=1.0):
        return self.constant(mean + deviation * self.random.standard_normal(shape))

    def weight(self, shape, terms, power):
        """Weights for sums of that many products with a value of that power."""
        return self.normal(*shape, deviation=1 / math.sqrt(terms * power))

    def bias(self, n):
        return self.normal(n, deviation=0.1)

    def add(self, kind, inputs, shape, mean=0.0, variance=1.0, **attributes):
        """A node; its first output. Inputs are values and names of constants."""
        name = f"{kind}_{len(self.nodes)}"
        inputs = [i.name if isinstance(i, Value) else i for i in inputs]
        self.nodes.append(helper.make_node(kind, inputs, [name.lower()], name, **attributes))
        return Value(name.lower(), tuple(shape), mean, variance)

    def model(self, y):
        self.nodes[-1].output[0] = "y"
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, v.shape) for name, v in (("x", self.x), ("y", y))]
        graph = helper.make_graph(self.nodes, self.name, ends[:1], ends[1:], self.tensors)
        return helper.make_model(graph, producer_name="make_zoo", ir_version=IR, opset_imports=[helper.make_opsetid("", OPSET)])


# ----- layers: functions of a graph and a value, and functions that make them


def chain(*layers):
    def layer(g, x):
        for step in layers:
            x = step(g, x)
        return x

    return layer


def conv(channels, size, stride=1, pad=None, groups=1, dilation=1, bias=True):
    """Convolution over all spatial dims; without pad as many are added as a stride of 1 needs to keep them."""

    def layer(g, x):
        rank, reach = len(x.shape) - 2, dilation * (size - 1)
        p = reach // 2 if pad is None else pad
        inner = x.shape[1] // groups
        inputs = [x, g.weight((channels, inner) + (size,) * rank, inner * size**rank, x.power)] + [g.bias(channels)] * bias
        shape = (x.shape[0], channels, *((n + 2 * p - reach - 1) // stride + 1 for n in x.shape[2:]))
        attributes = dict(kernel_shape=[size] * rank, strides=[stride] * rank, pads=[p] * 2 * rank, group=groups, dilations=[dilation] * rank)
        return g.add("Conv", inputs, shape, **attributes)

    return layer


def deconv(channels, size, stride=2, pad=0, bias=True):
    def layer(g, x):
        taps = min(max(1, size // stride), x.shape[2])
        inputs = [x, g.weight((x.shape[1], channels, size, size), x.shape[1] * taps**2, x.power)] + [g.bias(channels)] * bias
        shape = (x.shape[0], channels, *(stride * (n - 1) + size - 2 * pad for n in x.shape[2:]))
        return g.add("ConvTranspose", inputs, shape, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[pad] * 4)

    return layer


def batch_norm(g, x):
    """As after training: statistics near those of the value, scale near 1."""
    n = x.shape[1]
    moments = g.bias(n), g.constant(1 + 0.2 * g.random.uniform(-1, 1, n))
    return g.add("BatchNormalization", [x, g.normal(n, mean=1, deviation=0.1), g.bias(n), *moments], x.shape, epsilon=1e-5)


def rectified(x):
    """Mean and variance of what is positive of a normal variable."""
    deviation = math.sqrt(x.variance)
    density = math.exp(-(x.mean**2) / x.variance / 2) / math.sqrt(2 * math.pi) * deviation
    positive = (1 + math.erf(x.mean / deviation / math.sqrt(2))) / 2
    mean = x.mean * positive + density
    return mean, x.power * positive + x.mean * density - mean**2


def relu(g, x):
    return g.add("Relu", [x], x.shape, *rectified(x))


def relu6(g, x):
    return g.add("Clip", [x, g.constant(0.0), g.constant(6.0)], x.shape, *rectified(x))


def max_pool(size=2, stride=2, pad=0):
    def layer(g, x):
        shape = (*x.shape[:2], *((n + 2 * pad - size) // stride + 1 for n in x.shape[2:]))
        # The largest of four normal variables is a deviation above their mean.
        return g.add("MaxPool", [x], shape, x.mean + math.sqrt(x.variance), x.variance, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[pad] * 4)

    return layer


def global_average(g, x):
    # Deep in a random network channels hardly vary over a picture.
    return g.add("GlobalAveragePool", [x], (*x.shape[:2], 1, 1), *x[2:])


def flatten(g, x):
    return g.add("Flatten", [x], (x.shape[0], math.prod(x.shape[1:])), *x[2:])


def reshape(*shape):
    return lambda g, x: g.add("Reshape", [x, g.constant(shape)], shape, *x[2:])


def transpose(*perm):
    return lambda g, x: g.add("Transpose", [x], [x.shape[i] for i in perm], *x[2:], perm=perm)


def dense(n):
    def layer(g, x):
        return g.add("Gemm", [x, g.weight((n, x.shape[1]), x.shape[1], x.power), g.bias(n)], (x.shape[0], n), transB=1)

    return layer


def linear(n, bias=True):
    """A dense layer on the last dim of any number."""

    def layer(g, x):
        product = g.add("MatMul", [x, g.weight((x.shape[-1], n), x.shape[-1], x.power)], (*x.shape[:-1], n))
        return g.add("Add", [product, g.bias(n)], product.shape) if bias else product

    return layer


def final(kind, **attributes):
    return lambda g, x: g.add(kind, [x], x.shape, **attributes)


softmax, sigmoid, tanh = final("Softmax", axis=-1), final("Sigmoid"), final("Tanh")


def gelu(g, x):
    return g.add("Gelu", [x], x.shape, 0.28, 0.35)


def layer_norm(g, x):
    n = x.shape[-1]
    return g.add("LayerNormalization", [x, g.normal(n, mean=1, deviation=0.1), g.bias(n)], x.shape, axis=-1, epsilon=1e-5)


def concat(g, *parts):
    channels = sum(p.shape[1] for p in parts)
    mean, power = (sum(of(p) * p.shape[1] for p in parts) / channels for of in (lambda p: p.mean, lambda p: p.power))
    return g.add("Concat", parts, (parts[0].shape[0], channels, *parts[0].shape[2:]), mean, power - mean**2, axis=1)


def beside(*branches):
    return lambda g, x: concat(g, *(branch(g, x) for branch in branches))


def residual(branch, shortcut=lambda g, x: x):
    def layer(g, x):
        a, b = branch(g, x), shortcut(g, x)
        return g.add("Add", [a, b], a.shape, a.mean + b.mean, a.variance + b.variance)

    return layer


def conv_bn(*args, **named):
    return chain(conv(*args, **named, bias=False), batch_norm)


def conv_relu(*args, **named):
    return chain(conv(*args, **named), relu)


def deconv_relu(*args, **named):
    return chain(deconv(*args, **named), relu)


# ----- architectures


def mlp(*widths):
    return chain(*(step for n in widths[:-1] for step in (dense(n), relu)), dense(widths[-1]), softmax)


def lenet():
    """LeCun et al. 1998, with today's ReLU and max pooling."""
    features = chain(conv_relu(6, 5), max_pool(), conv_relu(16, 5, pad=0), max_pool(), flatten)
    return chain(features, mlp(120, 84, 10))


def cifar_cnn():
    """Two convolutions, as tutorials have it."""
    return chain(conv_relu(32, 3, pad=0), max_pool(), conv_relu(64, 3, pad=0), max_pool(), flatten, dense(10), softmax)


def basic_block(n, stride):
    return chain(conv_bn(n, 3, stride), relu, conv_bn(n, 3)), n


def bottleneck(n, stride):
    return chain(conv_bn(n, 1), relu, conv_bn(n, 3, stride), relu, conv_bn(4 * n, 1)), 4 * n


def resnet(block, *repeats):
    """He et al. 2015; the stride of a bottleneck is in its 3x3 convolution."""

    def unit(n, stride):
        branch, width = block(n, stride)
        project = lambda g, x: x if stride == 1 and x.shape[1] == width else conv_bn(width, 1, stride)(g, x)
        return chain(residual(branch, project), relu)

    units = [unit(64 << stage, 2 if stage and not i else 1) for stage, times in enumerate(repeats) for i in range(times)]
    return chain(conv_bn(64, 7, 2), relu, max_pool(3, 2, 1), *units, global_average, flatten, dense(1000), softmax)


def mobilenetv2():
    """Sandler et al. 2018, table 2."""

    def unit(expansion, n, stride):
        def layer(g, x):
            wide = expansion * x.shape[1]
            expand = chain(conv_bn(wide, 1), relu6) if expansion > 1 else chain()
            branch = chain(expand, conv_bn(wide, 3, stride, groups=wide), relu6, conv_bn(n, 1))
            return (residual(branch) if stride == 1 and x.shape[1] == n else branch)(g, x)

        return layer

    rows = (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)
    units = [unit(t, c, 1 if i else stride) for t, c, times, stride in rows for i in range(times)]
    return chain(conv_bn(32, 3, 2), relu6, *units, conv_bn(1280, 1), relu6, global_average, flatten, dense(1000), softmax)


def squeezenet():
    """Iandola et al. 2016, version 1.1."""
    fire = lambda squeeze, expand: chain(conv_relu(squeeze, 1), beside(conv_relu(expand, 1), conv_relu(expand, 3)))
    pool = max_pool(3, 2)
    stages = (fire(16, 64), fire(16, 64), pool, fire(32, 128), fire(32, 128), pool,
              fire(48, 192), fire(48, 192), fire(64, 256), fire(64, 256))  # fmt: skip
    return chain(conv_relu(64, 3, 2, pad=0), pool, *stages, conv_relu(1000, 1), global_average, flatten, softmax)


def unet(n, depth):
    """Ronneberger et al. 2015, padded so that the output is as large as the input; n channels at the top."""
    double = chain(conv_relu(n, 3), conv_relu(n, 3))
    if not depth:
        return double
    around = chain(max_pool(), unet(2 * n, depth - 1), deconv(n, 2))

    def layer(g, x):
        skip = double(g, x)
        return double(g, concat(g, around(g, skip), skip))

    return layer


def autoencoder():
    down = chain(conv_relu(16, 3), max_pool(), conv_relu(32, 3), max_pool())
    return chain(down, deconv_relu(32, 2), deconv_relu(16, 2), conv(1, 3), sigmoid)


def dcgan_generator():
    """Radford et al. 2015, for pictures of 64x64."""
    up = lambda n, *geometry: chain(deconv(n, 4, *geometry, bias=False), batch_norm, relu)
    return chain(reshape(1, 100, 1, 1), up(512, 1), *(up(n, 2, 1) for n in (256, 128, 64)), deconv(3, 4, 2, 1), tanh)


def recurrent(kind, n, layers=1, direction="forward"):
    """Recurrent layers, and ten classes for each step. GRU's reset gate is behind the product, as in PyTorch."""
    gates, ways = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind], 2 if direction == "bidirectional" else 1
    more = {"linear_before_reset": 1} if kind == "GRU" else {}

    def one(g, x):
        steps, batch, width = x.shape
        inputs = [x, g.weight((ways, gates * n, width), width, x.power), g.weight((ways, gates * n, n), n, 1), g.normal(ways, 2 * gates * n, deviation=0.1)]
        y = g.add(kind, inputs, (steps, ways, batch, n), variance=0.25, hidden_size=n, direction=direction, **more)
        return chain(transpose(0, 2, 1, 3), reshape(steps, batch, ways * n))(g, y)

    return chain(*[one] * layers, linear(10, bias=False))


def transformer(layers, n, heads):
    """The encoder of Vaswani et al. 2017 with BERT's GELU."""

    def attention(g, x):
        batch, length, _ = x.shape
        split = lambda *perm: chain(linear(n), reshape(batch, length, heads, n // heads), transpose(*perm))
        q, k, v = split(0, 2, 1, 3)(g, x), split(0, 2, 3, 1)(g, x), split(0, 2, 1, 3)(g, x)
        scores = g.add("MatMul", [q, k], (batch, heads, length, length), variance=n // heads)
        scores = g.add("Mul", [scores, g.constant(1 / math.sqrt(n // heads))], scores.shape)
        mixed = g.add("MatMul", [softmax(g, scores), v], q.shape)
        return chain(transpose(0, 2, 1, 3), reshape(batch, length, n), linear(n))(g, mixed)

    layer = chain(residual(attention), layer_norm, residual(chain(linear(4 * n), gelu, linear(n))), layer_norm)
    return chain(*[layer] * layers)


def tcn(n, layers):
    """Causal convolutions of two taps whose dilation doubles from layer to layer (van den Oord et al. 2016, Bai et al. 2018)."""

    def causal(dilation):
        def layer(g, x):
            padded = g.add("Pad", [x, g.constant((0, 0, dilation, 0, 0, 0))], (*x.shape[:2], x.shape[2] + dilation), *x[2:])
            return conv_relu(n, 2, pad=0, dilation=dilation)(g, padded)

        return layer

    return chain(causal(1), *(residual(causal(1 << i)) for i in range(1, layers)), conv(1, 1))


PICTURE, STEPS = (1, 3, 224, 224), (50, 1, 128)
ZOO = {
    "autoencoder": ((1, 1, 28, 28), autoencoder()),
    "bilstm2x128": (STEPS, recurrent("LSTM", 128, 2, "bidirectional")),
    "cifar_cnn": ((1, 3, 32, 32), cifar_cnn()),
    "dcgan_g": ((1, 100), dcgan_generator()),
    "gru256": (STEPS, recurrent("GRU", 256)),
    "lenet": ((1, 1, 28, 28), lenet()),
    "lstm128": (STEPS, recurrent("LSTM", 128)),
    "lstm512": (STEPS, recurrent("LSTM", 512)),
    "mlp": ((1, 784), mlp(500, 50, 10)),
    "mlp_b64": ((64, 784), mlp(500, 50, 10)),
    "mobilenetv2": (PICTURE, mobilenetv2()),
    "resnet18": (PICTURE, resnet(basic_block, 2, 2, 2, 2)),
    "resnet50": (PICTURE, resnet(bottleneck, 3, 4, 6, 3)),
    "rnn256": (STEPS, recurrent("RNN", 256)),
    "squeezenet": (PICTURE, squeezenet()),
    "tcn": ((1, 1, 4096), tcn(64, 8)),
    "transformer": ((1, 128, 256), transformer(4, 256, 4)),
    "unet": ((1, 1, 256, 256), chain(unet(32, 4), conv(1, 1), sigmoid)),
}


def write(name, directory):
    shape, network = ZOO[name]
    graph = Graph(name, shape)
    model = graph.model(network(graph, graph.x))
    onnx.checker.check_model(model, full_check=True)
    path = os.path.join(directory, name + ".onnx")
    onnx.save(model, path + ".new")
    os.replace(path + ".new", path)
    print(f"{name}: {os.path.getsize(path) / 1e6:.1f} MB")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    names = sys.argv[2:] or list(ZOO)
    if unknown := [n for n in names if n not in ZOO]:
        sys.exit(f"make_zoo.py: no network {', '.join(unknown)}; there are {', '.join(ZOO)}")
    os.makedirs(sys.argv[1], exist_ok=True)
    for name in names:
        write(name, sys.argv[1])


if __name__ == "__main__":
    main()
