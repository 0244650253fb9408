"""export_sklearn.py FOLDER - what skl2onnx and onnxmltools write of fitted models of scikit-learn, LightGBM and XGBoost."""
import sys
import numpy as np
from cell import export
from skl2onnx import to_onnx
from sklearn import (cluster, decomposition, discriminant_analysis, ensemble, feature_extraction, feature_selection, gaussian_process,
                     isotonic, kernel_approximation, linear_model, mixture, naive_bayes, neighbors, neural_network, pipeline, preprocessing,
                     random_projection, svm, tree)
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor

folder = sys.argv[1]
iris, diabetes = load_iris(), load_diabetes()
X, y = iris.data.astype(np.float32), iris.target
D, d = diabetes.data.astype(np.float32), (diabetes.target / 100).astype(np.float32)
two = y[:100]

classifiers = {
    "logistic": linear_model.LogisticRegression(max_iter=500),
    "logistic_ovr": OneVsRestClassifier(linear_model.LogisticRegression()),
    "sgd": linear_model.SGDClassifier(loss="log_loss", random_state=0),
    "ridge": linear_model.RidgeClassifier(),
    "perceptron": linear_model.Perceptron(random_state=0),
    "lda": discriminant_analysis.LinearDiscriminantAnalysis(),
    "qda": discriminant_analysis.QuadraticDiscriminantAnalysis(),
    "tree": tree.DecisionTreeClassifier(max_depth=4, random_state=0),
    "forest": ensemble.RandomForestClassifier(10, max_depth=5, random_state=0),
    "extra_trees": ensemble.ExtraTreesClassifier(10, max_depth=5, random_state=0),
    "boosting": ensemble.GradientBoostingClassifier(n_estimators=10, random_state=0),
    "histogram_boosting": ensemble.HistGradientBoostingClassifier(max_iter=10, random_state=0),
    "adaboost": ensemble.AdaBoostClassifier(n_estimators=10, random_state=0),
    "bagging": ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=3), 5, random_state=0),
    "voting": ensemble.VotingClassifier([("a", linear_model.LogisticRegression(max_iter=500)), ("b", naive_bayes.GaussianNB())],
                                        voting="soft", flatten_transform=False),
    "knn": neighbors.KNeighborsClassifier(5),
    "svc": svm.SVC(probability=True, random_state=0),
    "svc_linear": svm.SVC(kernel="linear"),
    "nu_svc": svm.NuSVC(probability=True, random_state=0),
    "linear_svc": svm.LinearSVC(random_state=0),
    "gaussian_nb": naive_bayes.GaussianNB(),
    "multinomial_nb": naive_bayes.MultinomialNB(),
    "bernoulli_nb": naive_bayes.BernoulliNB(binarize=2.0),
    "complement_nb": naive_bayes.ComplementNB(),
    "mlp": neural_network.MLPClassifier((16, 8), max_iter=200, random_state=0),
    "pipeline": pipeline.make_pipeline(preprocessing.StandardScaler(), decomposition.PCA(3), linear_model.LogisticRegression()),
    "selected": pipeline.make_pipeline(feature_selection.SelectKBest(k=2), tree.DecisionTreeClassifier(max_depth=3, random_state=0)),
}
regressors = {
    "linear": linear_model.LinearRegression(), "ridge": linear_model.Ridge(), "lasso": linear_model.Lasso(0.01),
    "elastic_net": linear_model.ElasticNet(0.01), "bayesian_ridge": linear_model.BayesianRidge(), "huber": linear_model.HuberRegressor(),
    "poisson": linear_model.PoissonRegressor(), "sgd": linear_model.SGDRegressor(random_state=0),
    "theil_sen": linear_model.TheilSenRegressor(random_state=0), "quantile": linear_model.QuantileRegressor(alpha=0.01),
    "tree": tree.DecisionTreeRegressor(max_depth=5, random_state=0),
    "forest": ensemble.RandomForestRegressor(10, max_depth=5, random_state=0),
    "boosting": ensemble.GradientBoostingRegressor(n_estimators=10, random_state=0),
    "histogram_boosting": ensemble.HistGradientBoostingRegressor(max_iter=10, random_state=0),
    "adaboost": ensemble.AdaBoostRegressor(n_estimators=10, random_state=0),
    "knn": neighbors.KNeighborsRegressor(5), "knn_distance": neighbors.KNeighborsRegressor(5, weights="distance"),
    "radius": neighbors.RadiusNeighborsRegressor(0.2), "svr": svm.SVR(), "nu_svr": svm.NuSVR(kernel="poly", degree=2),
    "linear_svr": svm.LinearSVR(random_state=0), "mlp": neural_network.MLPRegressor(hidden_layer_sizes=(16,), max_iter=300, random_state=0),
    "gaussian_process": gaussian_process.GaussianProcessRegressor(gaussian_process.kernels.RBF(0.5), alpha=0.1),
    "many": MultiOutputRegressor(linear_model.Ridge()),
    "stacking": ensemble.StackingRegressor([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=3, random_state=0))]),
}
transformers = {
    "standard": preprocessing.StandardScaler(), "min_max": preprocessing.MinMaxScaler(), "robust": preprocessing.RobustScaler(),
    "max_abs": preprocessing.MaxAbsScaler(), "normalizer": preprocessing.Normalizer(), "binarizer": preprocessing.Binarizer(threshold=1.0),
    "polynomial": preprocessing.PolynomialFeatures(2), "bins": preprocessing.KBinsDiscretizer(4, encode="ordinal"),
    "power": preprocessing.PowerTransformer(), "quantile": preprocessing.QuantileTransformer(n_quantiles=20), "imputer": SimpleImputer(),
    "knn_imputer": KNNImputer(n_neighbors=3), "pca": decomposition.PCA(2), "svd": decomposition.TruncatedSVD(2),
    "ica": decomposition.FastICA(2, random_state=0), "kernel_pca": decomposition.KernelPCA(2, kernel="rbf"),
    "kmeans": cluster.KMeans(3, random_state=0, n_init=2), "mixture": mixture.GaussianMixture(3, random_state=0),
    "variance": feature_selection.VarianceThreshold(0.5), "projection": random_projection.GaussianRandomProjection(2, random_state=0),
    "nystroem": kernel_approximation.Nystroem(n_components=5, random_state=0), "isolation": ensemble.IsolationForest(n_estimators=10, random_state=0),
    "outliers": neighbors.LocalOutlierFactor(novelty=True), "one_class": svm.OneClassSVM(),
    "columns": ColumnTransformer([("s", preprocessing.StandardScaler(), [0, 1]), ("m", preprocessing.MinMaxScaler(), [2, 3])]),
}


def write(model, x, **options):
    def to(path):
        onx = to_onnx(model, x[:1], options={id(model): options} if options else None, target_opset={"": 18, "ai.onnx.ml": 3})
        open(path, "wb").write(onx.SerializeToString())
    return to


for name, model in classifiers.items():
    model.fit(X, y)
    export(folder, "skl2onnx", name, write(model, X), [X[::15]])
    if name != "linear_svc":  # has no such option
        export(folder, "skl2onnx_matrix", name, write(model, X, zipmap=False), [X[::15]])
for name in ("logistic", "tree", "svc", "boosting"):
    model = classifiers[name].fit(X[:100], np.array(["no", "yes"])[two])
    export(folder, "skl2onnx_matrix", name + "_words", write(model, X, zipmap=False), [X[:100:10]])
for name, model in regressors.items():
    model.fit(D, np.stack([d, -d], 1) if name == "many" else d)
    export(folder, "skl2onnx_regressors", name, write(model, D), [D[::40]])
for name, model in transformers.items():
    model.fit(X)
    export(folder, "skl2onnx_transformers", name, write(model, X), [X[::15]])
words = np.array([["red", "a"], ["blue", "b"], ["red", "b"], ["green", "a"]])
for name, model in {"one_hot": preprocessing.OneHotEncoder(), "ordinal": preprocessing.OrdinalEncoder(),
                    "target": preprocessing.TargetEncoder(cv=2)}.items():
    model.fit(words, [0.5, 1, 2, 1.5]) if name == "target" else model.fit(words)
    export(folder, "skl2onnx_transformers", name, write(model, words), [words])
texts = np.array(["the cat sat", "a dog and the cat", "dogs and cats and birds"]).reshape(-1, 1)
for name, model in {"count": feature_extraction.text.CountVectorizer(), "tfidf": feature_extraction.text.TfidfVectorizer(ngram_range=(1, 2))
                    }.items():
    model.fit(texts.ravel())
    export(folder, "skl2onnx_transformers", name, write(model, texts, locale="C"), [texts])


def boosted():
    import lightgbm
    import xgboost
    from onnxmltools import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType
    small = dict(n_estimators=20, random_state=0)
    wide = [("x", FloatTensorType([None, 4]))], [("x", FloatTensorType([None, 10]))]
    for name, model, a, b, kind, convert in [
            ("lightgbm_classes", lightgbm.LGBMClassifier(verbose=-1, **small), X, y, wide[0], convert_lightgbm),
            ("lightgbm_two", lightgbm.LGBMClassifier(verbose=-1, **small), X[:100], two, wide[0], convert_lightgbm),
            ("lightgbm_regression", lightgbm.LGBMRegressor(verbose=-1, **small), D, d, wide[1], convert_lightgbm),
            ("lightgbm_poisson", lightgbm.LGBMRegressor(objective="poisson", verbose=-1, **small), D, d, wide[1], convert_lightgbm),
            ("lightgbm_dart", lightgbm.LGBMRegressor(boosting_type="dart", verbose=-1, **small), D, d, wide[1], convert_lightgbm),
            ("lightgbm_forest", lightgbm.LGBMRegressor(boosting_type="rf", bagging_freq=1, bagging_fraction=0.7, verbose=-1, **small), D, d,
             wide[1], convert_lightgbm),
            ("xgboost_classes", xgboost.XGBClassifier(**small), X, y, wide[0], convert_xgboost),
            ("xgboost_two", xgboost.XGBClassifier(**small), X[:100], two, wide[0], convert_xgboost),
            ("xgboost_regression", xgboost.XGBRegressor(**small), D, d, wide[1], convert_xgboost),
            ("xgboost_poisson", xgboost.XGBRegressor(objective="count:poisson", **small), D, d, wide[1], convert_xgboost),
            ("xgboost_forest", xgboost.XGBRFRegressor(**small), D, d, wide[1], convert_xgboost)]:
        model.fit(a, b)
        more = dict(zipmap=False) if convert is convert_lightgbm else {}
        export(folder, "onnxmltools", name, lambda path: open(path, "wb").write(
            convert(model, initial_types=kind, **more).SerializeToString()), [a[::20].astype(np.float32)])


boosted()
