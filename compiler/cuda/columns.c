/* columns.c - long sums over columns, by many blocks: few columns alone would leave most of a GPU idle, and a thread
 * that waits for each element before it asks for the next.
 *
 * Of each sum a block adds up a part, eight elements at a time. The block that comes last adds up the parts, in their
 * order, so that the result is the same in each run, and goes on with what follows. */
#include "cuda/cuda.h"

enum { AT_A_TIME = 8, WORTH_BLOCKS = 256 };

static int group_threads(const Launch *x) { return x->threads / x->groups; }

/* The body's only sum, if it is one of floats whose number is known. */
static const Stmt *only_sum(const Stmt *body) {
    const Stmt *found = NULL;
    Sums sums;
    for (const Stmt *s = body; s; s = s->next) {
        if (!is_shared_sum(s, &sums)) continue;
        if (found || sums.n != 1 || sums.op[0] != &ops[OP_Add] || !is_float(sums.temp[0]->dtype)) return NULL;
        found = s;
    }
    return found;
}

static Temp *index_temp(Lower *l, const char *name) {
    Temp *t = NEW(l->arena, Temp);
    *t = (Temp){name, l->k->temps++, DT_index, false};
    return t;
}

void divide_columns(Lower *l, Launch *x, const Stmt *body) {
    const Stmt *s = only_sum(body);
    const Stmt *flat = s ? coalesce_loops(l, without_row_sums(l, s), AX_SEQ, AX_SEQ) : NULL;
    if (!flat || flat->axis->size->kind != E_INT || x->items->kind != E_INT || flat->body->kind == S_FOR) return;
    int64_t parts = WORTH_BLOCKS / ceil_div(x->items->i, x->groups),
            most = flat->axis->extent / ((int64_t)group_threads(x) * AT_A_TIME);
    if (most < 1) return; /* too short for eight at a time */
    if (most < parts) parts = most;
    x->parts = parts > 1 ? (int)parts : 1;
    const int64_t shares = (int64_t)group_threads(x) * x->parts;
    x->share = NEW(l->arena, Axis);
    *x->share = (Axis){"share", l->k->axes++, AX_GROUP, shares, ix(l, shares)};
}

/* ---- the loops ---- */

static Stmt *loop_over(Lower *l, const char *name, int64_t n, Expr **index) {
    Axis *a = NEW(l->arena, Axis);
    *a = (Axis){name, l->k->axes++, AX_SEQ, n, ix(l, n)};
    *index = new_axis_expr(l, a);
    return new_stmt(l, (Stmt){.kind = S_FOR, .axis = a});
}

static Stmt *put_sum(Lower *l, Local *a, Expr *index, Expr *e) {
    return new_stmt(l, (Stmt){.kind = S_PUT, .local = a, .index = index, .expr = e});
}

/* The flat loop's body for iteration `at`, with a sum in place of its own. */
static Stmt *one_term(Lower *l, const Stmt *flat, const Temp *own, Expr *sum, Expr *at) {
    Temp *t = index_temp(l, "at");
    Substitution w = new_substitution(l, new_axis_expr(l, flat->axis), new_temp_expr(l, t));
    Stmt *body = rewrite_stmts(l, flat->body, &w);
    w = new_substitution(l, new_temp_expr(l, (Temp *)(uintptr_t)own), sum);
    return new_stmt(l, (Stmt){.kind = S_LET, .temp = t, .expr = at, .next = rewrite_stmts(l, body, &w)});
}

Stmt *sum_in_parts(Lower *l, const Launch *x, const Stmt *s, const Temp *own, Temp *partial) {
    const Stmt *flat = coalesce_loops(l, s, AX_SEQ, AX_SEQ);
    const int64_t n = flat->axis->extent, step = (int64_t)group_threads(x) * x->parts, rounds = n / (AT_A_TIME * step),
                  rest = n - rounds * AT_A_TIME * step;
    Expr *first = new_axis_expr(l, x->share);
    Local *sums = NEW(l->arena, Local);
    *sums = (Local){.name = "sums", .id = l->k->locals++, .dtype = own->dtype, .count = AT_A_TIME};
    Expr *i, *u, *j;
    Stmt *clear = loop_over(l, "u", AT_A_TIME, &u);
    clear->body = put_sum(l, sums, u, num(l, own->dtype, 0));
    Stmt *outer = loop_over(l, "i", rounds, &i), *inner = loop_over(l, "u", AT_A_TIME, &u);
    Expr *at = ix_add(l, ix_mul(l, ix_add(l, ix_mul(l, i, ix(l, AT_A_TIME)), u), ix(l, step)), first);
    inner->body = one_term(l, flat, own, local_at(l, sums, u), at);
    outer->body = inner;
    Stmt *tail = loop_over(l, "j", ceil_div(rest, step), &j);
    at = ix_add(l, ix_add(l, ix_mul(l, j, ix(l, step)), first), ix(l, rounds * AT_A_TIME * step));
    tail->body = new_stmt(l, (Stmt){.kind = S_IF,
                                    .expr = ix_less(l, at, ix(l, n)),
                                    .body = one_term(l, flat, own, local_at(l, sums, ix(l, 0)), at)});
    Stmt *total = loop_over(l, "u", AT_A_TIME, &u);
    Expr *sum = map2(l, OP_Add, new_temp_expr(l, partial), local_at(l, sums, u));
    total->body = new_stmt(l, (Stmt){.kind = S_SET, .temp = partial, .expr = sum});
    outer->next = rest ? tail : total, tail->next = total;
    clear->next = rounds ? outer : outer->next;
    Stmt *body = new_stmt(l, (Stmt){.kind = S_LOCAL, .local = sums, .next = clear});
    return new_stmt(l, (Stmt){.kind = S_FOR, .axis = x->share, .body = body});
}
