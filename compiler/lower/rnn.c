/* rnn.c - RNN, GRU and LSTM, one direction after the other: what the input adds to the gates is one product over
 * all steps; then, in order, each step is a product of the state with R and a loop over the units. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"

/* ---- one node in one direction ---- */

enum { X, W, R, B, LENS, H0, C0, P };        /* inputs */
enum { GATE_I = 0, GATE_O, GATE_F, GATE_C }; /* of LSTM, in the order of its weights */
enum { GATE_Z = 0, GATE_R, GATE_H };         /* of GRU */
enum { MAX_FUNCTIONS = 3 };

typedef struct Rnn Rnn;
typedef struct {
    int gates, functions;
    const char *otherwise[MAX_FUNCTIONS]; /* activations if none are given */
    void (*unit)(const Rnn *, Expr *j);   /* the next state of unit j of one sequence */
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
    } f[MAX_FUNCTIONS];
    Value *h, *c, *reset; /* [batch, units]; c of LSTM; reset: r * h of GRU */
    Value *from_x;        /* [steps, batch, gates * units]: products with W, and biases */
    Value *from_h;        /* [batch, gates * units]: products with R */
    Expr *dir, *b, *at;   /* direction, sequence, index of the current step in it */
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

/* The bias of W (half 0) or R (half 1) in a row of all gates. */
static Expr *bias_at(const Rnn *r, int half, Expr *row) {
    Lower *l = r->l;
    Value *bias = input(r->n, B);
    int64_t rows = r->cell->gates * r->units.max;
    return bias ? value_at(l, bias, (Expr *[]){r->dir, ix_add(l, row, ix(l, half * rows))}) : num(l, r->t, 0);
}

/* ---- products ---- */

static Expr *open_rows(const Rnn *r, int gates) { return open_for(r->l, "j", AX_PAR, ix(r->l, gates * r->units.max)); }

static Expr *input_bias(const Rnn *r, Expr *row);

/* from_x = W x + biases, at every step. */
static void multiply_input(Rnn *r) {
    Lower *l = r->l;
    Value *x = r->n->in[X];
    int opened = 0;
    Expr *t = open_dim(l, 't', AX_PAR, r->steps, &opened);
    r->b = open_dim(l, 'b', AX_PAR, r->batch, &opened);
    Expr *row = open_rows(r, r->cell->gates), *acc = var(l, "acc", r->t, input_bias(r, row));
    int sums = 0;
    Expr *k = open_dim(l, 'k', AX_SEQ, x->type.dim[2], &sums);
    Expr *element = value_at(l, x, r->batch_first ? (Expr *[]){r->b, t, k} : (Expr *[]){t, r->b, k});
    set(l, acc, add(l, acc, mul(l, element, value_at(l, r->n->in[W], (Expr *[]){r->dir, row, k}))));
    close_blocks(l, sums);
    store(l, r->from_x, (Expr *[]){t, r->b, row}, acc);
    close_blocks(l, opened + 1);
}

/* from_h = R state, for `gates` gates from `first` on. */
static void multiply_state(Rnn *r, Value *state, int first, int gates) {
    Lower *l = r->l;
    int opened = 0, sums = 0;
    r->b = open_dim(l, 'b', AX_PAR, r->batch, &opened);
    Expr *row = ix_add(l, open_rows(r, gates), ix(l, first * r->units.max));
    Expr *acc = var(l, "acc", r->t, num(l, r->t, 0));
    Expr *k = open_dim(l, 'k', AX_SEQ, r->units, &sums);
    set(l, acc, add(l, acc, mul(l, unit_at(r, state, k), value_at(l, r->n->in[R], (Expr *[]){r->dir, row, k}))));
    close_blocks(l, sums);
    store(l, r->from_h, (Expr *[]){r->b, row}, acc);
    close_blocks(l, opened + 1);
}

static Expr *x_part(const Rnn *r, int gate, Expr *j) {
    return load(r->l, r->from_x, (Expr *[]){r->at, r->b, row_of(r, gate, j)});
}

static Expr *h_part(const Rnn *r, int gate, Expr *j) {
    return load(r->l, r->from_h, (Expr *[]){r->b, row_of(r, gate, j)});
}

static Expr *gate_sum(const Rnn *r, int gate, Expr *j) { return add(r->l, x_part(r, gate, j), h_part(r, gate, j)); }

/* Y[step, direction, sequence, unit], or with the batch first. */
static void put_result(const Rnn *r, Expr *at, Expr *j, Expr *e) {
    Value *y = output(r->n, 0);
    if (!y) return;
    store(r->l, y, r->batch_first ? (Expr *[]){r->b, at, r->dir, j} : (Expr *[]){at, r->dir, r->b, j}, e);
}

static void put_next(const Rnn *r, Expr *j, Expr *e) {
    Expr *h = let(r->l, "h_next", e);
    put_unit(r, r->h, j, h);
    put_result(r, r->at, j, h);
}

/* ---- the three cells: a unit's next state from its gates ---- */

static void unit_rnn(const Rnn *r, Expr *j) { put_next(r, j, activate_gate(r, 0, gate_sum(r, 0, j))); }

/* A unit's weighted share of c in a gate, if the node has peepholes. */
static Expr *with_peephole(const Rnn *r, Expr *sum, int gate, Expr *c, Expr *j) {
    Lower *l = r->l;
    Value *p = input(r->n, P);
    return p ? add(l, sum, mul(l, c, value_at(l, p, (Expr *[]){r->dir, row_of(r, gate, j)}))) : sum;
}

/* clip is for the sums of gates: as in ONNX Runtime, the cell state is not clipped. */
static void unit_lstm(const Rnn *r, Expr *j) {
    Lower *l = r->l;
    bool coupled = attr_i(r->n, "input_forget") != 0;
    Expr *last = let(l, "c_last", unit_at(r, r->c, j));
    Expr *i = with_peephole(r, gate_sum(r, GATE_I, j), GATE_I, last, j);
    Expr *in = let(l, "input", activate_gate(r, 0, i));
    Expr *f = with_peephole(r, gate_sum(r, GATE_F, j), GATE_F, last, j);
    Expr *kept = let(l, "forget", coupled ? sub(l, num(l, r->t, 1), in) : activate_gate(r, 0, f));
    Expr *new = let(l, "candidate", activate_gate(r, 1, gate_sum(r, GATE_C, j)));
    Expr *c = let(l, "c_next", add(l, mul(l, kept, last), mul(l, in, new)));
    put_unit(r, r->c, j, c);
    Expr *o = with_peephole(r, gate_sum(r, GATE_O, j), GATE_O, c, j);
    Expr *out = let(l, "output", activate_gate(r, 0, o));
    put_next(r, j, mul(l, out, activate(r, 2, c)));
}

/* The candidate; linear_before_reset: the reset gate scales what R makes of h, with R's bias; else R saw r * h. */
static Expr *candidate(const Rnn *r, Expr *j) {
    Lower *l = r->l;
    Expr *from_h = h_part(r, GATE_H, j);
    if (attr_i(r->n, "linear_before_reset")) {
        from_h = add(l, from_h, bias_at(r, 1, row_of(r, GATE_H, j)));
        from_h = mul(l, activate_gate(r, 0, gate_sum(r, GATE_R, j)), from_h);
    }
    return activate_gate(r, 1, add(l, x_part(r, GATE_H, j), from_h));
}

/* y = (1 - z) * candidate + z * h. */
static void unit_gru(const Rnn *r, Expr *j) {
    Lower *l = r->l;
    Expr *z = let(l, "update", activate_gate(r, 0, gate_sum(r, GATE_Z, j)));
    Expr *new = mul(l, sub(l, num(l, r->t, 1), z), candidate(r, j));
    put_next(r, j, add(l, new, mul(l, z, unit_at(r, r->h, j))));
}

static void unit_reset(const Rnn *r, Expr *j) {
    put_unit(r, r->reset, j, mul(r->l, activate_gate(r, 0, gate_sum(r, GATE_R, j)), unit_at(r, r->h, j)));
}

static const Cell rnn_cell = {1, 1, {"Tanh"}, unit_rnn};
static const Cell gru_cell = {3, 2, {"Sigmoid", "Tanh"}, unit_gru};
static const Cell lstm_cell = {4, 3, {"Sigmoid", "Tanh", "Tanh"}, unit_lstm};

/* A GRU's biases of R go with those of W, but that of the candidate where the reset gate scales it. */
static Expr *input_bias(const Rnn *r, Expr *row) {
    Lower *l = r->l;
    if (!input(r->n, B)) return num(l, r->t, 0);
    Expr *w = bias_at(r, 0, row), *both_biases = add(l, w, bias_at(r, 1, row));
    if (r->cell != &gru_cell || !attr_i(r->n, "linear_before_reset")) return both_biases;
    return select_of(l, ix_less(l, row, ix(l, GATE_H * r->units.max)), both_biases, w);
}

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

/* Does `unit` for every unit of every sequence at step t. Sequences that have ended keep their state, and give zeros
 * (ONNX, sequence_lens). */
static void each_unit(Rnn *r, Expr *t, void (*unit)(const Rnn *, Expr *), bool last) {
    Lower *l = r->l;
    Value *lens = input(r->n, LENS);
    Expr *len = extent(l, r->steps);
    int opened = 0;
    r->b = open_dim(l, 'b', AX_PAR, r->batch, &opened);
    if (lens) {
        len = let(l, "len", clamp(l, cast(l, value_at(l, lens, &r->b), DT_index), ix(l, 0), len));
        open_if(l, ix_less(l, t, len));
    }
    r->at = r->reverse ? ix_sub(l, ix_sub(l, len, ix(l, 1)), t) : t;
    Expr *j = open_units(r);
    unit(r, j);
    close_block(l);
    if (lens && last && output(r->n, 0)) {
        open_else(l);
        j = open_units(r);
        put_result(r, t, j, num(l, r->t, 0));
        close_block(l);
    }
    close_blocks(l, opened + (lens != NULL));
}

static void lower_step(Rnn *r, Expr *t) {
    int gates = r->cell->gates;
    multiply_state(r, r->h, 0, r->reset ? GATE_H : gates);
    if (r->reset) {
        each_unit(r, t, unit_reset, false);
        multiply_state(r, r->reset, GATE_H, 1);
    }
    each_unit(r, t, r->cell->unit, true);
}

static void lower_direction(Rnn *r, int dir) {
    Lower *l = r->l;
    int opened = 0;
    choose_activations(r, dir);
    r->dir = ix(l, dir);
    r->reverse = dir == 1 || !strcmp(attr_s(r->n, "direction"), "reverse");
    copy_state(r, r->h, input(r->n, H0), false);
    copy_state(r, r->c, r->c ? input(r->n, C0) : NULL, false);
    multiply_input(r);
    Expr *t = open_dim(l, 't', AX_SEQ, r->steps, &opened);
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
    int64_t gates[3] = {r.steps.max, r.batch.max, cell->gates * r.units.max};
    r.h = scratch(l, "h", r.t, 2, dim);
    r.from_x = scratch(l, "from_x", r.t, 3, gates), r.from_h = scratch(l, "from_h", r.t, 2, gates + 1);
    if (cell == &lstm_cell) r.c = scratch(l, "c", r.t, 2, dim);
    if (cell == &gru_cell && !attr_i(n, "linear_before_reset")) r.reset = scratch(l, "reset", r.t, 2, dim);
    for (int dir = 0; dir < rec->dim[0].max; dir++) lower_direction(&r, dir);
}

void lower_rnn(Lower *l, Node *n) { lower_recurrent(l, n, &rnn_cell); }
void lower_gru(Lower *l, Node *n) { lower_recurrent(l, n, &gru_cell); }
void lower_lstm(Lower *l, Node *n) { lower_recurrent(l, n, &lstm_cell); }
