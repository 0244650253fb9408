/* nncc_augment.c - examples that are changed at random while they are trained on, each time otherwise: a function of
 * seed, epoch and place in the epoch alone, so that a run that goes on sees what it would have seen. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_fit.h"
#include "nncc_random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 64, PICTURES = 0x0a060000, NOISE = 0x0a070000 }; /* numbers of an example; streams */

/* ---- what is asked for ---- */

static const struct {
    const char *name;
    size_t at;
    double usual, most; /* without a number; what it may be */
} words[] = {{"flip", offsetof(Augment, flip), 0.5, 1},     {"crop", offsetof(Augment, crop), 4, 1024},
             {"shift", offsetof(Augment, shift), 2, 1024},  {"rotate", offsetof(Augment, rotate), 10, 180},
             {"noise", offsetof(Augment, noise), 0.1, 1e6}, {"cutout", offsetof(Augment, cutout), 8, 4096},
             {"mixup", offsetof(Augment, mixup), 0.2, 100}};
enum { WORDS = sizeof words / sizeof *words };

static int take_word(Augment *a, const char *s, size_t n) {
    for (int i = 0; i < WORDS; i++) {
        size_t m = strlen(words[i].name);
        char *end = NULL;
        if (strncmp(s, words[i].name, m) || (n > m && s[m] != '=')) continue;
        double v = n == m ? words[i].usual : strtod(s + m + 1, &end);
        if (n > m && (end != s + n || n == m + 1)) break;
        if (!(v > 0 && v <= words[i].most)) break;
        *(double *)(void *)((char *)a + words[i].at) = v;
        return 0;
    }
    fprintf(stderr,
            "--augment: expected flip, crop, shift, rotate, noise, cutout or mixup, with a number in its range, saw "
            "'%.*s'\n",
            (int)n, s);
    return -1;
}

static int is_picture(const nncc_port *t) { return !t->target && t->type <= NNCC_F64 && t->rank == 3; }

/* A target that has a place for each of the picture's. */
static int is_mask(const nncc_port *t, const nncc_port *picture) {
    int planes = t->rank == 3;
    return t->target && t->rank >= 2 && t->rank <= 3 && t->dim[planes] == picture->dim[1] &&
           t->dim[planes + 1] == picture->dim[2];
}

static int check_augment(const Augment *a, const nncc_model *m) {
    int pictures = 0, floats = 0;
    for (int p = 0; p < m->ports; p++) {
        pictures += is_picture(&m->port[p]), floats += !m->port[p].target && m->port[p].type <= NNCC_F64;
        if (a->mixup > 0 && m->port[p].target && m->port[p].type > NNCC_F64)
            return fprintf(stderr,
                           "--augment: mixup needs targets that are numbers, such as probabilities of classes, saw "
                           "classes in '%.40s'\n",
                           m->port[p].name),
                   -1;
    }
    if ((a->flip > 0 || a->crop > 0 || a->shift > 0 || a->rotate > 0 || a->cutout > 0) && !pictures)
        return fputs("--augment: expected an input of pictures, [batch, channels, height, width], saw none\n", stderr),
               -1;
    if ((a->noise > 0 || a->mixup > 0) && !floats)
        return fputs("--augment: expected an input of floats, saw none\n", stderr), -1;
    return 0;
}

int nncc_augment_new(Augment *a, const nncc_model *m, const char *text) {
    size_t n;
    int64_t most = 1;
    *a = (Augment){0};
    for (const char *s = text; s && *s; s += n + (s[n] == ',')) {
        n = strcspn(s, ",");
        if (take_word(a, s, n)) return -1;
        a->any = 1;
    }
    for (int p = 0; p < m->ports; p++)
        if (m->port[p].each > most) most = m->port[p].each;
    a->room = malloc((size_t)most * sizeof(double));
    return !a->room ? -1 : a->any ? check_augment(a, m) : 0;
}

/* ---- pictures ---- */

static double get(const nncc_port *t, const void *at, int64_t i) { return nncc_number_at(t->type, at, i); }

static void set(const nncc_port *t, void *at, int64_t i, double v) {
    switch (t->type) {
    case NNCC_F32: ((float *)at)[i] = (float)v; return;
    case NNCC_F64: ((double *)at)[i] = v; return;
    case NNCC_I32: ((int32_t *)at)[i] = (int32_t)v; return;
    case NNCC_I64: ((int64_t *)at)[i] = (int64_t)v; return;
    default: ((uint8_t *)at)[i] = (uint8_t)v;
    }
}

/* Where a place of the new picture comes from: turned around the middle, moved, mirrored. */
typedef struct {
    double cos, sin, down, across;
    int mirror, turned, zeros; /* zeros: outside is 0, else as at the edge */
} Move;

static int64_t within(int64_t i, int64_t n) { return i < 0 ? 0 : i >= n ? n - 1 : i; }

/* The picture at a place between pixels; class pictures have the nearest one's. */
static double sample(const Move *m, const double *from, int64_t h, int64_t w, double y, double x, int nearest) {
    if (m->zeros && !nearest && (y < -0.5 || x < -0.5 || y > (double)h - 0.5 || x > (double)w - 0.5)) return 0;
    if (nearest || !m->turned) return from[within((int64_t)floor(y + 0.5), h) * w + within((int64_t)floor(x + 0.5), w)];
    int64_t i = (int64_t)floor(y), j = (int64_t)floor(x);
    double v = y - (double)i, u = x - (double)j;
    const double *a = from + within(i, h) * w, *b = from + within(i + 1, h) * w;
    int64_t left = within(j, w), right = within(j + 1, w);
    return (1 - v) * ((1 - u) * a[left] + u * a[right]) + v * ((1 - u) * b[left] + u * b[right]);
}

static void move_picture(const Augment *a, const Move *m, const nncc_port *t, void *at, int64_t first, int nearest) {
    int planes = t->rank == 3;
    int64_t c = planes ? t->dim[0] : 1, h = t->dim[planes], w = t->dim[planes + 1];
    double my = (double)(h - 1) / 2, mx = (double)(w - 1) / 2;
    for (int64_t k = 0; k < c * h * w; k++) a->room[k] = get(t, at, first + k);
    for (int64_t k = 0; k < c * h * w; k++) {
        double y = (double)(k / w % h) - my, x = (double)(k % w) - mx;
        if (m->mirror) x = -x;
        double from_y = m->cos * y - m->sin * x + my + m->down, from_x = m->sin * y + m->cos * x + mx + m->across;
        set(t, at, first + k, sample(m, a->room + k / (h * w) * h * w, h, w, from_y, from_x, nearest));
    }
}

static void cut_out(const nncc_port *t, void *at, int64_t first, double size, double u, double v) {
    int64_t h = t->dim[1], w = t->dim[2], n = (int64_t)size;
    int64_t top = (int64_t)floor(u * (double)(h + n - 1)) - n + 1,
            left = (int64_t)floor(v * (double)(w + n - 1)) - n + 1;
    for (int64_t k = 0; k < t->each; k++) {
        int64_t y = k / w % h, x = k % w;
        if (y >= top && y < top + n && x >= left && x < left + n) set(t, at, first + k, 0);
    }
}

/* A whole number from -most to most. */
static double pick(double most, double u) { return floor(u * (2 * floor(most) + 1)) - floor(most); }

static Move draw_move(const Augment *a, const double *u) {
    double angle = a->rotate > 0 ? (2 * u[1] - 1) * a->rotate * 0.017453292519943295 : 0;
    Move m = {cos(angle), sin(angle), 0, 0, u[0]<a->flip, a->rotate> 0, a->crop > 0};
    if (a->crop > 0) m.down += pick(a->crop, u[2]), m.across += pick(a->crop, u[3]);
    if (a->shift > 0) m.down += pick(a->shift, u[4]), m.across += pick(a->shift, u[5]);
    return m;
}

/* The input whose moves a target takes part in; -1: it has no place for each of a picture's. */
static int picture_of(const nncc_model *m, int target) {
    for (int p = 0; p < m->ports; p++)
        if (is_picture(&m->port[p]) && is_mask(&m->port[target], &m->port[p])) return p;
    return -1;
}

static void change_pictures(const Augment *a, const nncc_model *m, Batch *b, int i, const double *u) {
    Move move = draw_move(a, u);
    int moves = a->flip > 0 || a->crop > 0 || a->shift > 0 || a->rotate > 0;
    for (int p = 0; p < m->ports; p++) {
        const nncc_port *t = &m->port[p];
        if (!is_picture(t)) continue;
        if (moves) move_picture(a, &move, t, b->value[p], i * t->each, 0);
        if (a->cutout > 0) cut_out(t, b->value[p], i * t->each, a->cutout, u[6], u[7]);
        for (int q = 0; q < m->ports && moves; q++)
            if (picture_of(m, q) == p)
                move_picture(a, &move, &m->port[q], b->value[q], i * m->port[q].each, m->port[q].type > NNCC_F64);
    }
}

/* ---- numbers ---- */

/* A number of the beta distribution with two equal parameters, by Johnk's method, from numbers in (0, 1). */
static double beta(double alpha, const double *u, int n) {
    for (int i = 0; i + 1 < n; i += 2) {
        double x = pow(u[i], 1 / alpha), y = pow(u[i + 1], 1 / alpha);
        if (x + y > 0 && x + y <= 1) return x / (x + y);
    }
    return 0.5;
}

/* Each example with the next one as it was. */
static void mix(const nncc_model *m, Batch *b, int64_t i, double lambda) {
    for (int p = 0; p < m->ports; p++) {
        const nncc_port *t = &m->port[p];
        for (int64_t k = i * t->each; k < (i + 1) * t->each && t->type <= NNCC_F64; k++)
            set(t, b->value[p], k, lambda * get(t, b->value[p], k) + (1 - lambda) * get(t, b->value[p], k + t->each));
    }
}

/* Example i of the batch at hand, which has place `at` in the epoch. */
static void add_noise(const Augment *a, const nncc_model *m, Batch *b, int64_t i, int64_t at, const nncc_progress *of) {
    uint32_t stream = NOISE + (uint32_t)of->epoch;
    for (int p = 0; p < m->ports; p++) {
        const nncc_port *t = &m->port[p];
        for (int64_t k = 0; k < t->each && !t->target && t->type <= NNCC_F64; k++)
            set(t, b->value[p], i * t->each + k,
                get(t, b->value[p], i * t->each + k) +
                    a->noise * nncc_normal_at(of->seed + (uint32_t)p, stream, at * t->each + k));
    }
}

void nncc_augment(const Augment *a, const nncc_model *m, Batch *b, Part part, int64_t whole, const nncc_progress *at) {
    double u[DRAWS], before = 1;
    for (int i = 0; i < part.n + (a->mixup > 0) && a->any; i++) {
        int64_t place = at->sample + (part.from + i) % whole;
        for (int k = 0; k < DRAWS; k++)
            u[k] = nncc_uniform_at(at->seed, PICTURES + (uint32_t)at->epoch, place * DRAWS + k);
        change_pictures(a, m, b, i, u);
        if (a->noise > 0) add_noise(a, m, b, i, place, at);
        if (a->mixup > 0 && i) mix(m, b, i - 1, before);
        before = a->mixup > 0 ? beta(a->mixup, u + 8, DRAWS - 8) : 1;
    }
}
