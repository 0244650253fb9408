/* put_tiles.c - the functions behind tiles, from templates, for the registers of a target. */
#include "base/embedded.h"
#include "render/template.h"
#include "schedule/tile.h"

const char *tile_name(Arena *a, const Tile *t) { return format(a, "tile_%dx%d", t->rows, t->cols); }

typedef struct {
    Str *out;
    const Target *target;
    List done; /* names of what is there already */
} Tiles;

static bool seen(Tiles *t, const char *name) {
    for (int i = 0; i < t->done.n; i++)
        if (!strcmp(t->done.at[i], name)) return true;
    push(t->out->arena, &t->done, (void *)(uintptr_t)name);
    return false;
}

/* What a tile calls, once for all of them. */
static void put_common(Tiles *t, const char *file, int lanes) {
    const Target *of = t->target;
    if (seen(t, format(t->out->arena, "%s %d", file, lanes))) return;
    Blank blanks[] = {{"lanes", NULL, lanes, 0},
                      {"bytes", NULL, 4 * lanes, 0},
                      {"target", of->name, 0, 0},
                      {"macro", of->macro, 0, 0},
                      {"flags", of->flags, 0, 0}};
    fill_template(t->out, embedded_text(file), COUNT(blanks), blanks);
    put_text(t->out, "\n");
}

static const char parameters[] =
    "(const float *x, ptrdiff_t x_row, ptrdiff_t x_tap, ptrdiff_t x_step, const float *w,\n"
    "    ptrdiff_t w_tap, ptrdiff_t w_step, int taps, int n, float ";

/* rows by cols whose sums fit the registers; `whole`: they are a tile, else a part of one, whose rows an argument says
 * how far apart they lie. */
static void put_part(Tiles *t, const char *name, int rows, int cols, int lanes, bool whole) {
    Arena *a = t->out->arena;
    if (t->target->registers) {
        put_common(t, "vector.h", lanes), put_common(t, "tile_vector.h", lanes);
        put(t->out, "static NNCC_NOINLINE void %s%s%s) {\n", name, parameters,
            whole ? format(a, "y[%d][%d]", rows, cols) : "*y, ptrdiff_t y_row");
        put(t->out, "    add_product_%d(%d, %d, x, x_row, x_tap, x_step, w, w_tap, w_step, taps, n, %s);\n}\n\n", lanes,
            rows, cols / lanes, whole ? format(a, "&y[0][0], %d", cols) : "y, y_row");
        return;
    }
    const char *y = whole ? format(a, "y[restrict %d][%d]", rows, cols) : "*restrict y, ptrdiff_t y_row";
    Blank blanks[] = {{"rows", NULL, rows, 0}, {"cols", NULL, cols, 0}, {"p", NULL, 0, rows},
                      {"name", name, 0, 0},    {"y", y, 0, 0},          {"y_row", whole ? "][" : " * y_row + ", 0, 0}};
    fill_template(t->out, embedded_text(t->target->template), COUNT(blanks), blanks);
    put_text(t->out, "\n");
}

static const char *part_name(Tiles *t, const TileParts *p, int kind) {
    return format(t->out->arena, "part_%dx%d", p->rows.size[kind], p->cols);
}

/* Calls of `count` parts, the first at row `from`, as one statement. */
static void put_part_calls(Tiles *t, const TileParts *p, int kind, int cols, int indent) {
    int rows = p->rows.size[kind], count = (int)p->rows.count[kind],
        from = kind ? (int)p->rows.count[0] * p->rows.size[0] : 0;
    if (!count) return;
    const char *row = from ? format(t->out->arena, "%d", from) : NULL;
    put(t->out, "%*s", indent, "");
    if (count > 1) put(t->out, "for (int p = %d; p < %d; p += %d) ", from, from + count * rows, rows), row = "p";
    bool across = p->cols < cols;
    put(t->out, "%s(x%s, x_row, x_tap, x_step, w%s, w_tap, w_step, taps, n, &y[%s][%s], %d);\n", part_name(t, p, kind),
        row ? format(t->out->arena, " + %s * x_row", row) : "", across ? " + j" : "", row ? row : "0",
        across ? "j" : "0", cols);
}

static void put_tile(Tiles *t, const char *name, int rows, int cols) {
    TileParts p = choose_parts(t->target, rows, cols);
    bool across = p.cols < cols;
    if (!across && p.rows.size[0] == rows) {
        put_part(t, name, rows, cols, p.lanes, true);
        return;
    }
    for (int kind = 0; kind < 2; kind++)
        if (p.rows.count[kind] && !seen(t, part_name(t, &p, kind)))
            put_part(t, part_name(t, &p, kind), p.rows.size[kind], p.cols, p.lanes, false);
    put(t->out, "/* %d rows by %d columns, in parts whose sums fit the registers. */\nstatic void %s%sy[%d][%d]) {\n",
        rows, cols, name, parameters, rows, cols);
    if (across) put(t->out, "    for (int j = 0; j < %d; j += %d) {\n", cols, p.cols);
    for (int kind = 0; kind < 2; kind++) put_part_calls(t, &p, kind, cols, across ? 8 : 4);
    put(t->out, "%s}\n\n", across ? "    }\n" : "");
}

void put_tiles(Str *out, const Target *target, const List *needs) {
    Tiles t = {.out = out, .target = target};
    for (int i = 0; i < needs->n; i++) {
        const char *name = needs->at[i];
        int rows, cols;
        if (sscanf(name, "tile_%dx%d", &rows, &cols) != 2 || seen(&t, name)) continue;
        put_common(&t, "noinline.h", 0), put_common(&t, target->registers ? "unroll.h" : "rolled.h", 0);
        if (target->macro) put_common(&t, "only_for.h", 0);
        put_tile(&t, name, rows, cols);
    }
}
