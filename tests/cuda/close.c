/* close.c - whether two files of raw floats agree: the largest difference is at most LIMIT of the largest value.
 * usage: close LIMIT FILE FILE; prints the quotient. Words that are equal are not looked at, so that integers may be in
 * them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float *read_all(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    if (!f) return perror(path), NULL;
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f) / sizeof(float);
    rewind(f);
    float *p = malloc(*n * sizeof(float) + 1);
    if (!p || fread(p, sizeof(float), *n, f) != *n) return perror(path), NULL;
    fclose(f);
    return p;
}

int main(int argc, char **argv) {
    size_t n, m;
    double most = 0, off = 0;
    if (argc != 4) return fputs("usage: close LIMIT FILE FILE\n", stderr), 2;
    float *a = read_all(argv[2], &n), *b = read_all(argv[3], &m);
    if (!a || !b || n != m) return fprintf(stderr, "%s and %s differ in size\n", argv[2], argv[3]), 1;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(a[i]) && fabs((double)a[i]) > most) most = fabs((double)a[i]);
        if (!memcmp(&a[i], &b[i], sizeof *a) || (isnan(a[i]) && isnan(b[i]))) continue;
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= off)) off = d; /* a NaN counts */
    }
    double r = most > 0 ? off / most : off;
    printf("%.1e\n", r);
    free(a), free(b);
    return !(r <= atof(argv[1]));
}
