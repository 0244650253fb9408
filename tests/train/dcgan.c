/* dcgan.c - the two networks of models/dcgan_*.nn against each other, as PyTorch trained them: net NAME f32|f64
 * TOLERANCE FILE. Of each step two losses: what the discriminator is told, then what the generator is. */
#include "discriminator.h"
#include "generator.h"
#include "networks.h"

enum { BATCH = 2, PIXELS = 784 };

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
static REAL noise[GENERATOR_NOISE_LEN], fake[BATCH * PIXELS], real[BATCH * PIXELS], target[BATCH], score[BATCH],
    fake_grad[BATCH * PIXELS], score_grad[BATCH], loss;
static int32_t correct;
static generator_net g = {
    .noise = noise, .picture = fake, .picture_grad = fake_grad, .params = g_params, .grads = g_grads, .opt = g_opt};
static discriminator_net d = {.target = target,
                              .score = score,
                              .loss = &loss,
                              .correct = &correct,
                              .params = d_params,
                              .grads = d_grads,
                              .opt = d_opt};

static int judge(const REAL *picture, int is_real) {
    for (int i = 0; i < BATCH; i++) target[i] = (REAL)is_real;
    d.picture = picture;
    return discriminator_forward_backward(&d);
}

/* By the discriminator's own statistics of the batch: its mean cross entropy, and how that changes with pictures. */
static int tell(void) {
    d.picture = fake, d.picture_grad = fake_grad, d.score_grad = score_grad;
    if (discriminator_forward(&d)) return 1;
    loss = 0;
    for (int i = 0; i < BATCH; i++) {
        const double e = exp(-fabs((double)score[i])), s = score[i];
        loss += (REAL)((log1p(e) + (s < 0 ? -s : 0)) / BATCH);
        score_grad[i] = (REAL)((1 / (1 + exp(-s)) - 1) / BATCH);
    }
    return discriminator_backward(&d);
}

static int step(int s, FILE *f, double most, double *worst) {
    for (int i = 0; i < GENERATOR_NOISE_LEN; i++) noise[i] = (REAL)(4 * uniform(DRAWS + s, i) - 2);
    draw_pictures(s, 0.5, real, BATCH, PIXELS);
    for (int i = 0; i < BATCH * PIXELS; i++) real[i] *= 2;
    memset(d_grads, 0, DISCRIMINATOR_GRADS_BYTES), d.picture_grad = NULL;
    if (judge(real, 1)) return 3;
    REAL first = loss;
    if (generator_forward(&g) || judge(fake, 0) || discriminator_apply(&d)) return 3;
    if (!follows(f, s, first + loss, most, worst)) return 1;
    if (tell() || generator_backward(&g) || generator_apply(&g)) return 3;
    return !follows(f, s, loss, most, worst);
}

int main(int argc, char **argv) {
    double worst = 0, lr;
    FILE *f = argc == 5 ? fopen(argv[4], "r") : NULL;
    int steps = open_line(f, argv[1], argv[2], BATCH, &lr), wrong = !steps;
    g.batch = d.batch = BATCH, g.lr = d.lr = lr;
    g.state = g_state, g.arena = g_arena, d.state = d_state, d.arena = d_arena;
    if (wrong || generator_init(&g, 1) || discriminator_init(&d, 1)) return 2;
    FILL_PARAMS(generator_tensors, g_params);
    FILL_PARAMS(discriminator_tensors, d_params);
    for (int s = 0; s < steps && !wrong; s++) wrong = step(s, f, strtod(argv[3], NULL), &worst);
    if (!wrong) printf("%s %s: %d losses, worst relative error %.1e\n", argv[1], argv[2], 2 * steps, worst);
    fclose(f);
    return wrong;
}
