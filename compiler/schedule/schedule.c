/* schedule.c - the list of schedules, what they ask of a nest, and those that divide loops: sinking, phases, short
 * reductions. Each keeps the meaning of the nest, and all but tile and lanes the order of additions. */
#include "schedule/schedule.h"
#include "ir/target.h"
#include "schedule/tile.h"

enum { MAX_ROW = 512, MAX_STRIDE = 2, PAGE = 4096 };

/* The axis's coefficient in an index; false if it is not a term of a sum. */
bool coefficient(const Expr *index, const Axis *axis, int64_t *coef) {
    const Expr *term[24];
    int64_t c[24], k;
    int n = affine(index, COUNT(term), term, c, &k);
    *coef = 0;
    if (n < 0) return false;
    for (int i = 0; i < n; i++) {
        if (term[i]->kind == E_AXIS && term[i]->axis == axis)
            *coef = c[i];
        else if (uses_axis(term[i], axis))
            return false;
    }
    return true;
}

static bool each_index_in(const Expr *e, IndexTest f, const void *arg) {
    if (!e) return true;
    if ((e->kind == E_LOAD || e->kind == E_LOCAL) && !f(e->arg[0], arg)) return false;
    for (int i = 0; i < e->n; i++)
        if (!each_index_in(e->arg[i], f, arg)) return false;
    return true;
}

bool each_index(const Stmt *s, IndexTest f, const void *arg) {
    for (; s; s = s->next) {
        if (s->index && !f(s->index, arg)) return false;
        if (!each_index_in(s->index, f, arg) || !each_index_in(s->expr, f, arg)) return false;
        if (!each_index(s->body, f, arg) || !each_index(s->other, f, arg)) return false;
    }
    return true;
}

bool gives_value(const Stmt *s) {
    return s->kind == S_STORE || s->kind == S_SET || s->kind == S_LET || s->kind == S_PUT;
}

bool plain_for(const Stmt *s) { return s && s->kind == S_FOR && !s->lo && !s->hi; }

bool plain_parallel(const Stmt *s) { return plain_for(s) && s->axis->kind == AX_PAR; }

static bool has_loop(const Stmt *s) {
    for (; s; s = s->next)
        if (s->kind == S_FOR || has_loop(s->body) || has_loop(s->other)) return true;
    return false;
}

/* ---- sink ----------------------------------------------------------------------------------------------------------
 */

/* Innermost statements of the loops below: whether their indices step by little along the axis. */
typedef struct {
    const Axis *axis;
    bool unit;
} Steps;

static bool small_step(const Expr *index, const void *arg) {
    Steps *s = (Steps *)(uintptr_t)arg;
    int64_t c;
    if (!coefficient(index, s->axis, &c) || llabs(c) > MAX_STRIDE) return false;
    if (llabs(c) == 1) s->unit = true;
    return true;
}

static bool only_simple(const Stmt *s) {
    for (; s; s = s->next) {
        if (s->kind == S_WHILE || s->kind == S_LOCAL || s->kind == S_PUT || s->other) return false;
        if (s->kind == S_FOR && s->axis->kind == AX_PAR) return false;
        if (!only_simple(s->body)) return false;
    }
    return true;
}

static bool worth_sinking(const Stmt *s) {
    Steps steps = {s->axis, false};
    if (!plain_parallel(s) || s->axis->extent < MIN_ROW) return false;
    if (!has_loop(s->body) || !only_simple(s->body)) return false;
    return each_index(s->body, small_step, &steps) && steps.unit;
}

/* The largest divisor of an extent that makes a row of at most MAX_ROW, or 0 if none is worth it. */
static int64_t row_length(const Axis *a) {
    int64_t n = a->extent;
    if (n <= MAX_ROW) return n;
    if (a->size->kind != E_INT) return 0;
    for (int64_t d = MAX_ROW; d >= 16; d--)
        if (n % d == 0) return d;
    return 0;
}

/* for j over J becomes for jo over J / row { for j over row … jo * row + j … }; returns the inner loop. */
static Stmt *strip(Lower *l, Stmt *s, int64_t row) {
    if (row == s->axis->extent) return s;
    Expr *j = new_axis_expr(l, s->axis);
    Axis *outer = arena_copy(l->arena, s->axis, sizeof *outer), *inner = arena_copy(l->arena, s->axis, sizeof *inner);
    outer->id = l->k->axes++, outer->extent = s->axis->extent / row, outer->size = ix_div(l, s->axis->size, ix(l, row));
    outer->name = format(l->arena, "%s0", s->axis->name);
    inner->id = l->k->axes++, inner->extent = row, inner->size = ix(l, row);
    Expr *whole = ix_add(l, ix_mul(l, new_axis_expr(l, outer), ix(l, row)), new_axis_expr(l, inner));
    Substitution w = new_substitution(l, j, whole);
    Stmt *in = NEW(l->arena, Stmt);
    *in = (Stmt){.kind = S_FOR, .axis = inner, .body = rewrite_stmts(l, s->body, &w)};
    s->axis = outer, s->body = in;
    return in;
}

typedef struct {
    const Axis *axis;
    int64_t k;
} Modulus;

/* ---- repeats: rows that a Tile puts next to each other ---- */

typedef struct {
    Axis *axis;
    Expr *modulo; /* axis % length */
} Repeat;

static Expr *repeat_in(Expr *e, const Axis *a) {
    if (e->kind == E_MAP && e->op == &ops[OP_FloorMod] && e->dtype == DT_index && e->arg[0]->kind == E_AXIS &&
        e->arg[0]->axis == a && !uses_axis(e->arg[1], a))
        return e;
    for (int i = 0; i < e->n; i++) {
        Expr *found = repeat_in(e->arg[i], a);
        if (found) return found;
    }
    return NULL;
}

static bool no_repeat(const Expr *index, const void *arg) {
    Repeat *r = (Repeat *)(uintptr_t)arg;
    r->modulo = repeat_in((Expr *)(uintptr_t)index, r->axis);
    return !r->modulo;
}

/* How often a row of that length fills the loop, whatever the extents are; NULL: there is a rest, or it is short. */
static Expr *repeats(Lower *l, const Axis *a, const Expr *length) {
    Dim all, row, count;
    if (length->kind == E_INT && length->i < MIN_ROW) return NULL;
    if (!dim_of_expr(l->m, a->size, &all) || !dim_of_expr(l->m, length, &row) || !dim_div(l->m, all, row, &count))
        return NULL;
    return extent(l, count);
}

/* for k { … k % w … } becomes for k0 { for k { … k … } }, where k stands for itself alone it is k0 * w + k. */
static void split_repeat(Lower *l, Stmt *s, Expr *modulo, Expr *count) {
    Expr *whole = new_axis_expr(l, s->axis), *length = modulo->arg[1];
    Axis *outer = arena_copy(l->arena, s->axis, sizeof *outer), *inner = arena_copy(l->arena, s->axis, sizeof *inner);
    outer->id = l->k->axes++, outer->size = count, outer->extent = most_of(count);
    outer->name = format(l->arena, "%s0", s->axis->name);
    inner->id = l->k->axes++, inner->size = length, inner->extent = most_of(length);
    Expr *row = new_axis_expr(l, inner);
    Substitution in_row = new_substitution(l, modulo, row);
    Stmt *body = rewrite_stmts(l, s->body, &in_row), *in = NEW(l->arena, Stmt);
    Substitution in_all = new_substitution(l, whole, ix_add(l, ix_mul(l, new_axis_expr(l, outer), length), row));
    *in = (Stmt){.kind = S_FOR, .axis = inner, .body = rewrite_stmts(l, body, &in_all)};
    s->axis = outer, s->body = in;
}

static void split_repeats(Lower *l, Stmt *s) {
    for (; s; s = s->next) {
        Repeat r = {s->axis, NULL};
        if (s->done) continue;
        bool any = plain_parallel(s) && !each_index(s->body, no_repeat, &r);
        Expr *count = any ? repeats(l, s->axis, r.modulo->arg[1]) : NULL;
        if (count) split_repeat(l, s, r.modulo, count);
        split_repeats(l, s->body), split_repeats(l, s->other);
    }
}

/* ---- phases: a transposed convolution's stride ---- */

int64_t modulus_in(const Expr *e, const Axis *a) {
    if (e->kind == E_MAP && (e->op == &ops[OP_Div] || e->op == &ops[OP_FloorMod]) && e->dtype == DT_index &&
        e->arg[1]->kind == E_INT && uses_axis(e->arg[0], a))
        return e->arg[1]->i;
    for (int i = 0; i < e->n; i++) {
        int64_t k = modulus_in(e->arg[i], a);
        if (k) return k;
    }
    return 0;
}

static bool no_modulus(const Expr *index, const void *arg) {
    Modulus *m = (Modulus *)(uintptr_t)arg;
    m->k = modulus_in(index, m->axis);
    return !m->k;
}

static bool divides(Lower *l, int64_t k, Expr *size) { return ix_mul(l, ix_div(l, size, ix(l, k)), ix(l, k)) == size; }

/* Parallel loops around nothing but a store. */
static bool only_moves(const Stmt *s) {
    while (plain_parallel(s) && !s->next) s = s->body;
    return s && s->kind == S_STORE && !s->next;
}

/* for i { … i / 2 … i % 2 … } becomes for i0 { for phase { … i0 … phase … } }: then every index is a sum again. */
static void split_phases(Lower *l, Stmt *s) {
    for (; s; s = s->next) {
        Modulus m = {s->axis, 0};
        if (s->done) continue;
        if (plain_parallel(s) && has_loop(s->body) && !each_index(s->body, no_modulus, &m) && m.k > 1 &&
            divides(l, m.k, s->axis->size) && s->axis->extent > m.k) {
            const char *name = s->axis->name;
            Stmt *phase = strip(l, s, m.k);
            s->axis->name = name, phase->axis->name = format(l->arena, "%s_phase", name);
            if (only_moves(phase)) interchange(phase);
        }
        split_phases(l, s->body), split_phases(l, s->other);
    }
}

static Stmt *wrap(Lower *l, const Axis *a, Stmt *body) {
    Stmt *s = NEW(l->arena, Stmt);
    *s = (Stmt){.kind = S_FOR, .axis = (Axis *)(uintptr_t)a, .body = body};
    return s;
}

static Stmt *alone(Lower *l, const Stmt *s) {
    Stmt *t = arena_copy(l->arena, s, sizeof *s);
    t->next = NULL;
    return t;
}

/* The loop over `a` moved inside loops and branches that do not depend on it. */
static Stmt *sunk(Lower *l, const Axis *a, Stmt *s) {
    bool through = !s->next && s->body &&
                   ((s->kind == S_FOR && !uses_axis(s->lo, a) && !uses_axis(s->hi, a)) ||
                    (s->kind == S_IF && !uses_axis(s->expr, a)));
    if (!through) return wrap(l, a, s);
    Stmt *t = alone(l, s);
    t->body = sunk(l, a, s->body);
    return t;
}

/* Gives every temp of the row an array, then runs each statement of the row for all j before the next. */
static void distribute(Lower *l, Stmt *loop, Stmt **list) {
    Axis *a = loop->axis;
    Expr *j = new_axis_expr(l, a);
    Stmt *first = NULL, **end = &first, *body = loop->body;
    List locals = {0};
    for (Stmt *s = body; s; s = s->next) {
        if (s->kind != S_LET) continue;
        Local *local = NEW(l->arena, Local);
        *local = (Local){s->temp->name, l->k->locals++, s->temp->dtype, a->extent};
        push(l->arena, &locals, local);
        Expr *element = local_at(l, local, j);
        Substitution w = new_substitution(l, new_temp_expr(l, s->temp), element);
        Stmt *next = rewrite_stmts(l, s, &w);
        *s = *next;
    }
    for (int i = 0; i < locals.n; i++) {
        Stmt *d = NEW(l->arena, Stmt);
        *d = (Stmt){.kind = S_LOCAL, .local = locals.at[i]};
        *end = d, end = &d->next;
    }
    for (Stmt *s = body; s; s = s->next) {
        Stmt *t = sunk(l, a, alone(l, s));
        *end = t, end = &t->next;
    }
    *end = loop->next;
    *list = first;
}

static bool in_page(const Expr *e, const Axis *a) {
    int64_t c;
    if (!e) return true;
    if (e->kind == E_LOAD && (!coefficient(e->arg[0], a, &c) || llabs(c) * dtypes[e->value->type.dtype].bytes >= PAGE))
        return false;
    for (int i = 0; i < e->n; i++)
        if (!in_page(e->arg[i], a)) return false;
    return true;
}

static bool reads_in_page(const Stmt *s, const Axis *a) {
    for (; s; s = s->next)
        if (!in_page(s->expr, a) || !reads_in_page(s->body, a) || !reads_in_page(s->other, a)) return false;
    return true;
}

/* Whether a step of some loop below goes to another page: then each read waits for memory, and where rows lie a power
 * of two apart they displace each other from the cache. */
static bool leaves_page(const Stmt *s) {
    for (; s; s = s->next)
        if ((s->kind == S_FOR && !reads_in_page(s->body, s->axis)) || leaves_page(s->body) || leaves_page(s->other))
            return true;
    return false;
}

static void sink(Lower *l, Stmt **list, bool far) {
    for (Stmt **p = list; *p; p = &(*p)->next) {
        Stmt *s = *p;
        if (s->done) continue;
        int64_t row = worth_sinking(s) && (!far || leaves_page(s->body)) ? row_length(s->axis) : 0;
        if (row) {
            Stmt *in = strip(l, s, row), **at = in == s ? p : &s->body;
            distribute(l, in, at);
            if (far) schedule_guards(l, at);
            continue;
        }
        sink(l, &s->body, far), sink(l, &s->other, far);
    }
}

/* ---- short reductions: a window's taps, written out ---- */

enum { MAX_TAPS = 32 };

/* How often the innermost statement of a reduction runs, if its loops are plain; 0: not of this form. */
static int64_t plain_taps(const Stmt *s) {
    int64_t n = 1;
    for (; s->kind == S_FOR; s = s->body) {
        if (!plain_for(s) || s->axis->kind != AX_SEQ || s->axis->size->kind != E_INT || !s->body || s->body->next)
            return 0;
        n *= s->axis->extent;
        if (n > MAX_TAPS) return 0;
    }
    return s->kind == S_SET ? n : 0;
}

static Stmt *written_out(Lower *l, const Stmt *s) {
    Stmt *first = NULL, **end = &first;
    if (s->kind != S_FOR) return alone(l, s);
    for (int64_t i = 0; i < s->axis->extent; i++) {
        Substitution w = new_substitution(l, new_axis_expr(l, s->axis), ix(l, i));
        *end = written_out(l, rewrite_stmts(l, s->body, &w));
        while (*end) end = &(*end)->next;
    }
    return first;
}

/* A loop that runs through memory around reductions of a few taps, and nothing else that loops. */
static bool has_few_taps(const Stmt *s) {
    Steps steps = {s->axis, false};
    bool any = false;
    if (!plain_parallel(s) || s->axis->extent < MIN_ROW || !each_index(s->body, small_step, &steps) || !steps.unit)
        return false;
    for (const Stmt *b = s->body; b; b = b->next) {
        if (b->kind == S_LET || b->kind == S_SET || b->kind == S_STORE) continue;
        if (b->kind != S_FOR || !plain_taps(b)) return false;
        any = true;
    }
    return any;
}

static void write_out_taps(Lower *l, Stmt *s) {
    for (; s; s = s->next) {
        if (s->done) continue;
        if (s->kind == S_FOR && has_few_taps(s)) {
            Stmt *first = NULL, **end = &first;
            for (const Stmt *b = s->body; b; b = b->next) {
                *end = written_out(l, b);
                while (*end) end = &(*end)->next;
            }
            s->body = first, s->done = true;
            continue;
        }
        write_out_taps(l, s->body), write_out_taps(l, s->other);
    }
}

/* ---- names ---- */

/* A nest that became one loop counts with i. */
static void name_single_loop(Stmt *s) {
    if (s->kind == S_FOR && s->axis->kind == AX_PAR && !has_loop(s->body)) s->axis->name = "i";
}

/* ---- as rows of schedules.def ---- */

void schedule_interchange(Lower *l, Stmt **list) {
    (void)l;
    interchange(*list);
}

static void schedule_tile_affine(Lower *l, Stmt **list) { tile_contractions(l, l->m->target, list, true); }

static void schedule_repeats(Lower *l, Stmt **list) { split_repeats(l, *list); }

static void schedule_phases(Lower *l, Stmt **list) { split_phases(l, *list); }

static void schedule_tile(Lower *l, Stmt **list) { tile_contractions(l, l->m->target, list, false); }

static void schedule_names(Lower *l, Stmt **list) {
    (void)l;
    for (Stmt *s = *list; s; s = s->next) name_single_loop(s);
}

static void schedule_taps(Lower *l, Stmt **list) { write_out_taps(l, *list); }

static void schedule_sink_far(Lower *l, Stmt **list) { sink(l, list, true); }

static void schedule_sink(Lower *l, Stmt **list) { sink(l, list, false); }

const Schedule cpu_schedules[] = {
#define SCHEDULE(id, function, ...) {.name = #id, .run = schedule_##function, __VA_ARGS__},
#include "schedule/schedules.def"
#undef SCHEDULE
    {.name = NULL},
};
