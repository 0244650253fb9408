/* state.c - what inference carries from call to call: the states that a network assigns.
 *
 * A state's name stands for what it held when the call began, and Assign says what it holds when the call ends: all of
 * them take effect together, wherever they stand in the text. */
#include "ir/build.h"
#include "ir/diag.h"
#include "train/train.h"

enum { TAG_BYTES = BUFFER_ALIGN }; /* before the first tensor of the block, so that this is aligned, too */

static const char *target_text(const Node *n) { return escaped(n->graph->module->arena, n->in[0]->name, 60); }

static void refuse_in_branches(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first; n && g != g->module->main; n = n->next)
        if (n->op->effect)
            problem(n, EXIT_UNSUPPORTED, "expected an assignment in every call, saw one in a branch that may not run");
}

static void carry(Module *m, Node *n) {
    Value *v = n->in[0];
    for (int i = 0; i < v->type.rank; i++)
        if (v->type.dim[i].symbol)
            problem(n, EXIT_UNSUPPORTED, "state '%s': expected fixed extents, saw %s", target_text(n),
                    type_text(m->arena, &v->type));
    if (v->train.block) problem(n, EXIT_INPUT, "expected one assignment of state '%s', saw another", target_text(n));
    v->train.block = BLOCK_STATE;
    push(m->arena, &m->carried, v);
}

static bool writes_state(const Node *n) { return n->op->effect && n->in[0] && n->in[0]->kind == V_STATE; }

/* What stands behind the first assignment goes before it. */
static void write_last(Node *write) {
    for (Node *n = write, *next; n; n = next) {
        next = n->next;
        if (!writes_state(n)) move_before(n, write);
    }
}

void prepare_state(Module *m) {
    Node *write = NULL;
    if (m->entry && m->after) return; /* these are training's own */
    each_graph(m, refuse_in_branches, NULL);
    for (Node *n = m->main->first; n; n = n->next) {
        if (!writes_state(n)) continue;
        if (!write) write = n;
        if (!m->entry)
            carry(m, n);
        else
            problem(n, EXIT_UNSUPPORTED, "expected a network to train that assigns no state, saw '%s' assigned",
                    target_text(n));
    }
    if (write && !m->after) write_last(write);
}

void lay_out_state(Module *m) {
    m->state_bytes = m->carried.n ? TAG_BYTES : 0;
    for (int i = 0; i < m->carried.n; i++) {
        Value *v = m->carried.at[i];
        v->emit.block_offset = m->state_bytes;
        m->state_bytes += align_up(type_bytes(&v->type), BUFFER_ALIGN);
    }
}

uint64_t state_tag(const Module *m) {
    Str text = {.arena = m->arena};
    char sum[65];
    put_text(&text, "state 1\n");
    for (int i = 0; i < m->carried.n; i++) {
        const Value *v = m->carried.at[i];
        put(&text, "%lld %s %s\n", (long long)v->emit.block_offset, type_text(m->arena, &v->type), v->name);
    }
    sha256_hex(text.s, text.n, sum);
    sum[16] = 0;
    return strtoull(sum, NULL, 16);
}
