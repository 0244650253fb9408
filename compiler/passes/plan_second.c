/* plan_second.c - which kernels belong to the second of two functions that share an arena.
 *
 * The first computes the network's outputs and moves its state on; the second begins at the gradients that the caller
 * gives, and computes whatever only it needs. Kernels of the first come first. Outputs that the second reads are
 * copies, so that the caller may do with them what he likes. */
#include "control/control.h"
#include "ir/build.h"
#include "passes/plan.h"
#include "train/train.h"

typedef struct {
    Module *m;
    List nodes;            /* Node*, in their order */
    unsigned char *seeded; /* by a value's id: depends on a gradient that is given */
    unsigned char *live;   /* by a value's id: the first function computes it */
    unsigned char *read;   /* by a base's id: the second reads it */
    unsigned char *first;  /* by a node's place: it belongs to the first */
} Halves;

static Halves start_halves(Module *m) {
    Halves h = {.m = m};
    int values = number_values(m);
    for (Node *n = m->main->first; n; n = n->next) push(m->arena, &h.nodes, n);
    h.seeded = arena_alloc(m->arena, (size_t)values + 1), h.live = arena_alloc(m->arena, (size_t)values + 1);
    h.read = arena_alloc(m->arena, (size_t)values + 1);
    h.first = arena_alloc(m->arena, (size_t)h.nodes.n + 1);
    for (int i = m->training->inputs; i < m->main->nin; i++) h.seeded[m->main->in[i]->id] = 1;
    for (int i = 0; i < m->training->outputs; i++) h.live[m->main->out[i]->id] = 1;
    return h;
}

typedef struct {
    const unsigned char *set;
    bool any;
} Search;

static void look_up(void *arg, Value *v) {
    Search *s = arg;
    s->any = s->any || s->set[v->id];
}

static bool reads_any(const Node *n, const unsigned char *set) {
    Search s = {set, false};
    each_read(n, look_up, &s);
    return s.any;
}

static void mark_value(void *set, Value *v) { ((unsigned char *)set)[v->id] = 1; }

static void mark_base(void *set, Value *v) { mark_value(set, base_of(v)); }

static bool writes_any(const Node *n, const unsigned char *set) {
    for (int i = 0; i < n->nout; i++)
        if (n->out[i] && set[n->out[i]->id]) return true;
    return false;
}

static void mark_seeded(Halves *h) {
    for (int i = 0; i < h->nodes.n; i++) {
        const Node *n = h->nodes.at[i];
        bool seeded = reads_any(n, h->seeded);
        for (int k = 0; seeded && k < n->nout; k++)
            if (n->out[k]) h->seeded[n->out[k]->id] = 1;
    }
}

static void mark_first(Halves *h) {
    for (int i = h->nodes.n - 1; i >= 0; i--) {
        const Node *n = h->nodes.at[i];
        if (!writes_any(n, h->live) && !(n->op->effect && !reads_any(n, h->seeded))) continue;
        ASSERT(!reads_any(n, h->seeded));
        h->first[i] = 1;
        each_read(n, mark_value, h->live);
    }
}

static void mark_read_by_second(Halves *h) {
    for (int i = 0; i < h->nodes.n; i++) {
        const Node *n = h->nodes.at[i];
        if (!h->first[i]) each_read(n, mark_base, h->read);
    }
}

void split_functions(Module *m) {
    if (!m->entry || !m->entry->second) return;
    Halves h = start_halves(m);
    mark_seeded(&h);
    mark_first(&h);
    mark_read_by_second(&h);
    for (int i = 0; i < h.nodes.n; i++) {
        Node *n = h.nodes.at[i];
        if (!m->second && !h.first[i]) m->second = n;
        if (m->second && h.first[i]) move_before(n, m->second);
    }
    for (int i = 0; i < m->training->outputs && m->second; i++) {
        if (!h.read[base_of(m->main->out[i])->id]) continue;
        copy_output(m->main, i, false);
        move_before(m->main->last, m->second);
    }
}
