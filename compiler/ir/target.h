/* target.h - machines that C is generated for (targets.def), and the tiles of sums that suit their registers. */
#ifndef NNCC_TARGET_H
#define NNCC_TARGET_H

#include "ir/nncc.h"

enum { TARGET_TEMPLATES = 4, TARGET_PANELS = 7 };

struct Target {
    const char *name;
    int lanes;                               /* floats in a vector (c: that the compiler may make of them) */
    int panels[TARGET_PANELS];               /* widths of a tile, widest first */
    int registers;                           /* vectors it has; 0: the compiler's business */
    int most_rows;                           /* of a tile */
    bool cuda;                               /* kernels for a GPU, and C that launches them */
    const char *macro, *flags;               /* that a compiler defines, and takes, for it */
    const char *templates[TARGET_TEMPLATES]; /* in templates/c: what a tile needs, the tile last */
    const char *doc;
};
extern const Target targets[];               /* ends with a NULL name */
const Target *find_target(const char *name); /* "native": that of this machine; NULL if unknown */

/* The width of the panels in which rows by cols are computed soonest. `whole`: cols have to fill them; 0 if none does.
 */
int choose_panel(const Target *, int64_t rows, int64_t cols, bool whole);
/* How `rows` are cut into tiles of at most `most`: `count[0]` tiles of `size[0]`, then count[1] of one row less. */
typedef struct {
    int64_t count[2];
    int size[2];
} RowTiles;
RowTiles tile_rows(int64_t rows, int most);
int most_tile_rows(const Target *, int panel);

#endif
