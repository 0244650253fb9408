/* stmt.c - statements, in blocks. */
#include "ir/build.h"
#include "loop/expr.h"

static bool is_atom(const Expr *e) {
    return is_constant(e) || e->kind == E_AXIS || e->kind == E_SYM || (e->kind == E_TEMP && !e->temp->mutable);
}

static void append_stmt(Lower *l, Stmt *s) {
    Block *b = &l->block[l->depth - 1];
    if (b->last)
        b->last->next = s;
    else
        b->first = s;
    b->last = s;
}

static void add_stmt(Lower *l, Stmt proto) { append_stmt(l, arena_copy(l->arena, &proto, sizeof proto)); }

/* A block's statement joins its parent's list only when it is closed, so that code hoisted meanwhile comes before it.
 */
void push_block(Lower *l, Stmt *owner) {
    if (l->depth == l->cap) {
        Block *grown = NEW_ARRAY(l->arena, Block, l->cap ? 2 * l->cap : 32);
        if (l->depth) memcpy(grown, l->block, sizeof(Block) * (size_t)l->depth);
        l->cap = l->cap ? 2 * l->cap : 32, l->block = grown;
    }
    l->block[l->depth++] = (Block){.owner = owner};
}

static Stmt *new_stmt(Lower *l, Stmt proto) { return arena_copy(l->arena, &proto, sizeof proto); }

Expr *open_for(Lower *l, const char *name, AxisKind kind, Expr *size) {
    Axis *axis = NEW(l->arena, Axis);
    int64_t lo = 0, hi = 0;
    if (!bounds_of(size, &lo, &hi)) hi = INT32_MAX;
    *axis = (Axis){.name = name, .id = l->k->axes++, .kind = kind, .extent = hi, .size = size};
    push_block(l, new_stmt(l, (Stmt){.kind = S_FOR, .axis = axis}));
    return new_axis_expr(l, axis);
}

void open_if(Lower *l, Expr *cond) { push_block(l, new_stmt(l, (Stmt){.kind = S_IF, .expr = cond})); }

void open_while(Lower *l, Expr *cond) { push_block(l, new_stmt(l, (Stmt){.kind = S_WHILE, .expr = cond})); }

void open_else(Lower *l) {
    Block *b = &l->block[l->depth - 1];
    ASSERT(b->owner->kind == S_IF && !b->in_else);
    b->owner->body = b->first;
    *b = (Block){.owner = b->owner, .in_else = true};
}

/* An if whose condition is certain leaves its body, or nothing, in its place. */
void close_block(Lower *l) {
    Block b = l->block[--l->depth];
    Stmt *s = b.owner;
    *(b.in_else ? &s->other : &s->body) = b.first;
    if (s->kind == S_IF && s->expr->kind == E_INT) {
        Stmt *kept = s->expr->i ? s->body : s->other;
        for (Stmt *next; kept; kept = next) next = kept->next, kept->next = NULL, append_stmt(l, kept);
        return;
    }
    if (s->kind == S_FOR && s->axis->size->kind == E_INT && s->axis->size->i == 0) return;
    append_stmt(l, s);
}

static Expr *new_temp(Lower *l, const char *name, DType t, bool mutable) {
    Temp *temp = NEW(l->arena, Temp);
    *temp = (Temp){name, l->k->temps++, t, mutable};
    return new_temp_expr(l, temp);
}

Expr *let(Lower *l, const char *name, Expr *e) {
    if (is_atom(e)) return e;
    Expr *t = new_temp(l, name, e->dtype, false);
    add_stmt(l, (Stmt){.kind = S_LET, .temp = t->temp, .expr = e});
    return t;
}

Expr *var(Lower *l, const char *name, DType t, Expr *init) {
    Expr *v = new_temp(l, name, compute_type(t), true);
    add_stmt(l, (Stmt){.kind = S_LET, .temp = v->temp, .expr = cast(l, init, t)});
    return v;
}

void set(Lower *l, Expr *v, Expr *e) {
    ASSERT(v->kind == E_TEMP && v->temp->mutable && v->dtype == e->dtype);
    add_stmt(l, (Stmt){.kind = S_SET, .temp = v->temp, .expr = e});
}

void store_flat(Lower *l, Value *v, Expr *index, Expr *e) {
    add_stmt(l, (Stmt){.kind = S_STORE, .value = v, .index = index, .expr = cast(l, e, v->type.dtype)});
}

void store_bits(Lower *l, Value *v, Expr *const *idx, Expr *e) {
    add_stmt(l, (Stmt){.kind = S_STORE, .value = v, .index = flat_index(l, v, idx), .expr = e, .bits = true});
}

void store(Lower *l, Value *v, Expr *const *idx, Expr *e) { store_flat(l, v, flat_index(l, v, idx), e); }

Local *local_new(Lower *l, const char *name, DType t, int64_t count) {
    Local *a = NEW(l->arena, Local);
    *a = (Local){name, l->k->locals++, compute_type(t), count};
    add_stmt(l, (Stmt){.kind = S_LOCAL, .local = a});
    return a;
}

void put_local(Lower *l, Local *a, Expr *index, Expr *e) {
    add_stmt(l, (Stmt){.kind = S_PUT, .local = a, .index = index, .expr = cast(l, e, a->dtype)});
}

Value *scratch(Lower *l, const char *name, DType t, int rank, const int64_t *dim) {
    Value *v = NEW(l->arena, Value);
    v->kind = V_NODE, v->name = name, v->type = type_make(t, rank, dim), v->plan.offset = -1,
    v->plan.base = v->plan.buffer = v;
    v->graph = NULL, v->def = NULL, v->id = -1;
    push(l->arena, &l->k->scratch, v);
    return v;
}
