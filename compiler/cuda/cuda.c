/* cuda.c - a kernel's statements cut into launches (cuda.h). */
#include "cuda/cuda.h"
#include "cuda/gemm.h"

enum { FEW_ITEMS = 4096, MIN_WORK = 32, MANY_ITEMS = 1 << 16, WORTH_ALL_BLOCKS = 2048 };

typedef struct {
    Kernel *k;
    const Target *gpu;
    Arena *arena;
    List *out;
    const Stmt **top; /* its statements */
    int n;
} Cut;

static Lower lower_of(const Kernel *k) {
    return (Lower){.k = (Kernel *)(uintptr_t)k, .m = k->module, .arena = k->module->arena};
}

static Launch *new_launch(const Cut *c, int threads) {
    Launch *x = NEW(c->arena, Launch);
    x->k = c->k, x->threads = threads;
    return x;
}

/* ---- statements that depend on each other: temps and arrays at the top ---- */

static bool expr_refers_to(const Expr *e, const Stmt *def) {
    if (!e) return false;
    if (def->kind == S_LET && e->kind == E_TEMP && e->temp == def->temp) return true;
    if (def->kind == S_LOCAL && e->kind == E_LOCAL && e->local == def->local) return true;
    for (int i = 0; i < e->n; i++)
        if (expr_refers_to(e->arg[i], def)) return true;
    return false;
}

static bool refers_to(const Stmt *s, const Stmt *def, bool alone) {
    for (; s; s = alone ? NULL : s->next) {
        if (expr_refers_to(s->lo, def) || expr_refers_to(s->hi, def) || expr_refers_to(s->index, def) ||
            expr_refers_to(s->expr, def) || (s->kind == S_SET && def->kind == S_LET && s->temp == def->temp) ||
            (s->kind == S_PUT && def->kind == S_LOCAL && s->local == def->local) || refers_to(s->body, def, false) ||
            refers_to(s->other, def, false))
            return true;
        if (s->kind == S_FOR && expr_refers_to(s->axis->size, def)) return true;
    }
    return false;
}

/* The last statement that refers to what statement i defines; i if none does. */
static int last_use(const Cut *c, int i) {
    if (c->top[i]->kind != S_LET && c->top[i]->kind != S_LOCAL) return i;
    for (int j = c->n - 1; j > i; j--)
        if (refers_to(c->top[j], c->top[i], true)) return j;
    return i;
}

/* The end of the statements that depend on statement i, and on each other. */
static int end_of_dependents(const Cut *c, int i) {
    int end = last_use(c, i);
    for (int j = i + 1; j <= end; j++)
        if (last_use(c, j) > end) end = last_use(c, j);
    return end;
}

/* ---- nests ---- */

/* The innermost of a nest's loops. */
static const Axis *innermost(const Stmt *nest) {
    while (nest->body && is_parallel(nest->body) && !nest->body->next) nest = nest->body;
    return nest->axis;
}

/* Whether a nest consists of sums, over neighbouring columns: each iteration sums what lies beside what the next one
 * sums. */
bool sums_columns(const Target *gpu, const Stmt *nest) {
    int64_t items;
    const Stmt *body = parallel_body(nest, &items);
    const Axis *a = innermost(nest);
    Sums sums;
    if (!plain_for(nest) || a->extent < columns_of(gpu) || items >= MANY_ITEMS || group_work(body) < 4 * MIN_WORK)
        return false;
    for (const Stmt *s = body; s; s = s->next) {
        bool simple = s->kind == S_LET || s->kind == S_SET || s->kind == S_STORE;
        if (!simple && !(is_shared_sum(s, &sums) && runs_along(s, a))) return false;
    }
    return true;
}

/* How many iterations of a nest a block takes, with a thread group for each. 0: one thread runs each iteration. A group
 * is better where there is work in it that threads can share, and iterations alone would not fill the machine, or would
 * each walk through memory by themselves. */
static int groups_per_block(const Target *gpu, const Stmt *nest) {
    int64_t items;
    const Stmt *body = parallel_body(nest, &items);
    int64_t work = group_work(body);
    if (work < MIN_WORK || !plain_for(nest)) return 0;
    if (sums_columns(gpu, nest)) return columns_of(gpu);
    bool loops = false;
    for (const Stmt *s = body; s; s = s->next) loops = loops || is_parallel(s);
    return (loops ? items < MANY_ITEMS : items < FEW_ITEMS && work >= 4 * MIN_WORK) ? 1 : 0;
}

static bool gemm_launch(const Cut *c, const Stmt *nest) {
    Lower l = lower_of(c->k);
    Gemm *g = NEW(c->arena, Gemm);
    if (!find_gemm(&l, nest, g)) return false;
    Launch *x = new_launch(c, gemm_threads(&g->tile));
    x->gemm = g, x->shared = gemm_shared(&g->tile);
    x->body = arena_copy(c->arena, nest, sizeof *nest);
    x->body->next = NULL;
    push(c->arena, c->out, x);
    return true;
}

static int power_of_two(int64_t n, int least, int most) {
    int p = least;
    while (p < most && p < n) p *= 2;
    return p;
}

static void row_launch(const Cut *c, const Stmt *nest, int groups) {
    int64_t items;
    Lower l = lower_of(c->k);
    const Stmt *body = parallel_body(nest, &items);
    Launch *x = new_launch(c, power_of_two(groups * group_work(body), 32, c->gpu->block_threads));
    Stmt *one = distribute_loop(&l, nest, AX_BLOCKS);
    x->groups = groups, x->items = one->axis->size;
    if (groups > 1) divide_columns(&l, x, one->body);
    if (schedule_group(x, one->body)) {
        one->body = x->body, x->body = one;
        push(c->arena, c->out, x);
        return;
    }
    *x = (Launch){.k = c->k, .threads = 32};
    x->body = distribute_loop(&l, nest, AX_GRID), x->items = x->body->axis->size;
    push(c->arena, c->out, x);
}

/* Nests without conflicts in memory share a launch. */
static int grid_launch(const Cut *c, int i) {
    Lower l = lower_of(c->k);
    Launch *x = new_launch(c, c->gpu->block_threads);
    Stmt **end = &x->body;
    AccessSet all = {0};
    bool first = true, halos = true;
    for (; i < c->n && is_parallel(c->top[i]) && plain_for(c->top[i]) && !groups_per_block(c->gpu, c->top[i]); i++) {
        Gemm g;
        if (!first && find_gemm(&l, c->top[i], &g)) break;
        AccessSet now = {0};
        add_accesses(c->arena, &now, c->top[i]);
        bool meet = overlap(&all.written, &now.read) || overlap(&all.read, &now.written);
        if (!halos && !c->top[i]->fills_halo) meet = conflicts(&all, &now); /* else nothing is written twice */
        if (!first && meet) break;
        halos = halos && c->top[i]->fills_halo;
        add_accesses(c->arena, &all, c->top[i]);
        *end = distribute_loop(&l, c->top[i], AX_GRID);
        int64_t most = x->items ? most_of(x->items) : 0;
        if (most_of((*end)->axis->size) > most) x->items = (*end)->axis->size;
        end = &(*end)->next;
        first = false;
    }
    x->threads = power_of_two(most_of(x->items), 32, c->gpu->block_threads);
    push(c->arena, c->out, x);
    return i;
}

/* ---- the rest ---- */

static Stmt *list_of(const Cut *c, int from, int to) {
    Stmt *first = NULL, **end = &first;
    for (int i = from; i <= to; i++) {
        *end = arena_copy(c->arena, c->top[i], sizeof **end);
        (*end)->next = NULL, end = &(*end)->next;
    }
    return first;
}

static bool has_local(const Stmt *s) {
    for (; s; s = s->next)
        if (s->kind == S_LOCAL || has_local(s->body) || has_local(s->other)) return true;
    return false;
}

/* The most iterations of a parallel loop. */
static int64_t most_parallel(const Stmt *s) {
    int64_t most = 0, n;
    for (; s; s = s->next) {
        if (is_parallel(s))
            parallel_body(s, &n);
        else {
            n = most_parallel(s->body);
            if (most_parallel(s->other) > n) n = most_parallel(s->other);
        }
        if (n > most) most = n;
    }
    return most;
}

static void group_launch(const Cut *c, int from, int to) {
    Stmt *s = list_of(c, from, to);
    Lower l = lower_of(c->k);
    int64_t work = group_work(s), wide = most_parallel(s);
    Launch *x = new_launch(c, 1);
    x->body = s;
    if (work >= MIN_WORK) {
        x->cooperative = wide >= WORTH_ALL_BLOCKS && !has_local(s);
        x->threads = x->cooperative ? c->gpu->block_threads : power_of_two(work, 32, 4 * c->gpu->block_threads);
        if (x->cooperative) x->items = ix(&l, wide);
        if (!schedule_group(x, s)) *x = (Launch){.k = c->k, .threads = 1, .body = s};
    }
    push(c->arena, c->out, x);
}

static bool stands_alone(const Cut *c, int i) {
    return is_parallel(c->top[i]) && plain_for(c->top[i]) && c->top[i]->axis->size->kind != E_LOAD;
}

/* Of an empty tensor nothing is stored: then there is nothing to launch. Returns how many are left. */
static int drop_idle(const List *launches) {
    int n = 0;
    for (int i = 0; i < launches->n; i++) {
        const Launch *x = launches->at[i];
        if (first_store(x->body)) launches->at[n++] = launches->at[i];
    }
    return n;
}

void schedule_launches(Lower *l, Stmt **nest) {
    Kernel *k = l->k;
    List *out = &k->launches;
    Cut *c = NEW(k->module->arena, Cut);
    *c = (Cut){.k = k, .gpu = l->m->target, .arena = k->module->arena, .out = out};
    for (const Stmt *s = *nest; s; s = s->next) c->n++;
    c->top = NEW_ARRAY(c->arena, const Stmt *, c->n), c->n = 0;
    for (const Stmt *s = *nest; s; s = s->next) c->top[c->n++] = s;
    for (int i = 0; i < c->n;) {
        if (stands_alone(c, i)) {
            int groups = groups_per_block(c->gpu, c->top[i]);
            if (gemm_launch(c, c->top[i]))
                i++;
            else if (groups)
                row_launch(c, c->top[i++], groups);
            else
                i = grid_launch(c, i);
            continue;
        }
        int end = end_of_dependents(c, i);
        while (end + 1 < c->n && !stands_alone(c, end + 1)) end = end_of_dependents(c, end + 1);
        group_launch(c, i, end);
        i = end + 1;
    }
    out->n = drop_idle(out);
    for (int i = 0; i < out->n; i++) {
        Launch *x = out->at[i];
        verify_nest(k, x->body, "launches");
        stmt_symbols(x->body, c->arena, &x->symbols);
    }
}

/* ---- arguments ---- */

static bool written_in(const Stmt *s, const Value *v) {
    for (; s; s = s->next)
        if ((s->kind == S_STORE && s->value == v) || written_in(s->body, v) || written_in(s->other, v)) return true;
    return false;
}

bool launch_reads(const Launch *x, int i) {
    const Kernel *k = x->k;
    if (loads_in(x->body, k->arg[i])) return true;
    for (int j = 0; j < k->nread; j++)
        if (written_over(k, j) && k->in_place[j] == i && loads_in(x->body, k->arg[j])) return true;
    return false;
}

bool launch_writes(const Launch *x, int i) { return written_in(x->body, x->k->arg[i]); }

bool launch_takes(const Launch *x, int i) {
    return !written_over(x->k, i) && (launch_reads(x, i) || launch_writes(x, i));
}
