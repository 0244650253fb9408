/* close.c - whether two files of raw floats agree: the largest difference is at most LIMIT of the largest value.
 * usage: close [-64] LIMIT FILE FILE; prints the quotient. -64: doubles. Words that are equal are not looked at, so
 * that integers may be in them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *read_all(const char *path, size_t word, size_t *n) {
    FILE *f = fopen(path, "rb");
    if (!f) return perror(path), NULL;
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f) / word;
    rewind(f);
    void *p = malloc(*n * word + 1);
    if (!p || fread(p, word, *n, f) != *n) return perror(path), NULL;
    fclose(f);
    return p;
}

static double value(const void *p, size_t word, size_t i) {
    return word == sizeof(double) ? ((const double *)p)[i] : (double)((const float *)p)[i];
}

int main(int argc, char **argv) {
    size_t n, m, word = sizeof(float);
    double most = 0, off = 0;
    if (argc > 1 && !strcmp(argv[1], "-64")) word = sizeof(double), argc--, argv++;
    if (argc != 4) return fputs("usage: close [-64] LIMIT FILE FILE\n", stderr), 2;
    void *a = read_all(argv[2], word, &n), *b = read_all(argv[3], word, &m);
    if (!a || !b || n != m) return fprintf(stderr, "%s and %s differ in size\n", argv[2], argv[3]), 1;
    for (size_t i = 0; i < n; i++) {
        double x = value(a, word, i), y = value(b, word, i);
        if (isfinite(x) && fabs(x) > most) most = fabs(x);
        if (!memcmp((char *)a + i * word, (char *)b + i * word, word) || (isnan(x) && isnan(y))) continue;
        double d = fabs(x - y);
        if (!(d <= off)) off = d; /* a NaN counts */
    }
    double r = most > 0 ? off / most : off;
    printf("%.1e\n", r);
    free(a), free(b);
    return !(r <= atof(argv[1]));
}
