/* Adds to $(rows) x $(cols) sums. Each row of sums is an array of its own, which compilers turn into vector registers. */
static NNCC_NOINLINE void $(name)(NNCC_TILE_PARAMS, float $(y)) {
    float ${p|, :s$(p)[$(cols)]$};
@p    NNCC_ROLLED for (int j = 0; j < $(cols); j++) s$(p)[j] = 0.0f;
    for (int a = 0; a < taps; a++) {
        const float *u = x + a * x_tap, *v = w + a * w_tap;
        for (int k = 0; k < n; k++, u += x_step, v += w_step) {
            const float ${p|, :f$(p) = u[$(p) * x_row]$};
@p            NNCC_ROLLED for (int j = 0; j < $(cols); j++) s$(p)[j] += f$(p) * v[j];
        }
    }
@p    NNCC_ROLLED for (int j = 0; j < $(cols); j++) y[$(p)$(y_row)j] += s$(p)[j];
}
