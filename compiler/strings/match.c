/* match.c - RegexFullMatch: a pattern known when compiling becomes the tables of an automaton over the bytes of a row
 */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"
#include "strings/regex.h"
#include "strings/strings.h"

enum { ROWS, CLASSES, NEXT, ACCEPTS };

void infer_regex_full_match(Node *n) {
    const Type *t = in_type(n, 0);
    if (!attr_s(n, "pattern"))
        problem(n, EXIT_INPUT, "attribute 'pattern' is missing");
    else
        set_result(n, 0, DT_bool, t->rank, t->dim);
}

static Tensor *states_table(Arena *arena, const Automaton *a) {
    Tensor *t = tensor_new(arena, a->states < 256 ? DT_u8 : DT_u16, 2, (int64_t[]){a->states, a->classes});
    for (int64_t i = 0; i < t->count; i++) set_i(t, i, a->next[i]);
    return t;
}

void expand_regex_full_match(Node *n) {
    Module *m = n->graph->module;
    Automaton a;
    const char *pattern = attr_s(n, "pattern"), *wrong = regex_automaton(m->arena, pattern, &a);
    if (wrong) {
        problem(n, EXIT_UNSUPPORTED, "pattern '%s': %s", escaped(m->arena, pattern, 60), wrong);
        return;
    }
    Tensor *accepts = tensor_new(m->arena, DT_bool, 1, (int64_t[]){a.states}),
           *classes = tensor_new(m->arena, DT_u8, 1, (int64_t[]){256});
    for (int s = 0; s < a.states; s++) set_i(accepts, s, a.accepts[s]);
    for (int c = 0; c < 256; c++) set_i(classes, c, a.class_of[c]);
    Value *in[] = {n->in[0], const_new(m, NULL, classes), const_new(m, NULL, states_table(m->arena, &a)),
                   const_new(m, NULL, accepts)};
    Node *match = insert_node(n, &ops[OP_TextMatch], COUNT(in), in);
    infer_node(match);
    replaced_by(n, 1, match->out);
}

/* Entries are checked, as a text may give any. */
static bool is_table(Node *n, int i, int rank, const int64_t *dim, int64_t limit) {
    const Tensor *t = n->in[i]->data;
    bool ok = t && t->rank == rank;
    for (int k = 0; k < rank && ok; k++) ok = t->dim[k] == dim[k];
    for (int64_t k = 0; ok && k < t->count; k++) ok = get_i(t, k) >= 0 && get_i(t, k) < limit;
    if (!ok)
        problem(n, EXIT_INPUT, "%s: expected a constant table with entries below %lld, saw %s", arg_text(n, i),
                (long long)limit, in_text(n, i));
    return ok;
}

void infer_text_match(Node *n) {
    const Type *rows = in_type(n, ROWS), *next = in_type(n, NEXT);
    if (!need_rank_from(n, ROWS, 1) || !need_rank(n, NEXT, 2)) return;
    int64_t dim[] = {next->dim[0].max, next->dim[1].max};
    if (is_table(n, CLASSES, 1, (int64_t[]){256}, dim[0] ? dim[1] : 0) && is_table(n, NEXT, 2, dim, dim[0]) &&
        is_table(n, ACCEPTS, 1, dim, 2))
        set_result(n, 0, DT_bool, rows->rank - 1, rows->dim);
}
