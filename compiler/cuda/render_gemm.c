/* render_gemm.c - products as the tiled kernel of templates/cuda/gemm.cu: what fills its blanks. */
#include "base/embedded.h"
#include "cuda/gemm.h"
#include "render/template.h"

/* What the template calls its own. */
static const char *const own_names[] = {
    "m", "n", "k",  "M",  "N",  "K",  "t",  "tx", "ty",  "m0",  "n0",  "r",    "c",    "e",    "i",   "j",     "q",
    "u", "v", "as", "bs", "a4", "b4", "to", "ok", "acc", "sum", "now", "next", "into", "tile", "row", "TILES", "Tiles"};

typedef struct {
    Render r;
    Lower l;
    const Gemm *g;
    Expr *m, *n, *k, *z, *sum;
} Fill;

static Expr *variable(Fill *f, const char *name, DType type) {
    Temp *t = NEW(f->l.arena, Temp);
    *t = (Temp){name, f->l.k->temps++, type, false};
    return new_temp_expr(&f->l, t);
}

static Expr *without(Fill *f, Expr *e, const Axis *axis, Expr *with) {
    Substitution w = new_substitution(&f->l, new_axis_expr(&f->l, (Axis *)(uintptr_t)axis), with);
    return rewrite(&f->l, e, &w);
}

/* Whether the outer loop goes on where `count` iterations of the inner one end, in all that the index is. */
static bool runs_on(const Expr *e, const Axis *outer, const Axis *inner, int64_t count) {
    int64_t a, b;
    return count && coefficient(e, outer, &a) && coefficient(e, inner, &b) && a == b * count;
}

/* An index with the loops' variables taken from their number in a row of iterations; loops that run on through it are
 * one. */
static Expr *from_flat(Fill *f, Expr *e, const Axis *const *axis, int n, Expr *flat) {
    Lower *l = &f->l;
    Expr *inner = ix(l, 1);
    for (int i = n - 1; i >= 0 && e; i--) {
        const Axis *last = axis[i];
        Expr *size = last->size, *at = ix_div(l, flat, inner);
        int64_t count = e->dtype == DT_index && size->kind == E_INT ? size->i : 0;
        while (i && runs_on(e, axis[i - 1], last, count)) {
            i--;
            e = without(f, e, axis[i], ix(l, 0));
            size = ix_mul(l, axis[i]->size, size);
            count = axis[i]->size->kind == E_INT ? count * axis[i]->size->i : 0;
        }
        if (i) at = ix_mod(l, at, size);
        e = without(f, e, last, at);
        inner = ix_mul(l, inner, size);
    }
    return e;
}

static Expr *with_all(Fill *f, Expr *e, const GemmSide *s, Expr *row) {
    e = from_flat(f, e, f->g->separate, f->g->nseparate, f->z);
    e = from_flat(f, e, s->axis, s->n, row);
    return from_flat(f, e, f->g->k, f->g->nk, f->k);
}

static const char *printed(Fill *f, const Expr *e) { return expr_text(&f->r, e, PREC_ANY); }

/* ---- the operands ---- */

static int64_t most(const Axis *const *axis, int n) {
    int64_t all = 1;
    for (int i = 0; i < n; i++) all *= axis[i]->size->kind == E_INT ? axis[i]->extent : 1;
    return all;
}

/* Bytes of a copy: a quad may reach past the bound only where that is no multiple of four. */
static const char *bytes_of(Fill *f, const GemmSide *s, const char *index, const char *limit) {
    const Axis *const *axis = s->along_k ? f->g->k : s->axis;
    int n = s->along_k ? f->g->nk : s->n;
    if (s->width == 1) return "4";
    if (most(axis, n) % 4 == 0) return "16"; /* an unknown factor changes nothing */
    const char *i = s->along_k ? "k" : index, *end = s->along_k ? "K" : limit;
    return format(f->r.arena, "%s - %s < 4 ? 4 * (%s - %s) : 16", end, i, end, i);
}

static const char *filled(Fill *f, const char *text, int n, Blank *blanks) {
    Str s = {.arena = f->r.arena};
    fill_template(&s, text, n, blanks);
    return s.s;
}

static const char *copy_text(Fill *f, const GemmSide *s, const char *x, const char *index, const char *first,
                             const char *rows, const char *limit, Expr *row) {
    Expr *at = with_all(f, s->load->arg[0], s, row), *guard = with_all(f, s->guard, s, row);
    Blank b[] = {{"x", x, 0, 0},
                 {"index", index, 0, 0},
                 {"index_type", f->r.index_type, 0, 0},
                 {"first", first, 0, 0},
                 {"rows", rows, 0, 0},
                 {"limit", limit, 0, 0},
                 {"width", NULL, s->width, 0},
                 {"from", value_name(&f->r, s->load->value), 0, 0},
                 {"at", printed(f, at), 0, 0},
                 {"ok", guard ? printed(f, guard) : "true", 0, 0},
                 {"bytes", bytes_of(f, s, index, limit), 0, 0}};
    return filled(f, s->along_k ? embedded_gemm_copy_k_cu : embedded_gemm_copy_row_cu, COUNT(b), b);
}

static const char *read_text(Fill *f, const GemmSide *s, const char *x, const char *count, const char *thread,
                             const char *step) {
    Blank b[] = {{"x", x, 0, 0}, {"count", count, 0, 0}, {"thread", thread, 0, 0}, {"step", step, 0, 0}};
    return s->along_k ? filled(f, embedded_gemm_read_k_cu, COUNT(b), b) : "";
}

/* ---- what is done with a sum ---- */

/* The rest of the nest for element (m, n), with the sum in place of the accumulator. */
static Stmt *epilogue(Fill *f) {
    Lower *l = &f->l;
    const Contraction *p = &f->g->p;
    bool zero = p->init->expr->kind == E_NUM && p->init->expr->num == 0;
    Substitution w = new_substitution(l, p->acc, zero ? f->sum : map2(l, OP_Add, p->init->expr, f->sum));
    Stmt *rest = rewrite_stmts(l, p->rest, &w);
    rest = unflatten(l, f->g->b.axis, f->g->b.n, f->n, rest);
    rest = unflatten(l, f->g->a.axis, f->g->a.n, f->m, rest);
    return f->g->nseparate ? unflatten(l, f->g->separate, f->g->nseparate, f->z, rest) : rest;
}

static const char *store_text(Fill *f, const Stmt *rest) {
    Str text = {.arena = f->r.arena}, *out = f->r.out;
    f->r.out = &text, f->r.indent = 4;
    statements(&f->r, rest);
    f->r.out = out;
    return text.s;
}

static const char *parameters(Fill *f) {
    Str text = {.arena = f->r.arena}, *out = f->r.out;
    f->r.out = &text;
    launch_parameters(&f->r);
    f->r.out = out;
    return text.s;
}

/* ---- the kernel ---- */

static void name_own(Fill *f) {
    Expr *const own[] = {f->m, f->n, f->k, f->z, f->sum};
    for (int i = 0; i < COUNT(own_names); i++) bring_into_scope(&f->r, own_names[i]);
    for (int i = 0; i < COUNT(own); i++) f->r.temp_name[own[i]->temp->id] = own[i]->temp->name;
}

static const char *quad_text(Fill *f, const char *x, const char *i) {
    return format(f->r.arena, "k == 0 ? %s4[%s].x : k == 1 ? %s4[%s].y : k == 2 ? %s4[%s].z : %s4[%s].w", x, i, x, i, x,
                  i, x, i);
}

void render_gemm(const Launch *x, const char *name, const Map *outer, Str *out, List *needs) {
    const Gemm *g = x->gemm;
    const GemmTile *t = &g->tile;
    Fill f = {.g = g, .l = {.k = x->k, .m = x->k->module, .arena = x->k->module->arena}};
    f.m = variable(&f, "m", DT_index), f.n = variable(&f, "n", DT_index), f.k = variable(&f, "k", DT_index);
    f.z = variable(&f, "z", DT_index), f.sum = variable(&f, "sum", DT_f32);
    Stmt *rest = epilogue(&f);
    Expr *m = product_of_extents(&f.l, g->a.axis, g->a.n), *n = product_of_extents(&f.l, g->b.axis, g->b.n),
         *k = product_of_extents(&f.l, g->k, g->nk);
    start_launch(&f.r, x, outer, out, needs);
    name_own(&f);
    const char *args = parameters(&f);
    Blank b[] = {
        {"name", name, 0, 0},
        {"about", "A product, in tiles.", 0, 0},
        {"parameters", args, 0, 0},
        {"m", printed(&f, m), 0, 0},
        {"n", printed(&f, n), 0, 0},
        {"k", printed(&f, k), 0, 0},
        {"begin", g->nseparate ? format(f.r.arena, "    const %s z = (int)blockIdx.z;\n", f.r.index_type) : "", 0, 0},
        {"index_type", f.r.index_type, 0, 0},
        {"rows_block", g->columns_first ? "y" : "x", 0, 0},
        {"columns_block", g->columns_first ? "x" : "y", 0, 0},
        {"copy_a", copy_text(&f, &g->a, "a", "m", "m0", "BM", "M", f.m), 0, 0},
        {"copy_b", copy_text(&f, &g->b, "b", "n", "n0", "BN", "N", f.n), 0, 0},
        {"read_a", read_text(&f, &g->a, "a", "TM", "ty", "TY"), 0, 0},
        {"read_b", read_text(&f, &g->b, "b", "TN", "tx", "TX"), 0, 0},
        {"u", g->a.along_k ? quad_text(&f, "a", "i") : "as[(q * 4 + k) * BM + ty + i * TY]", 0, 0},
        {"v", g->b.along_k ? quad_text(&f, "b", "j") : "bs[(q * 4 + k) * BN + tx + j * TX]", 0, 0},
        {"row", "ty + i * TY", 0, 0},
        {"col", "tx + j * TX", 0, 0},
        {"store", store_text(&f, rest), 0, 0},
        {"bm", NULL, t->bm, 0},
        {"bn", NULL, t->bn, 0},
        {"bk", NULL, t->bk, 0},
        {"tm", NULL, t->tm, 0},
        {"tn", NULL, t->tn, 0},
        {"stages", NULL, GEMM_STAGES, 0},
        {"threads", NULL, gemm_threads(t), 0},
        {"resident", NULL, t->tm * t->tn >= 64 ? 1 : 2, 0}};
    fill_template(out, embedded_gemm_cu, COUNT(b), b);
}
