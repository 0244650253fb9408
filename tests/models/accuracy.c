/* accuracy.c - counts how many images of a labelled set a generated network classifies as labelled.
 * Compiled with -include MODEL.h and -DNET=prefix -DIN=field -DOUT=field -DIN_LEN=… -DOUT_LEN=… -DFORMAT=… ; reads from stdin:
 *   FORMAT 0: 28x28 bytes in rows (MNIST, images then labels: see accuracy.sh), 1: the same in a frame of zeros, 32x32,
 *   2: CIFAR's label and three planes as planes, 3: the same as pixels
 * -DSCALE -DMEAN -DSTD: value = (byte * SCALE - MEAN) / STD. Prints "right of total". */
#include <stdio.h>
#include <stdlib.h>

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
typedef PASTE(NET, _net) Net;

static const float mean[3] = {MEAN}, deviation[3] = {STD};

static float value(int byte, int channel) { return ((float)byte * (float)SCALE - mean[channel]) / deviation[channel]; }

static int read_label_first(void) { return FORMAT >= 2; }

/* Spreads the bytes of one image into the network's input. */
static void place(const unsigned char *b, float *x) {
#if FORMAT == 0
    for (int i = 0; i < 784; i++) x[i] = value(b[i], 0);
#elif FORMAT == 1
    for (int i = 0; i < 1024; i++) x[i] = value(0, 0);
    for (int i = 0; i < 784; i++) x[(i / 28 + 2) * 32 + i % 28 + 2] = value(b[i], 0);
#elif FORMAT == 2
    for (int i = 0; i < 3072; i++) x[i] = value(b[i], i / 1024);
#else
    for (int i = 0; i < 3072; i++) x[i % 1024 * 3 + i / 1024] = value(b[i], i / 1024);
#endif
}

static int largest(const float *y) {
    int best = 0;
    for (int i = 1; i < OUT_LEN; i++)
        if (y[i] > y[best]) best = i;
    return best;
}

int main(int argc, char **argv) {
    static float x[IN_LEN], y[OUT_LEN];
    unsigned char image[3072], label;
    size_t bytes = FORMAT < 2 ? 784 : 3072;
    FILE *weights = argc > 2 ? fopen(argv[2], "rb") : NULL, *labels = argc > 1 ? fopen(argv[1], "rb") : NULL;
    static _Alignas(64) unsigned char arena[ARENA + 1], w[WEIGHTS + 1];
    if (weights && fread(w, 1, WEIGHTS, weights) != WEIGHTS) return 1;
    Net net = {.IN = x, .OUT = y};
#if ARENA
    net.arena = arena;
#endif
#if WEIGHTS
    net.weights = w;
#endif
    (void)arena;
    int right = 0, total = 0;
    for (;; total++) {
        if (read_label_first() && fread(&label, 1, 1, stdin) != 1) break;
        if (fread(image, 1, bytes, stdin) != bytes) break;
        if (!read_label_first() && (!labels || fread(&label, 1, 1, labels) != 1)) return 1;
        place(image, x);
        if (PASTE(NET, _run)(&net)) return 1;
        right += largest(y) == label;
    }
    printf("%d of %d\n", right, total);
    return 0;
}
