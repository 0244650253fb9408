/* strings.c - strings as rows of bytes: in from the caller, out to it, one behind the other, taken apart */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_move.h"

static Expr *zero(Lower *l) { return num(l, DT_u8, 0); }

static Expr *is_not_zero(Lower *l, Expr *c) { return map1(l, OP_Not, map2(l, OP_Equal, c, zero(l))); }

static Type outer(const Type *rows) {
    Type t = *rows;
    t.rank--;
    return t;
}

static int64_t width_of(const Type *rows) { return rows->dim[rows->rank - 1].max; }

/* Up to a string's NUL, and zeros behind it. */
void lower_text_in(Lower *l, Node *n) {
    const Type *t = in_shape(n, 0);
    Expr *idx[MAX_RANK], *i = ix(l, 0);
    int opened = open_dims(l, t, 0, idx);
    for (int k = 0; k < t->rank; k++) i = ix_add(l, ix_mul(l, i, ix(l, t->dim[k].max)), idx[k]);
    Expr *more = var(l, "more", DT_bool, num(l, DT_bool, 1));
    Expr *k = open_for(l, "k", AX_SEQ, ix(l, width_of(&n->out[0]->type)));
    Expr *c = var(l, "c", DT_u8, zero(l));
    open_if(l, more);
    set(l, c, load_char_flat(l, n->in[0], i, k));
    set(l, more, is_not_zero(l, c));
    close_block(l);
    idx[t->rank] = k;
    store(l, n->out[0], idx, c);
    close_blocks(l, opened + 1);
}

static void fill_row(Lower *l, Value *y, Expr **idx) {
    int last = y->type.rank - 1;
    idx[last] = open_for(l, "k", AX_SEQ, ix(l, width_of(&y->type)));
    store(l, y, idx, zero(l));
    close_block(l);
}

/* The bytes of x's row behind the `at` that are there; `at` counts them. */
static void append_row(Lower *l, Value *x, Expr *const *idx, Value *y, Expr **to, Expr *at) {
    const Type *t = &x->type;
    int skipped = y->type.rank - t->rank;
    Expr *in[MAX_RANK];
    for (int k = 0; k + 1 < t->rank; k++) in[k] = is_unit(t->dim[k]) ? ix(l, 0) : idx[k + skipped];
    in[t->rank - 1] = open_for(l, "k", AX_SEQ, ix(l, width_of(t)));
    Expr *c = let(l, "c", value_at(l, x, in));
    open_if(l, is_not_zero(l, c));
    to[y->type.rank - 1] = at;
    store(l, y, to, c);
    set(l, at, ix_add(l, at, ix(l, 1)));
    close_blocks(l, 2);
}

void lower_text_join(Lower *l, Node *n) {
    Value *y = n->out[0];
    Type t = outer(&y->type);
    Expr *idx[MAX_RANK];
    int opened = open_dims(l, &t, 0, idx);
    fill_row(l, y, idx);
    Expr *at = var(l, "at", DT_index, ix(l, 0));
    append_row(l, n->in[0], idx, y, idx, at);
    append_row(l, n->in[1], idx, y, idx, at);
    close_blocks(l, opened);
}

/* ---- taken apart ---- */

typedef struct {
    Lower *l;
    Node *n;
    Expr **idx;               /* of the row; and one more */
    Expr *part, *at, *inside; /* where the next byte goes, and whether the part has one */
    int64_t most;             /* parts */
} Splitting;

static void put_byte(const Splitting *s, Expr *c) {
    Lower *l = s->l;
    int rank = s->n->out[0]->type.rank;
    s->idx[rank - 2] = map2(l, OP_Min, s->part, ix(l, s->most - 1)), s->idx[rank - 1] = s->at;
    store(l, s->n->out[0], s->idx, c);
    set(l, s->at, ix_add(l, s->at, ix(l, 1)));
    set(l, s->inside, num(l, DT_bool, 1));
}

static void next_part(const Splitting *s) {
    Lower *l = s->l;
    set(l, s->part, ix_add(l, s->part, ix(l, 1)));
    set(l, s->at, ix(l, 0));
    set(l, s->inside, num(l, DT_bool, 0));
}

static Expr *byte_at(const Splitting *s, Expr *k) {
    Expr *in[MAX_RANK];
    int rank = in_shape(s->n, 0)->rank;
    memcpy(in, s->idx, sizeof *in * (size_t)(rank - 1));
    in[rank - 1] = map2(s->l, OP_Min, k, ix(s->l, width_of(in_shape(s->n, 0)) - 1)); /* which is a NUL */
    return value_at(s->l, s->n->in[0], in);
}

static Expr *not_last(const Splitting *s) { return ix_less(s->l, s->part, ix(s->l, s->most - 1)); }

/* Of blanks any number parts; what is left of a row that has as many parts as it may keeps its own. */
static void split_at_blanks(const Splitting *s, Expr *k) {
    Lower *l = s->l;
    Expr *c = let(l, "c", byte_at(s, k));
    Expr *control = both(l, greater(l, c, num(l, DT_u8, 8)), less(l, c, num(l, DT_u8, 14)));
    Expr *blank = let(l, "blank", either(l, control, map2(l, OP_Equal, c, num(l, DT_u8, ' '))));
    Expr *parts = map1(l, OP_Not, both(l, s->inside, map1(l, OP_Not, not_last(s))));
    open_if(l, both(l, blank, parts));
    open_if(l, s->inside);
    next_part(s);
    close_block(l);
    open_else(l);
    open_if(l, is_not_zero(l, c));
    put_byte(s, c);
    close_blocks(l, 2);
}

static void split_at_text(const Splitting *s, Expr *k, const char *delimiter, Expr *skip) {
    Lower *l = s->l;
    int64_t length = (int64_t)strlen(delimiter);
    Expr *c = let(l, "c", byte_at(s, k)), *here = not_last(s);
    for (int64_t j = 0; j < length; j++) {
        Expr *at = j ? byte_at(s, ix_add(l, k, ix(l, j))) : c;
        here = both(l, here, map2(l, OP_Equal, at, num(l, DT_u8, (unsigned char)delimiter[j])));
    }
    open_if(l, ix_less(l, ix(l, 0), skip));
    set(l, skip, ix_sub(l, skip, ix(l, 1)));
    open_else(l);
    open_if(l, here);
    next_part(s);
    set(l, skip, ix(l, length - 1));
    open_else(l);
    open_if(l, is_not_zero(l, c));
    put_byte(s, c);
    close_blocks(l, 3);
}

void lower_text_split(Lower *l, Node *n) {
    const char *delimiter = attr_s(n, "delimiter");
    Type t = outer(in_shape(n, 0));
    Expr *idx[MAX_RANK], *skip = NULL;
    Splitting s = {.l = l, .n = n, .idx = idx, .most = attr_i(n, "parts")};
    int opened = open_dims(l, &t, 0, idx);
    idx[t.rank] = open_for(l, "p", AX_SEQ, ix(l, s.most));
    fill_row(l, n->out[0], idx);
    close_block(l);
    s.part = var(l, "part", DT_index, ix(l, 0)), s.at = var(l, "at", DT_index, ix(l, 0));
    s.inside = var(l, "inside", DT_bool, num(l, DT_bool, 0));
    if (*delimiter) skip = var(l, "skip", DT_index, ix(l, 0));
    Expr *k = open_for(l, "k", AX_SEQ, ix(l, width_of(in_shape(n, 0))));
    if (*delimiter)
        split_at_text(&s, k, delimiter, skip);
    else
        split_at_blanks(&s, k);
    close_block(l);
    Expr *more = *delimiter ? ix(l, 1) : cast(l, s.inside, DT_index);
    store(l, n->out[1], idx, cast(l, ix_add(l, s.part, more), DT_i64));
    close_blocks(l, opened);
}

/* ---- whether an automaton accepts it ---- */

/* A NUL leaves the state as it is. */
void lower_text_match(Lower *l, Node *n) {
    Value *rows = n->in[0], *classes = n->in[1], *next = n->in[2], *accepts = n->in[3];
    Type t = outer(&rows->type);
    Expr *idx[MAX_RANK];
    int opened = open_dims(l, &t, 0, idx);
    Expr *state = var(l, "state", DT_index, ix(l, 0));
    idx[t.rank] = open_for(l, "k", AX_SEQ, ix(l, width_of(&rows->type)));
    Expr *c = let(l, "c", cast(l, value_at(l, rows, idx), DT_index));
    Expr *class = let(l, "class", cast(l, load(l, classes, &c), DT_index));
    set(l, state, cast(l, load(l, next, (Expr *[]){state, class}), DT_index));
    close_block(l);
    store(l, n->out[0], idx, load(l, accepts, &state));
    close_blocks(l, opened);
}

/* ---- out ---- */

void lower_text_out(Lower *l, Node *n) {
    Value *x = n->in[0], *bytes = n->out[0], *offsets = n->out[1];
    Type t = outer(&x->type);
    int64_t axis = attr_i(n, "axis"), count = type_count(&t);
    Expr *idx[MAX_RANK], *end = var(l, "end", DT_index, ix(l, 0)), *strings = var(l, "strings", DT_index, ix(l, 0));
    Expr *extent = input(n, 1) ? let(l, "extent", cast(l, element_of(l, n->in[1]), DT_index)) : NULL;
    Expr *b = open_for(l, "b", AX_SEQ, ix(l, type_count(&bytes->type)));
    store_flat(l, bytes, b, zero(l));
    close_block(l);
    int opened = open_dims(l, &t, ~0u, idx);
    if (extent) open_if(l, ix_less(l, idx[axis], extent));
    store_flat(l, offsets, strings, cast(l, end, DT_i32));
    idx[t.rank] = open_for(l, "k", AX_SEQ, ix(l, width_of(&x->type) - 1));
    Expr *c = let(l, "c", value_at(l, x, idx));
    open_if(l, is_not_zero(l, c));
    store_flat(l, bytes, end, c);
    set(l, end, ix_add(l, end, ix(l, 1)));
    close_blocks(l, 2);
    set(l, end, ix_add(l, end, ix(l, 1)));
    set(l, strings, ix_add(l, strings, ix(l, 1)));
    close_blocks(l, opened + (extent != NULL));
    Expr *s = open_for(l, "s", AX_SEQ, ix(l, count + 1));
    open_if(l, map1(l, OP_Not, ix_less(l, s, strings)));
    store_flat(l, offsets, s, cast(l, end, DT_i32));
    close_blocks(l, 2);
}
