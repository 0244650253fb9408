/* linear_attention.c - LinearAttention (ONNX, since 27) as what it says: a Scan over tokens, whose state is decayed,
 * corrected and read. */
#include "control/trips.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/composite.h"
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/rules_control.h"
#include <math.h>

enum { QUERY, KEY, VALUE, PAST, DECAY, BETA, INPUTS };

/* Heads of queries and of keys and values, elements of each head's key and value. */
typedef struct {
    int64_t q, kv, dk, dv;
    bool gated, delta;
} Heads;

static bool divides(Node *n, int i, int64_t heads, int64_t *each) {
    Dim last = in_type(n, i)->dim[2];
    if (!need_fixed(n, last, "what is packed")) return false;
    if (heads > 0 && last.max % heads == 0 && last.max > 0) return *each = last.max / heads, true;
    problem(n, EXIT_INPUT, "%s: expected %lld heads of equal size, saw %s", arg_text(n, i), (long long)heads,
            in_text(n, i));
    return false;
}

static bool is_given(Node *n, int i, bool wanted, const char *rule) {
    if (!wanted || input(n, i)) return true;
    problem(n, EXIT_INPUT, "input %s is missing: update_rule '%s' needs it", arg_name(n, i), rule);
    return false;
}

static bool heads_of(Node *n, Heads *h) {
    const char *rule = attr_s(n, "update_rule");
    int64_t key;
    *h = (Heads){.q = attr_i(n, "q_num_heads"), .kv = attr_i(n, "kv_num_heads")};
    h->gated = !strncmp(rule, "gated", 5), h->delta = strstr(rule, "delta") != NULL;
    for (int i = 0; i < INPUTS; i++)
        if (input(n, i) && !need_rank(n, i, i == PAST ? 4 : 3)) return false;
    if (h->kv < 1 || h->q < 1 || h->q % h->kv) {
        problem(n, EXIT_INPUT, "q_num_heads: expected a multiple of kv_num_heads, %lld, saw %lld", (long long)h->kv,
                (long long)h->q);
        return false;
    }
    if (!divides(n, QUERY, h->q, &h->dk) || !divides(n, KEY, h->kv, &key) || !divides(n, VALUE, h->kv, &h->dv))
        return false;
    if (key != h->dk) {
        do_not_fit(n, QUERY, KEY);
        return false;
    }
    return is_given(n, DECAY, h->gated, rule) && is_given(n, BETA, h->delta, rule);
}

static Value *built(Node *at, const char *text, int count, Value *const *with) {
    static const char *const names[] = {"s", "q", "k", "v", "g", "b"};
    return build_value(at, text, count, names, with);
}

/* Tokens in front, heads apart: [B,T,H*D] as [T,B,…], in single precision at least. */
static Value *tokens(Node *n, int i, const char *dims) {
    const char *perm = strchr(strchr(dims, ',') + 1, ',') ? "1, 0, 2, 3, 4" : "1, 0, 2, 3";
    return built(n, format(n->graph->module->arena, "Transpose(wide(Reshape(s, [0, 0, %s])), perm = [%s])", dims, perm),
                 1, &n->in[i]);
}

static Value *first_state(Node *n, Value *k, Value *v) {
    if (input(n, PAST)) return built(n, "wide(s)", 1, &n->in[PAST]);
    return built(n, "zeros(Squeeze(Unsqueeze(Gather(s, [0]), [-1]) * Unsqueeze(Gather(q, [0]), [-2]), [0]))", 2,
                 (Value *[]){k, v});
}

/* What a token does: the state's new contents, and what the queries read there. */
static void build_step(Graph *body, const Node *n, const Heads *h) {
    Module *m = body->module;
    Node *end = node_new(body, NULL, &ops[OP_Identity], 1, body->in, 1, NULL, n->loc);
    Value *with[INPUTS] = {NULL}, *gate = NULL, *rate = NULL;
    int count = body->nin;
    double scale = attr_f(n, "scale") != 0 ? attr_f(n, "scale") : 1 / sqrt((double)h->dk);
    for (int i = 0; i < count; i++) with[i] = body->in[i];
    if (h->gated) gate = with[4];
    if (h->delta) rate = with[count - 1];
    Value *s = with[0];
    if (gate) s = built(end, "s * Unsqueeze(Exp(q), [-1])", 2, (Value *[]){s, gate});
    Value *write = with[3];
    if (rate)
        write = built(end, "q * (k - Squeeze(MatMul(Unsqueeze(v, [-2]), s), [-2]))", 4,
                      (Value *[]){s, rate, with[3], with[2]});
    s = built(end, "s + Unsqueeze(q, [-1]) * Unsqueeze(k, [-2])", 3, (Value *[]){s, with[2], write});
    Value *times = const_scalar(m, s->type.dtype, scale); /* of an attribute that may be anything */
    Value *read = built(end, "MatMul(q, s) * k", 3, (Value *[]){s, with[1], times});
    List out = {0};
    push(m->arena, &out, s), push(m->arena, &out, read);
    unlink_node(end);
    set_outputs(body, &out);
}

static Type token_type(const Value *v) {
    Type t = v->type;
    memmove(t.dim, t.dim + 1, sizeof *t.dim * (size_t)--t.rank);
    return t;
}

static Node *scan_tokens(Node *n, const Heads *h, int count, Value *const *in) {
    static const char *const names[] = {"state", "query", "key", "value", "decay", "beta"};
    Module *m = n->graph->module;
    Graph *body = graph_new(m, "token", n->graph);
    for (int i = 0; i < count; i++) input_new(body, names[i], i ? token_type(in[i]) : in[i]->type);
    build_step(body, n, h);
    Node *scan = node_new(n->graph, n, &ops[OP_Scan], count, in, 2, NULL, n->loc);
    scan->origin = node_origin(n);
    scan->name = NULL;
    set_attr_i(scan, "num_scan_inputs", count - 1);
    set_attr(scan, &(Attr){.name = "body", .kind = A_GRAPH, .graph = body});
    body->owner = scan;
    return scan;
}

void infer_linear_attention(Node *n) {
    Arena *a = n->graph->module->arena;
    Heads h;
    if (!heads_of(n, &h)) return;
    long long q = h.q, kv = h.kv, dk = h.dk, dv = h.dv;
    Value *in[INPUTS];
    int count = 1, said = n->graph->module->problems.n;
    in[count++] = tokens(n, QUERY, format(a, "%lld, %lld, %lld", kv, q / kv, dk));
    in[count++] = tokens(n, KEY, format(a, "%lld, %lld", kv, dk));
    in[count++] = tokens(n, VALUE, format(a, "%lld, %lld", kv, dv));
    if (h.gated) in[count++] = tokens(n, DECAY, format(a, "%lld, -1", kv));
    if (h.delta) in[count++] = tokens(n, BETA, "-1, 1");
    in[0] = first_state(n, in[KEY + 1], in[VALUE + 1]);
    if (n->graph->module->problems.n > said) return;
    Node *scan = scan_tokens(n, &h, count, in);
    Value *rows = scan->out[1], *state = scan->out[0], *y[2];
    infer_node(scan);
    if (n->graph->module->problems.n > said) return;
    Value *both[] = {resolve(rows), n->in[QUERY]};
    y[0] = built(n, format(a, "CastLike(Reshape(Transpose(s, perm = [1, 0, 2, 3, 4]), [0, 0, %lld]), q)", q * dv), 2,
                 both);
    both[0] = resolve(state);
    y[1] = built(n, "CastLike(s, q)", 2, both);
    for (int i = 0; i < n->nout && i < 2; i++)
        if (n->out[i]) n->out[i]->type = y[i]->type;
    replaced_by(n, n->nout < 2 ? n->nout : 2, y);
}
