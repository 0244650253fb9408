/* count.c - the multiply-adds of a nest. */
#include "loop/loop.h"

/* A sum in place whose one side is a product: what multiply-add units do. */
static bool multiply_adds(const Expr *e) {
    while (e->kind == E_CAST) e = e->arg[0];
    if (e->kind != E_MAP || e->op != &ops[OP_Add]) return false;
    for (int i = 0; i < 2; i++) {
        const Expr *side = e->arg[i];
        while (side->kind == E_CAST) side = side->arg[0];
        if (side->kind == E_MAP && side->op == &ops[OP_Mul]) return true;
    }
    return false;
}

static int64_t saturating_mul(int64_t a, int64_t b) { return mul_ok(a, b, &a) ? a : INT64_MAX; }

/* Multiply-adds of reductions, every loop at its full extent. Blocks nest as deep as a kernel has axes. */
int64_t count_macs(const Stmt *s) {
    int64_t n = 0;
    for (; s; s = s->next) {
        int64_t inside = saturating_add(count_macs(s->body), count_macs(s->other));
        if (s->kind == S_FOR) inside = saturating_mul(inside, s->axis->extent);
        if ((s->kind == S_SET || s->kind == S_STORE || s->kind == S_PUT) && multiply_adds(s->expr))
            inside = saturating_add(inside, 1);
        n = saturating_add(n, inside);
    }
    return n;
}
