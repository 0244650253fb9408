/* strings.c - strings of a network as rows of bytes: inputs and constants, then node by node, then outputs */
#include "strings/strings.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/target.h"
#include "ops/infer.h"
#include "ops/ops.h"

/* ---- where they are ---- */

static bool holds_strings(const Value *v) { return v && v->type.dtype == DT_str; }

static bool touches_strings(const Node *n) {
    for (int i = 0; i < n->nin; i++)
        if (holds_strings(n->in[i])) return true;
    for (int i = 0; i < n->nout; i++)
        if (holds_strings(n->out[i])) return true;
    return false;
}

static void find_strings(Graph *g, void *found) {
    for (int i = 0; i < g->nin; i++) *(bool *)found |= holds_strings(g->in[i]);
    for (int i = 0; i < g->nout; i++) *(bool *)found |= holds_strings(g->out[i]);
    for (Node *n = g->first; n; n = n->next) *(bool *)found |= touches_strings(n);
}

bool has_strings(const Module *m) {
    bool found = false;
    find_strings(m->main, &found);
    return found;
}

/* ---- what moves strings moves rows ---- */

static Node *clone(Node *n) {
    Node *c = node_new(n->graph, n, n->op, n->nin, n->in, n->nout, NULL, n->loc);
    int attrs = 0;
    while (attrs < ROW_ATTRS && n->op->attr[attrs].name) attrs++;
    c->attr = arena_copy(n->graph->module->arena, n->attr, sizeof *n->attr * (size_t)attrs);
    c->origin = node_origin(n);
    for (int i = 0; i < n->nout; i++)
        if (!n->out[i]) c->out[i] = NULL;
    return c;
}

static void become(Node *n, Node *made) {
    infer_node(made);
    replaced_by(n, n->nout, made->out);
}

static void take(Node *n, Value *with) { replaced_by(n, 1, &with); }

/* The dims of a result and the width, as contents; false after a problem(). */
static bool rows_shape(Node *n, int64_t width, Value **shape) {
    const Type *t = &n->out[0]->type;
    int64_t dim[MAX_RANK + 1];
    for (int i = 0; i < t->rank; i++) {
        dim[i] = t->dim[i].symbol && !i ? -1 : t->dim[i].max;
        if (i && !need_fixed(n, t->dim[i], "strings that get another shape")) return false;
    }
    dim[t->rank] = width;
    *shape = const_ints(n->graph->module, t->rank + 1, dim);
    return true;
}

static void view_rows(Node *n) {
    Value *shape;
    if (!rows_shape(n, width_of_rows(n->in[0]), &shape)) return;
    Node *view = insert_node(n, &ops[OP_Reshape], 2, (Value *[]){n->in[0], shape});
    set_attr_i(view, "allowzero", type_count(&n->out[0]->type) == 0);
    become(n, view);
}

static void stretch_rows(Node *n) {
    Value *shape;
    if (rows_shape(n, width_of_rows(n->in[0]), &shape))
        take(n, rows_built(n, "Expand(m, p)", 2, (Value *[]){n->in[0], shape}));
}

static void repeat_rows(Node *n) { take(n, rows_built(n, "Tile(m, Concat(p, [1], axis = 0))", 2, n->in)); }

static void transpose_rows(Node *n) {
    const Attr *perm = attr(n, "perm");
    int rank = n->in[0]->type.rank - 1;
    int64_t order[MAX_RANK];
    Node *c = clone(n);
    for (int i = 0; i < rank; i++) order[i] = perm->n ? perm->ints[i] : rank - 1 - i;
    order[rank] = rank;
    set_attr_ints(c, "perm", rank + 1, order);
    become(n, c);
}

/* Axes count from the front, which is where it was. */
static void move_rows(Node *n) {
    Node *c = clone(n);
    int64_t axis = attr_i(n, "axis");
    set_attr_i(c, "axis", axis < 0 ? axis + n->in[0]->type.rank - 1 : axis);
    become(n, c);
}

static void concat_rows(Node *n) {
    as_wide(n, n->nin, n->in);
    move_rows(n);
}

static void same_rows(Node *n) { become(n, clone(n)); }

static void slice_rows(Node *n) {
    int64_t axes[MAX_RANK];
    int count = 0, rank = n->in[0]->type.rank - 1;
    Node *c = clone(n);
    if (input(n, 3) && known_ints(n->in[3], MAX_RANK, &count, axes)) {
        for (int i = 0; i < count; i++) axes[i] += axes[i] < 0 ? rank : 0;
        c->in[3] = const_ints(n->graph->module, count, axes);
    }
    become(n, c);
}

static void where_rows(Node *n) {
    Value *with[] = {n->in[1], n->in[2], n->in[0]};
    as_wide(n, 2, with);
    take(n, rows_built(n, "Where(Unsqueeze(q, [-1]), m, p)", 3, with));
}

static void equal_rows(Node *n) {
    as_wide(n, 2, n->in);
    take(n, rows_built(n, "ReduceMin(m == p, [-1], keepdims = 0)", 2, n->in));
}

static const struct {
    int op;
    void (*on_rows)(Node *);
} rows[] = {{OP_Identity, view_rows}, {OP_Reshape, view_rows},   {OP_Flatten, view_rows},
            {OP_Squeeze, view_rows},  {OP_Unsqueeze, view_rows}, {OP_Transpose, transpose_rows},
            {OP_Gather, move_rows},   {OP_GatherND, same_rows},  {OP_Split, move_rows},
            {OP_Concat, concat_rows}, {OP_Slice, slice_rows},    {OP_Where, where_rows},
            {OP_Equal, equal_rows},   {OP_Expand, stretch_rows}, {OP_Tile, repeat_rows}};

static void on_rows(Node *n) {
    for (int i = 0; i < COUNT(rows); i++)
        if (n->op == &ops[rows[i].op]) {
            rows[i].on_rows(n);
            return;
        }
    if (n->op->types && strchr(n->op->types, 's') && n->op->expand)
        n->op->expand(n);
    else
        problem(n, EXIT_UNSUPPORTED, "expected numbers, saw strings");
}

/* ---- inputs, constants, outputs ---- */

static void replace_everywhere(Graph *g, void *arg) {
    Value *const *pair = arg;
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nin; i++)
            if (n->in[i] == pair[0] && n != pair[1]->def) n->in[i] = pair[1];
    for (int i = 0; i < g->nout; i++)
        if (g->out[i] == pair[0]) set_output(g, i, pair[1]);
}

static void take_input(Graph *g, Value *v) {
    Module *m = g->module;
    Node *first = g->first, *in = node_new(g, first, &ops[OP_TextIn], 1, &v, 1, NULL, v->loc);
    in->origin = format(m->arena, "TextIn '%s'", v->name);
    set_attr_i(in, "width", m->opt->string_bytes ? m->opt->string_bytes : STRING_WIDTH);
    infer_node(in);
    replace_everywhere(g, (Value *[]){v, in->out[0]});
}

static void take_constant(Module *m, Value *v) {
    Tensor *t = strings_as_rows(m->arena, v->data, longest_string(v->data) + 1);
    replace(v, const_new(m, v->name, t));
}

/* Another output of the network, which is called after one of them. */
static int add_output(Module *m, int of, const char *what, Value *v) {
    List out = {0};
    const char *name = format(m->arena, "%s.%s", port_name(m->main->out[of]), what);
    for (int i = 0; i < m->main->nout; i++) push(m->arena, &out, m->main->out[i]);
    push(m->arena, &out, output_as(m->main, v, name));
    set_outputs(m->main, &out);
    return m->main->nout - 1;
}

/* `rows` are what the output was, of `strings`; an extent that only the call tells has been said of it. */
static void give_output(Graph *g, int i, Value *bytes, const Type *strings) {
    Module *m = g->module;
    unsigned axes = 0;
    int axis = 0, extent = extent_output(m, i, &axes);
    while (axes >> axis > 1) axis++;
    Value *with[] = {bytes, extent >= 0 ? resolve(g->out[extent]) : NULL};
    Node *out = node_new(g, NULL, &ops[OP_TextOut], extent >= 0 ? 2 : 1, with, 2, NULL, bytes->loc);
    out->origin = format(m->arena, "TextOut '%s'", port_name(g->out[i]));
    set_attr_i(out, "axis", axis);
    infer_node(out);
    if (m->problems.n) return;
    Value *text = out->out[0];
    text->packed = arena_copy(m->arena, strings, sizeof *strings);
    if (bytes->kind == V_NODE && !bytes->port)
        swap_names(m, bytes, text);
    else
        text->port = port_name(bytes);
    set_output(g, i, text);
    say_offsets(m, i, add_output(m, i, "offset", out->out[1]));
}

int64_t width_of_strings(const Module *m, const Value *v) {
    for (const Node *n = m->main->first; n; n = n->next)
        if (IS(n, TextIn) && n->in[0] == v) return attr_i(n, "width");
    return m->opt->string_bytes ? m->opt->string_bytes : STRING_WIDTH;
}

bool sized_by_call(Node *n, int result, int axis, Value *count) {
    Module *m = n->graph->module;
    const Value *y = n->out[result];
    if (!is_output(y) || y->uses != 1 || n->graph != m->main) {
        problem(n, EXIT_UNSUPPORTED,
                "the size of its result depends on the strings of a call: expected it as an output of the network "
                "alone, saw "
                "it read");
        return false;
    }
    int i = y->output - 1;
    say_extent(m, i, 1u << axis, add_output(m, i, "extent", count));
    return true;
}

/* ---- the whole network ---- */

static void refuse_regions(Graph *g, void *unused) {
    (void)unused;
    for (Node *n = g->first; g->outer && n; n = n->next)
        if (touches_strings(n)) problem(n, EXIT_UNSUPPORTED, "expected numbers in a branch or a loop, saw strings");
}

static void check_network(Module *m) {
    if (m->entry) fatal(m, EXIT_UNSUPPORTED, "expected numbers in a network that is trained, saw strings");
    if (m->opt->emit && !strcmp(m->opt->emit, "onnx"))
        fatal(m, EXIT_UNSUPPORTED, "--emit=onnx: strings are written as the model has them: add --passes=none");
    if (on_device(m)) fatal(m, EXIT_UNSUPPORTED, "expected numbers for target %s, saw strings", m->target->name);
    each_graph(m, refuse_regions, NULL);
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        if (holds_strings(v) && v->kind != V_CONST)
            fatal(m, EXIT_UNSUPPORTED, "'%s': expected numbers in what is kept or trained, saw strings",
                  escaped(m->arena, v->name, 60));
    }
}

static List nodes_with_strings(Graph *g) {
    List found = {0};
    for (Node *n = g->first; n; n = n->next)
        if (touches_strings(n)) push(g->module->arena, &found, n);
    return found;
}

/* What is made of other operators on strings, before these are. */
static void expand_nodes(Graph *g) {
    for (Node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (!touches_strings(n) || !(n->op->def || n->op->before_rows)) continue;
        for (int i = 0; i < n->nin; i++) n->in[i] = resolve(n->in[i]);
        (n->op->def ? expand_def : n->op->expand)(n);
    }
    resolve_graph(g);
}

static void rewrite_nodes(const List *nodes) {
    for (int k = 0; k < nodes->n; k++) {
        Node *n = nodes->at[k];
        bool ready = true;
        for (int i = 0; i < n->nin; i++) n->in[i] = resolve(n->in[i]);
        for (int i = 0; i < n->nin; i++) ready = ready && !holds_strings(n->in[i]);
        if (ready) on_rows(n); /* else what it reads has been refused */
    }
}

void make_rows_of_strings(Module *m) {
    Graph *g = m->main;
    if (!has_strings(m)) return;
    check_network(m);
    expand_nodes(g);
    if (m->problems.n) return;
    count_uses(m);
    Type *was = arena_alloc(m->arena, sizeof *was * (size_t)(g->nout + 1));
    int outputs = g->nout, constants = m->outside.n;
    List nodes = nodes_with_strings(g);
    for (int i = 0; i < outputs; i++) was[i] = g->out[i]->type;
    for (int i = 0; i < g->nin; i++)
        if (holds_strings(g->in[i])) take_input(g, g->in[i]);
    for (int i = 0; i < constants; i++)
        if (holds_strings(m->outside.at[i])) take_constant(m, m->outside.at[i]);
    rewrite_nodes(&nodes);
    if (m->problems.n) return;
    for (int i = 0; i < outputs; i++)
        if (was[i].dtype == DT_str) give_output(g, i, resolve(g->out[i]), &was[i]);
    resolve_graph(g);
    count_uses(m);
    drop_unread(m);
}
