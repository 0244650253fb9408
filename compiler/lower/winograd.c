/* winograd.c - 3x3 convolutions as matrix products with fewer multiplications, after Winograd.
 *
 * A tile of m x m results (m = 2 or 4) reads m + 2 rows and columns of the image. Along each of both, m + 2 sums of the
 * image are multiplied by as many sums of the taps, which are the weights here, and the results are sums of these
 * products: (m + 2)^2 multiplications for each pair of channels, where the window has 9 m^2. A kernel does that for
 * blocks of tile rows, whose sums stay in a cache:
 *
 *     v[point][tile][c] = sums of x
 *     for panels of results:
 *         u[point][tile][o] = sum over c of v[point][tile][c] * w[o][c][point]      (matrix products: schedule/tile.c)
 *         y = f(sums of u)
 *
 * The points are 0, 5/8, -5/8, 3/2, -3/2 and infinity, whose powers are exact, or 0, 1, -1 and infinity; the sums of
 * the taps are in passes/winograd.c. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"

enum { MOST_POINTS = 6, CHUNK = 64, SPREAD = 128 };

typedef struct {
    Lower *l;
    Node *n;
    Value *x, *w;
    bool framed; /* x has zeros around it for every tile */
    DType t;     /* in which it is computed */
    Window window;
    int m, points;                   /* results of a tile along a dim, and points */
    int64_t channels, results, step; /* step: results of a panel */
    int64_t most;                    /* tiles of a block */
    Expr *across;                    /* tiles in a row */
    Expr *batch, *first, *rows;      /* of the block: the image, the first row of tiles, how many there are */
    Value *v, *u;
} Winograd;

/* ---- sums along one dim ---- */

static Expr *times(Lower *l, double factor, Expr *e) { return mul(l, num(l, e->dtype, factor), e); }

/* A^2, A^3 …: of the points 5/8 and 3/2. */
#define A  0.625
#define A2 0.390625
#define A3 0.244140625
#define B  1.5
#define B2 2.25
#define B3 3.375

static void image_sums_4(Lower *l, Expr *const *d, Expr **o) {
    Expr *even = let(l, "even", sub(l, d[4], times(l, B2, d[2]))),
         *odd = let(l, "odd", sub(l, d[3], times(l, B2, d[1])));
    Expr *even2 = let(l, "even", sub(l, d[4], times(l, A2, d[2]))),
         *odd2 = let(l, "odd", sub(l, d[3], times(l, A2, d[1])));
    o[0] = sub(l, add(l, d[4], times(l, A2 * B2, d[0])), times(l, A2 + B2, d[2]));
    o[1] = add(l, even, times(l, A, odd)), o[2] = sub(l, even, times(l, A, odd));
    o[3] = add(l, even2, times(l, B, odd2)), o[4] = sub(l, even2, times(l, B, odd2));
    o[5] = sub(l, add(l, d[5], times(l, A2 * B2, d[1])), times(l, A2 + B2, d[3]));
}

static void result_sums_4(Lower *l, Expr *const *d, Expr **o) {
    Expr *even = let(l, "even", add(l, d[1], d[2])), *odd = let(l, "odd", sub(l, d[1], d[2]));
    Expr *even2 = let(l, "even", add(l, d[3], d[4])), *odd2 = let(l, "odd", sub(l, d[3], d[4]));
    o[0] = add(l, add(l, d[0], even), even2);
    o[1] = add(l, times(l, A, odd), times(l, B, odd2));
    o[2] = add(l, times(l, A2, even), times(l, B2, even2));
    o[3] = add(l, add(l, d[5], times(l, A3, odd)), times(l, B3, odd2));
}

static void image_sums_2(Lower *l, Expr *const *d, Expr **o) {
    o[0] = sub(l, d[0], d[2]), o[1] = add(l, d[1], d[2]), o[2] = sub(l, d[2], d[1]), o[3] = sub(l, d[1], d[3]);
}

static void result_sums_2(Lower *l, Expr *const *d, Expr **o) {
    o[0] = add(l, add(l, d[0], d[1]), d[2]), o[1] = sub(l, sub(l, d[1], d[2]), d[3]);
}

static void image_sums(const Winograd *g, Expr *const *d, Expr **o) {
    (g->m == 4 ? image_sums_4 : image_sums_2)(g->l, d, o);
}

static void result_sums(const Winograd *g, Expr *const *d, Expr **o) {
    (g->m == 4 ? result_sums_4 : result_sums_2)(g->l, d, o);
}

/* ---- indices ---- */

static Expr *open_up_to(Lower *l, const char *name, AxisKind kind, int64_t n) {
    return open_for(l, name, kind, ix(l, n));
}

/* Of an open loop; a dim of extent 1 has none. */
static void make_own(const Expr *axis, Own own) {
    if (axis->kind == E_AXIS) axis->axis->own = own;
}

/* row * of + column */
static Expr *in_row(Lower *l, Expr *row, int64_t of, Expr *column) {
    return ix_add(l, ix_mul(l, row, ix(l, of)), column);
}

static Expr *point_index(const Winograd *g, Expr *p, Expr *q) { return in_row(g->l, p, g->points, q); }

/* In v or u: of a point, a tile of the block, and a channel. */
static Expr *at_point(const Winograd *g, const Value *of, Expr *p, Expr *q, Expr *tile, Expr *channel) {
    Lower *l = g->l;
    return in_row(l, in_row(l, point_index(g, p, q), g->most, tile), of->type.dim[2].max, channel);
}

/* Whether zeros are stored around the image, as far as its tiles reach. */
static bool is_framed(const Winograd *g) {
    const Dim *in = g->x->type.dim, *out = g->n->out[0]->type.dim;
    const int64_t *halo = g->x->layout.halo;
    for (int s = 0; s < 2; s++) {
        int64_t beyond = out[2 + s].symbol ? g->m - 1 : ceil_div(out[2 + s].max, g->m) * g->m - out[2 + s].max;
        int64_t after = g->window.end[s] > 0 ? g->window.end[s] : 0;
        if (in[2 + s].max == 0 || !halo || halo[4 + 2 * s] < g->window.begin[s] || halo[5 + 2 * s] < after + beyond)
            return false;
    }
    return true;
}

/* Of the image, whose padding is 0. */
static Expr *image_at(const Winograd *g, Expr *channel, Expr *row, Expr *column) {
    Lower *l = g->l;
    const Type *t = &g->x->type;
    const int64_t *halo = g->x->layout.halo;
    Expr *pos[] = {g->batch, channel, ix_sub(l, row, ix(l, g->window.begin[0])),
                   ix_sub(l, column, ix(l, g->window.begin[1]))};
    Expr *x = value_at(l, g->x, pos);
    if (g->framed) return x;
    Expr *inside = both(l, within(l, pos[2], t->dim[2], halo, 2), within(l, pos[3], t->dim[3], halo, 3));
    return select_of(l, inside, x, num(l, g->t, 0));
}

/* The tiles of a block one by one, in two loops; returns the number of the tile in it. */
static Expr *open_tiles(const Winograd *g, Expr **row, Expr **column) {
    Lower *l = g->l;
    *row = open_for(l, "i", AX_SEQ, g->rows), *column = open_for(l, "j", AX_SEQ, g->across);
    return ix_add(l, ix_mul(l, *row, g->across), *column);
}

static Expr *tile_start(const Winograd *g, Expr *tile) { return ix_mul(g->l, tile, ix(g->l, g->m)); }

/* A kernel's own array, which loops write in order: each iteration of a parallel one would have its own. */
static Local *new_rows(const Winograd *g, int64_t rows, int64_t columns) {
    Local *a = local_new(g->l, "t", g->t, rows * columns);
    a->row = columns;
    return a;
}

/* ---- v: sums of the image ---- */

static void sums_of_rows(const Winograd *g, Local *t, int64_t chunk, Expr *from, Expr *top, Expr *left) {
    Lower *l = g->l;
    Expr *d[MOST_POINTS], *o[MOST_POINTS], *p = open_up_to(l, "p", AX_SEQ, g->points),
                                           *c = open_up_to(l, "c", AX_SEQ, chunk);
    for (int q = 0; q < g->points; q++)
        d[q] = let(l, "d", image_at(g, ix_add(l, from, c), ix_add(l, top, p), ix_add(l, left, ix(l, q))));
    image_sums(g, d, o);
    for (int q = 0; q < g->points; q++) put_local(l, t, in_row(l, point_index(g, p, ix(l, q)), chunk, c), o[q]);
    close_block(l), close_block(l);
}

static void sums_of_columns(const Winograd *g, Local *t, int64_t chunk, Expr *from, Expr *tile) {
    Lower *l = g->l;
    Expr *d[MOST_POINTS], *o[MOST_POINTS], *q = open_up_to(l, "q", AX_PAR, g->points),
                                           *c = open_up_to(l, "c", AX_PAR, chunk);
    for (int p = 0; p < g->points; p++)
        d[p] = let(l, "d", local_at(l, t, in_row(l, point_index(g, ix(l, p), q), chunk, c)));
    image_sums(g, d, o);
    for (int p = 0; p < g->points; p++)
        store_flat(l, g->v, at_point(g, g->v, ix(l, p), q, tile, ix_add(l, from, c)), o[p]);
    close_block(l), close_block(l);
}

/* Channels at a time: what is between both sums stays in the nearest cache. */
static int64_t chunk_of(int64_t channels) {
    for (int64_t n = CHUNK; n > CHUNK / 2; n--)
        if (channels % n == 0) return n;
    return channels;
}

static void sum_image(const Winograd *g) {
    Lower *l = g->l;
    int64_t chunk = chunk_of(g->channels);
    Local *t = new_rows(g, g->points * g->points, chunk);
    Expr *row, *column, *tile = open_tiles(g, &row, &column);
    int opened = 0;
    make_own(row, OWN_LOCALS), make_own(column, OWN_LOCALS);
    Expr *from = ix_mul(l, open_dim(l, 'b', AX_SEQ, (Dim){g->channels / chunk, NULL}, &opened), ix(l, chunk));
    sums_of_rows(g, t, chunk, from, tile_start(g, ix_add(l, g->first, row)), tile_start(g, column));
    sums_of_columns(g, t, chunk, from, tile);
    close_blocks(l, opened + 2);
}

/* ---- u: the products ---- */

static void multiply(const Winograd *g, Expr *panel) {
    Lower *l = g->l;
    Expr *p = open_up_to(l, "p", AX_PAR, g->points), *q = open_up_to(l, "q", AX_PAR, g->points);
    Expr *tile = open_for(l, "t", AX_PAR, ix_mul(l, g->rows, g->across)), *o = open_up_to(l, "o", AX_PAR, g->step);
    Expr *acc = var(l, "acc", g->t, num(l, g->t, 0)), *c = open_up_to(l, "c", AX_SEQ, g->channels);
    Expr *w[] = {in_row(l, panel, g->step, o), c, p, q};
    set(l, acc, add(l, acc, mul(l, load_flat(l, g->v, at_point(g, g->v, p, q, tile, c)), value_at(l, g->w, w))));
    close_block(l);
    store_flat(l, g->u, at_point(g, g->u, p, q, tile, o), acc);
    close_blocks(l, 4);
}

/* ---- y: sums of the products, and what the kernel makes of them ---- */

static void sum_columns(const Winograd *g, Local *t, Expr *tile) {
    Lower *l = g->l;
    Expr *d[MOST_POINTS], *y[MOST_POINTS], *q = open_up_to(l, "q", AX_SEQ, g->points),
                                           *o = open_up_to(l, "o", AX_SEQ, g->step);
    for (int p = 0; p < g->points; p++) d[p] = let(l, "d", load_flat(l, g->u, at_point(g, g->u, ix(l, p), q, tile, o)));
    result_sums(g, d, y);
    for (int p = 0; p < g->m; p++) put_local(l, t, in_row(l, point_index(g, ix(l, p), q), g->step, o), y[p]);
    close_block(l), close_block(l);
}

/* The sums of row p of t. */
static void sum_row(const Winograd *g, Local *t, Expr *p, Expr *o, Expr **y) {
    Lower *l = g->l;
    Expr *d[MOST_POINTS];
    for (int q = 0; q < g->points; q++)
        d[q] = let(l, "d", local_at(l, t, in_row(l, point_index(g, p, ix(l, q)), g->step, o)));
    result_sums(g, d, y);
}

static void give_result(const Winograd *g, Expr *channel, Expr *row, Expr *column, Expr *sum) {
    Lower *l = g->l;
    Expr *idx[] = {g->batch, channel, row, column};
    if (input(g->n, 2)) sum = add(l, sum, value_at(l, g->n->in[2], &channel));
    give_element(l, g->n->out[0], idx, let(l, "sum", sum));
    store_results(l, idx);
}

/* Whether tiles fill a dim of the results. */
static bool whole_tiles(const Winograd *g, int dim) {
    Dim d = g->n->out[0]->type.dim[dim];
    return !d.symbol && d.max % g->m == 0;
}

/* Whole tiles: results as they are summed. */
static void give_rows(const Winograd *g, Local *t, Expr *channel, Expr *top, Expr *left) {
    Lower *l = g->l;
    Expr *y[MOST_POINTS], *p = open_up_to(l, "p", AX_PAR, g->m), *row = ix_add(l, top, p);
    int opened = 1;
    if (!whole_tiles(g, 2)) open_guard(l, ix_less(l, row, extent(l, g->n->out[0]->type.dim[2])), &opened);
    Expr *o = open_up_to(l, "o", AX_PAR, g->step);
    sum_row(g, t, p, o, y);
    for (int q = 0; q < g->m; q++) give_result(g, ix_add(l, channel, o), row, ix_add(l, left, ix(l, q)), y[q]);
    close_blocks(l, opened + 1);
}

/* Tiles that may reach beyond the results: these are summed in place, and as many are taken as there are. */
static void give_part(const Winograd *g, Local *t, Expr *channel, Expr *top, Expr *left) {
    Lower *l = g->l;
    const Dim *dim = g->n->out[0]->type.dim;
    Expr *y[MOST_POINTS], *p = open_up_to(l, "p", AX_SEQ, g->m), *o = open_up_to(l, "o", AX_SEQ, g->step);
    sum_row(g, t, p, o, y);
    for (int q = 0; q < g->m; q++) put_local(l, t, in_row(l, point_index(g, p, ix(l, q)), g->step, o), y[q]);
    close_block(l), close_block(l);
    int opened = 3;
    Expr *row = ix_add(l, top, p = open_up_to(l, "p", AX_PAR, g->m));
    open_guard(l, ix_less(l, row, extent(l, dim[2])), &opened);
    Expr *q = open_up_to(l, "q", AX_PAR, g->m), *column = ix_add(l, left, q);
    open_guard(l, ix_less(l, column, extent(l, dim[3])), &opened);
    o = open_up_to(l, "o", AX_PAR, g->step);
    Expr *sum = local_at(l, t, in_row(l, point_index(g, p, q), g->step, o));
    give_result(g, ix_add(l, channel, o), row, column, sum);
    close_blocks(l, opened);
}

static void sum_products(const Winograd *g, Expr *panel) {
    Lower *l = g->l;
    Local *t = new_rows(g, g->m * g->points, g->step);
    Expr *row, *column, *tile = open_tiles(g, &row, &column);
    make_own(row, OWN_LOCALS), make_own(column, OWN_LOCALS);
    Expr *channel = ix_mul(l, panel, ix(l, g->step));
    sum_columns(g, t, tile);
    (whole_tiles(g, 3) ? give_rows : give_part)(g, t, channel, tile_start(g, ix_add(l, g->first, row)),
                                                tile_start(g, column));
    close_blocks(l, 2);
}

/* ---- the kernel ---- */

static Expr *tiles_along(const Winograd *g, Dim d) {
    Lower *l = g->l;
    return ix_div(l, ix_add(l, extent(l, d), ix(l, g->m - 1)), ix(l, g->m));
}

/* A panel's results at a time, if panels are filled. */
static int64_t step_of_results(const Winograd *g) {
    const int64_t *block = g->w->layout.block;
    return block && g->results % block[1] == 0 ? block[1] : g->results;
}

/* Rows of a power of two of channels would meet in few sets of a cache. */
static int64_t spread(int64_t channels) { return channels % SPREAD ? channels : channels + 16; }

void lower_winograd(Lower *l, Node *n) {
    const Type *y = &n->out[0]->type;
    int64_t rows = attr_i(n, "rows"), most;
    Winograd g = {.l = l,
                  .n = n,
                  .x = n->in[0],
                  .w = n->in[1],
                  .t = computed(n, 0),
                  .window = window_of(n),
                  .m = (int)attr_i(n, "tile")};
    g.points = g.m + 2, g.channels = g.w->type.dim[1].max, g.results = g.w->type.dim[0].max,
    g.step = step_of_results(&g);
    g.framed = is_framed(&g);
    Expr *down = tiles_along(&g, y->dim[2]);
    if (rows > most_of(down)) rows = most_of(down);
    g.across = tiles_along(&g, y->dim[3]), most = rows * most_of(g.across), g.most = most;
    g.v = scratch(l, "v", g.t, 3, (int64_t[]){g.points * g.points, most, spread(g.channels)});
    g.u = scratch(l, "u", g.t, 3, (int64_t[]){g.points * g.points, most, g.step});
    Expr *blocks = ix_div(l, ix_add(l, down, ix(l, rows - 1)), ix(l, rows));
    int opened = 1;
    g.batch = open_dim(l, 'n', AX_SEQ, y->dim[0], &opened);
    Expr *block = open_for(l, "block", AX_SEQ, blocks);
    make_own(g.batch, OWN_SCRATCH), make_own(block, OWN_SCRATCH);
    g.first = ix_mul(l, block, ix(l, rows));
    bool even = down->kind == E_INT && down->i % rows == 0;
    g.rows = even ? ix(l, rows) : map2(l, OP_Min, ix_sub(l, down, g.first), ix(l, rows));
    sum_image(&g);
    int panels = 0;
    Expr *panel = open_dim(l, 'o', AX_SEQ, (Dim){g.results / g.step, NULL}, &panels);
    make_own(panel, OWN_SCRATCH);
    multiply(&g, panel);
    sum_products(&g, panel);
    close_blocks(l, opened + panels);
}
