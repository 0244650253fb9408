/* ctc.c - connectionist temporal classification (Graves et al. 2006): all ways to say a sequence of labels in some
 * steps, with blanks between them, in logarithms.
 *
 * Inputs are log-probabilities [batch, classes, steps], labels [batch, room], and how many steps and labels of each
 * example count. Places are the labels with a blank before, between and behind them: 2 * labels + 1. */
#include "ir/build.h"
#include "lower/parts.h"
#include "lower/rows_nn.h"
#include <math.h>

/* One example. */
typedef struct {
    Lower *l;
    Node *n;
    Expr *at, *steps, *places; /* how many count */
    Dim all_steps, all_places, classes;
    DType t;
} Example;

static Expr *count_of_example(Lower *l, const char *name, Value *v, Expr *at, Dim most) {
    Expr *n = cast(l, value_at(l, v, &at), DT_index), *last = extent(l, most);
    return let(l, name, clamp(l, n, ix(l, 0), last));
}

static Example open_example(Lower *l, Node *n, int *opened) {
    const Type *p = in_shape(n, 0), *labels = in_shape(n, 1);
    Example e = {.l = l, .n = n, .all_steps = p->dim[2], .classes = p->dim[1], .t = computed(n, 0)};
    e.all_places = (Dim){2 * labels->dim[1].max + 1, NULL};
    e.at = open_dim(l, 'b', AX_PAR, p->dim[0], opened);
    e.steps = count_of_example(l, "steps", n->in[2], e.at, p->dim[2]);
    Expr *length = count_of_example(l, "length", n->in[3], e.at, labels->dim[1]);
    e.places = let(l, "places", ix_add(l, ix_mul(l, length, ix(l, 2)), ix(l, 1)));
    return e;
}

static Expr *infinite(const Example *e) { return num(e->l, e->t, -(double)INFINITY); }

/* Whether a place has a label, and the class that is said there. */
static Expr *is_label(const Example *e, Expr *place) {
    return ix_equal(e->l, ix_mod(e->l, place, ix(e->l, 2)), ix(e->l, 1));
}

static Expr *class_at(const Example *e, Expr *place) {
    Lower *l = e->l;
    const Type *labels = in_shape(e->n, 1);
    Expr *half = clamp_index(l, ix_div(l, place, ix(l, 2)), extent(l, labels->dim[1]));
    Expr *label = index_from(l, "label", e->n->in[1], (Expr *[]){e->at, half}, e->classes);
    return let(l, "said", select_of(l, is_label(e, place), label, ix(l, attr_i(e->n, "blank"))));
}

static Expr *probability(const Example *e, Expr *said, Expr *step) {
    return value_at(e->l, e->n->in[0], (Expr *[]){e->at, said, step});
}

/* log(exp(a) + exp(b) + exp(c)); without any way at all it stays minus infinity. */
static Expr *log_sum(const Example *e, Expr *a, Expr *b, Expr *c) {
    Lower *l = e->l;
    Expr *most = let(l, "most", map2(l, OP_Max, a, c ? map2(l, OP_Max, b, c) : b));
    Expr *from = let(l, "from", select_of(l, map2(l, OP_Equal, most, infinite(e)), num(l, e->t, 0), most));
    Expr *sum = add(l, map1(l, OP_Exp, sub(l, a, from)), map1(l, OP_Exp, sub(l, b, from)));
    if (c) sum = add(l, sum, map1(l, OP_Exp, sub(l, c, from)));
    return add(l, map1(l, OP_Log, sum), from);
}

/* ---- CTCPaths ---- */

/* Ways are counted from the first step and place on, or from the last ones back. */
typedef struct {
    Example e;
    bool back;
} Paths;

static Expr *turned(const Paths *w, Expr *i, Expr *count) {
    Lower *l = w->e.l;
    return w->back ? clamp(l, ix_sub(l, ix_sub(l, count, ix(l, 1)), i), ix(l, 0), ix_sub(l, count, ix(l, 1))) : i;
}

/* What led to the place that lies `back` before this one, a step before. */
static Expr *way_from(const Paths *w, Expr *step, Expr *place, int back, Expr *open) {
    Lower *l = w->e.l;
    Expr *from = select_of(l, ix_less(l, place, ix(l, back)), ix(l, 0), ix_sub(l, place, ix(l, back)));
    Expr *way = load(l, w->e.n->out[0], (Expr *[]){w->e.at, turned(w, step, w->e.steps), turned(w, from, w->e.places)});
    Expr *there = map1(l, OP_Not, ix_less(l, place, ix(l, back)));
    way = let(l, "way", way);
    return let(l, "way", select_of(l, open ? both(l, there, open) : there, way, infinite(&w->e)));
}

/* A blank may be left out between labels that differ. */
static Expr *may_jump(const Paths *w, Expr *place, Expr *said) {
    Lower *l = w->e.l;
    Expr *from = select_of(l, ix_less(l, place, ix(l, 2)), ix(l, 0), ix_sub(l, place, ix(l, 2)));
    Expr *before = class_at(&w->e, turned(w, from, w->e.places));
    return both(l, is_label(&w->e, place), map1(l, OP_Not, ix_equal(l, said, before)));
}

/* Two places are the first of a way: a blank, and the label behind it. */
static void store_first(const Paths *w) {
    Lower *l = w->e.l;
    Expr *place = open_for(l, "s", AX_SEQ, ix(l, 2));
    open_if(l, both(l, ix_less(l, place, w->e.places), ix_less(l, ix(l, 0), w->e.steps)));
    Expr *step = turned(w, ix(l, 0), w->e.steps), *at = let(l, "at", turned(w, place, w->e.places));
    store(l, w->e.n->out[0], (Expr *[]){w->e.at, step, at}, probability(&w->e, class_at(&w->e, at), step));
    close_blocks(l, 2);
}

static void store_further(const Paths *w) {
    Lower *l = w->e.l;
    Expr *before = open_for(l, "t", AX_SEQ, ix_sub(l, extent(l, w->e.all_steps), ix(l, 1)));
    open_if(l, ix_less(l, ix_add(l, before, ix(l, 1)), w->e.steps));
    Expr *step = let(l, "step", turned(w, ix_add(l, before, ix(l, 1)), w->e.steps));
    Expr *place = open_for(l, "s", AX_SEQ, extent(l, w->e.all_places));
    open_if(l, ix_less(l, place, w->e.places));
    Expr *at = let(l, "at", turned(w, place, w->e.places)), *said = class_at(&w->e, at);
    Expr *stays = way_from(w, before, place, 0, NULL), *follows = way_from(w, before, place, 1, NULL);
    Expr *jumps = way_from(w, before, place, 2, may_jump(w, place, said));
    Expr *p = add(l, log_sum(&w->e, stays, follows, jumps), probability(&w->e, said, step));
    store(l, w->e.n->out[0], (Expr *[]){w->e.at, step, at}, p);
    close_blocks(l, 4);
}

/* The logarithm of the probability of all ways that begin (or end) at the first place and are at this one at this
 * step; minus infinity where there is none. */
void lower_ctc_paths(Lower *l, Node *n) {
    Expr *idx[MAX_RANK];
    int opened = 0;
    open_loops(l, &n->out[0]->type, NULL, idx);
    store(l, n->out[0], idx, num(l, n->out[0]->type.dtype, -(double)INFINITY));
    close_loops(l, &n->out[0]->type);
    if (is_empty(n, 0)) return;
    Paths w = {open_example(l, n, &opened), attr_i(n, "reverse") != 0};
    store_first(&w);
    if (w.e.all_steps.max > 1) store_further(&w);
    close_blocks(l, opened);
}

/* ---- CTCGrad ---- */

/* Each way takes part as it is probable among all; where there is none at all, nothing does. */
void lower_ctc_grad(Lower *l, Node *n) {
    int opened = 0;
    fill_with_zeros(l, n->out[0]);
    if (is_empty(n, 0)) return;
    Example e = open_example(l, n, &opened);
    Expr *first[2], *zero = ix(l, 0);
    for (int i = 0; i < 2; i++) first[i] = value_at(l, n->in[5], (Expr *[]){e.at, zero, ix(l, i)});
    Expr *all = let(l, "all", log_sum(&e, first[0], first[1], NULL)), *g = let(l, "g", value_at(l, n->in[6], &e.at));
    open_guard(l, greater(l, all, infinite(&e)), &opened);
    Expr *step = open_dim(l, 't', AX_SEQ, e.all_steps, &opened),
         *place = open_dim(l, 's', AX_SEQ, e.all_places, &opened);
    open_guard(l, both(l, ix_less(l, step, e.steps), ix_less(l, place, e.places)), &opened);
    Expr *said = class_at(&e, place), *to[] = {e.at, said, step}, *from[] = {e.at, step, place};
    Expr *ways = add(l, value_at(l, n->in[4], from), value_at(l, n->in[5], from));
    Expr *share = map1(l, OP_Exp, sub(l, sub(l, ways, probability(&e, said, step)), all));
    store(l, n->out[0], to, sub(l, load(l, n->out[0], to), mul(l, share, g)));
    close_blocks(l, opened);
}
