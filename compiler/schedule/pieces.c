/* pieces.c - a product that fills no tile adds up its terms in the order in which a tile does: how many rows and
 * columns there are decides whether there are tiles, and must not decide about sums. */
#include "schedule/contraction.h"
#include "schedule/schedule.h"
#include "schedule/tile.h"

enum { MOST_COLUMNS = 2048 };

typedef struct {
    Lower *l;
    Contraction p;
    Axis *columns;
    Local *sums, *piece, *group; /* of each column: all, those of a chain, those of PIECES chains or NULL */
    int64_t size;                /* of a chain */
} Cut;

static Stmt *make(const Cut *c, Stmt s) { return arena_copy(c->l->arena, &s, sizeof s); }

static Axis *new_axis(const Cut *c, const char *name, AxisKind kind, Expr *size) {
    Axis a = {name, c->l->k->axes++, kind, most_of(size), size};
    return arena_copy(c->l->arena, &a, sizeof a);
}

static Stmt *append(Stmt *first, Stmt *then) {
    Stmt *last = first;
    while (last->next) last = last->next;
    last->next = then;
    return first;
}

/* for j: local[j] = e, of which the columns' number is j. */
static Stmt *put_row(const Cut *c, Local *local, Expr *e) {
    Lower *l = c->l;
    Axis *j = new_axis(c, c->columns->name, AX_PAR, c->columns->size);
    Expr *at = new_axis_expr(l, j);
    Substitution s = new_substitution(l, new_axis_expr(l, c->columns), at);
    Stmt put = {.kind = S_PUT, .local = local, .index = at, .expr = rewrite(l, e, &s)};
    return make(c, (Stmt){.kind = S_FOR, .axis = j, .body = make(c, put)});
}

static Expr *of_column(const Cut *c, Local *local) { return local_at(c->l, local, new_axis_expr(c->l, c->columns)); }

static Stmt *add_row(const Cut *c, Local *to, Expr *e) {
    return put_row(c, to, map2(c->l, OP_Add, of_column(c, to), e));
}

/* One chain of `count` terms from `from` on, added to `to`. */
static Stmt *chain(const Cut *c, Expr *from, int64_t count, Local *to) {
    Lower *l = c->l;
    Axis *k = new_axis(c, c->p.step[0]->name, AX_SEQ, ix(l, count));
    Substitution s = new_substitution(l, new_axis_expr(l, c->p.step[0]), ix_add(l, from, new_axis_expr(l, k)));
    Expr *term = rewrite(l, map2(l, OP_Mul, c->p.x, c->p.w), &s);
    Stmt *terms = make(c, (Stmt){.kind = S_FOR, .axis = k, .body = add_row(c, c->piece, term)});
    Stmt *clear = put_row(c, c->piece, num(l, DT_f32, 0));
    return append(append(clear, terms), add_row(c, to, of_column(c, c->piece)));
}

/* `count` chains from `from` on. */
static Stmt *chains(const Cut *c, Expr *from, int64_t count, Local *to) {
    Axis *k = new_axis(c, format(c->l->arena, "%s0", c->p.step[0]->name), AX_SEQ, ix(c->l, count));
    Expr *at = ix_add(c->l, from, ix_mul(c->l, new_axis_expr(c->l, k), ix(c->l, c->size)));
    return make(c, (Stmt){.kind = S_FOR, .axis = k, .body = chain(c, at, c->size, to)});
}

/* Terms from `from` on, in chains, the last of which may be shorter. */
static Stmt *some_terms(const Cut *c, Expr *from, int64_t count, Local *to) {
    int64_t whole = count / c->size, rest = count % c->size;
    Stmt *all = whole ? chains(c, from, whole, to) : NULL;
    if (!rest) return all;
    Stmt *last = chain(c, ix_add(c->l, from, ix(c->l, whole * c->size)), rest, to);
    return all ? append(all, last) : last;
}

/* The same in groups of PIECES chains. */
static Stmt *group(const Cut *c, Expr *from, int64_t count) {
    Stmt *clear = put_row(c, c->group, num(c->l, DT_f32, 0));
    return append(append(clear, some_terms(c, from, count, c->group)), add_row(c, c->sums, of_column(c, c->group)));
}

static Stmt *groups(const Cut *c, int64_t terms) {
    Lower *l = c->l;
    int64_t size = c->size * PIECES, whole = terms / size, rest = terms % size;
    Axis *k = new_axis(c, format(l->arena, "%s1", c->p.step[0]->name), AX_SEQ, ix(l, whole));
    Expr *from = ix_mul(l, new_axis_expr(l, k), ix(l, size));
    Stmt *all = make(c, (Stmt){.kind = S_FOR, .axis = k, .body = group(c, from, size)});
    return rest ? append(all, group(c, ix(l, whole * size), rest)) : all;
}

static Local *new_row(const Cut *c, const char *name) {
    Local row = {name, c->l->k->locals++, DT_f32, c->columns->extent};
    return arena_copy(c->l->arena, &row, sizeof row);
}

static Stmt *declare(const Cut *c, Local *local) { return make(c, (Stmt){.kind = S_LOCAL, .local = local}); }

/* What the nest does with each sum. */
static Stmt *use_sums(const Cut *c) {
    Lower *l = c->l;
    Axis *j = new_axis(c, c->columns->name, AX_PAR, c->columns->size);
    Substitution column = new_substitution(l, new_axis_expr(l, c->columns), new_axis_expr(l, j));
    Stmt *rest = rewrite_stmts(l, c->p.rest, &column);
    Substitution sum = new_substitution(l, c->p.acc, local_at(l, c->sums, new_axis_expr(l, j)));
    return make(c, (Stmt){.kind = S_FOR, .axis = j, .body = rewrite_stmts(l, rest, &sum)});
}

/* Whether the innermost loop runs through one operand, where the other stands still. */
static bool has_columns(const Cut *c) {
    int64_t x, w;
    if (!coefficient(c->p.x->arg[0], c->columns, &x) || !coefficient(c->p.w->arg[0], c->columns, &w)) return false;
    return (x == 1 && !w) || (w == 1 && !x);
}

static bool is_cut(Cut *c, Stmt *s) {
    if (!find_contraction(c->l, s, &c->p) || c->p.guard || c->p.steps != 1) return false;
    c->size = sum_piece(c->p.step[0]->size);
    c->columns = c->p.loop[c->p.loops - 1]->axis;
    return c->size && c->columns->extent <= MOST_COLUMNS && has_columns(c);
}

static void cut_into_pieces(Cut *c) {
    int64_t terms = c->p.step[0]->extent;
    Stmt *s = c->p.loop[c->p.loops - 1], *next = s->next;
    bool grouped = terms >= LONG_SUM;
    c->sums = new_row(c, "sums"), c->piece = new_row(c, "piece"), c->group = grouped ? new_row(c, "group") : NULL;
    Stmt *all = append(append(declare(c, c->sums), declare(c, c->piece)), put_row(c, c->sums, c->p.init->expr));
    if (grouped) append(all, declare(c, c->group));
    append(append(all, grouped ? groups(c, terms) : some_terms(c, ix(c->l, 0), terms, c->sums)), use_sums(c));
    append(all, next);
    *s = *all;
}

void schedule_pieces(Lower *l, Stmt **list) {
    for (Stmt *s = *list; s; s = s->next) {
        Cut c = {.l = l};
        if (s->done) continue;
        if (is_cut(&c, s))
            cut_into_pieces(&c);
        else
            schedule_pieces(l, &s->body), schedule_pieces(l, &s->other);
    }
}
