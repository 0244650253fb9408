"""Sizes that only a call tells, in networks, branches and loops, against ONNX Runtime.

usage: by_call.py NNCC DIR [TEXT]

Each case is a small model, sets of inputs and the options that bound it; `nncc verify` compares it as C, at -O0, interpreted, as CUDA in
the emulator, and with sanitizers and poison. TEXT: cases whose name contains it. Last line: N passed, N failed.
"""
import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

F, I, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
WAYS = [[], ["-O0"], ["--interpret", "-O0"], ["--target=cuda"], ["--poison", "--cc", "cc -O1 -fsanitize=address,undefined -fno-sanitize-recover"]]
nncc, work, asked = sys.argv[1], sys.argv[2], sys.argv[3:]
draw = np.random.default_rng(0)
passed = failed = 0


def f(*shape):
    return draw.uniform(-1, 1, shape).astype(np.float32)


def f32(*x):
    return np.array(x, np.float32)


def i64(*x):
    return np.array(x, np.int64)


def one(x):
    return np.array(x, np.int64)


def tensor(name, kind, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


def sequence(name, kind=F):
    return helper.make_tensor_sequence_value_info(name, kind, None)


def optional(name, kind=F):
    return helper.make_value_info(name, helper.make_optional_type_proto(helper.make_tensor_type_proto(kind, None)))


def const(name, x):
    return numpy_helper.from_array(np.array(x), name)


node = helper.make_node


def graph(nodes, ins, outs, consts=()):
    return helper.make_graph(nodes, "g", ins, outs, list(consts))


def save(at, i, side, value, x):
    with open(f"{at}/{side}_{i}.pb", "wb") as out:
        out.write(numpy_helper.from_array(np.array(x), value.name).SerializeToString())


def case(name, g, sets, *options, opset=20, ways=WAYS):
    global passed, failed
    if asked and not any(a in name for a in asked):
        return
    model = helper.make_model(g, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    at = f"{work}/{name}"
    os.makedirs(at)
    onnx.save(model, f"{at}/model.onnx")
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level, settings.graph_optimization_level = 3, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    judge = onnxruntime.InferenceSession(f"{at}/model.onnx", settings, providers=["CPUExecutionProvider"])
    for k, given in enumerate(sets):
        os.makedirs(f"{at}/test_data_set_{k}")
        for i, x in enumerate(g.input):
            save(f"{at}/test_data_set_{k}", i, "input", x, given[x.name])
        for i, (x, y) in enumerate(zip(g.output, judge.run(None, given))):
            save(f"{at}/test_data_set_{k}", i, "output", x, y)
    for way in ways:
        # Interpreted, the extents are those of the first set.
        of = f"{at}/test_data_set_0" if "--interpret" in way and "--dim" in options else at
        p = subprocess.run([nncc, "verify", f"{at}/model.onnx", of, *options, *way], capture_output=True, text=True)
        if p.returncode == 0:
            passed += 1
        else:
            failed += 1
            print(f"FAIL  {name} {' '.join(way)}\n{(p.stdout + p.stderr)[-600:]}")


sel = [const("z", np.float32(0)), const("one", np.array([1], np.int64)), const("zero1", np.array([0], np.int64))]
yes = graph([node("Greater", ["x", "z"], ["m"]), node("Compress", ["x", "m"], ["y"])], [], [tensor("y", F, ["k"])])
no = graph([node("Less", ["x", "z"], ["m2"]), node("Compress", ["x", "m2"], ["y2"])], [], [tensor("y2", F, ["k2"])])
case("if_compress", graph([node("If", ["b"], ["r"], then_branch=yes, else_branch=no), node("ReduceSum", ["r"], ["s"], keepdims=0),
    node("Mul", ["r", "s"], ["q"])], [tensor("x", F, [8]), tensor("b", B, [])], [tensor("q", F, ["p"]), tensor("s", F, [])], sel),
    [dict(x=f(8), b=np.array(v)) for v in (True, False)])
yes = graph([node("Slice", ["x", "zero1", "one"], ["y"])], [], [tensor("y", F, None)])
no = graph([node("Identity", ["x"], ["y2"])], [], [tensor("y2", F, None)])
case("if_static", graph([node("If", ["b"], ["r"], then_branch=yes, else_branch=no), node("Exp", ["r"], ["q"])], [tensor("x", F, [4, 3]),
    tensor("b", B, [])], [tensor("q", F, ["p", "o"])], sel), [dict(x=f(4, 3), b=np.array(v)) for v in (True, False)])
yes = graph([node("NonZero", ["x"], ["nz"]), node("Transpose", ["nz"], ["y"])], [], [tensor("y", I, None)])
no = graph([node("Constant", [], ["y2"], value=const("v", np.zeros((2, 2), np.int64)))], [], [tensor("y2", I, None)])
case("if_nonzero", graph([node("If", ["b"], ["r"], then_branch=yes, else_branch=no), node("GatherND", ["x", "r"], ["q"])], [tensor("x", F,
    [4, 3]), tensor("b", B, [])], [tensor("q", F, ["p"]), tensor("r", I, ["p", 2])], sel), [dict(x=np.round(f(4, 3)),
    b=np.array(v)) for v in (True, False)])
body = graph([node("Range", ["i0", "i", "i1"], ["r"]), node("ReduceSum", ["r"], ["rs"], keepdims=0), node("Add", ["a", "rs"], ["a2"]),
    node("Identity", ["cc"], ["c2"])], [tensor("i", I, []), tensor("cc", B, []), tensor("a", I, [])], [tensor("c2", B, []), tensor("a2", I,
    [])])
case("loop_range", graph([node("Loop", ["m", "", "a0"], ["r"], body=body)], [tensor("m", I, [])], [tensor("r", I, [])], [const("i0",
    np.int64(0)), const("i1", np.int64(1)), const("a0", np.int64(0))]), [dict(m=one(v)) for v in (5, 0, 3)], "--bound", "m=9")
body = graph([node("Unsqueeze", ["i", "zero1"], ["iu"]), node("Cast", ["iu"], ["fi"], to=1), node("Concat", ["a", "fi"], ["a2"], axis=0),
    node("Identity", ["cc"], ["c2"])], [tensor("i", I, []), tensor("cc", B, []), tensor("a", F, None)], [tensor("c2", B, []), tensor("a2",
    F, None)])
case("loop_grow", graph([node("Loop", ["m", "", "x"], ["r"], body=body), node("Mul", ["r", "r"], ["q"])], [tensor("m", I, []), tensor("x",
    F, [2])], [tensor("q", F, ["k"])], sel), [dict(m=one(v), x=f(2)) for v in (5, 0, 3)], "--bound", "m=9")
case("loop_grow_named", graph([node("Loop", ["m", "", "x"], ["r"], body=body), node("Mul", ["r", "r"], ["q"])], [tensor("m", I, []),
    tensor("x", F, [2])], [tensor("q", F, ["k"])], sel), [dict(m=one(v), x=f(2)) for v in (5, 0, 3)], "--bound", "r=9")
body = graph([node("Cast", ["i"], ["fi"], to=1), node("Mul", ["fi", "p1"], ["t"]), node("Greater", ["a", "t"], ["mk"]), node("Compress",
    ["a", "mk"], ["a2"], axis=0), node("Identity", ["cc"], ["c2"])], [tensor("i", I, []), tensor("cc", B, []), tensor("a", F, None)],
    [tensor("c2", B, []), tensor("a2", F, None)])
case("loop_filter", graph([node("Loop", ["m", "", "x"], ["r"], body=body)], [tensor("m", I, []), tensor("x", F, [12])], [tensor("r", F,
    ["k"])], sel + [const("p1", np.float32(0.1))]), [dict(m=one(v), x=f(12)) for v in (5, 0, 3, 20)])
body = graph([node("Gather", ["x", "i"], ["row"]), node("Greater", ["row", "z"], ["mk"]), node("Compress", ["row", "mk"], ["kept"],
    axis=0), node("Concat", ["a", "kept"], ["a2"], axis=0), node("Identity", ["cc"], ["c2"])], [tensor("i", I, []), tensor("cc", B, []),
    tensor("a", F, None)], [tensor("c2", B, []), tensor("a2", F, None)])
case("loop_gather", graph([node("Loop", ["m", "", "e"], ["r"], body=body), node("ReduceSum", ["r"], ["s"], keepdims=0)], [tensor("x", F,
    [5, 4])], [tensor("r", F, ["k"]), tensor("s", F, [])], sel + [const("m", np.int64(5)), const("e", np.zeros(0, np.float32))]),
    [dict(x=f(5, 4)) for v in range(3)])
yes = graph([node("Concat", ["a", "v"], ["ay"], axis=0)], [], [tensor("ay", F, None)])
no = graph([node("Identity", ["a"], ["an"])], [], [tensor("an", F, None)])
body = graph([node("Unsqueeze", ["i", "zero1"], ["iu"]), node("Gather", ["x", "iu"], ["v"]), node("Squeeze", ["v"], ["vs"]),
    node("Greater", ["vs", "z"], ["p"]), node("If", ["p"], ["a2"], then_branch=yes, else_branch=no), node("Identity", ["cc"], ["c2"])],
    [tensor("i", I, []), tensor("cc", B, []), tensor("a", F, None)], [tensor("c2", B, []), tensor("a2", F, None)])
case("loop_if", graph([node("Loop", ["m", "", "e"], ["r"], body=body), node("Shape", ["r"], ["sh"])], [tensor("x", F, [7])], [tensor("r",
    F, ["k"]), tensor("sh", I, [1])], sel + [const("m", np.int64(7)), const("e", np.zeros(0, np.float32))]),
    [dict(x=f(7)) for v in range(3)])
body = graph([node("Concat", ["a", "x"], ["a2"], axis=1), node("Identity", ["cc"], ["c2"])], [tensor("i", I, []), tensor("cc", B, []),
    tensor("a", F, None)], [tensor("c2", B, []), tensor("a2", F, None)])
case("loop_axis1", graph([node("Loop", ["m", "", "x"], ["r"], body=body), node("ReduceSum", ["r", "one"], ["q"], keepdims=0)], [tensor("m",
    I, []), tensor("x", F, [3, 2])], [tensor("q", F, [3]), tensor("r", F, [3, "k"])], sel), [dict(m=one(v), x=f(3, 2)) for v in (5, 0, 3)],
    "--bound", "m=9")
body = graph([node("Slice", ["x", "zero1", "n1"], ["row"]), node("Cast", ["i"], ["fi"], to=1), node("Add", ["row", "fi"], ["row2"]),
    node("Identity", ["cc"], ["c2"])], [tensor("i", I, []), tensor("cc", B, [])], [tensor("c2", B, []), tensor("row2", F, None)])
case("loop_rows", graph([node("Loop", ["m", ""], ["r"], body=body)], [tensor("x", F, [6]), tensor("n1", I, [1])], [tensor("r", F, [4,
    "k"])], sel + [const("m", np.int64(4))]), [dict(x=f(6), n1=np.array([v], np.int64)) for v in (5, 0, 3)])
body = graph([node("Greater", ["x", "z"], ["mm"]), node("Compress", ["x", "mm"], ["row"]), node("Cast", ["i"], ["fi"], to=1), node("Add",
    ["row", "fi"], ["row2"]), node("Identity", ["cc"], ["c2"])], [tensor("i", I, []), tensor("cc", B, [])], [tensor("c2", B, []),
    tensor("row2", F, None)])
case("loop_rows_data", graph([node("Loop", ["m", ""], ["r"], body=body)], [tensor("x", F, [6])], [tensor("r", F, [4, "k"])],
    sel + [const("m", np.int64(4))]), [dict(x=f(6)) for v in (5, 0, 3)])
for mode, ct, nm in [("nearest", "asymmetric", "floor"), ("nearest", "half_pixel", "round_prefer_floor"), ("linear", "half_pixel",
    "round_prefer_floor"), ("linear", "align_corners", "round_prefer_floor"), ("linear", "pytorch_half_pixel", "round_prefer_floor"),
    ("cubic", "half_pixel", "round_prefer_floor")]:
    case(f"resize_{mode}_{ct}", graph([node("Resize", ["x", "", "s"], ["y"], mode=mode, coordinate_transformation_mode=ct,
        nearest_mode=nm)], [tensor("x", F, [1, 2, 5, 6]), tensor("s", F, [4])], [tensor("y", F, ["a", "b", "c", "d"])]), [dict(x=f(1, 2, 5,
        6), s=f32(1, 1, *v)) for v in ((2, 2), (1.5, 2.3), (0.6, 0.5), (1, 1), (0.3, 0.2))], "--bound", "s=3")
case("resize_concat", graph([node("Concat", ["ones", "s"], ["ss"], axis=0), node("Resize", ["x", "", "ss"], ["y"], mode="linear")],
    [tensor("x", F, [1, 2, 5, 6]), tensor("s", F, [2])], [tensor("y", F, [1, 2, "c", "d"])], [const("ones", f32(1, 1))]), [dict(x=f(1, 2,
    5, 6), s=f32(*v)) for v in ((2, 2), (1.5, 2.3), (0.6, 0.5))], "--bound", "y=15")
case("crop", graph([node("CenterCropPad", ["x", "s"], ["y"])], [tensor("x", F, [4, 7]), tensor("s", I, [2])], [tensor("y", F, ["c",
    "d"])]), [dict(x=f(4, 7), s=i64(*v)) for v in ((2, 9), (4, 7), (7, 2), (1, 1), (3, 4))], "--bound", "s=9")
case("crop_axes", graph([node("CenterCropPad", ["x", "s"], ["y"], axes=[1])], [tensor("x", F, [4, 7]), tensor("s", I, [1])], [tensor("y",
    F, [4, "d"])]), [dict(x=f(4, 7), s=i64(v)) for v in (2, 9, 7, 4)], "--bound", "s=9")
for ac in (0, 1):
    case(f"affine{ac}", graph([node("AffineGrid", ["t", "s"], ["y"], align_corners=ac)], [tensor("t", F, [2, 2, 3]), tensor("s", I, [4])],
        [tensor("y", F, [2, "d", "e", 2])]), [dict(t=f(2, 2, 3), s=i64(2, 3, *v)) for v in ((4, 5), (2, 3), (6, 2))], "--bound", "s=6",
        opset=20)  # where there is one element: docs/behaviour.md
case("splitseq", graph([node("SplitToSequence", ["x", "s"], ["q"], axis=0), node("SequenceAt", ["q", "one"], ["y"])], [tensor("x", F, [7,
    2]), tensor("s", I, [3])], [tensor("y", F, ["d", 2])], [const("one", np.int64(1))]), [dict(x=f(7, 2), s=i64(*v)) for v in ((2, 3, 2),
    (7, 0, 0), (1, 5, 1))], "--bound", "s=7")
case("affine_open", graph([node("Shape", ["x"], ["s"]), node("AffineGrid", ["t", "s"], ["y"])], [tensor("t", F, [2, 2, 3]), tensor("x", F,
    [2, 3, "h", "w"])], [tensor("y", F, [2, "d", "e", 2])]), [dict(t=f(2, 2, 3), x=f(2, 3, *v)) for v in ((4, 5), (1, 3), (6, 1))],
    "--dim", "h=1..6", "--dim", "w=1..6", opset=20)
body = graph([node("Compress", ["a", "k"], ["a2"], axis=0), node("Identity", ["cc"], ["c2"])], [tensor("i", I, []), tensor("cc", B, []),
    tensor("a", F, None)], [tensor("c2", B, []), tensor("a2", F, None)])
case("loop_mask", graph([node("Loop", ["m", "", "x"], ["r"], body=body)], [tensor("x", F, [6]), tensor("k", B, [6])], [tensor("r", F,
    ["k2"])], [const("m", np.int64(3))]), [dict(x=f(6), k=np.array(v, bool)) for v in ([1, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1], [1, 1, 1, 1,
    1, 1])])
body = graph([node("Cast", ["i"], ["fi"], to=1), node("Mul", ["x", "fi"], ["v"]), node("SequenceInsert", ["q", "v"], ["q2"]),
    node("Identity", ["cc"], ["c2"])], [tensor("i", I, []), tensor("cc", B, []), sequence("q")], [tensor("c2", B, []), sequence("q2")])
base = [node("SequenceEmpty", [], ["e"]), node("Loop", ["m", "", "e"], ["r"], body=body)]
ins = [tensor("x", F, [3]), tensor("m", I, [])]
sets = lambda vals: [dict(x=f(3), m=one(v)) for v in vals]
case("seq_concat", graph(base + [node("ConcatFromSequence", ["r"], ["y"], axis=0)], ins, [tensor("y", F, ["n"])]), sets((4, 1, 2)),
    "--bound", "m=6")
case("seq_stack", graph(base + [node("ConcatFromSequence", ["r"], ["y"], axis=1, new_axis=1), node("SequenceLength", ["r"], ["l"])], ins, [tensor("y", F, [3, "n"]), tensor("l", I, [])]), sets((4, 1, 2)), "--bound", "m=6")
case("seq_at", graph(base + [node("SequenceAt", ["r", "p"], ["y"]), node("SequenceLength", ["r"], ["l"])], ins + [tensor("p", I, [])],
    [tensor("y", F, [3]), tensor("l", I, [])]), [dict(x=f(3), m=one(a), p=one(b)) for a, b in ((4, 2), (3, -1), (2, 0))], "--bound", "m=6")
case("seq_insert_pos", graph(base + [node("SequenceInsert", ["r", "x", "p"], ["r2"]), node("ConcatFromSequence", ["r2"], ["y"], axis=0)],
    ins + [tensor("p", I, [])], [tensor("y", F, ["n"])]), [dict(x=f(3), m=one(a), p=one(b)) for a, b in ((4, 2), (3, -1), (2, 0))],
    "--bound", "m=6")
case("seq_erase", graph(base + [node("SequenceErase", ["r", "p"], ["r2"]), node("SequenceErase", ["r2"], ["r3"]),
    node("ConcatFromSequence", ["r3"], ["y"], axis=0)], ins + [tensor("p", I, [])], [tensor("y", F, ["n"])]), [dict(x=f(3), m=one(a),
    p=one(b)) for a, b in ((4, 2), (3, -1), (5, 0))], "--bound", "m=6")
mb = graph([node("Exp", ["a"], ["b0"]), node("Add", ["b0", "x"], ["bb"])], [tensor("a", F, [3])], [tensor("bb", F, [3])])
case("seq_map", graph(base + [node("SequenceMap", ["r"], ["r2"], body=mb), node("ConcatFromSequence", ["r2"], ["y"], axis=0)], ins,
    [tensor("y", F, ["n"])]), sets((4, 1, 2)), "--bound", "m=6")
yes = graph([node("SequenceInsert", ["q", "v"], ["qy"])], [], [sequence("qy")])
no = graph([node("Identity", ["q"], ["qn"])], [], [sequence("qn")])
body = graph([node("Gather", ["x", "i"], ["v"]), node("Greater", ["v", "z"], ["p"]), node("If", ["p"], ["q2"], then_branch=yes,
    else_branch=no), node("Identity", ["cc"], ["c2"])], [tensor("i", I, []), tensor("cc", B, []), sequence("q")], [tensor("c2", B, []),
    sequence("q2")])
case("seq_if_loop", graph([node("SequenceEmpty", [], ["e"]), node("Loop", ["m", "", "e"], ["r"], body=body), node("SequenceInsert", ["r",
    "z"], ["r1"]), node("ConcatFromSequence", ["r1"], ["y"], axis=0, new_axis=1)], [tensor("x", F, [6]), tensor("m", I, [])], [tensor("y",
    F, ["n"])], [const("z", np.float32(0))]), [dict(x=f(6), m=one(v)) for v in (6, 3, 0)], "--bound", "m=6")
yes = graph([node("SequenceConstruct", ["x", "x"], ["sy"])], [], [sequence("sy")])
no = graph([node("Neg", ["x"], ["nx"]), node("SequenceConstruct", ["nx"], ["sn"])], [], [sequence("sn")])
case("seq_if", graph([node("If", ["b"], ["s"], then_branch=yes, else_branch=no), node("SequenceAt", ["s", "k"], ["y"]),
    node("SequenceLength", ["s"], ["l"])], [tensor("x", F, [3]), tensor("b", B, [])], [tensor("y", F, [3]), tensor("l", I, [])],
    [const("k", np.int64(-1))]), [dict(x=f(3), b=np.array(v)) for v in (True, False)])
yes = graph([node("Optional", ["x"], ["sy"])], [], [optional("sy")])
no = graph([node("Optional", [], ["sn"], type=helper.make_tensor_type_proto(F, None))], [], [optional("sn")])
case("opt_if", graph([node("If", ["b"], ["s"], then_branch=yes, else_branch=no), node("OptionalHasElement", ["s"], ["l"])], [tensor("x", F,
    [3]), tensor("b", B, [])], [tensor("l", B, [])]), [dict(x=f(3), b=np.array(v)) for v in (True, False)])
y2 = graph([node("OptionalGetElement", ["s"], ["gy"])], [], [tensor("gy", F, None)])
n2 = graph([node("Neg", ["x"], ["gn"])], [], [tensor("gn", F, None)])
case("opt_get", graph([node("If", ["b"], ["s"], then_branch=yes, else_branch=no), node("OptionalHasElement", ["s"], ["l"]), node("If",
    ["l"], ["y"], then_branch=y2, else_branch=n2)], [tensor("x", F, [3]), tensor("b", B, [])], [tensor("y", F, [3])]), [dict(x=f(3),
    b=np.array(v)) for v in (True, False)])
z = [const("z0", i64(0)), const("ax1", i64(1))]
case("agree_matmul", graph([node("Slice", ["x", "z0", "k", "ax1"], ["a"]), node("Slice", ["y", "z0", "m", "z0"], ["b"]), node("MatMul",
    ["a", "b"], ["q"])], [tensor("x", F, [3, 5]), tensor("y", F, [6, 2]), tensor("k", I, [1]), tensor("m", I, [1])], [tensor("q", F, [3,
    2])], z), [dict(x=f(3, 5), y=f(6, 2), k=i64(v), m=i64(v)) for v in (4, 1, 5)])
case("agree_concat", graph([node("Slice", ["x", "z0", "k", "ax1"], ["a"]), node("Slice", ["x", "z0", "m", "ax1"], ["b"]), node("Concat",
    ["a", "b"], ["q"], axis=0)], [tensor("x", F, [3, 5]), tensor("k", I, [1]), tensor("m", I, [1])], [tensor("q", F, [6, "d"])], z),
    [dict(x=f(3, 5), k=i64(v), m=i64(v)) for v in (4, 1, 5)])
case("agree_gemm", graph([node("Slice", ["x", "z0", "k", "ax1"], ["a"]), node("Slice", ["y", "z0", "m", "ax1"], ["b"]), node("Gemm", ["a",
    "b"], ["q"], transB=1)], [tensor("x", F, [3, 5]), tensor("y", F, [2, 6]), tensor("k", I, [1]), tensor("m", I, [1])], [tensor("q", F,
    [3, 2])], z), [dict(x=f(3, 5), y=f(2, 6), k=i64(v), m=i64(v)) for v in (4, 1, 5)])
case("axes_slice", graph([node("Slice", ["x", "s", "e", "a"], ["y"])], [tensor("x", F, [3, 4, 5]), tensor("a", I, [2])], [tensor("y", F,
    ["p", "q", "r"])], [const("s", i64(1, -3)), const("e", i64(3, -1))]), [dict(x=f(3, 4, 5), a=i64(*v)) for v in ((0, 1), (2, 0), (-1,
    1))])
case("axes_unsqueeze", graph([node("Unsqueeze", ["x", "a"], ["y"]), node("Neg", ["y"], ["z"])], [tensor("x", F, [3, 4]), tensor("a", I,
    [1])], [tensor("z", F, ["p", "q", "r"])]), [dict(x=f(3, 4), a=i64(*v)) for v in ((0,), (2,), (-2,))])
case("axes_squeeze", graph([node("Slice", ["x", "z", "o", "k"], ["w"]), node("Squeeze", ["w", "k"], ["y"])], [tensor("x", F, [3, 4, 2]),
    tensor("k", I, [1])], [tensor("y", F, ["p", "q"])], [const("z", i64(1)), const("o", i64(2))]), [dict(x=f(3, 4, 2),
    k=i64(*v)) for v in ((0,), (2,), (-2,))])
for op in "Sum Max Mean L2 LogSumExp".split():
    case("axes_reduce_" + op, graph([node("Reduce" + op, ["x", "a"], ["y"], keepdims=1)], [tensor("x", F, [3, 4, 2]), tensor("a", I, [2])],
        [tensor("y", F, ["p", "q", "r"])]), [dict(x=f(3, 4, 2), a=i64(*v)) for v in ((0, 1), (2, 0), (-1, 1))])
case("axes_reduce_flat", graph([node("ReduceSum", ["x", "a"], ["y"], keepdims=0)], [tensor("x", F, [3, 4, 2]), tensor("a", I, [2])],
    [tensor("y", F, ["p"])]), [dict(x=f(3, 4, 2), a=i64(*v)) for v in ((0, 1), (2, 0), (-1, 1))])
case("col2im", graph([node("Col2Im", ["x", "s", "b"], ["y"])], [tensor("x", F, [1, 8, 6]), tensor("s", I, [2])], [tensor("y", F, [1, 2, "h",
    "w"])], [const("b", i64(2, 2))]), [dict(x=f(1, 8, 6), s=i64(*v)) for v in ((4, 3), (3, 4), (7, 2), (2, 7))])
case("col2im_steps", graph([node("Slice", ["x", "z0", "k", "two"], ["c"]), node("Col2Im", ["c", "s", "b"], ["y"], strides=[2, 1],
    pads=[1, 0, 1, 0], dilations=[1, 2]), node("ReduceSum", ["y", "two"], ["t"], keepdims=0)], [tensor("x", F, [2, 6, 12]), tensor("s", I,
    [2]), tensor("k", I, [1])], [tensor("y", F, [2, 1, "h", "w"]), tensor("t", F, [2, 1, "w"])], [const("b", i64(3, 2)), const("two",
    i64(2)), const("z0", i64(0))]), [dict(x=f(2, 6, 12), s=i64(*v), k=i64(n)) for v, n in (((5, 4), 6), ((6, 6), 12), ((3, 3), 2), ((2, 5),
    3))], "--bound", "s=6")
ins = [tensor("x", F, [7, 2]), tensor("s", I, [])]
parts = node("SplitToSequence", ["x", "s"], ["q"], axis=0)
case("parts_at", graph([parts, node("SequenceAt", ["q", "p"], ["y"]), node("SequenceLength", ["q"], ["l"])], ins + [tensor("p", I, [])],
    [tensor("y", F, ["d", 2]), tensor("l", I, [])]), [dict(x=f(7, 2), s=one(a), p=one(b)) for a, b in ((2, 0), (3, 2), (3, -1), (1, 6), (9,
    0), (7, -1))])
case("parts_axis1", graph([node("SplitToSequence", ["x", "s"], ["q"], axis=-1), node("SequenceAt", ["q", "p"], ["y"])], [tensor("x", F, [2,
    5]), tensor("s", I, []), tensor("p", I, [])], [tensor("y", F, [2, "d"])]), [dict(x=f(2, 5), s=one(a), p=one(b)) for a, b in ((2, 2), (3,
    0), (5, 0))])
body = graph([node("SequenceAt", ["q", "i"], ["v"]), node("ReduceSum", ["v", "zero1"], ["r"], keepdims=0), node("Add", ["a", "r"], ["a2"]),
    node("Identity", ["cc"], ["c2"])], [tensor("i", I, []), tensor("cc", B, []), tensor("a", F, [2])], [tensor("c2", B, []), tensor("a2", F,
    [2]), tensor("r", F, [2])])
case("parts_loop", graph([parts, node("SequenceLength", ["q"], ["m"]), node("Loop", ["m", "", "a0"], ["y", "rows"], body=body)], ins,
    [tensor("y", F, [2]), tensor("rows", F, ["n", 2])], sel + [const("a0", f32(0, 0))]), [dict(x=f(7, 2), s=one(a)) for a in (2, 3, 1, 9)])
case("parts_concat", graph([parts, node("ConcatFromSequence", ["q"], ["y"], axis=0), node("ConcatFromSequence", ["q"], ["w"], axis=1,
    new_axis=1)], [tensor("x", F, [6, 2]), tensor("s", I, [])], [tensor("y", F, ["d", 2]), tensor("w", F, ["k", "n", 2])]), [dict(x=f(6, 2),
    s=one(a)) for a in (2, 3, 1, 6)])
mb = graph([node("Exp", ["a"], ["b0"]), node("ReduceSum", ["b0"], ["bb"], keepdims=0)], [tensor("a", F, None)], [tensor("bb", F, [])])
case("parts_map", graph([parts, node("SequenceMap", ["q"], ["r"], body=mb), node("ConcatFromSequence", ["r"], ["y"], axis=0, new_axis=1)],
    [tensor("x", F, [6, 2]), tensor("s", I, [])], [tensor("y", F, ["n"])]), [dict(x=f(6, 2), s=one(a)) for a in (2, 3, 1)])
case("parts_open", graph([node("SplitToSequence", ["x"], ["q"], axis=1, keepdims=0), node("SequenceAt", ["q", "p"], ["y"]),
    node("ConcatFromSequence", ["q"], ["w"], axis=0), node("SplitToSequence", ["x", "two"], ["q2"], axis=1), node("SequenceAt", ["q2", "p"],
    ["v"]), node("SequenceLength", ["q2"], ["l"])], [tensor("x", F, [3, "t"]), tensor("p", I, [])], [tensor("y", F, [3]), tensor("w", F,
    ["k"]), tensor("v", F, [3, "d"]), tensor("l", I, [])], [const("two", one(2))]), [dict(x=f(3, v), p=one(p)) for v, p in ((6, 2), (1, 0),
    (5, -1))], "--dim", "t=1..6")
for data in ("k", "x"):
    stop = [node("Compress", ["x", "mm"], ["row"])] if data == "x" else [node("Slice", ["x", "zero1", "n1"], ["row"])]
    body = graph([node("Greater", ["x", "z"], ["mm"])] + stop + [node("Cast", ["i"], ["fi"], to=1), node("Add", ["row", "fi"], ["row2"]),
        node("Gather", ["go", "i"], ["c2"])], [tensor("i", I, []), tensor("cc", B, [])], [tensor("c2", B, []), tensor("row2", F, None)])
    case("loop_rows_until_" + data, graph([node("Loop", ["m", ""], ["r"], body=body), node("ReduceSum", ["r"], ["t"], keepdims=0)],
        [tensor("x", F, [6]), tensor("n1", I, [1]), tensor("go", B, [5])], [tensor("r", F, ["n", "k"]), tensor("t", F, [])],
        sel + [const("m", np.int64(5))]), [dict(x=f(6), n1=i64(n), go=np.array(v, bool)) for n, v in ((4, [1, 1, 0, 1, 1]), (0, [0, 0, 0, 0,
        0]), (6, [1, 1, 1, 1, 1]))])
body = graph([node("Greater", ["x", "z"], ["mm"]), node("Compress", ["x", "mm"], ["row"]), node("Concat", ["a", "row"], ["a2"], axis=0),
    node("Gather", ["go", "i"], ["c2"]), node("Cast", ["i"], ["fi"], to=1), node("Mul", ["row", "fi"], ["r2"])], [tensor("i", I, []),
    tensor("cc", B, []), tensor("a", F, None)], [tensor("c2", B, []), tensor("a2", F, None), tensor("r2", F, None), tensor("fi", F, [])])
case("loop_grow_until", graph([node("Loop", ["m", "", "x"], ["q", "r", "i"], body=body)], [tensor("x", F, [4]), tensor("go", B, [5])],
    [tensor("q", F, ["l"]), tensor("r", F, ["n", "k"]), tensor("i", F, ["n"])], sel + [const("m", np.int64(5))]), [dict(x=f(4),
    go=np.array(v, bool)) for v in ([1, 1, 0, 1, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1])])
lists = helper.make_sequence_type_proto(helper.make_tensor_type_proto(F, None))
maybe = lambda name: helper.make_value_info(name, helper.make_optional_type_proto(lists))
none = graph([node("Optional", [], ["on"], type=lists)], [], [maybe("on")])
some = graph([node("SequenceConstruct", ["x", "x2"], ["sc"]), node("Optional", ["sc"], ["oy"])], [], [maybe("oy")])
less = graph([node("SequenceConstruct", ["x2"], ["sl"]), node("Optional", ["sl"], ["ol"])], [], [maybe("ol")])
get = graph([node("OptionalGetElement", ["o"], ["s"]), node("SequenceAt", ["s", "k"], ["v"]), node("SequenceLength", ["s"], ["l"])], [],
    [tensor("v", F, [3]), tensor("l", I, [])])
miss = graph([node("Neg", ["x"], ["v0"]), node("Constant", [], ["l0"], value=const("c", one(-1)))], [], [tensor("v0", F, [3]), tensor("l0",
    I, [])])
for name, first, second in (("opt_seq_none", some, none), ("opt_seq_first", none, less), ("opt_seq_both", some, less)):
    case(name, graph([node("Neg", ["x"], ["x2"]), node("If", ["b"], ["o"], then_branch=first, else_branch=second),
        node("OptionalHasElement", ["o"], ["h"]), node("If", ["h"], ["y", "n"], then_branch=get, else_branch=miss)], [tensor("x", F, [3]),
        tensor("b", B, [])], [tensor("h", B, []), tensor("y", F, [3]), tensor("n", I, [])], [const("k", np.int64(0))]), [dict(x=f(3),
        b=np.array(v)) for v in (True, False)])
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
