"""Valid nodes of the rows of ai.onnx.ml, and of those that they become, for structural.py."""
from structural_rows import Arg, Node

FEATURES = ["f32"] * 4 + ["f64", "f16", "i64", "i32"]
POST = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"]
MODES = ["BRANCH_LEQ"] * 6 + ["BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


def numbers(d, n):
    return [round(d.r.uniform(-2, 2), 2) for _ in range(n)]


def some(d, **attrs):
    return {k: v for k, v in attrs.items() if d.maybe(0.8)}


def examples(d, features=None):
    n = features or d.int(1, 5)
    return Arg(d.of(FEATURES), [d.int(1, 6), n] if d.maybe(0.85) else [n]), n


def post(d):
    return some(d, post_transform=d.of(POST))


def feature_extractor(d, op):
    x = Arg(d.of(FEATURES), d.shape(1, 3))
    return Node(op, [x, d.ints(*[d.int(0, max(0, x.shape[-1] - 1)) for _ in range(d.int(1, 3))])])


def of_features(*lists, **more):
    def make(d, op):
        x, n = examples(d)
        return Node(op, [x], {**{k: numbers(d, d.of([1, n])) for k in lists}, **{k: v(d) for k, v in more.items()}})
    return make


def feature_vectorizer(d, op):
    n, counts = d.int(1, 4), [d.int(1, 4) for _ in range(d.int(1, 3))]
    return Node(op, [Arg(d.of(FEATURES), [n, c]) for c in counts], some(d, inputdimensions=counts))


def imputer(d, op):
    x, n = examples(d)
    if x.dtype[0] == "i":
        return Node(op, [x], {"imputed_value_int64s": [d.int(-5, 5) for _ in range(d.of([1, n]))], **some(d, replaced_value_int64=d.int(-2, 2))})
    return Node(op, [x], {"imputed_value_floats": numbers(d, d.of([1, n])), **some(d, replaced_value_float=d.of([0.0, float("nan"), 1.0]))})


def one_hot_encoder(d, op):
    return Node(op, [Arg(d.of(FEATURES), d.shape(0, 3))], {"cats_int64s": [d.int(-3, 3) for _ in range(d.int(1, 5))], **some(d, zeros=1)})


def category_mapper(d, op):
    n = d.int(1, 4)
    return Node(op, [Arg("i64", d.shape(0, 3))], {"cats_int64s": [d.int(-3, 3) for _ in range(n)], "cats_strings": [d.of(["a", "b", "", "word"]) for _ in range(n)]})


def label_encoder(d, op):
    n, ints = d.int(1, 5), d.maybe()
    keys = {"keys_int64s": [d.int(-3, 3) for _ in range(n)]} if ints else {"keys_floats": numbers(d, n)}
    values = {"values_int64s": [d.int(-9, 9) for _ in range(n)]} if d.maybe() else {"values_floats": numbers(d, n)}
    return Node(op, [Arg("i64" if ints else "f32", d.shape(0, 3))], {**keys, **values})


def zip_map(d, op):
    x, n = examples(d)
    return Node(op, [Arg("f32", x.shape)], {"classlabels_int64s": list(range(n))})


def linear_regressor(d, op):
    x, n = examples(d)
    targets = d.int(1, 3)
    return Node(op, [x], {"coefficients": numbers(d, n * targets), "targets": targets, **some(d, intercepts=numbers(d, targets)), **post(d)})


def linear_classifier(d, op):
    x, n = examples(d)
    classes = d.int(2, 4)
    rows = 1 if classes == 2 and d.maybe() else classes
    return Node(op, [x], {"coefficients": numbers(d, n * rows), **some(d, classlabels_ints=list(range(classes)), intercepts=numbers(d, rows)), **post(d)}, 2)


def grown(d, features):
    """Lists of a few trees and the numbers of their leaves."""
    names = ["treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids"]
    nodes, leaves = [], []

    def add(tree, first, depth):
        at = len(nodes)
        nodes.append(None)
        if not depth or d.maybe(0.2):
            nodes[at] = (tree, at - first, 0, "LEAF", 0.0, 0, 0)
            leaves.append((tree, at - first))
        else:
            yes, no = add(tree, first, depth - 1), add(tree, first, depth - 1)
            nodes[at] = (tree, at - first, d.int(0, features - 1), d.of(MODES), numbers(d, 1)[0], yes - first, no - first)
        return at

    for tree in range(d.of([1, 1, 2, 9, 17])):
        add(tree, len(nodes), d.int(0, 4))
    lists = {"nodes_" + n: list(v) for n, v in zip(names, zip(*nodes))}
    return {**lists, **some(d, nodes_missing_value_tracks_true=[d.int(0, 1) for _ in nodes])}, leaves


def trees(kind):
    def make(d, op):
        x, n = examples(d)
        attrs, leaves = grown(d, n)
        targets = d.int(2, 3) if kind == "class" else d.int(1, 3)
        attrs.update({kind + "_treeids": [t for t, _ in leaves], kind + "_nodeids": [k for _, k in leaves],
                      kind + "_ids": [d.int(0, targets - 1) for _ in leaves], kind + "_weights": numbers(d, len(leaves))})
        attrs.update(some(d, base_values=numbers(d, targets)) if d.maybe() else {})
        if kind == "class":
            return Node(op, [x], {**attrs, **post(d), "classlabels_int64s": list(range(targets))}, 2)
        return Node(op, [x], {**attrs, **post(d), "n_targets": targets, **some(d, aggregate_function=d.of(["SUM", "AVERAGE", "MIN", "MAX"]))})
    return make


def tree_ensemble(d, op):
    n, inner, targets = d.int(1, 4), d.int(1, 12), d.int(1, 2)
    leaves, t = inner + 1, d.of(["f32", "f64"])
    ways = [(k, False) for k in range(1, inner)] + [(k, True) for k in range(leaves)]
    yes, no = ways[0::2], ways[1::2]  # node k leads to 2k + 1 and 2k + 2: later ones, then leaves
    modes = [d.int(0, 5) for _ in range(inner)]
    attrs = {"nodes_featureids": [d.int(0, n - 1) for _ in range(inner)], "nodes_splits": d.const(t, numbers(d, inner)),
             "nodes_modes": d.const("u8", modes), "nodes_truenodeids": [k for k, _ in yes], "nodes_trueleafs": [int(leaf) for _, leaf in yes],
             "nodes_falsenodeids": [k for k, _ in no], "nodes_falseleafs": [int(leaf) for _, leaf in no], "tree_roots": [0], "n_targets": targets,
             "leaf_targetids": [d.int(0, targets - 1) for _ in range(leaves)], "leaf_weights": d.const(t, numbers(d, leaves))}
    return Node(op, [Arg(t, [d.int(1, 5), n])], {**attrs, **some(d, aggregate_function=d.int(0, 3), post_transform=d.int(0, 4))})


def kernel(d):
    return {"kernel_params": numbers(d, 3), "kernel_type": d.of(["LINEAR", "POLY", "RBF", "SIGMOID"])}


def svm_regressor(d, op):
    x, n = examples(d)
    vectors = d.int(0, 4)
    support = {"support_vectors": numbers(d, vectors * n)} if vectors else {}
    return Node(op, [x], {"coefficients": numbers(d, vectors or n), "rho": numbers(d, 1), "n_supports": vectors, **support, **kernel(d), **d.flags("one_class")})


def svm_classifier(d, op):
    x, n = examples(d)
    classes = d.int(2, 4)
    per_class, pairs = [d.int(1, 3) for _ in range(classes)], classes * (classes - 1) // 2
    vectors = sum(per_class)
    sure = {"prob_a": numbers(d, pairs), "prob_b": numbers(d, pairs)} if d.maybe() else {}
    return Node(op, [x], {"coefficients": numbers(d, vectors * (classes - 1)), "rho": numbers(d, pairs), "support_vectors": numbers(d, vectors * n),
                          "vectors_per_class": per_class, "classlabels_ints": list(range(classes)), **kernel(d), **sure, **post(d)}, 2)


def decision_trees(d, op):
    n, inner = d.int(1, 4), d.int(1, 40)
    nodes = 2 * inner + 1
    last = nodes - 1
    following = [min(last, 2 * k + 1 + j) for k in range(inner) for j in (0, 1)] + [k for k in range(inner, nodes) for _ in (0, 1)]
    lanes, groups = d.int(1, 5), d.int(1, 2)
    t = d.of(["f32", "f64"])
    args = [Arg(t, [d.int(1, 5), n]), d.const("i32", [d.int(0, n - 1) for _ in range(nodes)]), d.const(t, numbers(d, nodes)),
            d.const("i32", following), d.const("i32", [d.int(0, last) for _ in range(lanes * groups)]), d.const("i32", [6] * groups)]
    if d.maybe(0.3):
        args.append(d.const("bool", [d.maybe() for _ in range(nodes)]))
        args.append(d.const("bool", [d.maybe() for _ in range(nodes)]))
    return Node(op, args, {"inner": inner})


def masked_trees(d, op):
    features, trees, leaves, each = d.int(1, 4), d.int(1, 5), d.int(2, 40), d.int(0, 6)
    words, block, t = 1 + (leaves > 32), d.of([0, 16]), d.of(["f32", "f64"])
    owners, groups = (features, trees) if block else (trees, 2 * features)
    begin = [each * g for g in range(groups + 1)]
    masks = [d.int(0, (1 << leaves) - 1) | 1 << leaves - 1 for _ in range(begin[-1] + 1)]
    args = [Arg(t, [d.int(1, 40), features]), d.const(t, numbers(d, begin[-1] + 1)), d.const("i32", [d.int(0, owners - 1) for _ in masks]),
            d.const("i32", begin), d.const("u32", [m >> 32 * w & 0xFFFFFFFF for m in masks for w in range(words)]),
            d.const("i32", [leaves * k for k in range(trees)]), d.const(t, numbers(d, leaves * trees * 2), [leaves * trees, 2])]
    return Node(op, args, {"block": block})


def coupled(d, op):
    classes = d.int(2, 4)
    return Node(op, [Arg("f32", [d.int(1, 4), classes * (classes - 1) // 2])], {"classes": classes})


ML_ROWS = {
    "ArrayFeatureExtractor": feature_extractor, "Binarizer": of_features(threshold=lambda d: numbers(d, 1)[0]), "FeatureVectorizer": feature_vectorizer,
    "Imputer": imputer, "Normalizer": of_features(norm=lambda d: d.of(["MAX", "L1", "L2"])), "Scaler": of_features("offset", "scale"),
    "OneHotEncoder": one_hot_encoder, "CategoryMapper": category_mapper, "LabelEncoder": label_encoder, "ZipMap": zip_map,
    "Transformed": of_features(post_transform=lambda d: d.of(POST)), "LinearRegressor": linear_regressor, "LinearClassifier": linear_classifier,
    "TreeEnsembleClassifier": trees("class"), "TreeEnsembleRegressor": trees("target"), "TreeEnsemble": tree_ensemble,
    "SVMRegressor": svm_regressor, "SVMClassifier": svm_classifier, "DecisionTrees": decision_trees, "MaskedTrees": masked_trees,
    "CoupledProbabilities": coupled,
}
