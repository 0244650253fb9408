/* gemm.c - which nests are products for the tiled kernel of templates/cuda/gemm.cu, and how they lie for it.
 *
 * Loops that one operand moves along are rows (m), loops that the other moves along are columns (n), those along which
 * both move are separate products (blockIdx.z). Columns are those along which results lie side by side. */
#include "cuda/gemm.h"

enum { MINIMUM = 8, MIN_SUM = 8, MIN_MACS = 1 << 15 };

static const GemmTile tiles[] = {
    {128, 128, 16, 8, 8}, {128, 64, 16, 8, 4}, {64, 64, 16, 4, 4},  {128, 32, 16, 8, 2}, {64, 32, 16, 4, 2},
    {32, 64, 16, 2, 4},   {32, 32, 16, 2, 2},  {128, 16, 16, 4, 2}, {64, 16, 16, 4, 2},  {16, 64, 16, 1, 4},
};

static bool uses(const Expr *e, const Axis *a) { return e && uses_axis(e, a); }

static int64_t extent_of(const Axis *const *axis, int n) {
    int64_t all = 1;
    for (int i = 0; i < n; i++)
        if (!mul_ok(all, axis[i]->extent, &all)) return INT64_MAX;
    return all;
}

/* ---- sides ---- */

static int64_t least_step(const Contraction *p, const Axis *const *axis, int n) {
    const Stmt *store = first_store(p->rest);
    int64_t least = INT64_MAX;
    for (int i = 0; store && i < n; i++)
        if (store_step(store, axis[i]) < least) least = store_step(store, axis[i]);
    return least;
}

static void swap_sides(Gemm *g) {
    GemmSide t = g->a;
    g->a = g->b, g->b = t;
}

/* Sorts the parallel loops; false if one moves neither operand. */
static bool find_sides(Gemm *g) {
    const Contraction *p = &g->p;
    g->a.load = p->x, g->b.load = p->w;
    for (int i = 0; i < p->loops; i++) {
        const Axis *axis = p->loop[i]->axis;
        bool x = uses(p->x->arg[0], axis), w = uses(p->w->arg[0], axis);
        for (int j = 0; j < i; j++)
            if (uses(axis->size, p->loop[j]->axis)) return false;
        if (x && w)
            g->separate[g->nseparate++] = axis;
        else if (x)
            g->a.axis[g->a.n++] = axis;
        else if (w)
            g->b.axis[g->b.n++] = axis;
        else
            return false;
    }
    if (least_step(p, g->a.axis, g->a.n) < least_step(p, g->b.axis, g->b.n)) swap_sides(g);
    return g->a.n && g->b.n;
}

/* Guards are looked at where an operand is copied: there only its own loops are known. */
static bool find_guard(Gemm *g) {
    const Expr *e = g->p.guard;
    bool in_a = false, in_b = false;
    for (int i = 0; e && i < g->a.n; i++) in_a = in_a || uses(e, g->a.axis[i]);
    for (int i = 0; e && i < g->b.n; i++) in_b = in_b || uses(e, g->b.axis[i]);
    if (in_a && in_b) return false;
    if (e) (in_b ? &g->b : &g->a)->guard = (Expr *)(uintptr_t)e;
    return true;
}

/* ---- the order of the sum: as the columns' operand lies, so that neighbours are read one after the other ---- */

static int64_t step_along(const Expr *load, const Axis *a) {
    int64_t c;
    return coefficient(load->arg[0], a, &c) ? llabs(c) : 0;
}

static void order_sum(Gemm *g) {
    for (int i = 0; i < g->p.steps; i++) g->k[g->nk++] = g->p.step[i];
    for (int i = 1; i < g->nk; i++)
        for (int j = i; j > 0; j--) {
            const Axis *in = g->k[j], *out = g->k[j - 1];
            int64_t a = step_along(g->b.load, in), b = step_along(g->b.load, out);
            if (a < b || (a == b && step_along(g->a.load, in) <= step_along(g->a.load, out))) break;
            g->k[j] = out, g->k[j - 1] = in;
        }
}

/* ---- how an operand is copied ---- */

/* Whether all addresses are multiples of four floats but for the position in a run of neighbours along `run`. */
static bool in_quads(const Gemm *g, const GemmSide *s, const Axis *run) {
    const Expr *term[24];
    int64_t coef[24], c;
    int n = affine(s->load->arg[0], COUNT(term), term, coef, &c);
    const Value *v = s->load->value;
    if (n < 0 || c % 4 || run->size->kind != E_INT || run->extent % 4 || uses(s->guard, run)) return false;
    for (int i = 0; i < n; i++)
        if (coef[i] % 4 && !(term[i]->kind == E_AXIS && term[i]->axis == run && coef[i] == 1)) return false;
    (void)g;
    return v->plan.base->plan.buffer == v->plan.base || v->plan.base->plan.shift % 16 == 0;
}

static void choose_copy(const Gemm *g, GemmSide *s) {
    const Axis *row = s->axis[s->n - 1], *k = g->k[g->nk - 1];
    int64_t along_row = step_along(s->load, row), along_k = step_along(s->load, k);
    s->along_k = along_k == 1 || (along_row != 1 && along_k && (!along_row || along_k < along_row));
    const Axis *run = s->along_k ? k : row;
    s->width = step_along(s->load, run) == 1 && in_quads(g, s, run) ? 4 : 1;
}

/* ---- tiles ---- */

/* Time by a model: products of whole tiles, at the rate that a thread's part allows, in rounds of all multiprocessors.
 */
static double cost(const Target *gpu, const GemmTile *t, int64_t m, int64_t n, int64_t separate) {
    int64_t blocks = ceil_div(m, t->bm) * ceil_div(n, t->bn) * separate;
    double rate = (double)(t->tm * t->tn) / (t->tm + t->tn) / 4;
    return (double)ceil_div(blocks, gpu->multiprocessors) * t->bm * t->bn / rate;
}

static void choose_tile(const Target *gpu, Gemm *g) {
    int64_t m = extent_of(g->a.axis, g->a.n), n = extent_of(g->b.axis, g->b.n),
            separate = extent_of(g->separate, g->nseparate);
    g->tile = tiles[0];
    for (int i = 1; i < COUNT(tiles); i++)
        if (cost(gpu, &tiles[i], m, n, separate) < cost(gpu, &g->tile, m, n, separate)) g->tile = tiles[i];
}

/* Which side is counted by gridDim.x; false if both are too long for gridDim.y. */
static bool choose_order(Gemm *g) {
    int64_t rows = ceil_div(extent_of(g->a.axis, g->a.n), g->tile.bm),
            columns = ceil_div(extent_of(g->b.axis, g->b.n), g->tile.bn);
    g->columns_first = columns > MAX_BLOCKS;
    return !g->columns_first || rows <= MAX_BLOCKS;
}

static bool large_enough(const Gemm *g) {
    int64_t m = extent_of(g->a.axis, g->a.n), n = extent_of(g->b.axis, g->b.n), k = extent_of(g->k, g->nk),
            separate = extent_of(g->separate, g->nseparate);
    if (m < MINIMUM || n < MINIMUM || k < MIN_SUM || separate > MAX_BLOCKS) return false;
    return (double)m * (double)n * (double)k * (double)separate >= MIN_MACS;
}

bool find_gemm(Lower *l, const Stmt *nest, Gemm *g) {
    *g = (Gemm){.nk = 0};
    Stmt *alone = arena_copy(l->arena, nest, sizeof *nest);
    alone->next = NULL;
    if (l->m->opt->no_templates || !find_contraction(l, alone, &g->p) || !find_sides(g) || !find_guard(g)) return false;
    order_sum(g);
    if (!large_enough(g)) return false;
    choose_copy(g, &g->a), choose_copy(g, &g->b);
    choose_tile(l->m->target, g);
    return choose_order(g);
}

int gemm_threads(const GemmTile *t) { return t->bm / t->tm * (t->bn / t->tn); }

int gemm_shared(const GemmTile *t) { return GEMM_STAGES * (t->bm + t->bn) * t->bk * 4; }

Expr *product_of_extents(Lower *l, const Axis *const *axis, int n) {
    Expr *all = ix(l, 1);
    for (int i = 0; i < n; i++) all = ix_mul(l, all, axis[i]->size);
    return all;
}
