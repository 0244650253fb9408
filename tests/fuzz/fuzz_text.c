/* fuzz_text.c - libFuzzer target: any text is either refused, or its dump reads back as the same dump. */
#include "nncc.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { MEMORY = 64 << 20, LONGEST = 1 << 16 };

static char *copy(const char *text, size_t n) {
    char *s = malloc(n + 1);
    if (!s) abort();
    if (n) memcpy(s, text, n);
    s[n] = 0;
    return s;
}

static char *print_again(Module *m, const char *text, size_t n) {
    Str out = {.arena = m->arena};
    parse_text(m, "fuzz.nn", text, n);
    print_module(m, &out, NULL);
    return copy(out.s, out.n);
}

/* What the text prints as once parsed; NULL if it is refused. */
static char *dump_of(const char *text, size_t n, FILE *err) {
    DimBinding batch = {.name = "batch", .min = 1, .max = 8};
    void *dims[] = {&batch};
    Options opt = {.dims = {dims, 1, 1}, .level = 2};
    jmp_buf escape;
    Module *m = module_new(&opt, err, &escape, MEMORY);
    char *volatile dump = NULL;
    if (setjmp(escape) == 0) dump = print_again(m, text, n);
    module_free(m);
    return dump;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static FILE *err;
    if (!err) err = fopen("/dev/null", "w");
    if (n > LONGEST) return 0;
    char *text = copy((const char *)bytes, n);
    char *first = dump_of(text, n, err);
    char *second = first ? dump_of(first, strlen(first), err) : NULL;
    if (first && (!second || strcmp(first, second))) {
        fprintf(stderr, "--- first\n%s--- second\n%s", first, second ? second : "(refused)\n");
        abort();
    }
    free(text);
    free(first);
    free(second);
    return 0;
}
