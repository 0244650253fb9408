/* print.c - a module as .nn text. Everything a later pass reads is here, so that a dump can take its module's place. */
#include "text/print.h"
#include "ir/build.h"
#include "ir/storage.h"
#include "ops/spelling.h"
#include "text/parser.h"
#include "text/text.h"

/* ---- attributes ---- */

static void put_graph(Printer *, const Graph *, int depth);

static void put_tensor(Printer *p, const Tensor *t) {
    Type type = tensor_type(t);
    put_type(p->out, &type);
    put_text(p->out, " ");
    if (has_contents(t)) put_contents(p, t);
}

/* An integer that stands for an element type is spelled as that type. */
static void put_int_attr(Str *s, const Attr *a) {
    bool is_type = !strcmp(a->name, "to") || !strcmp(a->name, "dtype") || !strcmp(a->name, "output_dtype");
    DType t = is_type && a->i > 0 && a->i < 64 ? dtype_of_onnx((int)a->i) : DT_none;
    if (t != DT_none)
        put_text(s, dtypes[t].name);
    else
        put(s, "%lld", (long long)a->i);
}

static void put_attr(Printer *p, const Attr *a, int depth, bool point) {
    Str *s = p->out;
    bool list = a->kind == A_INTS || a->kind == A_FLOATS || a->kind == A_STRS;
    if (list) put_text(s, "[");
    for (int i = 0; list && i < a->n; i++) {
        if (i) put_text(s, ", ");
        if (a->kind == A_INTS)
            put(s, "%lld", (long long)a->ints[i]);
        else if (a->kind == A_FLOATS)
            put_double(s, a->floats[i], point);
        else
            put_word(s, a->strs[i]);
    }
    if (list)
        put_text(s, "]");
    else if (a->kind == A_INT)
        put_int_attr(s, a);
    else if (a->kind == A_FLOAT)
        put_double(s, a->f, point);
    else if (a->kind == A_STR)
        put_word(s, a->s ? a->s : "");
    else if (a->kind == A_LOSS)
        put_text(s, a->s);
    else if (a->kind == A_TENSOR)
        put_tensor(p, a->tensor);
    else if (a->kind == A_GRAPH)
        put_graph(p, a->graph, depth);
}

void put_setting(Str *s, const Attr *a) { put_attr(&(Printer){.out = s}, a, 0, false); }

static bool same_text(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

static bool same_attr(const Attr *a, const Attr *b) {
    if (a->i != b->i || a->n != b->n || a->tensor != b->tensor || a->graph != b->graph || !same_text(a->s, b->s))
        return false;
    if (memcmp(&a->f, &b->f, sizeof a->f)) return false;
    for (int i = 0; i < a->n; i++) {
        if (a->kind == A_INTS && a->ints[i] != b->ints[i]) return false;
        if (a->kind == A_FLOATS && memcmp(&a->floats[i], &b->floats[i], sizeof *a->floats)) return false;
        if (a->kind == A_STRS && strcmp(a->strs[i], b->strs[i])) return false;
    }
    return true;
}

/* What differs from the row's default; where the row has none, also a zero that was given. */
static bool is_shown(const Attr *a, const Attr *row) {
    static const Attr none;
    Attr bare = *row;
    bare.name = NULL, bare.kind = A_NONE;
    return !same_attr(a, row) || (a->set && same_attr(&bare, &none));
}

static void put_attrs(Printer *p, const Node *n, int depth) {
    bool any = false;
    for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++) {
        if (!is_shown(&n->attr[i], &n->op->attr[i])) continue;
        put(p->out, "%s%s = ", any ? ", " : " {", n->op->attr[i].name);
        put_attr(p, &n->attr[i], depth, false);
        any = true;
    }
    if (any) put_text(p->out, "}");
}

/* ---- nodes and graphs ---- */

static void put_values(Str *s, int n, Value *const *v) {
    for (int i = 0; i < n; i++) {
        if (i) put_text(s, ", ");
        if (v[i])
            put_name(s, '%', v[i]->name);
        else
            put_text(s, "_");
    }
}

static void put_result_types(Str *s, const Node *n) {
    bool any = false;
    for (int i = 0; i < n->nout; i++)
        any |= n->out[i] && (n->out[i]->type.dtype != DT_none || n->out[i]->type.rank >= 0 ||
                             n->out[i]->layout.stride || n->out[i]->layout.halo);
    for (int i = 0; any && i < n->nout; i++) {
        put_text(s, i ? ", " : " : ");
        if (n->out[i])
            put_value_type(s, n->out[i]);
        else
            put_text(s, "_");
    }
}

static void put_addresses(Str *s, const Node *n) {
    bool any = false;
    for (int i = 0; i < n->nout; i++) any |= n->out[i] && n->out[i]->plan.offset >= 0;
    for (int i = 0; any && i < n->nout; i++)
        put(s, i ? ",%lld" : " #at=%lld", n->out[i] ? (long long)n->out[i]->plan.offset : -1LL);
}

static void put_text_note(Str *s, const char *keyword, const char *text) {
    if (!text) return;
    put(s, " %s(", keyword);
    put_quoted(s, text);
    put_text(s, ")");
}

static void put_op(Str *s, const Node *n) {
    const char *domain = n->overload ? n->overload : n->op->domain;
    char *name = format(s->arena, "%s%s%s", domain ? domain : "", domain ? "." : "", n->op->name);
    if (bare_value(name))
        put_text(s, name);
    else
        put_quoted(s, name);
}

static void put_node(Printer *p, const Node *n, int depth) {
    Str *s = p->out;
    put(s, "%*s", 2 * depth, "");
    put_values(s, n->nout, n->out);
    put_text(s, " = ");
    put_op(s, n);
    put_text(s, "(");
    put_values(s, n->nin, n->in);
    put_text(s, ")");
    put_attrs(p, n, depth);
    put_result_types(s, n);
    if (n->kernel) put(s, " #k=%d", n->kernel);
    put_addresses(s, n);
    put_text_note(s, "loc", n->name);
    put_text_note(s, "from", n->origin);
    put_text(s, "\n");
}

static void put_signature(Str *s, const Graph *g) {
    put_text(s, "(");
    for (int i = 0; i < g->nin; i++) {
        if (i) put_text(s, ", ");
        put_name(s, '%', g->in[i]->name);
        put_text(s, ": ");
        put_value_type(s, g->in[i]);
    }
    put_text(s, ") ");
}

static void put_body(Printer *p, const Graph *g, int depth) {
    Str *s = p->out;
    put_text(s, "{\n");
    for (const Node *n = g->first; n; n = n->next) put_node(p, n, depth + 1);
    put(s, "%*sreturn ", 2 * depth + 2, "");
    for (int i = 0; i < g->nout; i++) {
        put_text(s, i ? ", " : "");
        put_values(s, 1, &g->out[i]);
        if (g->out[i] && g->out[i]->port) put_text(s, " as "), put_name(s, '%', g->out[i]->port);
    }
    put(s, "\n%*s}", 2 * depth, "");
}

/* A region; without a name and inputs it is only braces. */
static void put_graph(Printer *p, const Graph *g, int depth) {
    bool named = g->name && *g->name;
    if (named) put_name(p->out, '@', g->name);
    if (named || g->nin) put_signature(p->out, g);
    put_body(p, g, depth);
}

void print_node(Str *s, const Node *n) {
    Printer p = {s, NULL};
    put_node(&p, n, 0);
}

/* ---- the module ---- */

static void put_outside(Printer *p, const Value *v) {
    static const char *const keyword[] = {[V_CONST] = "const", [V_PARAM] = "param", [V_STATE] = "state"};
    put(p->out, "%s ", keyword[v->kind]);
    put_name(p->out, '%', v->name);
    put_text(p->out, ": ");
    put_value_type(p->out, v);
    if (has_contents(v->data) || v->init) put_text(p->out, " = ");
    if (v->init)
        put_text(p->out, v->init); /* drawn by its name: the same contents each time */
    else if (has_contents(v->data))
        put_contents(p, v->data);
    put_text(p->out, "\n");
}

static void put_network(Printer *p, const Graph *g) {
    put_text(p->out, "network ");
    put_name(p->out, '@', g->name ? g->name : "");
    put_signature(p->out, g);
    put_body(p, g, 0);
    put_text(p->out, "\n");
}

/* A name with points opens a group: image.scale is {image = {scale = …}}. Returns how many attributes it took. */
static int put_group(Printer *p, const Module *m, const Meta *meta, int i, size_t skip) {
    const char *name = meta->attr[i].name + skip, *point = strchr(name, '.');
    int n = 0;
    put(p->out, "%.*s = ", point ? (int)(point - name) : (int)strlen(name), name);
    if (!point) {
        put_attr(p, &meta->attr[i], 0, true);
        return 1;
    }
    size_t prefix = (size_t)(point + 1 - meta->attr[i].name);
    put_text(p->out, "{");
    while (i + n < meta->n && !strncmp(meta->attr[i + n].name, meta->attr[i].name, prefix)) {
        if (n) put_text(p->out, ", ");
        n += put_group(p, m, meta, i + n, prefix);
    }
    put_text(p->out, "}");
    return n;
}

static void put_meta(Printer *p, const Module *m, const Meta *meta) {
    put(p->out, "%s ", meta->keyword);
    put_name(p->out, '@', meta->network);
    put_text(p->out, " {");
    for (int i = 0; i < meta->n;) {
        if (i) put_text(p->out, ", ");
        i += put_group(p, m, meta, i, 0);
    }
    put_text(p->out, "}\n");
}

static void put_text_field(Str *s, const char *name, const char *text) {
    if (!text || !*text) return;
    put(s, "%s%s = ", s->s[s->n - 1] == '{' ? "" : ", ", name);
    put_quoted(s, text);
}

static void put_int_field(Str *s, const char *name, int64_t i) {
    if (i) put(s, "%s%s = %lld", s->s[s->n - 1] == '{' ? "" : ", ", name, (long long)i);
}

static void put_header(Str *s, const Module *m, size_t weights) {
    put_text(s, "nncc " NNCC_VERSION "\nmodule {");
    put_text_field(s, "source", m->source);
    put_text_field(s, "sha", m->sha);
    put_text_field(s, "producer", m->producer);
    put_text_field(s, "after", m->after);
    put_int_field(s, "serial", m->serial);
    put_int_field(s, "kernels", m->kernels);
    put_int_field(s, "weights", (int64_t)weights);
    put_text(s, "}\n");
}

/* Room for all contents at once: growing by doubling would take three times as much. */
static void reserve_weights(const Module *m, Str *w) {
    size_t bytes = 1;
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        if (has_contents(v->data) && v->data->count > INLINE_ELEMENTS && !v->init)
            bytes += (size_t)value_bytes(v) + BUFFER_ALIGN;
    }
    if (w && !w->s) w->s = arena_alloc(w->arena, bytes), w->cap = bytes;
}

/* Text behind `start` moves back for the header, which says how large the weights have become. */
static void insert_header(Str *out, size_t start, const Module *m, size_t weights) {
    Str header = {.arena = out->arena};
    size_t body = out->n - start;
    put_header(&header, m, weights);
    put_bytes(out, header.s, header.n);
    memmove(out->s + start + header.n, out->s + start, body);
    memcpy(out->s + start, header.s, header.n);
}

void print_module(Module *m, Str *out, Str *weights) {
    Printer p = {out, weights};
    put_text(out, "");
    size_t start = out->n;
    reserve_weights(m, weights);
    for (int i = 0; i < m->bounds.n; i++) {
        const DimBinding *d = m->bounds.at[i];
        put_text(out, "dim ");
        put_word(out, d->name);
        put(out, " = %lld..%lld", (long long)d->min, (long long)d->max);
        if (d->step) put(out, ":%lld", (long long)d->step);
        put_text(out, "\n");
    }
    for (int i = 0; i < m->outside.n; i++) put_outside(&p, m->outside.at[i]);
    if (m->loss_functions) put_text(out, m->loss_functions);
    if (m->main) put_network(&p, m->main);
    for (int i = 0; i < m->metas.n; i++) put_meta(&p, m, m->metas.at[i]);
    insert_header(out, start, m, weights ? weights->n : 0);
}
