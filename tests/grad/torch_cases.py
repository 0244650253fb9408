"""Random networks of the operators whose gradients go back through loops, indices, interpolations and products, each beside the same in PyTorch.

A maker takes a random.Random and gives a case of vjp.py without its numbers, and `torch`, a function of the inputs' tensors that
returns the outputs'. Its judge is PyTorch's autograd; where PyTorch has no such operator, of what the operator means in its primitives.
"""
import itertools
import math

import torch

F = torch.nn.functional


def pick(rng, *choices):
    return rng.choice(choices)


def ints(values):
    return "[%s]" % ", ".join(str(int(v)) for v in values)


def const(name, values, shape, kind="i64"):
    return "const %%%s: %s[%s] = [%s]" % (name, kind, ",".join(map(str, shape)), ", ".join(str(v).lower() for v in values))


# ---- recurrence: the equations of ONNX, in PyTorch's primitives

ACTIVATIONS = {
    "Tanh": torch.tanh, "Sigmoid": torch.sigmoid, "Relu": torch.relu, "Softsign": F.softsign, "Softplus": F.softplus,
    "HardSigmoid": lambda x: torch.clamp(0.2 * x + 0.5, 0, 1), "Elu": F.elu, "Affine": lambda x: 0.7 * x + 0.1,
}


def split_last(x, n):
    return torch.chunk(x, n, -1)


def rnn_step(x, h, c, w, r, wb, rb, s):
    return s["acts"][0](clipped(x @ w.T + h @ r.T + wb + rb, s)), c


def clipped(x, s):
    return torch.clamp(x, -s["clip"], s["clip"]) if s["clip"] else x


def gru_step(x, h, c, w, r, wb, rb, s):
    f, g = s["acts"]
    wz, wr, wh = split_last(x @ w.T + wb, 3)
    n = h.shape[-1]
    rz, rr = split_last(h @ r[:2 * n].T + rb[:2 * n], 2)
    z, reset = f(clipped(wz + rz, s)), f(clipped(wr + rr, s))
    if s["reset_after"]:
        inner = wh + reset * (h @ r[2 * n:].T + rb[2 * n:])
    else:
        inner = wh + (reset * h) @ r[2 * n:].T + rb[2 * n:]
    return (1 - z) * g(clipped(inner, s)) + z * h, c


def lstm_step(x, h, c, w, r, wb, rb, s):
    f, g, last = s["acts"]
    i, o, forget, cell = split_last(x @ w.T + h @ r.T + wb + rb, 4)
    if s["peep"] is not None:
        pi, po, pf = split_last(s["peep"], 3)
        i, forget = i + pi * c, forget + pf * c
    i = f(clipped(i, s))
    forget = 1 - i if s["couple"] else f(clipped(forget, s))
    c = forget * c + i * g(clipped(cell, s))
    if s["peep"] is not None:
        o = o + po * c
    return f(clipped(o, s)) * last(c), c


def direction(step, x, h, c, w, r, b, s, lens, back):
    """All outputs of one direction, and its last states; steps beyond a sequence's end leave its state."""
    steps = x.shape[0]
    wb, rb = split_last(b, 2)
    rows = []
    for t in range(steps):
        own = torch.tensor([min(max(n - 1 - t, 0), steps - 1) if back else t for n in lens])
        here = x[own, torch.arange(len(lens))]
        h2, c2 = step(here, h, c, w, r, wb, rb, s)
        live = torch.tensor([float(t < n) for n in lens], dtype=x.dtype)[:, None]
        h, c = live * h2 + (1 - live) * h, live * c2 + (1 - live) * c
        rows.append((own, live * h2))
    out = torch.zeros(steps, len(lens), h.shape[-1], dtype=x.dtype)
    for own, row in rows:
        index = own[None, :, None].expand(1, -1, h.shape[-1])
        out = out + torch.zeros_like(out).scatter_add(0, index, row[None])
    return out, h, c


def recurrent(rng):
    kind = pick(rng, "RNN", "GRU", "LSTM")
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind]
    steps, batch, width, hidden = rng.randint(1, 6), rng.randint(1, 3), rng.randint(1, 4), rng.randint(1, 4)
    way = pick(rng, "forward", "reverse", "bidirectional")
    ways = 2 if way == "bidirectional" else 1
    per_way = {"RNN": 1, "GRU": 2, "LSTM": 3}[kind]
    names = [rng.choice(list(ACTIVATIONS)) for _ in range(per_way * ways)] if rng.random() < 0.5 else {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}[kind] * ways
    clip = round(rng.uniform(0.4, 1.5), 2) if rng.random() < 0.3 else 0
    given = {"b": rng.random() < 0.8, "lens": rng.random() < 0.4, "h": rng.random() < 0.5, "c": kind == "LSTM" and rng.random() < 0.5, "p": kind == "LSTM" and rng.random() < 0.4}
    lens = [rng.randint(1, steps) for _ in range(batch)] if given["lens"] else [steps] * batch
    reset_after, couple = kind == "GRU" and rng.random() < 0.5, kind == "LSTM" and rng.random() < 0.3
    inputs = [("x0", [steps, batch, width]), ("x1", [ways, gates * hidden, width]), ("x2", [ways, gates * hidden, hidden])]
    shapes = {"b": [ways, 2 * gates * hidden], "h": [ways, batch, hidden], "c": [ways, batch, hidden], "p": [ways, 3 * hidden]}
    slot = {}
    for k in "bhcp":
        if given[k]:
            slot[k] = len(inputs)
            inputs.append(("x%d" % len(inputs), shapes[k]))
    named = {k: "%%%s" % inputs[slot[k]][0] if k in slot else "_" for k in "bhcp"}
    args = ["%x0", "%x1", "%x2", named["b"], "%lens" if given["lens"] else "_", named["h"]] + ([named["c"], named["p"]] if kind == "LSTM" else [])
    while args[-1] == "_":
        args.pop()
    alphas = [0.7 if n == "Affine" else 1.0 if n == "Elu" else 0.2 for n in names if n in ("Affine", "Elu", "HardSigmoid")]
    betas = [0.1 if n == "Affine" else 0.5 for n in names if n in ("Affine", "HardSigmoid")]
    attrs = ["hidden_size = %d" % hidden, "direction = %s" % way, "activations = [%s]" % ", ".join('"%s"' % n for n in names)]
    attrs += ["activation_alpha = %s" % alphas] * bool(alphas) + ["activation_beta = %s" % betas] * bool(betas)
    attrs += ["clip = %s" % clip] * bool(clip) + ["linear_before_reset = 1"] * reset_after + ["input_forget = 1"] * couple
    outputs = ["o0", "o1"] + (["o2"] if kind == "LSTM" else [])
    step = {"RNN": rnn_step, "GRU": gru_step, "LSTM": lstm_step}[kind]

    def meaning(*x):
        parts = []
        for d in range(ways):
            b = x[slot["b"]][d] if given["b"] else torch.zeros(2 * gates * hidden, dtype=x[0].dtype)
            h, c = (x[slot[k]][d] if given[k] else torch.zeros(batch, hidden, dtype=x[0].dtype) for k in "hc")
            s = {"acts": [ACTIVATIONS[n] for n in names[per_way * d:]][:per_way], "clip": torch.tensor(clip, dtype=torch.float32).item(), "reset_after": reset_after, "couple": couple,
                 "peep": x[slot["p"]][d] if given["p"] else None}
            parts.append(direction(step, x[0], h, c, x[1][d], x[2][d], b, s, lens, way == "reverse" or d == 1))
        found = [torch.stack([p[0] for p in parts], 1), torch.stack([p[1] for p in parts])]
        return found + ([torch.stack([p[2] for p in parts])] if kind == "LSTM" else [])

    text = ["%s = %s(%s) {%s}" % (", ".join("%" + o for o in outputs), kind, ", ".join(args), ", ".join(attrs))]
    return {"inputs": inputs, "outputs": outputs, "text": text, "consts": [const("lens", lens, [batch], "i32")] if given["lens"] else [], "torch": meaning,
            "constants": "single" if clip or alphas else ""}


# ---- Resize: along each axis a matrix, by ONNX's text

def coordinate(mode, i, n, size, scale, crop):
    if mode == "asymmetric":
        return i / scale
    if mode == "align_corners":
        return 0.0 if size == 1 else i * (n - 1) / (size - 1)
    if mode == "tf_half_pixel_for_nn":
        return (i + 0.5) / scale if scale != 1 else float(i)  # as runtimes do, whatever the text says
    if mode == "tf_crop_and_resize":
        lo, hi = crop
        return lo * (n - 1) + i * (hi - lo) * (n - 1) / (size - 1) if size > 1 else 0.5 * (lo + hi) * (n - 1)
    if mode == "pytorch_half_pixel" and size == 1:
        return 0.0
    x = (i + 0.5) / scale - 0.5
    if mode == "half_pixel_symmetric":
        x += n / 2 * (1 - size / (scale * n))
    return x


def cubic(t, a):
    t = abs(t)
    if t <= 1:
        return ((a + 2) * t - (a + 3)) * t * t + 1
    return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a if t < 2 else 0.0


def axis_matrix(s, n, size, scale):
    """Row i: how much of each of n elements is in element i. None: a tie that single precision may decide otherwise."""
    rows = torch.zeros(size, n, dtype=torch.float64)
    for i in range(size):
        x = coordinate(s["coordinate"], i, n, size, scale, s["crop"])
        if s["coordinate"] == "tf_crop_and_resize" and (x < 0 or x > n - 1):
            if min(abs(x), abs(x - n + 1)) < 1e-4:
                return None
            continue
        if s["mode"] == "nearest":
            if abs(x * 2 - round(x * 2)) < 1e-4 and s["coordinate"] not in ("asymmetric",):
                return None
            if s["coordinate"] == "asymmetric" and abs(x * 2 - round(x * 2)) < 1e-4 and abs(x * 2 - round(x * 2)) > 0:
                return None
            near = {"floor": math.floor(x), "ceil": math.ceil(x), "round_prefer_floor": math.ceil(x - 0.5), "round_prefer_ceil": math.floor(x + 0.5)}[s["nearest"]]
            rows[i, min(max(near, 0), n - 1)] = 1
            continue
        stretch = min(scale, 1) if s["antialias"] else 1
        reach = 2 if s["mode"] == "cubic" else 1
        base = math.floor(x)
        far = int(math.ceil(reach / stretch)) + 1
        weights = []
        for k in range(base - far, base + far + 1):
            d = (x - k) * stretch
            w = cubic(d, s["a"]) if reach == 2 else max(0.0, 1 - abs(d))
            if w != 0 and not (s["exclude"] and not 0 <= k < n):
                weights.append((k, w))
        total = sum(w for _, w in weights) if s["exclude"] or s["antialias"] else 1
        for k, w in weights:
            rows[i, min(max(k, 0), n - 1)] += w / total
    return rows


def resize(rng):
    while True:
        case = try_resize(rng)
        if case:
            return case


def single(v):
    return torch.tensor(v, dtype=torch.float32).item()


def try_resize(rng):
    rank = rng.randint(2, 5)
    shape = [rng.randint(1, 2) for _ in range(2)] + [rng.randint(1, 6) for _ in range(rank - 2)] if rank > 2 else [rng.randint(1, 6) for _ in range(2)]
    mode = pick(rng, "nearest", "linear", "linear", "cubic")
    s = {"mode": mode, "antialias": mode != "nearest" and rng.random() < 0.3, "exclude": mode != "nearest" and rng.random() < 0.2, "a": pick(rng, -0.75, -0.5),
         "coordinate": pick(rng, "half_pixel", "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"),
         "nearest": pick(rng, "floor", "ceil", "round_prefer_floor", "round_prefer_ceil"), "crop": None}
    if s["coordinate"] == "tf_crop_and_resize" and (s["antialias"] or s["exclude"]):
        return None
    axes = sorted(rng.sample(range(rank), rng.randint(1, min(rank, 3))))
    crops = {a: [round(rng.uniform(-0.2, 0.4), 3), round(rng.uniform(0.5, 1.3), 3)] for a in axes}
    by_scale = rng.random() < 0.6
    sizes, scales = {}, {}
    for a in axes:
        if by_scale:
            scales[a] = single(pick(rng, 0.5, 2.0, 3.0, 1.5, 0.6, 1.7, 2.3, 0.75))
            sizes[a] = math.floor(single(shape[a] * scales[a]))
        else:
            sizes[a] = rng.randint(1, 9)
            scales[a] = sizes[a] / shape[a]
        if sizes[a] < 1:
            return None
    matrices = {}
    for a in axes:
        s["crop"] = [single(v) for v in crops[a]]
        matrices[a] = axis_matrix(s, shape[a], sizes[a], scales[a])
        if matrices[a] is None:
            return None
    attrs = ["mode = %s" % mode, "axes = %s" % axes, "coordinate_transformation_mode = %s" % s["coordinate"]]
    attrs += ["nearest_mode = %s" % s["nearest"]] * (mode == "nearest") + ["antialias = 1"] * s["antialias"] + ["exclude_outside = 1"] * s["exclude"]
    attrs += ["cubic_coeff_a = %s" % s["a"]] * (mode == "cubic")
    consts, roi = [], "_"
    if s["coordinate"] == "tf_crop_and_resize":
        consts, roi = [const("crop", [crops[a][0] for a in axes] + [crops[a][1] for a in axes], [2 * len(axes)], "f32")], "%crop"
    how = "%s, %s" % (roi, [scales[a] for a in axes]) if by_scale else "%s, _, %s" % (roi, [sizes[a] for a in axes])

    def meaning(x):
        for a in axes:
            x = torch.movedim(torch.movedim(x, a, -1) @ matrices[a].T, -1, a)
        return [x]

    return {"inputs": [("x0", shape)], "outputs": ["o0"], "text": ["%%o0 = Resize(%%x0, %s) {%s}" % (how, ", ".join(attrs))], "consts": consts, "torch": meaning,
            "constants": "single" if roi != "_" else ""}


def interpolate(rng):
    """The forms that PyTorch has itself."""
    spatial = rng.randint(1, 3)
    shape = [rng.randint(1, 2), rng.randint(1, 3)] + [rng.randint(2, 6) for _ in range(spatial)]
    sizes = [rng.randint(1, 10) for _ in range(spatial)]
    mode, names = pick(rng, ("linear", {1: "linear", 2: "bilinear", 3: "trilinear"}), ("cubic", {2: "bicubic"}))
    corners = rng.random() < 0.5
    smooth = spatial == 2 and rng.random() < 0.3 and not corners and 1 not in sizes  # PyTorch 2.15 repeats the first row where one column is left
    if spatial not in names:
        return interpolate(rng)
    attrs = "mode = %s, coordinate_transformation_mode = %s%s%s" % (mode, "align_corners" if corners else "half_pixel", ", antialias = 1, exclude_outside = 1" if smooth else "",
                                                                  ", cubic_coeff_a = -0.5" if smooth and mode == "cubic" else "")
    return {"inputs": [("x0", shape)], "outputs": ["o0"], "text": ["%%o0 = Resize(%%x0, _, _, %s) {%s}" % (ints(shape[:2] + sizes), attrs)],
            "torch": lambda x: [F.interpolate(x, size=sizes, mode=names[spatial], align_corners=corners, antialias=smooth)]}


# ---- scatters

REDUCE = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def scatter_elements(rng):
    rank = rng.randint(1, 3)
    shape = [rng.randint(1, 5) for _ in range(rank)]
    axis = rng.randrange(rank)
    at = [rng.randint(1, d) for d in shape]
    at[axis] = rng.randint(1, 6)
    how = pick(rng, "none", "add", "mul", "max", "min")
    index = torch.zeros(at, dtype=torch.int64)
    if how == "none":
        at[axis] = min(at[axis], shape[axis])
        index = torch.zeros(at, dtype=torch.int64)
        for place in itertools.product(*(range(1 if k == axis else d) for k, d in enumerate(at))):
            order = rng.sample(range(shape[axis]), at[axis])
            for j, v in enumerate(order):
                where = list(place)
                where[axis] = j
                index[tuple(where)] = v
    else:
        index = torch.tensor([rng.randrange(shape[axis]) for _ in range(math.prod(at))]).reshape(at)
    given = [v - shape[axis] if rng.random() < 0.3 else v for v in index.flatten().tolist()]

    def meaning(x, u):
        return [x.scatter(axis, index, u) if how == "none" else x.scatter_reduce(axis, index, u, REDUCE[how], include_self=True)]

    return {"inputs": [("x0", shape), ("x1", at)], "outputs": ["o0"], "consts": [const("at", given, at)],
            "text": ["%%o0 = ScatterElements(%%x0, %%at, %%x1) {axis = %d, reduction = %s}" % (axis, how)], "torch": meaning}


def scatter_nd(rng):
    rank = rng.randint(1, 4)
    shape = [rng.randint(1, 4) for _ in range(rank)]
    depth = rng.randint(1, rank)
    places = list(itertools.product(*(range(d) for d in shape[:depth])))
    how = pick(rng, "none", "add", "mul", "max", "min")
    count = rng.randint(1, 6)
    chosen = rng.sample(places, min(count, len(places))) if how == "none" else [rng.choice(places) for _ in range(count)]
    updates = [len(chosen)] + shape[depth:]
    width = math.prod(shape[depth:])
    rows = torch.tensor([sum(p * math.prod(shape[k + 1:depth]) for k, p in enumerate(place)) for place in chosen])
    index = rows[:, None].expand(-1, width)

    def meaning(x, u):
        flat, new = x.reshape(-1, width), u.reshape(-1, width)
        flat = flat.scatter(0, index, new) if how == "none" else flat.scatter_reduce(0, index, new, REDUCE[how], include_self=True)
        return [flat.reshape(shape)]

    return {"inputs": [("x0", shape), ("x1", updates)], "outputs": ["o0"], "consts": [const("at", [p for place in chosen for p in place], [len(chosen), depth])],
            "text": ["%%o0 = ScatterND(%%x0, %%at, %%x1) {reduction = %s}" % how], "torch": meaning}


# ---- Einsum

def einsum(rng):
    letters = "abcdefg"
    size = {c: rng.randint(1, 4) for c in letters}
    dots = [rng.randint(1, 3) for _ in range(rng.randint(1, 2))] if rng.random() < 0.25 else []
    terms, shapes = [], []
    for _ in range(rng.randint(1, 3)):
        term = [rng.choice(letters) for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.75:
            term = list(dict.fromkeys(term))
        shape = [size[c] for c in term]
        text = "".join(term)
        if dots:
            own = dots[rng.randint(0, len(dots)):]
            own = [1 if rng.random() < 0.2 else d for d in own]
            at = rng.randint(0, len(term))
            text, shape = text[:at] + "..." + text[at:], shape[:at] + own + shape[at:]
        terms.append(text)
        shapes.append(shape)
    used = sorted(set("".join(terms)) - {"."})
    out = rng.sample(used, rng.randint(0, len(used)))
    equation = ",".join(terms)
    if rng.random() < 0.9:
        equation += "->" + ("..." if dots else "") + "".join(out)
    inputs = [("x%d" % i, s) for i, s in enumerate(shapes)]
    return {"inputs": inputs, "outputs": ["o0"], "text": ["%%o0 = Einsum(%s) {equation = \"%s\"}" % (", ".join("%" + n for n, _ in inputs), equation)],
            "torch": lambda *x: [torch.einsum(equation, *x)]}


FAMILIES = {"recurrent": recurrent, "resize": resize, "interpolate": interpolate, "scatter_elements": scatter_elements, "scatter_nd": scatter_nd, "einsum": einsum}


# ---- operators that PyTorch has, with their attributes

def one(text, inputs, f, consts=()):
    """A case of one node; its result is o0."""
    return {"inputs": [("x%d" % i, list(s)) for i, s in enumerate(inputs)], "outputs": ["o0"], "text": ["%o0 = " + text], "consts": list(consts), "torch": lambda *x: [f(*x)]}


def grid_samples():
    modes = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}
    for mode, padding, corners in itertools.product(modes, ("zeros", "border", "reflection"), (0, 1)):
        yield one("GridSample(%%x0, %%x1) {mode = %s, padding_mode = %s, align_corners = %d}" % (mode, padding, corners), [(2, 2, 4, 3), (2, 3, 3, 2)],
                  lambda x, g, m=mode, p=padding, c=corners: F.grid_sample(x, g, modes[m], p, bool(c)))
    yield one("GridSample(%x0, Mul(%x1, 2.0)) {padding_mode = reflection}", [(1, 2, 3, 4, 2), (1, 2, 2, 3, 3)], lambda x, g: F.grid_sample(x, 2 * g, "bilinear", "reflection", False))
    for corners in (0, 1):
        yield one("AffineGrid(%%x0, [2, 1, 3, 4]) {align_corners = %d}" % corners, [(2, 2, 3)], lambda t, c=corners: F.affine_grid(t, [2, 1, 3, 4], bool(c)))


def pads():
    for mode, theirs in (("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular"), ("constant", "constant")):
        yield one("Pad(%%x0, [0, 0, 2, 1, 0, 0, 1, 3]) {mode = %s}" % mode, [(1, 2, 4, 5)], lambda x, m=theirs: F.pad(x, (1, 3, 2, 1), m))


def transforms():
    def parts(z):
        return torch.view_as_real(z)

    yield one("DFT(%x0)", [(2, 6, 2)], lambda x: parts(torch.fft.fft(torch.view_as_complex(x))))
    yield one("DFT(%x0, 9)", [(2, 6, 2)], lambda x: parts(torch.fft.fft(torch.view_as_complex(x), n=9)))
    yield one("DFT(%x0, 4, 0) {inverse = 1}", [(6, 2, 2)], lambda x: parts(torch.fft.ifft(torch.view_as_complex(x), n=4, dim=0)))
    yield one("DFT(%x0, 7) {onesided = 1}", [(2, 8, 1)], lambda x: parts(torch.fft.rfft(x[..., 0], n=7)))
    for n in (5, 6):
        yield one("DFT(%%x0, %d) {inverse = 1, onesided = 1}" % n, [(2, 4, 2)], lambda x, n=n: torch.fft.irfft(torch.view_as_complex(x), n=n)[..., None])
    for side in (0, 1):
        yield one("STFT(%%x0, 2, %%x1) {onesided = %d}" % side, [(2, 11, 1), (4,)],
                  lambda x, w, o=side: parts(torch.stft(x[..., 0], 4, 2, 4, w, center=False, onesided=bool(o), return_complex=True)).transpose(1, 2))


def windows():
    yield one("LRN(%x0) {size = 3, alpha = 0.5, beta = 0.75, bias = 1.5}", [(2, 5, 3, 2)], lambda x: F.local_response_norm(x, 3, 0.5, 0.75, 1.5))
    for p in (1, 2, 3):
        yield one("LpPool(%%x0) {kernel_shape = [2, 3], strides = [2, 1], p = %d}" % p, [(2, 2, 5, 4)], lambda x, p=p: F.lp_pool2d(x.abs(), p, (2, 3), (2, 1)))
    at = [0, 3, 5, 13, 14, 22, 25 - 24, 26 - 24, 30 - 24, 36 - 24, 39 - 24, 47 - 24]
    flat = [v + 24 * (i >= 6) for i, v in enumerate(at)]
    yield one("MaxUnpool(%x0, %at) {kernel_shape = [2, 2], strides = [2, 2]}", [(1, 2, 2, 3)],
              lambda x: F.max_unpool2d(x, torch.tensor(at).reshape(1, 2, 2, 3), 2), [const("at", flat, [1, 2, 2, 3])])
    yield one("Col2Im(%x0, [4, 5], [2, 2]) {strides = [1, 2], pads = [1, 0, 1, 0]}", [(2, 8, 10)], lambda x: F.fold(x, (4, 5), 2, 1, (1, 0), (1, 2)))


def matrices():
    yield one("Det(%x0)", [(2, 3, 4, 4)], torch.linalg.det)
    yield one("Det(%x0)", [(3, 1, 1)], torch.linalg.det)
    yield one("CumProd(%x0, 1)", [(3, 5)], lambda x: x.cumprod(1))
    zero = const("zero", [1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0], [3, 5], "f32")
    mask = torch.tensor([1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0], dtype=torch.float64).reshape(3, 5)
    yield one("CumProd(Mul(%x0, %zero), 1)", [(3, 5)], lambda x: (x * mask).cumprod(1), [zero])
    yield one("GatherND(%x0, [[[1], [0], [1]], [[3], [3], [0]]]) {batch_dims = 1}".replace("[[[1], [0], [1]], [[3], [3], [0]]]", "%at"), [(2, 4, 3)],
              lambda x: torch.stack([x[0][[1, 0, 1]], x[1][[3, 3, 0]]]), [const("at", [1, 0, 1, 3, 3, 0], [2, 3, 1])])
    yield one("ReverseSequence(%x0, %at)", [(4, 2, 2)], lambda x: torch.stack([torch.cat([x[:3, 0].flip(0), x[3:, 0]]), torch.cat([x[:2, 1].flip(0), x[2:, 1]])], 1),
              [const("at", [3, 2], [2])])


def attentions():
    seen = torch.tensor([1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1], dtype=torch.bool).reshape(3, 5)
    shapes = [(2, 4, 3, 4), (2, 4, 5, 4), (2, 4, 5, 3)]

    def masked(q, k, v):
        found = F.scaled_dot_product_attention(q, k, v, seen | ~seen.any(1, keepdim=True))
        return found * seen.any(1)[:, None]

    yield one("Attention(%x0, %x1, %x2)", shapes, F.scaled_dot_product_attention)
    yield one("Attention(%x0, %x1, %x2, %x3)", shapes + [(3, 5)], lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m))
    yield one("Attention(%x0, %x1, %x2, %seen)", shapes, masked, [const("seen", [str(bool(v)).lower() for v in seen.flatten().tolist()], [3, 5], "bool")])


OPERATORS = [grid_samples, pads, transforms, windows, matrices, attentions]
