/* lstm.c - what a network carries from call to call, in double: 20 calls are PyTorch's 20 steps, and those of the
 * network that is unrolled; two contexts in two threads do not meet; a state that was never reset, or another's, is
 * refused. */
#include "all.h"
#include "net.h"
#include "noise.h"
#include "recorded.h"
#include <pthread.h>
#include <stdlib.h>

static double wx[NET_WX_LEN], wr[NET_WR_LEN], wb[NET_WB_LEN], sequence[ALL_X_LEN], unrolled[ALL_Y_LEN];

typedef struct {
    net_net net;
    double x[NET_X_LEN], y[STEPS][NET_Y_LEN];
    int stream, code;
} Caller;

NET_ARENA(arena0);
NET_ARENA(arena1);
NET_STATE(state0);
NET_STATE(state1);
ALL_ARENA(all_arena);
NOISE_STATE(other);
static Caller caller[2] = {{.net = {.arena = arena0, .state = state0}, .stream = 0},
                           {.net = {.arena = arena1, .state = state1}, .stream = 5}};

static int wrong(const char *what, int saw, int expected) {
    return fprintf(stderr, "%s: %d, expected %d\n", what, saw, expected), 1;
}

static void *call(void *arg) {
    Caller *c = arg;
    c->code = net_reset(&c->net);
    for (int t = 0; t < STEPS && !c->code; t++) {
        for (int i = 0; i < NET_X_LEN; i++) c->x[i] = drawn(c->stream, t, i);
        c->net.y = c->y[t], c->code = net_step(&c->net);
    }
    return NULL;
}

/* Which code a step and check return, and the field that check names. */
static int refused(const net_net *net, const char *what, int code, const char *named) {
    const char *field = "";
    double y[NET_Y_LEN];
    net_net tried = *net;
    tried.y = y;
    const int saw = net_step(&tried), seen = net_check(&tried, &field);
    if (saw != code) return wrong(what, saw, code);
    if (named && (seen != code || !field || strcmp(field, named))) return wrong("check", seen, code);
    return 0;
}

/* Before the first reset, too. */
static int refusals(void) {
    net_net net = caller[0].net;
    noise_net noise = {.state = other};
    if (refused(&net, "never reset", NET_E_STATE, NULL)) return 1;
    net.state = NULL;
    if (refused(&net, "no state", NET_E_NULL, "state") || net_reset(&net) != NET_E_NULL) return 1;
    net.state = state0 + 8;
    if (refused(&net, "not aligned", NET_E_ALIGN, "state") || net_reset(&net) != NET_E_ALIGN) return 1;
    net.state = other;
    if (NOISE_STATE_BYTES < NET_STATE_BYTES || noise_reset(&noise)) return wrong("reset", 1, 0);
    return refused(&net, "another network's", NET_E_STATE, NULL);
}

static int as_pytorch(const char *path) {
    FILE *f = recorded_for(path, "lstm");
    for (int t = 0; f && t < STEPS; t++)
        for (int i = 0; i < NET_Y_LEN; i++)
            if (!agrees(f, "y", t, caller[0].y[t][i])) return 1;
    return !f || fclose(f);
}

static int as_unrolled(void) {
    for (int t = 0, k = 0; t < STEPS; t++)
        for (int i = 0; i < NET_X_LEN; i++) sequence[k++] = drawn(0, t, i);
    const all_net all = {.x = sequence, .wx = wx, .wr = wr, .wb = wb, .y = unrolled, .arena = all_arena};
    if (all_run(&all)) return wrong("run", 1, 0);
    for (int i = 0; i < ALL_Y_LEN; i++)
        if (!(fabs(unrolled[i] - (&caller[0].y[0][0])[i]) <= 1e-14)) return wrong("unrolled", i, -1);
    return 0;
}

/* In threads the bits are those of one after the other. */
static int in_threads(void) {
    static double before[2][STEPS][NET_Y_LEN];
    pthread_t thread[2];
    for (int k = 0; k < 2; k++) memcpy(before[k], caller[k].y, sizeof before[k]);
    for (int k = 0; k < 2; k++) memset(caller[k].y, 0xff, sizeof caller[k].y);
    for (int k = 0; k < 2; k++)
        if (pthread_create(&thread[k], NULL, call, &caller[k])) return wrong("thread", 1, 0);
    for (int k = 0; k < 2; k++) pthread_join(thread[k], NULL);
    for (int k = 0; k < 2; k++)
        if (caller[k].code || memcmp(before[k], caller[k].y, sizeof before[k])) return wrong("in threads", k, -1);
    return 0;
}

int main(int argc, char **argv) {
    (void)argc;
    for (int k = 0; k < 2; k++) caller[k].net.x = caller[k].x, caller[k].net.wx = wx;
    for (int k = 0; k < 2; k++) caller[k].net.wr = wr, caller[k].net.wb = wb;
    fill(wx, NET_WX_LEN, 0), fill(wr, NET_WR_LEN, 1), fill(wb, NET_WB_LEN, 2);
    if (refusals()) return 1;
    for (int k = 0; k < 2; k++)
        if (call(&caller[k]), caller[k].code) return wrong("step", caller[k].code, 0);
    return as_pytorch(argv[1]) || as_unrolled() || in_threads();
}
