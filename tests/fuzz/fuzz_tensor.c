/* fuzz_tensor.c - libFuzzer target: any bytes as a tensor file are refused, or give a tensor that is written and read
 * back the same. The first byte chooses the format. */
#include "io/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { MEMORY = 64 << 20 };

static const struct {
    ReadTensor *read;
    WriteTensor *put;
} formats[] = {{read_proto, put_proto}, {read_npy, put_npy}, {read_picture, put_picture}};

static void full(void *escape) { longjmp(*(jmp_buf *)escape, 1); }

static void check(Arena *a, int k, const uint8_t *data, size_t size) {
    char error[IO_ERROR];
    const char *name;
    Str out = {.arena = a};
    Tensor *t = formats[k].read(a, data, size, NULL, &name, error), *again;
    if (!t || t->dtype == DT_str || !formats[k].put(&out, t, error)) return;
    again = formats[k].read(a, out.s, out.n, NULL, &name, error);
    if (!again || again->dtype != t->dtype || again->count != t->count) abort();
    if (t->count && memcmp(again->data, t->data, (size_t)t->count * (size_t)dtypes[t->dtype].bytes)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    jmp_buf escape;
    Arena *a = arena_new(MEMORY, full, &escape);
    if (size && !setjmp(escape)) check(a, data[0] % COUNT(formats), data + 1, size - 1);
    arena_free(a);
    return 0;
}
