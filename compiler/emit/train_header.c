/* train_header.c - the header of a network that trains: its manual, its blocks, its one struct. */
#include "emit/interface.h"
#include "train/train.h"

/* Ports of all functions, each field once. */
static List ports_of(Emit *e, Module **m, int n, bool out) {
    List ports = {0};
    Map *seen = map_new(e->arena);
    for (int k = 0; k < n; k++) {
        Value **v = out ? m[k]->main->out : m[k]->main->in;
        for (int i = 0; i < (out ? m[k]->main->nout : m[k]->main->nin); i++) {
            if (v[i]->train.block || map_get(seen, v[i]->emit.cname)) continue;
            map_set(seen, v[i]->emit.cname, e);
            push(e->arena, &ports, v[i]);
        }
    }
    return ports;
}

static int64_t most_arena(Module **m, int n) {
    int64_t most = 0;
    for (int k = 0; k < n; k++)
        if (m[k]->arena_bytes > most) most = m[k]->arena_bytes;
    return most;
}

/* "forward and mlp_backward": what shares an arena. */
static const char *functions_of(Emit *e, const Module *m) {
    const Entry *x = m->entry;
    return x->second ? format(e->arena, "%s and %s_%s", x->name, e->prefix, x->second) : x->name;
}

static void put_group(Emit *e, const ParamGroup *g) {
    if (!g->name) return;
    put(&e->h, ",\n * group %s: %d parameter%s, rate %g", comment_text(e->arena, g->name, 40), g->members,
        g->members == 1 ? "" : "s", g->rate);
    for (int i = 1; i < MAX_SETTINGS && g->setting[i].name; i++)
        if (!strcmp(g->setting[i].name, "weight_decay")) put(&e->h, ", weight_decay %g", g->setting[i].value);
}

static void manual(Emit *e, Module **m, int n) {
    const Training *t = m[0]->training;
    put(&e->h, GENERATED_BY " from %s, target %s. Do not edit.\n *\n * %s: a network that trains.\n", source_text(e),
        e->m->target->name, e->prefix);
    put(&e->h, " * %s, optimizer %s",
        t->losses.n ? comment_expression(e->arena, losses_text(e->arena, t), 400) : "No loss", t->optimizer->name);
    if (t->optimizer->flavor) put(&e->h, ", flavor %s", t->optimizer->flavor);
    for (int i = 0; i < MAX_SETTINGS && t->setting[i].name; i++)
        put(&e->h, ", %s %g", t->setting[i].name, t->setting[i].value);
    if (t->clip) put(&e->h, ", %s %g", t->clip, t->limit);
    if (t->ema != 0) put(&e->h, ", ema %g", t->ema);
    if (t->schedule) put(&e->h, ", schedule %s", t->schedule->text);
    for (int i = 0; i < t->groups.n; i++) put_group(e, t->groups.at[i]);
    put_text(&e->h, on_device(m[0]) ? ".\n *\n * Blocks of contiguous memory on the device; the caller's are copies:\n"
                                    : ".\n *\n * The caller provides all memory, as contiguous, aligned blocks:\n");
    for (int i = BLOCK_PARAMS; i <= BLOCK_STATE; i++)
        put(&e->h, " *   %-7s %12s bytes\n", block_fields[i], bytes_text(e->arena, e->block_bytes[i]));
    for (int k = 0; k < n; k++)
        put(&e->h, " *   arena   %12s bytes for %s_%s, lower bound %s\n", bytes_text(e->arena, m[k]->arena_bytes),
            e->prefix, functions_of(e, m[k]), bytes_text(e->arena, m[k]->bound_bytes));
    determinism_line(e);
    put_text(&e->h, " *\n * A training loop:\n *\n");
    put(&e->h, " *     %s_net net = {.params = params, .opt = opt, .state = state%s};\n", e->prefix,
        on_device(m[0]) ? "" : ", .arena = arena");
    put(&e->h, " *     %s_open(&net);\n", e->prefix);
    put(&e->h, " *     %s_init(&net, 1);\n", e->prefix);
    if (t->schedule)
        put(&e->h, " *     before each step: net.lr = %s_lr(step), from 0 on\n", e->prefix);
    else
        put(&e->h, " *     net.lr = %g;\n", t->setting[0].value);
    if (t->losses.n)
        put(&e->h, " *     for each batch: set the inputs, then %s_train_batch(&net)\n */\n", e->prefix);
    else
        put(&e->h,
            " *     for each batch: set the inputs, %s_forward(&net); set the outputs' gradients, %s_backward(&net), "
            "%s_apply(&net)\n */\n",
            e->prefix, e->prefix, e->prefix);
}

static int tensors_in(const Module *m) {
    int n = 0;
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        n += v->train.block && v->train.block != BLOCK_FIELD;
    }
    return n;
}

/* Who calls some of the functions only needs less. */
static void put_own_arena(Emit *e, const char *name, const char *doc, void *unused) {
    (void)doc, (void)unused;
    put_size_macro(e, format(e->arena, "%s_ARENA_BYTES", upper(e->arena, name)), e->m->arena_bytes);
}

static void block_macros(Emit *e, Module **m, int n) {
    static const char *const doc[BLOCKS] = {
#define BLOCK(name, field, text, ...) [BLOCK_##name] = text,
#include "base/blocks.def"
#undef BLOCK
    };
    for (int i = BLOCK_PARAMS; i <= BLOCK_STATE; i++)
        put_size_macro(e, format(e->arena, "%s_BYTES", upper(e->arena, block_fields[i])), e->block_bytes[i]);
    put_size_macro(e, "TENSORS", tensors_in(m[0]));
    put_size_macro(e, "ARENA_BYTES", most_arena(m, n));
    each_function(e, m, n, put_own_arena, NULL);
    put_size_macro(e, "ALIGN", BUFFER_ALIGN);
    for (int i = BLOCK_PARAMS; i <= BLOCK_STATE; i++)
        if (e->block_bytes[i]) storage_macro(e, upper(e->arena, block_fields[i]), doc[i]);
    thread_macros(e);
    put_macro(e, "LR", format(e->arena, "%.17g", m[0]->training->setting[0].value),
              "learning rate of the train line or --lr; a caller sets net.lr");
    if (!on_device(m[0])) storage_macro(e, "ARENA", "the arena");
    status_codes(e);
}

static void put_block_fields(Emit *e) {
    static const char *const what[BLOCKS] = {
#define BLOCK(name, field, purpose, text) [BLOCK_##name] = text,
#include "base/blocks.def"
#undef BLOCK
    };
    for (int i = BLOCK_PARAMS; i <= BLOCK_STATE; i++)
        put_member(e, format(e->arena, "void *%s", block_fields[i]),
                   format(e->arena, "%s, %s_%s_BYTES, aligned", what[i], e->macro, upper(e->arena, block_fields[i])));
}

static void context(Emit *e, const List *in, const List *out) {
    begin_context(e, "A function reads only the fields that it needs.");
    for (int i = 0; i < in->n; i++) field(e, in->at[i], "const ", "in ");
    for (int i = 0; i < out->n; i++) field(e, out->at[i], "", "out");
    dim_fields(e);
    put_member(e, "double lr", "learning rate of this step");
    if (e->m->opt->distributed)
        put_member(e, "int64_t first", "number of this process's first example among those that all have in this step");
    put_block_fields(e);
    thread_fields(e);
    if (!on_device(e->m))
        put_member(
            e, "void *arena",
            format(e->arena, "scratch memory, %s_ARENA_BYTES, aligned; kept only from forward to backward", e->macro));
    put_of_backend(e, e->m->target->backend->put_fields);
    put(&e->h, "} %s_net;\n", e->prefix);
}

static void record_tensors(Emit *e) {
    for (int i = 0; i < e->m->outside.n; i++) {
        const Value *v = e->m->outside.at[i];
        if (v->train.block && v->train.block != BLOCK_FIELD)
            record_abi(e, format(e->arena, "%s %s%s at %lld", block_fields[v->train.block], dtypes[v->type.dtype].name,
                                 shape_text(e->arena, &v->type), (long long)v->emit.block_offset));
    }
}

static void table(Emit *e) {
    record_tensors(e);
    put_text(&e->h,
             "\n/* The tensors in the blocks, for checkpoints; the last row has a NULL name. */\ntypedef struct {\n");
    put(&e->h, "    const char *name, *block, *type;\n    int rank;\n    int64_t dim[%d], offset, bytes;\n", MAX_RANK);
    put(&e->h, "} %s_tensor;\nextern const %s_tensor %s_tensors[];\n", e->prefix, e->prefix, e->prefix);
    put_link_name(e, "tensors");
}

/* ---- check ---- */

/* A check, and the functions that make it, as bits. */
typedef struct {
    const Check *check;
    unsigned functions;
} SharedCheck;

static void put_shared_checks(Emit *e, const List *list, unsigned all, bool pointers) {
    for (int i = 0; i < list->n; i++) {
        const SharedCheck *s = list->at[i];
        if (!strcmp(s->check->code, "NULL") != pointers) continue;
        put_check_line(e, s->check, s->functions == all ? "" : format(e->arena, "(function & 0x%x) && ", s->functions));
    }
}

/* The functions as bits, which check takes; and what they look at. */
typedef struct {
    List list;         /* SharedCheck* */
    Map *by_condition; /* the same */
    int functions;
} Checks;

static SharedCheck *shared_check(Emit *e, Checks *all, const Check *c) {
    SharedCheck *s = map_get(all->by_condition, c->condition);
    if (s) return s;
    s = NEW(e->arena, SharedCheck);
    s->check = c;
    push(e->arena, &all->list, s);
    map_set(all->by_condition, c->condition, s);
    return s;
}

static void add_function_of_check(Emit *e, const char *name, const char *doc, void *arg) {
    Checks *c = arg;
    unsigned bit = 1u << c->functions++;
    (void)doc;
    List checks = checks_of(e);
    for (int i = 0; i < checks.n; i++) shared_check(e, c, checks.at[i])->functions |= bit;
    const char *text = format(e->arena, "%s_FN_%s = 0x%x", e->macro, upper(e->arena, name), bit);
    record_abi(e, text);
    put(&e->h, "%s\n    %s", bit == 1 ? "" : ",", text);
}

static void check_function(Emit *e, Module **m, int n) {
    Checks c = {.by_condition = map_new(e->arena)};
    put_text(&e->h, "\n/* The functions, for check. */\nenum {");
    each_function(e, m, n, add_function_of_check, &c);
    unsigned all = (1u << c.functions) - 1;
    put_text(&e->h,
             "\n};\n\n/* The code that the function would return for these fields, and the name of the field at fault "
             "(0: none).\n * A program that does not call it does not contain it. */\n");
    put(&e->h, "static inline int %s_check(const %s_net *net, int function, const char **field) {\n", e->prefix,
        e->prefix);
    put(&e->h, "    if (!net) return *field = \"net\", %s_E_NULL;\n", e->macro);
    put_shared_checks(e, &c.list, all, true);
    put_shared_checks(e, &c.list, all, false);
    put(&e->h, "    (void)function;\n    return *field = 0, %s_OK;\n}\n", e->macro);
}

static void put_function_prototype(Emit *e, const char *name, const char *doc, void *unused) {
    (void)unused;
    put(&e->h, "\n/* %s */\n", doc);
    put_prototype(e, "int ", name, net_parameter(e, "const "));
}

static void prototypes(Emit *e, Module **m, int n) {
    put_text(&e->h, "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
    table(e);
    put_text(&e->h, "\n");
    put_of_backend(e, e->m->target->backend->put_open);
    put(&e->h,
        "\n/* The functions below return %s_OK, or one of %s_E_*. Threads may call them at the same time, each with "
        "its "
        "own blocks. */\n",
        e->macro, e->macro);
    put_of_backend(e, e->m->target->backend->put_transfers);
    put_text(
        &e->h,
        "\n/* Initialises parameters, optimizer state and statistics from the seed; clears the block of gradients, if "
        "it is given. */\n");
    put_prototype(e, "int ", "init", format(e->arena, "const %s_net *net, uint32_t seed", e->prefix));
    each_function(e, m, n, put_function_prototype, NULL);
    if (m[0]->training->schedule) {
        put_text(&e->h, "\n/* The learning rate of a step, the first is 0: a pure function. */\n");
        put_prototype(e, "double ", "lr", "int64_t step");
    }
    put_text(&e->h, "\n#ifdef __cplusplus\n}\n#endif\n");
    check_function(e, m, n);
}

void emit_training_header(Emit *e, Module **m, int n) {
    List in = ports_of(e, m, n, false), out = ports_of(e, m, n, true);
    e->m = m[0];
    manual(e, m, n);
    put(&e->h, "#ifndef %s_H\n#define %s_H\n\n#include <stdint.h>\n%s\n", e->macro, e->macro, include_of(e));
    length_macros(e, (Value **)in.at, in.n);
    length_macros(e, (Value **)out.at, out.n);
    bound_macros(e);
    block_macros(e, m, n);
    context(e, &in, &out);
    Str before = e->h;
    e->h = (Str){.arena = e->arena};
    prototypes(e, m, n);
    Str rest = e->h;
    e->h = before;
    put_abi(e, &rest);
    put_text(&e->h, "#endif\n");
}
