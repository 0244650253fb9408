/* steps.c - two copies of a network are trained side by side, one by train_batch, one by forward_backward and apply. */
#include "net.h"
#include <stdio.h>
#include <string.h>

NET_PARAMS(params1);
NET_PARAMS(params2);
#if NET_OPT_BYTES
NET_OPT(opt1);
NET_OPT(opt2);
#else
static char opt1[1], opt2[1];
#endif
NET_STATE(state1);
NET_STATE(state2);
NET_GRADS(grads);
NET_ARENA(arena);
static float x[NET_X_LEN], x_grad[NET_X_GRAD_LEN], y[NET_Y_LEN], loss1, loss2;
static int32_t label[NET_LABEL_LEN], correct;

static void draw_batch(void) {
    static uint32_t r = 1;
    for (int i = 0; i < NET_X_LEN; i++) {
        r = r * 1664525u + 1013904223u;
        x[i] = (float)(r >> 8) / 8388608.0f - 1.0f;
    }
    for (int i = 0; i < NET_LABEL_LEN; i++) label[i] = x[4 * i] > 0.3f ? 0 : x[4 * i + 1] * x[4 * i + 2] > 0.0f ? 1 : 2;
}

static int fail(const char *what, int step) { return fprintf(stderr, "%s, step %d\n", what, step), 1; }

int main(void) {
    enum { STEPS = 400, SEEN = 20 };
    double first = 0, last = 0;
    net_net one = {.x = x, .label = label, .y = y, .loss = &loss1, .correct = &correct, .x_grad = x_grad};
    one.batch = NET_MAX_BATCH, one.lr = NET_LR, one.params = params1, one.opt = opt1, one.state = state1,
    one.arena = arena;
    net_net two = one;
    two.params = params2, two.opt = opt2, two.state = state2, two.grads = grads, two.loss = &loss2;
    if (net_train_batch(NULL) != NET_E_NULL || net_init(&one, 3) || net_init(&two, 3)) return fail("init", 0);
    for (int s = 0; s < STEPS; s++) {
        draw_batch();
        if (s == STEPS / 2) one.batch = two.batch = 5;
        if (s == STEPS / 2 + 1) one.batch = two.batch = NET_MAX_BATCH;
        if (net_train_batch(&one) || net_forward_backward(&two) || net_apply(&two)) return fail("a call failed", s);
        if (loss1 != loss2 || memcmp(params1, params2, sizeof params1) || memcmp(opt1, opt2, sizeof opt1) ||
            memcmp(state1, state2, sizeof state1))
            return fail("the two ways differ", s);
        if (s < SEEN) first += (double)loss1;
        if (s >= STEPS - SEEN) last += (double)loss1;
    }
    if (!(last < 0.8 * first)) return fprintf(stderr, "loss %g, at first %g\n", last / SEEN, first / SEEN), 1;
    one.batch = 0;
    if (net_train_batch(&one) != NET_E_DIM) return fail("a batch of none", STEPS);
    one.batch = 7;
    one.grads = grads;
    if (net_predict(&one) || net_eval_batch(&one) || net_forward(&one) || net_backward(&one) || net_input_grad(&one))
        return fail("a call failed", STEPS);
    for (int i = 0; i < 4; i++)
        if (x_grad[i] != 0.0f) return 0;
    return fail("no gradient for the input", STEPS);
}
