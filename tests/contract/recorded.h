/* recorded.h - what the programs of this folder share: parameters and data by formulas that record_torch.py has, too,
 * and the numbers that PyTorch had. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 20 };

/* Parameters in the order of their table, which is that of the layers: tensors of doubles, in the block `params`. */
#define FILL_PARAMS(tensors, params)                                                                                   \
    for (int at = 0, k = 0; (tensors)[at].name; at++)                                                                  \
        if (!strcmp((tensors)[at].block, "params"))                                                                    \
            fill((double *)(void *)((params) + (tensors)[at].offset), (tensors)[at].bytes / 8, k++);

static void fill(double *p, int64_t n, int k) {
    for (int64_t i = 0; i < n; i++) p[i] = 0.3 * sin(1.0 + (double)i + 100.0 * k);
}

/* One number of a batch; `stream` tells inputs apart. */
static double drawn(int stream, int step, int i) { return sin(0.37 * i + 0.11 * (i % 7) * (step + 1) + stream); }

/* The file of recorded numbers, at those of a program; NULL if it has none. */
static FILE *recorded_for(const char *path, const char *name) {
    char word[64];
    FILE *f = fopen(path, "r");
    while (f && fscanf(f, "%63s", word) == 1)
        if (!strcmp(word, name)) return f;
    fprintf(stderr, "%s has no numbers of %s\n", path, name);
    return NULL;
}

/* Whether a number is the next recorded one, to nine digits. */
static int agrees(FILE *f, const char *what, int step, double mine) {
    double theirs;
    if (fscanf(f, "%lf", &theirs) == 1 && fabs(mine - theirs) <= 1e-9 * fabs(theirs)) return 1;
    fprintf(stderr, "step %d: %s %.17g, PyTorch %.17g\n", step, what, mine, theirs);
    return 0;
}
