/* rules_control.h - type rules that rows of ops.def name and later rooms hold: regions and sequences, control, and
 * strings. */
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
void expand_string_concat(Node *);
void expand_string_normalizer(Node *);
void expand_string_split(Node *);
void expand_tfidf(Node *);

#endif
