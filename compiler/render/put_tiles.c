/* put_tiles.c - the functions behind tiles, from templates, for the registers of a target. */
#include "base/embedded.h"
#include "render/template.h"
#include "schedule/tile.h"

const char *tile_name(Arena *a, const Tile *t) {
    if (t->lines) return format(a, "tile_%dx%dx%d", t->lines, t->rows, t->cols);
    return format(a, t->height ? "tile_upto_%dx%d" : "tile_%dx%d", t->rows, t->cols);
}

/* Of a tile that has as many rows as it is told, up to those in its name. */
static bool is_open(const char *name) { return !strncmp(name, "tile_upto_", 10); }

/* Of a tile of so many lines of rows; 0: it has no lines. */
static int lines_of(const char *name) {
    int lines, rows, cols;
    return sscanf(name, "tile_%dx%dx%d", &lines, &rows, &cols) == 3 ? lines : 0;
}

static bool of_name(const char *name, int *rows, int *cols) {
    if (lines_of(name)) return sscanf(name, "tile_%*dx%dx%d", rows, cols) == 2;
    return sscanf(name, is_open(name) ? "tile_upto_%dx%d" : "tile_%dx%d", rows, cols) == 2;
}

/* Tiles of a module for its target, or for one instruction set of those that it has. */
typedef struct {
    Str *out;
    const Target *target;
    const Module *m;
    List done; /* names of what is there already */
} Tiles;

static bool seen(Tiles *t, const char *name) {
    for (int i = 0; i < t->done.n; i++)
        if (!strcmp(t->done.at[i], name)) return true;
    push(t->out->arena, &t->done, (void *)(uintptr_t)name);
    return false;
}

/* ---- what is there once: macros and types ---- */

static void put_template(Str *out, const char *file, int n, Blank *blanks) {
    fill_template(out, embedded_text(file), n, blanks);
    put_text(out, "\n");
}

bool any_tile(const List *needs) {
    int rows, cols;
    for (int i = 0; i < needs->n; i++)
        if (of_name(needs->at[i], &rows, &cols)) return true;
    return false;
}

static bool is_needed(const List *needs, const char *name) {
    for (int i = 0; i < needs->n; i++)
        if (!strcmp(needs->at[i], name)) return true;
    return false;
}

/* Widths of vectors that a target's tiles take, as a set of bits, which powers of two are. */
static int lanes_of(const Target *t, const List *needs) {
    int rows, cols, all = 0;
    for (int i = 0; i < needs->n && t->registers; i++)
        if (of_name(needs->at[i], &rows, &cols)) all |= choose_parts(t, rows, cols).lanes;
    return all;
}

static void put_vector_types(Str *out, int lanes) {
    for (int n = 4; n <= lanes; n *= 2) {
        Blank blanks[] = {{"lanes", NULL, n, 0}, {"bytes", NULL, 4 * n, 0}};
        if (lanes & n) put_template(out, "vector.h", COUNT(blanks), blanks);
    }
}

/* Portable C, for small machines, is as large as the build's flags say. */
static void put_optimize(Str *out, const Module *m) {
    const Target *const *isa = m->target->isas;
    while (*isa && (*isa)->registers) isa++;
    Blank unless = {"unless",
                    *isa && has_isas(m) ? format(out->arena, " && NNCC_ISAS != NNCC_ISA_%s", (*isa)->isa) : "", 0, 0};
    put_template(out, "optimize.h", 1, &unless);
}

void put_tile_macros(Str *out, const Module *m, const List *needs) {
    const Target *t = m->target;
    Blank blanks[] = {
        {"target", t->name, 0, 0}, {"macro", t->macro, 0, 0}, {"flags", target_flags(out->arena, t), 0, 0}};
    int lanes = lanes_of(t, needs);
    bool plain = !t->registers;
    for (const Target *const *isa = t->isas; *isa && has_isas(m); isa++) lanes |= lanes_of(*isa, needs);
    if (t->macro && any_tile(needs)) put_template(out, "only_for.h", COUNT(blanks), blanks);
    if (t->macro || has_isas(m)) put_optimize(out, m);
    if (is_needed(needs, ALIGN_STACK)) put_template(out, ALIGN_STACK, 0, NULL);
    if (is_needed(needs, VECTOR_LOOP)) put_template(out, VECTOR_LOOP, 0, NULL);
    if (!any_tile(needs)) return;
    put_template(out, "noinline.h", 0, NULL);
    put_template(out, "product.h", 0, NULL);
    if (plain) put_template(out, "rolled.h", 0, NULL);
    if (!lanes) return;
    put_template(out, "unroll.h", 0, NULL);
    if (plain) put_text(out, "#if defined __GNUC__\n");
    put_vector_types(out, lanes);
    if (plain) put_text(out, "#endif\n");
}

/* ---- parts ---- */

static const char *product_name(const Tiles *t, int lanes) {
    return isa_name(t->out->arena, t->m, format(t->out->arena, "add_product_%d", lanes));
}

/* rows by cols whose sums fit the registers; `whole`: they are a tile, else a part of one, whose rows an argument says
 * how far apart they lie. */
static void put_part(Tiles *t, const char *name, int rows, int cols, int lanes, bool whole) {
    Arena *a = t->out->arena;
    if (t->target->registers) {
        put(t->out, "static NNCC_NOINLINE void %s(NNCC_TILE_PARAMS, float %s) {\n", isa_name(t->out->arena, t->m, name),
            whole ? format(a, "y[%d][%d]", rows, cols) : "*y, ptrdiff_t y_row");
        put(t->out, "    %s(%d, %d, %d, NNCC_TILE_ARGS(x, w), 0, %s);\n}\n", product_name(t, lanes), rows, rows,
            cols / lanes, whole ? format(a, "&y[0][0], %d", cols) : "y, y_row");
        return;
    }
    const char *y = whole ? format(a, "y[restrict %d][%d]", rows, cols) : "*restrict y, ptrdiff_t y_row";
    Blank blanks[] = {{"rows", NULL, rows, 0}, {"cols", NULL, cols, 0},
                      {"p", NULL, 0, rows},    {"name", isa_name(t->out->arena, t->m, name), 0, 0},
                      {"y", y, 0, 0},          {"y_row", whole ? "][" : " * y_row + ", 0, 0}};
    put_template(t->out, "tile.h", COUNT(blanks), blanks);
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
    put(t->out, "%s(NNCC_TILE_ARGS(x%s, w%s), &y[%s][%s], %d);\n", isa_name(t->out->arena, t->m, part_name(t, p, kind)),
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
    put(t->out, "static void %s(NNCC_TILE_PARAMS, float y[%d][%d]) {\n", isa_name(t->out->arena, t->m, name), rows,
        cols);
    if (across) put(t->out, "    for (int j = 0; j < %d; j += %d) {\n", cols, p.cols);
    for (int kind = 0; kind < 2; kind++) put_part_calls(t, &p, kind, cols, across ? 8 : 4);
    put(t->out, "%s}\n", across ? "    }\n" : "");
}

/* A part of several lines. */
static void put_line_part(Tiles *t, const char *name, int lines, int line, int cols, int lanes) {
    put(t->out, "static NNCC_NOINLINE void %s(NNCC_TILE_PARAMS, ptrdiff_t x_line, float *y, ptrdiff_t y_row) {\n",
        isa_name(t->out->arena, t->m, name));
    put(t->out, "    %s(%d, %d, %d, NNCC_TILE_ARGS(x, w), x_line, y, y_row);\n}\n", product_name(t, lanes),
        lines * line, line, cols / lanes);
}

/* Calls of `count` parts of `lines` lines each, the first at line `from`, as one statement. */
static void put_line_calls(Tiles *t, const char *part, int from, int64_t count, int lines, int line, bool across,
                           int cols) {
    Arena *a = t->out->arena;
    const char *at = count > 1 ? "p" : format(a, "%d", from);
    put(t->out, "%*s", across ? 8 : 4, "");
    const char *step = lines > 1 ? format(a, "p += %d", lines) : "p++";
    if (count > 1) put(t->out, "for (int p = %d; p < %d; %s) ", from, from + (int)count * lines, step);
    put(t->out, "%s(NNCC_TILE_ARGS(x + %s * x_line, w%s), %s&y[%s * %d][%s], %d);\n", isa_name(a, t->m, part), at,
        across ? " + j" : "", lines > 1 ? "x_line, " : "", at, line, across ? "j" : "0", cols);
}

/* Several lines are a part where they fit; else each is a tile. */
static void put_line_tile(Tiles *t, const char *name, int lines, int line, int cols) {
    Arena *a = t->out->arena;
    TileParts p = choose_line_parts(t->target, lines, line, cols);
    const char *part[2], *one = format(a, "tile_%dx%d", line, cols);
    if (!p.cols && !seen(t, one)) put_tile(t, one, line, cols);
    for (int i = 0; i < 2 && p.cols; i++) {
        int n = p.rows.size[i];
        part[i] = n > 1 ? format(a, "part_%dx%dx%d", n, line, p.cols) : format(a, "part_%dx%d", line, p.cols);
        if (!p.rows.count[i] || seen(t, part[i])) continue;
        if (n > 1)
            put_line_part(t, part[i], n, line, p.cols, p.lanes);
        else
            put_part(t, part[i], line, p.cols, p.lanes, false);
    }
    put(t->out, "static void %s(NNCC_TILE_PARAMS, ptrdiff_t x_line, float y[%d][%d]) {\n", isa_name(a, t->m, name),
        lines * line, cols);
    if (!p.cols) {
        put(t->out, "    for (int p = 0; p < %d; p++) %s(NNCC_TILE_ARGS(x + p * x_line, w), &y[p * %d]);\n}\n", lines,
            isa_name(a, t->m, one), line);
        return;
    }
    bool across = p.cols < cols;
    if (across) put(t->out, "    for (int j = 0; j < %d; j += %d) {\n", cols, p.cols);
    for (int i = 0, from = 0; i < 2; from += (int)p.rows.count[i] * p.rows.size[i], i++)
        if (p.rows.count[i]) put_line_calls(t, part[i], from, p.rows.count[i], p.rows.size[i], line, across, cols);
    put(t->out, "%s}\n", across ? "    }\n" : "");
}

/* Rows are cut evenly into parts, as those of a tile whose rows are known. */
static void put_open_tile(Tiles *t, const char *name, int rows, int cols) {
    TileParts p = choose_parts(t->target, rows, cols);
    Arena *a = t->out->arena;
    int most = p.rows.size[0];
    bool across = p.cols < cols;
    const char *pad = across ? "    " : "";
    for (int n = 1; n <= most; n++) {
        const char *part = format(a, "part_%dx%d", n, p.cols);
        if (!seen(t, part)) put_part(t, part, n, p.cols, p.lanes, false);
    }
    put(t->out, "static void %s(NNCC_TILE_PARAMS, ptrdiff_t rows, float y[%d][%d]) {\n", isa_name(a, t->m, name), rows,
        cols);
    put(t->out, "    const ptrdiff_t parts = (rows + %d) / %d;\n", most - 1, most);
    if (across) put(t->out, "    for (int j = 0; j < %d; j += %d)\n", cols, p.cols);
    put(t->out, "%s    for (ptrdiff_t i = 0; i < parts; i++) {\n", pad);
    put(t->out, "%s        const ptrdiff_t p = rows * i / parts, end = rows * (i + 1) / parts;\n", pad);
    put(t->out, "%s        switch (end - p) {\n", pad);
    for (int n = 1; n <= most; n++)
        put(t->out, "%s        case %d: %s(NNCC_TILE_ARGS(x + p * x_row, w%s), &y[p][%s], %d); break;\n", pad, n,
            isa_name(a, t->m, format(a, "part_%dx%d", n, p.cols)), across ? " + j" : "", across ? "j" : "0", cols);
    put(t->out, "%s        }\n%s    }\n}\n", pad, pad);
}

static void put_all(Str *out, const Module *m, const Target *target, const List *needs) {
    Tiles t = {.out = out, .m = m, .target = target};
    int rows, cols;
    for (int i = 0; i < needs->n; i++)
        if (of_name(needs->at[i], &rows, &cols) && !seen(&t, needs->at[i])) {
            int lines = lines_of(needs->at[i]);
            if (lines)
                put_line_tile(&t, needs->at[i], lines, rows, cols);
            else
                (is_open(needs->at[i]) ? put_open_tile : put_tile)(&t, needs->at[i], rows, cols);
        }
}

/* The function of vectors that parts are instances of, for each width that `t` needs. */
static void put_product(Str *out, const Tiles *t, int lanes) {
    Blank blanks[] = {{"lanes", NULL, lanes, 0}, {"name", product_name(t, lanes), 0, 0}};
    put_template(out, "tile_vector.h", COUNT(blanks), blanks);
}

/* "NNCC_THIS_ISA & (NNCC_ISA_sse2 | NNCC_ISA_neon)": the sets that need vectors of so many lanes; NULL: none. */
static const char *sets_with(Arena *a, const Target *t, const List *needs, int lanes) {
    Str s = {.arena = a};
    for (const Target *const *isa = t->isas; *isa; isa++)
        if (lanes_of(*isa, needs) & lanes) put(&s, "%sNNCC_ISA_%s", s.n ? " | " : "NNCC_THIS_ISA & (", (*isa)->isa);
    if (s.n) put_text(&s, ")");
    return s.s;
}

/* Sets with the same registers and vectors have the same parts. */
static bool same_parts(const Target *a, const Target *b) {
    return a->lanes == b->lanes && a->registers == b->registers;
}

static void put_sets(Str *out, const Module *m, const List *needs) {
    const Target *t = m->target;
    Tiles of = {.out = out, .m = m};
    for (int n = 4; n <= 16; n *= 2) {
        const char *sets = sets_with(out->arena, t, needs, n);
        if (!sets) continue;
        put(out, "#if %s\n", sets);
        put_product(out, &of, n);
        put_text(out, "#endif\n\n");
    }
    for (int i = 0; t->isas[i]; i++) {
        int first = 0;
        while (!same_parts(t->isas[first], t->isas[i])) first++;
        if (first < i) continue;
        put(out, "%s NNCC_THIS_ISA & (", i ? "#elif" : "#if");
        for (int j = i, n = 0; t->isas[j]; j++)
            if (same_parts(t->isas[i], t->isas[j])) put(out, "%sNNCC_ISA_%s", n++ ? " | " : "", t->isas[j]->isa);
        put_text(out, ")\n\n");
        put_all(out, m, t->isas[i], needs);
    }
    put_text(out, "#endif\n");
}

static void put_add_piece(Str *out, const Module *m, const List *needs) {
    Blank name = {"name", isa_name(out->arena, m, ADD_PIECE), 0, 0};
    for (int i = 0; i < needs->n; i++)
        if (!strcmp(needs->at[i], ADD_PIECE)) {
            put_template(out, "add_piece.h", 1, &name);
            return;
        }
}

void put_tiles(Str *out, const Module *m, const List *needs) {
    const Target *t = m->target;
    Tiles one = {.out = out, .m = m, .target = t};
    int lanes = lanes_of(t, needs);
    if (!any_tile(needs)) return;
    put_add_piece(out, m, needs);
    if (has_isas(m)) {
        put_sets(out, m, needs);
        return;
    }
    for (int n = 4; n <= lanes; n *= 2)
        if (lanes & n) put_product(out, &one, n);
    put_all(out, m, t, needs);
}
