/* nncc_sha256.h - SHA-256 (FIPS 180-4), of bytes that come in pieces: for the compiler and for checkpoints. */
#ifndef NNCC_SHA256_H
#define NNCC_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const uint32_t nncc_sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

typedef struct {
    uint32_t h[8];
    unsigned char block[64]; /* the bytes of the last, unfinished block */
    uint64_t n;              /* bytes so far */
} nncc_sha256;

static inline uint32_t nncc_sha_ror(uint32_t x, int n) { return x >> n | x << (32 - n); }

static inline void nncc_sha_block(uint32_t h[8], const unsigned char *p) {
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (nncc_sha_ror(a, 7) ^ nncc_sha_ror(a, 18) ^ a >> 3) + w[i - 7] +
               (nncc_sha_ror(b, 17) ^ nncc_sha_ror(b, 19) ^ b >> 10);
    }
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = nncc_sha_ror(v[4], 6) ^ nncc_sha_ror(v[4], 11) ^ nncc_sha_ror(v[4], 25);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + nncc_sha_k[i] + w[i];
        uint32_t s0 = nncc_sha_ror(v[0], 2) ^ nncc_sha_ror(v[0], 13) ^ nncc_sha_ror(v[0], 22);
        uint32_t mj = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + s0 + mj;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
}

static inline void nncc_sha_start(nncc_sha256 *s) {
    static const uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(s->h, h, sizeof h);
    s->n = 0;
}

static inline void nncc_sha_add(nncc_sha256 *s, const void *bytes, size_t n) {
    const unsigned char *p = (const unsigned char *)bytes;
    size_t held = (size_t)(s->n % 64);
    s->n += n;
    if (held) {
        size_t more = n < 64 - held ? n : 64 - held;
        memcpy(s->block + held, p, more);
        if (held + more < 64) return;
        nncc_sha_block(s->h, s->block);
        p += more, n -= more;
    }
    for (; n >= 64; p += 64, n -= 64) nncc_sha_block(s->h, p);
    if (n) memcpy(s->block, p, n);
}

static inline void nncc_sha_hex(nncc_sha256 *s, char hex[65]) {
    unsigned char tail[72] = {0x80};
    uint64_t bits = s->n * 8;
    size_t pad = (size_t)((s->n % 64 < 56 ? 56 : 120) - s->n % 64);
    for (int i = 0; i < 8; i++) tail[pad + 7 - (size_t)i] = (unsigned char)(bits >> 8 * i);
    nncc_sha_add(s, tail, pad + 8);
    for (int i = 0; i < 8; i++) snprintf(hex + 8 * i, 9, "%08x", (unsigned)s->h[i]);
}

#endif
