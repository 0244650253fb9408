/* sum.c - loops that only add up: their iterations can run in any order, and be shared. */
#include "cuda/cuda.h"

static bool uses_temp(const Expr *e, const Temp *t) {
    if (!e) return false;
    if (e->kind == E_TEMP && e->temp == t) return true;
    for (int i = 0; i < e->n; i++)
        if (uses_temp(e->arg[i], t)) return true;
    return false;
}

const char *reduction_name(Arena *a, const Op *op, DType t, int groups) {
    return format(a, "%s_%s_%s", groups > 1 ? "groups" : "group", op->sum, dtypes[t].name);
}

bool parse_reduction_name(const Target *gpu, const char *name, const Op **op, DType *t, int *groups) {
    char word[16], type[8];
    *groups = strncmp(name, "groups_", 6) ? 1 : columns_of(gpu);
    if (sscanf(name, *groups > 1 ? "groups_%15[a-z]_%7s" : "group_%15[a-z]_%7s", word, type) != 2) return false;
    for (int i = 0; i < n_ops; i++)
        if (ops[i].sum && !strcmp(ops[i].sum, word)) return *op = &ops[i], *t = find_dtype(type), true;
    return false;
}

/* t = t op e, where neither e nor anything else in the loop refers to t. */
static void take_sum(Sums *r, const Stmt *s) {
    const Expr *e = s->expr;
    bool form = e->kind == E_MAP && e->n == 2 && e->op->sum && e->arg[0]->kind == E_TEMP &&
                e->arg[0]->temp == s->temp && !uses_temp(e->arg[1], s->temp) && e->dtype != DT_index;
    for (int i = 0; i < r->n; i++) form = form && r->temp[i] != s->temp;
    if (!form || r->n == MAX_SUMS) {
        r->fits = false;
        return;
    }
    r->temp[r->n] = s->temp, r->op[r->n++] = e->op;
}

static void find_sums(Sums *r, const Stmt *s, const Stmt *whole) {
    for (; s && r->fits; s = s->next) {
        if (s->kind == S_STORE || s->kind == S_LOCAL || s->kind == S_WHILE || s->kind == S_TILE || is_parallel(s))
            r->fits = false;
        if (s->kind == S_PUT) r->fits = r->fits && uses_axis(s->index, whole->axis);
        if (s->kind == S_SET && !names_temp(whole->body, S_LET, s->temp)) take_sum(r, s);
        find_sums(r, s->body, whole), find_sums(r, s->other, whole);
    }
}

static int uses_of(const Stmt *s, const Temp *t) {
    int n = 0;
    for (; s; s = s->next)
        n += uses_temp(s->index, t) || uses_temp(s->lo, t) || uses_temp(s->hi, t) || uses_temp(s->expr, t),
            n += uses_of(s->body, t) + uses_of(s->other, t);
    return n;
}

/* Whether the loop only adds up: then its iterations can run in any order. */
bool sums_of(const Stmt *s, Sums *r) {
    *r = (Sums){.fits = plain_for(s) && s->axis->kind == AX_SEQ};
    if (r->fits) find_sums(r, s->body, s);
    for (int i = 0; i < r->n && r->fits; i++) r->fits = uses_of(s->body, r->temp[i]) == 1;
    return r->fits && r->n;
}

/* ---- for a tree ---- */

/* Assignments to one temp become assignments to another, in statements that are no one else's. */
void retarget(Stmt *s, const Temp *from, Temp *to) {
    for (; s; s = s->next) {
        if (s->kind == S_SET && s->temp == from) s->temp = to;
        retarget(s->body, from, to), retarget(s->other, from, to);
    }
}

/* for r { row = 0; for s row += e; sum += row }  as  for r for s sum += e: a tree needs no rows. */
const Stmt *without_row_sums(Lower *l, const Stmt *s) {
    Stmt *row = s->body, *in = row ? row->next : NULL, *add = in ? in->next : NULL;
    bool form = row && in && add && !add->next && row->kind == S_LET && row->temp->mutable && in->kind == S_FOR &&
                add->kind == S_SET && add->expr->kind == E_MAP && add->expr->op == &ops[OP_Add] &&
                add->expr->arg[1]->kind == E_TEMP && add->expr->arg[1]->temp == row->temp && row->expr->kind == E_NUM &&
                row->expr->num == 0;
    if (!form) return s;
    const Stmt *leaf = in;
    for (; leaf && (leaf->kind == S_FOR || (leaf->kind == S_IF && !leaf->other)); leaf = leaf->body)
        if (leaf->next && leaf != in) return s;
    while (leaf && leaf->kind == S_LET && !leaf->temp->mutable) leaf = leaf->next;
    if (!leaf || leaf->next || leaf->kind != S_SET || leaf->temp != row->temp) return s;
    Stmt *c = new_stmt(l, *s);
    Substitution w = new_substitution(l, new_temp_expr(l, row->temp), new_temp_expr(l, add->temp));
    c->body = rewrite_stmts(l, in, &w), c->body->next = NULL, c->next = NULL;
    retarget(c->body, row->temp, add->temp);
    return c;
}
