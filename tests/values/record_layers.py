#!/usr/bin/env python3
"""Writes layers-*.nn: layers of .nn texts beside what PyTorch computes with the same weights, which nncc draws.

usage: record_layers.py NNCC       needs numpy, onnx and torch (recorded with PyTorch 2.15)
A network has its input as a constant, and says of each layer whether the result is within 1e-5 of the recorded one."""
import os, subprocess, sys, tempfile

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

here = os.path.dirname(os.path.abspath(__file__))
RUNS = ["nncc run %s", "nncc run %s --off=fold,fold.2", "nncc run %s --off=fold,fold.2 -O0", "nncc run %s --off=fold,fold.2 --interpret"]


def gates(t, order, units):
    """ONNX's order of gates to PyTorch's."""
    return torch.cat([t[g * units:(g + 1) * units] for g in order])


ORDER = {"lstm": [0, 2, 3, 1], "gru": [1, 0, 2], "rnn": [0]}  # i o f c, z r h, one


def recurrent(kind, w, name, layers=1, reverse=False, states=(), sequences=True, **options):
    """PyTorch's module with these weights; bidirectional where they have two directions."""
    x = w["x"].flip(1) if reverse else w["x"]
    parts = [{p: w[f"{name}.{k}{p}"] for p in ("weight", "recurrent", "bias")} for k in ([""] if layers == 1 else [f"{i + 1}." for i in range(layers)])]
    directions, rows, features = parts[0]["weight"].shape
    units = parts[0]["recurrent"].shape[2]
    m = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[kind](features, units, layers, batch_first=True, bidirectional=directions == 2, **options)
    for k, p in enumerate(parts):
        for d in range(directions):
            end = f"_l{k}" + "_reverse" * d
            for theirs, t in (("weight_ih", p["weight"][d]), ("weight_hh", p["recurrent"][d]), ("bias_ih", p["bias"][d][:rows]), ("bias_hh", p["bias"][d][rows:])):
                getattr(m, theirs + end).data = gates(t, ORDER[kind], units)
    given = [s if s.dim() == 3 else s[None] for s in states]
    y, h = m(x, None if not given else tuple(given) if kind == "lstm" else given[0])
    h = list(h) if kind == "lstm" else [h]
    last = torch.cat(list(h[0][-directions:]), 1)
    if layers * directions == 1: h = [s[0] for s in h]
    return [(y.flip(1) if reverse else y) if sequences else last] + h


def attention(w, name, query, memory, heads, mask=None, causal=False):
    part = lambda x, p: x @ w[f"{name}.{p}.weight"] + w[f"{name}.{p}.bias"]
    split = lambda x: x.unflatten(2, (heads, -1)).transpose(1, 2)
    q, k, v = split(part(query, "query")), split(part(memory, "key")), split(part(memory, "value"))
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    return part(y.transpose(1, 2).flatten(2), "output")


def recurrent_cases(w):
    r = lambda kind, name, **o: recurrent(kind, w, name, **o)
    return {**dict(zip(("a", "ah", "ac"), r("lstm", "a", states=(w["h"], w["cell"])))),
            **dict(zip(("b", "bh"), r("gru", "b", layers=2, states=(w["four"],)))),
            "c": r("rnn", "c", reverse=True, nonlinearity="relu", sequences=False)[0],
            "d": r("lstm", "d", sequences=False)[0], "e": r("gru", "e")[0],
            **dict(zip(("f", "fh", "fc"), r("lstm", "f", layers=2)))}


def attention_cases(w):
    x, y, triangle = w["x"], w["y"], w["mask"]
    return {"a": attention(w, "a", x, x, 2), "b": attention(w, "b", x, x, 3, causal=True), "c": attention(w, "c", x, y, 2),
            "d": attention(w, "d", x, x, 1, mask=triangle), "e": F.embedding(w["ids"], w["e.weight"]),
            "f": F.layer_norm(x, x.shape[1:]), "g": F.gelu(x @ w["g.weight"] + w["g.bias"])}


def window_cases(w):
    s, i, v = w["signal"], w["image"], w["volume"]
    conv = lambda f, x, n, **o: f(x, w[n + ".weight"], w[n + ".bias"], **o)
    return {"a": conv(F.conv1d, F.pad(s, (4, 0)), "a", dilation=2), "b": conv(F.conv3d, v, "b", padding=(0, 1, 1)),
            "c": conv(F.conv_transpose1d, s, "c", stride=2, output_padding=1), "d": conv(F.conv_transpose3d, v, "d", stride=2),
            "e": F.max_pool1d(s, 2), "f": F.avg_pool3d(v, (1, 2, 2)), "g": F.max_pool3d(v, 2), "h": F.avg_pool1d(s, 3, stride=1),
            "i": F.interpolate(i, scale_factor=(2, 3)), "j": F.interpolate(i, scale_factor=2, mode="bilinear"),
            "k": F.interpolate(s, scale_factor=2, mode="linear"), "l": F.group_norm(i, 2), "m": F.adaptive_max_pool2d(i, 1),
            "n": F.interpolate(v, scale_factor=2)}


CASES = {"recurrent": (recurrent_cases, {"x": (2, 4, 3), "h": (2, 3), "cell": (2, 3), "four": (4, 2, 2)}, """
  %a, %ah, %ac = lstm(%x, %h, %cell) {units = 3, sequences = true, bias_init = uniform(-1, 1)}
  %b, %bh = gru(%x, %four) {units = 2, layers = 2, direction = bidirectional, sequences = true, dropout = 0.5, bias_init = uniform(-1, 1)}
  %c = rnn(%x) {units = 3, direction = reverse, activation = relu, bias_init = uniform(-1, 1)}
  %d = lstm(%x) {units = 2, direction = bidirectional}
  %e = gru(%x) {units = 2, sequences = true, bias_init = normal(1)}
  %f, %fh, %fc = lstm(%x) {units = 2, layers = 2, sequences = true}"""),
         "attention": (attention_cases, {"x": (2, 3, 6), "y": (2, 2, 4)}, """
  %a = attention(%x) {heads = 2, bias_init = uniform(-1, 1)}
  %b = attention(%x) {heads = 3, causal = true, init = normal(0.7)}
  %c = attention(%x, %y) {heads = 2, units = 8, init = normal(0.7)}
  %d = attention(%x, _, %mask) {heads = 1, init = normal(0.7), bias_init = normal(0.5)}
  %e = embedding(%ids) {size = 5, units = 3}
  %f = layernorm(%x) {axis = 1}
  %g = dense(%x) {units = 2, activation = gelu, init = he_uniform, bias_init = normal(0.5)}"""),
         "windows": (window_cases, {"signal": (1, 2, 6), "image": (1, 4, 2, 3), "volume": (1, 2, 2, 3, 4)}, """
  %a = conv1d(%signal) {filters = 2, kernel = 3, dilation = 2, pad = causal, bias_init = normal(0.5)}
  %b = conv3d(%volume) {filters = 2, kernel = [1, 3, 3], pad = same, bias_init = normal(0.5)}
  %c = conv1d_transpose(%signal) {filters = 2, kernel = 3, stride = 2, output_pad = 1, bias_init = normal(0.5)}
  %d = conv3d_transpose(%volume) {filters = 1, kernel = 2, stride = 2, bias_init = normal(0.5)}
  %e = maxpool1d(%signal) {kernel = 2}
  %f = avgpool3d(%volume) {kernel = [1, 2, 2]}
  %g = maxpool3d(%volume) {kernel = 2}
  %h = avgpool1d(%signal) {kernel = 3, stride = 1}
  %i = upsample2d(%image) {scale = [2, 3]}
  %j = upsample2d(%image) {mode = linear}
  %k = upsample1d(%signal) {mode = linear}
  %l = groupnorm(%image) {groups = 2}
  %m = global_maxpool(%image)
  %n = upsample3d(%volume)""")}


def listed(t):
    return "[" + ", ".join(listed(x) for x in t) + "]" if t.dim() else str(t.item()).lower() if t.dtype != torch.float32 else f"{t.item():.7g}"


def constant(name, t):
    kind = {torch.float32: "f32", torch.int64: "i64", torch.bool: "bool"}[t.dtype]
    return f"const %{name}: {kind}[{','.join(map(str, t.shape))}] = {listed(t)}\n"


def record(nncc, name, make, shapes, body):
    rng = torch.Generator().manual_seed(7)
    inputs = {k: torch.round(torch.randn(s, generator=rng) * 100) / 100 for k, s in shapes.items()}
    if name == "attention": inputs.update(ids=torch.tensor([[4, 0, 2]]), mask=torch.tensor([[True, False, False], [True, True, False], [False, True, True]]))
    consts = "".join(constant(k, t) for k, t in inputs.items())
    results = [r.strip() for line in body.strip().split("\n") for r in line.split("=")[0].split(",")]
    with tempfile.TemporaryDirectory() as work:
        open(f"{work}/n.nn", "w").write(f"{consts}network @f() {{{body}\n  return {', '.join(results)}\n}}\n")
        subprocess.run([nncc, f"{work}/n.nn", "--emit=onnx", "--passes=none", "-o", f"{work}/n.onnx"], check=True)
        weights = {i.name: torch.from_numpy(np.array(numpy_helper.to_array(i))) for i in onnx.load(f"{work}/n.onnx").graph.initializer}
    with torch.no_grad(): wanted = make({**weights, **inputs})
    assert ["%" + k for k in wanted] == results, (list(wanted), results)
    with open(os.path.join(here, f"layers-{name}.nn"), "w") as f:
        f.write(f"// Layers with the weights that nncc draws. Judge: PyTorch 2.15 with the same; record_layers.py wrote this file.\n")
        for r in RUNS: f.write(f"// RUN: {r} | FileCheck %s\n")
        f.write("\n" + "".join(f"// CHECK: {k}.right bool[]: 1\n" for k in wanted) + consts)
        for k, t in wanted.items(): f.write(constant(k + ".wanted", t))
        f.write("func @near(%result, %wanted) { return Less(ReduceMax(Abs(Sub(%result, %wanted))) {keepdims = 0}, 1e-5) }\n")
        f.write(f"network @f() {{{body}\n  return {', '.join(f'near(%{k}, %{k}.wanted) as %{k}.right' for k in wanted)}\n}}\n")


for case, what in CASES.items(): record(sys.argv[1], case, *what)
