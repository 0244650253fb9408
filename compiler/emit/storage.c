/* storage.c - where the run function finds its tensors: pointers into the arena, and what tests learn of their
 * lives.
 */
#include "ir/storage.h"
#include "emit/interface.h"
#include "ir/build.h"
#include "passes/plan.h"
#include "render/arrays.h"

bool needs_arena(const Module *m) { return m->arena_bytes > 0 && !on_device(m); }

const Node *first_node(const Emit *e) { return e->second ? e->m->second : e->m->main->first; }

const Node *end_node(const Emit *e) { return e->m->entry && e->m->entry->second && !e->second ? e->m->second : NULL; }

bool in_function(const Emit *e, const Value *v) {
    const Module *m = e->m;
    if (!m->entry || !m->entry->second) return true;
    return e->second ? v->plan.last >= m->second_step : v->plan.first < m->second_step;
}

void line_start(Emit *e, int indent) { put(&e->c, "%*s", 4 * indent, ""); }

const char *field_of(Emit *e, const Value *base) {
    const Graph *g = e->m->main;
    if (base->plan.buffer != base) return NULL;
    if (base->train.block == BLOCK_FIELD) return format(e->arena, "&net->%s", g->in[base->plan.slot]->emit.cname);
    if (base->plan.home == HOME_INPUT) return format(e->arena, "net->%s", g->in[base->plan.slot]->emit.cname);
    if (base->plan.home == HOME_OUTPUT) return format(e->arena, "net->%s", g->out[base->plan.slot]->emit.cname);
    return NULL;
}

const char *pointer_to(Emit *e, const Value *v) {
    const Value *base = v->plan.base;
    if (v->plan.row) return v->plan.row->emit.cname;
    const char *field = base->emit.local ? base->emit.local : field_of(e, base);
    return field ? field : base->emit.cname;
}

/* ---- names of buffers: a base that is not mentioned gets no pointer ---- */

/* A field has the type of its elements; where a kernel wants rows of them, a void pointer takes its place. It is not
 * const: before C23 neither a pointer to const data nor one to rows becomes a pointer to const rows by itself. */
static void name_field(Emit *e, Value *base, const Array *array) {
    int64_t extent[MAX_SUBSCRIPTS];
    const char *field = field_of(e, base);
    if (!field || base->emit.local || !array || extents_of(array, extent) < 2) return;
    base->emit.local = identifier(e->arena, e->taken, field + strlen("net->"), "port");
    push(e->arena, &e->fields, base);
}

static void mention(const Value *v) {
    v->plan.base->emit.mentions++;
    if (v->plan.row) v->plan.row->emit.mentions++;
}

static void count_names(Emit *e, const Graph *g, const Node *from, const Node *end) {
    for (const Node *n = from; n != end; n = n->next) {
        const Kernel *k = n->code;
        for (int i = 0; k && k->body && i < k->narg; i++) {
            if (written_over(k, i)) continue;
            mention(k->arg[i]);
            name_field(e, k->arg[i]->plan.base, k->arrays ? &k->arrays->arg[i] : NULL);
        }
        if (!IS(n, If) && !IS(n, Loop)) continue;
        for (int i = 0; i < n->nin; i++)
            if (n->in[i]) mention(n->in[i]);
        for (int i = 0; i < n->nout; i++)
            if (n->out[i]) mention(n->out[i]);
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
            if (n->attr[i].graph) count_names(e, n->attr[i].graph, n->attr[i].graph->first, NULL);
    }
    for (int i = 0; g->owner && i < g->nout; i++) mention(g->out[i]);
}

static void find_names(Emit *e) {
    const Module *m = e->m;
    while (e->fields.n) ((Value *)e->fields.at[--e->fields.n])->emit.local = NULL;
    for (int i = 0; i < m->buffers.n; i++) ((Value *)m->buffers.at[i])->emit.mentions = 0;
    for (int i = 0; i < m->aliases.n; i++) ((Value *)m->aliases.at[i])->emit.mentions = 0;
    count_names(e, m->main, first_node(e), end_node(e));
}

static bool in_arena(const Value *base) { return base->plan.buffer->plan.home == HOME_ARENA; }

/* The line that gives a base its name. */
static void put_pointer(Emit *e, Value *v) {
    const Value *buffer = v->plan.buffer;
    int64_t at = v->plan.shift;
    if (!v->emit.mentions) return;
    v->emit.cname = identifier(e->arena, e->taken, e->m->opt->plain_names ? NULL : v->name, "t");
    put(&e->c, "    void *const %s = ", v->emit.cname);
    if (in_arena(v))
        put_text(&e->c, "a"), at += buffer->plan.offset;
    else if (at)
        put(&e->c, "(unsigned char *)%s", pointer_to(e, buffer));
    else
        put(&e->c, "%s%s", buffer->plan.home == HOME_INPUT ? "(void *)" : "", pointer_to(e, buffer));
    if (at) put(&e->c, " + %lld", (long long)at);
    if (v->plan.copies > 1) put(&e->c, " + (size_t)t * %lld", (long long)(value_bytes(v) / v->plan.copies));
    put(&e->c, "; /* %s%s, %s B, steps %d-%d */\n", dtypes[v->type.dtype].c, shape_text(e->arena, &v->type),
        bytes_text(e->arena, value_bytes(v)), v->plan.first, v->plan.last);
}

/* 1 - i, 3 + 2 * i: the row that a turn of the loop reads. */
static const char *turn_text(Emit *e, const Node *n) {
    int64_t first, step;
    row_in_turn(n, &first, &step);
    const char *sign = step < 0 ? "-" : "+", *turn = e->turn;
    if (llabs(step) != 1) turn = format(e->arena, "%lld * %s", (long long)llabs(step), turn);
    return first || step < 0 ? format(e->arena, "(%lld %s %s)", (long long)first, sign, turn) : turn;
}

void put_row_pointer(Emit *e, const Node *n, int indent) {
    Value *row = n->out[0];
    if (!row->emit.mentions) return;
    const char *bytes = bytes_in_call(e, row), *as = *bytes == '(' ? "(size_t)" : "", *input = pointer_to(e, n->in[0]);
    row->emit.cname = identifier(e->arena, e->taken, e->m->opt->plain_names ? NULL : row->name, "row");
    line_start(e, indent);
    put(&e->c, "void *const %s = (unsigned char *)%s + %s%s * %s; /* %s%s */\n", row->emit.cname, input, as,
        turn_text(e, n), bytes, dtypes[row->type.dtype].c, shape_text(e->arena, &row->type));
}

/* Of two functions with one arena, one may have nothing there. */
static bool names_any(const Module *m) {
    for (int i = 0; i < m->buffers.n + m->aliases.n; i++) {
        const Value *v = i < m->buffers.n ? m->buffers.at[i] : m->aliases.at[i - m->buffers.n];
        if (v->emit.mentions && in_arena(v)) return true;
    }
    return false;
}

void put_arena(Emit *e) {
    const Module *m = e->m;
    find_names(e);
    for (int i = 0; i < e->fields.n; i++) {
        const Value *v = e->fields.at[i];
        const char *cast = v->plan.home == HOME_INPUT ? "(void *)" : "";
        put(&e->c, "    void *const %s = %s%s;\n", v->emit.local, cast, field_of(e, v));
    }
    if (m->arena_bytes && names_any(m))
        put_text(
            &e->c,
            "    unsigned char *const a = net->arena; /* below: shape in the model, bytes in memory, first and last "
            "step with it */\n");
    for (int i = 0; i < m->buffers.n; i++) {
        Value *v = m->buffers.at[i];
        if (m->arena_bytes)
            put_pointer(e, v);
        else
            v->emit.cname = "NULL"; /* only empty tensors */
    }
    for (int i = 0; i < m->aliases.n; i++) put_pointer(e, m->aliases.at[i]);
}

/* ---- poison: for tests, the plan's claims made known to AddressSanitizer ---- */

static void put_region(Emit *e, const char *verb, const Value *v, int indent) {
    line_start(e, indent);
    put(&e->c, "__asan_%s_memory_region((char *)net->arena + %lld, %lld);\n", verb, (long long)v->plan.offset,
        (long long)value_bytes(v));
}

/* Bases in the arena: those with a buffer of their own, then aliases. */
static const Value *base_at(const Module *m, int i) {
    const Value *v = i < m->buffers.n ? m->buffers.at[i] : m->aliases.at[i - m->buffers.n];
    return v->plan.home == HOME_ARENA && value_bytes(v) ? v : NULL;
}

/* What the first of two functions keeps for the second. */
void unpoison_kept(Emit *e) {
    for (int i = 0; e->m->opt->poison && i < e->m->buffers.n + e->m->aliases.n; i++) {
        const Value *v = base_at(e->m, i);
        if (v && v->plan.first < e->m->second_step && v->plan.last >= e->m->second_step)
            put_region(e, "unpoison", v, 1);
    }
}

/* What begins at a step becomes readable before it. */
void unpoison(Emit *e, int step, int indent) {
    for (int i = 0; e->m->opt->poison && i < e->m->buffers.n + e->m->aliases.n; i++) {
        const Value *v = base_at(e->m, i);
        if (v && v->plan.first == step) put_region(e, "unpoison", v, indent);
    }
}

/* Whether something else in v's buffer ends at the step. */
static bool ends_beside(const Module *m, const Value *v, int step) {
    for (int i = 0; i < m->buffers.n + m->aliases.n; i++) {
        const Value *w = base_at(m, i);
        if (w && w->plan.buffer == v->plan.buffer && w->plan.last == step) return true;
    }
    return false;
}

/* What ends there is closed after it, but for the bytes that live on as another's. */
void poison(Emit *e, int step, int indent) {
    int n = e->m->opt->poison ? e->m->buffers.n + e->m->aliases.n : 0;
    for (int i = 0; i < n; i++) {
        const Value *v = base_at(e->m, i);
        if (v && v->plan.last == step) put_region(e, "poison", v, indent);
    }
    for (int i = 0; i < n; i++) {
        const Value *v = base_at(e->m, i);
        if (v && v->plan.first <= step && v->plan.last > step && ends_beside(e->m, v, step))
            put_region(e, "unpoison", v, indent);
    }
}
