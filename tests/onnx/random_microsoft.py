"""Random nodes of com.microsoft for random_nodes.py: a function for each operator that nncc has of it, but QLinearSoftmax, NhwcConv, NhwcFusedConv.

Of that ONNX Runtime divides whole numbers of a table, so that results are off by one from the nearest. NhwcConv and
NhwcFusedConv it has for other machines alone: see values/record_microsoft.py.
"""
import ml_dtypes
import numpy as np

from random_forms import maybe
from random_nodes import Model


class Node(Model):
    def __init__(self, r, outputs="f"):
        super().__init__(r, 1, outputs, "com.microsoft")

    def array(self, x):
        self.inputs.append(x)
        return x

    def floats(self, *shape, scale=1.0):
        return self.array((scale * self.rng.normal(size=shape)).astype(np.float32))

    def omit(self):
        self.inputs.append(None)

    def quantised(self, *shape, kind="u"):
        lo, hi = (0, 256) if kind == "u" else (-128, 128)
        return self.array(self.rng.integers(lo, hi, shape).astype(np.uint8 if kind == "u" else np.int8))

    def scale(self, lo=0.01, hi=0.05, n=None):
        """A parameter: known when compiling."""
        self.constants.add(len(self.inputs))
        return self.array(self.rng.uniform(lo, hi, n or ()).astype(np.float32))

    def zero(self, kind="u", n=None):
        self.constants.add(len(self.inputs))
        lo, hi = (100, 156) if kind == "u" else (-20, 20)
        return self.array(np.asarray(self.rng.integers(lo, hi, n or ())).astype(np.uint8 if kind == "u" else np.int8))

    def shape(self, least=1, most=4):
        return [self.r.randint(1, 5) for _ in range(self.r.randint(least, most))]


def kind_of(r):
    return r.choice("ub")


def product_of_quantised(r):
    k = kind_of(r)
    m, s = Node(r, k), None
    s = m.shape()
    m.quantised(*s, kind=k), m.scale(), m.zero(k)
    m.quantised(*s[m.r.randint(0, len(s) - 1):], kind=k), m.scale(), m.zero(k)
    m.scale(0.02, 0.2), m.zero(k)
    return m


def unary_of_quantised(shape=(1, 4), out=(0.004, 0.05), **attrs):
    def make(r):
        k = kind_of(r)
        m = Node(r, k)
        m.quantised(*m.shape(*shape), kind=k), m.scale(), m.zero(k), m.scale(*out), m.zero(k)
        m.attr.update({n: f(r, m.inputs[0]) for n, f in attrs.items()})
        return m
    return make


def average_pool(r):
    k, n = kind_of(r), r.randint(1, 2)
    m = Node(r, k)
    m.quantised(r.randint(1, 2), r.randint(1, 3), *[r.randint(4, 8) for _ in range(n)], kind=k), m.scale(), m.zero(k), m.scale(), m.zero(k)
    m.attr.update(kernel_shape=[r.randint(1, 3) for _ in range(n)], strides=[r.randint(1, 2) for _ in range(n)], count_include_pad=r.randint(0, 1))
    if n == 2 and maybe(r):
        m.inputs[0] = np.ascontiguousarray(np.moveaxis(m.inputs[0], 1, -1))
        m.attr["channels_last"] = 1
    return m


def q_gemm(r):
    k = kind_of(r)
    m, rows, inner, cols = Node(r), r.randint(1, 5), r.randint(1, 9), r.randint(1, 6)
    ta, tb = r.randint(0, 1), r.randint(0, 1)
    each = r.choice([None, cols])
    m.quantised(*((inner, rows) if ta else (rows, inner)), kind=k), m.scale(), m.zero(k)
    m.array(m.rng.integers(-64, 64, (cols, inner) if tb else (inner, cols)).astype(np.int8)), m.constants.add(3)
    m.scale(n=each), m.zero("b", each)
    if maybe(r):
        m.constants.add(len(m.inputs))
        m.array(m.rng.integers(-900, 900, cols).astype(np.int32))
    else:
        m.omit()
    if maybe(r):
        m.outputs = k
        m.scale(0.02, 0.2), m.zero(k)
    m.attr.update(transA=ta, transB=tb)
    return m


def integer_to_float(r):
    k = kind_of(r)
    m, rows, inner, cols = Node(r), r.randint(1, 5), r.randint(1, 9), r.randint(1, 6)
    each = r.choice([None, cols])
    m.quantised(rows, inner, kind=k), m.array(m.rng.integers(-64, 64, (inner, cols)).astype(np.int8)), m.scale(), m.scale(n=each), m.zero(k), m.zero("b", each)
    m.constants.add(1)
    if maybe(r):
        m.floats(cols)
    return m


def dynamic_matmul(r):
    m, inner, cols = Node(r), r.randint(1, 9), r.randint(1, 6)
    each = r.choice([None, cols])
    m.floats(*m.shape(1, 2), inner), m.array(m.rng.integers(-64, 64, (inner, cols)).astype(np.int8)), m.scale(n=each), m.zero("b", each)
    m.constants.add(1)
    if maybe(r):
        m.floats(cols)
    return m


def matmul_n_bits(r):
    m, k, n, block, bits = Node(r), r.randint(1, 70), r.randint(1, 9), r.choice([16, 32]), 4
    blocks = -(-k // block)
    m.floats(*m.shape(1, 2), k)
    m.array(m.rng.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8))
    m.array(m.rng.uniform(0.01, 0.1, n * blocks).astype(np.float32))
    if maybe(r):
        m.array(m.rng.integers(0, 256, n * -(-blocks * bits // 8)).astype(np.uint8))
    m.constants.update(range(1, len(m.inputs)))
    m.attr.update(K=k, N=n, bits=bits, block_size=block)
    return m


def with_bias(needed):
    def make(r):
        m = Node(r)
        s = m.shape()
        m.floats(*s)
        if needed or maybe(r):
            m.floats(s[-1])
        return m
    return make


def quick_gelu(r):
    m = Node(r)
    m.floats(*m.shape())
    m.attr.update({"alpha": r.uniform(0.5, 2)} if maybe(r) else {})
    return m


def fused_matmul(r):
    m, s = Node(r), [r.randint(1, 3) for _ in range(r.randint(0, 2))]
    rows, inner, cols = r.randint(1, 5), r.randint(1, 9), r.randint(1, 6)
    ta, tb, ba, bb = (r.randint(0, 1) for _ in range(4))
    if not s:
        ba = bb = 0

    def stored(x, y, turned, first):
        x, y = (y, x) if turned else (x, y)
        return [x, *s, y] if first else [*s, x, y]

    m.floats(*stored(rows, inner, ta, ba)), m.floats(*stored(inner, cols, tb, bb))
    m.attr.update(transA=ta, transB=tb, transBatchA=ba, transBatchB=bb, alpha=round(r.uniform(0.2, 2), 2))
    return m


ACTIVATIONS = ["Relu", "LeakyRelu", "Sigmoid", "Tanh"]


def fused_gemm(r):
    m, rows, inner, cols = Node(r), r.randint(1, 5), r.randint(1, 9), r.randint(1, 6)
    ta, tb = r.randint(0, 1), r.randint(0, 1)
    m.floats(*((inner, rows) if ta else (rows, inner))), m.floats(*((cols, inner) if tb else (inner, cols)))
    if maybe(r):
        m.floats(cols)
    m.attr.update(transA=ta, transB=tb, activation=r.choice(ACTIVATIONS), alpha=0.5, beta=1.5, activation_alpha=0.2)
    return m


def fused_conv(r):
    m, channels, filters = Node(r), r.randint(1, 3), r.randint(1, 4)
    m.floats(r.randint(1, 2), channels, 6, 7), m.floats(filters, channels, 3, 3)
    if maybe(r, 0.7):
        m.floats(filters)
    else:
        m.omit()
    if maybe(r):
        m.floats(m.inputs[0].shape[0], filters, 6, 7)
    kind = r.choice(ACTIVATIONS + ["Clip", "HardSigmoid", "HardSwish"])
    params = {"LeakyRelu": [0.2], "Clip": [-0.5, 1.5], "HardSigmoid": [0.3, 0.4]}.get(kind)
    m.attr.update(pads=[1, 1, 1, 1], kernel_shape=[3, 3], activation=kind, **({"activation_params": params} if params else {}))
    return m


def skip_norm(simplified):
    def make(r):
        m = Node(r)
        s = m.shape(2, 2) + [r.randint(2, 6)]
        m.floats(*s), m.floats(*s), m.floats(s[-1])
        if not simplified:
            m.floats(s[-1]) if maybe(r) else m.omit()
        if maybe(r):
            m.floats(s[-1])
        m.attr.update({"epsilon": 1e-3} if maybe(r) else {})
        return m
    return make


def embed_norm(r):
    m, n, steps, width = Node(r, "fi"), r.randint(1, 3), r.randint(1, 5), r.randint(2, 6)
    segments = maybe(r)
    m.array(m.rng.integers(0, 7, (n, steps)).astype(np.int32))
    m.array(m.rng.integers(0, 2, (n, steps)).astype(np.int32)) if segments else m.omit()
    m.floats(7, width), m.floats(8, width)
    m.floats(2, width) if segments else m.omit()
    m.floats(width), m.floats(width)
    if maybe(r):
        m.array((np.arange(steps)[None] < m.rng.integers(1, steps + 1, (n, 1))).astype(np.int32))
    m.attr.update({"epsilon": 1e-3} if maybe(r) else {})
    return m


def whole(m, x, dtype=np.int32):
    return m.array(np.asarray(x).astype(dtype))


def scaled(m, r):
    m.attr.update({"scale": round(r.uniform(0.1, 1), 2)} if maybe(r, 0.3) else {})


def mask(m, r, batch, steps, keys, starts=False):
    """Lengths, ends with beginnings, or a number for each key or each pair."""
    unidirectional = m.attr["unidirectional"]
    kind = r.choice(["length", "keys", "pairs"] + ["starts"] * starts)
    ends = m.rng.integers(1, keys + 1, batch)
    if kind == "length":
        whole(m, ends)
    elif kind == "starts":
        whole(m, np.concatenate([ends, 0 * ends if unidirectional else m.rng.integers(0, ends)]))
    else:
        seen = m.rng.integers(0, 2, (batch, keys) if kind == "keys" else (batch, steps, keys))
        seen[..., 0] = 1  # where all is masked, what is left of scores beside -10000 is rounding
        whole(m, seen)
    if maybe(r, 0.3):
        m.attr["mask_filter_value"] = -3.0


def bias_of_scores(m, r, batch, heads, steps, keys):
    m.floats(r.choice([1, batch]), r.choice([1, heads]), steps, keys)


def attention(r):
    m, batch, steps, inner = Node(r), r.randint(1, 3), r.randint(1, 5), r.randint(2, 9)
    heads, size, past = r.choice([1, 2, 3]), r.choice([2, 4]), r.choice([0, 0, 2, 3])
    values = size if past or maybe(r) else 2 * size
    m.floats(batch, steps, inner), m.floats(inner, heads * (2 * size + values), scale=0.5), m.floats(heads * (2 * size + values))
    m.constants.update([1, 2] if maybe(r) else [])
    m.attr.update(num_heads=heads, unidirectional=r.randint(0, 1))
    if values != size or maybe(r, 0.3):
        m.attr["qkv_hidden_sizes"] = [heads * size, heads * size, heads * values]
    mask(m, r, batch, steps, past + steps, True) if maybe(r, 0.7) else m.omit()
    m.floats(2, batch, heads, past, size) if past else m.omit()
    bias_of_scores(m, r, batch, heads, steps, steps) if not past and maybe(r, 0.3) else m.omit()
    m.outputs = "ff" if past else "f"
    scaled(m, r)
    return m


def multi_head_attention(r):
    m, batch, steps, heads, size = Node(r), r.randint(1, 3), r.randint(1, 5), r.choice([1, 2, 3]), r.choice([2, 4])
    apart, past = maybe(r, 0.2), r.choice([0, 0, 2, 3])
    keys, values = (r.randint(1, 6), size) if apart else (steps if maybe(r) else r.randint(1, 6), size if past or maybe(r) else 2 * size)
    past = 0 if apart else past
    m.attr.update(num_heads=heads, unidirectional=r.randint(0, 1))
    m.floats(batch, steps, heads * size)
    if apart:
        m.floats(batch, heads, keys, size), m.floats(batch, heads, keys, values), m.omit()
    else:
        m.floats(batch, keys, heads * size), m.floats(batch, keys, heads * values)
        m.floats(heads * (2 * size + values)) if maybe(r) else m.omit()
    mask(m, r, batch, steps, past + keys) if maybe(r, 0.6) else m.omit()
    bias_of_scores(m, r, batch, heads, steps, past + keys) if maybe(r, 0.3) else m.omit()
    for n in (size, values) if past else ():
        m.floats(batch, heads, past, n)
    m.outputs = "fff" if past else "f"
    scaled(m, r)
    return m


def rotations(m, most, half):
    angle = np.arange(most)[:, None] / 10 ** (np.arange(half) / half)
    m.array(np.cos(angle).astype(np.float32)), m.array(np.sin(angle).astype(np.float32))


def rotary(r):
    m, batch, steps, heads, size = Node(r), r.randint(1, 3), r.randint(1, 5), r.choice([1, 2, 3]), r.choice([4, 8])
    part = maybe(r, 0.3)
    m.floats(*((batch, heads, steps, size) if maybe(r) else (batch, steps, heads * size)))
    whole(m, [r.randint(0, 5)] if maybe(r) else m.rng.integers(0, 12, (batch, steps)), np.int64)
    rotations(m, 12, size // 4 if part else size // 2)
    m.attr.update(interleaved=r.randint(0, 1), **({"num_heads": heads, "rotary_embedding_dim": size // 2} if part else {}))
    return m


def group_query_attention(r):
    """A first prompt, a token for each example behind keys of different number, or several tokens of one example."""
    m, groups, shared, size = Node(r, "fff"), r.choice([1, 2]), r.choice([1, 2, 3]), 16
    kind = r.choice(["prompt", "token", "tokens"])
    batch, steps = (1 if kind == "tokens" else r.randint(1, 3)), 1 if kind == "token" else r.randint(2, 5)
    past, heads, packed = 0 if kind == "prompt" else r.randint(1, 6), groups * shared, maybe(r, 0.3)
    room = past + steps + r.randint(0, 3) if maybe(r, 0.3) else past  # a cache that holds what is to come, too
    m.floats(batch, steps, (heads + 2 * groups if packed else heads) * size)
    for _ in range(2):
        m.omit() if packed else m.floats(batch, steps, groups * size)
    for _ in range(2):
        m.floats(batch, groups, room, size) if room else m.omit()
    seen = m.rng.integers(0, past + 1, batch) if kind == "token" else np.full(batch, past + steps - 1)
    seen[0] = past + steps - 1
    whole(m, seen)
    m.constants.update([6] if room > past or maybe(r) else [])
    whole(m, past + steps)
    turned = maybe(r)
    rotations(m, 16, size // 2) if turned else (m.omit(), m.omit())
    m.omit()
    bias_of_scores(m, r, batch, heads, steps, past + steps) if maybe(r, 0.3) else m.omit()
    m.floats(heads) if maybe(r, 0.2) else m.omit()
    m.attr.update(num_heads=heads, kv_num_heads=groups, do_rotary=int(turned), rotary_interleaved=r.randint(0, 1))
    m.attr.update({"local_window_size": r.randint(1, 4)} if maybe(r, 0.3) else {})
    m.attr.update({"softcap": round(r.uniform(0.5, 3), 1)} if maybe(r, 0.3) else {})
    m.attr.update({"smooth_softmax": 1} if maybe(r, 0.2) else {})
    scaled(m, r)
    return m


def nhwc_pool(r):
    m, n = Node(r, "u"), 2
    m.quantised(r.randint(1, 2), r.randint(4, 7), r.randint(4, 7), r.randint(1, 5))
    m.attr.update(kernel_shape=[r.randint(1, 3) for _ in range(n)], strides=[r.randint(1, 2) for _ in range(n)], ceil_mode=r.randint(0, 1))
    return m


def q_conv_last(r):
    k, last = kind_of(r), maybe(r, 0.8)
    m, group, channels, filters = Node(r, k), r.choice([1, 1, 2]), r.randint(1, 4), r.randint(1, 4)
    s = [r.randint(1, 2), 5, 6]
    s.insert(3 if last else 1, group * channels)
    m.quantised(*s, kind=k), m.scale(), m.zero(k)
    m.array(m.rng.integers(-64, 64, (group * filters, channels, 3, 3)).astype(np.int8)), m.constants.add(3)
    m.scale(), m.array(np.int8(0)), m.constants.add(5)
    m.scale(0.02, 0.2), m.zero(k)
    if maybe(r):
        m.constants.add(8)
        m.array(m.rng.integers(-900, 900, group * filters).astype(np.int32))
    m.attr.update(channels_last=int(last), group=group, pads=[1, 0, 1, 1], kernel_shape=[3, 3], strides=[r.randint(1, 2), 1])
    return m


def where(r):
    k = kind_of(r)
    m = Node(r, k)
    s = m.shape()
    m.array(m.rng.integers(0, 2, s[m.r.randint(0, len(s)):]).astype(bool))
    for _ in "xy":
        m.quantised(*s[m.r.randint(0, len(s)):], kind=k), m.scale(), m.zero(k)
    m.scale(), m.zero(k)
    return m


def concat(r):
    k = kind_of(r)
    m = Node(r, k)
    s = m.shape()
    axis = r.randint(-len(s), len(s) - 1)
    m.scale(), m.zero(k)
    for _ in range(r.randint(1, 4)):
        s[axis] = r.randint(1, 5)
        m.quantised(*s, kind=k), m.scale(), m.zero(k)
    m.attr["axis"] = axis
    return m


def product_of_16_bits(r):
    m, s = Node(r, "i"), [r.randint(1, 3) for _ in range(r.randint(0, 2))]
    rows, inner, cols = r.randint(1, 5), r.randint(1, 9), r.randint(1, 6)
    for shape in (*s, rows, inner), (inner, cols):
        m.array(m.rng.integers(-3000, 3000, shape).astype(np.int16))
    return m


def quantize(r):
    kind = r.choice(["u", "b", "h", "H"])
    m, s = Node(r, kind), r.choice([[3], [2, 5], [2, 3, 4]])
    axis = r.randint(0, len(s) - 1)
    each = s[axis] if maybe(r) else None
    m.floats(*s, scale=3), m.scale(1e-4 if kind in "hH" else 0.01, 0.05, each)
    lo, hi = {"u": (100, 156), "b": (-20, 20), "h": (-900, 900), "H": (20000, 40000)}[kind]
    m.constants.add(2)
    m.array(np.asarray(m.rng.integers(lo, hi, each or ())).astype({"u": np.uint8, "b": np.int8, "h": np.int16, "H": np.uint16}[kind]))
    if each:
        m.attr["axis"] = axis
    return m


def few_bits(m, kind, shape):
    lo, hi = (0, 16) if kind == ml_dtypes.uint4 else (-8, 8)
    return m.array(m.rng.integers(lo, hi, shape).astype(np.int8).astype(kind))


def dequantize(r):
    kind = r.choice([np.int16, np.uint16, np.int32, ml_dtypes.int4, ml_dtypes.uint4])
    m, s = Node(r), r.choice([[3], [2, 5], [2, 3, 4]])
    axis, small = r.randint(0, len(s) - 1), kind in (ml_dtypes.int4, ml_dtypes.uint4)
    each = s[axis] if maybe(r) else None
    lo, hi = (-900, 900) if kind != np.uint16 else (0, 40000)
    few_bits(m, kind, s) if small else m.array(m.rng.integers(lo, hi, s).astype(kind))
    m.scale(n=each)
    if maybe(r, 0.7) and kind != np.int32:
        few_bits(m, kind, each or ()) if small else m.array(np.asarray(m.rng.integers(max(lo, 0), 900, each or ())).astype(kind))
    m.constants.update(range(len(m.inputs)) if small else range(1, len(m.inputs)))
    if each:
        m.attr["axis"] = axis
    return m


def gather_block_quantized(r):
    """Bytes along the last dim, or 4 bits along any."""
    m, bits, block = Node(r), r.choice([2, 4, 8]), r.choice([16, 32])
    packed = maybe(r, 0.6)
    kind = np.uint8 if packed else r.choice([ml_dtypes.int4, ml_dtypes.uint4])
    wide = r.choice([16, 32, 40, 64])
    s = [r.randint(2, 6) for _ in range(r.randint(1, 2))] + [wide]
    quantised, gathered = len(s) - 1, 0
    if not packed:
        bits, gathered = 4, r.randint(0, len(s) - 2)
    scales = s[:-1] + [-(-wide // block)]
    if packed:
        m.array(m.rng.integers(0, 256, s[:-1] + [wide * bits // 8]).astype(np.uint8))
    else:
        few_bits(m, kind, s)
    m.array(m.rng.integers(-s[gathered], s[gathered], m.shape(1, 2)).astype(r.choice([np.int64, np.int32])))
    m.array(m.rng.uniform(0.01, 0.1, scales).astype(np.float32))
    if maybe(r):
        if packed:
            m.array(m.rng.integers(0, 256, scales[:-1] + [-(-scales[-1] * bits // 8)]).astype(np.uint8))
        else:
            few_bits(m, kind, scales)
    m.constants.update({0, 2, 3} & set(range(len(m.inputs))))
    m.attr.update(block_size=block, gather_axis=gathered, quantize_axis=quantised - len(s) if maybe(r) else quantised)
    if packed:
        m.attr["bits"] = bits
    return m


def matmul_codes(r):
    m, k, n, block = Node(r), r.choice([32, 64, 96]), r.randint(1, 9), r.choice([16, 32])
    m.floats(*m.shape(1, 2), k)
    m.array(m.rng.integers(0, 256, (n * k + 1) // 2).astype(np.uint8)), m.array(m.rng.uniform(0.1, 2, -(-n * k // block)).astype(np.float32))
    m.constants.update({1, 2})
    m.attr.update(K=k, N=n, block_size=block, quant_type=r.randint(0, 1))
    return m


def inverse(r):
    m, n = Node(r), r.randint(1, 6)
    m.array((m.rng.normal(size=m.shape(0, 2) + [n, n]) + 4 * np.eye(n)[m.rng.permutation(n)]).astype(np.float32))
    return m


def distances(r):
    m, n = Node(r), r.randint(1, 5)
    m.floats(r.randint(1, 6), n), m.floats(r.randint(1, 6), n)
    m.attr["metric"] = r.choice(["sqeuclidean", "euclidean"])
    return m


def dynamic_lstm(r):
    """A sequence that ends early goes forward and alone: ONNX Runtime's ranges have what lies beyond the end of others in them, or not."""
    m, steps, batch, width, hidden = Node(r, "fff"), r.randint(1, 5), r.randint(1, 3), r.randint(1, 6), r.randint(1, 7)
    direction = r.choice(["forward", "reverse", "bidirectional"])
    d, k = 2 if direction == "bidirectional" else 1, kind_of(r)
    each = maybe(r)
    m.floats(steps, batch, width)
    for inner in width, hidden:
        m.array(m.rng.integers(-64, 64, (d, inner, 4 * hidden)).astype(np.int8) if k == "b" else m.rng.integers(64, 192, (d, inner, 4 * hidden)).astype(np.uint8))
    m.floats(d, 8 * hidden) if maybe(r, 0.7) else m.omit()
    m.array(np.full(batch, r.randint(1, steps) if batch == 1 and direction == "forward" else steps, np.int32)) if maybe(r, 0.3) else m.omit()
    for _ in "hc":
        m.floats(d, batch, hidden) if maybe(r) else m.omit()
    m.floats(d, 3 * hidden) if maybe(r, 0.3) else m.omit()
    for _ in "wr":
        m.array(m.rng.uniform(0.005, 0.02, (d, 4 * hidden) if each else d).astype(np.float32))
        m.array(np.full((d, 4 * hidden) if each else d, 0 if k == "b" else 128).astype(np.int8 if k == "b" else np.uint8))
    m.constants.update({1, 2, 8, 9, 10, 11} | ({3} if m.inputs[3] is not None else set()))
    m.attr.update(hidden_size=hidden, direction=direction)
    if maybe(r, 0.3):
        m.attr["clip"] = r.choice([0.3, 1.0, 3.0])
    if maybe(r, 0.3):
        m.attr["activations"] = [r.choice(["Relu", "Tanh", "Sigmoid", "Softsign"]) for _ in range(3 * d)]
    if maybe(r, 0.2):
        m.attr["input_forget"] = 1
    return m


MAKERS = {
    "QLinearMul": product_of_quantised, "QLinearAdd": product_of_quantised, "QLinearSigmoid": unary_of_quantised(out=(0.004, 0.005)),
    "QLinearLeakyRelu": unary_of_quantised(alpha=lambda r, x: round(r.uniform(0.01, 0.5), 2)),
    "QLinearGlobalAveragePool": unary_of_quantised((3, 4), channels_last=lambda r, x: r.randint(0, 1)), "QLinearAveragePool": average_pool, "QGemm": q_gemm,
    "MatMulIntegerToFloat": integer_to_float, "DynamicQuantizeMatMul": dynamic_matmul, "MatMulNBits": matmul_n_bits,
    "BiasGelu": with_bias(True), "FastGelu": with_bias(False), "QuickGelu": quick_gelu, "FusedMatMul": fused_matmul, "FusedGemm": fused_gemm,
    "FusedConv": fused_conv, "SkipLayerNormalization": skip_norm(False), "SkipSimplifiedLayerNormalization": skip_norm(True),
    "EmbedLayerNormalization": embed_norm, "Attention": attention, "MultiHeadAttention": multi_head_attention, "RotaryEmbedding": rotary,
    "GroupQueryAttention": group_query_attention, "QLinearConv": q_conv_last, "NhwcMaxPool": nhwc_pool,
    "EmbedLayerNormalization": embed_norm, "QLinearWhere": where, "QLinearConcat": concat, "MatMulInteger16": product_of_16_bits, "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize, "GatherBlockQuantized": gather_block_quantized, "MatMulBnb4": matmul_codes, "Inverse": inverse, "CDist": distances,
    "DynamicQuantizeLSTM": dynamic_lstm,
}
