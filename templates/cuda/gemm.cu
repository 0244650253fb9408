/* $(about)
 * Sums over k < K of A(m, k) * B(k, n), in ascending k. A block makes BM x BN of them, a thread TM x TN, from tiles of
 * BK in shared memory, of which STAGES - 1 are on their way while one is used. */
extern "C" __global__ void __launch_bounds__($(threads), $(resident)) $(name)($(parameters)) {
    enum { BM = $(bm), BN = $(bn), BK = $(bk), TM = $(tm), TN = $(tn), STAGES = $(stages) };
    enum { TX = BN / TN, TY = BM / TM, THREADS = TX * TY };
    static_assert(TX % 8 == 0 && BM % TM == 0 && BN % TN == 0 && STAGES > 1, "sizes that do not fit");
    const int M = $(m), N = $(n), K = $(k), TILES = (K + BK - 1) / BK;
    struct Tiles {
        float a[STAGES][BM * BK], b[STAGES][BN * BK];
    };
    NNCC_SHARED(Tiles, tile);
    const int t = (int)threadIdx.x, tx = t % TX, ty = t / TX, m0 = (int)blockIdx.$(rows_block) * BM, n0 = (int)blockIdx.$(columns_block) * BN;
$(begin)    float acc[TM][TN];
#pragma unroll
    for (int i = 0; i < TM; i++)
#pragma unroll
        for (int j = 0; j < TN; j++) acc[i][j] = 0.0f;
    for (int now = 1 - STAGES; now < TILES; now++) {
        const int next = now + STAGES - 1, into = next % STAGES;
        if (now >= 0) {
            NNCC_CP_WAIT(STAGES - 2);
            __syncthreads();
        }
        if (next < TILES) {
$(copy_a)$(copy_b)        }
        nncc_cp_commit();
        if (now < 0) continue;
        const float *const as = tile->a[now % STAGES], *const bs = tile->b[now % STAGES];
#pragma unroll 1
        for (int q = 0; q < BK / 4; q++) {
$(read_a)$(read_b)#pragma unroll
            for (int k = 0; k < 4; k++) {
                float u[TM], v[TN];
#pragma unroll
                for (int i = 0; i < TM; i++) u[i] = $(u);
#pragma unroll
                for (int j = 0; j < TN; j++) v[j] = $(v);
#pragma unroll
                for (int i = 0; i < TM; i++)
#pragma unroll
                    for (int j = 0; j < TN; j++) acc[i][j] = fmaf(u[i], v[j], acc[i][j]);
            }
        }
    }
    NNCC_CP_WAIT(0);
#pragma unroll
    for (int i = 0; i < TM; i++) {
        const $(index_type) m = m0 + $(row);
#pragma unroll
        for (int j = 0; j < TN; j++) {
            const $(index_type) n = n0 + $(col);
            if (m < M && n < N) {
                const float sum = acc[i][j];
$(store)            }
        }
    }
}
