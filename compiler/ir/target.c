/* target.c - tiles of sums: what they are for every CPU, and the parts of them that suit the registers of one; what
 * compilers have to be told. */
#include "ir/target.h"

const char *target_flags(Arena *a, const Target *t) {
    Str s = {.arena = a};
    if (!t->features) return t->flags ? t->flags : "";
    for (const char *f = t->features; *f; f += strcspn(f, ","), f += *f == ',')
        put(&s, "%s-m%.*s", s.n ? " " : "", (int)strcspn(f, ","), f);
    return s.s;
}

const char *isa_name(Arena *a, const Module *m, const char *name) {
    return has_isas(m) ? format(a, "ISA(%s)", name) : name;
}

const char *isa_here(const Target *t) {
    const Target *const *isa = t->isas;
    while (*isa && (*isa)->available && !((*isa)->is_native && (*isa)->is_native())) isa++;
    return *isa ? (*isa)->isa : NULL;
}

/* Panels are chosen for the widest vectors: a panel of 32 columns is two of 16 to AVX2, which read every second line of
 * memory, whole. A tile is taller than registers are many, so that each target can cut it evenly into what suits it;
 * its sums wait in the nearest cache. */
#define LITTLE 0.97 /* what is not faster by more is not preferred */
enum { LANES = 16, REGISTERS = 32, MOST_ROWS = 28, MOST_SUMS = 1024, MOST_PART_ROWS = 14 };

int most_tile_rows(const Target *t, int panel) {
    int most = MOST_SUMS / panel < MOST_ROWS ? MOST_SUMS / panel : MOST_ROWS;
    return t->most_rows ? t->most_rows : most;
}

RowTiles tile_rows(int64_t rows, int most) {
    RowTiles r = {{0, 0}, {1, 0}};
    int64_t tiles = ceil_div(rows, most);
    if (!tiles) return r;
    r.size[0] = (int)ceil_div(rows, tiles), r.size[1] = r.size[0] - 1;
    r.count[1] = tiles * r.size[0] - rows, r.count[0] = tiles - r.count[1];
    return r;
}

/* Cycles per step k of one tile: two multiply-adds and two loads start in each, and a sum takes five to come back:
 * four by the books, five as measured on what eight sums in flight reach of what twelve do (Sapphire Rapids). */
static double tile_cycles(int rows, int vectors) {
    double work = rows * vectors / 2.0, loads = (rows + vectors) / 2.0, wait = 5;
    double most = work > loads ? work : loads;
    return (most > wait ? most : wait) + 0.25;
}

static double cycles(const RowTiles *r, int vectors) {
    double each = (double)r->count[0] * tile_cycles(r->size[0], vectors);
    return r->count[1] ? each + (double)r->count[1] * tile_cycles(r->size[1], vectors) : each;
}

/* A single row takes w from memory, vector by vector; of several, compilers keep few vectors of w in registers. */
static int most_part_rows(const Target *t, int vectors) {
    int rows = (t->registers - 1 - vectors) / vectors;
    if (!t->registers) return t->most_rows;
    if (vectors <= t->registers / 5 && rows > 1) return rows < MOST_PART_ROWS ? rows : MOST_PART_ROWS;
    return vectors + 2 <= t->registers;
}

static double parts_cycles(TileParts p, int cols) {
    return cycles(&p.rows, p.cols / p.lanes) * (double)(cols / p.cols);
}

TileParts choose_parts(const Target *t, int rows, int cols) {
    int lanes = cols < t->lanes ? cols : t->lanes;
    TileParts best = {0};
    double least = 0;
    for (int n = 1; n <= cols / lanes; n++) {
        int part = cols / n, vectors = part / lanes, most = most_part_rows(t, vectors);
        if (cols % n || part % lanes || most < 1 || (t->most_cols && part > t->most_cols)) continue;
        TileParts p = {part, lanes, tile_rows(rows, most)};
        double needs = parts_cycles(p, cols);
        if (!best.cols || needs < LITTLE * least) best = p, least = needs;
    }
    return best;
}

TileParts choose_line_parts(const Target *t, int lines, int line, int cols) {
    int lanes = cols < t->lanes ? cols : t->lanes;
    TileParts best = {0};
    double least = 0;
    for (int n = 1; t->registers && n <= cols / lanes; n++) {
        int part = cols / n, vectors = part / lanes, most = most_part_rows(t, vectors) / line;
        if (cols % n || part % lanes || most < 1) continue;
        RowTiles r = tile_rows(lines, most);
        double needs = (double)(r.count[0] * n) * tile_cycles(r.size[0] * line, vectors);
        if (r.count[1]) needs += (double)(r.count[1] * n) * tile_cycles(r.size[1] * line, vectors);
        if (!best.cols || needs < LITTLE * least) best = (TileParts){part, lanes, r}, least = needs;
    }
    TileParts one = choose_parts(t, line, cols);
    return best.cols && least <= lines * parts_cycles(one, cols) ? best : (TileParts){0};
}

/* What `rows` of a panel take on the machine that panels are chosen for. */
static double panel_cycles(int64_t rows, int64_t cols, int panel) {
    static const Target widest = {.lanes = LANES, .registers = REGISTERS};
    RowTiles r = tile_rows(rows, most_tile_rows(&widest, panel));
    double sum = 0;
    for (int i = 0; i < 2; i++)
        if (r.count[i]) sum += (double)r.count[i] * parts_cycles(choose_parts(&widest, r.size[i], panel), panel);
    return sum * (double)ceil_div(cols, panel);
}

/* A narrower panel has to be faster by more than this: it reads x more often. A wide one too: of what a narrower vector
 * takes of it, few steps share a page. */
enum { NARROW = 32 };

int choose_panel(const Target *t, int64_t rows, int64_t cols, bool whole) {
    int best = 0;
    for (int i = 0; i < TARGET_PANELS && t->panels[i]; i++) {
        int panel = t->panels[i];
        if (whole ? cols % panel != 0 : t->panels[i + 1] >= cols) continue; /* the next is wide enough */
        double much = best > NARROW ? 1 / LITTLE : LITTLE;
        if (!best || panel_cycles(rows, cols, panel) < much * panel_cycles(rows, cols, best)) best = panel;
    }
    return best;
}
