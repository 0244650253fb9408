/* Adds the n sums of a piece to sums, and makes them 0 again. Behind them stand n numbers: by how much the sums are too
 * large, which the next piece makes up for (Kahan's summation); infinities have no such number. */
static NNCC_NOINLINE void $(name)(float *restrict sums, float *restrict piece, int n) {
    for (int i = 0; i < n; i++) {
        const float add = piece[i] - piece[n + i], sum = sums[i] + add, more = (sum - sums[i]) - add;
        sums[i] = sum, piece[i] = 0.0f, piece[n + i] = more == more ? more : 0.0f;
    }
}
