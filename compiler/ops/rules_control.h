/* rules_control.h - type rules that rows of ops.def name and later rooms hold: regions and sequences, control, strings,
 * and ai.onnx.ml. */
#ifndef NNCC_RULES_CONTROL_H
#define NNCC_RULES_CONTROL_H

#include "ir/ir.h"

void infer_if(Node *);
void infer_loop(Node *);
void infer_scan(Node *);
void infer_scan_batch(Node *);
void infer_linear_attention(Node *);
void infer_sequence_construct(Node *);
void infer_sequence_empty(Node *);
void infer_sequence_insert(Node *);
void infer_sequence_erase(Node *);
void infer_sequence_at(Node *);
void infer_sequence_length(Node *);
void infer_sequence_map(Node *);
void infer_split_to_sequence(Node *);
void infer_concat_from_sequence(Node *);
void infer_sequence_of_rows(Node *);
void infer_rows_of_sequence(Node *);
void infer_optional(Node *);
void infer_optional_has_element(Node *);
void infer_optional_get_element(Node *);

/* ---- strings/ ---- */
void infer_text_in(Node *);
void infer_text_out(Node *);
void infer_text_join(Node *);
void infer_text_split(Node *);
void infer_string_concat(Node *);
void infer_string_normalizer(Node *);
void infer_string_split(Node *);
void infer_tfidf(Node *);
void infer_regex_full_match(Node *);
void infer_text_match(Node *);
void expand_string_concat(Node *);
void expand_string_normalizer(Node *);
void expand_string_split(Node *);
void expand_tfidf(Node *);
void expand_regex_full_match(Node *);

/* ---- ml/ ---- */
/* features.c */
void infer_feature_extractor(Node *);
void infer_features(Node *); /* floats of the shape of the input */
void infer_imputer(Node *);
void infer_one_hot_encoder(Node *);
void infer_feature_vectorizer(Node *);
void expand_feature_vectorizer(Node *);

/* labels.c */
void infer_label_encoder(Node *);
void expand_label_encoder(Node *);
void infer_category_mapper(Node *);
void expand_category_mapper(Node *);
void infer_zip_map(Node *);

/* linear.c */
void infer_linear_regressor(Node *);
void infer_linear_classifier(Node *);

/* trees.c */
void infer_decision_trees(Node *);
void infer_masked_trees(Node *);
void infer_tree_regressor(Node *);
void expand_tree_regressor(Node *);
void infer_tree_classifier(Node *);
void expand_tree_classifier(Node *);
void infer_tree_ensemble(Node *);
void expand_tree_ensemble(Node *);

/* svm.c */
void infer_svm_regressor(Node *);
void expand_svm_regressor(Node *);
void infer_svm_classifier(Node *);
void expand_svm_classifier(Node *);
void infer_coupled_probabilities(Node *);

#endif
