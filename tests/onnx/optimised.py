"""Random networks of convolutions as ONNX Runtime's optimizer saves them for this machine, against ONNX Runtime without it.

usage: optimised.py NNCC [NETWORKS] [SEED]

Every third network is quantised, and has no joins. A network is a few convolutions (also depthwise, in groups, with activations), pools, upsamplings, sums and joins; ONNX Runtime saves it with all
optimizations, which lays channels out in blocks of 8 or 16, after the machine. `nncc verify` compares, interpreted, every fourth as C. A file that
does not tell the size of its blocks is refused, counted, and read with --channel-blocks. Last line: N passed, N failed.
"""
import logging
import os
import random
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from random_forms import judge, maybe, telling, verify, write_set

AVX512 = os.path.exists("/proc/cpuinfo") and " avx512f " in open("/proc/cpuinfo").read()


class Network:
    def __init__(self, r, joins):
        self.steps = ["conv"] * 4 + ["pool", "mean", "up", "sum"] + ["join"] * joins
        self.r, self.rng = r, np.random.default_rng(r.getrandbits(32))
        self.nodes, self.inits, self.made = [], [], 0
        self.shape = [r.randint(1, 2), r.choice([1, 3, 8, 12, 16, 20]), r.randint(6, 9), r.randint(6, 9)]

    def constant(self, x):
        self.made += 1
        self.inits.append(numpy_helper.from_array(x, f"c{self.made}"))
        return f"c{self.made}"

    def node(self, op, *inputs, **attrs):
        self.made += 1
        self.nodes.append(helper.make_node(op, list(inputs), [f"t{self.made}"], **attrs))
        return f"t{self.made}"

    def conv(self, x, shape):
        r, c = self.r, shape[1]
        kind, k = r.choice(["plain", "plain", "depthwise", "groups"]), r.choice([1, 3])
        group = c if kind == "depthwise" else 2 if kind == "groups" and c % 2 == 0 else 1
        out = c if kind == "depthwise" else r.choice([8, 10, 16, 24, 32])
        w = (self.rng.normal(size=(out, c // group, k, k)) / np.sqrt(c // group * k * k)).astype(np.float32)
        more = [self.constant(self.rng.normal(size=out).astype(np.float32))] if maybe(r, 0.7) else []
        stride = r.choice([1, 1, 2])
        y = self.node("Conv", x, self.constant(w), *more, group=group, kernel_shape=[k, k], pads=[k // 2] * 4, strides=[stride, stride])
        act = r.choice([None, "Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid"])
        y = self.node(act, y) if act else y
        return y, [shape[0], out, -(-shape[2] // stride), -(-shape[3] // stride)]

    def step(self, x, s):
        r = self.r
        kind = r.choice(self.steps)
        if kind == "pool":
            return self.node("MaxPool", x, kernel_shape=[2, 2], pads=[1, 1, 0, 0]), s
        if kind == "mean":
            return self.node("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=r.randint(0, 1)), s
        if kind == "up" and s[2] < 12:
            mode = r.choice(["nearest", "linear"])
            how = {"coordinate_transformation_mode": "asymmetric", **({"nearest_mode": "floor"} if mode == "nearest" else {})}
            return self.node("Resize", x, "", self.constant(np.array([1, 1, 2, 2], np.float32)), mode=mode, **how), s[:2] + [2 * s[2], 2 * s[3]]
        y, t = self.conv(x, s)
        if kind == "sum" and t == s:
            return self.node("Relu", self.node("Add", x, y)), s
        if kind == "join" and t[2:] == s[2:]:
            return self.node("Concat", x, y, axis=1), [s[0], s[1] + t[1], *s[2:]]
        return y, t

    def built(self):
        x, s = "x", self.shape
        for _ in range(self.r.randint(2, 5)):
            x, s = self.step(x, s)
        if maybe(self.r, 0.3):
            x = self.node("GlobalAveragePool", x)
        info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape), helper.make_tensor_value_info(x, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "g", info[:1], info[1:], self.inits)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return model, {"x": self.rng.normal(size=self.shape).astype(np.float32)}, [x]


class Samples(CalibrationDataReader):
    def __init__(self, feeds):
        self.left = iter([feeds])

    def get_next(self):
        return next(self.left, None)


def quantised(r, model, feeds, folder):
    """With quantised operators, whose images have channels last once they are optimised."""
    source, path = os.path.join(folder, "plain.onnx"), os.path.join(folder, "quantised.onnx")
    onnx.save(model, source)
    kind = r.choice([QuantType.QUInt8, QuantType.QInt8])
    quantize_static(source, path, Samples(feeds), quant_format=QuantFormat.QOperator, activation_type=kind, weight_type=QuantType.QInt8,
                    extra_options={"WeightSymmetric": True})
    return onnx.load(path)


def saved(model, path):
    o = onnxruntime.SessionOptions()
    o.graph_optimization_level, o.optimized_model_filepath, o.log_severity_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL, path, 4
    onnxruntime.InferenceSession(model.SerializeToString(), o, providers=["CPUExecutionProvider"])
    return onnx.load(path)


def main():
    nncc, count, seed = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 40, int(sys.argv[3]) if len(sys.argv) > 3 else 1
    onnxruntime.set_default_logger_severity(4)
    logging.disable(logging.WARNING)  # advice of the quantiser
    passed = failed = blocked = untold = 0
    with tempfile.TemporaryDirectory() as work:
        for k in range(count):
            r, folder = random.Random(f"{seed}.{k}"), os.path.join(work, f"{k}")
            os.makedirs(folder)
            model, feeds, outputs = Network(r, k % 3 != 2).built()
            model = quantised(r, model, feeds, folder) if k % 3 == 2 else model
            results = judge(model, feeds)
            model = saved(model, os.path.join(folder, "saved.onnx"))
            blocked += any(n.domain == "com.microsoft.nchwc" for n in model.graph.node)
            write_set(folder, model, feeds, outputs, results)
            code, text = verify(nncc, folder, ["--cc", "cc -O1"] if k % 4 == 0 else ["--interpret"])
            if code == 3 and "blocks of 8 or of 16" in text:
                untold += 1
                code, text = verify(nncc, folder, ["--interpret", f"--channel-blocks={16 if AVX512 else 8}"])
            passed, failed = passed + (code == 0), failed + (code != 0)
            if code:
                print(f"FAIL  {k}: {telling(text)}; {', '.join(n.op_type for n in model.graph.node)}", flush=True)
    print(f"{blocked} of {count} networks in blocks, {untold} do not tell of which size")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
