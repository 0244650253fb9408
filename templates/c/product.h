/* What a tile is called with, a sum of products: y[p][j] += the sum of x[p * x_row + a * x_tap + k * x_step] *
 * w[a * w_tap + k * w_step + j] over a < taps, k < n. A tile whose sums fit no registers adds them in parts. */
#define NNCC_PRODUCT \
    const float *x, ptrdiff_t x_row, ptrdiff_t x_tap, ptrdiff_t x_step, const float *w, ptrdiff_t w_tap, ptrdiff_t w_step, int taps, int n
#define NNCC_PRODUCT_OF(x, w) x, x_row, x_tap, x_step, w, w_tap, w_step, taps, n
