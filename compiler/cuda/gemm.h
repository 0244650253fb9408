/* gemm.h - products for the tiled kernel of templates/cuda/gemm.cu. */
#ifndef NNCC_GEMM_H
#define NNCC_GEMM_H
#include "cuda/cuda.h"
#include "schedule/contraction.h"

enum { GEMM_STAGES = 3, MAX_BLOCKS = 65535 /* of gridDim.y and gridDim.z */ };

/* A block computes bm x bn sums, bk products of each at a time; a thread tm x tn of them. */
typedef struct {
    int bm, bn, bk, tm, tn;
} GemmTile;

/* An operand: the loops that move along it alone, outermost first. */
typedef struct {
    const Expr *load;
    const Axis *axis[MAX_LOOPS];
    int n;
    Expr *guard;  /* whether a place counts; NULL: all do */
    bool along_k; /* neighbours in memory are neighbours of the sum; else of m or n */
    int width;    /* floats copied at once: 4 or 1 */
} GemmSide;

struct Gemm {
    Contraction p;
    GemmSide a, b;
    const Axis *separate[MAX_LOOPS], *k[MAX_LOOPS];
    int nseparate, nk;
    GemmTile tile;
    bool columns_first; /* gridDim.x counts the tiles of columns, not those of rows: x alone goes beyond MAX_BLOCKS */
};

/* Whether the nest is a product that is worth it, and how. */
bool find_gemm(Lower *, const Stmt *nest, Gemm *);
Expr *product_of_extents(Lower *, const Axis *const *, int n);
int gemm_threads(const GemmTile *);
int gemm_shared(const GemmTile *); /* bytes */

#endif
