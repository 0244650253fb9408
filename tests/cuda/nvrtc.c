/* nvrtc.c - compiles model.cu by NVRTC for sm_80 and sm_90. usage: nvrtc [FILE]; without one: is there an NVRTC? */
#include "nncc_cuda.h"
#include <stdio.h>
#include <stdlib.h>

static char *read_all(const char *path) {
    FILE *f = fopen(path, "rb");
    long n;
    if (!f || fseek(f, 0, SEEK_END) || (n = ftell(f)) < 0) return perror(path), NULL;
    rewind(f);
    char *p = calloc((size_t)n + 1, 1);
    if (!p || fread(p, 1, (size_t)n, f) != (size_t)n) return perror(path), NULL;
    fclose(f);
    return p;
}

int main(int argc, char **argv) {
    static const int capabilities[] = {80, 90};
    char error[4000];
    char *source = argc > 1 ? read_all(argv[1]) : NULL;
    if (argc > 1 && !source) return 1;
    for (int i = 0; i < 2; i++) {
        void *image = NULL;
        size_t bytes;
        if (nncc_cuda_compile(source ? source : "extern \"C\" __global__ void k() {}", "model", capabilities[i], &image,
                              &bytes, error, sizeof error))
            return fprintf(stderr, "%s\n", error), 1;
        free(image);
    }
    free(source);
    return 0;
}
