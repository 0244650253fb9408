/* roofs_main.c - the main() of a program that nncc bench builds beside a network's: what one core does at most.
 * usage: roofs BYTES: writes the file roofs.txt, operations of multiply-adds per second and bytes per second read from
 * a block of so many, the most of many turns. */
#define _POSIX_C_SOURCE 200809L
#include "roofs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_TURNS = 3 };
static const double seconds = 0.1; /* for each */

int main(int argc, char **argv) {
    size_t n = argc > 1 ? (size_t)strtoull(argv[1], NULL, 10) / ROOF_BLOCK * ROOF_BLOCK : 0;
    double flops = 0, bytes = 0, start = roof_now();
    void *block;
    if (!n || posix_memalign(&block, 64, n)) return 1;
    memset(block, 0, n);
    for (int i = 0; i < LEAST_TURNS || roof_now() - start < seconds; i++) {
        double f = roof_flops();
        if (f > flops) flops = f;
    }
    start = roof_now();
    for (int i = 0; i < LEAST_TURNS || roof_now() - start < seconds; i++) {
        double b = roof_bytes(block, n);
        if (b > bytes) bytes = b;
    }
    free(block);
    FILE *f = fopen("roofs.txt", "w");
    return !f || fprintf(f, "%.17g %.17g\n", flops, bytes) < 0 || fclose(f);
}
