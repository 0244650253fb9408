/* Trains a generator of digits and a discriminator against each other: dcgan MNIST STEPS SAMPLES.npy
 *
 * Each step shows the discriminator real and generated pictures, then asks it which way the generated ones would have
 * to change to be taken for real: that gradient of its input is the generator's of its output. At the end a thousand
 * samples are written, from 0 to 1. */
#include "discriminator.h"
#include "generator.h"
#include "pictures.h"

enum { ALL = 60000, BATCH = GENERATOR_MAX_BATCH, SIZE = 784, SAMPLES = 1000 };

GENERATOR_PARAMS(g_params);
GENERATOR_GRADS(g_grads);
GENERATOR_OPT(g_opt);
GENERATOR_STATE(g_state);
GENERATOR_ARENA(g_arena);
DISCRIMINATOR_PARAMS(d_params);
DISCRIMINATOR_GRADS(d_grads);
DISCRIMINATOR_OPT(d_opt);
DISCRIMINATOR_STATE(d_state);
DISCRIMINATOR_ARENA(d_arena);
static unsigned char digit[ALL * SIZE];
static float noise[GENERATOR_NOISE_LEN], fake[BATCH * SIZE], real[BATCH * SIZE], slope[BATCH * SIZE], target[BATCH],
    score[BATCH], score_grad[BATCH];
static float samples[SAMPLES * SIZE], loss;
static int32_t correct;
static uint64_t chance = 1;

static generator_net g = {.noise = noise, .picture = fake, .picture_grad = slope, .batch = BATCH, .lr = GENERATOR_LR};
static discriminator_net d = {.target = target,
                              .score = score,
                              .score_grad = score_grad,
                              .loss = &loss,
                              .correct = &correct,
                              .picture_grad = slope,
                              .batch = BATCH,
                              .lr = DISCRIMINATOR_LR};

static void draw_noise(void) {
    for (int i = 0; i < GENERATOR_NOISE_LEN; i++) noise[i] = normal(&chance);
}

/* The loss of a function of the discriminator, on pictures that it should find to be real (1) or not (0). */
static float judged(int (*call)(const discriminator_net *), const float *picture, float should) {
    for (int i = 0; i < BATCH; i++) target[i] = should;
    d.picture = picture;
    if (call(&d)) exit(1);
    return loss;
}

/* The gradient of the generator's loss, -log(probability that its picture is real), in slope; that loss. */
static float ask_which_way(void) {
    float sum = 0;
    d.picture = fake;
    if (discriminator_forward(&d)) exit(1);
    for (int i = 0; i < BATCH; i++) {
        score_grad[i] = (1 / (1 + expf(-score[i])) - 1) / BATCH;
        sum += log1pf(expf(-score[i])) / BATCH;
    }
    if (discriminator_backward(&d)) exit(1);
    memset(d_grads, 0, sizeof d_grads); /* the discriminator does not learn from this */
    return sum;
}

static void step(int s) {
    for (int i = 0; i < BATCH; i++) {
        const unsigned char *from = digit + (size_t)(uniform(&chance) * ALL) * SIZE;
        for (int k = 0; k < SIZE; k++) real[i * SIZE + k] = (float)from[k] / 127.5f - 1;
    }
    draw_noise();
    if (generator_forward(&g)) exit(1);
    const float found =
        judged(discriminator_forward_backward, real, 1) + judged(discriminator_forward_backward, fake, 0);
    if (discriminator_apply(&d)) exit(1);
    const float fooled = ask_which_way();
    if (generator_backward(&g) || generator_apply(&g)) exit(1);
    if (s % 100 == 99)
        printf("step %d: discriminator %.3f, generator %.3f\n", s + 1, (double)found, (double)fooled), fflush(stdout);
}

/* In place of the last parameters their running averages, which draw better; statistics of batches follow them. */
static void settle(void) {
    if (generator_swap_ema(&g)) exit(1);
    for (int n = 0; n < 50; n++) {
        draw_noise();
        if (generator_forward(&g)) exit(1);
    }
}

static void write_samples(const char *path) {
    for (int i = 0; i < SAMPLES; i++) {
        if (i % BATCH == 0) draw_noise();
        if (i % BATCH == 0 && generator_predict(&g)) exit(1);
        for (int k = 0; k < SIZE; k++) samples[i * SIZE + k] = (fake[i % BATCH * SIZE + k] + 1) / 2;
    }
    write_npy(path, samples, SAMPLES, SIZE);
}

int main(int argc, char **argv) {
    g.params = g_params, g.grads = g_grads, g.opt = g_opt, g.state = g_state, g.arena = g_arena;
    d.params = d_params, d.grads = d_grads, d.opt = d_opt, d.state = d_state, d.arena = d_arena;
    if (argc != 4 || generator_open(&g) || discriminator_open(&d) || generator_init(&g, 1) || discriminator_init(&d, 2))
        return 2;
    read_idx(argv[1], "train-images-idx3-ubyte.gz", 16, digit, sizeof digit);
    for (int s = 0; s < atoi(argv[2]); s++) step(s);
    settle();
    write_samples(argv[3]);
    return 0;
}
