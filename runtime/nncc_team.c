/* nncc_team.c - one run by several processes: each has a part of every batch, and all have the same parameters.
 *
 * Their gradients are summed, weighted by the examples that each has, before all of them update: what a step does is
 * what one process would do with the whole batch. So is what an epoch says, and what follows from it. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_fit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int nncc_is_first(const nncc_model *m) { return m->ranks < 2 || !m->rank; }
static int teams(const nncc_model *m) { return m->ranks > 1; }

int64_t nncc_whole_batch(const nncc_model *m) { return (int64_t)m->batch * (teams(m) ? m->ranks : 1); }

Part nncc_part_of(const nncc_model *m, int64_t n) {
    if (!teams(m)) return (Part){0, n};
    const int64_t from = n * m->rank / m->ranks;
    return (Part){from, n * (m->rank + 1) / m->ranks - from};
}

int nncc_add_up(const nncc_model *m, double *v, size_t n) {
    if (!teams(m) || !m->all_reduce(m->user, v, n, NNCC_F64, NULL)) return 0;
    return fputs("the processes cannot reach each other\n", stderr), -1;
}

int nncc_agree(const nncc_model *m, int code) {
    double failed = code != 0;
    if (nncc_add_up(m, &failed, 1)) return -1;
    return code ? code : failed > 0 ? -1 : 0;
}

/* ---- a step ---- */

/* Numbers that are the same on all of them after a step: gradients, and running statistics. */
static int is_shared(const nncc_tensor *t) {
    return *t->type == 'f' && (!strcmp(t->block, "grads") || !strcmp(t->block, "state"));
}

static int is_double(const nncc_tensor *t) { return !strcmp(t->type, "f64"); }

static void *place_of(const nncc_model *m, const nncc_tensor *t) {
    return (char *)(*t->block == 'g' ? m->grads : m->state) + t->offset;
}

int nncc_team_new(Team *t, const nncc_model *m) {
    *t = (Team){.m = m};
    if (!teams(m)) return 0;
    for (const nncc_tensor *p = m->tensors; p->name; p++) {
        if (!is_shared(p)) continue;
        if (strcmp(p->type, "f32") && !is_double(p))
            return fprintf(stderr, "several processes: expected parameters of f32 or f64, saw '%.60s' of %s\n", p->name,
                           p->type),
                   -1;
        t->wide |= is_double(p), t->n += (size_t)p->bytes / (is_double(p) ? 8 : 4);
    }
    t->sums = malloc((t->n + TEAM_FIGURES) * (t->wide ? sizeof(double) : sizeof(float)));
    return t->sums ? 0 : (fputs("out of memory\n", stderr), -1);
}

void nncc_team_free(Team *t) { free(t->sums); }

static void put(Team *t, size_t i, double v) {
    if (t->wide)
        ((double *)t->sums)[i] = v;
    else
        ((float *)t->sums)[i] = (float)v;
}

static double get(const Team *t, size_t i) {
    return t->wide ? ((const double *)t->sums)[i] : (double)((const float *)t->sums)[i];
}

/* In the type that they have, but for floats beside doubles. */
static void pack(Team *t, const nncc_tensor *p, size_t at, double weight) {
    const size_t n = (size_t)p->bytes / (is_double(p) ? 8 : 4);
    const float *single = place_of(t->m, p);
    const double *real = place_of(t->m, p);
    for (size_t i = 0; i < n && t->wide; i++)
        ((double *)t->sums)[at + i] = weight * (is_double(p) ? real[i] : (double)single[i]);
    for (size_t i = 0; i < n && !t->wide; i++) ((float *)t->sums)[at + i] = (float)weight * single[i];
}

static void unpack(const Team *t, const nncc_tensor *p, size_t at) {
    const size_t n = (size_t)p->bytes / (is_double(p) ? 8 : 4);
    for (size_t i = 0; i < n; i++)
        if (is_double(p))
            ((double *)place_of(t->m, p))[i] = get(t, at + i);
        else
            ((float *)place_of(t->m, p))[i] = t->wide ? (float)get(t, at + i) : ((const float *)t->sums)[at + i];
}

static void each_shared(Team *t, double weight, int back) {
    size_t at = 0;
    for (const nncc_tensor *p = t->m->tensors; p->name; p++) {
        if (!is_shared(p)) continue;
        if (back)
            unpack(t, p, at);
        else
            pack(t, p, at, weight);
        at += (size_t)p->bytes / (is_double(p) ? 8 : 4);
    }
}

/* A process that has no example of the last batch takes one that counts for nothing: its random numbers move on. */
int nncc_team_step(Team *t, Part part, int64_t whole, const void *const *value, double lr, nncc_result *r, int *stop) {
    const nncc_model *m = t->m;
    const double weight = (double)part.n / (double)whole;
    const int failed = m->gradients(m->net, part.n ? (int)part.n : 1, part.from, value, r);
    each_shared(t, failed ? 0 : weight, 0);
    put(t, t->n, weight * r->loss), put(t, t->n + 1, part.n ? (double)r->correct : 0);
    put(t, t->n + 2, *stop), put(t, t->n + 3, failed != 0);
    if (m->all_reduce(m->user, t->sums, t->n + TEAM_FIGURES, t->wide ? NNCC_F64 : NNCC_F32, NULL))
        return fputs("the processes cannot reach each other\n", stderr), -1;
    if (failed || get(t, t->n + 3) > 0) return failed ? failed : -1;
    each_shared(t, 0, 1);
    r->loss = get(t, t->n), r->correct = (int32_t)get(t, t->n + 1), *stop = get(t, t->n + 2) > 0;
    return m->apply(m->net, lr);
}

/* ---- whether they are alike ---- */

/* Numbers of the parameters, by their bits. */
static void digest(const nncc_model *m, double sum[2]) {
    uint64_t h[2] = {1469598103934665603u, 88172645463325252u};
    for (const nncc_tensor *t = m->tensors; t->name; t++) {
        const unsigned char *p = (const unsigned char *)m->params + t->offset;
        for (int64_t i = 0; !strcmp(t->block, "params") && i < t->bytes; i++)
            h[i & 1] = (h[i & 1] ^ p[i]) * 1099511628211u;
    }
    for (int i = 0; i < 2; i++) sum[i] = (double)(h[i] >> 12); /* 52 bits: exact */
}

int nncc_check_alike(const nncc_model *m) {
    double mine[2], firsts[2];
    if (!teams(m)) return 0;
    digest(m, mine);
    for (int i = 0; i < 2; i++) firsts[i] = m->rank ? 0 : mine[i];
    if (nncc_add_up(m, firsts, 2)) return -1;
    int differ = mine[0] != firsts[0] || mine[1] != firsts[1];
    if (differ)
        fprintf(stderr, "process %d: its parameters are no longer those of process 0: are all machines of one kind?\n",
                m->rank);
    return nncc_agree(m, differ ? -1 : 0);
}
