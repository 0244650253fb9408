/* lower_rnn.c - RNN, GRU and LSTM: one nest per direction, steps in order, batch and units independent.
 *
 * The state h is kept apart from the result, and the next one beside it, since every unit reads all of the last. */
#include "lower_rows.h"

/* ---- one node in one direction ---- */

enum { X, W, R, B, LENS, H0, C0, P };        /* inputs */
enum { GATE_I = 0, GATE_O, GATE_F, GATE_C }; /* of LSTM, in the order of its weights */
enum { GATE_Z = 0, GATE_R, GATE_H };         /* of GRU */
enum { MOST_FUNCTIONS = 3 };

typedef struct Rnn Rnn;
typedef struct {
    int gates, functions;
    const char *otherwise[MOST_FUNCTIONS]; /* activations if none are given */
    void (*step)(const Rnn *);             /* the next state of one sequence, in loops over its units */
} Cell;

struct Rnn {
    Lower *l;
    Node *n;
    const Cell *cell;
    DType t;
    Dim units, batch, steps;
    bool batch_first, reverse;
    double clip; /* 0: none */
    struct {
        const Activation *row;
        double alpha, beta;
    } f[MOST_FUNCTIONS];
    Value *h, *next, *c, *reset; /* [batch, units]; c of LSTM; reset: r * h of GRU */
    Expr *dir, *b, *at;          /* direction, sequence, place of the current step in it */
};

/* Alphas and betas are consumed in the order of the functions, by those that have one. */
static void choose_activations(Rnn *r, int dir) {
    const Attr *names = attr(r->n, "activations");
    const Attr *alphas = attr(r->n, "activation_alpha"), *betas = attr(r->n, "activation_beta");
    int alpha = 0, beta = 0, count = r->cell->functions;
    for (int i = 0; i < (dir + 1) * count; i++) {
        const char *name = i < names->n ? names->strs[i] : r->cell->otherwise[i % count];
        const Activation *row = find_activation(name);
        ASSERT(row);
        r->f[i % count].row = row;
        r->f[i % count].alpha = row->has_alpha && alpha < alphas->n ? alphas->floats[alpha++] : row->alpha;
        r->f[i % count].beta = row->has_beta && beta < betas->n ? betas->floats[beta++] : row->beta;
    }
}

/* Activation i of x. */
static Expr *activate(const Rnn *r, int i, Expr *x) { return r->f[i].row->at(r->l, x, r->f[i].alpha, r->f[i].beta); }

/* Activation i of the sum of a gate, clipped. */
static Expr *activate_gate(const Rnn *r, int i, Expr *x) {
    Lower *l = r->l;
    if (r->clip > 0) x = map2(l, OP_Max, map2(l, OP_Min, x, num(l, r->t, r->clip)), num(l, r->t, -r->clip));
    return activate(r, i, x);
}

static Expr *open_units(const Rnn *r) { return open_for(r->l, "j", AX_PAR, extent(r->l, r->units)); }
static Expr *unit_at(const Rnn *r, Value *v, Expr *j) { return load(r->l, v, (Expr *[]){r->b, j}); }
static void put_unit(const Rnn *r, Value *v, Expr *j, Expr *e) { store(r->l, v, (Expr *[]){r->b, j}, e); }
static Expr *row_of(const Rnn *r, int gate, Expr *j) { return ix_add(r->l, ix(r->l, gate * r->units.max), j); }

/* The sum of the biases of W and R, or those of one of them. */
static Expr *bias_at(const Rnn *r, int gate, Expr *j, bool of_w, bool of_r) {
    Lower *l = r->l;
    Value *bias = input(r->n, B);
    if (!bias) return num(l, r->t, 0);
    Expr *w = value_at(l, bias, (Expr *[]){r->dir, row_of(r, gate, j)});
    Expr *rec = value_at(l, bias, (Expr *[]){r->dir, row_of(r, r->cell->gates + gate, j)});
    return of_w && of_r ? add(l, w, rec) : of_w ? w : rec;
}

/* Adds the products of the input with the rows of W for unit j of the gates that have a sum. */
static void add_input(const Rnn *r, Expr *const *sum, Expr *j) {
    Lower *l = r->l;
    int opened = 0;
    Expr *k = open_dim(l, 'k', AX_SEQ, r->n->in[X]->type.dim[2], &opened);
    Expr *x = value_at(l, r->n->in[X], r->batch_first ? (Expr *[]){r->b, r->at, k} : (Expr *[]){r->at, r->b, k});
    for (int g = 0; g < r->cell->gates; g++)
        if (sum[g])
            set(l, sum[g], add(l, sum[g], mul(l, x, value_at(l, r->n->in[W], (Expr *[]){r->dir, row_of(r, g, j), k}))));
    close_blocks(l, opened);
}

/* The same with R and a state. */
static void add_state(const Rnn *r, Expr *const *sum, Value *state, Expr *j) {
    Lower *l = r->l;
    int opened = 0;
    Expr *k = open_dim(l, 'k', AX_SEQ, r->units, &opened), *h = unit_at(r, state, k);
    for (int g = 0; g < r->cell->gates; g++)
        if (sum[g])
            set(l, sum[g], add(l, sum[g], mul(l, h, value_at(l, r->n->in[R], (Expr *[]){r->dir, row_of(r, g, j), k}))));
    close_blocks(l, opened);
}

/* Y[step, direction, sequence, unit], or with the batch first. */
static void put_result(const Rnn *r, Expr *at, Expr *j, Expr *e) {
    Value *y = output(r->n, 0);
    if (!y) return;
    store(r->l, y, r->batch_first ? (Expr *[]){r->b, at, r->dir, j} : (Expr *[]){at, r->dir, r->b, j}, e);
}

static void put_next(const Rnn *r, Expr *j, Expr *e) {
    Expr *h = let(r->l, "y", e);
    put_unit(r, r->next, j, h);
    put_result(r, r->at, j, h);
}

/* ---- the three cells ---- */

static Expr *gate_sum(const Rnn *r, const char *name, int gate, Expr *j) {
    return var(r->l, name, r->t, bias_at(r, gate, j, true, true));
}

static void step_rnn(const Rnn *r) {
    Expr *j = open_units(r), *sum[] = {gate_sum(r, "sum", 0, j)};
    add_input(r, sum, j);
    add_state(r, sum, r->h, j);
    put_next(r, j, activate_gate(r, 0, sum[0]));
    close_block(r->l);
}

/* A unit's weighted share of c in a gate, if the node has peepholes. */
static void add_peephole(const Rnn *r, Expr *sum, int gate, Expr *c, Expr *j) {
    Lower *l = r->l;
    Value *p = input(r->n, P);
    if (p) set(l, sum, add(l, sum, mul(l, c, value_at(l, p, (Expr *[]){r->dir, row_of(r, gate, j)}))));
}

/* clip is for the sums of gates: as in ONNX Runtime, the cell state is not clipped. */
static void step_lstm(const Rnn *r) {
    Lower *l = r->l;
    bool coupled = attr_i(r->n, "input_forget") != 0;
    Expr *j = open_units(r), *sum[4] = {NULL};
    static const char *const names[] = {"i", "o", "f", "g"};
    for (int g = 0; g < 4; g++) sum[g] = g == GATE_F && coupled ? NULL : gate_sum(r, names[g], g, j);
    add_input(r, sum, j);
    add_state(r, sum, r->h, j);
    Expr *last = let(l, "c", unit_at(r, r->c, j));
    add_peephole(r, sum[GATE_I], GATE_I, last, j);
    if (!coupled) add_peephole(r, sum[GATE_F], GATE_F, last, j);
    Expr *in = let(l, "in", activate_gate(r, 0, sum[GATE_I]));
    Expr *kept = let(l, "forget", coupled ? sub(l, num(l, r->t, 1), in) : activate_gate(r, 0, sum[GATE_F]));
    Expr *c = let(l, "cell", add(l, mul(l, kept, last), mul(l, in, activate_gate(r, 1, sum[GATE_C]))));
    put_unit(r, r->c, j, c);
    add_peephole(r, sum[GATE_O], GATE_O, c, j);
    put_next(r, j, mul(l, activate_gate(r, 0, sum[GATE_O]), activate(r, 2, c)));
    close_block(l);
}

/* z and the candidate once the reset state is there; y = (1 - z) * candidate + z * h. */
static void finish_gru(const Rnn *r, Expr *j, Expr *z, Expr *candidate) {
    Lower *l = r->l;
    Expr *gate = let(l, "update", activate_gate(r, 0, z)), *new = mul(l, sub(l, num(l, r->t, 1), gate), candidate);
    put_next(r, j, add(l, new, mul(l, gate, unit_at(r, r->h, j))));
}

/* linear_before_reset: the reset gate scales what R makes of h, so one loop over the units is enough. */
static void step_gru_linear(const Rnn *r) {
    Lower *l = r->l;
    Expr *j = open_units(r), *z = gate_sum(r, "z", GATE_Z, j), *reset = gate_sum(r, "r", GATE_R, j);
    Expr *from_x = var(l, "hx", r->t, bias_at(r, GATE_H, j, true, false));
    Expr *from_h = var(l, "hh", r->t, bias_at(r, GATE_H, j, false, true));
    add_input(r, (Expr *[]){z, reset, from_x}, j);
    add_state(r, (Expr *[]){z, reset, from_h}, r->h, j);
    finish_gru(r, j, z, activate_gate(r, 1, add(l, from_x, mul(l, activate_gate(r, 0, reset), from_h))));
    close_block(l);
}

/* Otherwise h itself is reset first, all of it, before R sees it. */
static void step_gru(const Rnn *r) {
    Lower *l = r->l;
    if (attr_i(r->n, "linear_before_reset")) {
        step_gru_linear(r);
        return;
    }
    Expr *j = open_units(r), *reset[3] = {NULL, gate_sum(r, "r", GATE_R, j), NULL};
    add_input(r, reset, j);
    add_state(r, reset, r->h, j);
    put_unit(r, r->reset, j, mul(l, activate_gate(r, 0, reset[GATE_R]), unit_at(r, r->h, j)));
    close_block(l);
    j = open_units(r);
    Expr *sum[3] = {gate_sum(r, "z", GATE_Z, j), NULL, gate_sum(r, "hh", GATE_H, j)};
    add_input(r, sum, j);
    add_state(r, (Expr *[]){sum[GATE_Z], NULL, NULL}, r->h, j);
    add_state(r, (Expr *[]){NULL, NULL, sum[GATE_H]}, r->reset, j);
    finish_gru(r, j, sum[GATE_Z], activate_gate(r, 1, sum[GATE_H]));
    close_block(l);
}

static const Cell rnn_cell = {1, 1, {"Tanh"}, step_rnn};
static const Cell gru_cell = {3, 2, {"Sigmoid", "Tanh"}, step_gru};
static const Cell lstm_cell = {4, 3, {"Sigmoid", "Tanh", "Tanh"}, step_lstm};

/* ---- sequences ---- */

/* Copies a state between its memory and an input or result [direction, sequence, unit]; no input gives zeros. */
static void copy_state(Rnn *r, Value *state, Value *other, bool out) {
    Lower *l = r->l;
    if (!state || (out && !other)) return;
    int opened = 0;
    r->b = open_dim(l, 'b', AX_PAR, r->batch, &opened);
    Expr *j = open_units(r), *idx[] = {r->batch_first ? r->b : r->dir, r->batch_first ? r->dir : r->b, j};
    if (out)
        store(l, other, idx, unit_at(r, state, j));
    else
        put_unit(r, state, j, other ? value_at(l, other, idx) : num(l, r->t, 0));
    close_blocks(l, opened + 1);
}

/* Step `t` of one sequence: those that have ended keep their state and give zeros (ONNX, sequence_lens). */
static void lower_step(Rnn *r, Expr *t) {
    Lower *l = r->l;
    Value *lens = input(r->n, LENS);
    Expr *len = extent(l, r->steps);
    if (lens) {
        len = let(l, "len", clamp(l, cast(l, value_at(l, lens, &r->b), DT_index), ix(l, 0), len));
        open_if(l, ix_less(l, t, len));
    }
    r->at = r->reverse ? let(l, "at", ix_sub(l, ix_sub(l, len, ix(l, 1)), t)) : t;
    r->cell->step(r);
    Expr *j = open_units(r);
    put_unit(r, r->h, j, unit_at(r, r->next, j));
    close_block(l);
    if (!lens) return;
    if (output(r->n, 0)) {
        open_else(l);
        j = open_units(r);
        put_result(r, t, j, num(l, r->t, 0));
        close_block(l);
    }
    close_block(l);
}

static void lower_direction(Rnn *r, int dir) {
    Lower *l = r->l;
    int opened = 0;
    choose_activations(r, dir);
    r->dir = ix(l, dir);
    r->reverse = dir == 1 || !strcmp(attr_s(r->n, "direction"), "reverse");
    copy_state(r, r->h, input(r->n, H0), false);
    copy_state(r, r->c, r->c ? input(r->n, C0) : NULL, false);
    Expr *t = open_dim(l, 't', AX_SEQ, r->steps, &opened);
    r->b = open_dim(l, 'b', AX_PAR, r->batch, &opened);
    lower_step(r, t);
    close_blocks(l, opened);
    copy_state(r, r->h, output(r->n, 1), true);
    copy_state(r, r->c, output(r->n, 2), true);
}

static void lower_recurrent(Lower *l, Node *n, const Cell *cell) {
    const Type *x = in_shape(n, X), *rec = in_shape(n, R);
    const Attr *clip = attr(n, "clip");
    Rnn r = {.l = l, .n = n, .cell = cell, .t = computed(n, X), .units = rec->dim[2]};
    r.batch_first = attr_i(n, "layout") != 0;
    r.steps = x->dim[r.batch_first], r.batch = x->dim[!r.batch_first];
    r.clip = clip->set ? clip->f : 0;
    int64_t dim[2] = {r.batch.max, r.units.max};
    r.h = scratch(l, "h", r.t, 2, dim), r.next = scratch(l, "next", r.t, 2, dim);
    if (cell == &lstm_cell) r.c = scratch(l, "c", r.t, 2, dim);
    if (cell == &gru_cell && !attr_i(n, "linear_before_reset")) r.reset = scratch(l, "reset", r.t, 2, dim);
    for (int dir = 0; dir < rec->dim[0].max; dir++) lower_direction(&r, dir);
}

void lower_rnn(Lower *l, Node *n) { lower_recurrent(l, n, &rnn_cell); }
void lower_gru(Lower *l, Node *n) { lower_recurrent(l, n, &gru_cell); }
void lower_lstm(Lower *l, Node *n) { lower_recurrent(l, n, &lstm_cell); }
