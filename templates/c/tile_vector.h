/* Adds to the sums y, `rows` rows by $(lanes) * `vectors` columns; its rows are y_row apart. rows and vectors are constants
 * wherever it is inlined: then s, declared for the most that there are, lies in registers. */
NNCC_INLINE void $(name)(const int rows, const int vectors, NNCC_TILE_PARAMS, float *y, ptrdiff_t y_row) {
    vector$(lanes) s[14][16];
    NNCC_UNROLL for (int p = 0; p < rows; p++)
        NNCC_UNROLL for (int q = 0; q < vectors; q++) s[p][q] = (vector$(lanes)){0.0f};
    for (int a = 0; a < taps; a++) {
        const float *u = x + a * x_tap, *v = w + a * w_tap;
        for (int k = 0; k < n; k++, u += x_step, v += w_step)
            NNCC_UNROLL for (int p = 0; p < rows; p++) {
                const vector$(lanes) f = u[p * x_row] - (vector$(lanes)){0.0f}; /* in every lane; x - 0 is x, also for -0 */
                NNCC_UNROLL for (int q = 0; q < vectors; q++) s[p][q] += f * *(const vector$(lanes) *)(v + q * $(lanes));
            }
    }
    NNCC_UNROLL for (int p = 0; p < rows; p++)
        NNCC_UNROLL for (int q = 0; q < vectors; q++) *(vector$(lanes) *)(y + p * y_row + q * $(lanes)) += s[p][q];
}
