/* $(what) of $(whose): the same for all of them, in the same order in each run. */
NNCC_DEVICE $(type) $(name)($(type) v, void *shared) {
    $(type) *const cell = ($(type) *)shared;
    const unsigned thread = threadIdx.x;
    cell[thread] = v;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half >= $(groups); half /= 2) {
        if (thread < half) {
            const $(type) a = cell[thread], b = cell[thread + half];
            cell[thread] = $(text);
        }
        __syncthreads();
    }
    v = cell[$(own)];
    __syncthreads();
    return v;
}
