/* layout - where elements lie: channels last, halos of zeros, packed weights. needs: no composites, types; keeps: the
 * graph, but for copies of what has to change its layout.
 *
 *   channels  what convolutions read and write has its channels innermost, so that they run through memory
 *   halos     what a convolution pads has its zeros around it in memory: no loop then checks for the border
 *   moves     a transpose between NCHW and NHWC finds its result where its input lies, Relabel; so does one that moves
 *             the heads of attention to a product or from it
 *   weights   lie in panels of columns, as tiles read them (schedule/tile.c); a second
 *             order of a weight is a second const
 *
 * Inputs, outputs and whatever a view looks at stay row-major; a copy stands between. */
#include "ir/build.h"
#include "ir/storage.h"
#include "ir/symbols.h"
#include "ir/target.h"
#include "lower/lower.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "schedule/schedule.h"

/* ---- channels last ---- */

typedef struct {
    Module *m;
    unsigned char *last, *fixed; /* by Value.id: has its channels last; has to stay as it is */
    unsigned char *wanted;       /* by Value.id: a convolution wants its channels last */
    Value **copy;                /* by Value.id: its copy that has its channels last */
    Value **packed;              /* by Value.id: its last copy that is packed */
    List copies;                 /* Value*: all of those */
} Layout;

/* The gradient of weights is a convolution whose result lies as weights do. */
static bool gives_weights(const Node *n) {
    return n->op->grad_of && find_operand(n->op, n->op->weights) == find_operand(n->op, n->op->grad_of);
}

static bool is_convolution(const Node *n) {
    return n->op->image && n->in[0]->type.dtype == DT_f32 && n->in[0]->type.rank >= 3;
}

static int image_of(const Node *n) { return find_operand(n->op, n->op->image); }

static void fix(Layout *a, const Value *v) {
    if (v) a->fixed[v->id] = 1;
}

/* Contents that something else than loads and stores of one graph accesses. */
static void fix_values(Layout *a) {
    Graph *g = a->m->main;
    for (int i = 0; i < g->nin; i++) fix(a, g->in[i]);
    for (int i = 0; i < g->nout; i++) fix(a, g->out[i]);
    for (Node *n = g->first; n; n = n->next) {
        bool region = false;
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) region = region || n->attr[i].graph;
        if (!n->op->view && !region) continue;
        for (int i = 0; i < n->nin; i++) fix(a, n->in[i]);
        for (int i = 0; i < n->nout; i++) fix(a, n->out[i]);
    }
}

/* Values of regions' outer graphs are read there too, by any node. */
static void fix_captured(Graph *g, void *arg) {
    Layout *a = arg;
    if (g == a->m->main) return;
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] && n->in[i]->graph != g) fix(a, n->in[i]);
    for (int i = 0; i < g->nout; i++) fix(a, g->out[i]);
}

static bool movable(const Layout *a, const Value *v) {
    return v && v->kind == V_NODE && v->graph == a->m->main && !a->fixed[v->id] && is_dense(v) &&
           v->type.dtype != DT_str && type_count(&v->type) > 0;
}

/* What a transpose makes of channels: NCHW of NHWC, or the reverse; for two dims beside the batch it is both. */
static bool moves_channels(const Node *n, bool to_front) {
    const Attr *perm = IS(n, Transpose) ? attr(n, "perm") : NULL;
    int rank = perm ? n->in[0]->type.rank : 0;
    if (!perm || perm->n != rank || rank < 3 || perm->ints[0]) return false;
    for (int i = 1; i < rank; i++) {
        int from = to_front ? (i == 1 ? rank - 1 : i - 1) : (i == rank - 1 ? 1 : i + 1);
        if (perm->ints[i] != from) return false;
    }
    return true;
}

/* A transpose behind which dim 1 is no longer the channels. */
static bool leaves_order(const Node *n) {
    return IS(n, Transpose) && attr(n, "perm")->n && attr(n, "perm")->ints[1] != 1 && !moves_channels(n, false) &&
           !moves_channels(n, true);
}

/* Results of a convolution, and of whatever reads such and gives the same rank, follow; of a transpose, if its elements
 * then lie as they did. */
static bool follows(const Layout *a, const Node *n, const Value *out) {
    if (is_convolution(n)) return !gives_weights(n);
    if (moves_channels(n, false) && a->last[n->in[0]->id]) return false;
    if (moves_channels(n, true) && !a->last[n->in[0]->id]) return a->wanted[out->id];
    if (leaves_order(n)) return a->wanted[out->id];
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] && a->last[n->in[i]->id] && n->in[i]->type.rank == out->type.rank) return true;
    return false;
}

/* Whether the order of the dims of input i is that of the results. */
static bool keeps_dims(const Node *n, int i) {
    const Value *x = n->in[i], *y = output(n, 0);
    AccessPattern access = access_of(n->op);
    if (!x || !y || x->type.rank != y->type.rank || n->op->view || IS(n, Transpose)) return false;
    return access == ACCESS_ELEMENTWISE || access == ACCESS_WINDOW || access == ACCESS_MOVEMENT || IS(n, Resize);
}

/* Images of convolutions, what becomes NHWC again, and what nodes that keep the order of dims make these of. */
static void find_wanted(Layout *a) {
    for (Node *n = a->m->main->last; n; n = n->prev) {
        bool wanted = false;
        for (int i = 0; i < n->nout; i++) wanted = wanted || (n->out[i] && a->wanted[n->out[i]->id]);
        for (int i = 0; i < n->nin; i++) {
            bool image = is_convolution(n) ? i == image_of(n) : i == 0 && moves_channels(n, false);
            if (image || (wanted && keeps_dims(n, i))) a->wanted[n->in[i]->id] = 1;
        }
    }
}

static void spread(Layout *a) {
    find_wanted(a);
    for (Node *n = a->m->main->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++)
            if (movable(a, n->out[i]) && n->out[i]->type.rank >= 3 && follows(a, n, n->out[i]))
                a->last[n->out[i]->id] = 1;
}

/* ---- halos ---- */

/* The zeros that window w needs around dim s of its input: before and after. */
static bool halo_of(Module *m, const Window *w, Dim in, Dim out, int s, int64_t *before, int64_t *after) {
    Dim end; /* of the last window, from the end of the input on */
    int64_t more = (w->kernel[s] - 1) * w->dilation[s] - w->begin[s] + 1 - w->stride[s];
    *before = w->begin[s] > 0 ? w->begin[s] : 0;
    if (!dim_mul(m, out, (Dim){w->stride[s], NULL}, &end) || !dim_add(m, end, (Dim){more, NULL}, &end) ||
        !dim_sub(m, end, in, &end))
        return false;
    *after = end.max > 0 ? end.max : 0;
    return true;
}

/* A transposed convolution reads, for a result at i, inputs (i + begin) / stride - t for every tap t of its phase. */
static bool transposed_halo(Module *m, const Window *w, Dim in, Dim out, int s, int64_t *before, int64_t *after) {
    int64_t taps = ceil_div(w->kernel[s], w->stride[s]), begin = w->begin[s] > 0 ? w->begin[s] : 0;
    Dim last;
    *before = taps - 1 - begin / w->stride[s] > 0 ? taps - 1 - begin / w->stride[s] : 0;
    if (!dim_add(m, out, (Dim){begin - 1, NULL}, &last) || !dim_quotient(m, last, (Dim){w->stride[s], NULL}, &last) ||
        !dim_sub(m, last, in, &last))
        return false;
    *after = last.max >= 0 ? last.max + 1 : 0;
    return true;
}

/* Taps of zeros behind a kernel give all phases of a stride the same number; more than this times as many cost too
 * much. */
enum { MORE_TAPS = 4 };

static int64_t missing_taps(const Window *w, int s) {
    return ceil_div(w->kernel[s], w->stride[s]) * w->stride[s] - w->kernel[s];
}

/* Whether the loops of a transposed convolution split evenly into its phases: only then is it tiled. */
static bool has_phases(const Node *n, const Window *w) {
    double taps = 1, with = 1; /* may exceed any integer */
    for (int s = 0; s < w->n; s++) {
        Dim phases;
        if (w->dilation[s] != 1 || w->begin[s] < 0) return false;
        if (!dim_div(n->graph->module, n->out[0]->type.dim[2 + s], (Dim){w->stride[s], NULL}, &phases)) return false;
        taps *= (double)w->kernel[s], with *= (double)w->kernel[s] + (double)missing_taps(w, s);
    }
    return attr_i(n, "group") == 1 && with <= MORE_TAPS * taps;
}

/* A halo may be larger than what it is around, but not by much more than a model's own tensors. */
static bool moderate(const Type *x, const int64_t *halo) {
    double dense = 1, with = 1;
    for (int i = 0; i < x->rank; i++)
        dense *= (double)x->dim[i].max, with *= (double)(x->dim[i].max + halo[2 * i] + halo[2 * i + 1]);
    return with <= 4 * dense + 65536;
}

/* -1: there is none. */
static int second_image(const Node *n) {
    const char *next = strchr(n->op->image, ' ');
    return find_operand(n->op, next ? next + 1 : NULL);
}

/* What a convolution has an element of for each place of its window. */
static const Type *slid_over(const Node *n) {
    return gives_weights(n) ? &n->in[second_image(n)]->type : &n->out[0]->type;
}

/* The window of a convolution, its results counted in the direction in which it is computed. */
static Window sliding(const Node *n) {
    Window w = window_of((Node *)(uintptr_t)n);
    for (int s = 0; s < w.n; s++) w.out[s] = slid_over(n)->dim[2 + s].max;
    return w;
}

/* Rows or columns of a Winograd's last tile that lie beyond the results. */
static int64_t beyond(const Node *n, int s) {
    if (!IS(n, Winograd)) return 0;
    int64_t tile = attr_i(n, "tile");
    Dim d = n->out[0]->type.dim[2 + s];
    return d.symbol ? tile - 1 : ceil_div(d.max, tile) * tile - d.max;
}

/* Halos around the spatial dims of the image; false if none is needed, or it would be too large. */
static bool needs_halo(const Node *n, int64_t *halo) {
    Window w = sliding(n);
    const Type *x = &n->in[image_of(n)]->type;
    bool any = false, transposed = n->op->transposed;
    memset(halo, 0, sizeof *halo * 2 * MAX_RANK);
    if (n->graph->module->target->backend->pads_on_copy) return false;
    if (transposed && !has_phases(n, &w)) return false;
    for (int s = 0; s < w.n; s++) {
        if (!(transposed ? transposed_halo : halo_of)(n->graph->module, &w, x->dim[2 + s], slid_over(n)->dim[2 + s], s,
                                                      &halo[4 + 2 * s], &halo[5 + 2 * s]))
            return false;
        halo[5 + 2 * s] += beyond(n, s);
        any = any || halo[4 + 2 * s] || halo[5 + 2 * s];
    }
    return any && moderate(x, halo);
}

static void widen(Value *v, const int64_t *halo) {
    if (!v->layout.halo) v->layout.halo = NEW_ARRAY(v->graph->module->arena, int64_t, 2 * MAX_RANK);
    for (int i = 0; i < 2 * v->type.rank; i++)
        if (halo[i] > v->layout.halo[i]) v->layout.halo[i] = halo[i];
}

static int64_t stored_extent(const Value *v, int dim) {
    return v->type.dim[dim].max + (v->layout.halo ? v->layout.halo[2 * dim] + v->layout.halo[2 * dim + 1] : 0);
}

/* Strides with dim 1 innermost. */
static void channels_last(Value *v) {
    int64_t step = v->type.dim[1].max;
    v->layout.stride = NEW_ARRAY(v->graph->module->arena, int64_t, MAX_RANK);
    v->layout.stride[1] = 1;
    for (int i = v->type.rank - 1; i >= 2; i--) v->layout.stride[i] = step, step *= stored_extent(v, i);
    v->layout.stride[0] = step;
}

static Value *copy_before(Node *n, Value *v) {
    Node *copy = node_new(n->graph, n, &ops[OP_Copy], 1, &v, 1, NULL, n->loc);
    copy->out[0]->type = v->type;
    copy->origin = node_origin(n);
    return copy->out[0];
}

/* The copy of v with its channels last; all that ask share it. */
static Value *channels_last_copy(Layout *a, Node *n, Value *v) {
    Value **known = v->id >= 0 && v->graph == a->m->main ? &a->copy[v->id] : NULL;
    if (known && *known) return *known;
    Value *y = copy_before(n, v);
    y->id = -1;
    if (known) *known = y;
    push(a->m->arena, &a->copies, y);
    return y;
}

/* An image gets the halo it needs (NULL: none), in place or in a copy that has its channels last as well. */
static void lay_out_image(Layout *a, Node *n, int i, const int64_t *halo) {
    Value *x = n->in[i];
    bool mixed = x->type.dim[1].max > 1;
    if (x->id < 0 || !a->last[x->id]) {
        if (!halo && !mixed) return;
        x = n->in[i] = channels_last_copy(a, n, x);
    }
    if (halo) widen(x, halo);
}

static void lay_out_images(Layout *a, Node *n) {
    int64_t halo[2 * MAX_RANK];
    int image = image_of(n), second = second_image(n);
    const Value *x = n->in[image];
    bool padded = needs_halo(n, halo), last = x->id >= 0 && a->last[x->id];
    if (padded || !n->op->transposed || last || x->type.dim[1].max == 1)
        lay_out_image(a, n, image, padded ? halo : NULL);
    if (second >= 0) lay_out_image(a, n, second, NULL);
}

/* ---- one halo for what elementwise nodes join: a sum can then be written over one of its terms ---- */

static void share_halo(Layout *a, Node *n, Value *x) {
    Value *y = n->out[0];
    if (x && x->def && (IS(x->def, Slice) || IS(x->def, Split))) return; /* read where it is, it needs no copy */
    if (!x || x->id < 0 || y->id < 0 || !a->last[x->id] || !a->last[y->id] || !same_shape(&x->type, &y->type)) return;
    if (x->layout.halo) widen(y, x->layout.halo);
    if (y->layout.halo) widen(x, y->layout.halo);
}

/* The same for the two sides of a transpose that moves nothing. */
static void share_frame(Layout *a, Node *n) {
    Value *x = n->in[0], *y = n->out[0];
    const int64_t *perm = attr(n, "perm")->ints;
    int64_t halo[2 * MAX_RANK];
    if (x->id < 0 || y->id < 0 || a->fixed[x->id] || a->fixed[y->id] || a->last[x->id] == a->last[y->id]) return;
    if (x->kind != V_NODE || x->graph != a->m->main || x->layout.stride || x->layout.block) return;
    for (int i = 0; x->layout.halo && i < 2 * x->type.rank; i++) halo[i] = x->layout.halo[2 * perm[i / 2] + i % 2];
    if (x->layout.halo) widen(y, halo);
    for (int i = 0; y->layout.halo && i < 2 * x->type.rank; i++) halo[2 * perm[i / 2] + i % 2] = y->layout.halo[i];
    if (y->layout.halo) widen(x, halo);
}

/* Down, up and down again reaches all that hangs together but for rare shapes, which only lose the sharing. */
static void share_halos(Layout *a) {
    Graph *g = a->m->main;
    for (int sweep = 0; sweep < 3; sweep++)
        for (Node *n = sweep == 1 ? g->last : g->first; n; n = sweep == 1 ? n->prev : n->next) {
            for (int i = 0; n->op->kind == K_MAP && i < n->nin; i++) share_halo(a, n, n->in[i]);
            if (moves_channels(n, true) || moves_channels(n, false)) share_frame(a, n);
        }
}

/* ---- weights ---- */

/* How a weight's dims lie: `column` runs along a panel, the others in `order`, outermost first. */
typedef struct {
    int column, n;
    int order[MAX_RANK];
    int64_t width; /* of a panel; 0: no panels, columns all in one row */
    int64_t *halo; /* NULL: no halo */
} Packing;

static bool same_numbers(const int64_t *a, const int64_t *b, int n) {
    return !a == !b && (!a || !memcmp(a, b, sizeof *a * (size_t)n));
}

static bool same_layout(const Value *v, const Value *w) {
    int rank = v->type.rank;
    return same_numbers(v->layout.stride, w->layout.stride, rank) &&
           same_numbers(v->layout.block, w->layout.block, 3) && same_numbers(v->layout.halo, w->layout.halo, 2 * rank);
}

/* The same contents in this layout, if another node has asked for them already. */
static Value *find_twin(Module *m, const Value *v) {
    if ((m->fuel -= m->outside.n / 64) < 0) return NULL;
    for (int i = m->outside.n - 1; i >= 0; i--) {
        Value *t = m->outside.at[i];
        if (t != v && t->kind == v->kind && t->data && v->data && t->data->data == v->data->data &&
            same_shape(&t->type, &v->type) && same_layout(t, v))
            return t;
    }
    return NULL;
}

static void set_packing(Module *m, Value *v, const Packing *p) {
    v->layout.halo = p->halo;
    int64_t step = p->width ? p->width : v->type.dim[p->column].max;
    v->layout.stride = NEW_ARRAY(m->arena, int64_t, MAX_RANK);
    v->layout.stride[p->column] = 1;
    for (int i = p->n - 1; i >= 0; i--) v->layout.stride[p->order[i]] = step, step *= stored_extent(v, p->order[i]);
    if (!p->width) return;
    v->layout.block = NEW_ARRAY(m->arena, int64_t, 3);
    v->layout.block[0] = p->column, v->layout.block[1] = p->width, v->layout.block[2] = step;
}

/* Known contents in another order: a const of its own. */
static Value *packed_const(Module *m, Value *v, const Packing *p) {
    Value proto = *v;
    proto.kind = V_CONST;
    set_packing(m, &proto, p);
    Value *w = find_twin(m, &proto);
    if (w) return w;
    w = const_new(m, v->name, v->data);
    w->layout.stride = proto.layout.stride, w->layout.block = proto.layout.block, w->layout.halo = proto.layout.halo,
    w->loc = v->loc;
    if (v->uses == 1) swap_names(m, v, w);
    return w;
}

/* Others are copied in each run, which pays if every element is used that often; or if the sum runs through memory and
 * is too short for lanes: one dot product after the other then waits for each addition. */
enum { MIN_ROWS = 16 };

/* The transpose just before n that gives v, if nothing is written in between; NULL: none. */
static const Node *transpose_near(const Node *n, const Value *v) {
    enum { NEAR = 16 };
    int steps = 0;
    const Node *p = n->prev;
    if (!v->def || !IS(v->def, Transpose) || v->graph != n->graph || !is_dense(v->def->in[0])) return NULL;
    for (; p && p != v->def; p = p->prev)
        if (IS(p, Assign) || ++steps > NEAR) return NULL;
    return p;
}

/* What a transpose gives is packed from where the matrix lies. */
static Value *transposed_before(Node *n, const Node *transpose) {
    Node *t = node_new(n->graph, n, transpose->op, 1, transpose->in, 1, NULL, n->loc);
    t->attr = transpose->attr, t->origin = node_origin(transpose);
    t->out[0]->type = transpose->out[0]->type;
    return t->out[0];
}

/* The last copy of v is read again if it is packed alike. */
static Value *packed_copy(Layout *a, Node *n, Value *v, const Packing *p) {
    Value **known = v->id >= 0 && v->graph == a->m->main && n->graph == a->m->main ? &a->packed[v->id] : NULL;
    Value proto = *v;
    set_packing(a->m, &proto, p);
    if (known && *known && same_layout(*known, &proto)) return *known;
    const Node *transpose = transpose_near(n, v);
    Value *y = transpose ? transposed_before(n, transpose) : copy_before(n, v);
    y->id = -1, y->layout = proto.layout;
    if (known) *known = y;
    return y;
}

static bool pays(const Value *w, const Packing *p, int64_t rows) {
    int last = w->type.rank - 1, sum = p->order[p->n - 1];
    return rows >= MIN_ROWS || (p->width && sum == last && w->type.dim[sum].max < SHORT_LANES);
}

/* One panel of all columns is the matrix as it lies. */
static bool is_packed_already(const Value *w, const Packing *p) {
    int last = w->type.rank - 1;
    return !p->halo && last == 1 && p->column == last && w->type.dim[last].max == p->width && !w->type.dim[last].symbol;
}

static void pack_input(Layout *a, Node *n, int i, const Packing *p, int64_t rows) {
    Value *w = n->in[i];
    if (!w || w->type.dtype != DT_f32 || !is_dense(w) || type_count(&w->type) <= 0) return;
    if (w->kind != V_NODE && is_known(w)) {
        n->in[i] = packed_const(a->m, w, p);
    } else if (pays(w, p, rows) && !is_packed_already(w, p)) {
        n->in[i] = packed_copy(a, n, w, p);
    }
}

/* The taps of zeros that a transposed convolution wants behind its kernel; NULL: none. */
static int64_t *more_taps(const Layout *a, const Node *n, const Window *w) {
    int64_t *halo = NULL;
    for (int s = 0; s < w->n && has_phases(n, w); s++) {
        if (!missing_taps(w, s)) continue;
        if (!halo) halo = NEW_ARRAY(a->m->arena, int64_t, 2 * MAX_RANK);
        halo[5 + 2 * s] = missing_taps(w, s);
    }
    return halo;
}

/* Results of one group fill whole panels, or they all lie in one row, where a group has few. */
static void pack_conv(Layout *a, Node *n) {
    int weights = find_operand(n->op, n->op->weights);
    const Type *y = &n->out[0]->type, *w = &n->in[weights]->type;
    int64_t group = attr_i(n, "group"), pixels = 1;
    Window window = sliding(n);
    Packing p = {.column = column_dim(n)};
    bool depthwise = group > 1 && w->dim[0].max == group && w->dim[1].max == 1;
    if (n->op->transposed && group > 1 && !depthwise) return;
    if (depthwise) p.column = 0;
    if (n->op->transposed) p.halo = more_taps(a, n, &window);
    for (int i = 2; i < w->rank; i++) p.order[p.n++] = i;
    p.order[p.n++] = 1 - p.column;
    for (int i = y->rank - 1; i >= 2; i--) pixels *= y->dim[i].max;
    bool flat = w->dim[w->rank - 1].max == 1;
    int64_t rows = flat ? pixels : y->dim[y->rank - 1].max;
    p.width = depthwise
                  ? 0
                  : choose_panel(a->m->target, rows, w->dim[p.column].max / (n->op->transposed ? 1 : group), group > 1);
    pack_input(a, n, weights, &p, pixels * y->dim[0].max);
}

/* The gradient of weights lies as tiles make it: its columns are what runs through memory in one of the images. Where
 * the channels of the other fill vectors it lies filter by filter, as weights do, so that the optimizer goes through
 * both in one order. */
static void lay_out_weight_gradient(Layout *a, Node *n) {
    enum { FULL = 16 };
    Value *w = n->out[0];
    Packing p = {.column = column_dim(n)};
    if (!movable(a, w)) return;
    bool by_filter = attr_i(n, "group") == 1 && w->type.dim[1 - p.column].max % FULL == 0 && !on_device(a->m);
    if (by_filter) p.column = 1 - p.column, p.order[p.n++] = 1 - p.column;
    for (int i = 2; i < w->type.rank; i++) p.order[p.n++] = i;
    if (!by_filter) p.order[p.n++] = 1 - p.column;
    set_packing(a->m, w, &p);
}

/* Of a^T b, a gradient of weights, both operands are alike: the one with the longer rows becomes panels. */
static bool packs_first(const Node *n) {
    bool alike = n->graph->module->entry && IS(n, Gemm) && attr_i(n, "transA") && !attr_i(n, "transB");
    return alike && n->in[0]->type.dim[1].max > n->in[1]->type.dim[1].max && !is_known(n->in[1]);
}

static void pack_product(Layout *a, Node *n) {
    int weights = packs_first(n) ? 0 : find_operand(n->op, n->op->weights);
    int column = weights ? column_dim(n) : 1;
    const Type *x = &n->in[!weights]->type, *w = &n->in[weights]->type, *y = &n->out[0]->type;
    Packing p = {.column = column, .n = 1, .order = {1 - column}};
    if (w->rank != 2 || !y->rank || y->dtype != DT_f32) return;
    int64_t cols = w->dim[p.column].max, rows = type_count(y) / (cols ? cols : 1);
    if (weights && contracted_dim(n, x->rank) != x->rank - 1) rows = x->dim[x->rank - 1].max;
    p.width = choose_panel(a->m->target, rows, cols, false);
    pack_input(a, n, weights, &p, rows);
}

/* Between the least and the most that a call may have. */
static int64_t middle(Dim d) { return (dim_least(d) + d.max + 1) / 2; }

/* RNN, GRU and LSTM: W sees all steps at once, R one step. */
static void pack_recurrent(Layout *a, Node *n) {
    const Type *x = &n->in[0]->type;
    int64_t batch = middle(x->dim[attr_i(n, "layout") ? 0 : 1]), steps = middle(x->dim[attr_i(n, "layout") ? 1 : 0]);
    int of_input = find_operand(n->op, n->op->weights);
    for (int i = 0; i < n->nin; i++) {
        if (!names_operand(n->op, n->op->weights, i)) continue;
        Packing p = {.column = n->op->column, .n = 2, .order = {0, 3 - n->op->column}};
        p.width =
            choose_panel(a->m->target, i == of_input ? steps * batch : batch, n->in[i]->type.dim[p.column].max, false);
        pack_input(a, n, i, &p, steps * batch);
    }
}

static void lay_out_convolution(Layout *a, Node *n) {
    lay_out_images(a, n);
    if (gives_weights(n))
        lay_out_weight_gradient(a, n);
    else
        pack_conv(a, n);
}

static void lay_out_node(Layout *a, Node *n) {
    const Op *op = n->op;
    int like = find_operand(op, op->like_out);
    if (is_convolution(n)) lay_out_convolution(a, n);
    if (like >= 0 && a->last[n->out[0]->id]) lay_out_image(a, n, like, NULL);
    if (op->access == ACCESS_CONTRACTION && !op->image) pack_product(a, n);
    if (op->access == ACCESS_RECURRENCE) pack_recurrent(a, n);
}

/* In regions only weights that are known get another order: whatever else they read may come from outside. */
static void pack_region(Graph *g, void *arg) {
    Layout *a = arg;
    if (g == a->m->main) return;
    for (Node *n = g->first; n; n = n->next) {
        int weights = find_operand(n->op, n->op->weights);
        bool product = access_of(n->op) == ACCESS_CONTRACTION && !n->op->image;
        if (product && weights >= 0 && is_known(n->in[weights])) pack_product(a, n);
    }
}

/* ---- heads: what transposes to or from a product, rows kept, is read or written where the other side lies ---- */

static bool moves_rows(const Node *n) {
    const Attr *perm = IS(n, Transpose) ? attr(n, "perm") : NULL;
    int rank = perm ? n->in[0]->type.rank : 0;
    return perm && perm->n == rank && rank >= 3 && perm->ints[rank - 1] == rank - 1;
}

static bool is_product(const Node *n) { return n && access_of(n->op) == ACCESS_CONTRACTION && !n->op->image; }

static bool reads_value(const Node *n, const Value *v) {
    for (int i = 0; i < n->nin; i++)
        if (n->in[i] == v) return true;
    return false;
}

/* Strides of one side of a transpose by those of the other, which lies row-major. */
static void lie_alike(Value *v, const Value *other, const int64_t *perm, bool result) {
    v->layout.stride = NEW_ARRAY(v->graph->module->arena, int64_t, MAX_RANK);
    for (int i = 0; i < v->type.rank; i++)
        v->layout.stride[result ? i : perm[i]] = step_of(other, (int)(result ? perm[i] : i));
}

static void lay_out_heads(Layout *a, int values) {
    Node **reader = NEW_ARRAY(a->m->arena, Node *, values + 1);
    Graph *g = a->m->main;
    if (a->m->target->backend->device) return;
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] && n->in[i]->id >= 0) reader[n->in[i]->id] = n;
    for (Node *n = g->first; n; n = n->next) {
        if (!n->nin || !n->in[0] || !moves_rows(n)) continue;
        Value *x = n->in[0], *y = n->out[0];
        const int64_t *perm = attr(n, "perm")->ints;
        if (x->id < 0 || a->last[x->id] || a->last[y->id] || !is_dense(x) || !is_dense(y) || has_open_dims(&x->type))
            continue;
        if (movable(a, y) && y->uses == 1 && is_product(reader[y->id]) && (x->kind == V_NODE || x->kind == V_INPUT))
            lie_alike(y, x, perm, true);
        else if (movable(a, x) && x->uses == 1 && is_product(x->def) && !is_output(y))
            lie_alike(x, y, perm, false);
    }
}

/* What a product or a recurrence takes from a transposed image, it reads where that lies. */
static void lay_out_sequences(Layout *a) {
    for (Node *n = a->m->main->first; n; n = n->next) {
        Value *x = n->nin ? n->in[0] : NULL, *y = n->nout ? n->out[0] : NULL;
        if (!x || !y || x->id < 0 || !leaves_order(n) || !a->last[x->id] || !movable(a, y) || y->uses != 1) continue;
        const Node *reader = n->next;
        while (reader && !reads_value(reader, y)) reader = reader->next;
        if (reader && (is_product(reader) || reader->op->access == ACCESS_RECURRENCE) && reader->in[0] == y)
            lie_alike(y, x, attr(n, "perm")->ints, true);
    }
}

/* A part of an image is read where it is, if it lies as the whole does. */
static void lie_in_whole(const Layout *a, Node *n) {
    int64_t step[MAX_RANK];
    Dim begin[MAX_RANK], dim[MAX_RANK];
    const Value *x = n->in[0];
    if (!(IS(n, Split) || (IS(n, Slice) && slice_of(n, begin, step, dim))) || x->id < 0 || !a->last[x->id] ||
        x->layout.halo)
        return;
    for (int i = 0; i < x->type.rank && IS(n, Slice); i++)
        if (step[i] != 1) return;
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && a->last[n->out[i]->id] && !n->out[i]->layout.halo) n->out[i]->layout.stride = x->layout.stride;
}

/* Whether both sides of a transpose lie in memory the same way. */
static bool moves_nothing(const Node *n) {
    const Value *x = n->in[0], *y = n->out[0];
    const Attr *perm = IS(n, Transpose) ? attr(n, "perm") : NULL;
    if (!perm || (has_open_dims(&x->type) && (is_dense(x) || is_dense(y)))) return false;
    if (perm->n != x->type.rank || (x->kind != V_NODE && x->kind != V_INPUT) || x->layout.block || y->layout.block)
        return false;
    for (int i = 0; i < y->type.rank; i++) {
        int from = (int)perm->ints[i];
        if (y->type.dim[i].max != 1 && step_of(y, i) != step_of(x, from)) return false;
        for (int after = 0; after < 2; after++)
            if ((x->layout.halo ? x->layout.halo[2 * from + after] : 0) !=
                (y->layout.halo ? y->layout.halo[2 * i + after] : 0))
                return false;
    }
    return !is_output(y);
}

static void relabel(Graph *g) {
    for (Node *n = g->first; n; n = n->next) {
        if (!n->nin || !n->nout || !n->out[0] || !moves_nothing(n)) continue;
        Attr perm = *attr(n, "perm");
        n->op = &ops[OP_Relabel];
        n->attr = arena_copy(g->module->arena, n->op->attr, sizeof n->op->attr);
        set_attr(n, &perm);
    }
}

/* Copies of parameters need nothing of a call: at its start they are one launch on a GPU. */
static void copies_first(Module *m) {
    Graph *g = m->main;
    if (!on_device(m) || (m->entry && m->entry->second)) return;
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (IS(n, Copy) && n->in[0]->kind == V_PARAM && n != g->first) move_before(n, g->first);
    }
}

void pass_winograd(Module *m) { choose_winograd(m); }

void pass_layout(Module *m) {
    Layout a = {.m = m};
    Graph *g = m->main;
    if (m->opt->no_templates || m->opt->real_f64) return;
    int values = number_values(m);
    count_uses(m);
    a.last = arena_alloc(m->arena, (size_t)values + 1), a.fixed = arena_alloc(m->arena, (size_t)values + 1);
    a.wanted = arena_alloc(m->arena, (size_t)values + 1), a.copy = NEW_ARRAY(m->arena, Value *, values + 1);
    a.packed = NEW_ARRAY(m->arena, Value *, values + 1);
    fix_values(&a);
    each_graph(m, fix_captured, &a);
    spread(&a);
    for (Node *n = g->first; n; n = n->next) lay_out_node(&a, n);
    each_graph(m, pack_region, &a);
    share_halos(&a);
    for (int i = 0; i < a.copies.n; i++) channels_last(a.copies.at[i]);
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++)
            if (n->out[i] && n->out[i]->id >= 0 && a.last[n->out[i]->id]) channels_last(n->out[i]);
    for (Node *n = g->first; n; n = n->next) lie_in_whole(&a, n);
    lay_out_heads(&a, values);
    lay_out_sequences(&a);
    relabel(g);
    count_uses(m);
    drop_unread(m);
    copies_first(m);
}
