/* storage.c - where a tensor's elements lie: strides, a halo of zeros, blocks. */
#include "ir/storage.h"

/* Row-major strides with room for the halo. */
static int64_t dense_step(const Value *v, int dim) {
    int64_t step = 1;
    for (int i = v->type.rank - 1; i > dim; i--)
        step *= v->type.dim[i].max + (v->layout.halo ? v->layout.halo[2 * i] + v->layout.halo[2 * i + 1] : 0);
    return step;
}

int64_t step_of(const Value *v, int dim) { return v->layout.stride ? v->layout.stride[dim] : dense_step(v, dim); }

bool is_dense(const Value *v) { return !v->layout.stride && !v->layout.halo && !v->layout.block; }

bool is_steady(const Value *v, int dim) {
    for (int i = dim + 1; i < v->type.rank && is_dense(v); i++)
        if (v->type.dim[i].symbol) return false;
    return true;
}

static bool step_agrees(const Value *part, const Value *whole, int i, int64_t times) {
    if (is_steady(part, i) && is_steady(whole, i)) return step_of(part, i) == times * step_of(whole, i);
    bool same = times == 1 && is_dense(part) && is_dense(whole);
    for (int k = i + 1; k < part->type.rank && same; k++) {
        Dim a = part->type.dim[k], b = whole->type.dim[k];
        same = a.max == b.max && a.symbol == b.symbol;
    }
    return same;
}

bool steps_agree(const Value *part, const Value *whole, const int64_t *times) {
    for (int i = 0; i < part->type.rank; i++)
        if (part->type.dim[i].max > 1 && !step_agrees(part, whole, i, times ? times[i] : 1)) return false;
    return true;
}

/* Of the element at idx, which may lie in the halo. */
static int64_t offset_of(const Value *v, const int64_t *idx) {
    int64_t at = 0;
    for (int i = 0; i < v->type.rank; i++) {
        int64_t index = idx[i] + (v->layout.halo ? v->layout.halo[2 * i] : 0);
        if (v->layout.block && v->layout.block[0] == i)
            at += index / v->layout.block[1] * v->layout.block[2] + index % v->layout.block[1] * step_of(v, i);
        else
            at += index * step_of(v, i);
    }
    return at;
}

int64_t value_elements(const Value *v) {
    int64_t count = type_count(&v->type), size = 1, part;
    if (count <= 0 || is_dense(v)) return count;
    for (int i = 0; i < v->type.rank; i++) {
        int64_t extent = v->type.dim[i].max + (v->layout.halo ? v->layout.halo[2 * i] + v->layout.halo[2 * i + 1] : 0);
        bool blocked = v->layout.block && v->layout.block[0] == i;
        if (blocked && !mul_ok(ceil_div(extent, v->layout.block[1]) - 1, v->layout.block[2], &part)) return -1;
        if (blocked && !add_ok(size, part, &size)) return -1;
        if (blocked) extent = v->layout.block[1];
        if (!mul_ok(extent - 1, step_of(v, i), &part) || !add_ok(size, part, &size)) return -1;
    }
    return size;
}

int64_t value_bytes(const Value *v) {
    int64_t bytes;
    if (!mul_ok(value_elements(v), dtypes[v->type.dtype].bytes, &bytes)) return -1;
    return v->plan.copies < 2 ? bytes : mul_ok(align_up(bytes, BUFFER_ALIGN), v->plan.copies, &bytes) ? bytes : -1;
}

/* Steps idx to the next element in row-major order. */
static void next_element(const Value *v, int64_t *idx) {
    for (int i = v->type.rank - 1; i >= 0; i--) {
        if (++idx[i] < v->type.dim[i].max) return;
        idx[i] = 0;
    }
}

void write_laid_out(const Value *v, void *to) {
    int bytes = dtypes[v->type.dtype].bytes;
    int64_t idx[MAX_RANK] = {0}, inner = v->type.rank ? v->type.dim[v->type.rank - 1].max : 1;
    if (is_dense(v)) {
        memcpy(to, v->data->data, (size_t)value_bytes(v));
        return;
    }
    memset(to, 0, (size_t)value_bytes(v));
    const char *from = v->data->data;
    for (int64_t i = 0; i < v->data->count; i += inner) {
        bool steady = !v->layout.block || v->layout.block[0] != v->type.rank - 1;
        int64_t at = offset_of(v, idx), step = v->type.rank ? step_of(v, v->type.rank - 1) : 1;
        for (int64_t j = 0; j < inner; j++, from += bytes) {
            memcpy((char *)to + (steady ? at + j * step : offset_of(v, idx)) * bytes, from, (size_t)bytes);
            next_element(v, idx);
        }
    }
}

bool is_part_of(const Value *part, const Value *whole, int64_t at) {
    bool plain = !part->layout.halo && !part->layout.block && !whole->layout.halo && !whole->layout.block;
    return plain && steps_agree(part, whole, NULL) && part->plan.buffer == whole->plan.buffer &&
           part->plan.shift == whole->plan.shift + at * dtypes[whole->type.dtype].bytes;
}
