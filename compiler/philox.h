/* philox.h - the counter-based generator of everything random: the same numbers everywhere, for any order of asking.
 * Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC11). */
#ifndef NNCC_PHILOX_H
#define NNCC_PHILOX_H
#include <stdint.h>

static inline void philox(uint32_t key0, uint32_t key1, uint32_t x[4]) {
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * x[0], b = (uint64_t)0xCD9E8D57u * x[2];
        uint32_t y[4] = {(uint32_t)(b >> 32) ^ x[1] ^ key0, (uint32_t)b, (uint32_t)(a >> 32) ^ x[3] ^ key1,
                         (uint32_t)a};
        for (int i = 0; i < 4; i++) x[i] = y[i];
        key0 += 0x9E3779B9u, key1 += 0xBB67AE85u;
    }
}

#endif
