/* Adds to the sums y, `rows` rows by $(lanes) * `vectors` columns; its rows are y_row apart. Of x, `line` rows lie x_row
 * apart, and the next so many x_line further. rows, line and vectors are constants wherever it is inlined: then s, declared
 * for the most that there are, lies in registers. Lines of w are fetched 32 KB
 * ahead, mostly those of the next panel: of a far cache the latency is as long as the arithmetic of a panel. A tile of
 * few rows would wait for the loads themselves. */
NNCC_INLINE void $(name)(const int rows, const int line, const int vectors, NNCC_TILE_PARAMS, ptrdiff_t x_line, float *y, ptrdiff_t y_row) {
    vector$(lanes) s[14][16];
    NNCC_UNROLL for (int p = 0; p < rows; p++)
        NNCC_UNROLL for (int q = 0; q < vectors; q++) s[p][q] = (vector$(lanes)){0.0f};
    for (int a = 0; a < taps; a++) {
        const float *u = x + a * x_tap, *v = w + a * w_tap;
        for (int k = 0; k < n; k++, u += x_step, v += w_step) {
            if (rows >= 3)
                NNCC_UNROLL for (int q = 0; q < vectors * $(lanes); q += 16)
                    __builtin_prefetch((const void *)((uintptr_t)(v + q) + 32768), 0, 2);
            NNCC_UNROLL for (int p = 0; p < rows; p++) {
                const vector$(lanes) f = u[p / line * x_line + p % line * x_row] - (vector$(lanes)){0.0f}; /* in every lane; x - 0 is x, also for -0 */
                NNCC_UNROLL for (int q = 0; q < vectors; q++) s[p][q] += f * *(const vector$(lanes) *)(v + q * $(lanes));
            }
        }
    }
    NNCC_UNROLL for (int p = 0; p < rows; p++)
        NNCC_UNROLL for (int q = 0; q < vectors; q++) *(vector$(lanes) *)(y + p * y_row + q * $(lanes)) += s[p][q];
}
