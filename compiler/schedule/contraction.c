/* contraction.c - finds products among nests: parallel loops around  acc = init; for k… acc += x[…] * w[…]; y[…] =
 * f(acc).
 */
#include "schedule/contraction.h"
#include "schedule/schedule.h"

static bool is_load(const Expr *e) { return e->kind == E_LOAD && e->dtype == DT_f32 && e->value->type.dtype == DT_f32; }

/* acc = acc + a * b, both loaded. */
static bool match_update(Contraction *p, const Stmt *s) {
    const Expr *e = s->expr;
    if (s->kind != S_SET || s->next || s->temp != p->acc->temp || e->kind != E_MAP || e->op != &ops[OP_Add])
        return false;
    const Expr *product = e->arg[1];
    if (e->arg[0] != p->acc || product->kind != E_MAP || product->op != &ops[OP_Mul]) return false;
    p->x = product->arg[0], p->w = product->arg[1];
    return is_load(p->x) && is_load(p->w);
}

static bool only_guard(const Stmt *s) { return s->kind == S_IF && !s->other && !s->next; }

static bool match_sum(Lower *l, Contraction *p, const Stmt *s) {
    p->steps = 0, p->guard = NULL;
    for (bool loop; s && ((loop = plain_for(s) && s->axis->kind == AX_SEQ) || (p->steps && only_guard(s)));
         s = s->body) {
        if (!loop)
            p->guard = p->guard ? map2(l, OP_And, p->guard, s->expr) : s->expr;
        else if (p->steps == MAX_LOOPS)
            return false;
        else
            p->step[p->steps++] = s->axis;
        if (!s->body || s->body->next) return false;
    }
    return p->steps > 0 && s && match_update(p, s);
}

bool find_contraction(Lower *l, Stmt *s, Contraction *p) {
    for (p->loops = 0; plain_parallel(s) && p->loops < MAX_LOOPS; s = s->body) {
        p->loop[p->loops++] = s;
        if (!s->body || (s->body->next && plain_parallel(s->body))) return false;
    }
    if (!p->loops || !s || s->kind != S_LET || !s->temp->mutable || s->temp->dtype != DT_f32 || !s->next) return false;
    p->init = s, p->sum = s->next, p->rest = s->next->next;
    p->acc = new_temp_expr(l, s->temp);
    return p->rest && match_sum(l, p, p->sum) && !names_temp(p->rest, S_SET, s->temp);
}
