/* Classifies handwritten digits with the network that nncc compiled: demo FILE.pgm...
 *
 * A picture is a binary PGM of 28 by 28, white on black; its file's name starts with the digit that it shows.
 * Exit status 1 if a digit is taken for another. */
#include "mnist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 28, MARGIN = 2, ABREAST = 3 };

typedef struct {
    unsigned char pixel[SIDE][SIDE];
    int label, guess;
    float probability;
} Digit;

static int load(Digit *digit, const char *path) {
    const char *slash = strrchr(path, '/');
    int width = 0, height = 0, white = 0;
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    const int ok = fscanf(file, "P5 %d %d %d", &width, &height, &white) == 3 && fgetc(file) != EOF && width == SIDE &&
                   height == SIDE && white == 255 && fread(digit->pixel, sizeof digit->pixel, 1, file) == 1;
    fclose(file);
    digit->label = (slash ? slash[1] : path[0]) - '0';
    return ok;
}

MNIST_ARENA(arena);

/* Runs the network: a picture in, ten probabilities out. */
static int classify(Digit *digit) {
    float image[MNIST_IMAGE_LEN], probabilities[MNIST_PROBABILITIES_LEN];
    for (int i = 0; i < MNIST_IMAGE_LEN; i++) image[i] = (float)digit->pixel[i / SIDE][i % SIDE] / 255.0f;
    mnist_net net = {.image = image, .probabilities = probabilities, .arena = arena};
    if (mnist_open(&net) != MNIST_OK || mnist_run(&net) != MNIST_OK) return 0;
    digit->guess = 0;
    for (int i = 1; i < MNIST_PROBABILITIES_LEN; i++)
        if (probabilities[i] > probabilities[digit->guess]) digit->guess = i;
    digit->probability = probabilities[digit->guess];
    return 1;
}

/* A character stands for two pixels, one above the other: that is about its shape. */
static void print_row(const Digit *digit, int row) {
    static const char shades[] = " .:-=+*#%@";
    for (int x = MARGIN; x < SIDE - MARGIN; x++) {
        const int light = digit->pixel[row][x] + digit->pixel[row + 1][x];
        putchar(shades[light * 10 / 511]);
    }
}

static void print_abreast(const Digit *digit, int n) {
    for (int row = MARGIN; row < SIDE - MARGIN; row += 2) {
        for (int i = 0; i < n; i++) {
            print_row(&digit[i], row);
            fputs(i + 1 < n ? "  " : "\n", stdout);
        }
    }
    for (int i = 0; i < n; i++) {
        const char *const wrong = digit[i].guess == digit[i].label ? "" : " WRONG";
        const int used = printf("   %d  (%.1f %%)%s", digit[i].guess, (double)digit[i].probability * 100, wrong);
        if (i + 1 < n) printf("%*s", SIDE - 2 * MARGIN + 2 - used, "");
    }
    puts("\n");
}

int main(int argc, char **argv) {
    const int n = argc - 1;
    int right = 0;
    Digit *digits = calloc((size_t)n + 1, sizeof *digits);
    if (!digits) return 1;
    for (int i = 0; i < n; i++) {
        if (!load(&digits[i], argv[i + 1]) || !classify(&digits[i])) {
            fprintf(stderr, "%s: cannot be read as a digit\n", argv[i + 1]);
            free(digits);
            return 1;
        }
        right += digits[i].guess == digits[i].label;
    }
    for (int i = 0; i < n; i += ABREAST) print_abreast(digits + i, n - i < ABREAST ? n - i : ABREAST);
    printf("%d of %d digits right\n", right, n);
    free(digits);
    return right != n;
}
