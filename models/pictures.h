/* What the programs of the course share: files of pictures, in and out. Link with -lz.
 *
 * Pictures are floats from 0 (black) to 1 (white); idx is MNIST's format, npy numpy's. */
#ifndef PICTURES_H
#define PICTURES_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define INLINE static inline

INLINE void *need(void *p, const char *what) {
    if (p) return p;
    fprintf(stderr, "%s: cannot be read or written\n", what);
    exit(1);
}

/* The bytes of DIR/NAME, an idx file compressed by gzip, behind its `head` bytes. */
INLINE void read_idx(const char *dir, const char *name, int head, unsigned char *to, size_t n) {
    char path[4096], skipped[64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    gzFile f = (gzFile)need(gzopen(path, "rb"), path);
    if (gzread(f, skipped, (unsigned)head) != head || gzread(f, to, (unsigned)n) != (int)n) need(NULL, path);
    gzclose(f);
}

/* n pictures of MNIST's test set, and what they show. */
INLINE void read_digits(const char *dir, int n, float *picture, int32_t *label) {
    unsigned char *bytes = (unsigned char *)need(malloc((size_t)n * 784), "memory");
    read_idx(dir, "t10k-images-idx3-ubyte.gz", 16, bytes, (size_t)n * 784);
    for (int i = 0; i < n * 784; i++) picture[i] = (float)bytes[i] / 255.0f;
    read_idx(dir, "t10k-labels-idx1-ubyte.gz", 8, bytes, (size_t)n);
    for (int i = 0; i < n; i++) label[i] = bytes[i];
    free(bytes);
}

/* Numbers of an npy file, f32. */
INLINE void read_npy(const char *path, float *to, size_t n) {
    unsigned char head[10];
    FILE *f = (FILE *)need(fopen(path, "rb"), path);
    if (fread(head, 1, 10, f) != 10 || fseek(f, head[8] + 256 * head[9], SEEK_CUR) || fread(to, 4, n, f) != n)
        need(NULL, path);
    fclose(f);
}

INLINE void write_npy(const char *path, const float *from, int rows, int columns) {
    char head[128];
    FILE *f = (FILE *)need(fopen(path, "wb"), path);
    memset(head, ' ', sizeof head);
    memcpy(head, "\x93NUMPY\1\0\x76\0", 10);
    const int used =
        snprintf(head + 10, 100, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d)}", rows, columns);
    head[10 + used] = ' ', head[127] = '\n';
    fwrite(head, 1, sizeof head, f), fwrite(from, 4, (size_t)rows * (size_t)columns, f);
    if (fclose(f)) need(NULL, path);
}

/* A part of a PNG file: length, name, bytes, check sum. */
INLINE void write_chunk(FILE *f, const char *name, const unsigned char *bytes, size_t n) {
    const uLong sum = crc32(crc32(0, (const Bytef *)name, 4), bytes, (uInt)n);
    for (int i = 24; i >= 0; i -= 8) fputc((int)(n >> i & 255), f);
    fwrite(name, 1, 4, f), fwrite(bytes, 1, n, f);
    for (int i = 24; i >= 0; i -= 8) fputc((int)(sum >> i & 255), f);
}

/* A grid of grey pictures, `side` pixels square, `across` in a row, with a line between them. */
INLINE void write_png(const char *path, const float *picture, int n, int side, int across) {
    const int step = side + 1, width = across * step + 1, height = (n + across - 1) / across * step + 1;
    const size_t size = (size_t)(width + 1) * (size_t)height;
    uLongf packed_size = compressBound((uLong)size);
    unsigned char *pixel = (unsigned char *)need(calloc(size, 1), "memory");
    unsigned char *packed = (unsigned char *)need(malloc(packed_size), "memory");
    for (int i = 0; i < n; i++)
        for (int k = 0; k < side * side; k++) {
            const float x = picture[(size_t)i * (size_t)(side * side) + (size_t)k];
            const int row = i / across * step + 1 + k / side, column = i % across * step + 1 + k % side;
            pixel[row * (width + 1) + 1 + column] = (unsigned char)(255 * fminf(fmaxf(x, 0), 1));
        }
    compress(packed, &packed_size, pixel, (uLong)size);
    unsigned char head[13] = {0, 0, (unsigned char)(width >> 8),  (unsigned char)width,
                              0, 0, (unsigned char)(height >> 8), (unsigned char)height,
                              8};
    FILE *f = (FILE *)need(fopen(path, "wb"), path);
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, f);
    write_chunk(f, "IHDR", head, sizeof head), write_chunk(f, "IDAT", packed, packed_size),
        write_chunk(f, "IEND", head, 0);
    if (fclose(f)) need(NULL, path);
    free(pixel), free(packed);
}

/* Random numbers, uniform and normal, from a state that the caller keeps. */
INLINE double uniform(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u; /* SplitMix64 */
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u, z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}
INLINE float normal(uint64_t *state) {
    const double r = sqrt(-2 * log(uniform(state)));
    return (float)(r * cos(6.283185307179586 * uniform(state)));
}

#endif
