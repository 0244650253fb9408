/* emit.c - the C of a network: one static function per distinct kernel, and a run function that is a list of calls. */
#include "control/trips.h"
#include "emit/interface.h"
#include "emit/isas.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/storage.h"
#include "ir/symbols.h"
#include "lower/lower.h"
#include "ops/infer.h"
#include "render/arrays.h"
#include "render/renderer.h"
#include "schedule/schedule.h"
#include "schedule/tile.h"
#include "strings/strings.h"
#include "train/train.h"
#include <ctype.h>

/* ---- functions ---- */

const char *lower_case(Arena *a, const char *s) {
    char *t = arena_str(a, s);
    for (char *c = t; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
    return t;
}

/* "Softmax 'prob'" of an origin begins with the operator: a group is named after what it came from. */
const char *function_stem(Emit *e, const Kernel *k) {
    const Node *n = main_node(k) ? main_node(k) : k->node[0];
    bool of_model = n->origin && strcmp(n->origin, "output") && !IS(n, Copy) && !e->m->opt->plain_names;
    const char *from = of_model ? n->origin : n->op->name;
    char *s = arena_str(e->arena, from);
    s[strcspn(s, " ,")] = 0;
    return lower_case(e->arena, s);
}

/* A constant is declared as the array that its first kernel sees. */
static void note_declared(Emit *e, const Kernel *k) {
    for (int i = 0; i < k->nread; i++) {
        const Value *base = k->arg[i]->plan.base;
        if (base->plan.home == HOME_WEIGHTS && base->emit.cname && !map_get(e->declared, base->emit.cname))
            map_set(e->declared, base->emit.cname, &k->arrays->arg[i]);
    }
}

static bool is_update(const Kernel *k) {
    for (int i = 0; i < k->nnode; i++)
        if (k->node[i]->op->effect) return true;
    return false;
}

/* Whether an axis stands nowhere but as the place of an element; what else is read is a scalar. */
static bool only_places(const Expr *e, const Axis *a) {
    if (!e) return true;
    if (e->kind == E_AXIS) return false;
    if (e->kind == E_LOAD) e = e->arg[0];
    if (e->kind == E_AXIS || (e->kind == E_INT && e->i == 0)) return true;
    for (int i = 0; i < e->n; i++)
        if (!only_places(e->arg[i], a)) return false;
    return true;
}

/* The turns of an optimizer's update that is one loop over all elements: then parameters of every size share a
 * function.
 */
static int64_t update_count(const Kernel *k) {
    const Stmt *loop = k->body;
    if (!loop || !plain_parallel(loop) || loop->next || loop->axis->size->kind != E_INT || !is_update(k)) return 0;
    for (const Stmt *s = loop->body; s; s = s->next) {
        bool places = s->kind == S_STORE && s->index->kind == E_AXIS;
        if ((s->kind != S_LET && !places) || !only_places(s->expr, loop->axis)) return 0;
    }
    return loop->axis->extent;
}

/* Texts are compared under one placeholder name, so that kernels which differ in nothing else share a function. */
void add_function(Emit *e, Kernel *k, Map *by_text) {
    Str text = {.arena = e->arena};
    List needs = {0};
    k->count = update_count(k);
    render_kernel(k, &dialect_c, "\1", e->taken, &text, &needs);
    note_declared(e, k);
    Function *f = map_get(by_text, text.s);
    if (!f) {
        f = NEW(e->arena, Function);
        f->k = k, f->text = text.s;
        f->name = identifier(e->arena, e->taken, format(e->arena, "%.21s_%d", function_stem(e, k), k->step), "kernel");
        map_set(by_text, text.s, f);
        push(e->arena, &e->functions, f);
        for (int i = 0; i < needs.n; i++) push(e->arena, &e->needs, needs.at[i]);
    }
    push(e->arena, &f->uses, k);
    k->name = f->name;
}

/* "Conv 'a', Relu 'b'" without its quotes. */
static const char *origin_text(Arena *a, const char *origin) {
    Str s = {.arena = a};
    while (*origin) {
        size_t op = strcspn(origin, " ',"), quote = strcspn(origin + op, "',");
        const char *name = origin + op + quote + (origin[op + quote] == '\'');
        size_t end = name > origin + op + quote ? strcspn(name, "'") : 0;
        put(&s, "%s%s", s.n ? ", " : "", comment_text(a, format(a, "%.*s", (int)op, origin), 40));
        if (end) put(&s, " %s", comment_text(a, format(a, "%.*s", (int)end, name), 40));
        origin = name + end + strspn(name + end, "', ");
    }
    return s.n ? s.s : "";
}

void put_node_origin(Emit *e, Str *s, const Node *n) {
    const char *name = n->name ? n->name : n->op->effect ? n->in[0]->name : n->nout && n->out[0] ? n->out[0]->name : "";
    if (e->m->opt->plain_names)
        put(s, "%s %d", n->op->name, n->loc.node);
    else if (n->origin)
        put_text(s, origin_text(e->arena, n->origin));
    else
        put(s, "%s %s", n->op->name, comment_text(e->arena, name, 40));
}

/* The model's nodes that a function stands for, each once, the first few. */
static void put_origins(Emit *e, Str *out, const Function *f) {
    enum { SHOWN = 4 };
    Map *seen = map_new(e->arena);
    int count = 0;
    for (int i = 0; i < f->uses.n; i++) {
        const Kernel *k = f->uses.at[i];
        for (int j = 0; j < k->nnode; j++) {
            Str one = {.arena = e->arena};
            if (IS(k->node[j], Copy) && k->node[j]->origin) put_text(&one, "Copy for ");
            put_node_origin(e, &one, k->node[j]);
            if (map_get(seen, one.s)) continue;
            map_set(seen, one.s, e);
            if (count++ < SHOWN) put(out, "%s%s", count > 1 ? ", " : "", one.s);
        }
    }
    if (count > SHOWN) put(out, " and %d more", count - SHOWN);
}

static bool is_scratch(const Value *v) { return !v->graph && !v->data; }

static void put_shapes(Emit *e, Str *out, const Kernel *k) {
    const char *scratch = "; scratch";
    for (int i = 0; i < k->narg; i++) {
        const Value *v = k->arg[i];
        if (is_scratch(v)) {
            put(out, "%s %s", scratch, k->arg_name[i]), scratch = ",";
            continue;
        }
        put(out, "%s%s %s", i == k->nread ? " -> " : i ? ", " : "", k->arg_name[i], shape_text(e->arena, &v->type));
    }
}

void put_function(Emit *e, const Function *f) {
    put_text(&e->c, "/* ");
    put_origins(e, &e->c, f);
    put_text(&e->c, "\n * ");
    put_shapes(e, &e->c, f->k);
    put_memory_text(&e->c, f->k);
    put_text(&e->c, " */\n");
    if (has_short_rows(e, f->k)) put_text(&e->c, "NNCC_SHORT_ROWS ");
    const char *at = strchr(f->text, '\1');
    put_bytes(&e->c, f->text, (size_t)(at - f->text));
    put_text(&e->c, isa_name(e->arena, e->m, f->name));
    put_text(&e->c, at + 1);
    put_text(&e->c, "\n");
}

static void put_kernels(Emit *e) {
    size_t before = e->c.n;
    put_tiles(&e->c, e->m, &e->needs);
    if (e->c.n > before) put_text(&e->c, "\n");
    for (int i = 0; i < e->functions.n; i++) put_function(e, e->functions.at[i]);
}

/* ---- names ---- */

static const char *renamed(const Options *o, const char *name) {
    for (int i = 0; i < o->renames.n; i++) {
        Rename *r = o->renames.at[i];
        if (!strcmp(r->from, name)) {
            r->used = true;
            return r->to;
        }
    }
    return name;
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/* --rename is obeyed, or refused: another name in its place, for it or for what has it already, would be a surprise. */
static void check_rename(const Emit *e, const char *port, const char *name, const char *cname) {
    Module *m = e->m;
    if (name != port && strcmp(name, cname))
        fatal(m, EXIT_INPUT, "--rename %s=%s: %s", escaped(e->arena, port, 60), escaped(e->arena, name, 60),
              strspn(name, letters) < strlen(name) || isdigit((unsigned char)*name) ? "that is no name in C"
                                                                                    : "the C has that name already");
    for (int i = 0; i < m->opt->renames.n && name == port; i++) {
        const Rename *r = m->opt->renames.at[i];
        if (!strcmp(r->to, name) && strcmp(r->from, name))
            fatal(m, EXIT_INPUT, "--rename %s=%s: the model has an input or output of that name",
                  escaped(e->arena, r->from, 60), escaped(e->arena, name, 60));
    }
}

const char *name_port(Emit *e, const Value *v, const char *usual, Map *fields, const char *fallback) {
    const char *port = port_name(v), *name = renamed(e->m->opt, port);
    if (name == port) name = e->m->opt->plain_names && usual == port ? NULL : usual;
    const char *cname = identifier(e->arena, fields, name, fallback);
    check_rename(e, port, name && name != usual ? name : port, cname);
    return cname;
}

/* What a field is called that --rename does not name: an extent after the field it is of. */
static const char *usual_name(const Emit *e, const Value *v) {
    const Module *m = e->m;
    int of = m->entry || !is_output(v) ? -1 : output_of_extent(m, v->output - 1),
        starts = m->entry || !is_output(v) ? -1 : output_of_offsets(m, v->output - 1);
    if (starts >= 0) return format(e->arena, "%s_offset", m->main->out[starts]->emit.cname);
    return of < 0 ? port_name(v) : format(e->arena, "%s_extent", m->main->out[of]->emit.cname);
}

void name_ports(Emit *e, Value *const *v, int n, Map *fields, const char *fallback) {
    for (int i = 0; i < n; i++) {
        const char *port = port_name(v[i]), *key = v[i]->port ? v[i]->name : port;
        const char *known = e->ports ? map_get(e->ports, key) : NULL; /* by another function of the program */
        if (v[i]->train.block == BLOCK_FIELD) known = v[i]->name;
        v[i]->emit.cname = known ? known : name_port(e, v[i], usual_name(e, v[i]), fields, fallback);
        if (e->ports && v[i]->train.block != BLOCK_FIELD) map_set(e->ports, key, (void *)(uintptr_t)v[i]->emit.cname);
    }
}

/* --rename of a name that is none. */
static _Noreturn void no_port(Module *m, const char *name) {
    int n = m->main->nin + m->main->nout;
    const char **names = NEW_ARRAY(m->arena, const char *, n);
    for (int i = 0; i < n; i++)
        names[i] = i < m->main->nin ? m->main->in[i]->name : m->main->out[i - m->main->nin]->name;
    fatal(m, EXIT_INPUT, "--rename: there is no input or output '%s'%s", escaped(m->arena, name, 60),
          suggest(m->arena, name, n, names));
}

Map *own_fields(Emit *e) {
    Map *fields = map_new(e->arena);
    if (e->m->opt->threads) map_set(fields, "threads", e), map_set(fields, "pool", e);
    return fields;
}

/* A width may be called w: what that is reserved for is no field. */
static const char *name_dim(Emit *e, const DimBinding *b, Map *fields) {
    bool width = !e->m->opt->plain_names && !strcmp(b->name, "w") && !map_get(fields, b->name);
    if (!width) return identifier(e->arena, fields, e->m->opt->plain_names ? NULL : b->name, "dim");
    map_set(fields, b->name, e);
    return b->name;
}

void name_interface(Emit *e) {
    Map *fields = own_fields(e);
    Module *m = e->m;
    map_set(fields, "main", e); /* the header's example has variables called as its fields */
    for (int i = 0; i < m->bounds.n; i++) {
        DimBinding *b = m->bounds.at[i];
        b->cname = name_dim(e, b, b->computed ? e->taken : fields);
    }
    name_ports(e, m->main->in, m->main->nin, fields, "in");
    name_ports(e, m->main->out, m->main->nout, fields, "out");
    for (int i = 0; i < m->opt->renames.n; i++) {
        const Rename *r = m->opt->renames.at[i];
        if (!r->used) no_port(m, r->from);
    }
}

/* ---- the run function ---- */

/* Whether a pointer to one array is what a parameter for the other takes. */
static bool same_rows(const Array *a, const Array *b) {
    int64_t m[MAX_SUBSCRIPTS], n[MAX_SUBSCRIPTS];
    int rank = extents_of(a, m), other = extents_of(b, n);
    if (!rank) rank = 1;
    return rank == (other ? other : 1) && !memcmp(m + 1, n + 1, sizeof *m * (size_t)(rank - 1));
}

/* Fields and constants have types of their own, the rest are void pointers. */
static bool has_type_of(Emit *e, const Kernel *k, int i) {
    const Value *v = k->arg[i], *base = v->plan.base;
    if (base->packed && base->packed->dtype == DT_str) return base->emit.local; /* char, not bytes */
    const Array *declared = base->plan.buffer == base && !e->weights_apart && base->emit.cname
                                ? map_get(e->declared, base->emit.cname)
                                : NULL;
    if (declared) return v->type.dtype == base->type.dtype && same_rows(declared, &k->arrays->arg[i]);
    return v->type.dtype == base->type.dtype || base->emit.local || !field_of(e, base);
}

static void put_argument(Emit *e, const Kernel *k, int i) {
    if (!has_type_of(e, k, i)) put_text(&e->c, "(void *)");
    put_text(&e->c, pointer_to(e, k->arg[i]));
}

/* A field of the caller's, or what the function has computed. */
void put_extent(Str *out, const Symbol *name, const void *module) {
    const Module *m = module;
    const DimBinding *b = binding_of(m, name);
    int i = 0;
    while (m->bounds.at[i] != b) i++;
    if (b->computed && on_device(m))
        put(out, "dims[%d]", i);
    else
        put(out, "%s%s", b->computed ? "" : "net->", b->cname);
}

static void put_call(Emit *e, const Kernel *k, int indent) {
    List symbols = {0};
    line_start(e, indent);
    put(&e->c, "%s(", isa_name(e->arena, e->m, k->name));
    const char *comma = "";
    for (int i = 0; i < k->narg; i++) {
        if (written_over(k, i)) continue;
        put_text(&e->c, comma), comma = ", ";
        put_argument(e, k, i);
    }
    kernel_symbols(k, e->arena, &symbols);
    for (int i = 0; i < symbols.n; i++) {
        put_text(&e->c, i || k->narg ? ", " : "");
        put_extent(&e->c, symbols.at[i], e->m);
    }
    if (k->count) put(&e->c, ", %lld", (long long)k->count);
    if (k->divided) put(&e->c, "%s, t, nt", k->waits ? ", meet" : "");
    put_text(&e->c, ");\n");
}

static const char *condition(Emit *e, const Value *v) {
    const char *field = field_of(e, v->plan.base);
    if (v->data && v->data->count == 1 && !in_use(v)) return get_i(v->data, 0) ? "1" : "0";
    return field ? format(e->arena, "%s[0]", field)
                 : format(e->arena, "*(const %s *)%s", dtypes[v->type.dtype].c, pointer_to(e, v));
}

/* What a tensor takes at the extents of the call: where it is packed, it ends there. */
const char *bytes_in_call(Emit *e, const Value *v) {
    Str s = {.arena = e->arena};
    int64_t bytes = dtypes[v->type.dtype].bytes;
    bool open = false;
    for (int i = 0; i < v->type.rank; i++) {
        open = open || v->type.dim[i].symbol;
        if (!v->type.dim[i].symbol) bytes *= v->type.dim[i].max;
    }
    if (!open || !is_dense(v)) return format(e->arena, "%lld", (long long)value_bytes(v));
    for (int i = 0; i < v->type.rank; i++) {
        if (!v->type.dim[i].symbol) continue;
        put_text(&s, s.n ? " * (size_t)" : "(size_t)");
        put_symbol(&s, v->type.dim[i].symbol, true, (SymbolStyle){put_extent, e->m, false});
    }
    put(&s, " * %lld", (long long)bytes);
    return s.s;
}

static void begin_life(Emit *e, const Value *v, int indent) {
    if (!e->m->opt->poison || v->plan.buffer->plan.home != HOME_ARENA) return;
    line_start(e, indent);
    put(&e->c, "__asan_unpoison_memory_region(%s, %lld);\n", pointer_to(e, v), (long long)value_bytes(v));
}

bool is_stored(const Value *v) { return v && in_use(v->plan.base) && value_bytes(v); }

/* A value of control flow takes over another's contents. */
static void put_copy(Emit *e, const Value *to, const Value *from, int indent) {
    if (!is_stored(to) || to->plan.base == from->plan.base) return;
    line_start(e, indent);
    put(&e->c, "memcpy(%s, ", pointer_to(e, to));
    put(&e->c, "%s, %s);\n", pointer_to(e, from), bytes_in_call(e, to));
}

static void put_branch(Emit *e, const Node *n, const Graph *g, int indent) {
    put_calls(e, g, indent);
    for (int i = 0; i < n->nout; i++) {
        if (is_stored(n->out[i])) begin_life(e, n->out[i], indent);
        put_copy(e, n->out[i], g->out[i], indent);
    }
}

static void put_if(Emit *e, const Node *n, int indent) {
    line_start(e, indent);
    put(&e->c, "if (%s) {\n", condition(e, n->in[0]));
    put_branch(e, n, attr(n, "then_branch")->graph, indent + 1);
    line_start(e, indent);
    put_text(&e->c, "} else {\n");
    put_branch(e, n, attr(n, "else_branch")->graph, indent + 1);
    line_start(e, indent);
    put_text(&e->c, "}\n");
}

const char *iterations(Emit *e, const Value *v) {
    Dim d;
    int count;
    if (is_known(v)) return format(e->arena, "%lld", (long long)get_i(v->data, 0));
    if (!known_dims(v, 1, &count, &d) || count != 1 || !d.symbol) return NULL;
    Str s = {.arena = e->arena};
    put_symbol(&s, d.symbol, true, (SymbolStyle){put_extent, e->m, false});
    return s.s;
}

/* Row `i` of a scan output, packed at the extents of the call. */
static void put_row(Emit *e, const Value *scan, const Value *row, const char *i, int indent) {
    if (!is_stored(scan)) return;
    const char *bytes = bytes_in_call(e, row), *as = *bytes == '(' ? "(size_t)" : "";
    line_start(e, indent);
    put(&e->c, "memcpy((unsigned char *)%s + %s%s * %s, ", pointer_to(e, scan), as, i, bytes);
    put(&e->c, "%s, %s);\n", pointer_to(e, row), bytes);
}

/* The names in a loop's C; `most`: the number of iterations, or a variable that has it, if it is read; NULL: there is
 * none. `more`: whether it goes on, NULL if nothing asks. */
typedef struct {
    const char *i, *most, *more;
    bool read;
} LoopNames;

static LoopNames loop_names(Emit *e, const Node *n) {
    const Value *m = input(n, LOOP_M);
    bool asked = input(n, LOOP_COND) || !is_known(loop_body(n)->out[BODY_COND]);
    LoopNames x = {.i = identifier(e->arena, e->taken, e->m->opt->plain_names ? NULL : "i", "i")};
    x.more = asked ? identifier(e->arena, e->taken, "more", "more") : NULL;
    x.most = m ? iterations(e, m) : NULL, x.read = m && !x.most;
    if (x.read) x.most = identifier(e->arena, e->taken, "most", "most");
    return x;
}

/* A number of iterations that lies in memory is read once: what it lies in may be written by the body. */
static void put_loop_head(Emit *e, const Node *n, const LoopNames *x, int indent) {
    const Value *m = input(n, LOOP_M);
    Str test = {.arena = e->arena};
    if (x->more) put_text(&test, x->more);
    if (x->most) put(&test, "%s%s < %s", x->more ? " && " : "", x->i, x->most);
    line_start(e, indent);
    put(&e->c, "/* Loop %s */\n", comment_text(e->arena, n->name ? n->name : port_name(n->out[0]), 60));
    line_start(e, indent);
    put(&e->c, "for (int64_t %s = 0", x->i);
    if (x->read) put(&e->c, ", %s = *(const %s *)%s", x->most, dtypes[m->type.dtype].c, pointer_to(e, m));
    if (x->more) put(&e->c, ", %s = %s", x->more, input(n, LOOP_COND) ? condition(e, n->in[LOOP_COND]) : "1");
    put(&e->c, "; %s; %s++) {\n", test.n ? test.s : "1", x->i);
}

/* Data may end a loop before all rows are written. */
static void clear(Emit *e, const Value *scan, int indent) {
    if (!is_stored(scan)) return;
    line_start(e, indent);
    put(&e->c, "memset(%s, 0, %s);\n", pointer_to(e, scan), bytes_in_call(e, scan));
}

/* What is carried lies in the loop's results from the beginning on: base_of(). */
static void put_loop(Emit *e, const Node *n, int indent) {
    const Graph *body = loop_body(n);
    int carried = loop_carried(n);
    LoopNames x = loop_names(e, n);
    const char *row = rows_from_end(n) ? format(e->arena, "(%s - 1 - %s)", x.most, x.i) : x.i;
    for (int k = 0; k < n->nout; k++)
        if (is_stored(n->out[k])) begin_life(e, n->out[k], indent);
    for (int k = 0; k < carried; k++) put_copy(e, n->out[k], n->in[LOOP_CARRIED + k], indent);
    for (int k = carried; k < n->nout && !loop_trips(n).exact; k++) clear(e, n->out[k], indent);
    put_loop_head(e, n, &x, indent);
    const char *around = e->turn;
    e->turn = x.i;
    put_calls(e, body, indent + 1);
    e->turn = around;
    for (int k = carried; k < n->nout; k++)
        if (n->out[k]) put_row(e, n->out[k], body->out[BODY_CARRIED + k], row, indent + 1);
    if (x.more) {
        line_start(e, indent + 1);
        put(&e->c, "%s = %s;\n", x.more, condition(e, body->out[BODY_COND]));
    }
    for (int k = 0; k < carried; k++) put_copy(e, n->out[k], body->out[BODY_CARRIED + k], indent + 1);
    line_start(e, indent);
    put_text(&e->c, "}\n");
}

/* For bench (Options.timed): the caller's clock is asked after every step. */
static void put_hook(Emit *e, int step, int indent) {
    if (!e->m->opt->timed) return;
    if (e->parts && indent == 1) {
        put_part_hook(e, step);
        return;
    }
    line_start(e, indent);
    put(&e->c, "%s_done(%d);\n", e->prefix, step);
}

/* The port among a kernel's arguments that the caller may leave out, if it has one. */
static const Value *optional_arg(const Emit *e, const Kernel *k, int from, int to) {
    for (int i = from; i < to; i++) {
        const Value *v = k->arg[i]->plan.base;
        if (is_optional(e->m, v)) return v;
    }
    return NULL;
}

/* A gradient that is not wanted is not computed, one that is not given is zero. */
static void put_call_if_given(Emit *e, const Kernel *k, int indent) {
    const Value *given = optional_arg(e, k, 0, k->nread), *asked = optional_arg(e, k, k->nread, k->narg);
    const Value *port = given ? given : asked;
    if (port) {
        line_start(e, indent);
        put(&e->c, "if (%s)\n", pointer_to(e, port));
    }
    put_call(e, k, indent + (port != NULL));
    if (!given) return;
    const Value *copy = k->arg[k->nread];
    line_start(e, indent);
    put(&e->c, "else%s\n", k->divided ? " if (t == 0)" : "");
    line_start(e, indent + 1);
    put(&e->c, "memset(%s, 0, %lld);\n", pointer_to(e, copy), (long long)value_bytes(copy));
}

static bool takes_extent(const Emit *e, const Symbol *name) {
    for (int i = 0; i < e->m->kernel_list.n; i++) {
        List symbols = {0};
        kernel_symbols(e->m->kernel_list.at[i], e->arena, &symbols);
        for (int k = 0; k < symbols.n; k++)
            if (symbols.at[k] == name) return true;
    }
    return false;
}

/* What an Extent has computed is a variable from here on. */
static void put_computed(Emit *e, const Node *n, int indent) {
    const DimBinding *b = computed_by(n);
    const char *at = format(e->arena, "*(const int64_t *)%s", pointer_to(e, n->out[0]));
    if (attr_i(n, "checked")) {
        line_start(e, indent);
        put(&e->c, "if (%s < %lld || %s > %lld) return %s_E_BOUND;\n", at, (long long)attr_i(n, "least"), at,
            (long long)attr_i(n, "most"), e->macro);
    }
    if (!b) return;
    line_start(e, indent);
    put(&e->c, "const int %s = (int)%s;\n", b->cname, at);
    if (takes_extent(e, b->symbol)) return;
    line_start(e, indent);
    put(&e->c, "(void)%s;\n", b->cname);
}

void put_calls(Emit *e, const Graph *g, int indent) {
    bool main = g == e->m->main;
    const Node *end = main ? end_node(e) : NULL;
    for (const Node *n = main ? first_node(e) : g->first; n != end; n = n->next) {
        int inside = main ? begin_part(e, n) : indent;
        if (IS(n, If) || IS(n, Loop))
            (IS(n, If) ? put_if : put_loop)(e, n, inside);
        else if (n->row)
            put_row_pointer(e, n, indent);
        else if (n->code) {
            unpoison(e, n->code->step, indent);
            if (n->code->body) put_call_if_given(e, n->code, inside);
            if (main && n->op->measures) read_by_all(e, n->out[0]);
            if (n->op->measures) put_computed(e, n, indent);
            poison(e, n->code->step, indent);
            put_hook(e, n->code->step, indent);
        }
    }
}

static void put_weight_pointers(Emit *e) {
    const Module *m = e->m;
    if (!e->weights_apart) return;
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        if (!embedded(v)) continue;
        v->emit.cname = identifier(e->arena, e->taken, m->opt->plain_names ? NULL : v->name, "w");
        put(&e->c, "    void *const %s = (void *)(w + %lld); /* %s%s */\n", v->emit.cname,
            (long long)v->emit.block_offset, dtypes[v->type.dtype].c, shape_text(e->arena, &v->type));
    }
}

static void add_check(Emit *e, List *checks, const char *code, const char *field, const char *condition) {
    Check *c = NEW(e->arena, Check);
    *c = (Check){code, field, condition};
    push(e->arena, checks, c);
}

static void must_be_given(Emit *e, List *checks, const char *field) {
    add_check(e, checks, "NULL", field, format(e->arena, "!net->%s", field));
}

static void must_be_aligned(Emit *e, List *checks, const char *field) {
    add_check(e, checks, "ALIGN", field, format(e->arena, "(uintptr_t)net->%s %% %s_ALIGN", field, e->macro));
}

/* Of one of two functions only those that it reads or writes; and none that may be left out. */
static bool needed(const Emit *e, const Value *port) {
    return in_function(e, port->plan.base) && !is_optional(e->m, port);
}

/* What training has on a device lies there alone; what inference carries is the caller's everywhere. */
static bool callers_block(const Emit *e, int block) {
    return uses_block(e, block) && !(e->m->entry && on_device(e->m));
}

static void check_pointers(Emit *e, List *checks) {
    const Module *m = e->m;
    for (int i = 0; i < m->main->nin; i++)
        if (in_use(m->main->in[i]) && !m->main->in[i]->train.block && needed(e, m->main->in[i]))
            must_be_given(e, checks, m->main->in[i]->emit.cname);
    for (int i = BLOCK_PARAMS; i <= BLOCK_STATE; i++)
        if (callers_block(e, i)) must_be_given(e, checks, block_fields[i]);
    for (int i = 0; i < m->main->nout; i++)
        if (needed(e, m->main->out[i])) must_be_given(e, checks, m->main->out[i]->emit.cname);
    if (needs_arena(m)) must_be_given(e, checks, "arena");
    if (on_device(m))
        must_be_given(e, checks, "device");
    else if (e->weights_apart && !e->weights_linked)
        must_be_given(e, checks, "weights");
}

/* Of each input of strings: whether one is missing, and whether one is too long. */
static void check_strings(Emit *e, List *checks, const char *code, int fault) {
    const Module *m = e->m;
    for (int i = 0; i < m->main->nin; i++) {
        const Value *v = m->main->in[i];
        if (v->type.dtype != DT_str || !in_use(v)) continue;
        const char *count = format(e->arena, "%s / %d", bytes_in_call(e, v), dtypes[DT_str].bytes);
        if (!v->type.rank || !v->type.dim[0].symbol) count = format(e->arena, "%lld", (long long)type_count(&v->type));
        add_check(e, checks, code, v->emit.cname,
                  format(e->arena, "%s_strings(net->%s, (long)(%s), %lld) == %d", e->prefix, v->emit.cname, count,
                         (long long)width_of_strings(m, v), fault));
    }
}

List checks_of(Emit *e) {
    const Module *m = e->m;
    List checks = {0};
    bool takes_batch = !(m->entry && (m->entry->update || m->entry->averages) && !m->entry->loss);
    check_pointers(e, &checks);
    check_strings(e, &checks, "NULL", 1);
    if (needs_arena(m)) must_be_aligned(e, &checks, "arena");
    for (int i = BLOCK_PARAMS; i <= BLOCK_STATE; i++)
        if (callers_block(e, i)) must_be_aligned(e, &checks, block_fields[i]);
    for (int i = 0; i < m->bounds.n && takes_batch; i++) {
        const DimBinding *b = m->bounds.at[i];
        if (b->computed) continue;
        const char *step = b->step > 1 ? format(e->arena, " || net->%s %% %lld", b->cname, (long long)b->step) : "";
        add_check(e, &checks, "DIM", b->cname,
                  format(e->arena, "net->%s < %lld || net->%s > %lld%s", b->cname, (long long)b->min, b->cname,
                         (long long)b->max, step));
    }
    check_strings(e, &checks, "BOUND", 2);
    if (m->opt->threads)
        add_check(e, &checks, "THREADS", "threads",
                  format(e->arena, "net->threads < 0 || net->threads > %s_MAX_THREADS", e->macro));
    if (e->weights_apart && !e->weights_linked && !on_device(m)) must_be_aligned(e, &checks, "weights");
    return checks;
}

void put_weights_pointer(Emit *e) {
    if (!e->weights_apart) return;
    put(&e->c, "    const unsigned char *const w = %s;\n",
        e->weights_linked ? format(e->arena, "%s_weights", e->prefix) : "net->weights");
}

/* Pointers are looked at together: what is missing, p_check() tells. */
void put_checks(Emit *e) {
    const Module *m = e->m;
    List checks = checks_of(e);
    int i = 0;
    put_text(&e->c, "    if (!net");
    for (; i < checks.n && !strcmp(((Check *)checks.at[i])->code, "NULL"); i++)
        put(&e->c, " || %s", ((Check *)checks.at[i])->condition);
    put(&e->c, ") return %s_E_NULL;\n", e->macro);
    for (; i < checks.n; i++) {
        const Check *c = checks.at[i];
        put(&e->c, "    if (%s) return %s_E_%s;\n", c->condition, e->macro, c->code);
    }
    put_state_check(e);
    if (!e->weights_apart || on_device(m)) return;
    put_weights_pointer(e);
    put(&e->c, "    if (weights_tag(w) != 0x%016llxu) return %s_E_WEIGHTS;\n", (unsigned long long)e->weights_tag,
        e->macro);
}

/* The file's header ends with the checksum of the rest: looked at in every run, computed in open. */
void put_weight_checks(Emit *e) {
    if (!e->weights_apart) return;
    if (e->weights_linked) put(&e->c, "extern const unsigned char %s_weights[]; /* %s.S */\n\n", e->prefix, e->file);
    put_text(&e->c, "/* The checksum that the header of the weights file has. */\n"
                    "static uint64_t weights_tag(const unsigned char *w) {\n    uint64_t tag;\n    memcpy(&tag, w + "
                    "16, 8);\n    return tag;\n}\n\n");
    put_text(&e->c,
             "/* The checksum of what follows the header: FNV-1a over words of 8 bytes. */\n"
             "static uint64_t weights_sum(const unsigned char *w) {\n    uint64_t h = 14695981039346656037u, word;\n");
    put(&e->c,
        "    for (size_t i = %d; i < %lld; i += 8) {\n        memcpy(&word, w + i, 8);\n        h = (h ^ word) * "
        "1099511628211u;\n    }\n",
        WEIGHTS_HEADER, (long long)e->m->weights_bytes);
    put_text(&e->c, "    return h;\n}\n\n");
}

void put_weights_whole(Emit *e) {
    const char *w = e->weights_linked ? format(e->arena, "%s_weights", e->prefix) : "net->weights";
    put(&e->c, "    if (!net%s) return %s_E_NULL;\n", e->weights_linked ? "" : " || !net->weights", e->macro);
    put(&e->c, "    const unsigned char *const w = %s;\n", w);
    put(&e->c,
        "    if (memcmp(w, \"NNCCWTS1\", 8) || weights_tag(w) != 0x%016llxu || weights_sum(w) != weights_tag(w)) "
        "return %s_E_WEIGHTS;\n",
        (unsigned long long)e->weights_tag, e->macro);
}

void put_open(Emit *e) {
    const char *p = e->prefix;
    put(&e->c, "int %s_open(%s_net *net) {\n", p, p);
    if (e->weights_apart) {
        put_weights_whole(e);
    } else {
        put(&e->c, "    if (!net) return %s_E_NULL;\n", e->macro);
    }
    put(&e->c, "    return %s_OK;\n}\n\nvoid %s_close(%s_net *net) { (void)net; }\n\n", e->macro, p, p);
}

/* As the caller calls it. */
void put_public(Emit *e, const char *verb) {
    if (e->m->meets) {
        if (!has_isas(e->m)) put_steps(e, verb);
        put_run_divided(e, verb);
    } else if (has_isas(e->m))
        put(&e->c, "int %s_%s(const %s_net *net) { return BEST(%s)(net); }\n", e->prefix, verb, e->prefix, verb);
    else
        put_run(e, verb);
}

void put_bases(Emit *e) {
    put_arena(e);
    put_weight_pointers(e);
    put_block_pointers(e);
}

void put_run(Emit *e, const char *verb) {
    if (e->m->meets) {
        put_steps(e, verb);
        return;
    }
    if (has_isas(e->m))
        put(&e->c, "static int %s(const %s_net *net) {\n", isa_name(e->arena, e->m, verb), e->prefix);
    else
        put(&e->c, "int %s_%s(const %s_net *net) {\n", e->prefix, verb, e->prefix);
    put_checks(e);
    put_bases(e);
    put_text(&e->c, "\n");
    if (e->m->opt->poison && e->m->arena_bytes)
        put(&e->c, "    __asan_poison_memory_region(net->arena, %s_ARENA_BYTES);\n", e->macro);
    if (e->second) unpoison_kept(e);
    put_calls(e, e->m->main, 1);
    if (e->m->opt->poison && e->m->arena_bytes)
        put(&e->c, "    __asan_unpoison_memory_region(net->arena, %s_ARENA_BYTES);\n", e->macro);
    put(&e->c, "    return %s_OK;\n}\n", e->macro);
}

static bool calls(const Emit *e, const char *name) {
    for (int i = 0; i < e->needs.n; i++)
        if (!strcmp(e->needs.at[i], name)) return true;
    return false;
}

/* A function that may set errno keeps loops from becoming vectors; nothing here reads that. */
static void put_pure(Emit *e) {
    if (calls(e, "sqrtf"))
        put_text(&e->c, "#if defined __GNUC__ && !defined __cplusplus\n"
                        "float sqrtf(float) __attribute__((const)); /* errno aside: loops become vectors */\n"
                        "#endif\n\n");
}

void put_top(Emit *e) {
    put(&e->c, GENERATED_BY " from %s, target %s. Do not edit. */\n", source_text(e), e->m->target->name);
    if (has_isas(e->m))
        put_text(
            &e->c,
            "/* First macros, weights and the header's functions; behind \"#else\" the kernels, and what calls "
            "them in order.\n * NNCC_THIS_ISA is defined where this file includes itself: that compiles the second "
            "half for one instruction set,\n * under names of its own: ISA(name). */\n#if !defined "
            "NNCC_THIS_ISA\n\n");
    put(&e->c,
        "#include \"%s.h\"\n#include <math.h>\n%s#include <stddef.h>\n#include <stdint.h>\n#include <string.h>\n\n",
        e->file, e->meets ? "#include <sched.h>\n" : "");
    if (e->m->opt->poison) put_text(&e->c, "#include <sanitizer/asan_interface.h>\n\n");
    if (e->m->opt->timed) put(&e->c, "void %s_done(int);\n\n", e->prefix);
    if (has_isas(e->m)) put_isas_chosen(e);
    put_pure(e);
    size_t before = e->c.n;
    put_tile_macros(&e->c, e->m, &e->needs);
    put_short_rows(e);
    if (e->meets) put_meeting(e);
    put_runtime(&e->c, &e->needs);
    if (e->c.n > before) put_text(&e->c, "\n");
}

/* Names of the file that model names must keep clear of. */
void take_own_names(Emit *e) {
    static const char *const own[] = {"weights_tag", "weights_sum", "source", "kernels",   "fields", "program", "code",
                                      "given",       "condition",   "dims",   "state_tag", "main",   "extent"};
    static const char *const divided[] = {"t", "nt", "meet", "nncc_call"};
    for (int i = 0; i < COUNT(divided) && e->m->opt->threads; i++) map_set(e->taken, divided[i], e);
    for (int i = 0; i < COUNT(own); i++) map_set(e->taken, own[i], e);
    static const char *const verbs[] = {"open",  "close", "run",     "run_part", "check",  "step", "step_part",
                                        "reset", "net",   "weights", "tensors",  "tensor", "done"};
    for (int i = 0; i < COUNT(verbs); i++)
        map_set(e->taken, format(e->arena, "%s_%s", lower_case(e->arena, e->prefix), verbs[i]), e);
}

Emit new_emit(Module *m) {
    Emit e = {.m = m, .arena = m->arena, .taken = map_new(m->arena), .declared = map_new(m->arena)};
    e.c.arena = e.h.arena = e.abi.arena = m->arena;
    e.prefix = m->opt->prefix ? m->opt->prefix : "model";
    e.macro = upper(m->arena, e.prefix);
    e.file = m->opt->stem ? m->opt->stem : e.prefix;
    take_own_names(&e);
    return e;
}

static void check_effects(Module *m) {
    for (const Node *n = m->main->first; n; n = n->next)
        if (n->op->effect && n->in[0]->kind != V_STATE)
            fatal(m, EXIT_UNSUPPORTED,
                  "%s: expected a state, saw the parameter '%s': only functions of --train write it",
                  node_text(m->arena, n), escaped(m->arena, n->in[0]->name, 60));
}

Emit begin_inference(Module *m, Output *out, AddKernel add) {
    check_effects(m);
    Emit e = new_emit(m);
    e.meets = m->meets;
    name_interface(&e);
    take_steps(&e, run_verb(m));
    lay_out_weights(&e);
    *out = (Output){.weights.arena = m->arena, .object.arena = m->arena};
    if (e.weights_apart) emit_weights_file(&e, &out->weights);
    if (e.weights_linked) emit_weights_object(&e, &out->object);
    name_weight_arrays(&e);
    Map *by_text = map_new(m->arena);
    for (int i = 0; i < m->kernel_list.n; i++) {
        schedule_planned(m->kernel_list.at[i]);
        add(&e, m->kernel_list.at[i], by_text);
    }
    return e;
}

void begin_public(Emit *e) {
    if (has_isas(e->m))
        put_each_isa(e);
    else
        put_kernels(e);
}

bool begin_set(Emit *e) {
    if (!has_isas(e->m)) return false;
    put_text(&e->c, "\n#else /* once for each instruction set */\n\n");
    put_kernels(e);
    return true;
}

void end_file(Emit *e) {
    if (has_isas(e->m)) put_text(&e->c, "\n#endif /* NNCC_THIS_ISA */\n");
}

static void emit_inference(Module *m, Output *out) {
    Emit e = begin_inference(m, out, add_function);
    put_top(&e);
    emit_weight_arrays(&e);
    put_weight_checks(&e);
    put_reset(&e);
    begin_public(&e);
    put_open(&e);
    put_public(&e, run_verb(m));
    put_run_part(&e);
    if (begin_set(&e)) put_run(&e, run_verb(m));
    end_file(&e);
    emit_header(&e);
    out->c = e.c, out->h = e.h;
}

/* ---- the backend of every CPU ---- */

static void print_c_nest(Kernel *k, Str *out) { print_nest(k, &dialect_c, out); }

const Backend c_backend = {.schedules = cpu_schedules,
                           .print_nest = print_c_nest,
                           .emit = emit_inference,
                           .emit_training = emit_training_c,
                           .put_open = put_c_open};
