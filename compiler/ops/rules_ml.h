/* rules_ml.h - type rules and meanings of the rows of ops.def in the domain ai.onnx.ml, which ml/ holds. */
#ifndef NNCC_RULES_ML_H
#define NNCC_RULES_ML_H

#include "ir/ir.h"

/* ml/features.c */
void infer_feature_extractor(Node *);
void infer_features(Node *); /* floats of the shape of the input */
void infer_imputer(Node *);
void infer_one_hot_encoder(Node *);
void infer_feature_vectorizer(Node *);
void expand_feature_vectorizer(Node *);

/* ml/labels.c */
void infer_label_encoder(Node *);
void expand_label_encoder(Node *);
void infer_category_mapper(Node *);
void expand_category_mapper(Node *);
void infer_zip_map(Node *);

/* ml/linear.c */
void infer_linear_regressor(Node *);
void infer_linear_classifier(Node *);

/* ml/trees.c */
void infer_decision_trees(Node *);
void infer_tree_regressor(Node *);
void expand_tree_regressor(Node *);
void infer_tree_classifier(Node *);
void expand_tree_classifier(Node *);
void infer_tree_ensemble(Node *);
void expand_tree_ensemble(Node *);

/* ml/svm.c */
void infer_svm_regressor(Node *);
void expand_svm_regressor(Node *);
void infer_svm_classifier(Node *);
void expand_svm_classifier(Node *);
void infer_coupled_probabilities(Node *);

#endif
