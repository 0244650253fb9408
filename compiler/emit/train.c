/* train.c - the C of a network that trains: the functions of several modules of one source in one file, over
 * shared kernels and blocks. */
#include "train/train.h"
#include "emit/interface.h"
#include "emit/isas.h"
#include "ir/build.h"
#include "ir/storage.h"
#include "render/render.h"

const char *const block_fields[BLOCKS] = {
#define BLOCK(name, field, ...) [BLOCK_##name] = #field,
#include "base/blocks.def"
#undef BLOCK
};

bool uses_block(const Emit *e, int block) {
    const Module *m = e->m;
    if (!m->entry) return block == BLOCK_STATE && has_state(m);
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        if ((int)v->train.block == block && in_use(v) && in_function(e, v)) return true;
    }
    return false;
}

/* Every function lists the same values in the same order: the places agree. */
static void lay_out_blocks(Module *m, int64_t bytes[BLOCKS]) {
    memset(bytes, 0, sizeof *bytes * BLOCKS);
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        if (!v->train.block || v->train.block == BLOCK_FIELD) continue;
        v->emit.block_offset = bytes[v->train.block];
        bytes[v->train.block] += align_up(type_bytes(&v->type), BUFFER_ALIGN);
    }
}

void put_block_pointers(Emit *e) {
    for (int i = 0; i < e->m->outside.n; i++) {
        Value *v = e->m->outside.at[i];
        if (!v->train.block || v->train.block == BLOCK_FIELD || !in_use(v) || !in_function(e, v)) continue;
        const char *c = dtypes[v->type.dtype].c, *block = block_fields[v->train.block];
        v->emit.cname = identifier(e->arena, e->taken, e->m->opt->plain_names ? NULL : v->name, "p");
        put(&e->c, "    void *const %s = (unsigned char *)net->%s + %lld; /* %s%s */\n", v->emit.cname, block,
            (long long)v->emit.block_offset, c, shape_text(e->arena, &v->type));
    }
}

/* ---- constants: one array for equal contents, whichever function needs them ---- */

static void name_constants(Emit *e, Map *by_bytes) {
    for (int i = 0; i < e->m->outside.n; i++) {
        Value *v = e->m->outside.at[i];
        if (!embedded(v)) continue;
        Str key = {.arena = e->arena};
        char sum[65];
        sha256_hex(v->data->data, (size_t)value_bytes(v), sum);
        put(&key, "%d:%s", (int)v->type.dtype, sum);
        const Value *known = map_get(by_bytes, key.s);
        if (known) { /* written already */
            v->plan.home = HOME_LITERAL, v->emit.cname = known->emit.cname,
            v->emit.block_offset = known->emit.block_offset;
            continue;
        }
        v->emit.cname = name_array(e, v);
        v->emit.block_offset = e->constant_bytes, e->constant_bytes += align_up(value_bytes(v), BUFFER_ALIGN);
        map_set(by_bytes, key.s, v);
    }
}

/* ---- names ---- */

/* Locals of a function keep clear of what the file defines, and of each other alone. */
static void fresh_scope(Emit *e, Module **m, int n) {
    e->taken = map_new(e->arena);
    take_own_names(e);
    for (int i = 0; i < e->functions.n; i++) {
        const Function *f = e->functions.at[i];
        map_set(e->taken, f->name, e);
    }
    for (int k = 0; k < n; k++)
        for (int i = 0; i < m[k]->outside.n; i++) {
            const Value *v = m[k]->outside.at[i];
            if (!v->train.block && v->emit.cname) map_set(e->taken, v->emit.cname, e);
        }
}

static void take_verbs(Emit *e) {
    for (const Entry *x = entries; x->name; x++)
        map_set(e->taken, format(e->arena, "%s_%s", lower_case(e->arena, e->prefix), x->name), e);
    map_set(e->taken, format(e->arena, "%s_init", lower_case(e->arena, e->prefix)), e);
    map_set(e->taken, format(e->arena, "%s_lr", lower_case(e->arena, e->prefix)), e);
}

/* What the functions have called so far. */
typedef struct {
    Map *fields;         /* every name that is taken */
    const Module *first; /* the first function with the network's outputs, whose names the others take over */
    Map *gradients;      /* fields by what they are the gradient of */
} Fields;

/* How many of its outputs are the network's: they come first. */
static int network_outputs(const Module *m) {
    const Entry *x = m->entry;
    return x->second ? m->training->outputs : x->loss || x->update || x->averages ? 0 : m->main->nout;
}

/* How many of its outputs are gradients of inputs: they come last. */
static int input_gradients(const Module *m) {
    int n = 0;
    for (int i = 0; i < m->training->inputs && m->entry->input_grads; i++) n += is_float(m->main->in[i]->type.dtype);
    return n;
}

/* An output keeps its field in every function, also one that is an input as well, or another output. */
static void name_outputs(Emit *e, Module *m, Fields *f) {
    Graph *g = m->main;
    int n = network_outputs(m), known = n && f->first ? n : 0;
    for (int i = 0; i < known; i++) g->out[i]->emit.cname = f->first->main->out[i]->emit.cname;
    name_ports(e, g->out + known, g->nout - input_gradients(m) - known, f->fields, "out");
    if (n) f->first = m;
}

/* After the field, since two of them may have one name in the model. */
static void name_gradient(Emit *e, Fields *f, Value *gradient, const Value *of) {
    const char *known = map_get(f->gradients, of->emit.cname);
    if (!known) {
        known = name_port(e, gradient, format(e->arena, "%s_grad", of->emit.cname), f->fields, "grad");
        map_set(f->gradients, of->emit.cname, (void *)(uintptr_t)known);
    }
    gradient->emit.cname = known;
}

static void name_gradients(Emit *e, Module *m, Fields *f) {
    const Training *t = m->training;
    Graph *g = m->main;
    int seed = t->inputs, wanted = g->nout - input_gradients(m);
    for (int i = 0; i < t->outputs && m->entry->second; i++)
        if (is_float(g->out[i]->type.dtype)) name_gradient(e, f, g->in[seed++], g->out[i]);
    for (int i = 0; i < t->inputs && m->entry->input_grads; i++)
        if (is_float(g->in[i]->type.dtype)) name_gradient(e, f, g->out[wanted++], g->in[i]);
}

static void name_fields(Emit *e, Module **m, int n) {
    Fields f = {own_fields(e), NULL, map_new(e->arena)};
    e->ports = map_new(e->arena);
    for (int i = 0; training_fields[i]; i++) map_set(f.fields, training_fields[i], e);
    if (e->m->opt->distributed) map_set(f.fields, first_field, e);
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < m[k]->bounds.n; i++) {
            DimBinding *b = m[k]->bounds.at[i];
            const DimBinding *first = m[0]->bounds.at[i];
            b->cname =
                k ? first->cname : identifier(e->arena, f.fields, m[k]->opt->plain_names ? NULL : b->name, "dim");
        }
        int seeds = m[k]->entry->second ? m[k]->main->nin - m[k]->training->inputs : 0;
        name_ports(e, m[k]->main->in, m[k]->main->nin - seeds, f.fields, "in");
        name_outputs(e, m[k], &f);
    }
    for (int k = 0; k < n; k++) name_gradients(e, m[k], &f);
}

/* ---- init ---- */

static void need(Emit *e, const char *helper) { push(e->arena, &e->needs, (void *)(uintptr_t)helper); }

/* What every element of a value is at first; NULL if they differ. Zeros of the other sign are another number. */
static const char *uniform_text(Emit *e, const Value *v) {
    const Tensor *t = v->data;
    size_t bytes = (size_t)dtypes[v->type.dtype].bytes;
    bool ones = v->init && !strcmp(v->init, "ones");
    if (!t || !t->count) return number_text(e->arena, v->type.dtype, (Scalar){.f = ones ? 1 : 0});
    for (int64_t i = 1; i < t->count; i++)
        if (memcmp((const char *)t->data + (size_t)i * bytes, t->data, bytes)) return NULL;
    return element_text(e->arena, v->type.dtype, t->data);
}

/* Where a parameter lies, as a pointer to its elements. */
static const char *place_in_block(Emit *e, const Value *v) {
    return format(e->arena, "(%s *)(void *)((unsigned char *)net->%s + %lld)", dtypes[v->type.dtype].c,
                  block_fields[v->train.block], (long long)v->emit.block_offset);
}

/* The end of the elements from `i` on that are the same. */
static int64_t run_end(const Tensor *t, int64_t i) {
    size_t bytes = (size_t)dtypes[t->dtype].bytes;
    const char *data = t->data, *first = data + (size_t)i * bytes;
    while (i < t->count && !memcmp(data + (size_t)i * bytes, first, bytes)) i++;
    return i;
}

enum { MAX_RUNS = 8 };

static const char *initial_comment(Emit *e, const Value *v) {
    return format(e->arena, " /* %s %s */", comment_text(e->arena, v->name, 40), shape_text(e->arena, &v->type));
}

/* for each run of the same elements: p[i] = …; false if there are many. */
static bool put_runs(Emit *e, const Value *v) {
    const Tensor *t = v->data;
    const char *zero = number_text(e->arena, v->type.dtype, (Scalar){.i = 0});
    int runs = 0;
    for (int64_t i = 0; i < t->count; i = run_end(t, i))
        if (runs++ == MAX_RUNS) return false;
    for (int64_t i = 0, end; i < t->count; i = end) {
        end = run_end(t, i);
        const char *text =
            element_text(e->arena, v->type.dtype, (const char *)t->data + i * dtypes[v->type.dtype].bytes);
        if (strcmp(text, zero))
            put(&e->c, "    for (int64_t i = %lld; i < %lld; i++) (%s)[i] = %s;%s\n", (long long)i, (long long)end,
                place_in_block(e, v), text, initial_comment(e, v));
    }
    return true;
}

/* A parameter whose contents the model brings along is copied from them. */
static void put_copied(Emit *e, const Value *v, Str *arrays) {
    const char *c = dtypes[v->type.dtype].c, *name = format(e->arena, "initial_%d", ++e->m->serial);
    put(arrays, "static const %s %s[%lld] = {\n", c, name, (long long)v->data->count);
    put_numbers(arrays, v->type.dtype, v->data->data, v->data->count);
    put_text(arrays, "};\n");
    put(&e->c, "    memcpy((unsigned char *)net->%s + %lld, %s, sizeof %s);%s\n", block_fields[v->train.block],
        (long long)v->emit.block_offset, name, name, initial_comment(e, v));
}

/* A call that draws all elements; false if they are not drawn. */
static bool put_drawn(Emit *e, const Value *v) {
    static const char *const at[] = {"nncc_uniform_at", "nncc_normal_at", "nncc_truncated_at"};
    const char *type = dtypes[v->type.dtype].name, *name;
    Draw d;
    if (!v->init || !e->m->entry || !draw_of(v, &d)) return false;
    bool whole = d.kind == DRAW_ORTHOGONAL;
    name = format(e->arena, whole ? "nncc_orthogonal_%s" : "nncc_draw_%s", type);
    if (!whole) need(e, at[d.kind]);
    need(e, name);
    put(&e->c, "    %s(%s, %lld, ", name, place_in_block(e, v), (long long)type_count(&v->type));
    if (whole)
        put(&e->c, "%lld, %lld", (long long)d.rows, (long long)d.cols);
    else
        put(&e->c, "%s, %s, %s", at[d.kind], number_text(e->arena, DT_f64, (Scalar){.f = d.shift}),
            number_text(e->arena, DT_f64, (Scalar){.f = d.scale}));
    put(&e->c, ", seed, 0x%08xu);%s\n", (unsigned)d.stream, initial_comment(e, v));
    return true;
}

/* The same number everywhere. */
static void put_uniform(Emit *e, const Value *v, const char *number) {
    const char *p = place_in_block(e, v), *comment = initial_comment(e, v);
    long long n = (long long)type_count(&v->type);
    if (n == 1)
        put(&e->c, "    *%s = %s;%s\n", p, number, comment);
    else
        put(&e->c, "    for (int64_t i = 0; i < %lld; i++) (%s)[i] = %s;%s\n", n, p, number, comment);
}

void put_initial(Emit *e, const Value *v, Str *arrays) {
    const char *same = uniform_text(e, v), *zero = number_text(e->arena, v->type.dtype, (Scalar){.i = 0});
    if (put_drawn(e, v)) return;
    if (same && strcmp(same, zero)) /* blocks are cleared first */
        put_uniform(e, v, same);
    else if (!same && !put_runs(e, v))
        put_copied(e, v, arrays);
}

/* The learning rate as a function of the step. */
static void put_rate(Emit *e) {
    const Training *t = e->m->training;
    const Rate *r = t->schedule;
    if (!r) return;
    put(&e->c, "double %s_lr(int64_t step) { /* %s */\n    const double lr = %.17g", e->prefix, r->text,
        t->setting[0].value);
    for (int i = 0; i < MAX_OPTIONS && r->row->option[i].name; i++)
        if (strcmp(r->row->option[i].name, "warmup") || warmup_of(r) > 0)
            put(&e->c, ", %s = %.17g", r->row->option[i].name, r->option[i].value);
    put_text(&e->c, ";\n");
    if (warmup_of(r) > 0) put_text(&e->c, "    if ((double)step < warmup) return lr * ((double)step + 1) / warmup;\n");
    if (strcmp(r->row->c, "lr"))
        put(&e->c, "    const double t = (double)step%s;\n", warmup_of(r) > 0 ? " - warmup" : "");
    else
        put_text(&e->c, "    (void)step;\n");
    put(&e->c, "    return %s;\n}\n\n", r->row->c);
}

void put_init(Emit *e, Str *arrays) {
    Str before = e->c;
    e->c = (Str){.arena = e->arena};
    put(&e->c, "int %s_init(const %s_net *net, uint32_t seed) {\n    if (!net", e->prefix, e->prefix);
    for (int i = BLOCK_PARAMS; i <= BLOCK_STATE; i++)
        if (e->block_bytes[i] && i != BLOCK_GRADS) put(&e->c, " || !net->%s", block_fields[i]);
    put(&e->c, ") return %s_E_NULL;\n    (void)seed;\n", e->macro);
    for (int i = BLOCK_PARAMS; i <= BLOCK_STATE; i++)
        if (e->block_bytes[i])
            put(&e->c, "    %smemset(net->%s, 0, %lld);\n", i == BLOCK_GRADS ? "if (net->grads) " : "", block_fields[i],
                (long long)e->block_bytes[i]);
    for (int i = 0; i < e->m->outside.n; i++) {
        const Value *v = e->m->outside.at[i];
        if (v == e->m->training->rng)
            put(&e->c, "    *(int64_t *)(void *)((unsigned char *)net->state + %lld) = (int64_t)seed;\n",
                (long long)v->emit.block_offset);
        else if (v->train.block && v->train.block != BLOCK_FIELD)
            put_initial(e, v, arrays);
    }
    if (on_device(e->m))
        put(&e->c, "    return %s_upload(net);\n}\n\n", e->prefix);
    else
        put(&e->c, "    return %s_OK;\n}\n\n", e->macro);
    put_rate(e);
    Str init = e->c;
    e->c = before;
    put_text(arrays, init.s);
}

/* ---- the table of tensors ---- */

/* Bytes outside letters, digits and a few marks as octal: no text of a model can leave the literal. */
static void put_string(Str *s, const char *text) {
    put_text(s, "\"");
    for (const char *p = text; *p; p++) {
        bool plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("_./:-", *p);
        put(s, plain ? "%c" : "\\%03o", plain ? *p : (unsigned char)*p);
    }
    put_text(s, "\"");
}

void put_tensors(Emit *e) {
    put(&e->c, "const %s_tensor %s_tensors[] = {\n", e->prefix, e->prefix);
    for (int i = 0; i < e->m->outside.n; i++) {
        const Value *v = e->m->outside.at[i];
        if (!v->train.block || v->train.block == BLOCK_FIELD) continue;
        put_text(&e->c, "    {");
        put_string(&e->c, v->name);
        put(&e->c, ", \"%s\", \"%s\", %d, {", block_fields[v->train.block], dtypes[v->type.dtype].name, v->type.rank);
        for (int d = 0; d < v->type.rank; d++) put(&e->c, "%s%lld", d ? ", " : "", (long long)v->type.dim[d].max);
        if (!v->type.rank) put_text(&e->c, "0");
        put(&e->c, "}, %lld, %lld},\n", (long long)v->emit.block_offset, (long long)type_bytes(&v->type));
    }
    put_text(&e->c, "    {0, 0, 0, 0, {0}, 0, 0},\n};\n\n");
}

/* ---- the file ---- */

static void take_names_of_steps(Emit *e, const char *name, const char *doc, void *arg) {
    (void)doc, (void)arg;
    take_steps(e, name);
    e->meets = e->meets || e->m->meets;
}

Emit begin_training(Module **m, int n, AddKernel add) {
    Emit e = new_emit(m[0]);
    Map *by_text = map_new(e.arena), *by_bytes = map_new(e.arena);
    take_verbs(&e);
    each_function(&e, m, n, take_names_of_steps, NULL);
    name_fields(&e, m, n);
    for (int k = 0; k < n; k++) e.m = m[k], name_constants(&e, by_bytes); /* kernels keep clear of their names */
    for (int k = 0; k < n; k++) {
        e.m = m[k];
        lay_out_blocks(m[k], e.block_bytes);
        for (int i = 0; i < m[k]->kernel_list.n; i++) {
            schedule_planned(m[k]->kernel_list.at[i]);
            add(&e, m[k]->kernel_list.at[i], by_text);
        }
    }
    e.m = m[0];
    return e;
}

void each_function(Emit *e, Module **m, int n, void (*f)(Emit *, const char *name, const char *doc, void *),
                   void *arg) {
    for (int k = 0; k < n; k++) {
        const Entry *x = m[k]->entry;
        e->m = m[k];
        f(e, x->name, x->doc, arg);
        e->second = true;
        if (x->second) f(e, x->second, x->second_doc, arg);
        e->second = false;
    }
    e->m = m[0];
}

typedef struct {
    Module **m;
    int n;
    void (*put)(Emit *, const char *verb);
} Program;

static void put_function_of_training(Emit *e, const char *name, const char *doc, void *arg) {
    const Program *p = arg;
    (void)doc;
    put_text(&e->c, "\n");
    fresh_scope(e, p->m, p->n);
    p->put(e, name);
}

void emit_training_c(Module **m, int n, Output *out) {
    Emit e = begin_training(m, n, add_function);
    Str init = {.arena = e.arena};
    put_init(&e, &init);
    put_top(&e);
    for (int k = 0; k < n; k++) e.m = m[k], emit_weight_arrays(&e);
    e.m = m[0];
    begin_public(&e);
    put_tensors(&e);
    put_open(&e);
    put_text(&e.c, init.s);
    each_function(&e, m, n, put_function_of_training, &(Program){m, n, put_public});
    if (begin_set(&e)) each_function(&e, m, n, put_function_of_training, &(Program){m, n, put_run});
    end_file(&e);
    emit_training_header(&e, m, n);
    *out = (Output){.c = e.c, .h = e.h, .weights.arena = e.arena, .object.arena = e.arena};
}
