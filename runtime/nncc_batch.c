/* nncc_batch.c - batches: examples in an order that follows from seed and epoch alone, as the network's functions take
 * them. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_fit.h"
#include "nncc_random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void nncc_shuffle_examples(int64_t *order, int64_t n, uint32_t seed, int epoch) {
    for (int64_t i = 0; i < n; i++) order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)(nncc_uniform_at(seed, 0x5eed0000u + (uint32_t)epoch, i) * (double)(i + 1)), t = order[i];
        order[i] = order[j], order[j] = t;
    }
}

size_t nncc_number_size(nncc_type t) {
    return t == NNCC_F64 || t == NNCC_I64 ? 8 : t == NNCC_U8 || t == NNCC_BOOL ? 1 : 4;
}

double nncc_number_at(nncc_type t, const void *at, int64_t i) {
    switch (t) {
    case NNCC_F32: return (double)((const float *)at)[i];
    case NNCC_F64: return ((const double *)at)[i];
    case NNCC_I32: return ((const int32_t *)at)[i];
    case NNCC_I64: return (double)((const int64_t *)at)[i];
    default: return ((const uint8_t *)at)[i];
    }
}

void nncc_take_example(const nncc_model *m, const nncc_data *d, int64_t i, int to, Batch *b) {
    for (int p = 0; p < m->ports; p++) {
        size_t size = nncc_number_size(m->port[p].type), bytes = size * (size_t)m->port[p].each;
        memcpy((char *)b->value[p] + (size_t)to * bytes, (const char *)d->at[p] + (size_t)(i * d->step[p]) * size,
               bytes);
    }
}

/* n examples from place `at` of an order on, which begins again where it ends. */
void nncc_gather(const nncc_model *m, const nncc_data *d, const int64_t *order, int64_t length, int64_t at, int n,
                 Batch *b) {
    for (int i = 0; i < n; i++) nncc_take_example(m, d, order[(at + i) % length], i, b);
}

double nncc_number_of(const nncc_model *m, const nncc_data *d, int p, int64_t i, int64_t k) {
    return nncc_number_at(m->port[p].type, d->at[p], i * d->step[p] + k);
}

void nncc_range_of_inputs(const nncc_model *m, const nncc_data *d, double *least, double *most) {
    *least = INFINITY, *most = -INFINITY;
    for (int p = 0; p < m->ports; p++)
        for (int64_t i = 0; !m->port[p].target && m->port[p].type <= NNCC_F64 && i < d->n; i++)
            for (int64_t k = 0; k < m->port[p].each; k++) {
                double v = nncc_number_of(m, d, p, i, k);
                *least = fmin(*least, v), *most = fmax(*most, v);
            }
}

int nncc_batch_new(const nncc_model *m, Batch *b) {
    *b = (Batch){.first = NAN, .last = NAN};
    for (int p = 0; p < m->ports; p++) {
        b->value[p] = malloc((size_t)(m->batch + 1) * (size_t)m->port[p].each * nncc_number_size(m->port[p].type) + 1);
        if (!b->value[p]) return -1;
    }
    for (int p = 0; p < m->outputs; p++) {
        const nncc_port *t = &m->output[p];
        b->out[p] = malloc((size_t)(t->alone ? 1 : m->batch) * (size_t)t->each * nncc_number_size(t->type) + 1);
        if (!b->out[p]) return -1;
    }
    return 0;
}

void nncc_batch_free(Batch *b) {
    for (int p = 0; p < NNCC_PORTS; p++) free(b->value[p]), free(b->out[p]);
}
