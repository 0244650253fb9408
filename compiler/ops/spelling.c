/* spelling.c - names and types as .nn text spells them, which messages do as well. */
#include "ops/spelling.h"
#include "base/lexer.h"
#include "ir/build.h"
#include "ops/infer.h"

void put_quoted(Str *s, const char *text) {
    put_text(s, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n')
            put_text(s, "\\n");
        else if (c < 32 || c > 126)
            put(s, "\\x%02x", c);
        else
            put(s, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    put_text(s, "\"");
}

void put_name(Str *s, char sigil, const char *name) {
    put(s, "%c", sigil);
    if (bare_value(name))
        put_text(s, name);
    else
        put_quoted(s, name);
}

static bool is_number_word(const char *s) { return !strcmp(s, "inf") || !strcmp(s, "nan"); }

void put_word(Str *s, const char *word) {
    if (bare_name(word) && !is_number_word(word))
        put_text(s, word);
    else
        put_quoted(s, word);
}

static void put_symbol_name(Str *s, const Symbol *name, const void *unused) {
    (void)unused;
    put_word(s, name->text);
}

static void put_dim(Str *s, Dim d) {
    if (d.symbol)
        put_symbol(s, d.symbol, false, (SymbolStyle){put_symbol_name, NULL, true});
    else if (d.max < 0)
        put_text(s, "?");
    else
        put(s, "%lld", (long long)d.max);
}

void put_type(Str *s, const Type *t) {
    put(s, "%s[", t->dtype == DT_none ? "?" : dtypes[t->dtype].name);
    if (t->rank < 0) put_text(s, "*");
    for (int i = 0; i < t->rank; i++) {
        if (i) put_text(s, ",");
        put_dim(s, t->dim[i]);
    }
    put_text(s, "]");
}
