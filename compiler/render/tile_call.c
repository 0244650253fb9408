/* tile_call.c - calls of tiles: their strides have names in the kernel, tile_6x64(x[i], x_row, x_tap, …). */
#include "render/renderer.h"
#include "schedule/schedule.h"
#include "schedule/tile.h"

enum { TAPS = 5, N, LINE, GROUP, CHUNK, NUMBERS };

/* The numbers that a tile is called with, in the order of its parameters, and what the kernel calls them. */
typedef struct {
    const Value *owner; /* NULL: of the sum */
    const char *role;
    const Expr *expr; /* NULL: number */
    int64_t number;
    const char *name;
} Constant;

/* x_row x_tap x_step w_tap w_step taps n, x_line, group chunk */
static void numbers_of(const Tile *t, Constant *c) {
    c[0] = (Constant){t->x, "row", t->x_row, 0, NULL};
    c[1] = (Constant){t->x, "tap", t->x_tap, 0, NULL};
    c[2] = (Constant){t->x, "step", t->x_step, 0, NULL};
    c[3] = (Constant){t->w, "tap", t->w_tap, 0, NULL};
    c[4] = (Constant){t->w, "step", t->w_step, 0, NULL};
    c[TAPS] = (Constant){NULL, "taps", t->taps, 0, NULL};
    c[N] = (Constant){NULL, "n", t->n, 0, NULL};
    c[LINE] = (Constant){t->x, "line", t->x_line, 0, NULL};
    c[GROUP] = (Constant){NULL, "group", NULL, t->group, NULL};
    c[CHUNK] = (Constant){NULL, "chunk", NULL, t->chunk, NULL};
    for (int i = 0; i <= LINE; i++)
        if (c[i].expr && c[i].expr->kind == E_INT) c[i].number = c[i].expr->i, c[i].expr = NULL;
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

/* A piece of all, or of one, needs no name; nor does a line where there is one. */
static bool is_used(const Constant *c, int i) { return i < LINE || c[i].number > 1; }

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
        if (is_used(c, i) && can_be_named(&c[i]) && !find_constant(r, &c[i])) name_constant(r, &c[i], &before);
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
    const Constant *named = can_be_named(c) ? find_constant(r, c) : NULL;
    if (named)
        put_text(r->out, named->name);
    else if (c->expr)
        expr(r, c->expr, PREC_UNARY);
    else
        put(r->out, "%lld", (long long)c->number);
}

/* ---- sums in pieces ---- */

/* A loop over taps or n, some at a time. */
typedef struct {
    const Constant *all, *some; /* 0: all of them */
    const char *name;           /* NULL: there is no loop */
} Pieces;

static bool is_cut(const Constant *all, const Constant *some) {
    return some->number && (all->expr || all->number > some->number);
}

static Pieces begin_pieces(Render *r, const Constant *all, const Constant *some, const char *name, bool block) {
    Pieces p = {all, some, NULL};
    const char *open = block ? " {\n" : "\n";
    if (!is_cut(all, some)) return p;
    p.name = take_name(r, name);
    put(r->out, "for (int %s = 0; %s < ", p.name, p.name);
    put_number(r, all);
    if (some->number == 1)
        put(r->out, "; %s++)%s", p.name, open);
    else
        put(r->out, "; %s += ", p.name), put_number(r, some), put(r->out, ")%s", open);
    r->indent++;
    start_line(r);
    return p;
}

/* How many there are of this piece. */
static void put_size(Render *r, const Pieces *p) {
    put_text(r->out, ", ");
    bool even = !p->all->expr && p->some->number && p->all->number % p->some->number == 0;
    if (p->name && !even) {
        put_number(r, p->all), put(r->out, " - %s < ", p->name), put_number(r, p->some), put_text(r->out, " ? ");
        put_number(r, p->all), put(r->out, " - %s : ", p->name);
    }
    put_number(r, p->name ? p->some : p->all);
}

static bool moves(const Pieces *p, const Constant *step) { return p->name && (step->expr || step->number); }

/* " + k * x_step" */
static void put_offset(Render *r, const Pieces *p, const Constant *step) {
    if (!moves(p, step)) return;
    const char *cast = strcmp(r->index_type, "int") ? format(r->arena, "(%s)", r->index_type) : "";
    put(r->out, " + %s%s * ", cast, p->name);
    put_number(r, step);
}

/* Where a tile begins to read. A piece's place is counted from the beginning, past the rows of the array: the pointer
 * is one to elements. */
static void put_start(Render *r, Value *v, Expr *at, const Local *copy, const Pieces *taps, const Constant *tap,
                      const Pieces *n, const Constant *step) {
    put_text(r->out, moves(taps, tap) || moves(n, step) ? "(const float *)" : "");
    if (copy)
        put(r->out, "%s%s", r->local_name[copy->id], copy->row ? "[0]" : "");
    else
        put_address(r, v, at);
    put_offset(r, taps, tap), put_offset(r, n, step);
}

/* After every PIECES calls, and the last of a loop: "if (k + chunk >= n || k / chunk % 8 == 7)". */
static void put_add_piece(Render *r, const Tile *t, const Pieces *p) {
    const char *name = ADD_PIECE;
    need(r, name);
    start_line(r);
    if (p->name) {
        put(r->out, "if (%s + ", p->name), put_number(r, p->some), put_text(r->out, " >= "), put_number(r, p->all);
        put(r->out, " || %s / ", p->name), put_number(r, p->some), put(r->out, " %% %d == %d) ", PIECES, PIECES - 1);
    }
    put(r->out, "%s(%s%s, %s[0], ", isa_name(r->arena, r->k->module, name), r->local_name[t->sums->id],
        t->sums->row ? "[0]" : "", r->local_name[t->piece->id]);
    if (t->height)
        expr(r, t->height, PREC_UNARY), put(r->out, " * %d);\n", t->cols);
    else
        put(r->out, "%d);\n", (t->lines ? t->lines : 1) * t->rows * t->cols);
    r->indent--;
    start_line(r);
    put_text(r->out, "}\n");
}

void tile_call(Render *r, const Tile *t) {
    Constant c[NUMBERS];
    const char *name = tile_name(r->arena, t);
    int scope = r->scope.n, indent = r->indent;
    numbers_of(t, c);
    need(r, name);
    bool inner = is_cut(&c[N], &c[CHUNK]);
    Pieces taps = begin_pieces(r, &c[TAPS], &c[GROUP], "tap", t->piece && !inner),
           n = begin_pieces(r, &c[N], &c[CHUNK], "k", t->piece);
    if (t->piece && !taps.name && !inner) put_text(r->out, "{\n"), r->indent++, start_line(r);
    put(r->out, "%s(", isa_name(r->arena, r->k->module, name));
    put_start(r, t->x, t->x_at, NULL, &taps, &c[1], &n, &c[2]);
    for (int i = 0; i < 3; i++) put_text(r->out, ", "), put_number(r, &c[i]);
    put_text(r->out, ", ");
    put_start(r, t->w, t->w_at, t->copy, &taps, &c[3], &n, &c[4]);
    for (int i = 3; i < TAPS; i++) put_text(r->out, ", "), put_number(r, &c[i]);
    put_size(r, &taps), put_size(r, &n);
    const Local *to = t->piece ? t->piece : t->sums;
    if (t->lines) put_text(r->out, ", "), put_number(r, &c[LINE]);
    if (t->height) put_text(r->out, ", "), expr(r, t->height, PREC_ANY);
    put(r->out, ", %s%s);\n", to->row ? "" : "&", r->local_name[to->id]);
    if (t->piece) put_add_piece(r, t, inner ? &n : &taps);
    r->indent = indent;
    leave_scope(r, scope);
}
