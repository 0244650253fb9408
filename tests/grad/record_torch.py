#!/usr/bin/env python3
"""Record the gradients of PyTorch at hard inputs: record_torch.py >torch.txt (needs torch).

"= EXPRESSION" is of the .nn language over %a and %b, 8 by 8 numbers each: the "x" lines; "f64" and "f32" are the gradients
of each in these types. Inputs go from 1e-40 to 1e38 and lie where slopes jump. torch_gradients.py compares.
"""
import math

import torch

F = torch.nn.functional
WIDTH = 64
# The gradient that reaches every result; torch_gradients.py has it, too.
FLOWING = [1 + (i % 8) / 8 for i in range(WIDTH)]

MAGNITUDES = [1e-40, 1e-30, 1e-20, 1e-8, 1e-4, 0.1, 0.3, 0.5, 1, 2, 2.5, 3, 3.5, 5, 6, 10, 16, 17, 18, 20, 50, 88, 89, 100, 104, 110, 1e3,
              1e10, 1e20, 1e30, 1e38]
ANY = [0.0, -0.0] + [s * m for m in MAGNITUDES for s in (1, -1)]
POSITIVE = [abs(v) for v in ANY]
UNIT = [0.0, 1.0, 1 - 2**-24, 2**-24, 0.5, 1e-40, 1e-30, 1e-12] * 8
INSIDE = [0.0, 0.5, -0.5, 0.999999, -0.999999, 1e-40, 1e-8, -1e-30] * 8
TARGETS = [(i // 8) % 2 for i in range(WIDTH)]
ROTATED = ANY[5:] + ANY[:5]
TIES = [v if i % 2 else ANY[(i + 9) % 64] for i, v in enumerate(ANY)]
ROWS = [0.0] * 8 + [1.0, -2.0, 0.0, 3.0, 0.5, 0.25, -1.0, 4.0] + [1e-20] * 8 + [2.0] * 8 + [1e15, 1e14] * 4 + [0.0] * 7 + [1.0] + [-3.0, 3.0] * 4 + [1e-12] * 8
EXPONENTS = [0, 1, 2, 3, 0.5, -1, 1.5, 1] * 8


def rows(f):
    return lambda a: f(a.reshape(-1, 8)).reshape(-1)


def selu(a):
    """ONNX's default attributes are single precision."""
    return 1.05070102214813232421875 * F.elu(a, 1.67326319217681884765625)


def mean_variance(a):
    x = a - a.mean(1, keepdim=True)
    return x / (x.square().mean(1, keepdim=True).sqrt() + 1e-9)


UNARY = [
    ("Abs(%a)", torch.abs, ANY), ("Neg(%a)", torch.neg, ANY), ("Sign(%a)", torch.sign, ANY), ("Sqrt(%a)", torch.sqrt, POSITIVE),
    ("Exp(%a)", torch.exp, ANY), ("Log(%a)", torch.log, POSITIVE), ("Sin(%a)", torch.sin, ANY[:48]), ("Cos(%a)", torch.cos, ANY[:48]),
    ("Tan(%a)", torch.tan, ANY[:32]), ("Asin(%a)", torch.asin, INSIDE), ("Acos(%a)", torch.acos, INSIDE), ("Atan(%a)", torch.atan, ANY),
    ("Sinh(%a)", torch.sinh, ANY), ("Cosh(%a)", torch.cosh, ANY), ("Tanh(%a)", torch.tanh, ANY), ("Asinh(%a)", torch.asinh, ANY),
    ("Acosh(%a)", torch.acosh, [1 + v for v in POSITIVE]), ("Atanh(%a)", torch.atanh, INSIDE), ("Erf(%a)", torch.erf, ANY),
    ("Ceil(%a)", torch.ceil, ANY), ("Floor(%a)", torch.floor, ANY), ("Round(%a)", torch.round, ANY), ("Reciprocal(%a)", torch.reciprocal, ANY),
    ("Sigmoid(%a)", torch.sigmoid, ANY), ("Relu(%a)", torch.relu, ANY), ("LeakyRelu(%a) {alpha = 0.25}", lambda a: F.leaky_relu(a, 0.25), ANY),
    ("Elu(%a)", F.elu, ANY), ("Elu(%a) {alpha = 1.5}", lambda a: F.elu(a, 1.5), ANY), ("Selu(%a)", selu, ANY), ("Celu(%a)", F.celu, ANY),
    ("Celu(%a) {alpha = 0.5}", lambda a: F.celu(a, 0.5), ANY), ("Gelu(%a)", F.gelu, ANY),
    ("Gelu(%a) {approximate = tanh}", lambda a: F.gelu(a, approximate="tanh"), ANY),
    ("Softplus(%a)", lambda a: F.softplus(a, threshold=1e30), ANY), ("Softsign(%a)", F.softsign, ANY), ("Mish(%a)", F.mish, ANY),
    ("Swish(%a)", F.silu, ANY), ("HardSigmoid(%a) {alpha = 0.16666667163372039795, beta = 0.5}", F.hardsigmoid, ANY),
    ("HardSwish(%a)", F.hardswish, ANY), ("ThresholdedRelu(%a) {alpha = 1}", lambda a: F.threshold(a, 1, 0), ANY),
    ("Shrink(%a) {lambd = 0.5, bias = 0}", lambda a: F.hardshrink(a, 0.5), ANY),
    ("Shrink(%a) {lambd = 0.5, bias = 0.5}", lambda a: F.softshrink(a, 0.5), ANY),
    ("Clip(%a, 0.0, 6.0)", F.relu6, ANY), ("Clip(%a, -1.0, 1.0)", F.hardtanh, ANY), ("Clip(%a, -3.0)", lambda a: torch.clamp(a, min=-3), ANY),
    ("Clip(%a, -3.0, 3.0)", lambda a: torch.clamp(a, -3, 3), ANY),
    ("ReduceSum(Relu(%a), [1])", rows(lambda a: a.relu().sum(1, True).expand(-1, 8)), ANY), ("ReduceL2(%a, [1])", rows(lambda a: a.norm(dim=1, keepdim=True).expand(-1, 8)), ROWS),
    ("ReduceL1(%a, [1])", rows(lambda a: a.abs().sum(1, True).expand(-1, 8)), ROWS),
    ("ReduceMax(%a, [1])", rows(lambda a: a.amax(1, True).expand(-1, 8)), ROWS), ("ReduceMin(%a, [1])", rows(lambda a: a.amin(1, True).expand(-1, 8)), ROWS),
    ("ReduceProd(%a, [1])", rows(lambda a: a.prod(1, True).expand(-1, 8)), ROWS),
    ("ReduceSumSquare(%a, [1])", rows(lambda a: a.square().sum(1, True).expand(-1, 8)), ROWS),
    ("ReduceLogSumExp(%a, [1])", rows(lambda a: a.logsumexp(1, True).expand(-1, 8)), ANY),
    ("Softmax(%a)", rows(lambda a: a.softmax(1)), ANY), ("LogSoftmax(%a)", rows(lambda a: a.log_softmax(1)), ANY),
    ("LpNormalization(%a) {p = 2}", rows(lambda a: a / a.norm(dim=1, keepdim=True)), ROWS),
    ("LpNormalization(%a) {p = 1}", rows(lambda a: a / a.norm(p=1, dim=1, keepdim=True)), ROWS),
    ("MeanVarianceNormalization(%a) {axes = [1]}", rows(mean_variance), ROWS),
]
BINARY = [
    ("Add(%a, %b)", torch.add, ANY, ROTATED), ("Mul(%a, %b)", torch.mul, ANY, ROTATED), ("Div(%a, %b)", torch.div, ANY, ROTATED),
    ("Max(%a, %b)", torch.maximum, ANY, TIES), ("Min(%a, %b)", torch.minimum, ANY, TIES), ("Pow(%a, %b)", torch.pow, POSITIVE, EXPONENTS),
    ("PRelu(%a, %b)", torch._prelu_kernel, ANY, ROTATED),
    ("BinaryCrossEntropy(%a, %b)", lambda a, b: F.binary_cross_entropy(a, b, reduction="none"), UNIT, TARGETS),
    ("BinaryCrossEntropy(Sigmoid(%a), %b)", lambda a, b: F.binary_cross_entropy(torch.sigmoid(a), b, reduction="none"), ANY, TARGETS),
    ("SwiGLU(%a, %b)", lambda a, b: F.silu(a) * b, ANY, ROTATED), ("Mod(%a, %b) {fmod = 1}", torch.fmod, ANY, ROTATED),
    ("Where(Greater(%a, %b), %a, %b)", lambda a, b: torch.where(a > b, a, b), ANY, TIES),
]


def main():
    for text_of, f, *inputs in UNARY + BINARY:
        print("=", text_of)
        for dtype in (torch.float64, torch.float32):
            given = [torch.tensor((v * 2)[:WIDTH], dtype=torch.float32).to(dtype).requires_grad_(v is not TARGETS) for v in inputs]
            y = f(*given)
            y.backward(torch.tensor(FLOWING, dtype=dtype))
            if dtype == torch.float64:
                for x in given:
                    print("x", *["%.17g" % v for v in x.tolist()])
            form = "%.9g" if dtype == torch.float32 else "%.17g"
            for x in given:
                none = torch.full((WIDTH,), math.nan if not x.requires_grad else 0)
                flown = none if x.grad is None else x.grad
                print("f32" if dtype == torch.float32 else "f64", *[form % v for v in flown.tolist()])


if __name__ == "__main__":
    main()
