/* nncc_predict.c - a trained network on data: its figures, or its outputs in files. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_fit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- outputs in files ---- */

typedef struct {
    const nncc_port *port;
    const char *path;
    FILE *f;
    int place, csv;
} Sink;

static const char *const npy_types[] = {[NNCC_F32] = "<f4", [NNCC_F64] = "<f8", [NNCC_I32] = "<i4",
                                        [NNCC_I64] = "<i8", [NNCC_U8] = "|u1",  [NNCC_BOOL] = "|b1"};

static int sink_error(const Sink *s) {
    return fprintf(stderr, "cannot write '%s': %s\n", s->path, strerror(errno)), -1;
}

static void put_npy_header(const Sink *s, int64_t n) {
    enum { HEADER = 512 };
    char text[HEADER];
    int at = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%lld,",
                      npy_types[s->port->type], (long long)n);
    for (int d = 0; d < s->port->rank; d++)
        at += snprintf(text + at, sizeof text - (size_t)at, " %lld,", (long long)s->port->dim[d]);
    at += snprintf(text + at, sizeof text - (size_t)at, "), }");
    while ((at + 11) % 64) text[at++] = ' ';
    text[at++] = '\n';
    fwrite("\x93NUMPY\x01\x00", 1, 8, s->f);
    fputc(at & 255, s->f), fputc(at >> 8, s->f);
    fwrite(text, 1, (size_t)at, s->f);
}

/* In quotes, which are doubled within, where the name has what csv means otherwise. */
static void put_csv_header(const Sink *s) {
    int quoted = strpbrk(s->port->name, ",;\" \t\r\n") != NULL;
    for (int64_t k = 0; k < s->port->each; k++) {
        if (k) fputc(',', s->f);
        if (quoted) fputc('"', s->f);
        for (const char *c = s->port->name; *c; c++) {
            if (*c == '"') fputc('"', s->f);
            fputc(*c, s->f);
        }
        if (s->port->each > 1) fprintf(s->f, ".%lld", (long long)k);
        if (quoted) fputc('"', s->f);
    }
    fputc('\n', s->f);
}

/* Each number as it reads back. */
static void put_number(FILE *f, nncc_type t, const void *at, int64_t i) {
    if (t == NNCC_I64)
        fprintf(f, "%lld", (long long)((const int64_t *)at)[i]);
    else
        fprintf(f, t == NNCC_F32 ? "%.9g" : "%.17g", nncc_number_at(t, at, i));
}

static int put_rows(const Sink *s, const void *at, int n) {
    const nncc_port *p = s->port;
    if (!s->csv) fwrite(at, nncc_number_size(p->type), (size_t)n * (size_t)p->each, s->f);
    for (int64_t i = 0; s->csv && i < n * p->each; i++) {
        put_number(s->f, p->type, at, i);
        fputc((i + 1) % p->each ? ',' : '\n', s->f);
    }
    return ferror(s->f) ? sink_error(s) : 0;
}

/* NAME=FILE: which output, and where it goes. */
static int open_sink(const nncc_model *m, const char *word, int64_t n, Sink *s) {
    const char *eq = strchr(word, '=');
    *s = (Sink){.path = eq ? eq + 1 : word};
    for (int p = 0; eq && p < m->outputs; p++)
        if (strlen(m->output[p].name) == (size_t)(eq - word) && !memcmp(m->output[p].name, word, (size_t)(eq - word)))
            s->port = &m->output[p], s->place = p;
    if (!s->port)
        return fprintf(stderr, "--output %s: the network has no such output%s%s\n", word,
                       m->outputs ? "; its first is " : "", m->outputs ? m->output[0].name : ""),
               -1;
    if (s->port->alone) return fprintf(stderr, "--output %s: it has none for each example\n", word), -1;
    size_t length = strlen(s->path);
    s->csv = length > 4 && !strcmp(s->path + length - 4, ".csv");
    if (!(s->f = fopen(s->path, "wb"))) return sink_error(s);
    if (s->csv)
        put_csv_header(s);
    else
        put_npy_header(s, n);
    return 0;
}

static int run_all(const nncc_model *m, const nncc_data *d, Batch *b, const Sink *s, int sinks) {
    int64_t *order = malloc((size_t)d->n * sizeof *order + 1);
    int code = order ? 0 : -1;
    for (int64_t i = 0; order && i < d->n; i++) order[i] = i;
    for (int64_t at = 0; at < d->n && !code; at += m->batch) {
        int n = (int)(d->n - at < m->batch ? d->n - at : m->batch), given = m->fixed ? m->batch : n;
        nncc_gather(m, d, order, d->n, at, given, b);
        code = m->predict(m->net, given, nncc_values_of(b), b->out);
        for (int k = 0; k < sinks && !code; k++) code = put_rows(&s[k], b->out[s[k].place], n);
    }
    free(order);
    return code;
}

int nncc_predict(const nncc_model *m, const nncc_data *d, const char *const *files) {
    Sink s[NNCC_PORTS];
    Batch b = {.first = 0};
    int sinks = 0, code = nncc_check_examples(m, d, "given") || nncc_batch_new(m, &b) ? -1 : 0;
    for (; *files && !code && sinks < NNCC_PORTS; files++) {
        code = open_sink(m, *files, d->n, &s[sinks]);
        if (s[sinks].f) sinks++;
    }
    if (!code) code = run_all(m, d, &b, s, sinks);
    for (int k = 0; k < sinks; k++)
        if (fclose(s[k].f) && !code) code = sink_error(&s[k]);
    nncc_batch_free(&b);
    return code;
}
