/* arrays.c - flat indices as subscripts: y[16 * (14 * i + j) + o] is y[i][j][o] where 0 <= j < 14 and 0 <= o < 16.
 *
 * C wants an index to stay inside its own extent, and compilers rely on it. An index into memory of steps s0 > s1 > ...
 * can be split at a step s if what the terms below s add up to is at least 0 and less than s, whatever the other steps
 * do: so every step is asked for alone, of every access, and an array keeps those at which all of a kernel's can be
 * split. */
#include "render/arrays.h"
#include "ir/storage.h"
#include "render/facts.h"

struct Access {
    int owner;                  /* an argument, or narg + a local's number */
    int64_t at[MAX_SUBSCRIPTS]; /* the constant part of index / step */
    Access *next;
};

typedef struct {
    const Kernel *k;
    Arena *arena;
    Arrays *all;
    Facts facts;
    int *seen;  /* by Expr.id: the place where it was looked at */
    int *place; /* those around the expression at hand, which know no more than it does */
    int depth, cap, places;
} Walk;

/* ---- what a layout is as an array ---- */

static void add_extent(Array *a, int64_t extent, int64_t step, int dim) {
    if (extent <= 1) return;
    int i = a->n++;
    for (; i > 0 && a->step[i - 1] < step; i--)
        a->step[i] = a->step[i - 1], a->extent[i] = a->extent[i - 1], a->dim[i] = a->dim[i - 1];
    a->step[i] = step, a->extent[i] = extent, a->dim[i] = dim;
}

/* Inner extents are as wide as the steps, where a row has a gap; steps that do not nest are one. */
static void fit_extents(Array *a, int64_t elements) {
    for (int i = a->n - 1; i > 0; i--) {
        int64_t width = a->step[i - 1] / a->step[i];
        a->split[i - 1] = a->step[i - 1] % a->step[i] == 0 && width >= a->extent[i];
        a->extent[i] = width;
    }
    if (!a->n) return;
    a->split[a->n - 1] = true;
    a->extent[0] = ceil_div(elements, a->step[0]);
}

/* The last dim whose extent a call gives, of a tensor that is packed at these extents: how far apart the elements of
 * the dims before it lie follows from the call. -1: none, or it lies as at its largest. */
static int last_open(const Value *v) {
    int last = -1;
    for (int i = 0; i < v->type.rank && is_dense(v); i++)
        if (v->type.dim[i].symbol) last = i;
    return last;
}

Array array_of(const Value *v) {
    Array a = {0};
    int64_t elements = value_elements(v);
    int last = last_open(v);
    if (elements <= 1) return a;
    if (last >= 0) add_extent(&a, ceil_div(elements, step_of(v, last)), step_of(v, last), last);
    for (int i = last + 1; i < v->type.rank; i++) {
        int64_t extent = v->type.dim[i].max + (v->layout.halo ? v->layout.halo[2 * i] + v->layout.halo[2 * i + 1] : 0);
        if (v->layout.block && v->layout.block[0] == i) {
            add_extent(&a, ceil_div(extent, v->layout.block[1]), v->layout.block[2], i);
            extent = v->layout.block[1];
        }
        add_extent(&a, extent, step_of(v, i), i);
    }
    if (!a.n || a.step[a.n - 1] != 1) add_extent(&a, 2, 1, -1);
    fit_extents(&a, elements);
    a.open = a.dim[0] >= 0 && v->type.dim[a.dim[0]].symbol;
    return a;
}

Array array_of_local(const Local *l) {
    Array a = {.n = 1, .extent = {l->count}, .step = {1}, .split = {true}};
    if (l->row) a = (Array){.n = 2, .extent = {l->count / l->row, l->row}, .step = {l->row, 1}, .split = {true, true}};
    return a;
}

int extents_of(const Array *a, int64_t *extent) {
    int n = 0;
    int64_t merged = 1;
    for (int i = 0; i < a->n; i++) {
        merged *= a->extent[i];
        if (a->split[i]) extent[n++] = merged, merged = 1;
    }
    return n;
}

int argument_of(const Kernel *k, const Value *v) {
    int i = v->arg_place[0];
    if (i >= k->narg || k->arg[i] != v)
        for (i = 0; i < k->narg && k->arg[i] != v; i++) continue;
    ASSERT(i < k->narg);
    return written_over(k, i) ? k->in_place[i] : i;
}

/* ---- whether an index can be split ---- */

/* What terms and constant a step leaves behind. */
static bool split_at(const Facts *f, const Subscript *s, int64_t step, int64_t *at) {
    int64_t below[SUBSCRIPT_TERMS];
    Range r;
    for (int i = 0; i < s->n; i++) below[i] = s->coef[i] % step;
    if (!range_of(f, s->n, s->term, below, &r) || !add_ok(r.lo, s->c, &r.lo) || !add_ok(r.hi, s->c, &r.hi))
        return false;
    *at = floor_div(r.lo, step);
    return r.hi - *at * step < step;
}

static Access *find_access(const Arrays *all, const Expr *index, int owner) {
    Access *a = all->access[index->id];
    while (a && a->owner != owner) a = a->next;
    return a;
}

/* An expression that occurs in several places is split the same way in all. */
static void note_access(Walk *w, int owner, const Expr *index) {
    Array *array = owner < w->k->narg ? &w->all->arg[owner] : &w->all->local[owner - w->k->narg];
    Access *known = find_access(w->all, index, owner), *a = known;
    if (!a) {
        a = NEW(w->arena, Access);
        *a = (Access){.owner = owner, .next = w->all->access[index->id]};
        w->all->access[index->id] = a;
    }
    Subscript s;
    s.n = affine(index, SUBSCRIPT_TERMS, s.term, s.coef, &s.c);
    for (int i = 0; i + 1 < array->n; i++) {
        int64_t at = 0;
        bool fits = array->split[i] && s.n >= 0 && split_at(&w->facts, &s, array->step[i], &at);
        array->split[i] = fits && (!known || a->at[i] == at);
        a->at[i] = at;
    }
}

static void note_value(Walk *w, const Value *v, const Expr *index) { note_access(w, argument_of(w->k, v), index); }

/* ---- the walk: expressions with the facts around them ---- */

static int enter(Walk *w) {
    if (w->depth == w->cap) {
        int *grown = NEW_ARRAY(w->arena, int, w->cap ? 2 * w->cap : 32);
        if (w->depth) memcpy(grown, w->place, sizeof *grown * (size_t)w->depth);
        w->cap = w->cap ? 2 * w->cap : 32, w->place = grown;
    }
    w->place[w->depth++] = ++w->places;
    return w->facts.known.n;
}

static void leave(Walk *w, int known) {
    w->depth--;
    forget(&w->facts, known);
}

static bool looked_at(const Walk *w, const Expr *e) {
    for (int i = 0; i < w->depth; i++)
        if (w->seen[e->id] == w->place[i]) return true;
    return false;
}

static void walk_expr(Walk *w, const Expr *e);

static void walk_under(Walk *w, const Expr *e, const Expr *condition, bool holds) {
    int known = enter(w);
    learn_condition(&w->facts, condition, holds);
    walk_expr(w, e);
    leave(w, known);
}

static void walk_expr(Walk *w, const Expr *e) {
    if (!e || looked_at(w, e)) return;
    w->seen[e->id] = w->place[w->depth - 1];
    if (e->kind == E_LOAD) note_value(w, e->value, e->arg[0]);
    if (e->kind == E_LOCAL) note_access(w, w->k->narg + e->local->id, e->arg[0]);
    bool choice = e->kind == E_MAP && e->op == &ops[OP_Where];
    bool both = e->kind == E_MAP && e->op == &ops[OP_And], either = e->kind == E_MAP && e->op == &ops[OP_Or];
    for (int i = 0; i < e->n; i++) {
        if (i && (choice || both || either))
            walk_under(w, e->arg[i], e->arg[0], choice ? i == 1 : both);
        else
            walk_expr(w, e->arg[i]);
    }
}

static void walk_stmts(Walk *w, const Stmt *s);

static void walk_body(Walk *w, const Stmt *s, const Stmt *body, bool holds) {
    int known = enter(w);
    if (s->kind == S_FOR) learn_loop(&w->facts, s);
    if (s->kind == S_IF) learn_condition(&w->facts, s->expr, holds);
    walk_stmts(w, body);
    leave(w, known);
}

static void walk_tile(Walk *w, const Tile *t) {
    note_value(w, t->x, t->x_at);
    if (!t->copy) note_value(w, t->w, t->w_at);
    walk_expr(w, t->x_at), walk_expr(w, t->w_at), walk_expr(w, t->taps), walk_expr(w, t->n);
}

static void walk_stmts(Walk *w, const Stmt *s) {
    for (; s; s = s->next) {
        if (s->kind == S_LOCAL) w->all->local[s->local->id] = array_of_local(s->local);
        if (s->kind == S_STORE) note_value(w, s->value, s->index);
        if (s->kind == S_PUT) note_access(w, w->k->narg + s->local->id, s->index);
        walk_expr(w, s->lo), walk_expr(w, s->hi), walk_expr(w, s->index), walk_expr(w, s->expr);
        if (s->kind == S_LET) learn_temp(&w->facts, s);
        if (s->tile) walk_tile(w, s->tile);
        if (s->body) walk_body(w, s, s->body, true);
        if (s->other) walk_body(w, s, s->other, false);
    }
}

void find_arrays(Kernel *k, Arena *arena) {
    Walk w = {.k = k, .arena = arena, .all = NEW(arena, Arrays), .facts = facts_new(k, arena)};
    w.all->arg = NEW_ARRAY(arena, Array, k->narg + 1), w.all->local = NEW_ARRAY(arena, Array, k->locals + 1);
    w.all->access = NEW_ARRAY(arena, Access *, k->nexpr + 1), w.seen = NEW_ARRAY(arena, int, k->nexpr + 1);
    for (int i = k->narg - 1; i >= 0; i--) k->arg[i]->arg_place[0] = i, w.all->arg[i] = array_of(k->arg[i]);
    enter(&w);
    walk_stmts(&w, k->body);
    k->arrays = w.all;
}

/* ---- the subscripts of an access ---- */

static void take_out(Subscript *rest, int64_t step, int64_t at, Subscript *out) {
    int left = 0;
    out->n = 0, out->c = at, rest->c -= at * step;
    for (int i = 0; i < rest->n; i++) {
        const Expr *term = rest->term[i];
        int64_t q = rest->coef[i] / step, r = rest->coef[i] % step;
        if (q) out->term[out->n] = term, out->coef[out->n++] = q;
        if (r) rest->term[left] = term, rest->coef[left++] = r;
    }
    rest->n = left;
}

int subscripts(const Kernel *k, const Value *v, const Local *local, const Expr *index, Subscript *out) {
    if (!k->arrays) return 0;
    int owner = v ? argument_of(k, v) : k->narg + local->id, n = 0, last = -1;
    const Array *array = v ? &k->arrays->arg[owner] : &k->arrays->local[local->id];
    const Access *a = find_access(k->arrays, index, owner);
    Subscript rest;
    rest.n = affine(index, SUBSCRIPT_TERMS, rest.term, rest.coef, &rest.c);
    if (!a || rest.n < 0 || !array->n) return 0;
    for (int i = 0; i + 1 < array->n; i++) {
        if (!array->split[i]) continue;
        int64_t outer = last < 0 ? 0 : a->at[last] * (array->step[last] / array->step[i]);
        take_out(&rest, array->step[i], a->at[i] - outer, &out[n++]);
        last = i;
    }
    if (n || array->n == 1) out[n++] = rest;
    return n;
}
