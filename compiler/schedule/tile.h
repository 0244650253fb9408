/* tile.h - products in register tiles (tile.c). */
#ifndef NNCC_TILE_H
#define NNCC_TILE_H

#include "ir/target.h"
#include "loop/loop.h"

/* Rewrites the nests below that are products, y[..] = f(init + sum of x * w), as calls of a template that keeps a tile
 * of sums in registers; what it rewrote is marked done. `straight`: only those whose indices are sums in every loop. */
void tile_contractions(Lower *, const Target *, Stmt **list, bool affine_only);
/* How many terms of a sum of one loop are added up before they are added to others; 0: all, or only a call tells. */
int64_t sum_piece(const Expr *size);
/* "tile_6x64" and its arguments. */
const char *tile_name(Arena *, const Tile *);
/* Among those names: templates whose macros some loop, or some function, begins with. */
#define VECTOR_LOOP "vector_loop.h"
#define ALIGN_STACK "align_stack.h"
bool any_tile(const List *needs); /* whether there is a tile among those names */
/* What adds a tile's piece to its sums. */
#define ADD_PIECE "add_piece"
/* The texts behind the tiles named in `needs`, each once: macros and types before anything else, then the functions, of
 * a target with several instruction sets those of each. */
void put_tile_macros(Str *, const Module *, const List *needs);
void put_tiles(Str *, const Module *, const List *needs);

#endif
