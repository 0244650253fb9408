/* target.c - the tiles of sums that suit the registers of a target. */
#include "ir/target.h"

static int vectors_of(const Target *t, int panel) { return (int)ceil_div(panel, t->lanes); }

int most_tile_rows(const Target *t, int panel) {
    int vectors = vectors_of(t, panel), rows = t->registers ? (t->registers - 1 - vectors) / vectors : t->most_rows;
    return rows < 1 ? 1 : rows < t->most_rows ? rows : t->most_rows;
}

RowTiles tile_rows(int64_t rows, int most) {
    RowTiles r = {{0, 0}, {1, 0}};
    int64_t tiles = ceil_div(rows, most);
    if (!tiles) return r;
    r.size[0] = (int)ceil_div(rows, tiles), r.size[1] = r.size[0] - 1;
    r.count[1] = tiles * r.size[0] - rows, r.count[0] = tiles - r.count[1];
    return r;
}

/* Cycles per step k of one tile: two multiply-adds and two loads start in each, and a sum takes four to come back. */
static double tile_cycles(int rows, int vectors) {
    double work = rows * vectors / 2.0, loads = (rows + vectors) / 2.0, wait = 4;
    double most = work > loads ? work : loads;
    return (most > wait ? most : wait) + 0.25;
}

static double cycles(const Target *t, int64_t rows, int64_t cols, int panel) {
    int vectors = vectors_of(t, panel);
    RowTiles r = tile_rows(rows, most_tile_rows(t, panel));
    double each = (double)r.count[0] * tile_cycles(r.size[0], vectors);
    if (r.count[1]) each += (double)r.count[1] * tile_cycles(r.size[1], vectors);
    return each * (double)ceil_div(cols, panel);
}

/* A narrower panel has to be faster by more than this: it reads x more often. */
#define LITTLE 0.97

int choose_panel(const Target *t, int64_t rows, int64_t cols, bool whole) {
    int best = 0;
    for (int i = 0; i < TARGET_PANELS && t->panels[i]; i++) {
        int panel = t->panels[i];
        if (whole ? cols % panel != 0 : t->panels[i + 1] >= cols) continue; /* the next is wide enough */
        if (!best || cycles(t, rows, cols, panel) < LITTLE * cycles(t, rows, cols, best)) best = panel;
    }
    return best;
}
