"""Valid nodes of the rows of com.microsoft and ai.onnx.preview, for structural.py."""
from structural_ml import numbers, some
from structural_rows import Arg, Node

BYTES = ["u8", "i8"]


def scale(d, n=None):
    return d.const("f32", [abs(v) + 0.01 for v in numbers(d, n or 1)], [n] if n else [])


def zero(d, kind, n=None):
    return None if d.maybe(0.2) else d.const(kind, [d.int(0, 9) for _ in range(n or 1)], [n] if n else [])


def quantised_binary(d, op):
    k, s = d.of(BYTES), d.shape(1, 4)
    return Node(op, [Arg(k, s), scale(d), zero(d, k), Arg(k, d.broadcast(s)), scale(d), zero(d, k), scale(d), zero(d, k)])


def quantised_unary(least=1, **attrs):
    def make(d, op):
        k, s = d.of(BYTES), d.shape(least, 4)
        return Node(op, [Arg(k, s), scale(d), zero(d, k), scale(d), zero(d, k)], {n: f(d, s) for n, f in attrs.items()})
    return make


def average_pool(d, op):
    k = d.of(BYTES)
    return Node(op, [Arg(k, [d.int(1, 2), d.int(1, 3), d.int(3, 6), d.int(3, 6)]), scale(d), zero(d, k), scale(d), zero(d, k)],
                {"kernel_shape": [d.int(1, 3), d.int(1, 3)], **d.flags("count_include_pad")})


def q_gemm(d, op):
    k, m, n, p = d.of(BYTES), d.int(1, 4), d.int(1, 5), d.int(1, 4)
    flags = d.flags("transA", "transB")
    a, b = [n, m] if flags.get("transA") else [m, n], [p, n] if flags.get("transB") else [n, p]
    each = d.of([None, p])
    args = [Arg(k, a), scale(d), zero(d, k), Arg("i8", b), scale(d, each), zero(d, "i8", each), Arg("i32", [p]) if d.maybe() else None]
    return Node(op, args + ([scale(d), d.const(k, [3], [])] if d.maybe() else []), {**flags, **some(d, alpha=0.5)})


def integer_to_float(d, op):
    k, m, n, p = d.of(BYTES), d.int(1, 4), d.int(1, 5), d.int(1, 4)
    return Node(op, [Arg(k, [m, n]), Arg("i8", [n, p]), scale(d), scale(d, p), zero(d, k), zero(d, "i8", p), Arg("f32", [p]) if d.maybe() else None])


def dynamic_matmul(d, op):
    m, n, p = d.int(1, 4), d.int(1, 5), d.int(1, 4)
    return Node(op, [Arg("f32", [m, n]), Arg("i8", [n, p]), scale(d), zero(d, "i8"), Arg("f32", [p]) if d.maybe() else None])


def matmul_n_bits(d, op):
    k, n, block, bits = d.int(1, 40), d.int(1, 4), 16, d.of([2, 4, 4, 8])
    blocks = -(-k // block)
    args = [Arg("f32", [d.int(1, 3), k]), Arg("u8", [n, blocks, block * bits // 8]), Arg("f32", [n * blocks])]
    if d.maybe():
        args.append(Arg("u8", [n * -(-blocks * bits // 8)]))
    return Node(op, args, {"K": k, "N": n, "bits": bits, "block_size": block})


def with_bias(d, op):
    s = d.shape(1, 3)
    return Node(op, [Arg("f32", s), Arg("f32", s[-1:])])


def fused_matmul(d, op):
    m, n, p, batch = d.int(1, 4), d.int(1, 4), d.int(1, 4), [d.int(1, 3)] * d.int(0, 2)
    flags = d.flags("transA", "transB")
    a, b = [n, m] if flags.get("transA") else [m, n], [p, n] if flags.get("transB") else [n, p]
    return Node(op, [Arg("f32", batch + a), Arg("f32", batch + b)], {**flags, **some(d, alpha=0.5)})


def fused_gemm(d, op):
    n = fused_matmul(d, op)
    for a in n.args:
        a.shape = a.shape[-2:]
    return Node(op, n.args, {**n.attrs, **some(d, activation=d.of(["Relu", "LeakyRelu", "Sigmoid", "Tanh", "Elu"]), activation_alpha=0.1)})


def fused_conv(d, op):
    c, f = d.int(1, 3), d.int(1, 3)
    args = [Arg("f32", [1, c, 5, 6]), d.floats([f, c, 3, 3]), d.floats([f])] + ([Arg("f32", [1, f, 5, 6])] if d.maybe() else [])
    kind, params = d.of([("Relu", None), ("LeakyRelu", [0.1]), ("Clip", [-1.0, 1.0]), ("HardSigmoid", [0.2, 0.5])])
    return Node(op, args, {"pads": [1, 1, 1, 1], "activation": kind, **({"activation_params": params} if params else {})})


def skip_norm(d, op):
    s = d.shape(2, 3)
    return Node(op, [Arg("f32", s), Arg("f32", s)] + [Arg("f32", s[-1:]) for _ in range(d.int(1, 2))], {}, d.of([1, 4]))


def embed_norm(d, op):
    n, steps, width = d.int(1, 3), d.int(1, 5), d.int(1, 4)
    segments = d.maybe()
    ids = lambda: Arg("i32", [n, steps])
    return Node(op, [ids(), ids() if segments else None, Arg("f32", [7, width]), Arg("f32", [8, width]), Arg("f32", [2, width]) if segments else None,
                     Arg("f32", [width]), Arg("f32", [width])] + ([ids()] if d.maybe() else []), {}, d.of([1, 2, 3]))


def mask(d, batch, steps, keys):
    return Arg("i32", d.of([[batch], [batch, keys], [batch, steps, keys]]))


def attention(d, op):
    batch, steps, inner, heads, size = d.int(1, 3), d.int(1, 4), d.int(1, 4), d.int(1, 3), d.int(1, 4)
    past, n = d.of([0, 0, 2]), heads * size
    args = [Arg("f32", [batch, steps, inner]), d.floats([inner, 3 * n]), d.floats([3 * n]) if d.maybe() else None,
            mask(d, batch, steps, past + steps) if d.maybe() else None, Arg("f32", [2, batch, heads, past, size]) if past else None,
            Arg("f32", [1, heads, steps, past + steps]) if d.maybe(0.3) else None]
    return Node(op, args, {"num_heads": heads, **d.flags("unidirectional"), **some(d, scale=0.5, qkv_hidden_sizes=[n, n, n])}, d.of([1, 2]))


def multi_head_attention(d, op):
    batch, steps, heads, size = d.int(1, 3), d.int(1, 4), d.int(1, 3), d.int(1, 4)
    keys, kind, past = d.int(1, 4), d.of(["three", "packed", "pairs", "heads"]), 0
    x = lambda n: Arg("f32", [batch, n, heads * size])
    if kind == "packed":
        keys, args = steps, [Arg("f32", [batch, steps, heads, 3, size]), None, None]
    elif kind == "pairs":
        args = [x(steps), Arg("f32", [batch, keys, heads, 2, size]), None]
    elif kind == "heads":
        args = [x(steps)] + [Arg("f32", [batch, heads, keys, size]) for _ in range(2)]
    else:
        past, args = d.of([0, 2]), [x(steps), x(keys), x(keys)]
    args += [Arg("f32", [3 * heads * size]) if kind in ("three", "packed") and d.maybe() else None,
             mask(d, batch, steps, past + keys) if d.maybe() else None, Arg("f32", [1, heads, steps, past + keys]) if d.maybe(0.3) else None]
    args += [Arg("f32", [batch, heads, past, size])] * 2 if past else []
    return Node(op, args, {"num_heads": heads, **d.flags("unidirectional"), **some(d, scale=0.5)}, d.of([1, 2, 3]))


def rotary(d, op):
    batch, steps, heads, half = d.int(1, 3), d.int(1, 4), d.int(1, 3), d.int(1, 4)
    shape = [batch, heads, steps, 2 * half] if d.maybe() else [batch, steps, heads * 2 * half]
    return Node(op, [Arg("f32", shape), Arg("i64", d.of([[1], [batch, steps]])), d.floats([9, half]), d.floats([9, half])], d.flags("interleaved"))


def group_query_attention(d, op):
    batch, steps, groups, heads, half, past = d.int(1, 3), d.int(1, 4), d.int(1, 2), d.int(1, 2), d.int(1, 4), d.int(0, 3)
    heads, size, turned, packed = heads * groups, 2 * half, d.int(0, 1), d.maybe()
    args = [Arg("f32", [batch, steps, (heads + 2 * groups if packed else heads) * size])]
    args += [None if packed else Arg("f32", [batch, steps, groups * size]) for _ in range(2)]
    args += [Arg("f32", [batch, groups, past, size]) if past else None for _ in range(2)]
    args += [Arg("i32", [batch]), d.const("i32", [past + steps], []) if d.maybe() else Arg("i32", [])]
    args += [d.floats([9, half]) if turned else None for _ in range(2)]
    args += [Arg("i64", [batch, steps]) if d.maybe(0.2) else None, Arg("f32", [1, 1, steps, past + steps]) if d.maybe(0.2) else None,
             Arg("f32", [heads]) if d.maybe(0.2) else None]
    flags = d.flags("rotary_interleaved", "smooth_softmax", "causal")
    return Node(op, args, {"num_heads": heads, "kv_num_heads": groups, "do_rotary": turned, **flags, **some(d, local_window_size=2, softcap=2.0)}, d.int(1, 3))


def nhwc_pool(d, op):
    return Node(op, [Arg(d.of(BYTES), [d.int(1, 2), d.int(3, 6), d.int(3, 6), d.int(1, 3)])], {"kernel_shape": [d.int(1, 3), d.int(1, 3)], **d.flags("ceil_mode")})


def nhwc_conv(d, op):
    n = fused_conv(d, op)
    for a in n.args[::3]:
        a.shape = [a.shape[0], *a.shape[2:], a.shape[1]]
    return Node(op, n.args[:3 if op == "NhwcConv" else 4], {k: v for k, v in n.attrs.items() if op != "NhwcConv" or k == "pads"})


def q_conv(d, op):
    k, c, f, last = d.of(BYTES), d.int(1, 3), d.int(1, 3), d.int(0, 1)
    x = Arg(k, [1, 5, 6, c] if last else [1, c, 5, 6])
    args = [x, scale(d), d.const(k, [3], []), Arg("i8", [f, c, 3, 3]), scale(d), d.const("i8", [0], []), scale(d), d.const(k, [3], [])]
    return Node(op, args + ([Arg("i32", [f])] if d.maybe() else []), {"channels_last": last, "pads": [1, 1, 1, 1]})
def where(d, op):
    k, s = d.of(BYTES), d.shape(1, 4)
    one = lambda: [Arg(k, d.broadcast(s)), scale(d), d.const(k, [3], [])]
    return Node(op, [Arg("bool", s)] + one() + one() + [scale(d), d.const(k, [4], [])])


def concat(d, op):
    k, s = d.of(BYTES), d.shape(1, 4)
    axis, args = d.axis(s), [scale(d), d.const(k, [3], [])]
    for _ in range(d.int(1, 3)):
        s = list(s)
        s[axis] = d.int(1, 3)
        args += [Arg(k, s), scale(d), d.const(k, [d.int(0, 9)], [])]
    return Node(op, args, {"axis": axis})


def product_of_16_bits(d, op):
    m, n, p = d.int(1, 4), d.int(1, 5), d.int(1, 4)
    return Node(op, [Arg(d.of(["i16", "u16"]), [m, n]), Arg(d.of(["i16", "u16"]), [n, p])])


def gather_block_quantized(d, op):
    bits, rows, blocks = d.of([2, 4, 4, 8]), d.int(1, 5), d.int(1, 3)
    args = [Arg("u8", [rows, 2 * blocks * bits]), d.const("i64", [d.int(0, rows - 1) for _ in range(d.int(1, 4))]), Arg("f32", [rows, blocks])]
    if d.maybe():
        args.append(Arg("u8", [rows, -(-blocks * bits // 8)]))
    return Node(op, args, {"bits": bits, "block_size": 16, **some(d, quantize_axis=1)})


def matmul_codes(d, op):
    k, n, block = d.int(1, 40), d.int(1, 4), 16
    return Node(op, [Arg("f32", [d.int(1, 3), k]), Arg("u8", [-(-k * n // 2)]), Arg("f32", [-(-k * n // block)])],
                {"K": k, "N": n, "block_size": block, "quant_type": d.int(0, 1)})


def distances(d, op):
    n = d.int(1, 4)
    return Node(op, [Arg("f32", [d.int(1, 4), n]), Arg("f32", [d.int(1, 4), n])], some(d, metric=d.of(["euclidean", "sqeuclidean"])))


def dynamic_lstm(d, op):
    steps, batch, width, hidden, k = d.int(1, 3), d.int(1, 2), d.int(1, 3), d.int(1, 3), d.of(BYTES)
    direction = d.of(["forward", "reverse", "bidirectional"])
    n = 2 if direction == "bidirectional" else 1
    state = lambda: Arg("f32", [n, batch, hidden]) if d.maybe() else None
    args = [Arg("f32", [steps, batch, width]), Arg(k, [n, width, 4 * hidden]), Arg(k, [n, hidden, 4 * hidden]), Arg("f32", [n, 8 * hidden]) if d.maybe() else None,
            Arg("i32", [batch]) if d.maybe(0.3) else None, state(), state(), Arg("f32", [n, 3 * hidden]) if d.maybe(0.3) else None]
    return Node(op, args + [scale(d, n), d.const(k, [3] * n), scale(d, n), d.const(k, [4] * n)],
                {"hidden_size": hidden, "direction": direction, **some(d, clip=1.0, input_forget=1)}, d.of([1, 2, 3]))


def inverse(d, op):
    n = d.int(1, 4)
    return Node(op, [Arg("f32", d.shape(0, 2) + [n, n])])


def flex_attention(d, op):
    n, heads, width, shared, k = d.int(1, 2), d.int(1, 2), d.int(1, 4), d.int(1, 2), d.of(["f32", "f32", "f64", "f16"])
    keys = d.int(1, 4)
    return Node(op, [Arg(k, [n, heads * shared, d.int(1, 4), width]), Arg(k, [n, heads, keys, width]), Arg(k, [n, heads, keys, d.int(1, 4)])], some(d, scale=0.5))


def optimizer(kinds, **attrs):
    """One step of one to three tensors."""
    def make(d, op):
        shapes, k = [d.shape(0, 3) for _ in range(d.int(1, 3))], d.of(["f32", "f64"])
        return Node(op, [Arg(k, []), Arg("i64", [])] + [Arg(k, s) for _ in range(kinds) for s in shapes],
                    {n: f(d) for n, f in attrs.items()}, len(shapes) * (kinds - 1))
    return make


def rate(d):
    return round(d.r.uniform(0, 1), 2)


MICROSOFT_ROWS = {
    "FlexAttention": flex_attention, "Adagrad": optimizer(3, decay_factor=rate), "Adam": optimizer(4, norm_coefficient=rate),
    "Momentum": optimizer(3, alpha=rate, beta=rate, norm_coefficient=rate, mode=lambda d: d.of(["nesterov", "standard"])),
    "QLinearMul": quantised_binary, "QLinearSigmoid": quantised_unary(), "QLinearLeakyRelu": quantised_unary(alpha=lambda d, s: 0.1),
    "QLinearSoftmax": quantised_unary(axis=lambda d, s: d.axis(s)), "QLinearGlobalAveragePool": quantised_unary(3), "QLinearAveragePool": average_pool,
    "QGemm": q_gemm, "MatMulIntegerToFloat": integer_to_float, "DynamicQuantizeMatMul": dynamic_matmul, "MatMulNBits": matmul_n_bits,
    "BiasGelu": with_bias, "FastGelu": with_bias, "QuickGelu": lambda d, op: Node(op, [Arg("f32", d.shape())], some(d, alpha=1.5)),
    "FusedMatMul": fused_matmul, "FusedGemm": fused_gemm, "FusedConv": fused_conv, "SkipLayerNormalization": skip_norm,
    "SkipSimplifiedLayerNormalization": skip_norm, "EmbedLayerNormalization": embed_norm,
    "com.microsoft.Attention": attention, "MultiHeadAttention": multi_head_attention, "com.microsoft.RotaryEmbedding": rotary,
    "GroupQueryAttention": group_query_attention, "com.microsoft.QLinearConv": q_conv, "NhwcMaxPool": nhwc_pool, "NhwcConv": nhwc_conv,
    "NhwcFusedConv": nhwc_conv,
    "SkipSimplifiedLayerNormalization": skip_norm, "EmbedLayerNormalization": embed_norm, "QLinearWhere": where, "QLinearConcat": concat,
    "MatMulInteger16": product_of_16_bits, "GatherBlockQuantized": gather_block_quantized, "MatMulBnb4": matmul_codes, "CDist": distances, "Inverse": inverse,
    "DynamicQuantizeLSTM": dynamic_lstm,
}
