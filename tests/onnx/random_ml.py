"""Random nodes of ai.onnx.ml for random_nodes.py: a function for each operator."""
import numpy as np

from random_forms import maybe
from random_nodes import WORDS, Model

POST = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"]


def feature_extractor(r):
    m = Model(r, 1)
    x = r.choice([m.floats, m.whole, m.words])(*([r.randint(1, 5)] * maybe(r, 0.8)), r.randint(1, 6))
    m.whole(*([1] * maybe(r)), r.randint(1, 4), lo=0, hi=x.shape[-1])
    m.outputs = {"f": "f", "i": "l", "O": "s"}[x.dtype.kind]
    return m


def binarizer(r):
    m = Model(r, 1)
    m.floats(r.randint(1, 5), r.randint(1, 5))
    if maybe(r, 0.8):
        m.attr["threshold"] = round(r.uniform(-1, 1), 1)
    return m


def feature_vectorizer(r):
    m, n, dims = Model(r, 1), r.randint(1, 4), []
    kind = r.choice([m.floats, m.whole])
    for _ in range(r.randint(1, 3)):
        dims.append(r.randint(1, 4))
        kind(n, dims[-1])
    m.attr["inputdimensions"] = dims
    return m


def imputer(r):
    m, n = Model(r, 1), r.randint(1, 4)
    x = m.numbers(r.randint(1, 5), n)
    if x.dtype.kind == "i":
        m.outputs = "l"
        m.attr.update(imputed_value_int64s=[r.randint(5, 9) for _ in range(r.choice([1, n]))], replaced_value_int64=r.randint(-3, 3))
    else:
        nan = maybe(r)
        if nan:
            x[m.rng.random(x.shape) < 0.3] = np.nan
        m.attr.update(imputed_value_floats=m.list(r.choice([1, n])), replaced_value_float=float("nan") if nan else float(x.flat[0]))
    return m


def normalizer(r):
    m = Model(r, 1)
    m.numbers(*([r.randint(1, 5)] * maybe(r, 0.8)), r.randint(1, 6))
    m.attr["norm"] = r.choice(["MAX", "L1", "L2"])
    return m


def scaler(r):
    m, n = Model(r, 1), r.randint(1, 5)
    m.numbers(r.randint(1, 5), n)
    k = r.choice([1, n])
    m.attr.update(offset=m.list(k), scale=m.list(k))
    return m


def one_hot_encoder(r):
    m = Model(r, 1)
    shape = [r.randint(1, 4) for _ in range(r.randint(1, 3))]
    if maybe(r):
        m.words(*shape)
        m.attr["cats_strings"] = r.sample(WORDS, r.randint(1, 6))
    else:
        m.numbers(*shape)
        m.attr["cats_int64s"] = r.sample(range(-3, 4), r.randint(1, 6))
    return m


def category_mapper(r):
    m, n = Model(r, 1), r.randint(1, 6)
    forth = maybe(r)
    (m.words if forth else m.whole)(r.randint(1, 5), *([r.randint(1, 3)] * maybe(r)))
    m.attr.update(cats_strings=r.sample(WORDS, n), cats_int64s=r.sample(range(-3, 4), n))
    if maybe(r):
        m.attr.update(default_int64=77, default_string="none of these")
    m.outputs = "l" if forth else "s"
    return m


def label_encoder(r):
    m, n = Model(r, 2), r.randint(1, 6)
    shape = [r.randint(1, 5) for _ in range(r.randint(1, 3))]
    keys, values = r.choice(["sl", "ls", "fs", "sf", "fl", "lf", "ll", "ss", "ff"])
    {"s": m.words, "l": m.whole, "f": m.floats}[keys](*shape)
    made = {"s": lambda: r.sample(WORDS, n), "l": lambda: r.sample(range(-3, 4), n),
            "f": lambda: [float(np.float32(v / 10)) for v in r.sample(range(-12, 13), n)]}
    name = {"s": "strings", "l": "int64s", "f": "floats"}
    m.attr.update({"keys_" + name[keys]: made[keys](), "values_" + name[values]: made[values]()})
    m.outputs = values
    return m


def linear_regressor(r):
    m, features, targets = Model(r, 1), r.randint(1, 5), r.randint(1, 3)
    m.floats(r.randint(1, 6), features)
    m.attr.update(coefficients=m.list(features * targets), targets=targets, post_transform=r.choice(POST))
    if maybe(r, 0.8):
        m.attr["intercepts"] = m.list(targets)
    return m


def linear_classifier(r):
    m, features, classes = Model(r, 1, "lf"), r.randint(1, 5), r.randint(2, 4)
    m.numbers(r.randint(1, 6), features)
    rows = 1 if classes == 2 and maybe(r) else classes
    m.attr.update(coefficients=m.list(features * rows), intercepts=m.list(rows), post_transform=r.choice(POST), multi_class=r.randint(0, 1))
    m.labels(classes, "classlabels_ints")
    return m


MODES = ["LEQ", "LT", "GTE", "GT", "EQ", "NEQ"]


def grow(m, tree, features, depth, modes, targets, missing, negative, many):
    """One random tree in the lists of the first generation, its weights beside them."""
    nodes, weights = [], []

    def add(levels):
        number = len(nodes)
        nodes.append(None)
        if levels == 0 or (levels < depth and maybe(m.r, 0.2)):
            nodes[number] = (tree, number, 0, "LEAF", 0.0, 0, 0, 0)
            for t in targets if maybe(m.r, 0.7) or not many else [m.r.choice(targets)]:
                w = m.rng.normal() if negative else 0.4 * m.rng.random()
                weights.append((tree, number, t, float(np.float32(w))))
        else:
            ways = add(levels - 1), add(levels - 1)
            value = float(np.float32(round(m.r.gauss(0, 1), 1)))
            nodes[number] = (tree, number, m.r.randrange(features), "BRANCH_" + m.r.choice(modes), value, *ways, int(missing and maybe(m.r)))
        return number

    add(depth)
    return nodes, weights


def forest(r, m, kind, targets):
    """With base values every leaf has weights for all targets: of one tree ONNX Runtime leaves the others without their base value."""
    features = r.randint(1, 6)
    modes = r.choice([["LEQ"], ["LEQ"], ["LT"], ["LEQ", "EQ"], MODES])
    missing, negative = maybe(r, 0.3), maybe(r)
    x = m.floats(r.randint(1, 9), features)
    if missing:
        x[m.rng.random(x.shape) < 0.2] = np.nan
    nodes, weights = [], []
    for tree in range(r.choice([1, 2, 3, 7, 20])):
        new = grow(m, tree, features, r.randint(1, 5), modes, targets, missing, negative, len(targets) > 1 and "base_values" not in m.attr)
        nodes += new[0]
        weights += new[1]
    names = ["treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids", "missing_value_tracks_true"]
    m.attr.update({"nodes_" + n: list(v) for n, v in zip(names, zip(*nodes))})
    m.attr.update({f"{kind}_{n}": list(v) for n, v in zip(["treeids", "nodeids", "ids", "weights"], zip(*weights))})
    return m


def tree_regressor(r):
    m, targets = Model(r, 3), r.randint(1, 3)
    m.attr.update(n_targets=targets, aggregate_function=r.choice(["SUM", "SUM", "AVERAGE", "MIN", "MAX"]), post_transform=r.choice(POST))
    if maybe(r):
        m.attr["base_values"] = m.list(targets)
    return forest(r, m, "target", list(range(targets)))


def tree_classifier(r):
    m, classes = Model(r, 3, "lf"), r.randint(2, 4)
    m.labels(classes, "classlabels_int64s")
    m.attr["post_transform"] = r.choice(POST[:3])
    one = classes == 2
    if maybe(r):
        m.attr["base_values"] = m.list(1 if one else classes)
    return forest(r, m, "class", [0] if one else list(range(classes)))


def kernel(r, m):
    m.attr.update(kernel_type=r.choice(["LINEAR", "POLY", "RBF", "SIGMOID"]),
                  kernel_params=[round(r.uniform(0.1, 0.9), 2), round(r.uniform(0, 1), 2), float(r.randint(1, 3))])


def svm_regressor(r):
    m, features, vectors = Model(r, 1), r.randint(1, 5), r.choice([0, 1, 3, 8])
    m.floats(r.randint(1, 6), features)
    kernel(r, m)
    m.attr.update(coefficients=m.list(vectors or features), rho=m.list(1), n_supports=vectors, one_class=int(maybe(r, 0.2)))
    if vectors:
        m.attr["support_vectors"] = m.list(vectors * features)
    return m


def svm_classifier(r):
    """Those without support vectors have three classes: of two ONNX Runtime's label is the second whenever its score is positive."""
    m, features, linear = Model(r, 1, "lf"), r.randint(1, 5), maybe(r, 0.2)
    classes = 3 if linear else r.randint(2, 5)
    pairs = classes * (classes - 1) // 2
    m.floats(r.randint(1, 6), features)
    kernel(r, m)
    m.labels(classes, "classlabels_ints")
    m.attr["post_transform"] = r.choice(POST[:3])
    if linear:
        m.attr.update(coefficients=m.list(features * classes), rho=m.list(1), kernel_type="LINEAR")
        return m
    per_class = [r.randint(1, 4) for _ in range(classes)]
    m.attr.update(coefficients=m.list(sum(per_class) * (classes - 1)), rho=m.list(pairs), vectors_per_class=per_class,
                  support_vectors=m.list(sum(per_class) * features))
    if maybe(r, 0.4):
        m.attr.update(prob_a=[-abs(v) for v in m.list(pairs)], prob_b=m.list(pairs))
    return m


MAKERS = {
    "ArrayFeatureExtractor": feature_extractor, "Binarizer": binarizer, "FeatureVectorizer": feature_vectorizer, "Imputer": imputer,
    "Normalizer": normalizer, "Scaler": scaler, "OneHotEncoder": one_hot_encoder, "CategoryMapper": category_mapper,
    "LabelEncoder": label_encoder, "LinearRegressor": linear_regressor, "LinearClassifier": linear_classifier,
    "SVMRegressor": svm_regressor, "SVMClassifier": svm_classifier, "TreeEnsembleRegressor": tree_regressor, "TreeEnsembleClassifier": tree_classifier,
}
