/* How much drawn digits look like real ones, by a network that reads digits: judge MNIST SAMPLES.npy GRID.png
 *
 * Of 1,000 pictures: how sure the network is on average, the smallest share of a digit, and the mean distance of two
 * pictures, over that of two of MNIST's. Exit status 1 below 90 %, 3 % and a half. The grid shows a hundred. */
#include "pictures.h"
#include "reader.h"

enum { ALL = 1000, SIZE = 784 };

READER_ARENA(arena);
static float sample[ALL * SIZE], real[ALL * SIZE];
static int32_t label[ALL];

static double mean_distance(const float *x) {
    double sum = 0;
    for (int i = 0; i < ALL; i++)
        for (int j = 0; j < i; j++) {
            double d = 0;
            for (int k = 0; k < SIZE; k++)
                d += (x[i * SIZE + k] - x[j * SIZE + k]) * (x[i * SIZE + k] - x[j * SIZE + k]);
            sum += sqrt(d);
        }
    return sum / (ALL * (ALL - 1) / 2);
}

int main(int argc, char **argv) {
    float p[READER_PROBABILITIES_LEN];
    reader_net net = {.probabilities = p, .arena = arena};
    int count[10] = {0}, least = ALL;
    double sure = 0;
    if (argc != 4) return 2;
    read_npy(argv[2], sample, ALL * SIZE), read_digits(argv[1], ALL, real, label);
    for (int i = 0; i < ALL; i++) {
        int best = 0;
        net.image = sample + i * SIZE;
        if (reader_run(&net)) return 2;
        for (int k = 1; k < 10; k++) best = p[k] > p[best] ? k : best;
        sure += p[best] / ALL, count[best]++;
    }
    for (int k = 0; k < 10; k++) least = count[k] < least ? count[k] : least;
    const double apart = mean_distance(sample) / mean_distance(real);
    printf("%.1f %% sure; 0 to 9:", sure * 100);
    for (int k = 0; k < 10; k++) printf(" %.1f %%", count[k] * 100.0 / ALL);
    printf("; distance %.2f of the data's\n", apart);
    write_png(argv[3], sample, 100, 28, 10);
    return !(sure >= 0.9 && least >= ALL * 3 / 100 && apart >= 0.5);
}
