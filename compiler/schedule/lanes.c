/* lanes.c - a sum along memory is taken in lanes, which a compiler that may not reorder additions cannot make itself.
 */
#include "schedule/schedule.h"

enum { LANES = 16, MIN_TURNS = 6 };

typedef struct {
    const Axis *axis;
    bool runs;
} Along;

/* Whether all that an expression reads stands still along the axis or runs with it; no locals, of which rows are kept.
 */
static bool reads_run(const Expr *e, Along *along) {
    int64_t c;
    if (e->kind == E_LOAD) {
        if (!coefficient(e->arg[0], along->axis, &c) || c < 0 || c > 1) return false;
        along->runs |= c == 1;
        return true;
    }
    if (e->kind == E_LOCAL || (e->kind == E_AXIS && e->axis == along->axis)) return false;
    for (int i = 0; i < e->n; i++)
        if (!reads_run(e->arg[i], along)) return false;
    return true;
}

static bool reads(const Expr *e, const Temp *t) {
    if (e->kind == E_TEMP && e->temp == t) return true;
    for (int i = 0; i < e->n; i++)
        if (reads(e->arg[i], t)) return true;
    return false;
}

/* for k: sum = sum + e, with as many turns as fill the lanes: e; NULL: of another form. */
static Expr *term_of_sum(const Stmt *s) {
    const Stmt *b = s->body;
    if (!plain_for(s) || s->axis->kind != AX_SEQ || s->axis->size->kind != E_INT || !b || b->next) return NULL;
    if (s->axis->extent % LANES || s->axis->extent < MIN_TURNS * LANES) return NULL;
    if (b->kind != S_SET || b->temp->dtype != DT_f32 || b->expr->kind != E_MAP || b->expr->op != &ops[OP_Add])
        return NULL;
    Expr *sum = b->expr->arg[0], *term = b->expr->arg[1];
    if (sum->kind != E_TEMP || sum->temp != b->temp) return NULL;
    Along along = {s->axis, false};
    return reads_run(term, &along) && along.runs && !reads(term, b->temp) ? term : NULL;
}

static Stmt *make(Lower *l, Stmt s) { return arena_copy(l->arena, &s, sizeof s); }

static Axis *new_axis(Lower *l, const char *name, AxisKind kind, int64_t n) {
    Axis a = {name, l->k->axes++, kind, n, ix(l, n)};
    return arena_copy(l->arena, &a, sizeof a);
}

/* part[16] = 0; for k: for i: part[i] += e at 16 k + i; for i: sum += part[i]. */
static void in_lanes(Lower *l, Stmt *s, Expr *term) {
    Stmt *add = s->body, *next = s->next;
    Local part = {"part", l->k->locals++, DT_f32, LANES};
    Local *lanes = arena_copy(l->arena, &part, sizeof part);
    Axis *outer = new_axis(l, s->axis->name, AX_SEQ, s->axis->extent / LANES);
    Axis *axis[3] = {new_axis(l, "lane", AX_PAR, LANES), new_axis(l, "lane", AX_PAR, LANES),
                     new_axis(l, "lane", AX_SEQ, LANES)};
    Expr *i[3];
    for (int n = 0; n < 3; n++) i[n] = new_axis_expr(l, axis[n]);
    Expr *k = ix_add(l, ix_mul(l, new_axis_expr(l, outer), ix(l, LANES)), i[1]);
    Substitution at_k = new_substitution(l, new_axis_expr(l, s->axis), k);
    Expr *one = map2(l, OP_Add, local_at(l, lanes, i[1]), rewrite(l, term, &at_k));
    Expr *all = map2(l, OP_Add, new_temp_expr(l, add->temp), local_at(l, lanes, i[2]));
    Stmt *clear = make(l, (Stmt){.kind = S_PUT, .local = lanes, .index = i[0], .expr = num(l, DT_f32, 0)});
    Stmt *put = make(l, (Stmt){.kind = S_PUT, .local = lanes, .index = i[1], .expr = one});
    Stmt *set = make(l, (Stmt){.kind = S_SET, .temp = add->temp, .expr = all});
    Stmt *down = make(l, (Stmt){.kind = S_FOR, .axis = axis[2], .body = set, .next = next});
    Stmt *inner = make(l, (Stmt){.kind = S_FOR, .axis = axis[1], .body = put});
    Stmt *along = make(l, (Stmt){.kind = S_FOR, .axis = outer, .body = inner, .next = down});
    Stmt *start = make(l, (Stmt){.kind = S_FOR, .axis = axis[0], .body = clear, .next = along});
    *s = (Stmt){.kind = S_LOCAL, .local = lanes, .next = start};
}

static void sums_in_lanes(Lower *l, Stmt *s) {
    for (; s; s = s->next) {
        if (s->done) continue;
        Expr *term = s->kind == S_FOR ? term_of_sum(s) : NULL;
        if (term)
            in_lanes(l, s, term);
        else
            sums_in_lanes(l, s->body), sums_in_lanes(l, s->other);
    }
}

void schedule_lanes(Lower *l, Stmt **list) { sums_in_lanes(l, *list); }
