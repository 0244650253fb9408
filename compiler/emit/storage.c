/* storage.c - where the run function finds its tensors: pointers into the arena, and what tests learn of their
 * lives.
 */
#include "ir/storage.h"
#include "emit/emit.h"
#include "ir/build.h"

bool needs_arena(const Module *m) { return m->arena_bytes > 0 && !on_device(m); }

const Node *first_node(const Emit *e) { return e->second ? e->m->second : e->m->main->first; }

const Node *end_node(const Emit *e) { return e->m->entry && e->m->entry->second && !e->second ? e->m->second : NULL; }

bool in_function(const Emit *e, const Value *v) {
    const Module *m = e->m;
    if (!m->entry || !m->entry->second) return true;
    return e->second ? v->plan.last >= m->second_step : v->plan.first < m->second_step;
}

void line_start(Emit *e, int indent) { put(&e->c, "%*s", 4 * indent, ""); }

const char *pointer_to(Emit *e, const Value *v) {
    const Value *base = v->plan.base;
    if (base->plan.buffer != base) return base->emit.cname;
    if (base->train.block == BLOCK_FIELD)
        return format(e->arena, "&net->%s", e->m->main->in[base->plan.slot]->emit.cname);
    if (base->plan.home == HOME_INPUT) return format(e->arena, "net->%s", e->m->main->in[base->plan.slot]->emit.cname);
    if (base->plan.home == HOME_OUTPUT)
        return format(e->arena, "net->%s", e->m->main->out[base->plan.slot]->emit.cname);
    return base->emit.cname;
}

/* An arena of one element type is addressed in elements, a mixed one in bytes. */
static void find_arena_type(Emit *e) {
    const Module *m = e->m;
    e->arena_type = NULL;
    for (int i = 0; i < m->buffers.n; i++) {
        const Value *v = m->buffers.at[i];
        const char *c = dtypes[v->type.dtype].c;
        if (i && (!e->arena_type || strcmp(e->arena_type, c))) {
            e->arena_type = NULL;
            return;
        }
        e->arena_type = c;
    }
}

/* ---- names of buffers: a base that is not mentioned gets no pointer ---- */

static void count_names(const Graph *g, const Node *from, const Node *end) {
    for (const Node *n = from; n != end; n = n->next) {
        const Kernel *k = n->code;
        for (int i = 0; k && k->body && i < k->narg; i++) k->arg[i]->plan.base->emit.mentions += !written_over(k, i);
        if (!IS(n, If)) continue;
        n->in[0]->plan.base->emit.mentions++;
        for (int i = 0; i < n->nout; i++)
            if (n->out[i]) n->out[i]->plan.base->emit.mentions++;
        for (int i = 0; i < ROW_ATTRS && n->op->attr[i].name; i++)
            if (n->attr[i].graph) count_names(n->attr[i].graph, n->attr[i].graph->first, NULL);
    }
    for (int i = 0; g->owner && i < g->nout; i++) g->out[i]->plan.base->emit.mentions++;
}

static void find_names(const Emit *e) {
    const Module *m = e->m;
    for (int i = 0; i < m->buffers.n; i++) ((Value *)m->buffers.at[i])->emit.mentions = 0;
    for (int i = 0; i < m->aliases.n; i++) ((Value *)m->aliases.at[i])->emit.mentions = 0;
    count_names(m->main, first_node(e), end_node(e));
    for (int i = 0; i < m->aliases.n; i++) {
        const Value *v = m->aliases.at[i];
        v->plan.buffer->emit.mentions += v->emit.mentions > 0;
    }
}

/* The line that gives a base its name. */
static void put_pointer(Emit *e, Value *v, const char *qualifier, const char *at) {
    if (!v->emit.mentions) return;
    v->emit.cname = identifier(e->arena, e->taken, e->m->opt->plain_names ? NULL : v->name, "t");
    put(&e->c, "    %s%s *const %s = %s; /* %s %s B, steps %d-%d */\n", qualifier, dtypes[v->type.dtype].c,
        v->emit.cname, at, shape_text(e->arena, &v->type), bytes_text(e->arena, value_bytes(v)), v->plan.first,
        v->plan.last);
}

static void put_buffer(Emit *e, Value *v) {
    const char *at;
    if (e->arena_type)
        at = v->plan.offset ? format(e->arena, "a + %lld", (long long)(v->plan.offset / dtypes[v->type.dtype].bytes))
                            : "a";
    else
        at = format(e->arena, "(%s *)(void *)(a + %lld)", dtypes[v->type.dtype].c, (long long)v->plan.offset);
    put_pointer(e, v, "", at);
}

static void put_tenant(Emit *e, Value *v) {
    const char *at = pointer_to(e, v->plan.buffer);
    int64_t elements = v->plan.shift / dtypes[v->type.dtype].bytes;
    if (elements) at = format(e->arena, "%s + %lld", at, (long long)elements);
    put_pointer(e, v, v->plan.home == HOME_INPUT ? "const " : "", at);
}

/* Of two functions with one arena, one may have nothing there. */
static bool names_any(const Module *m) {
    for (int i = 0; i < m->buffers.n; i++)
        if (((const Value *)m->buffers.at[i])->emit.mentions) return true;
    return false;
}

void put_arena(Emit *e) {
    const Module *m = e->m;
    find_arena_type(e);
    find_names(e);
    if (m->arena_bytes && names_any(m))
        put(&e->c, "    %s *const a = net->arena;\n", e->arena_type ? e->arena_type : "unsigned char");
    for (int i = 0; i < m->buffers.n; i++) {
        Value *v = m->buffers.at[i];
        if (m->arena_bytes)
            put_buffer(e, v);
        else
            v->emit.cname = "NULL"; /* only empty tensors */
    }
    for (int i = 0; i < m->aliases.n; i++) put_tenant(e, m->aliases.at[i]);
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
