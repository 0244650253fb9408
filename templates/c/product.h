/* What a tile takes. tile_RxC, with sums in R rows and C columns, adds to each y[p][j] the sum of
 * x[p * x_row + a * x_tap + k * x_step] * w[a * w_tap + k * w_step + j] over a < taps, k < n. In a matrix product p is a
 * row of x, and there is one tap; in a convolution p is a position in the output, j an output channel, and a tap a run of
 * the window, mostly one row of it. A tile with more sums than fit in registers is made of parts. tile_LxRxC has L lines of
 * R rows, x_line apart in x: short rows of an image.
 * A long sum is one of several calls: what floats lose in a chain of additions grows with its length. The shortest calls
 * add to a piece, from which add_piece adds to the sums now and then. */
#define NNCC_TILE_PARAMS \
    const float *x, ptrdiff_t x_row, ptrdiff_t x_tap, ptrdiff_t x_step, const float *w, ptrdiff_t w_tap, ptrdiff_t w_step, int taps, int n
#define NNCC_TILE_ARGS(x, w) x, x_row, x_tap, x_step, w, w_tap, w_step, taps, n
