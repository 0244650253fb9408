/* parts.c - the steps of a network that threads of a call divide: who runs each, and where they wait for each other.
 *
 * A kernel that is divided is called by all threads, anything else is the first one's. They wait before a step that
 * touches what another thread may still read or write; what one thread does, it does in order. */
#include "base/embedded.h"
#include "emit/interface.h"
#include "ir/build.h"
#include "ir/storage.h"
#include "render/template.h"

/* Bytes of a block that a step touches, those of the arena by their place. */
typedef struct {
    const Value *buffer; /* NULL: the arena; of what lies elsewhere: all of it */
    int64_t from, end;
    bool written;
} Region;

struct Parts {
    List one, all;  /* Region*: touched by the first thread, by any, since they last waited */
    bool one_knows; /* the first thread ran a step that may touch anything */
    bool open;      /* in the first thread's braces */
};

static void add_region(Arena *a, List *to, const Value *v, bool written) {
    const Value *base = v->plan.base ? v->plan.base : v;
    if (base->plan.home == HOME_WEIGHTS || !value_bytes(base)) return;
    Region *r = NEW(a, Region);
    if (base->plan.buffer && base->plan.buffer->plan.home == HOME_ARENA)
        *r = (Region){NULL, base->plan.offset, base->plan.offset + value_bytes(base), written};
    else
        *r = (Region){base->plan.buffer ? base->plan.buffer : base, 0, 1, written};
    push(a, to, r);
}

static void add_kernel(Arena *a, List *to, const Kernel *k) {
    for (int i = 0; i < k->narg; i++) add_region(a, to, k->arg[i], i >= k->nread);
}

static bool meet(const List *x, const List *y) {
    for (int i = 0; i < x->n; i++)
        for (int j = 0; j < y->n; j++) {
            const Region *a = x->at[i], *b = y->at[j];
            if ((a->written || b->written) && a->buffer == b->buffer && a->from < b->end && b->from < a->end)
                return true;
        }
    return false;
}

static void close_braces(Emit *e) {
    if (e->parts->open) put_text(&e->c, "    }\n");
    e->parts->open = false;
}

static void wait_here(Emit *e) {
    close_braces(e);
    put_text(&e->c, "    nncc_meet(meet, nt);\n");
    *e->parts = (Parts){.open = false};
}

static void add_all(Arena *a, List *to, const List *from) {
    for (int i = 0; i < from->n; i++) push(a, to, from->at[i]);
}

static void begin(Emit *e, const List *touched, bool one, bool anything) {
    Parts *p = e->parts;
    bool waits = one ? (anything && p->all.n) || meet(&p->all, touched)
                     : p->one_knows || meet(&p->all, touched) || meet(&p->one, touched);
    if (waits) wait_here(e);
    if (one && !p->open) put_text(&e->c, "    if (t == 0) {\n");
    if (!one) close_braces(e);
    p->open = one, p->one_knows = p->one_knows || anything;
    add_all(e->arena, one ? &p->one : &p->all, touched);
}

static bool is_region(const Node *n) { return IS(n, If) || IS(n, Loop); }

int begin_part(Emit *e, const Node *n) {
    List touched = {0};
    const Kernel *k = n->code;
    if (!e->parts || (!is_region(n) && (!k || !k->body))) return 1;
    if (!is_region(n)) add_kernel(e->arena, &touched, k);
    begin(e, &touched, is_region(n) || !k->divided, is_region(n));
    return e->parts->open ? 2 : 1;
}

void read_by_all(Emit *e, const Value *v) {
    List touched = {0};
    if (!e->parts) return;
    add_region(e->arena, &touched, v, false);
    begin(e, &touched, false, false);
}

void put_part_hook(Emit *e, int step) {
    wait_here(e);
    put(&e->c, "    if (t == 0) %s_done(%d);\n", e->prefix, step);
}

/* ---- the functions around them ---- */

void put_meeting(Emit *e) {
    fill_template(&e->c, embedded_text("threads.h"), 0, NULL);
    put(&e->c,
        "\n/* A call that threads divide, and nncc_threads.c, which runs it. */\ntypedef struct {\n    const %s_net "
        "*net;\n    int code;\n} nncc_call;\nvoid nncc_pool_run(nncc_pool *, void (*)(void *, int, int), void *, "
        "int);\n\n",
        e->prefix);
}

static const char *const roles[] = {"steps", "checked", "part", "thread"};

void take_steps(Emit *e, const char *verb) {
    for (int i = 0; i < COUNT(roles) && e->m->opt->threads; i++)
        map_set(e->taken, format(e->arena, "%s_%s", verb, roles[i]), e);
}

/* What is looked at before any thread begins. */
static void put_checked(Emit *e, const char *verb) {
    put(&e->c, "static int %s_checked(const %s_net *net) {\n", verb, e->prefix);
    put_checks(e);
    put(&e->c, "    return %s_OK;\n}\n\n", e->macro);
}

static const char *steps_of(Emit *e, const char *verb) {
    return format(e->arena, has_isas(e->m) ? "BEST(%s_steps)" : "%s_steps", verb);
}

/* Without divided kernels the first thread runs the network alone. */
static void put_part_alone(Emit *e, const char *verb) {
    put(&e->c, "\nint %s_%s_part(const %s_net *net, int t, int nt) {\n", e->prefix, verb, e->prefix);
    put(&e->c,
        "    if (t < 0 || t >= nt || nt > %s_MAX_THREADS) return %s_E_THREADS;\n    return t ? %s_OK : %s_%s(net); "
        "/* it is too small to be divided */\n}\n",
        e->macro, e->macro, e->macro, e->prefix, verb);
}

static void put_thread(Emit *e, const char *verb) {
    put(&e->c,
        "static int %s_part(const %s_net *net, int t, int nt) {\n    const int code = %s(net, t, nt);\n    "
        "nncc_leave(net->arena, nt);\n    return code;\n}\n\n",
        verb, e->prefix, steps_of(e, verb));
    put(&e->c,
        "static void %s_thread(void *data, int t, int nt) {\n    nncc_call *const call = data;\n    const int code = "
        "%s_part(call->net, t, nt);\n    if (t == 0) call->code = code;\n}\n\n",
        verb, verb);
}

/* For threads of the caller's own. */
static void put_part(Emit *e, const char *verb) {
    put(&e->c,
        "\nint %s_%s_part(const %s_net *net, int t, int nt) {\n    const int code = %s_checked(net);\n    if (code) "
        "return code;\n    return t < 0 || t >= nt || nt > %s_MAX_THREADS ? %s_E_THREADS : %s_part(net, t, nt);\n}\n",
        e->prefix, verb, e->prefix, verb, e->macro, e->macro, verb);
}

void put_run_divided(Emit *e, const char *verb) {
    put_checked(e, verb);
    put_thread(e, verb);
    put(&e->c,
        "int %s_%s(const %s_net *net) {\n    const int code = %s_checked(net);\n    if (code) return code;\n    if "
        "(net->threads < 2 || !net->pool) return %s(net, 0, 1);\n    nncc_call call = {net, %s_OK};\n    *(uint32_t "
        "*)net->arena = 0;\n    nncc_pool_run(net->pool, %s_thread, &call, net->threads);\n    return "
        "call.code;\n}\n",
        e->prefix, verb, e->prefix, verb, steps_of(e, verb), e->macro, verb);
    if (!e->m->entry) put_part(e, verb);
}

void put_run_part(Emit *e) {
    if (e->m->opt->threads && !e->m->meets) put_part_alone(e, run_verb(e->m));
}

void put_steps(Emit *e, const char *verb) {
    Parts parts = {.open = false};
    put_text(&e->c, "/* All steps, by each thread of nt: a kernel that is told t and nt does that thread's part. Where "
                    "threads meet they wait for each other. */\n");
    put(&e->c, "static int %s(const %s_net *net, int t, int nt) {\n",
        isa_name(e->arena, e->m, format(e->arena, "%s_steps", verb)), e->prefix);
    put_weights_pointer(e);
    put_bases(e);
    put_text(&e->c, "    uint32_t *const meet = net->arena;\n\n");
    e->parts = &parts;
    put_calls(e, e->m->main, 1);
    close_braces(e);
    e->parts = NULL;
    put(&e->c, "    return %s_OK;\n}\n%s", e->macro, has_isas(e->m) ? "" : "\n");
}
