/* augment.c - what is done to examples while they are trained on: a network that only looks at its batches.
 *
 * Pictures are 2 x 4 x 5 with all numbers different, their masks have a class for each place, targets are one-hot. What
 * each batch shows is compared with what the words allow. */
#include "nncc_train.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 12, C = 2, H = 4, W = 5, EACH = C * H * W, BATCH = 6, EPOCHS = 8 };

static float picture[N * EACH], kind[N * N];
static int32_t mask[N * H * W];
static const nncc_port ports[] = {{.name = "x", .type = NNCC_F32, .rank = 3, .dim = {C, H, W}, .each = EACH},
                                  {.name = "m", .type = NNCC_I32, .rank = 2, .dim = {H, W}, .each = H * W, .target = 1},
                                  {.name = "k", .type = NNCC_F32, .rank = 1, .dim = {N}, .each = N, .target = 1}};

typedef struct {
    const char *words;
    int wrong, same, changed;
    double sum, squares;
    int64_t n;
} Seen;

static float value(int i, int c, int y, int x) { return (float)(1 + x + 10 * y + 100 * c + 1000 * i); }

/* Which example a one-hot target says this is. */
static int which(const float *k) {
    for (int i = 0; i < N; i++)
        if (k[i] > 0.5f) return i;
    return 0;
}

/* Whether the picture is the i-th, mirrored or not, moved by some pixels, with edges that repeat or zeros around. */
static int moved(const float *x, const int32_t *m, int i, int flip, int dy, int dx, int zeros) {
    for (int y = 0; y < H; y++)
        for (int j = 0; j < W; j++) {
            int sy = y + dy, sx = (flip ? W - 1 - j : j) + dx, out = sy < 0 || sy >= H || sx < 0 || sx >= W;
            sy = sy < 0 ? 0 : sy >= H ? H - 1 : sy, sx = sx < 0 ? 0 : sx >= W ? W - 1 : sx;
            for (int c = 0; c < C; c++)
                if (x[(c * H + y) * W + j] != (zeros && out ? 0 : value(i, c, sy, sx))) return 0;
            if (m[y * W + j] != (int32_t)value(0, 0, sy, sx)) return 0;
        }
    return 1;
}

static int is_moved(const Seen *s, const float *x, const int32_t *m, int i) {
    int far = strstr(s->words, "crop") || strstr(s->words, "shift") ? 2 : 0, zeros = strstr(s->words, "crop") != NULL;
    for (int flip = 0; flip <= (strstr(s->words, "flip") != NULL); flip++)
        for (int dy = -far; dy <= far; dy++)
            for (int dx = -far; dx <= far; dx++)
                if (moved(x, m, i, flip, dy, dx, zeros)) return 1;
    return 0;
}

/* Numbers that are 0, all in one square. */
static int is_cut(const float *x, int i) {
    int top = H, left = W, bottom = -1, right = -1, zeros = 0;
    for (int k = 0; k < EACH; k++) {
        int y = k / W % H, j = k % W;
        if (x[k] != 0 && x[k] != value(i, k / (H * W), y, j)) return 0;
        if (x[k] != 0) continue;
        zeros++, top = y < top ? y : top, bottom = y > bottom ? y : bottom, left = j < left ? j : left,
                 right = j > right ? j : right;
    }
    return zeros == 0 || (zeros == C * (bottom - top + 1) * (right - left + 1) && bottom - top < 3 && right - left < 3);
}

/* The same parts of two examples in picture and target. */
static int is_mixed(const float *x, const float *k) {
    double sum = 0;
    for (int i = 0; i < N; i++) sum += (double)k[i];
    for (int p = 0; p < EACH; p++) {
        double want = 0;
        for (int i = 0; i < N; i++) want += (double)k[i] * (double)value(i, p / (H * W), p / W % H, p % W);
        if (fabs(want - (double)x[p]) > 1e-2) return 0;
    }
    return fabs(sum - 1) < 1e-5;
}

static int look(void *net, int n, const void *const *at, double lr, nncc_result *r) {
    Seen *s = net;
    (void)lr;
    for (int i = 0; i < n; i++) {
        const float *x = (const float *)at[0] + i * EACH, *k = (const float *)at[2] + i * N;
        const int32_t *m = (const int32_t *)at[1] + i * H * W;
        int of = which(k), same = !memcmp(x, picture + of * EACH, EACH * sizeof *x);
        s->same += same, s->changed += !same;
        if (strstr(s->words, "mixup"))
            s->wrong += !is_mixed(x, k);
        else if (strstr(s->words, "cutout"))
            s->wrong += !is_cut(x, of);
        else if (!strstr(s->words, "noise") && !strstr(s->words, "rotate"))
            s->wrong += !is_moved(s, x, m, of);
        for (int p = 0; p < EACH; p++) {
            double d = (double)x[p] - (double)picture[of * EACH + p];
            s->sum += d, s->squares += d * d, s->n++;
        }
    }
    r->loss = 1;
    return 0;
}

static int nothing(void *net, int n, const void *const *at, nncc_result *r) {
    (void)net, (void)n, (void)at;
    return r->loss = 0, 0;
}

static int check(const char *words, int ports_used, Seen *s) {
    static const nncc_tensor none[] = {{NULL}};
    const nncc_data data = {.n = N, .at = {picture, mask, kind}, .step = {EACH, H * W, N}}, test = {.n = 0};
    const nncc_data mixed = {.n = N, .at = {picture, kind, kind}, .step = {EACH, N, N}};
    const nncc_port floats[] = {ports[0], ports[2], ports[2]};
    const nncc_options o = {.epochs = EPOCHS, .seed = 5, .lr = 1, .quiet = 1, .augment = words};
    *s = (Seen){.words = words};
    const nncc_model m = {.tensors = none,
                          .batch = BATCH,
                          .port = ports_used == 3 ? ports : floats,
                          .ports = 3,
                          .net = s,
                          .train = look,
                          .eval = nothing};
    return nncc_fit(&m, ports_used == 3 ? &data : &mixed, &test, &o);
}

static int fails(const char *words, int some_stay) {
    Seen s, again;
    int floats = strstr(words, "mixup") ? 2 : 3;
    if (check(words, floats, &s) || check(words, floats, &again))
        return fprintf(stderr, "%s: it does not run\n", words), 1;
    if (s.wrong || !s.changed || (some_stay && !s.same) || s.squares != again.squares)
        return fprintf(stderr, "%s: %d wrong, %d as they were, %d changed\n", words, s.wrong, s.same, s.changed), 1;
    return 0;
}

int main(void) {
    Seen s;
    for (int k = 0; k < N * EACH; k++) picture[k] = value(k / EACH, k / (H * W) % C, k / W % H, k % W);
    for (int k = 0; k < N * H * W; k++) mask[k] = (int32_t)value(0, 0, k / W % H, k % W);
    for (int i = 0; i < N; i++) kind[i * N + i] = 1;
    int bad = fails("flip", 1) + fails("shift=2", 1) + fails("crop=2", 1) + fails("flip,shift=1", 1) +
              fails("cutout=3", 0) + fails("mixup=0.4", 0) + fails("rotate=20", 0);
    if (check("noise=0.5", 3, &s) || fabs(s.sum / (double)s.n) > 0.03 ||
        fabs(sqrt(s.squares / (double)s.n) - 0.5) > 0.02)
        bad++, fprintf(stderr, "noise: mean %g, deviation %g\n", s.sum / (double)s.n, sqrt(s.squares / (double)s.n));
    if (!check("mixup", 3, &s) || !check("blur", 3, &s) || !check("flip=2", 3, &s)) bad++;
    printf("\n%s\n", bad ? "wrong" : "right");
    return bad != 0;
}
