/* split.c - long sums with few results, cut along their outermost loop so that there is work for all threads:
 *
 *   for i { acc = a; for b … acc += …; y[i] = f(acc) }   becomes   for b, i { acc = 0; … acc += …; partials[b, i] = acc
 * } for i { acc = a; for b acc += partials[b, i]; y[i] = …
 * }
 *
 * Each part is added up in the order it was, and so are the partials. */
#include "cuda/cuda.h"
#include "schedule/contraction.h"

/* A product's results are tiles, of which it takes more to have one for each processor. */
enum {
    MAX_RESULTS = 1 << 15,
    MAX_IN_TILES = 1 << 19,
    MIN_LENGTH = 1024,
    MIN_PARTS = 4,
    MAX_PARTS = 1024,
    MAX_BYTES = 64 << 20
};

typedef struct {
    Lower *l;
    const Axis *axis[MAX_RANK]; /* of the results */
    int n;
    Stmt *let, *loop; /* the accumulator's start, and the loop that is cut */
} Sum;

static int64_t length_of(const Stmt *s) {
    int64_t most = 1;
    for (; s; s = s->next) {
        int64_t inside = length_of(s->body);
        if (s->kind == S_FOR && !mul_ok(inside, s->axis->extent, &inside)) return INT64_MAX;
        if (inside > most) most = inside;
    }
    return most;
}

/* A nest whose innermost list begins with one sum from nothing but loops. */
static bool find_sum(Sum *x, Stmt *s) {
    Sums sums;
    for (; s && plain_for(s) && s->axis->kind == AX_PAR && x->n < MAX_RANK - 1; s = s->body) {
        for (int i = 0; i < x->n; i++)
            if (uses_axis(s->axis->size, x->axis[i])) return false;
        x->axis[x->n++] = s->axis;
        if (!s->body || (s->body->next && s->body->kind == S_FOR)) return false;
    }
    if (!x->n || !s || s->kind != S_LET || !s->temp->mutable || !s->next) return false;
    x->let = s, x->loop = s->next;
    return x->loop->next && sums_of(x->loop, &sums) && sums.n == 1 && sums.temp[0] == s->temp &&
           sums.op[0] == &ops[OP_Add] && is_float(s->temp->dtype);
}

static bool worth_it(const Sum *x, bool product) {
    int64_t results = 1, partials = x->loop->axis->extent, bytes;
    for (int i = 0; i < x->n; i++) results *= x->axis[i]->extent;
    if (results > (product ? MAX_IN_TILES : MAX_RESULTS) || partials < MIN_PARTS || partials > MAX_PARTS) return false;
    if (length_of(x->loop) < MIN_LENGTH || !mul_ok(results * partials, 8, &bytes)) return false;
    return bytes <= MAX_BYTES;
}

/* Memory for the partials, as one more of the kernel's arguments. */
static Value *new_partials(const Sum *x) {
    Kernel *k = x->l->k;
    int64_t dim[MAX_RANK] = {x->loop->axis->extent};
    for (int i = 0; i < x->n; i++) dim[i + 1] = x->axis[i]->extent;
    Value *v = scratch(x->l, "partials", x->let->temp->dtype, x->n + 1, dim);
    Value **arg = NEW_ARRAY(x->l->arena, Value *, k->narg + 1);
    const char **name = NEW_ARRAY(x->l->arena, const char *, k->narg + 1);
    memcpy(arg, k->arg, sizeof *arg * (size_t)k->narg), memcpy(name, k->arg_name, sizeof *name * (size_t)k->narg);
    arg[k->narg] = v, name[k->narg] = v->name;
    k->arg = arg, k->arg_name = name, k->narg++, k->nwritten++;
    return v;
}

static Stmt *stmt_for(const Sum *x, const Axis *a, AxisKind kind, Stmt *body) {
    Axis *copy = arena_copy(x->l->arena, a, sizeof *a);
    copy->kind = kind;
    Stmt *s = new_stmt(x->l, (Stmt){.kind = S_FOR, .axis = copy, .body = body});
    copy->id = x->l->k->axes++;
    Substitution w = new_substitution(x->l, new_axis_expr(x->l, (Axis *)(uintptr_t)a), new_axis_expr(x->l, copy));
    s->body = rewrite_stmts(x->l, body, &w);
    return s;
}

static Expr *partial_index(const Sum *x, const Value *partials) {
    Lower *l = x->l;
    Expr *at = new_axis_expr(l, x->loop->axis);
    for (int i = 0; i < x->n; i++)
        at = ix_add(l, ix_mul(l, at, ix(l, partials->type.dim[i + 1].max)),
                    new_axis_expr(l, (Axis *)(uintptr_t)x->axis[i]));
    return at;
}

/* The sums of each part, to memory. */
static Stmt *partial_sums_nest(const Sum *x, Value *partials, Expr *at) {
    Lower *l = x->l;
    Temp *acc = arena_copy(l->arena, x->let->temp, sizeof *acc);
    acc->id = l->k->temps++;
    Substitution w = new_substitution(l, new_temp_expr(l, x->let->temp), new_temp_expr(l, acc));
    Stmt *body = rewrite_stmts(l, x->loop->body, &w), **end = &body;
    retarget(body, x->let->temp, acc);
    while (*end) end = &(*end)->next;
    *end = new_stmt(l, (Stmt){.kind = S_STORE, .value = partials, .index = at, .expr = new_temp_expr(l, acc)});
    Stmt *s = new_stmt(l, (Stmt){.kind = S_LET, .temp = acc, .expr = num(l, acc->dtype, 0), .next = body});
    for (int i = x->n - 1; i >= 0; i--) s = stmt_for(x, x->axis[i], AX_PAR, s);
    return stmt_for(x, x->loop->axis, AX_PAR, s);
}

static void split_sum(Lower *l, Stmt *s) {
    Sum x = {.l = l};
    Contraction p;
    bool product = find_contraction(l, s, &p);
    if (!product && sums_columns(l->m->target, s)) return; /* that has parts in one launch */
    if (!find_sum(&x, s) || !worth_it(&x, product)) return;
    Value *partials = new_partials(&x);
    Expr *at = partial_index(&x, partials), *acc = new_temp_expr(l, x.let->temp);
    Stmt *first = partial_sums_nest(&x, partials, at);
    x.loop->body = new_stmt(
        l, (Stmt){.kind = S_SET, .temp = x.let->temp, .expr = map2(l, OP_Add, acc, load_flat(l, partials, at))});
    Stmt *second = new_stmt(l, *s);
    first->done = s->done; /* a product keeps its guards */
    *s = *first, s->next = second;
}

void schedule_split(Lower *l, Stmt **list) {
    for (Stmt *s = *list, *next; s; s = next) {
        next = s->next;
        split_sum(l, s);
    }
}
