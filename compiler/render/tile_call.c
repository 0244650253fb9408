/* tile_call.c - calls of tiles: their strides have names in the kernel, tile_6x64(x[i], x_row, x_tap, …). */
#include "render/renderer.h"
#include "schedule/tile.h"

enum { NUMBERS = 7 };

/* The numbers that a tile is called with, in the order of its parameters, and what the kernel calls them. */
typedef struct {
    const Value *owner; /* NULL: of the sum */
    const char *role;
    const Expr *expr; /* NULL: number */
    int64_t number;
    const char *name;
} Constant;

/* x_row x_tap x_step w_tap w_step taps n */
static void numbers_of(const Tile *t, Constant *c) {
    c[0] = (Constant){t->x, "row", NULL, t->x_row, NULL};
    c[1] = (Constant){t->x, "tap", NULL, t->x_tap, NULL};
    c[2] = (Constant){t->x, "step", NULL, t->x_step, NULL};
    c[3] = (Constant){t->w, "tap", NULL, t->w_tap, NULL};
    c[4] = (Constant){t->w, "step", NULL, t->w_step, NULL};
    c[5] = (Constant){NULL, "taps", t->taps, 0, NULL};
    c[6] = (Constant){NULL, "n", t->n, 0, NULL};
    for (int i = 5; i < NUMBERS; i++)
        if (c[i].expr->kind == E_INT) c[i].number = c[i].expr->i, c[i].expr = NULL;
}

static const Constant *find_constant(const Render *r, const Constant *c) {
    for (int i = 0; i < r->constants.n; i++) {
        const Constant *known = r->constants.at[i];
        if (known->owner == c->owner && known->number == c->number && !strcmp(known->role, c->role)) return known;
    }
    return NULL;
}

/* An enum's constants are ints; what is known at run time alone has no name. */
static bool can_be_named(const Constant *c) { return !c->expr && llabs(c->number) <= INT32_MAX; }

static void name_constant(Render *r, const Constant *c, const char **before) {
    Constant *named = arena_copy(r->arena, c, sizeof *c);
    const char *role = c->owner ? format(r->arena, "%s_%s", value_name(r, c->owner), c->role) : c->role;
    named->name = take_name(r, role);
    push(r->arena, &r->constants, named);
    put(r->out, "%s%s = %lld", *before, named->name, (long long)c->number);
    *before = ", ";
}

static void name_tile(Render *r, const Tile *t) {
    Constant c[NUMBERS];
    const char *before = "enum { ";
    numbers_of(t, c);
    size_t line = r->out->n;
    start_line(r);
    for (int i = 0; i < NUMBERS; i++)
        if (can_be_named(&c[i]) && !find_constant(r, &c[i])) name_constant(r, &c[i], &before);
    if (*before == ',')
        put_text(r->out, " }; /* see NNCC_TILE_PARAMS */\n");
    else
        r->out->n = line;
}

void name_tiles(Render *r, const Stmt *s) {
    for (; s; s = s->next) {
        if (s->tile) name_tile(r, s->tile);
        name_tiles(r, s->body), name_tiles(r, s->other);
    }
}

static void put_number(Render *r, const Constant *c) {
    put_text(r->out, ", ");
    if (can_be_named(c))
        put_text(r->out, find_constant(r, c)->name);
    else if (c->expr)
        expr(r, c->expr, PREC_ANY);
    else
        put(r->out, "%lld", (long long)c->number);
}

void tile_call(Render *r, const Tile *t) {
    Constant c[NUMBERS];
    const char *name = tile_name(r->arena, t);
    numbers_of(t, c);
    need(r, name);
    put(r->out, "%s(", isa_name(r->arena, r->k->module, name));
    put_address(r, t->x, t->x_at);
    for (int i = 0; i < 3; i++) put_number(r, &c[i]);
    put_text(r->out, ", ");
    put_address(r, t->w, t->w_at);
    for (int i = 3; i < NUMBERS; i++) put_number(r, &c[i]);
    put(r->out, ", %s%s);\n", t->sums->row ? "" : "&", r->local_name[t->sums->id]);
}
