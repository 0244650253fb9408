/* The product of `rows` rows of x and $(lanes) * `vectors` columns of w; rows of y are y_row apart. rows and vectors are
 * constants wherever it is inlined: then every sum has a register. */
NNCC_INLINE void $(name)(const int rows, const int vectors, NNCC_PRODUCT, float *y, ptrdiff_t y_row) {
    vector$(lanes) s[14][16];
    NNCC_UNROLL for (int p = 0; p < rows; p++)
        NNCC_UNROLL for (int q = 0; q < vectors; q++) s[p][q] = *(const vector$(lanes) *)(y + p * y_row + q * $(lanes));
    for (int a = 0; a < taps; a++) {
        const float *u = x + a * x_tap, *v = w + a * w_tap;
        for (int k = 0; k < n; k++, u += x_step, v += w_step)
            NNCC_UNROLL for (int p = 0; p < rows; p++) {
                const vector$(lanes) f = u[p * x_row] - (vector$(lanes)){0.0f};
                NNCC_UNROLL for (int q = 0; q < vectors; q++) s[p][q] += f * *(const vector$(lanes) *)(v + q * $(lanes));
            }
    }
    NNCC_UNROLL for (int p = 0; p < rows; p++)
        NNCC_UNROLL for (int q = 0; q < vectors; q++) *(vector$(lanes) *)(y + p * y_row + q * $(lanes)) = s[p][q];
}
