/* fuzz_text.c - libFuzzer target: any text is either refused, or its dump reads back as the same dump, and it compiles
 * or is refused then. */
#include "driver.h"
#include "emit/output.h"
#include "ir/build.h"
#include "ir/diag.h"
#include "passes/passes.h"
#include "targets.h"
#include "text/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { MEMORY = 64 << 20, LONGEST = 1 << 16 };

static char *copy(const char *text, size_t n) {
    char *s = malloc(n + 1);
    if (!s) abort();
    if (n) memcpy(s, text, n);
    s[n] = 0;
    return s;
}

/* What the module prints as. */
static char *dump(Module *m) {
    Str out = {.arena = m->arena};
    print_module(m, &out, NULL);
    return copy(out.s, out.n);
}

static char *compiled(Module *m) {
    run_passes(m);
    stop_on_problems(m);
    emit_all(m);
    return NULL;
}

/* Reads a text and goes on with it; NULL if it is refused. */
static char *with_text(const char *text, FILE *err, char *(*then)(Module *)) {
    DimBinding batch = {.name = "batch", .min = 1, .max = 8};
    void *dims[] = {&batch};
    Options opt = {.dims = {dims, 1, 1}, .level = 1, .prefix = "model", .target = targets};
    jmp_buf escape;
    Module *m = new_module(&opt, err, &escape, MEMORY);
    char *volatile result = NULL;
    if (setjmp(escape) == 0) {
        parse_text(m, "fuzz.nn", text, strlen(text));
        result = then(m);
    }
    module_free(m);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static FILE *err;
    if (!err) err = fopen("/dev/null", "w");
    if (n > LONGEST) return 0;
    char *text = copy((const char *)bytes, n);
    char *first = with_text(text, err, dump);
    char *second = first ? with_text(first, err, dump) : NULL;
    if (first && (!second || strcmp(first, second))) {
        fprintf(stderr, "--- first\n%s--- second\n%s", first, second ? second : "(refused)\n");
        abort();
    }
    if (first) with_text(first, err, compiled);
    free(text);
    free(first);
    free(second);
    return 0;
}
