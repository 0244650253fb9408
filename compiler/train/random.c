/* random.c - random numbers of a network: the generator that its calls carry on, and what operators draw from it.
 *
 * The generator is a state of two numbers, a seed and how many calls there were. Which numbers a node draws in a call
 * follows from these and from the node: a stream of its own, or the seed that the model gives it, so that nodes of
 * one seed draw the same ones, as in other runtimes. */
#include "control/trips.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/ops.h"
#include "train/train.h"
#include <math.h>

static const char rng_name[] = "rng";

/* ---- the generator ---- */

/* The one that inference carries on; NULL: it has none. */
static Value *find_rng(const Module *m) {
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        bool fits = v->kind == V_STATE && v->type.dtype == DT_i64 && v->type.rank == 1 && v->type.dim[0].max == 2;
        if (fits && !strcmp(v->name, rng_name)) return v;
    }
    return NULL;
}

Value *new_rng(Module *m) { return outside_new(m, V_STATE, rng_name, tensor_new(m->arena, DT_i64, 1, (int64_t[]){2})); }

bool noise_stays(const Module *m) { return m->entry ? m->entry->training || m->entry->samples : m->opt->keep_dropout; }

bool draws_numbers(const Node *n) { return n->op->draws && (!n->op->in_training || noise_stays(n->graph->module)); }

static void look_for_draws(Graph *g, void *found) {
    bool drops = noise_stays(g->module);
    for (const Node *n = g->first; n; n = n->next) *(bool *)found |= draws_numbers(n) || (drops && IS(n, Dropout));
}

/* A dump has both already. */
void prepare_random(Module *m) {
    bool found = false;
    each_graph(m, look_for_draws, &found);
    if (!found || m->entry || find_rng(m)) return;
    Value *rng = new_rng(m), *in[2] = {rng, const_ints(m, 2, (int64_t[]){0, 1})};
    Node *next = node_new(m->main, NULL, &ops[OP_Add], 2, in, 1, NULL, (Loc){.node = -1});
    in[1] = next->out[0];
    Node *write = node_new(m->main, NULL, &ops[OP_Assign], 2, in, 1, NULL, (Loc){.node = -1});
    next->origin = write->origin = rng_name, write->out[0] = NULL;
}

/* ---- what is drawn ---- */

/* So many bits that every number is exact. In double, an oracle draws what its network does, as far as floats go. */
static int bits_of(const Module *m, DType t) { return 1 - ilogb(dtypes[m->opt->real_f64 ? DT_f32 : t].unit); }

static Value *shape_of(Node *n) {
    const Type *t = &n->out[0]->type;
    int64_t dim[MAX_RANK];
    Value *shape;
    for (int i = 0; i < t->rank; i++) {
        dim[i] = t->dim[i].max;
        if (!t->dim[i].symbol) continue;
        build_decomposition(n, IS(n, Multinomial) ? "Concat(Shape(a, start = 0, end = 1), k, axis = 0)" : "Shape(a)", 2,
                            (const char *[]){"a", "k"},
                            (Value *[]){n->in[0], const_ints(n->graph->module, 1, &t->dim[t->rank - 1].max)}, 1,
                            &shape);
        return shape;
    }
    return const_ints(n->graph->module, t->rank, dim);
}

/* The seed that a model gives is a float: its bits. */
static uint32_t seed_of(const Node *n) {
    float f = (float)attr_f(n, "seed");
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* u and v, and the attributes by name. */
static void put_draws(Str *text, Node *n) {
    DType given = n->nin && is_float(n->in[0]->type.dtype) ? n->in[0]->type.dtype : DT_f32, out = n->out[0]->type.dtype;
    bool of_input = IS(n, Bernoulli) || IS(n, Multinomial);
    bool uniform = IS(n, RandomUniform) || IS(n, RandomUniformLike);
    DType wide = (of_input ? given : out) == DT_f64 ? DT_f64 : DT_f32;
    bool seeded = attr(n, "seed")->set;
    Module *m = n->graph->module;
    for (int half = 0; half < 2; half++)
        put(text, "%c = Draw(s, r, dtype = %d, bits = %d, half = %d, stream = %d, seed = %u); ", "uv"[half],
            dtypes[wide].onnx, bits_of(m, uniform ? out : wide), half, seeded ? 0 : m->streams + 1,
            seeded ? seed_of(n) : 0);
    m->streams += !seeded;
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
        if (n->attr[i].kind == A_FLOAT && strcmp(n->attr[i].name, "seed"))
            put(text, "%s = %.17g; ", n->attr[i].name, n->attr[i].f);
}

/* A distribution's parameters are numbers; a seed may be anything. */
static bool parameters_finite(Node *n) {
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        const Attr *a = &n->attr[i];
        if (a->kind != A_FLOAT || !strcmp(a->name, "seed") || (a->f - a->f == 0)) continue;
        problem(n, EXIT_INPUT, "attribute '%s': expected a finite number, saw %g", a->name, a->f);
        return false;
    }
    return true;
}

/* Each iteration of a loop has a seed of its own, which follows from that outside and the number of the iteration. */
static Value *rng_of_turn(Node *at, Value *rng, Value *turn) {
    return build_value(at,
                       "Concat(Reshape(PhiloxFirst(Gather(r, 0), Gather(r, 1), i), [1]), Slice(r, [1], [3]), axis = 0)",
                       2, (const char *[]){"r", "i"}, (Value *[]){rng, turn});
}

static Value *rng_of_turns(Node *at, Value *rng, const Turns *t) {
    if (!t) return rng;
    return rng_of_turn(at, rng_of_turns(at, rng, t->around), const_scalar(at->graph->module, DT_i64, (double)t->turn));
}

Value *rng_at(Node *n, Value *rng) {
    Module *m = n->graph->module;
    Node *owner = n->graph->outer ? n->graph->owner : NULL;
    if (!rng) rng = m->entry ? rng_read(m) : find_rng(m);
    if (owner) rng = rng_at(owner, rng);
    if (owner && IS(owner, Loop)) rng = rng_of_turn(n->graph->first, rng, iteration_number(owner));
    return rng_of_turns(n, rng, n->turns);
}

void start_drawing(Node *n) {
    Module *m = n->graph->module;
    Str text = {.arena = m->arena};
    if (!type_known(&n->out[0]->type) || !parameters_finite(n)) return;
    put_draws(&text, n);
    put_text(&text, n->op->draws);
    Value *from[3] = {n->nin ? n->in[0] : NULL, shape_of(n), rng_at(n, NULL)}, *result;
    build_decomposition(n, text.s, 3, (const char *[]){"a", "s", "r"}, from, 1, &result);
    if (result->type.dtype != n->out[0]->type.dtype) {
        Node *c = insert_node(n, &ops[OP_Cast], 1, &result);
        set_attr_i(c, "to", dtypes[n->out[0]->type.dtype].onnx);
        infer_node(c);
        result = c->out[0];
    }
    replace_keeping_name(n->out[0], result);
    unlink_node(n);
}
