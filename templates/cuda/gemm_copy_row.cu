            /* $(x), along $(index): a k is a row of shared memory. */
#pragma unroll
            for (int i = 0; i < ($(rows) * BK / $(width) + THREADS - 1) / THREADS; i++) {
                const int e = t + i * THREADS, r = e % ($(rows) / $(width)) * $(width), c = e / ($(rows) / $(width));
                const $(index_type) $(index) = $(first) + r, k = next * BK + c;
                const bool ok = $(index) < $(limit) && k < K && ($(ok));
                float *const to = &tile->$(x)[into][c * $(rows) + r];
                if ($(rows) * BK / $(width) % THREADS && e >= $(rows) * BK / $(width)) break;
                nncc_cp_async$(width*4)(to, ok ? $(from) + ($(at)) : $(from), ok ? $(bytes) : 0);
            }
