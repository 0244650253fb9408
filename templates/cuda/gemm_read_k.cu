            float4 $(x)4[$(count)];
#pragma unroll
            for (int i = 0; i < $(count); i++) {
                const int r = $(thread) + i * $(step);
                $(x)4[i] = nncc_ld4(&$(x)s[r * BK + (q ^ (r * BK / 32 & (BK / 4 - 1))) * 4]);
            }
