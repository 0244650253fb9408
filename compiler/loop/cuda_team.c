/* cuda_team.c - statements for a team of threads: loops dealt out, sums in trees, barriers between (cuda.h). */
#include "cuda.h"
#include "schedule.h"
#include <math.h>

enum { WORTH_SHARING = 8, WORTH_ADDING_UP = 64, MOST_SUMS = 8, MOST_NEST = 16 };

typedef struct {
    Lower *l;
    Launch *launch;
    Touch pending; /* since the last barrier */
    Stmt *first, **end;
} Team;

static bool parallel_for(const Stmt *s) { return s->kind == S_FOR && s->axis->kind == AX_PAR; }

static Stmt *new_stmt(Lower *l, Stmt proto) { return arena_copy(l->arena, &proto, sizeof proto); }

/* ---- nests as one loop ---- */

/* The loops of a nest that can be one: plain, each the only statement of the one around it, extents of their own. */
static int nest_of(const Stmt *s, AxisKind kind, const Stmt **loop) {
    int n = 0;
    for (; plain_for(s) && s->axis->kind == kind && n < MOST_NEST; s = s->body) {
        for (int i = 0; i < n; i++)
            if (uses_axis(s->axis->size, loop[i]->axis)) return n;
        loop[n++] = s;
        if (!s->body || s->body->next) break;
    }
    return n;
}

const Stmt *peel(const Stmt *s, int64_t *count) {
    const Stmt *loop[MOST_NEST];
    int n = nest_of(s, AX_PAR, loop);
    *count = 1;
    if (!n) return s->body; /* with bounds */
    for (int i = 0; i < n; i++) *count *= loop[i]->axis->extent;
    return loop[n - 1]->body;
}

static Stmt *let_index(Lower *l, const char *name, Expr *e, Expr **temp) {
    Temp *t = NEW(l->arena, Temp);
    *t = (Temp){name, l->k->temps++, DT_index, false};
    *temp = new_temp_expr(l, t);
    return new_stmt(l, (Stmt){.kind = S_LET, .temp = t, .expr = e});
}

/* The loops' variables from the number of the iteration: i = flat / (J * K), j = flat / K % J, k = flat % K. */
Stmt *unflatten(Lower *l, const Axis *const *axis, int n, Expr *flat, Stmt *body) {
    Expr *inner = ix(l, 1);
    for (int i = n - 1; i >= 0; i--) {
        Expr *e = ix_div(l, flat, inner), *temp;
        if (i) e = ix_mod(l, e, axis[i]->size);
        Stmt *let = let_index(l, axis[i]->name, e, &temp);
        Swap w = new_swap(l, new_axis_expr(l, (Axis *)(uintptr_t)axis[i]), temp);
        let->next = rewrite_stmts(l, body, &w);
        body = let;
        inner = ix_mul(l, inner, axis[i]->size);
    }
    return body;
}

static Stmt *one_loop(Lower *l, const Stmt *s, AxisKind from, AxisKind to) {
    const Stmt *loop[MOST_NEST];
    int n = nest_of(s, from, loop);
    Stmt *one = new_stmt(l, *s);
    one->next = NULL;
    one->axis = arena_copy(l->arena, s->axis, sizeof *s->axis);
    one->axis->kind = to, one->axis->id = l->k->axes++;
    if (n > 1) {
        const Axis *axis[MOST_NEST];
        for (int i = 0; i < n; i++) axis[i] = loop[i]->axis;
        one->axis->name = "at";
        for (int i = 1; i < n; i++) {
            one->axis->extent *= loop[i]->axis->extent;
            one->axis->size = ix_mul(l, one->axis->size, loop[i]->axis->size);
        }
        one->body = unflatten(l, axis, n, new_axis_expr(l, one->axis), loop[n - 1]->body);
    } else {
        Swap w = new_swap(l, new_axis_expr(l, s->axis), new_axis_expr(l, one->axis));
        one->body = rewrite_stmts(l, s->body, &w);
    }
    return one;
}

Stmt *dealt(Lower *l, const Stmt *s, AxisKind kind) { return one_loop(l, s, AX_PAR, kind); }

/* ---- sums ---- */

typedef struct {
    Temp *temp[MOST_SUMS];
    const Op *op[MOST_SUMS];
    int n;
    bool fits;
} Sums;

static bool uses_temp(const Expr *e, const Temp *t) {
    if (!e) return false;
    if (e->kind == E_TEMP && e->temp == t) return true;
    for (int i = 0; i < e->n; i++)
        if (uses_temp(e->arg[i], t)) return true;
    return false;
}

static bool defines(const Stmt *s, const Temp *t) {
    for (; s; s = s->next)
        if ((s->kind == S_LET && s->temp == t) || defines(s->body, t) || defines(s->other, t)) return true;
    return false;
}

/* What a tree may combine by, and from what it starts. */
static const struct {
    int op;
    const char *word;
    double start;
} combining[] = {{OP_Add, "sum", 0}, {OP_Mul, "product", 1}, {OP_Max, "max", 0}, {OP_Min, "min", 0}};

static bool combines(const Op *op) {
    for (int i = 0; i < COUNT(combining); i++)
        if (op == &ops[combining[i].op]) return true;
    return false;
}

const char *team_name(Arena *a, const Op *op, DType t) {
    int i = 0;
    while (op != &ops[combining[i].op]) i++;
    return format(a, "team_%s_%s", combining[i].word, dtypes[t].name);
}

bool team_named(const char *name, const Op **op, DType *t) {
    char word[16], type[8];
    if (sscanf(name, "team_%15[a-z]_%7s", word, type) != 2) return false;
    for (int i = 0; i < COUNT(combining); i++)
        if (!strcmp(combining[i].word, word)) return *op = &ops[combining[i].op], *t = find_dtype(type), true;
    return false;
}

/* t = t op e, where neither e nor anything else in the loop knows t. */
static void take_sum(Sums *r, const Stmt *s) {
    const Expr *e = s->expr;
    bool form = e->kind == E_MAP && e->n == 2 && combines(e->op) && e->arg[0]->kind == E_TEMP &&
                e->arg[0]->temp == s->temp && !uses_temp(e->arg[1], s->temp) && e->dtype != DT_index;
    for (int i = 0; i < r->n; i++) form = form && r->temp[i] != s->temp;
    if (!form || r->n == MOST_SUMS) {
        r->fits = false;
        return;
    }
    r->temp[r->n] = s->temp, r->op[r->n++] = e->op;
}

static void find_sums(Sums *r, const Stmt *s, const Stmt *whole) {
    for (; s && r->fits; s = s->next) {
        if (s->kind == S_STORE || s->kind == S_LOCAL || s->kind == S_WHILE || s->kind == S_TILE || s->kind == S_NOTE ||
            parallel_for(s))
            r->fits = false;
        if (s->kind == S_PUT) r->fits = r->fits && uses_axis(s->index, whole->axis);
        if (s->kind == S_SET && !defines(whole->body, s->temp)) take_sum(r, s);
        find_sums(r, s->body, whole), find_sums(r, s->other, whole);
    }
}

static int uses_of(const Stmt *s, const Temp *t) {
    int n = 0;
    for (; s; s = s->next)
        n += uses_temp(s->index, t) || uses_temp(s->lo, t) || uses_temp(s->hi, t) || uses_temp(s->expr, t),
            n += uses_of(s->body, t) + uses_of(s->other, t);
    return n;
}

/* Whether the loop only adds up: then its iterations can run in any order. */
static bool sums_of(const Stmt *s, Sums *r) {
    *r = (Sums){.fits = plain_for(s) && s->axis->kind == AX_SEQ};
    if (r->fits) find_sums(r, s->body, s);
    for (int i = 0; i < r->n && r->fits; i++) r->fits = uses_of(s->body, r->temp[i]) == 1;
    return r->fits && r->n;
}

static int64_t iterations(const Stmt *s) {
    int64_t most = 1;
    for (; s; s = s->next) {
        int64_t inside = iterations(s->body), n;
        if (s->kind == S_FOR && !mul_ok(inside, s->axis->extent, &inside)) inside = INT64_MAX;
        n = inside;
        if (s->other && iterations(s->other) > n) n = iterations(s->other);
        if (n > most) most = n;
    }
    return most;
}

static bool added_up(const Stmt *s, Sums *r) {
    return s->kind == S_FOR && s->axis->kind == AX_SEQ && iterations(s->body) * s->axis->extent >= WORTH_ADDING_UP &&
           sums_of(s, r);
}

int64_t team_work(const Stmt *s) {
    int64_t most = 0, n;
    Sums r;
    for (; s; s = s->next) {
        if (parallel_for(s)) {
            peel(s, &n);
            if (n < WORTH_SHARING) n = 0;
        } else if (added_up(s, &r)) {
            n = s->axis->extent;
            if (s->body && plain_for(s->body) && !s->body->next) n *= s->body->axis->extent;
        } else {
            n = team_work(s->body);
            int64_t other = team_work(s->other);
            if (other > n) n = other;
        }
        if (n > most) most = n;
    }
    return most;
}

/* ---- building ---- */

static void append(Team *t, Stmt *s) {
    *t->end = s;
    while (*t->end) t->end = &(*t->end)->next;
}

static void barrier(Team *t) {
    append(t, new_stmt(t->l, (Stmt){.kind = S_SYNC}));
    t->pending = (Touch){0};
}

/* Puts a barrier before what would meet what is under way. */
static void guard(Team *t, const Touch *now) {
    if (conflicts(&t->pending, now)) barrier(t);
    for (int i = 0; i < now->read.n; i++) push(t->l->arena, &t->pending.read, now->read.at[i]);
    for (int i = 0; i < now->written.n; i++) push(t->l->arena, &t->pending.written, now->written.at[i]);
}

static void guard_stmt(Team *t, const Stmt *s) {
    Touch now = {0};
    touch_stmts(t->l->arena, &now, s, true);
    guard(t, &now);
}

static Stmt *copied(Team *t, const Stmt *s) {
    Stmt *c = new_stmt(t->l, *s);
    c->next = NULL;
    return c;
}

/* One thread does it. */
static void once(Team *t, const Stmt *s) {
    Lower *l = t->l;
    Axis *a = NEW(l->arena, Axis);
    *a = (Axis){"once", l->k->axes++, AX_TEAM, 1, ix(l, 1)};
    guard_stmt(t, s);
    append(t, new_stmt(l, (Stmt){.kind = S_FOR, .axis = a, .body = copied(t, s)}));
}

static void share_local(Team *t, Local *a) {
    int64_t bytes = a->count * dtypes[a->dtype].bytes;
    if (a->dtype == DT_index) bytes = a->count * 8;
    a->shared = true, a->at = t->launch->shared;
    t->launch->shared += (bytes + 15) / 16 * 16;
}

/* Assignments to one temp become assignments to another, in statements that are no one else's. */
static void retarget(Stmt *s, const Temp *from, Temp *to) {
    for (; s; s = s->next) {
        if (s->kind == S_SET && s->temp == from) s->temp = to;
        retarget(s->body, from, to), retarget(s->other, from, to);
    }
}

/* for r { row = 0; for s row += e; sum += row }  as  for r for s sum += e: a tree needs no rows. */
static const Stmt *without_rows(Lower *l, const Stmt *s) {
    Stmt *row = s->body, *in = row ? row->next : NULL, *add = in ? in->next : NULL;
    bool form = row && in && add && !add->next && row->kind == S_LET && row->temp->mutable && in->kind == S_FOR &&
                add->kind == S_SET && add->expr->kind == E_MAP && add->expr->op == &ops[OP_Add] &&
                add->expr->arg[1]->kind == E_TEMP && add->expr->arg[1]->temp == row->temp && row->expr->kind == E_NUM &&
                row->expr->num == 0;
    if (!form) return s;
    const Stmt *leaf = in;
    for (; leaf && (leaf->kind == S_FOR || (leaf->kind == S_IF && !leaf->other)); leaf = leaf->body)
        if (leaf->next && leaf != in) return s;
    while (leaf && leaf->kind == S_LET && !leaf->temp->mutable) leaf = leaf->next;
    if (!leaf || leaf->next || leaf->kind != S_SET || leaf->temp != row->temp) return s;
    Stmt *c = new_stmt(l, *s);
    Swap w = new_swap(l, new_temp_expr(l, row->temp), new_temp_expr(l, add->temp));
    c->body = rewrite_stmts(l, in, &w), c->body->next = NULL, c->next = NULL;
    retarget(c->body, row->temp, add->temp);
    return c;
}

static Expr *neutral(Lower *l, const Op *op, DType t) {
    bool max = op == &ops[OP_Max];
    for (int i = 0; i < COUNT(combining); i++)
        if (op == &ops[combining[i].op] && !max && op != &ops[OP_Min]) return num(l, t, combining[i].start);
    if (is_float(t)) return num(l, t, max ? -(double)INFINITY : (double)INFINITY);
    return scalar_expr(l, t, max ? (Scalar){.i = dtype_min(t)} : (Scalar){.u = dtype_max(t)});
}

/* Each thread adds up its share, then all shares are added in a tree. */
static void add_up(Team *t, const Stmt *s) {
    Lower *l = t->l;
    s = without_rows(l, s);
    Sums r;
    ASSERT(sums_of(s, &r));
    Temp *part[MOST_SUMS];
    guard_stmt(t, s);
    Stmt *loop = one_loop(l, s, AX_SEQ, AX_TEAM);
    for (int i = 0; i < r.n; i++) {
        part[i] = arena_copy(l->arena, r.temp[i], sizeof *part[i]);
        part[i]->id = l->k->temps++, part[i]->mutable = true, part[i]->name = "part";
        append(t, new_stmt(l, (Stmt){.kind = S_LET, .temp = part[i], .expr = neutral(l, r.op[i], r.temp[i]->dtype)}));
        Swap w = new_swap(l, new_temp_expr(l, r.temp[i]), new_temp_expr(l, part[i]));
        loop = rewrite_stmts(l, loop, &w);
        retarget(loop, r.temp[i], part[i]);
    }
    append(t, loop);
    for (int i = 0; i < r.n; i++) {
        append(t, new_stmt(l, (Stmt){.kind = S_COMBINE, .temp = part[i], .op = r.op[i]}));
        Expr *sum = new_temp_expr(l, r.temp[i]);
        append(t, new_stmt(l, (Stmt){.kind = S_SET,
                                     .temp = r.temp[i],
                                     .expr = map2(l, (int)(r.op[i] - ops), sum, new_temp_expr(l, part[i]))}));
    }
    t->pending = (Touch){0}; /* combining ends with a barrier */
}

static bool writes(const Team *t, const Stmt *s) {
    Touch now = {0};
    touch_stmts(t->l->arena, &now, s, true);
    return now.written.n > 0;
}

/* Whether the statement assigns to anything that lives longer than itself. */
static bool sets_outside(const Stmt *s, const Stmt *whole) {
    for (; s; s = s == whole ? NULL : s->next) {
        if (s->kind == S_SET && !defines(whole->body, s->temp) && !defines(whole->other, s->temp)) return true;
        if (sets_outside(s->body, whole) || sets_outside(s->other, whole)) return true;
    }
    return false;
}

static void team_list(Team *t, const Stmt *s);

static Stmt *inside(Team *t, const Stmt *s) {
    Stmt *first = t->first, **end = t->end;
    t->first = NULL, t->end = &t->first;
    team_list(t, s);
    Stmt *list = t->first;
    t->first = first, t->end = end;
    return list;
}

/* A loop or branch that all threads go through together. What its body ends with meets what it begins with. */
static void together(Team *t, const Stmt *s) {
    Touch now = {0}, none = {0};
    touch_stmts(t->l->arena, &now, s, true);
    if (now.written.n && (t->pending.read.n || t->pending.written.n))
        barrier(t);
    else
        guard(t, &now);
    Stmt *c = copied(t, s);
    Touch before = t->pending;
    Stmt *sync = new_stmt(t->l, (Stmt){.kind = S_SYNC});
    if (now.written.n) t->pending = none;
    c->body = inside(t, s->body);
    if (s->other) c->other = inside(t, s->other);
    if (now.written.n) {
        Stmt **end = &c->body;
        while (*end) end = &(*end)->next;
        *end = sync;
        if (c->other) {
            end = &c->other;
            while (*end) end = &(*end)->next;
            *end = new_stmt(t->l, (Stmt){.kind = S_SYNC});
        }
        t->pending = none;
    } else {
        t->pending = before;
    }
    append(t, c);
}

static void team_stmt(Team *t, const Stmt *s) {
    Sums r;
    bool compound = s->kind == S_FOR || s->kind == S_IF || s->kind == S_WHILE;
    if (s->kind == S_LOCAL)
        share_local(t, s->local), append(t, copied(t, s));
    else if (parallel_for(s))
        guard_stmt(t, s), append(t, dealt(t->l, s, AX_TEAM));
    else if (!t->launch->cooperative && added_up(s, &r))
        add_up(t, s);
    else if (compound && (team_work(s->body) || team_work(s->other)))
        together(t, s);
    else if (compound && writes(t, s) && sets_outside(s, s))
        together(t, s);
    else if (writes(t, s))
        once(t, s);
    else
        guard_stmt(t, s), append(t, copied(t, s));
}

static void team_list(Team *t, const Stmt *s) {
    for (; s; s = s->next) team_stmt(t, s);
}

static bool has_combine(const Stmt *s) {
    for (; s; s = s->next)
        if (s->kind == S_COMBINE || has_combine(s->body) || has_combine(s->other)) return true;
    return false;
}

bool for_team(Launch *launch, const Stmt *s) {
    Lower l = {.k = launch->k, .m = launch->k->module, .arena = launch->k->module->arena};
    Team t = {.l = &l, .launch = launch};
    t.end = &t.first;
    launch->shared = (int64_t)launch->threads * 8; /* what COMBINE works in comes first */
    team_list(&t, s);
    launch->body = t.first;
    if (launch->shared == (int64_t)launch->threads * 8 && !has_combine(launch->body)) launch->shared = 0;
    return launch->shared <= MOST_SHARED;
}
