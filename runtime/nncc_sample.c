/* nncc_sample.c - texts that a network of characters or words writes: the next piece is drawn by its scores, again and
 * again. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_data.h"
#include "nncc_fit.h"
#include "nncc_random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWN = 0x0a080000 }; /* the stream of random numbers */

typedef struct {
    const nncc_model *m;
    const nncc_sampling *o;
    const nncc_words *w;
    const nncc_port *x, *scores;
    int input, output, words;
    int64_t length, *piece, n; /* length: of the network's input; piece: the text so far */
    double *weight;            /* room for a number for each class */
    Batch batch;
} Sampler;

static int refuse(const char *why) { return fprintf(stderr, "--sample: %s\n", why), -1; }

/* ---- what the network is ---- */

static int find_input(Sampler *s) {
    for (int p = 0; p < s->m->ports; p++) {
        if (s->m->port[p].target) continue;
        if (s->x) return refuse("expected a network of one input, saw several");
        s->x = &s->m->port[p], s->input = p;
    }
    if (!s->x || s->x->rank != 1 || s->x->type == NNCC_F32 || s->x->type == NNCC_F64)
        return refuse("expected an input of integers, [batch, length], that choose from a table");
    s->length = s->x->each, s->w = s->m->words ? &s->m->words[s->input] : NULL;
    if (!s->w || !s->w->n)
        return refuse("which characters or words the network's numbers are is not known: expected --start-from with a "
                      "checkpoint, or a model that was exported, of a training on text");
    return 0;
}

/* The first output with a score of each class, for the next piece or for the one behind each. */
static int find_scores(Sampler *s) {
    for (int p = 0; p < s->m->outputs && !s->scores; p++) {
        const nncc_port *y = &s->m->output[p];
        int each = y->rank == 2 && y->dim[1] == s->length;
        if (y->type > NNCC_F64 || y->alone || !(y->rank == 1 || each) || y->dim[0] < s->w->n) continue;
        s->scores = y, s->output = p;
    }
    if (s->scores) return 0;
    return fprintf(stderr,
                   "--sample: expected an output of floats, [batch, classes] or [batch, classes, %lld], with at least "
                   "%lld classes\n",
                   (long long)s->length, (long long)s->w->n),
           -1;
}

/* Words if one of them is longer than a character. */
static int are_words(const nncc_words *w) {
    for (int64_t i = 0; i < w->n; i++) {
        size_t at = 0, n = strlen(w->at[i]);
        if (strcmp(w->at[i], nncc_other_words) && n > nncc_next_piece((const unsigned char *)w->at[i], n, 0, &at))
            return 1;
    }
    return 0;
}

/* ---- the text ---- */

static int take_prompt(Sampler *s, const char *text) {
    size_t at = 0, size = strlen(text), n;
    int64_t rest = nncc_find_word(s->w, nncc_other_words, strlen(nncc_other_words));
    s->piece = malloc((size + (size_t)s->o->length + 1) * sizeof *s->piece);
    if (!s->piece) return refuse("out of memory");
    while ((n = nncc_next_piece((const unsigned char *)text, size, s->words, &at))) {
        int64_t c = nncc_find_word(s->w, text + at, n);
        if (c < 0) c = rest;
        if (c < 0) {
            char shown[64];
            snprintf(shown, sizeof shown, "%.*s", (int)(n < 40 ? n : 40), text + at);
            return fprintf(stderr, "--prompt: expected %ss that training has seen, saw '%s'\n",
                           s->words ? "word" : "character", nncc_printable(shown)),
                   -1;
        }
        s->piece[s->n++] = c, at += n;
    }
    return 0;
}

/* Without a prompt it begins a line. */
static int begin(Sampler *s) {
    int64_t line = nncc_find_word(s->w, "\n", 1);
    if (take_prompt(s, s->o->prompt ? s->o->prompt : "")) return -1;
    if (!s->n) s->piece[s->n++] = line < 0 ? 0 : line;
    return 0;
}

/* Characters of a word: it may come from a stranger's model, so that of control characters, which could do things to a
 * terminal, only ends of lines and tabs are written. */
static void put_word(const char *w) {
    const size_t size = strlen(w);
    size_t at = 0, n;
    while ((n = nncc_next_piece((const unsigned char *)w, size, 0, &at))) {
        char c[8] = {0};
        memcpy(c, w + at, n), at += n;
        const int plain = *c == '\n' || *c == '\t',
                  alone = n == 1 && (unsigned char)*c >= 128 && (unsigned char)*c < 160;
        fputs(plain ? c : alone ? "?" : nncc_printable(c), stdout);
    }
}

/* Between words a blank, but not before what closes a sentence, nor around the end of a line. */
static void put_piece(const Sampler *s, int64_t i) {
    const char *w = s->w->at[s->piece[i]];
    int first = !i || !strcmp(s->w->at[s->piece[i - 1]], "\n");
    if (s->words && !first && !(strlen(w) == 1 && strchr("\n.,;:!?)", *w))) putchar(' ');
    put_word(w);
}

/* ---- a step ---- */

/* What has been written last, and which of its places has the scores of what comes next. One answer for all belongs
 * behind the last place: class 0 stands before a text that is too short. */
static int64_t fill_input(Sampler *s) {
    int64_t n = s->n < s->length ? s->n : s->length, before = s->scores->rank == 1 ? s->length - n : 0;
    for (int i = 0; i < (s->m->fixed ? s->m->batch : 1); i++)
        for (int64_t k = 0; k < s->length; k++) {
            int64_t at = k - before, c = at < 0 ? 0 : s->piece[s->n - n + (at < n ? at : n - 1)];
            nncc_put_number(s->x->type, s->batch.value[s->input], i * s->length + k, (double)c);
        }
    return s->scores->rank == 1 ? 0 : n - 1;
}

/* The scores at a place as logarithms, up to a constant: they may be probabilities. */
static void take_scores(Sampler *s, int64_t place) {
    int64_t places = s->scores->rank == 1 ? 1 : s->length, unknown;
    double sum = 0, least = 0;
    const void *at = s->batch.out[s->output];
    for (int64_t c = 0; c < s->scores->dim[0]; c++) {
        double v = nncc_number_at(s->scores->type, at, c * places + place);
        sum += v, least = v < least ? v : least;
        if (c < s->w->n) s->weight[c] = v;
    }
    for (int64_t c = 0; c < s->w->n && least >= 0 && fabs(sum - 1) < 1e-3; c++) s->weight[c] = log(s->weight[c]);
    unknown = nncc_find_word(s->w, nncc_other_words, strlen(nncc_other_words));
    if (unknown >= 0) s->weight[unknown] = -INFINITY;
}

static int64_t greatest(const Sampler *s) {
    int64_t best = 0;
    for (int64_t c = 1; c < s->w->n; c++)
        if (s->weight[c] > s->weight[best]) best = c;
    return best;
}

/* By the probabilities of the scores over the temperature; at 0 the likeliest. */
static int64_t draw(Sampler *s, int64_t step) {
    int64_t best = greatest(s);
    double sum = 0, most = s->weight[best], u = nncc_uniform_at(s->o->seed, DRAWN, step);
    if (!(s->o->temperature > 0)) return best;
    for (int64_t c = 0; c < s->w->n; c++) sum += s->weight[c] = exp((s->weight[c] - most) / s->o->temperature);
    for (int64_t c = 0; c < s->w->n; c++)
        if ((u -= s->weight[c] / sum) <= 0) return c;
    return best;
}

static int write_text(Sampler *s) {
    int code = 0;
    for (int64_t i = 0; i < s->n; i++) put_piece(s, i);
    for (int64_t k = 0; k < s->o->length && !code; k++) {
        int64_t place = fill_input(s);
        code = s->m->predict(s->m->net, s->m->fixed ? s->m->batch : 1, nncc_values_of(&s->batch), s->batch.out);
        if (code) return code;
        take_scores(s, place);
        s->piece[s->n++] = draw(s, k);
        put_piece(s, s->n - 1);
        if (fflush(stdout)) return -1;
    }
    puts("");
    return code;
}

int nncc_sample(const nncc_model *m, const nncc_sampling *o) {
    Sampler s = {.m = m, .o = o};
    if (find_input(&s) || find_scores(&s)) return -1;
    s.words = are_words(s.w);
    s.weight = malloc((size_t)s.w->n * sizeof *s.weight);
    int code = !s.weight || nncc_batch_new(m, &s.batch) ? refuse("out of memory") : begin(&s);
    if (!code) code = write_text(&s);
    free(s.weight), free(s.piece);
    nncc_batch_free(&s.batch);
    return code;
}
