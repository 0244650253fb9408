/* thread_group.c - statements for a thread group: distributed loops, sums in trees, barriers between (cuda.h). */
#include "cuda/cuda.h"

enum { WORTH_SHARING = 8, WORTH_ADDING_UP = 64 };

typedef struct {
    Lower *l;
    Launch *launch;
    AccessSet pending; /* since the last barrier */
    Stmt *first, **end;
} ThreadGroup;

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

bool is_shared_sum(const Stmt *s, Sums *r) {
    int64_t n;
    if (s->kind != S_FOR || s->axis->kind != AX_SEQ) return false;
    bool many = !mul_ok(iterations(s->body), s->axis->extent, &n) || n >= WORTH_ADDING_UP;
    return many && sums_of(s, r);
}

int64_t group_work(const Stmt *s) {
    int64_t most = 0, n;
    Sums r;
    for (; s; s = s->next) {
        if (is_parallel(s)) {
            parallel_body(s, &n);
            if (n < WORTH_SHARING) n = 0;
        } else if (is_shared_sum(s, &r)) {
            n = s->axis->extent;
            if (s->body && plain_for(s->body) && !s->body->next) n *= s->body->axis->extent;
        } else {
            n = group_work(s->body);
            int64_t other = group_work(s->other);
            if (other > n) n = other;
        }
        if (n > most) most = n;
    }
    return most;
}

/* ---- building ---- */

static void append(ThreadGroup *t, Stmt *s) {
    *t->end = s;
    while (*t->end) t->end = &(*t->end)->next;
}

static void barrier(ThreadGroup *t) {
    append(t, new_stmt(t->l, (Stmt){.kind = S_SYNC}));
    t->pending = (AccessSet){0};
}

/* Puts a barrier before a statement that conflicts with what has run since the last one. */
static void guard(ThreadGroup *t, const AccessSet *now) {
    if (conflicts(&t->pending, now)) barrier(t);
    for (int i = 0; i < now->read.n; i++) push(t->l->arena, &t->pending.read, now->read.at[i]);
    for (int i = 0; i < now->written.n; i++) push(t->l->arena, &t->pending.written, now->written.at[i]);
}

static void guard_stmt(ThreadGroup *t, const Stmt *s) {
    AccessSet now = {0};
    add_accesses(t->l->arena, &now, s);
    guard(t, &now);
}

static Stmt *copied(ThreadGroup *t, const Stmt *s) {
    Stmt *c = new_stmt(t->l, *s);
    c->next = NULL;
    return c;
}

/* Run by one thread. */
static void by_one_thread(ThreadGroup *t, const Stmt *s) {
    Lower *l = t->l;
    Axis *a = NEW(l->arena, Axis);
    *a = (Axis){"once", l->k->axes++, AX_GROUP, 1, ix(l, 1)};
    guard_stmt(t, s);
    append(t, new_stmt(l, (Stmt){.kind = S_FOR, .axis = a, .body = copied(t, s)}));
}

static void share_local(ThreadGroup *t, Local *a) {
    int64_t bytes = a->count * dtypes[a->dtype].bytes;
    if (a->dtype == DT_index) bytes = a->count * 8;
    a->shared = true, a->at = t->launch->shared;
    t->launch->shared += (bytes + 15) / 16 * 16;
}

/* Each thread adds up a partial sum, then these are added in a tree. */
static void shared_sum(ThreadGroup *t, const Stmt *s) {
    Lower *l = t->l;
    s = without_row_sums(l, s);
    Sums r;
    ASSERT(sums_of(s, &r));
    Temp *partial[MAX_SUMS];
    guard_stmt(t, s);
    Stmt *loop = t->launch->parts ? NULL : coalesce_loops(l, s, AX_SEQ, AX_GROUP);
    for (int i = 0; i < r.n; i++) {
        partial[i] = arena_copy(l->arena, r.temp[i], sizeof *partial[i]);
        partial[i]->id = l->k->temps++, partial[i]->mutable = true, partial[i]->name = "partial";
        append(t, new_stmt(l, (Stmt){.kind = S_LET,
                                     .temp = partial[i],
                                     .expr = neutral_element(l, r.op[i], r.temp[i]->dtype)}));
        if (t->launch->parts) {
            loop = sum_in_parts(l, t->launch, s, r.temp[i], partial[i]);
            continue;
        }
        Substitution w = new_substitution(l, new_temp_expr(l, r.temp[i]), new_temp_expr(l, partial[i]));
        loop = rewrite_stmts(l, loop, &w);
        retarget(loop, r.temp[i], partial[i]);
    }
    append(t, loop);
    for (int i = 0; i < r.n; i++) {
        append(t, new_stmt(l, (Stmt){.kind = S_COMBINE, .temp = partial[i], .op = r.op[i]}));
        Expr *sum = new_temp_expr(l, r.temp[i]);
        append(t, new_stmt(l, (Stmt){.kind = S_SET,
                                     .temp = r.temp[i],
                                     .expr = map2(l, (int)(r.op[i] - ops), sum, new_temp_expr(l, partial[i]))}));
    }
    t->pending = (AccessSet){0}; /* combining ends with a barrier */
}

static bool writes(const ThreadGroup *t, const Stmt *s) {
    AccessSet now = {0};
    add_accesses(t->l->arena, &now, s);
    return now.written.n > 0;
}

/* Whether the statement assigns to anything that lives longer than itself. */
static bool sets_outside(const Stmt *s, const Stmt *whole) {
    for (; s; s = s == whole ? NULL : s->next) {
        if (s->kind == S_SET && !names_temp(whole->body, S_LET, s->temp) && !names_temp(whole->other, S_LET, s->temp))
            return true;
        if (sets_outside(s->body, whole) || sets_outside(s->other, whole)) return true;
    }
    return false;
}

static void group_list(ThreadGroup *t, const Stmt *s);

static Stmt *group_body(ThreadGroup *t, const Stmt *s) {
    Stmt *first = t->first, **end = t->end;
    t->first = NULL, t->end = &t->first;
    group_list(t, s);
    Stmt *list = t->first;
    t->first = first, t->end = end;
    return list;
}

/* A loop or branch that all threads run together. The end of its body may conflict with its beginning. */
static void uniform_stmt(ThreadGroup *t, const Stmt *s) {
    AccessSet now = {0}, none = {0};
    add_accesses(t->l->arena, &now, s);
    if (now.written.n && (t->pending.read.n || t->pending.written.n))
        barrier(t);
    else
        guard(t, &now);
    Stmt *c = copied(t, s);
    AccessSet before = t->pending;
    Stmt *sync = new_stmt(t->l, (Stmt){.kind = S_SYNC});
    if (now.written.n) t->pending = none;
    c->body = group_body(t, s->body);
    if (s->other) c->other = group_body(t, s->other);
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

static void group_stmt(ThreadGroup *t, const Stmt *s) {
    Sums r;
    bool compound = s->kind == S_FOR || s->kind == S_IF || s->kind == S_WHILE;
    if (s->kind == S_LOCAL)
        share_local(t, s->local), append(t, copied(t, s));
    else if (is_parallel(s))
        guard_stmt(t, s), append(t, distribute_loop(t->l, s, AX_GROUP));
    else if (!t->launch->cooperative && is_shared_sum(s, &r))
        shared_sum(t, s);
    else if (compound && (group_work(s->body) || group_work(s->other)))
        uniform_stmt(t, s);
    else if (compound && writes(t, s) && sets_outside(s, s))
        uniform_stmt(t, s);
    else if (writes(t, s))
        by_one_thread(t, s);
    else
        guard_stmt(t, s), append(t, copied(t, s));
}

static void group_list(ThreadGroup *t, const Stmt *s) {
    for (; s; s = s->next) group_stmt(t, s);
}

static bool has_combine(const Stmt *s) {
    for (; s; s = s->next)
        if (s->kind == S_COMBINE || has_combine(s->body) || has_combine(s->other)) return true;
    return false;
}

bool schedule_group(Launch *launch, const Stmt *s) {
    Lower l = {.k = launch->k, .m = launch->k->module, .arena = launch->k->module->arena};
    ThreadGroup t = {.l = &l, .launch = launch};
    t.end = &t.first;
    launch->shared = (int64_t)launch->threads * 8; /* what COMBINE works in comes first */
    group_list(&t, s);
    launch->body = t.first;
    if (launch->shared == (int64_t)launch->threads * 8 && !has_combine(launch->body)) launch->shared = 0;
    return launch->shared <= launch->k->module->target->shared_bytes;
}
