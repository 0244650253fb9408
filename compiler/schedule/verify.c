/* verify.c - what must hold of a nest after every schedule: names are in scope where they are used and are given once,
 * types fit, and what is stored lies inside what the kernel writes. A fault here is ours: the message names it. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/storage.h"
#include "lower/lower.h"
#include "schedule/schedule.h"

typedef struct {
    Kernel *k;
    const char *after;
    Arena *arena;              /* of this look alone */
    bool *axis, *temp, *local; /* by number: in scope */
    const Value **written;     /* sorted */
    int nwritten, guards;      /* conditions around the statement at hand */
    bool in_halo;              /* it is in a loop that fills a halo */
} Nest;

static _Noreturn void broken(const Nest *v, const char *what) {
    Module *m = v->k->module;
    const Node *n = main_node(v->k) ? main_node(v->k) : v->k->node[0];
    tell_internal_error(m, format(m->arena, "schedule '%s'", v->after), n, what);
    arena_free(v->arena);
    give_up(m);
}

static void require(const Nest *v, bool holds, const char *what) {
    if (!holds) broken(v, what);
}

/* ---- expressions ---- */

static void check_map(const Nest *v, const Expr *e) {
    bool where = e->op == &ops[OP_Where];
    if (where) require(v, e->arg[0]->dtype == DT_bool, "a condition is no bool");
    for (int i = where + 1; i < e->n; i++)
        require(v, e->arg[i]->dtype == e->arg[where]->dtype, "operands differ in type");
    if (where) require(v, e->dtype == e->arg[1]->dtype, "a selection has not its operands' type");
}

static DType held_as(const Value *v, bool bits) {
    if (v->type.dtype == DT_str) return DT_u8; /* byte by byte */
    return bits ? bits_type(v->type.dtype) : compute_type(v->type.dtype);
}

static void check_expr(const Nest *v, const Expr *e) {
    if (!e) return;
    switch (e->kind) {
    case E_AXIS: require(v, v->axis[e->axis->id] && e->dtype == DT_index, "an axis is used outside its loop"); break;
    case E_TEMP:
        require(v, v->temp[e->temp->id], "a temp is used before it is defined");
        require(v, e->dtype == e->temp->dtype, "a temp is used as another type");
        break;
    case E_LOCAL:
        require(v, v->local[e->local->id], "a local array is used before it is declared");
        require(v, e->dtype == e->local->dtype, "a local array is read as another type");
        break;
    case E_LOAD: require(v, e->dtype == held_as(e->value, e->bits), "a tensor is read as another type"); break;
    case E_MAP: check_map(v, e); break;
    default: break;
    }
    if (e->kind == E_LOAD || e->kind == E_LOCAL) require(v, e->arg[0]->dtype == DT_index, "a subscript is no index");
    for (int i = 0; i < e->n; i++) check_expr(v, e->arg[i]);
}

/* ---- stores ---- */

static int by_address(const void *a, const void *b) {
    uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;
    return (x > y) - (x < y);
}

/* From the first to the last element that is none of the halo; false where elements lie in blocks. */
static bool interior(const Value *x, int64_t *first, int64_t *last) {
    *first = 0;
    if (x->layout.block) return false;
    for (int i = 0; i < x->type.rank && x->layout.halo; i++) *first += x->layout.halo[2 * i] * step_of(x, i);
    *last = *first;
    for (int i = 0; i < x->type.rank; i++) *last += (x->type.dim[i].max - 1) * step_of(x, i);
    return type_count(&x->type) > 0;
}

/* A bound that no condition could narrow lies inside. */
static void check_index(const Nest *v, const Expr *index, int64_t first, int64_t last, const char *what) {
    int64_t lo, hi;
    require(v, index->dtype == DT_index, "a subscript is no index");
    if (v->guards || !bounds_of(index, &lo, &hi) || lo > hi) return;
    require(v, lo >= first && hi <= last, what);
}

static void check_store(const Nest *v, const Stmt *s) {
    int64_t first, last;
    require(v, bsearch(&s->value, v->written, (size_t)v->nwritten, sizeof *v->written, by_address) != NULL,
            "a store to what the kernel does not write");
    require(v, s->expr->dtype == held_as(s->value, s->bits), "a store of another type");
    if (!interior(s->value, &first, &last) || v->in_halo || s->fills_halo)
        first = 0, last = value_elements(s->value) - 1;
    check_index(v, s->index, first, last, "a store beyond the tensor, or into its halo");
}

/* ---- statements ---- */

static void begin_life(const Nest *v, bool *known, int id, int count) {
    require(v, id >= 0 && id < count, "a number that the kernel has not given");
    require(v, !known[id], "what is in scope is defined again");
    known[id] = true;
}

static void check_tile(const Nest *v, const Tile *t) {
    const Expr *const all[] = {t->x_at,  t->w_at,   t->x_line, t->x_row, t->x_tap, t->x_step,
                               t->w_tap, t->w_step, t->taps,   t->n,     t->height};
    for (int i = 0; i < COUNT(all); i++) check_expr(v, all[i]);
    require(v, v->local[t->sums->id], "a tile's sums are not declared");
    const int64_t sums = (int64_t)t->rows * t->cols * (t->lines ? t->lines : 1);
    require(v, t->sums->count >= sums, "a tile has more sums than there is room for");
    require(v, !t->copy || v->local[t->copy->id], "a tile's copy of w is not declared");
    if (!t->piece) return;
    require(v, v->local[t->piece->id], "a tile's piece is not declared");
    require(v, t->piece->count >= 2 * sums, "a tile has more sums than its piece has room for");
}

static void check_list(Nest *, const Stmt *);

static void check_inside(Nest *v, const Stmt *body, bool guarded) {
    v->guards += guarded;
    check_list(v, body);
    v->guards -= guarded;
}

static void check_for(Nest *v, const Stmt *s) {
    bool in_halo = v->in_halo;
    check_expr(v, s->axis->size), check_expr(v, s->lo), check_expr(v, s->hi);
    begin_life(v, v->axis, s->axis->id, v->k->axes);
    v->in_halo = in_halo || s->fills_halo;
    const Expr *size = s->axis->size; /* known at run time: intervals cannot tell; 0: nothing is stored */
    check_inside(v, s->body, s->lo || s->hi || size->kind != E_INT || size->i < 1);
    v->in_halo = in_halo;
    v->axis[s->axis->id] = false;
}

static void check_stmt(Nest *v, const Stmt *s) {
    const Kernel *k = v->k;
    if (s->kind != S_FOR) check_expr(v, s->index), check_expr(v, s->expr);
    switch (s->kind) {
    case S_FOR: check_for(v, s); break;
    case S_LET:
        begin_life(v, v->temp, s->temp->id, k->temps);
        require(v, s->expr->dtype == s->temp->dtype, "a temp begins as another type");
        break;
    case S_SET:
        require(v, v->temp[s->temp->id] && s->temp->mutable, "an assignment to what is no variable in scope");
        require(v, s->expr->dtype == s->temp->dtype, "a temp is given another type");
        break;
    case S_COMBINE: require(v, v->temp[s->temp->id], "a sum of threads is not in scope"); break;
    case S_STORE: check_store(v, s); break;
    case S_LOCAL: begin_life(v, v->local, s->local->id, k->locals); break;
    case S_PUT:
        require(v, v->local[s->local->id], "a store to a local array before it is declared");
        require(v, s->expr->dtype == s->local->dtype, "a local array is given another type");
        check_index(v, s->index, 0, s->local->count - 1, "a store beyond a local array");
        break;
    case S_IF:
        require(v, s->expr->dtype == DT_bool, "a condition is no bool");
        check_inside(v, s->body, true), check_inside(v, s->other, true);
        break;
    case S_WHILE:
        require(v, s->expr->dtype == DT_bool, "a condition is no bool");
        check_inside(v, s->body, true);
        break;
    case S_TILE: check_tile(v, s->tile); break;
    case S_SYNC: break;
    }
}

static void check_list(Nest *v, const Stmt *list) {
    for (const Stmt *s = list; s; s = s->next) check_stmt(v, s);
    for (const Stmt *s = list; s; s = s->next) {
        if (s->kind == S_LET) v->temp[s->temp->id] = false;
        if (s->kind == S_LOCAL) v->local[s->local->id] = false;
    }
}

void verify_nest(Kernel *k, const Stmt *s, const char *after) {
    Arena *a = arena_new(0, NULL, NULL);
    Nest v = {.k = k, .after = after, .arena = a, .nwritten = k->narg - k->nread};
    v.axis = NEW_ARRAY(a, bool, k->axes + 1), v.temp = NEW_ARRAY(a, bool, k->temps + 1);
    v.local = NEW_ARRAY(a, bool, k->locals + 1), v.written = NEW_ARRAY(a, const Value *, v.nwritten + 1);
    for (int i = 0; i < v.nwritten; i++) v.written[i] = k->arg[k->nread + i];
    qsort(v.written, (size_t)v.nwritten, sizeof *v.written, by_address);
    check_list(&v, s);
    arena_free(a);
}
