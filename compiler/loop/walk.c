/* walk.c - walks over a nest that only look: at what it loads and stores, and where a temp is set. */
#include "loop/loop.h"

static void visit_expr(const Visitor *v, const Expr *e) {
    if (!e || (v->seen && v->seen[e->id])) return;
    if (v->seen) v->seen[e->id] = 1;
    if (e->kind == E_LOAD || e->kind == E_LOCAL) v->load(v->arg, e);
    for (int i = 0; i < e->n; i++) visit_expr(v, e->arg[i]);
}

void visit_stmt(const Visitor *v, const Stmt *s) {
    visit_expr(v, s->lo), visit_expr(v, s->hi), visit_expr(v, s->index), visit_expr(v, s->expr);
    if (s->kind == S_FOR) visit_expr(v, s->axis->size);
    if (s->kind == S_STORE || s->kind == S_PUT) v->store(v->arg, s);
    if (s->kind == S_TILE && v->tile) v->tile(v->arg, s->tile);
    visit_stmts(v, s->body), visit_stmts(v, s->other);
}

void visit_stmts(const Visitor *v, const Stmt *s) {
    for (; s; s = s->next) visit_stmt(v, s);
}

bool names_temp(const Stmt *s, StmtKind kind, const Temp *t) {
    for (; s; s = s->next)
        if ((s->kind == kind && s->temp == t) || names_temp(s->body, kind, t) || names_temp(s->other, kind, t))
            return true;
    return false;
}
