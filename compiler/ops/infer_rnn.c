/* infer_rnn.c - RNN, GRU and LSTM: the shapes of sequences, weights and states. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/rules_nn.h"

typedef struct {
    Dim steps, batch, width, units;
    int dirs, gates;
    bool batch_first;
} Cells;

static bool is_activation(const char *name) {
    static const char *const names[] = {
#define ACTIVATION(name, ...) #name,
#include "ops/rnn_activations.def"
#undef ACTIVATION
    };
    for (int i = 0; i < COUNT(names); i++)
        if (!strcmp(names[i], name)) return true;
    return false;
}

static bool is_lstm(const Node *n) { return IS(n, LSTM) || IS(n, DynamicQuantizeLSTM); }

static bool activations_known(Node *n, const Cells *c) {
    const Attr *a = given_attr(n, "activations");
    int functions = is_lstm(n) ? 3 : IS(n, GRU) ? 2 : 1;
    if (a && a->set && a->n != functions * c->dirs) {
        problem(n, EXIT_INPUT, "expected %d activations, saw %d", functions * c->dirs, a->n);
        return false;
    }
    for (int i = 0; a && i < a->n; i++)
        if (!is_activation(a->strs[i])) {
            problem(n, EXIT_UNSUPPORTED, "unknown activation '%s'", escaped(n->graph->module->arena, a->strs[i], 40));
            return false;
        }
    return true;
}

static Dim multiple(Dim d, int64_t k) { return (Dim){d.max * k, d.symbol}; }

static bool read_cells(Node *n, Cells *c) {
    c->dirs = strcmp(attr_s(n, "direction"), "bidirectional") ? 1 : 2;
    if (!activations_known(n, c) || !need_rank(n, 0, 3) || !need_rank(n, 2, 3)) return false;
    const Type *x = in_type(n, 0);
    const Attr *hidden = given_attr(n, "hidden_size");
    c->batch_first = attr_i(n, "layout") != 0;
    c->gates = is_lstm(n) ? 4 : IS(n, GRU) ? 3 : 1;
    c->steps = x->dim[c->batch_first], c->batch = x->dim[!c->batch_first], c->width = x->dim[2];
    c->units = in_type(n, 2)->dim[IS(n, DynamicQuantizeLSTM) ? 1 : 2];
    if (!need_fixed(n, c->units, "the number of units") || !need_fixed(n, c->width, "the width of the input"))
        return false;
    if (!hidden || hidden->i == c->units.max) return c->units.max < (int64_t)1 << 40;
    problem(n, EXIT_INPUT, "hidden_size: expected that of %s %s, saw %lld", arg_text(n, 2), in_text(n, 2),
            (long long)hidden->i);
    return false;
}

/* Weights of one of the two products: of ONNX's operators one row for each of the gates' units, of others one column.
 */
static bool matrix_fits(Node *n, int i, const Cells *c, Dim inner) {
    Dim gates = multiple(c->units, c->gates);
    bool column = IS(n, DynamicQuantizeLSTM);
    return has_dims(n, i, 3, (Dim[]){fixed(c->dirs), column ? inner : gates, column ? gates : inner});
}

/* Scales and zero points: one for each direction, or for each column of it. */
static bool scales_fit(Node *n, const Cells *c) {
    Dim dim[] = {fixed(c->dirs), multiple(c->units, c->gates)};
    for (int i = 8; i < n->nin; i++)
        if (!has_dims(n, i, in_type(n, i)->rank > 1 ? 2 : 1, dim)) return false;
    return true;
}

static bool weights_fit(Node *n, const Cells *c) {
    Dim d = fixed(c->dirs), rows = multiple(c->units, c->gates);
    Dim state[] = {c->batch_first ? c->batch : d, c->batch_first ? d : c->batch, c->units};
    return matrix_fits(n, 1, c, c->width) && matrix_fits(n, 2, c, c->units) &&
           has_dims(n, 3, 2, (Dim[]){d, multiple(rows, 2)}) && has_dims(n, 4, 1, &c->batch) &&
           has_dims(n, 5, 3, state) && scales_fit(n, c) &&
           (!is_lstm(n) || (has_dims(n, 6, 3, state) && has_dims(n, 7, 2, (Dim[]){d, multiple(c->units, 3)})));
}

void infer_rnn(Node *n) {
    Cells c = {0};
    if (!read_cells(n, &c) || !weights_fit(n, &c)) return;
    Dim d = fixed(c.dirs);
    if (c.batch_first)
        set_shape(n, 0, 4, (Dim[]){c.batch, c.steps, d, c.units});
    else
        set_shape(n, 0, 4, (Dim[]){c.steps, d, c.batch, c.units});
    for (int i = 1; i < n->nout; i++)
        set_shape(n, i, 3, (Dim[]){c.batch_first ? c.batch : d, c.batch_first ? d : c.batch, c.units});
}
