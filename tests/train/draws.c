/* draws.c - what random numbers do in a program that trains: it learns; a state draws the same numbers again, and the
 * next step others; predict and eval_batch leave the generator where it is, sample moves it on; both parts of a step
 * read the same noise. */
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 8, STEPS = 400 };
NET_PARAMS(params);
NET_GRADS(grads);
NET_OPT(opt);
NET_STATE(state);
NET_ARENA(arena);

static float x[NET_X_LEN], logits[NET_LOGITS_LEN], again[NET_LOGITS_LEN], keep[NET_KEEP_LEN], u[NET_U_LEN], loss,
    reconstruction, kl;
static int m[NET_M_LEN];
static unsigned char kept[NET_STATE_BYTES];

static int fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    return 1;
}

/* Four patterns of twelve bits. */
static void draw_batch(int step) {
    for (int i = 0; i < BATCH * 12; i++) x[i] = (float)((i % 12 / 3 + (i / 12 + step) % 4) % 2);
}

static double mean_of(int from, int to, net_net *net) {
    double sum = 0;
    for (int s = from; s < to; s++) {
        draw_batch(s);
        if (net_train_batch(net)) return NAN;
        sum += (double)loss;
    }
    return sum / (to - from);
}

/* The loss and the state of a step are those of the same step again. */
static int repeats(net_net *net) {
    memcpy(kept, state, sizeof kept);
    if (net_forward_backward(net)) return fail("forward_backward");
    const float first = loss;
    if (net_forward_backward(net)) return fail("forward_backward");
    const float second = loss;
    memcpy(state, kept, sizeof kept);
    if (net_forward_backward(net)) return fail("forward_backward");
    return first == loss && first != second ? 0 : fail("a state does not draw the same numbers again");
}

static int generator_stays(net_net *net) {
    memcpy(kept, state, sizeof kept);
    if (net_predict(net) || net_eval_batch(net) || memcmp(kept, state, sizeof kept))
        return fail("predict moves the generator");
    memcpy(again, logits, sizeof again);
    if (net_predict(net) || memcmp(again, logits, sizeof again)) return fail("predict gives two results");
    return 0;
}

static int samples(net_net *net) {
    double sum = 0, most = 0;
    memcpy(kept, state, sizeof kept);
    for (int k = 0; k < 500; k++) {
        if (net_sample(net)) return fail("sample");
        if (k && !memcmp(again, logits, sizeof again)) return fail("sample gives a result twice");
        memcpy(again, logits, sizeof again);
        for (int i = 0; i < NET_U_LEN; i++) sum += (double)u[i];
        most = fmax(most, fabs((double)logits[0]));
        for (int i = 0; i < BATCH * 2; i++)
            if (m[i] < 0 || m[i] > 11) return fail("a class that is none");
        for (int i = 0; i < BATCH * 12; i++)
            if (keep[i] != 0 && keep[i] != 1) return fail("neither 0 nor 1");
    }
    if (fabs(sum / 500 / NET_U_LEN - 0.5) > 0.03) return fail("numbers are not uniform");
    memcpy(state, kept, sizeof kept);
    return net_sample(net) || memcmp(again, logits, sizeof again) == 0 ? fail("sample does not begin again") : 0;
}

int main(void) {
    net_net net = {.x = x,
                   .logits = logits,
                   .keep = keep,
                   .u = u,
                   .m = m,
                   .loss = &loss,
                   .reconstruction = &reconstruction,
                   .kl = &kl,
                   .batch = BATCH,
                   .lr = NET_LR};
    net.params = params, net.grads = grads, net.opt = opt, net.state = state, net.arena = arena;
    if (net_init(&net, 7)) return fail("init");
    const double before = mean_of(0, 50, &net),
                 after = (mean_of(50, STEPS - 50, &net), mean_of(STEPS - 50, STEPS, &net));
    printf("loss %g, then %g\n", before, after);
    if (!(after < 0.8 * before)) return fail("it does not learn");
    return repeats(&net) || generator_stays(&net) || samples(&net);
}
