/* Adds $(rows) rows of x times a panel of $(cols) columns of w to y[$(rows)][$(cols)]:
 * y[p][j] += the sum of x[p * x_row + a * x_tap + k * x_step] * w[a * w_tap + k * w_step + j] over a < taps, k < n.
 * The sums have names of their own, so that every compiler keeps them in registers. */
static NNCC_NOINLINE void $(name)(const float *x, ptrdiff_t x_row, ptrdiff_t x_tap, ptrdiff_t x_step, const float *w,
                                  ptrdiff_t w_tap, ptrdiff_t w_step, int taps, int n, float y[$(rows)][$(cols)]) {
@p    vector ${q|, :s$(p)_$(q) = *(const vector *)(y[$(p)] + $(q*lanes))$};
    for (int a = 0; a < taps; a++) {
        const float *u = x + a * x_tap, *v = w + a * w_tap;
        for (int k = 0; k < n; k++, u += x_step, v += w_step) {
            const vector ${q|, :w$(q) = *(const vector *)(v + $(q*lanes))$};
            vector f;
@p            f = u[$(p) * x_row] - (vector){0.0f}${q|:, s$(p)_$(q) += f * w$(q)$};
        }
    }
@p    ${q| :*(vector *)(y[$(p)] + $(q*lanes)) = s$(p)_$(q);$}
}
