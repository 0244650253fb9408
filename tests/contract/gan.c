/* gan.c - two networks against each other: gan FILE. */
#include "discriminator.h"
#include "generator.h"
#include "recorded.h"

enum { BATCH = 8 };

GENERATOR_PARAMS(g_params);
GENERATOR_GRADS(g_grads);
GENERATOR_OPT(g_opt);
GENERATOR_STATE(g_state);
GENERATOR_ARENA(g_arena);
DISCRIMINATOR_PARAMS(d_params);
DISCRIMINATOR_GRADS(d_grads);
DISCRIMINATOR_OPT(d_opt);
DISCRIMINATOR_ARENA(d_arena);
static double noise[GENERATOR_NOISE_LEN], fake[GENERATOR_SAMPLE_LEN], real[GENERATOR_SAMPLE_LEN];
static double target[BATCH], fake_grad[GENERATOR_SAMPLE_LEN], score[BATCH];

static double loss;
static int32_t correct;
static generator_net g = {
    .noise = noise, .sample = fake, .sample_grad = fake_grad, .params = g_params, .grads = g_grads};
static discriminator_net d = {.target = target,
                              .score = score,
                              .loss = &loss,
                              .correct = &correct,
                              .sample_grad = fake_grad,
                              .params = d_params,
                              .grads = d_grads,
                              .opt = d_opt,
                              .arena = d_arena,
                              .batch = BATCH};

/* A function of the discriminator, on samples that it should find to be real (1) or not (0). */
static int judge(int (*call)(const discriminator_net *), const double *sample, double should) {
    for (int i = 0; i < BATCH; i++) target[i] = should;
    d.sample = sample;
    return call(&d);
}

static int step(FILE *f, int s) {
    double real_loss, fake_loss;
    for (int i = 0; i < GENERATOR_NOISE_LEN; i++) noise[i] = 2 * drawn(0, s, i);
    for (int i = 0; i < GENERATOR_SAMPLE_LEN; i++) real[i] = 0.5 + 0.3 * drawn(1, s, i);
    if (judge(discriminator_forward_backward, real, 1)) return 3;
    real_loss = loss;
    if (generator_forward(&g) || judge(discriminator_forward_backward, fake, 0)) return 3;
    fake_loss = loss;
    if (discriminator_apply(&d) || judge(discriminator_input_grad, fake, 1)) return 3;
    if (generator_backward(&g) || generator_apply(&g)) return 3;
    return !agrees(f, "loss of what is real", s, real_loss) || !agrees(f, "loss of what is not", s, fake_loss) ||
           !agrees(f, "loss of the generator", s, loss);
}

int main(int argc, char **argv) {
    FILE *f = argc == 2 ? recorded_for(argv[1], "gan") : NULL;
    int wrong = !f;
    g.opt = g_opt, g.state = g_state, g.arena = g_arena, g.batch = BATCH, g.lr = GENERATOR_LR, d.lr = DISCRIMINATOR_LR;
    if (wrong || generator_init(&g, 1) || discriminator_init(&d, 1)) return 2;
    FILL_PARAMS(generator_tensors, g_params);
    FILL_PARAMS(discriminator_tensors, d_params);
    for (int s = 0; s < STEPS && !wrong; s++) wrong = step(f, s);
    fclose(f);
    return wrong;
}
