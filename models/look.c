/* What a network looks at, and what it looks for: look MNIST SALIENCY.png FEATURES.png
 *
 * Saliency: how much each pixel of a digit changes the score of what it shows, the mean over copies with a little
 * noise. To see that it says something, the 40 pixels with most of it are turned from black to white or back, in 1,000
 * digits, and as many others. Features: grey noise, changed along the gradient until a score, or a channel of the last
 * convolution, is large. look.c is the trained network with its gradients; its outputs are scores and that layer. */
#include "look.h"
#include "pictures.h"

enum { ALL = 1000, SIZE = 784, CLASSES = 10, CHANNELS = 32, MOST = 40, SHOWN = 40, STEPS = 100, COPIES = 16 };

LOOK_PARAMS(params);
LOOK_GRADS(grads);
LOOK_OPT(opt);
LOOK_ARENA(arena);
static float picture[ALL * SIZE], slope[SIZE], salient[SIZE], grid[SHOWN * 2 * SIZE],
    feature[(CLASSES + CHANNELS) * SIZE];
static float scores[CLASSES], scores_grad[CLASSES], layer[LOOK_CONV2_LEN], layer_grad[LOOK_CONV2_LEN];
static int32_t label[ALL];
static look_net net = {.scores = scores,
                       .conv2 = layer,
                       .scores_grad = scores_grad,
                       .conv2_grad = layer_grad,
                       .image_grad = slope,
                       .params = params,
                       .grads = grads,
                       .opt = opt,

                       .arena = arena};

/* The class with the largest score. */
static int read_digit(const float *x) {
    int best = 0;
    net.image = x;
    if (look_forward(&net)) exit(1);
    for (int k = 1; k < CLASSES; k++) best = scores[k] > scores[best] ? k : best;
    return best;
}

/* In slope: how a score changes with each pixel, or with k from CLASSES on, how a channel of the layer does. */
static void find_slope(const float *x, int k) {
    const int each = LOOK_CONV2_LEN / CHANNELS, channel = k - CLASSES;
    memset(scores_grad, 0, sizeof scores_grad), memset(layer_grad, 0, sizeof layer_grad);
    if (channel < 0) scores_grad[k] = 1;
    for (int i = 0; channel >= 0 && i < each; i++) layer_grad[channel * each + i] = 1.0f / (float)each;
    read_digit(x);
    if (look_backward(&net)) exit(1);
}

/* In salient: the slope's size. */
static void find_salient(const float *x, int k, uint64_t *chance) {
    float copy[SIZE];
    memset(salient, 0, sizeof salient);
    for (int c = 0; c < COPIES; c++) {
        for (int i = 0; i < SIZE; i++) copy[i] = x[i] + 0.2f * normal(chance);
        find_slope(copy, k);
        for (int i = 0; i < SIZE; i++) salient[i] += slope[i] / COPIES;
    }
    for (int i = 0; i < SIZE; i++) salient[i] = fabsf(salient[i]);
}

/* Whether a digit is still read correctly when MOST pixels are turned: the most salient ones, or any. */
static int survives(const float *x, int what, int any, uint64_t *chance) {
    float turned[SIZE], weight[SIZE];
    for (int k = 0; k < SIZE; k++) turned[k] = x[k], weight[k] = any ? (float)uniform(chance) : salient[k];
    for (int n = 0; n < MOST; n++) {
        int best = 0;
        for (int k = 1; k < SIZE; k++) best = weight[k] > weight[best] ? k : best;
        turned[best] = 1 - turned[best], weight[best] = -1;
    }
    return read_digit(turned) == what;
}

static void show_saliency(const char *path) {
    int right = 0, without = 0, without_any = 0;
    uint64_t chance = 1;
    for (int i = 0; i < ALL; i++) {
        const float *x = picture + i * SIZE;
        float most = 0;
        right += read_digit(x) == label[i];
        find_salient(x, label[i], &chance);
        for (int k = 0; k < SIZE; k++) most = fmaxf(most, salient[k]);
        for (int k = 0; k < SIZE && i < SHOWN; k++) {
            grid[2 * i * SIZE + k] = x[k];
            grid[(2 * i + 1) * SIZE + k] = salient[k] / most;
        }
        without_any += survives(x, label[i], 1, &chance);
        without += survives(x, label[i], 0, &chance);
    }
    printf("%.1f %% right; with %d pixels turned, any ones: %.1f %%, the most salient: %.1f %%\n", right * 100.0 / ALL,
           MOST, without_any * 100.0 / ALL, without * 100.0 / ALL);
    write_png(path, grid, SHOWN * 2, 28, 10);
}

/* Along the gradient in steps of one length; a little is taken away each time, so that only what is wanted stays. */
static void show_features(const char *path) {
    uint64_t chance = 1;
    int seen = 0;
    for (int k = 0; k < CLASSES + CHANNELS; k++) {
        float *x = feature + k * SIZE;
        for (int i = 0; i < SIZE; i++) x[i] = (float)(0.2 * uniform(&chance));
        for (int s = 0; s < STEPS; s++) {
            float length = 1e-9f;
            find_slope(x, k);
            for (int i = 0; i < SIZE; i++) length += slope[i] * slope[i];
            for (int i = 0; i < SIZE; i++) x[i] = fminf(fmaxf(0.99f * x[i] + slope[i] / sqrtf(length), 0), 1);
        }
        seen += k < CLASSES && read_digit(x) == k;
    }
    printf("%d of %d made pictures are read as what they were made for\n", seen, CLASSES);
    write_png(path, feature, CLASSES + CHANNELS, 28, 10);
}

int main(int argc, char **argv) {
    if (argc != 4 || look_open(&net) || look_init(&net, 1)) return 2;
    read_digits(argv[1], ALL, picture, label);
    show_saliency(argv[2]);
    show_features(argv[3]);
    return 0;
}
