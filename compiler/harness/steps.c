/* steps.c - a step of a network for people: its layer, shape, parameters, multiply-adds and bytes. */
#include "harness/harness.h"
#include "ir/storage.h"
#include "loop/loop.h"

enum { LAYER_WIDTH = 48, MAX_OPS = 4 };

/* Weights of a Winograd node are made of three by three taps each. */
static int64_t count_taps(const Kernel *k, const Value *v) {
    for (int i = 0; i < k->nnode; i++)
        if (IS(k->node[i], Winograd) && k->node[i]->in[1] == v) return 9 * v->type.dim[0].max * v->type.dim[1].max;
    return v->data->count;
}

/* Parameters: floats the model brings along, each counted where it is first used. */
static int64_t count_params(const Kernel *k, Map *seen) {
    int64_t n = 0;
    for (int i = 0; i < k->nread; i++) {
        const Value *v = k->arg[i]->plan.buffer ? k->arg[i]->plan.buffer : k->arg[i];
        if (v->graph || !v->data || v->data->dtype == DT_str || map_get(seen, v->name)) continue;
        map_set(seen, v->name, k->module);
        n += count_taps(k, v);
    }
    return n;
}

static int64_t bytes_written(const Kernel *k) {
    int64_t n = 0;
    for (int i = k->nread; i < k->nread + k->nwritten; i++) n = saturating_add(n, value_bytes(k->arg[i]));
    return n;
}

static const char *layer_text(Arena *a, const Kernel *k) {
    Str s = {.arena = a};
    const Node *n = k->node[0];
    for (int i = 0; i < k->nnode && i < MAX_OPS; i++) put(&s, "%s%s", i ? "+" : "", k->node[i]->op->name);
    if (k->nnode > MAX_OPS) put(&s, "+%d", k->nnode - MAX_OPS);
    const char *name = n->name && *n->name    ? n->name
                       : n->origin            ? n->origin
                       : n->nout && n->out[0] ? n->out[0]->name
                                              : "";
    put(&s, "  %s", escaped(a, name, LAYER_WIDTH));
    return format(a, "%.*s", LAYER_WIDTH, s.s);
}

static bool in_loop(const Kernel *k) {
    const Node *owner = k->node[0]->graph->owner;
    while (owner && !IS(owner, Loop)) owner = owner->graph->owner;
    return owner != NULL;
}

StepRow step_row(Arena *a, const Kernel *k, Map *seen) {
    const Type *t = k->nwritten ? &k->arg[k->nread]->type : NULL;
    return (StepRow){k->step,
                     layer_text(a, k),
                     t ? strchr(type_text(a, t), '[') : "",
                     count_params(k, seen),
                     k->macs,
                     bytes_written(k),
                     k->body ? k->bytes : 0,
                     in_loop(k)};
}
