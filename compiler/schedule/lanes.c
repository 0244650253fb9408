/* lanes.c - a sum along memory is taken in lanes, which a compiler that may not reorder additions cannot make itself.
 */
#include "schedule/schedule.h"

enum { LANES = 16 };

typedef struct {
    const Axis *axis;
    bool runs;
} Along;

/* A list of statements: they read with the axis or stand still along it, and no local that they write. */
static bool writes(const Stmt *s, const Local *local) {
    for (; s; s = s->next)
        if (s->kind == S_PUT && s->local == local) return true;
    return false;
}

static bool runs(const Expr *index, Along *along) {
    int64_t c;
    if (!coefficient(index, along->axis, &c) || c < 0 || c > 1) return false;
    along->runs |= c == 1;
    return true;
}

static bool reads_run(const Expr *e, const Stmt *body, Along *along) {
    if (e->kind == E_LOCAL && writes(body, e->local)) return false;
    if (e->kind == E_LOAD || e->kind == E_LOCAL) return runs(e->arg[0], along);
    if (e->kind == E_AXIS && e->axis == along->axis) return false;
    for (int i = 0; i < e->n; i++)
        if (!reads_run(e->arg[i], body, along)) return false;
    return true;
}

static bool reads(const Expr *e, const Temp *t) {
    if (e->kind == E_TEMP && e->temp == t) return true;
    for (int i = 0; i < e->n; i++)
        if (reads(e->arg[i], t)) return true;
    return false;
}

static Expr *term_of(const Stmt *set) {
    if (set->kind != S_SET || set->temp->dtype != DT_f32 || set->expr->kind != E_MAP || set->expr->op != &ops[OP_Add])
        return NULL;
    const Expr *sum = set->expr->arg[0];
    return sum->kind == E_TEMP && sum->temp == set->temp ? set->expr->arg[1] : NULL;
}

/* What stands before the addition: names for values, and rows of them that are kept. */
static bool stays_in_lane(const Stmt *s, const Stmt *body, const Temp *sum, Along *along) {
    int64_t c;
    if (s->kind == S_PUT && (!coefficient(s->index, along->axis, &c) || c != 1)) return false;
    if ((s->kind != S_PUT && s->kind != S_LET) || reads(s->expr, sum)) return false;
    return reads_run(s->expr, body, along);
}

/* for k: …; sum = sum + e, with as many turns as fill the lanes: the addition; NULL: of another form. */
static Stmt *addition(const Stmt *s) {
    if (!plain_for(s) || s->axis->kind != AX_SEQ || s->axis->size->kind != E_INT || !s->body) return NULL;
    if (s->axis->extent < SHORT_LANES) return NULL;
    Stmt *last = s->body;
    while (last->next) last = last->next;
    const Expr *term = term_of(last);
    Along along = {s->axis, false};
    if (!term || reads(term, last->temp) || !reads_run(term, s->body, &along)) return NULL;
    for (const Stmt *b = s->body; b != last; b = b->next)
        if (!stays_in_lane(b, s->body, last->temp, &along)) return NULL;
    return along.runs ? last : NULL;
}

static Stmt *make(Lower *l, Stmt s) { return arena_copy(l->arena, &s, sizeof s); }

static Axis *new_axis(Lower *l, const char *name, AxisKind kind, int64_t n) {
    Axis a = {name, l->k->axes++, kind, n, ix(l, n)};
    return arena_copy(l->arena, &a, sizeof a);
}

static Stmt *loop_of(Lower *l, Axis *a, Stmt *body, Stmt *next) {
    return make(l, (Stmt){.kind = S_FOR, .axis = a, .body = body, .next = next});
}

static Stmt *body_at(Lower *l, const Stmt *s, Expr *k) {
    Substitution at = new_substitution(l, new_axis_expr(l, s->axis), k);
    return rewrite_stmts(l, s->body, &at);
}

/* float part[16] = 0; for k: for i: part[i] += e at from + 16 k + i; for i: sum += part[i]; then `next`. */
static Stmt *in_lanes(Lower *l, const Stmt *s, Temp *sum, Expr *from, int64_t turns, Stmt *next) {
    Local part = {"part", l->k->locals++, DT_f32, LANES};
    Local *lanes = arena_copy(l->arena, &part, sizeof part);
    Axis *outer = new_axis(l, s->axis->name, AX_SEQ, turns);
    Axis *axis[3] = {new_axis(l, "lane", AX_PAR, LANES), new_axis(l, "lane", AX_PAR, LANES),
                     new_axis(l, "lane", AX_SEQ, LANES)};
    Expr *i[3], *total = new_temp_expr(l, sum);
    for (int n = 0; n < 3; n++) i[n] = new_axis_expr(l, axis[n]);
    Expr *k = ix_add(l, ix_add(l, from, ix_mul(l, new_axis_expr(l, outer), ix(l, LANES))), i[1]);
    Stmt *add = body_at(l, s, k);
    Substitution to_lane = new_substitution(l, total, local_at(l, lanes, i[1]));
    add = rewrite_stmts(l, add, &to_lane);
    Stmt *clear = make(l, (Stmt){.kind = S_PUT, .local = lanes, .index = i[0], .expr = num(l, DT_f32, 0)});
    Stmt *set = make(l, (Stmt){.kind = S_SET, .temp = sum});
    set->expr = map2(l, OP_Add, total, local_at(l, lanes, i[2]));
    Stmt *down = loop_of(l, axis[2], set, next), *along = loop_of(l, outer, loop_of(l, axis[1], add, NULL), down);
    return make(l, (Stmt){.kind = S_LOCAL, .local = lanes, .next = loop_of(l, axis[0], clear, along)});
}

/* Lanes of CHAIN turns each, lanes of what is left, and one by one what fills none. */
static void divide(Lower *l, Stmt *s, Temp *sum) {
    int64_t turns = s->axis->extent / LANES, chains = turns > 3 * CHAIN / 2 ? turns / CHAIN : 0;
    int64_t done = chains * CHAIN, rest = turns - done;
    Stmt *then = s->next;
    if (s->axis->extent % LANES) {
        Axis *few = new_axis(l, s->axis->name, AX_SEQ, s->axis->extent % LANES);
        then = loop_of(l, few, body_at(l, s, ix_add(l, ix(l, turns * LANES), new_axis_expr(l, few))), then);
    }
    if (rest) then = in_lanes(l, s, sum, ix(l, done * LANES), rest, then);
    if (chains) {
        Axis *chain = new_axis(l, s->axis->name, AX_SEQ, chains);
        Expr *from = ix_mul(l, new_axis_expr(l, chain), ix(l, CHAIN * LANES));
        then = loop_of(l, chain, in_lanes(l, s, sum, from, CHAIN, NULL), then);
    }
    *s = *then;
}

static void sums_in_lanes(Lower *l, Stmt *s) {
    for (; s; s = s->next) {
        if (s->done) continue;
        const Stmt *add = s->kind == S_FOR ? addition(s) : NULL;
        if (add)
            divide(l, s, add->temp);
        else
            sums_in_lanes(l, s->body), sums_in_lanes(l, s->other);
    }
}

void schedule_lanes(Lower *l, Stmt **list) { sums_in_lanes(l, *list); }
