/* winograd_choice.c - which 3x3 convolutions become Winograd nodes (winograd.c): those of known weights where that is
 * faster and takes little memory. The weights are made of the taps here, once. */
#include "ir/build.h"
#include "ir/storage.h"
#include "ir/target.h"
#include "lower/lower.h"
#include "ops/ops.h"

typedef struct {
    Module *m;
    Value **memory; /* by Value.id: whose memory it is; NULL: none of the arena's */
    int *last;      /* by Value.id: the last node that reads this memory */
    int64_t most;   /* bytes alive at once, over all nodes that need memory of their own */
    List made;      /* Value*: weights, and behind each what was made of it */
} Choice;

/* ---- the weights: sums of taps ---- */

#define A2   0.390625
#define B2   2.25
#define OF_A (1 / (2 * A2 * (A2 - B2)))
#define OF_B (1 / (2 * B2 * (B2 - A2)))

/* Of 3 taps, at the points of lower/winograd.c; the last is infinity. */
static const double sums_for_2[][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
static const double sums_for_4[][3] = {{1 / (A2 * B2), 0, 0},           {OF_A, 0.625 * OF_A, A2 *OF_A},
                                       {OF_A, -0.625 * OF_A, A2 *OF_A}, {OF_B, 1.5 * OF_B, B2 *OF_B},
                                       {OF_B, -1.5 * OF_B, B2 *OF_B},   {0, 0, 1}};

static void sum_taps(const float *tap, int points, float *to) {
    const double(*sums)[3] = points == 6 ? sums_for_4 : sums_for_2;
    double row[6][3];
    for (int p = 0; p < points; p++)
        for (int j = 0; j < 3; j++)
            row[p][j] = sums[p][0] * (double)tap[j] + sums[p][1] * (double)tap[3 + j] + sums[p][2] * (double)tap[6 + j];
    for (int p = 0; p < points; p++)
        for (int q = 0; q < points; q++)
            *to++ = (float)(sums[q][0] * row[p][0] + sums[q][1] * row[p][1] + sums[q][2] * row[p][2]);
}

/* Weights that several convolutions share are made once. */
static Value *weights_at_points(Choice *a, Value *w, int points) {
    for (int i = 0; i < a->made.n; i += 2) {
        Value *u = a->made.at[i + 1];
        if (a->made.at[i] == w && u->type.dim[2].max == points) return u;
    }
    int64_t filters = w->type.dim[0].max * w->type.dim[1].max, each = (int64_t)points * points;
    Tensor *t = tensor_new(a->m->arena, DT_f32, 4, (int64_t[]){w->type.dim[0].max, w->type.dim[1].max, points, points});
    const float *from = w->data->data;
    float *to = tensor_data(t);
    for (int64_t i = 0; i < filters; i++) sum_taps(from + 9 * i, points, to + each * i);
    Value *u = const_new(a->m, w->name, t);
    u->loc = w->loc;
    if (w->uses == 1) swap_names(a->m, w, u);
    push(a->m->arena, &a->made, w), push(a->m->arena, &a->made, u);
    return u;
}

/* ---- memory ---- */

/* Of one image: then a network is the same for every number of them. */
static int64_t bytes_in_arena(const Choice *a, const Value *v) {
    if (!v || a->memory[v->id] != v || !v->type.rank || !v->type.dim[0].max) return 0;
    return value_bytes(v) / v->type.dim[0].max;
}

/* Views are the memory of what they look at; what the caller gives or takes is not in the arena. */
static void find_memory(Choice *a) {
    int i = 0;
    for (Node *n = a->m->main->first; n; n = n->next, i++) {
        for (int j = 0; j < n->nin; j++)
            if (n->in[j] && a->memory[n->in[j]->id]) a->last[a->memory[n->in[j]->id]->id] = i;
        for (int j = 0; j < n->nout; j++) {
            Value *y = n->out[j];
            if (!y || is_output(y)) continue;
            a->memory[y->id] = !n->op->view ? y : n->in[0] ? a->memory[n->in[0]->id] : NULL;
            a->last[y->id] = i;
        }
    }
}

/* Elementwise nodes are computed in place or with what they read, and parts where the whole lies. */
static bool needs_memory(const Node *n) {
    return n->op->kind == K_OP && !n->op->view && access_of(n->op) != ACCESS_MOVEMENT;
}

/* Bytes alive while each node runs. */
static void find_lives(Choice *a, int64_t *alive) {
    int64_t bytes = 0;
    int i = 0;
    for (Node *n = a->m->main->first; n; n = n->next, i++) {
        for (int j = 0; j < n->nout; j++) bytes += bytes_in_arena(a, n->out[j]);
        alive[i] = bytes;
        if (needs_memory(n) && bytes > a->most) a->most = bytes;
        for (int j = 0; j < n->nin + n->nout; j++) {
            Value *v = j < n->nin ? n->in[j] : n->out[j - n->nin], *of = v ? a->memory[v->id] : NULL;
            if (!of || a->last[of->id] != i) continue;
            bytes -= bytes_in_arena(a, of), a->last[of->id] = -1;
        }
    }
}

/* ---- the choice ---- */

/* PANEL: results of a panel, at most; NEAR: bytes of weights that stay in a near cache; ENOUGH: tiles that are worth
 * reading a panel of weights for, and MANY where these come from afar. */
enum { PANEL = 64, NEAR = 3 << 20, ENOUGH = 24, MANY = 64, MORE_PERCENT = 6, SPREAD = 16 };

typedef struct {
    int64_t channels, results, height, width;
} Shape;

static int64_t tiles_down(const Shape *s, int tile) { return ceil_div(s->height, tile); }
static int64_t tiles_across(const Shape *s, int tile) { return ceil_div(s->width, tile); }

static int64_t points_of(int tile) { return (tile + 2) * (tile + 2); }

static bool is_near(const Shape *s, int64_t points) {
    return points * s->channels * s->results * (int64_t)sizeof(float) <= NEAR;
}

/* Of the kernel's own. */
static int64_t bytes_of_block(const Shape *s, int tile, int64_t rows) {
    int64_t panel = s->results % PANEL ? s->results : PANEL;
    return points_of(tile) * rows * tiles_across(s, tile) * (s->channels + SPREAD + panel) * (int64_t)sizeof(float);
}

/* Rows of tiles in a block; 0: there is no memory for one. */
static int64_t rows_of_block(const Shape *s, int tile, int64_t bytes) {
    int64_t down = tiles_down(s, tile), enough = is_near(s, points_of(tile)) ? ENOUGH : MANY;
    int64_t rows = ceil_div(enough, tiles_across(s, tile));
    if (rows > down) rows = down;
    while (rows && bytes_of_block(s, tile, rows) > bytes) rows--;
    return rows ? ceil_div(down, ceil_div(down, rows)) : 0;
}

/* What takes as long, in multiply-adds: the sums of an element at a point; reading a weight, from near and from afar.
 * Measured with 16 to 512 channels and images of 6 to 128 pixels on a Xeon with AVX-512. */
enum { SUM_COST = 16, NEAR_COST = 4, FAR_COST = 10, WORTH_PERCENT = 80 };

static double pairs(const Shape *s) { return (double)s->channels * (double)s->results; }

static double read_cost(const Shape *s, int64_t points) {
    return pairs(s) * (is_near(s, points) ? NEAR_COST : FAR_COST);
}

static double cost(const Shape *s, int tile, int64_t rows) {
    double tiles = (double)(tiles_down(s, tile) * tiles_across(s, tile));
    double blocks = (double)ceil_div(tiles_down(s, tile), rows);
    double sums = SUM_COST * (double)(s->channels + s->results);
    return (double)points_of(tile) * (tiles * (pairs(s) + sums) + blocks * read_cost(s, points_of(tile)));
}

static double direct_cost(const Shape *s) { return 9 * (pairs(s) * (double)(s->height * s->width) + read_cost(s, 9)); }

static bool is_eligible(Node *n, Shape *s) {
    if (!IS(n, Conv)) return false;
    const Type *w = &n->in[1]->type, *y = &n->out[0]->type;
    if (w->rank != 4 || w->dtype != DT_f32 || !is_known(n->in[1]) || !is_dense(n->in[1])) return false;
    if (attr_i(n, "group") != 1 || y->dim[2].symbol || y->dim[3].symbol) return false;
    Window window = window_of(n);
    for (int i = 0; i < 2; i++)
        if (window.kernel[i] != 3 || window.stride[i] != 1 || window.dilation[i] != 1 || window.begin[i] < 0)
            return false;
    *s = (Shape){w->dim[1].max, w->dim[0].max, y->dim[2].max, y->dim[3].max};
    return true;
}

/* A Winograd node has the attributes of the convolution and its own. */
static void rewrite_node(Choice *a, Node *n, int tile, int64_t rows) {
    const Attr *old = n->attr;
    n->in[1] = weights_at_points(a, n->in[1], tile + 2);
    n->op = &ops[OP_Winograd];
    n->attr = arena_copy(a->m->arena, n->op->attr, sizeof n->op->attr);
    for (int i = 0; i < ROW_ATTRS && ops[OP_Conv].attr[i].name; i++)
        if (old[i].set) set_attr(n, &old[i]);
    set_attr_i(n, "tile", tile), set_attr_i(n, "rows", rows);
}

static void choose(Choice *a, Node *n, int64_t bytes) {
    Shape s;
    if (!is_eligible(n, &s)) return;
    double least = direct_cost(&s) * WORTH_PERCENT / 100;
    int best = 0;
    for (int tile = 2; tile <= 4; tile += 2) {
        int64_t rows = rows_of_block(&s, tile, bytes);
        if (rows && cost(&s, tile, rows) < least) best = tile, least = cost(&s, tile, rows);
    }
    if (best) rewrite_node(a, n, best, rows_of_block(&s, best, bytes));
}

void choose_winograd(Module *m) {
    Choice a = {.m = m};
    int count = 0, i = 0;
    if (m->opt->no_winograd || m->opt->no_templates || m->opt->real_f64 || m->target->backend->device) return;
    int values = number_values(m);
    count_uses(m);
    for (Node *n = m->main->first; n; n = n->next) count++;
    a.memory = NEW_ARRAY(m->arena, Value *, values + 1), a.last = NEW_ARRAY(m->arena, int, values + 1);
    int64_t *alive = NEW_ARRAY(m->arena, int64_t, count + 1);
    find_memory(&a);
    find_lives(&a, alive);
    for (Node *n = m->main->first; n; n = n->next, i++) choose(&a, n, a.most + a.most * MORE_PERCENT / 100 - alive[i]);
    count_uses(m);
    drop_unread(m);
}
