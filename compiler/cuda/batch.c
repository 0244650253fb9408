/* batch.c - launches that need not wait for each other as one: each gets a range of its blocks.
 *
 * Many steps of a network are so small that starting them is most of their time: the updates of parameters, running
 * statistics, copies of weights. A launch joins an earlier one if it conflicts with nothing from there on. */
#include "cuda/emit_cuda.h"
#include "ir/storage.h"

enum {
    LOOK_BACK = 64,      /* batches that a launch may pass by */
    MAX_ARGUMENTS = 400, /* pointers: the driver takes 4 KB of arguments */
    MIN_THREADS = 128    /* to run the blocks of a launch of many threads with */
};

/* ---- where launches meet in memory ---- */

typedef struct {
    Place place;
    int64_t bytes;
    bool writes;
} Touch;

static bool same_text(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

static bool meet(const Touch *a, const Touch *b) {
    return (a->writes || b->writes) && same_text(a->place.block, b->place.block) &&
           same_text(a->place.field, b->place.field) && a->place.offset < b->place.offset + b->bytes &&
           b->place.offset < a->place.offset + a->bytes;
}

static List touches_of(Emit *e, const Launch *x) {
    List all = {0};
    for (int i = 0; i < x->k->narg; i++) {
        if (!launch_takes(x, i)) continue;
        Touch *a = NEW(e->arena, Touch);
        *a = (Touch){place_of(e->m, x->k->arg[i]), value_bytes(x->k->arg[i]), launch_writes(x, i)};
        push(e->arena, &all, a);
    }
    return all;
}

static bool lists_meet(const List *x, const List *y) {
    for (int i = 0; i < x->n; i++)
        for (int j = 0; j < y->n; j++)
            if (meet(x->at[i], y->at[j])) return true;
    return false;
}

/* ---- which launches fit together ---- */

static bool has_threads_of_its_own(const Launch *x) { return !x->items || x->groups; }

static int64_t items_of(const Launch *x) { return x->items ? x->items->i : 1; }

static bool may_join(const Launch *x) {
    return !x->gemm && !x->cooperative && !x->symbols.n && (!x->items || x->items->kind == E_INT);
}

/* The threads of a block that runs both; 0: there is no such number. */
static int common_threads(const Batch *b, const Launch *x) {
    if (x->threads == 1) return b->threads; /* one thread of any block */
    if (!has_threads_of_its_own(x)) return b->fixed || b->threads > x->threads ? b->threads : x->threads;
    if (b->fixed) return b->threads == x->threads ? x->threads : 0;
    return b->threads <= x->threads || x->threads >= MIN_THREADS ? x->threads : 0;
}

static int64_t blocks_of(const Launch *x, int threads) {
    if (x->parts > 1) return column_blocks(x) * x->parts;
    return ceil_div(items_of(x), x->groups ? x->groups : x->threads == 1 ? 1 : threads);
}

static bool room(const Batch *b, const Launch *x, int arguments) {
    int64_t blocks = 0;
    int threads = common_threads(b, x);
    if (!threads || b->arguments + arguments > MAX_ARGUMENTS) return false;
    for (int i = 0; i < b->launches.n; i++) blocks += blocks_of(b->launches.at[i], threads);
    return blocks + blocks_of(x, threads) <= INT32_MAX;
}

static void add_to(Emit *e, Batch *b, Launch *x, const List *accesses) {
    if (b->launches.n) b->threads = common_threads(b, x);
    if (!b->launches.n) b->threads = x->threads;
    b->fixed = b->fixed || (has_threads_of_its_own(x) && x->threads > 1);
    b->arguments += accesses->n + extra_pointers(x);
    if (x->shared > b->shared) b->shared = x->shared;
    push(e->arena, &b->launches, x);
    for (int i = 0; i < accesses->n; i++) push(e->arena, &b->accesses, accesses->at[i]);
    x->batch = b;
}

/* Puts a launch into the latest batch that takes it, past none that it conflicts with; else it begins one. */
static void place_launch(Emit *e, List *batches, Launch *x) {
    List accesses = touches_of(e, x);
    for (int i = batches->n - 1; may_join(x) && i >= 0 && i >= batches->n - LOOK_BACK; i--) {
        Batch *b = batches->at[i];
        if (lists_meet(&b->accesses, &accesses)) break;
        if (!may_join(b->launches.at[0]) || !room(b, x, accesses.n)) continue;
        add_to(e, b, x, &accesses);
        return;
    }
    Batch *b = NEW(e->arena, Batch);
    add_to(e, b, x, &accesses);
    push(e->arena, batches, b);
}

/* ---- their function ---- */

static Function *function_named(Emit *e, const char *name) {
    for (int i = 0; i < e->functions.n; i++) {
        Function *f = e->functions.at[i];
        if (!strcmp(f->name, name)) return f;
    }
    return NULL;
}

/* The text of a kernel as that of a function for a range of blocks, which begins at first_block. */
static const char *part_text(Emit *e, const char *kernel) {
    static const char index[] = "blockIdx.x";
    Str s = {.arena = e->arena};
    const char *at = strchr(kernel, '\1'), *open = strstr(at, ") {\n"), *next;
    put(&s, "NNCC_PART void %.*s, const unsigned first_block", (int)(open - at), at);
    for (at = open; (next = strstr(at, index)); at = next + sizeof index - 1)
        put_bytes(&s, at, (size_t)(next - at)), put(&s, "(%s - first_block)", index);
    put_text(&s, at);
    return s.s;
}

/* The function of that text: one for all that are equal; a new one is named after `stem`. */
static Function *function_with(Emit *e, Map *by_text, const char *text, Kernel *k, const char *stem,
                               const char *other) {
    Function *f = map_get(by_text, text);
    if (f) return f;
    f = NEW(e->arena, Function);
    *f = (Function){.k = k, .text = text};
    f->name = identifier(e->arena, e->taken, stem, other);
    map_set(by_text, text, f);
    push(e->arena, &e->functions, f);
    return f;
}

static Function *part_of(Emit *e, Map *by_text, const Launch *x) {
    const Function *whole = function_named(e, x->name);
    Function *f =
        function_with(e, by_text, part_text(e, whole->text), x->k, format(e->arena, "%s_part", whole->name), "part");
    push(e->arena, &f->uses, x->k);
    return f;
}

static void put_parameters_of(Str *s, const Launch *x, int *count) {
    for (int i = 0; i < x->k->narg; i++) {
        if (!launch_takes(x, i)) continue;
        put(s, "%s%s%s *p%d",
            !*count      ? ""
            : *count % 8 ? ", "
                         : ",\n        ",
            launch_writes(x, i) ? "" : "const ", dtypes[x->k->arg[i]->type.dtype].c, *count);
        ++*count;
    }
    if (x->parts > 1) put(s, ", %s *p%d, unsigned *p%d", dtypes[partial_type(x)].c, *count, *count + 1), *count += 2;
}

static void put_call_of(Str *s, const Launch *x, const char *part, int *count, int64_t first) {
    put(s, "        %s%s(", x->threads == 1 ? "if (threadIdx.x == 0) " : "", part);
    for (int i = 0; i < x->k->narg; i++)
        if (launch_takes(x, i)) put(s, "p%d, ", (*count)++);
    for (int i = 0; i < extra_pointers(x); i++) put(s, "p%d, ", (*count)++);
    put(s, "%lld);\n", (long long)first);
}

static const char *batch_text(Emit *e, Map *by_text, const Batch *b) {
    Str s = {.arena = e->arena};
    int count = 0, called = 0;
    int64_t first = 0;
    put(&s, "extern \"C\" __global__ void __launch_bounds__(%d) \1(", b->threads);
    for (int i = 0; i < b->launches.n; i++) put_parameters_of(&s, b->launches.at[i], &count);
    put_text(&s, ") {\n");
    for (int i = 0; i < b->launches.n; i++) {
        const Launch *x = b->launches.at[i];
        const int64_t end = first + blocks_of(x, b->threads);
        put(&s,
            i ? i < b->launches.n - 1 ? "    } else if (blockIdx.x < %lld) {\n" : "    } else {\n"
              : "    if (blockIdx.x < %lld) {\n",
            (long long)end);
        put_call_of(&s, x, part_of(e, by_text, x)->name, &called, first);
        first = end;
    }
    put_text(&s, "    }\n}\n");
    return s.s;
}

static void name_batch(Emit *e, Map *by_text, Batch *b) {
    Launch *first = b->launches.at[0];
    if (b->launches.n == 1) {
        b->name = first->name;
        return;
    }
    for (int i = 0; i < b->launches.n; i++) b->blocks += blocks_of(b->launches.at[i], b->threads);
    Function *f = function_with(e, by_text, batch_text(e, by_text, b), first->k,
                                format(e->arena, "%.18s_and_more", first->name), "kernel");
    f->threads = b->threads; /* which the text says, too */
    for (int i = 0; i < b->launches.n; i++) push(e->arena, &f->uses, ((const Launch *)b->launches.at[i])->k);
    b->name = f->name;
}

/* ---- a function of the network ---- */

static void batch_from(Emit *e, const Node *first, const Node *end, List *batches) {
    List open = {0};
    for (const Node *n = first; n != end; n = n->next) {
        for (int i = 0; n->code && i < n->code->launches.n; i++) place_launch(e, &open, n->code->launches.at[i]);
        if (!n->op->measures || !n->code) continue; /* else the host looks at a result before it goes on */
        for (int i = 0; i < open.n; i++) push(e->arena, batches, open.at[i]);
        open = (List){0};
    }
    for (int i = 0; i < open.n; i++) push(e->arena, batches, open.at[i]);
}

/* Kernels that are launched nowhere by themselves are left out. */
static void drop_unused(Emit *e, const List *batches) {
    Map *used = map_new(e->arena);
    int n = 0;
    for (int i = 0; i < batches->n; i++) map_set(used, ((const Batch *)batches->at[i])->name, e);
    for (int i = 0; i < e->functions.n; i++) {
        const Function *f = e->functions.at[i];
        if (is_part(f) || map_get(used, f->name)) e->functions.at[n++] = e->functions.at[i];
    }
    e->functions.n = n;
}

void batch_launches(Emit *e, Module **m, int n) {
    List all = {0};
    Map *by_text = map_new(e->arena);
    for (int k = 0; k < n; k++)
        if (m[k]->main->regions) return;
    for (int k = 0; k < n; k++) {
        const Node *second = m[k]->entry && m[k]->entry->second ? m[k]->second : NULL;
        e->m = m[k];
        batch_from(e, m[k]->main->first, second, &all);
        if (second) batch_from(e, second, NULL, &all);
    }
    e->m = m[0];
    for (int i = 0; i < all.n; i++) name_batch(e, by_text, all.at[i]);
    drop_unused(e, &all);
}
