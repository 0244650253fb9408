            /* $(x), along k: a row of the tile is a row of shared memory, whose quads are shuffled so that neither this
             * nor the reads meet in a bank. */
#pragma unroll
            for (int i = 0; i < ($(rows) * BK / $(width) + THREADS - 1) / THREADS; i++) {
                const int e = t + i * THREADS, r = e / (BK / $(width)), c = e % (BK / $(width)) * $(width);
                const $(index_type) $(index) = $(first) + r, k = next * BK + c;
                const bool ok = $(index) < $(limit) && k < K && ($(ok));
                float *const to = &tile->$(x)[into][r * BK + (c / 4 ^ (r * BK / 32 & (BK / 4 - 1))) * 4 + c % 4];
                if ($(rows) * BK / $(width) % THREADS && e >= $(rows) * BK / $(width)) break;
                nncc_cp_async$(width*4)(to, ok ? $(from) + ($(at)) : $(from), ok ? $(bytes) : 0);
            }
