"""Writes microsoft.nn: one node or two of rows of com.microsoft, with what ONNX Runtime 1.32 gives for it. usage: record_microsoft.py >microsoft.nn"""
import numpy as np
import onnxruntime
from onnx import helper, numpy_helper

DTYPES = {"float32": "f32", "int32": "i32", "int64": "i64", "uint8": "u8", "int8": "i8"}
HEAD = """// A node or two of rows of com.microsoft. Judge: ONNX Runtime 1.32.0; record_microsoft.py wrote this file.
// RUN: nncc run %s | FileCheck %s
// RUN: nncc run %s --interpret | FileCheck %s
// RUN: nncc run %s -O0 | FileCheck %s
// RUN: nncc run %s --target=cuda | FileCheck %s
"""


def f(*shape, step=7, scale=8):
    """Eighths from -1 to 1, no two neighbours alike."""
    return ((np.arange(np.prod(shape)) * step % 17 - 8) / scale).astype(np.float32).reshape(shape)


def i(*v, dtype=np.int32, shape=None):
    return np.array(v, dtype).reshape(shape if shape is not None else len(v))


def u8(*shape):
    return (np.arange(np.prod(shape)) * 53 % 256).astype(np.uint8).reshape(shape)


def i8(*shape):
    return (np.arange(np.prod(shape)) * 37 % 128 - 64).astype(np.int8).reshape(shape)


def s(v):
    return np.float32(v)


def z(v, dtype=np.uint8):
    return dtype(v)


def turns(n, half):
    """Nothing asks that these are cosines and sines."""
    return [f(n, half), f(n, half, step=3)]


UNARY = [u8(1, 2, 3), s(0.05), z(128)]
CASES = [
    ("QLinearAdd", [u8(2, 3), s(0.02), z(100), u8(3), s(0.03), z(90), s(0.05), z(128)], {}),
    ("QLinearMul", [u8(2, 3), s(0.02), z(100), u8(3), s(0.03), z(90), s(0.05), z(128)], {}),
    ("QLinearSigmoid", UNARY + [s(0.00390625), z(0)], {}), ("QLinearLeakyRelu", UNARY + [s(0.04), z(20)], {"alpha": 0.1}),
    ("QLinearSoftmax", UNARY + [s(0.00390625), z(0)], {"opset": 13}), ("QLinearGlobalAveragePool", UNARY + [s(0.04), z(100)], {}),
    ("QLinearAveragePool", UNARY + [s(0.04), z(100)], {"kernel_shape": [2]}),
    ("QGemm", [u8(2, 3), s(0.02), z(100), i8(3, 2), s(0.01), z(3, np.int8), i(50, -70)], {"alpha": 0.5}),
    ("MatMulIntegerToFloat", [u8(2, 3), i8(3, 2), s(0.02), s(0.01), z(100), z(3, np.int8), f(2)], {}),
    ("DynamicQuantizeMatMul", [f(2, 3), i8(3, 2), s(0.01), z(3, np.int8)], {}),
    ("MatMulNBits", [f(1, 20), u8(2, 2, 8), f(4, step=3), u8(2)], {"K": 20, "N": 2, "bits": 4, "block_size": 16}),
    ("BiasGelu", [f(2, 3), f(3)], {}), ("FastGelu", [f(2, 3), f(3)], {}), ("QuickGelu", [f(2, 3)], {"alpha": 1.5}),
    ("FusedMatMul", [f(2, 3, 2), f(2, 2, 3)], {"transA": 1, "transB": 1, "alpha": 0.5}),
    ("FusedGemm", [f(2, 3), f(2, 3), f(2)], {"transB": 1, "activation": "LeakyRelu", "activation_alpha": 0.1}),
    ("FusedConv", [f(1, 2, 3, 3), f(2, 2, 2, 2), f(2), f(1, 2, 2, 2)], {"activation": "HardSigmoid", "activation_params": [0.5, 0.25]}),
    ("SkipLayerNormalization", [f(1, 2, 4), f(1, 2, 4, step=5), f(4), f(4, step=3)], {}),
    ("SkipSimplifiedLayerNormalization", [f(1, 2, 4), f(1, 2, 4, step=5), f(4)], {}),
    ("EmbedLayerNormalization", [i(2, 0, 1, shape=[1, 3]), None, f(3, 4), f(4, 4, step=5), None, f(4), f(4, step=3), i(1, 1, 0, shape=[1, 3])], {}, 2),
    ("Attention", [f(2, 3, 4), f(4, 12, step=5), f(12), i(3, 2, 1, 0)], {"num_heads": 2}),
    ("Attention", [f(1, 2, 4), f(4, 12, step=5), f(12), None, f(2, 1, 2, 2, 2)], {"num_heads": 2, "unidirectional": 1}, 2),
    ("MultiHeadAttention", [f(1, 2, 4), f(1, 3, 4, step=5), f(1, 3, 4, step=3), f(12), i(1, 0, 1, 1, 1, 0, shape=[1, 2, 3])], {"num_heads": 2, "scale": 2.0}),
    ("MultiHeadAttention", [f(1, 2, 4), f(1, 2, 4, step=5), f(1, 2, 4, step=3), None, None, f(1, 2, 2, 3), f(1, 2, 1, 2), f(1, 2, 1, 2, step=3)],
     {"num_heads": 2, "unidirectional": 1}, 3),
    ("RotaryEmbedding", [f(1, 2, 8), i(3, dtype=np.int64), *turns(5, 2)], {}),
    ("RotaryEmbedding", [f(1, 1, 2, 4), i(3, 1, dtype=np.int64, shape=[1, 2]), *turns(5, 2)], {"interleaved": 1}),
    ("GroupQueryAttention", [f(2, 1, 32), f(2, 1, 16), f(2, 1, 16, step=5), f(2, 1, 1, 16), f(2, 1, 1, 16, step=3), i(1, 0), i(2, shape=[]), *turns(5, 8)],
     {"num_heads": 2, "kv_num_heads": 1, "do_rotary": 1, "local_window_size": 1}, 3),
    ("QLinearConv", [u8(1, 3, 3, 1), s(0.05), z(100), i8(2, 1, 2, 2), s(0.01), z(0, np.int8), s(0.04), z(110), i(50, -70)], {"channels_last": 1}),
    ("NhwcMaxPool", [u8(1, 3, 3, 2)], {"kernel_shape": [2, 2]}),
    ("NhwcFusedConv", [f(1, 3, 3, 2), f(2, 2, 2, 3), f(2), f(1, 2, 1, 2)], {"activation": "Relu"}), ("NhwcConv", [f(1, 3, 3, 2), f(2, 2, 3, 2)], {}),
    ("GroupQueryAttention", [f(1, 3, 32), None, None, None, None, i(2), i(3, shape=[]), None, None, None, None, f(2)],
     {"num_heads": 2, "kv_num_heads": 1, "softcap": 0.5}),
]


def text(v):
    return "[" + ", ".join(f"{x:g}" for x in v) + "]" if isinstance(v, list) else v if isinstance(v, str) else f"{v}"


def shown(x):
    """As nncc prints it; of six digits the last two may differ."""
    text = f"{x:g}"
    return text if len(text.strip("-0.").replace(".", "")) < 5 or "e" in text else f"{x:#.6g}"[:-2] + "{{[0-9]*}}"


def main():
    print(HEAD)
    constants, lines, results = [], [], []
    for n, (op, inputs, attributes, *outs) in enumerate(CASES):
        judged, turned = op, op in ("NhwcConv", "NhwcFusedConv")  # ONNX Runtime has no kernel for CPUs
        names = [f"x{n}.{k}" for k in range(len(inputs))]
        values = dict(zip(names, inputs))
        outputs = [f"y{n}.{k}" for k in range(outs[0] if outs else 1)]
        known = dict(values)
        if turned:
            judged = "FusedConv"
            known.update({k: np.moveaxis(v, -1, 1) for k, v in values.items() if v.ndim == 4 and (k[-1] != "1" or op == "NhwcConv")})
        node = helper.make_node(judged, [k if values[k] is not None else "" for k in names], outputs, domain="com.microsoft", **attributes)
        initializers = [numpy_helper.from_array(np.asarray(v), k) for k, v in known.items() if v is not None]
        graph = helper.make_graph([node], "g", [], [helper.make_empty_tensor_value_info(o) for o in outputs], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)], ir_version=8)
        o = onnxruntime.SessionOptions()
        o.graph_optimization_level, o.log_severity_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, 4
        got = onnxruntime.InferenceSession(model.SerializeToString(), o, providers=["CPUExecutionProvider"]).run(None, {})
        got = [np.moveaxis(y, 1, -1) for y in got] if turned else got
        for k, v in values.items():
            if v is not None:
                v = np.asarray(v)
                constants.append(f"const %{k}: {DTYPES[v.dtype.name]}[{','.join(map(str, v.shape))}] = " +
                                 (f"{v:.9g}" if v.ndim == 0 else "[" + ", ".join(f"{x:.9g}" for x in v.ravel()) + "]"))
        given = ", ".join(f"{k} = {text(v)}" for k, v in attributes.items())
        args = ", ".join("%" + k if values[k] is not None else "_" for k in names)
        lines.append(f"  {', '.join('%' + o for o in outputs)} = com.microsoft.{op}({args}){f' {{{given}}}' if given else ''}")
        for name, y in zip(outputs, got):
            results.append("%" + name)
            numbers = " ".join(map(shown, y.ravel()))
            print(f"// CHECK: {name} {DTYPES[y.dtype.name]}[{','.join(map(str, y.shape))}]: {numbers}")
    print("\n".join(constants + ["network @f() {"] + lines + [f"  return {', '.join(results)}", "}"]))


if __name__ == "__main__":
    main()
