/* choices.c - what a choice between values reads across memory is read before the choice.
 *
 * The condition asks for data and protects no index, so that both values exist. Left inside the choice, gcc 12 at -O3
 * with AVX2 takes such elements in the order of memory (findings/gcc_masked_permuted_loads.sh). */
#include "ops/ops.h"
#include "schedule/schedule.h"

typedef struct {
    const Axis *innermost;
    List *reads; /* Expr*: loads */
    Arena *arena;
} Search;

static bool chooses(const Expr *e) {
    return e->kind == E_MAP && (e->op == &ops[OP_Where] || e->op == &ops[OP_And] || e->op == &ops[OP_Or]);
}

/* Whether a condition asks where it is, beside data at some place: then it may protect an index. */
static bool asks_for_place(const Expr *e) {
    if (e->dtype == DT_index || e->kind == E_AXIS || e->kind == E_SYM) return true;
    for (int i = 0; e->kind != E_LOAD && e->kind != E_LOCAL && i < e->n; i++)
        if (asks_for_place(e->arg[i])) return true;
    return false;
}

static bool crosses_memory(const Expr *load, const Axis *a) {
    int64_t step;
    return coefficient(load->arg[0], a, &step) && llabs(step) > 1;
}

static void find_reads(Search *s, const Expr *e, bool chosen) {
    if (e->kind == E_LOAD) {
        if (chosen && crosses_memory(e, s->innermost)) push(s->arena, s->reads, (void *)(uintptr_t)e);
        return;
    }
    int n = chooses(e) && asks_for_place(e->arg[0]) ? 1 : e->n;
    for (int i = 0; i < n; i++) find_reads(s, e->arg[i], chosen || (i && chooses(e)));
}

/* One that was found twice has become a name the first time. */
static bool reads_it(const Expr *e, const Expr *load) {
    if (e == load) return true;
    for (int i = 0; i < e->n; i++)
        if (reads_it(e->arg[i], load)) return true;
    return false;
}

/* const float v = …: one of them, before the statement at *place, which then reads v. */
static Stmt **read_before(Lower *l, Stmt **place, Expr *load) {
    Temp *temp = NEW(l->arena, Temp);
    *temp = (Temp){"v", l->k->temps++, load->dtype, false};
    Stmt *let = NEW(l->arena, Stmt), *s = *place, *next = s->next;
    *let = (Stmt){.kind = S_LET, .temp = temp, .expr = load};
    Substitution w = new_substitution(l, load, new_temp_expr(l, temp));
    s->next = NULL;
    let->next = rewrite_stmts(l, s, &w);
    let->next->next = next;
    *place = let;
    return &let->next;
}

static void read_first(Lower *l, Stmt **place, const Axis *innermost) {
    for (; *place; place = &(*place)->next) {
        Stmt *s = *place;
        List reads = {0};
        if (s->kind == S_FOR && s->done) continue;
        read_first(l, &s->body, s->kind == S_FOR ? s->axis : innermost);
        read_first(l, &s->other, innermost);
        if (!gives_value(s) || !innermost || s->expr->kind == E_LOAD) continue;
        find_reads(&(Search){innermost, &reads, l->arena}, s->expr, false);
        for (int i = 0; i < reads.n; i++)
            if (reads_it((*place)->expr, reads.at[i])) place = read_before(l, place, reads.at[i]);
    }
}

void schedule_choices(Lower *l, Stmt **list) { read_first(l, list, NULL); }
