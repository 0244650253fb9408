/* regex.c - a pattern in the syntax of RE2 as a tree */
#include "strings/regex.h"

enum { MOST_GROUPS = 64, MOST_REPEATS = 1000, LAST_CHAR = 0x10FFFF };

typedef struct {
    Arena *arena;
    const char *at;
    const char *wrong;
    int depth;
    bool fold, lines, all; /* the flags i, m and s */
} Parser;

static Tree *choice(Parser *);

static void fail(Parser *p, const char *what) {
    if (!p->wrong) p->wrong = what;
}

static Tree *tree_new(Parser *p, TreeKind kind) {
    Tree *t = NEW(p->arena, Tree);
    t->kind = kind;
    return t;
}

static bool accept(Parser *p, const char *text) {
    size_t n = strlen(text);
    bool here = !strncmp(p->at, text, n);
    if (here) p->at += n;
    return here;
}

/* ---- sets of characters ---- */

static void add_range(Parser *p, Ranges *r, uint32_t lo, uint32_t hi) {
    if (r->n == r->cap) {
        Range *more = NEW_ARRAY(p->arena, Range, r->cap = 2 * r->cap + 8);
        if (r->n) memcpy(more, r->at, sizeof *more * (size_t)r->n);
        r->at = more;
    }
    r->at[r->n++] = (Range){lo, hi};
}

/* Beyond ASCII the sign of Kelvin is a k and the long s an s, and nothing else is in either case. */
static void add_chars(Parser *p, Ranges *r, uint32_t lo, uint32_t hi) {
    add_range(p, r, lo, hi);
    if (!p->fold) return;
    if (hi >= 0x80) fail(p, "letters of either case beyond ASCII are not supported");
    for (uint32_t c = lo; c <= hi && c < 0x80; c++) {
        uint32_t small = c | 0x20;
        if (small >= 'a' && small <= 'z') add_range(p, r, c ^ 0x20, c ^ 0x20);
        if (small == 'k') add_range(p, r, 0x212A, 0x212A);
        if (small == 's') add_range(p, r, 0x17F, 0x17F);
    }
}

static int by_start(const void *a, const void *b) {
    const Range *x = a, *y = b;
    return (x->lo > y->lo) - (x->lo < y->lo);
}

/* In order, none beside or over another. */
static void merge(Ranges *r) {
    int n = 0;
    if (r->n) qsort(r->at, (size_t)r->n, sizeof *r->at, by_start);
    for (int i = 0; i < r->n; i++) {
        Range x = r->at[i];
        if (n && x.lo <= r->at[n - 1].hi + 1)
            r->at[n - 1].hi = x.hi > r->at[n - 1].hi ? x.hi : r->at[n - 1].hi;
        else
            r->at[n++] = x;
    }
    r->n = n;
}

static Ranges all_but(Parser *p, Ranges r) {
    Ranges rest = {0};
    uint32_t from = 0;
    merge(&r);
    for (int i = 0; i < r.n; i++) {
        if (r.at[i].lo > from) add_range(p, &rest, from, r.at[i].lo - 1);
        from = r.at[i].hi + 1;
    }
    if (from <= LAST_CHAR) add_range(p, &rest, from, LAST_CHAR);
    return rest;
}

/* Pairs of the first and the last one. */
static const struct {
    const char *name, *pairs;
} groups[] = {{"\\d", "09"},
              {"\\s", "\t\n\f\r  "},
              {"\\w", "09AZ__az"},
              {"[:alnum:]", "09AZaz"},
              {"[:alpha:]", "AZaz"},
              {"[:ascii:]", "\1\177"},
              {"[:blank:]", "\t\t  "},
              {"[:cntrl:]", "\1\37\177\177"},
              {"[:digit:]", "09"},
              {"[:graph:]", "!~"},
              {"[:lower:]", "az"},
              {"[:print:]", " ~"},
              {"[:punct:]", "!/:@[`{~"},
              {"[:space:]", "\t\r  "},
              {"[:upper:]", "AZ"},
              {"[:word:]", "09AZ__az"},
              {"[:xdigit:]", "09AFaf"}};

static void add_group(Parser *p, Ranges *to, const char *pairs, bool negated) {
    Ranges r = {0};
    for (; *pairs; pairs += 2) add_chars(p, &r, (unsigned char)pairs[0], (unsigned char)pairs[1]);
    if (negated) r = all_but(p, r);
    for (int i = 0; i < r.n; i++) add_range(p, to, r.at[i].lo, r.at[i].hi);
}

/* \d, [:digit:] and the like; with a capital letter, or a ^, all but them. */
static bool group(Parser *p, Ranges *to) {
    for (int i = 0; i < COUNT(groups); i++) {
        const char *name = groups[i].name;
        bool escape = name[0] == '\\', negated = false;
        char other[16] = {name[0], name[1], '^'};
        if (escape)
            other[1] = (char)(name[1] - 32), other[2] = 0;
        else
            strcpy(other + 3, name + 2);
        if (!accept(p, name) && !(negated = accept(p, other))) continue;
        add_group(p, to, groups[i].pairs, negated);
        return true;
    }
    return false;
}

/* ---- characters ---- */

/* One in UTF-8. */
static uint32_t next_char(Parser *p) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)p->at;
    if (!*s) return fail(p, "it ends early"), 0;
    int n = *s < 0x80 ? 1 : *s >> 5 == 6 ? 2 : *s >> 4 == 14 ? 3 : *s >> 3 == 30 ? 4 : 0;
    uint32_t c = n < 2 ? *s : *s & (0x7Fu >> n);
    for (int i = 1; i < n; i++) {
        if (s[i] >> 6 != 2) n = 0;
        c = c << 6 | (s[i] & 0x3Fu);
    }
    if (!n || c < least[n] || c > LAST_CHAR) fail(p, "it is no UTF-8");
    p->at += n ? n : 1;
    return c;
}

static int digit_of(char c, int base) {
    int d = c >= '0' && c <= '9'   ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : base;
    return d < base ? d : -1;
}

/* Up to so many digits; how many there are. */
static int number(Parser *p, int base, int most, uint32_t *value) {
    int n = 0;
    for (*value = 0; n < most && digit_of(*p->at, base) >= 0; n++, p->at++)
        *value = *value * (uint32_t)base + (uint32_t)digit_of(*p->at, base);
    return n;
}

/* Behind a backslash. */
static uint32_t escaped_char(Parser *p) {
    static const char letters[] = "a\af\ft\tn\nr\rv\v";
    uint32_t c = 0;
    char s = *p->at;
    if (s >= '0' && s <= '7' && (s == '0' || digit_of(p->at[1], 8) >= 0)) {
        number(p, 8, 3, &c);
        return c;
    }
    if (accept(p, "x{")) {
        if (!number(p, 16, 8, &c) || !accept(p, "}") || c > LAST_CHAR)
            fail(p, "\\x{ without the number of a character");
        return c;
    }
    if (accept(p, "x")) {
        if (number(p, 16, 2, &c) != 2) fail(p, "\\x without two digits");
        return c;
    }
    for (int i = 0; letters[i]; i += 2)
        if (s == letters[i]) return p->at++, (unsigned char)letters[i + 1];
    if (s == 'p' || s == 'P') fail(p, "classes of Unicode (\\p) are not supported");
    if ((unsigned char)s >= 0x80 || (is_word_byte(s) && s != '_'))
        fail(p, "a backslash before what it gives no meaning");
    return next_char(p);
}

static uint32_t class_char(Parser *p) { return accept(p, "\\") ? escaped_char(p) : next_char(p); }

/* Behind the [. */
static Tree *char_class(Parser *p) {
    Tree *t = tree_new(p, TREE_CHARS);
    bool negated = accept(p, "^");
    for (bool first = true; !p->wrong && (first || *p->at != ']'); first = false) {
        if (!*p->at) fail(p, "a ] is missing");
        if (group(p, &t->chars)) continue;
        if (!strncmp(p->at, "[:", 2) && strstr(p->at + 2, ":]")) fail(p, "a class of an unknown name");
        uint32_t lo = class_char(p), hi = lo;
        if (p->at[0] == '-' && p->at[1] != ']' && p->at[1]) p->at++, hi = class_char(p);
        if (hi < lo) fail(p, "a range whose end is before its begin");
        if (!p->wrong) add_chars(p, &t->chars, lo, hi);
    }
    accept(p, "]");
    if (negated) t->chars = all_but(p, t->chars);
    merge(&t->chars);
    return t;
}

static Tree *one_char(Parser *p, uint32_t c) {
    Tree *t = tree_new(p, TREE_CHARS);
    if (!p->wrong) add_chars(p, &t->chars, c, c);
    merge(&t->chars);
    return t;
}

static Tree *any_char(Parser *p) {
    Tree *t = tree_new(p, TREE_CHARS);
    if (!p->all) add_range(p, &t->chars, '\n', '\n');
    t->chars = all_but(p, t->chars);
    return t;
}

static Tree *assertion(Parser *p, unsigned char needs) {
    Tree *t = tree_new(p, TREE_ASSERT);
    t->needs = needs;
    return t;
}

/* ---- groups, repetition, alternatives ---- */

/* Behind (? up to the : or ), which tells whether a group follows. */
static bool flags(Parser *p) {
    bool on = true, any = true;
    for (; *p->at && *p->at != ':' && *p->at != ')'; p->at++) {
        any = true;
        switch (*p->at) {
        case 'i': p->fold = on; break;
        case 'm': p->lines = on; break;
        case 's': p->all = on; break;
        case 'U': break; /* how much is taken first does not change what matches */
        case '-':
            if (!on) fail(p, "a flag that is unknown");
            on = any = false;
            break;
        default: fail(p, "(? with what is unknown or not supported");
        }
    }
    if (!any) fail(p, "(?- without a flag");
    return accept(p, ":");
}

static void group_name(Parser *p) {
    const char *from = p->at;
    while (is_word_byte((unsigned char)*p->at)) p->at++;
    if (p->at == from || !accept(p, ">")) fail(p, "a group whose name is none");
}

/* Behind the (. NULL: it were flags alone. */
static Tree *parenthesis(Parser *p) {
    bool fold = p->fold, lines = p->lines, all = p->all;
    if (accept(p, "?P<") || accept(p, "?<"))
        group_name(p);
    else if (accept(p, "?") && !flags(p))
        return accept(p, ")") ? NULL : (fail(p, "a ) is missing"), NULL);
    if (++p->depth > MOST_GROUPS) fail(p, "groups are nested too deeply");
    Tree *t = choice(p);
    if (!accept(p, ")")) fail(p, "a ) is missing");
    p->depth--;
    p->fold = fold, p->lines = lines, p->all = all;
    return t;
}

static Tree *escape(Parser *p) {
    static const struct {
        const char *name;
        unsigned char needs;
    } places[] = {
        {"\\A", AT_TEXT_BEGIN}, {"\\z", AT_TEXT_END}, {"\\b", AT_WORD_BOUNDARY}, {"\\B", AT_NO_WORD_BOUNDARY}};
    Tree *t = tree_new(p, TREE_CHARS);
    for (int i = 0; i < COUNT(places); i++)
        if (accept(p, places[i].name)) return assertion(p, places[i].needs);
    if (accept(p, "\\C")) return tree_new(p, TREE_ANY_BYTE);
    if (group(p, &t->chars)) return merge(&t->chars), t;
    p->at++;
    return one_char(p, escaped_char(p));
}

/* NULL where nothing stands that could be repeated. */
static Tree *atom(Parser *p) {
    if (*p->at == '\\') return escape(p);
    if (accept(p, "(")) return parenthesis(p);
    if (accept(p, "[")) return char_class(p);
    if (accept(p, ".")) return any_char(p);
    if (accept(p, "^")) return assertion(p, p->lines ? AT_LINE_BEGIN : AT_TEXT_BEGIN);
    if (accept(p, "$")) return assertion(p, p->lines ? AT_LINE_END : AT_TEXT_END);
    return one_char(p, next_char(p));
}

static bool count(Parser *p, int *value) {
    uint32_t n = 0;
    bool plain = *p->at != '0' || digit_of(p->at[1], 10) < 0;
    if (!plain || !number(p, 10, 8, &n)) return false;
    *value = (int)n;
    return true;
}

/* Between braces; nothing is read where they are none. */
static bool counts(Parser *p, int *least, int *most) {
    const char *from = p->at;
    bool ok = accept(p, "{") && count(p, least);
    *most = *least;
    if (ok && accept(p, ",")) ok = *p->at == '}' ? (*most = -1, true) : count(p, most);
    if (ok && accept(p, "}")) return true;
    p->at = from;
    return false;
}

static bool repetition(Parser *p, int *least, int *most) {
    bool once = accept(p, "?"), some = !once && accept(p, "+");
    *least = some, *most = once ? 1 : -1;
    return once || some || accept(p, "*") || counts(p, least, most);
}

static void repeat_last(Parser *p, Tree *chain, int least, int most) {
    Tree *t = tree_new(p, TREE_REPEAT);
    if (!chain->parts.n) fail(p, "a repetition of nothing");
    if (least > MOST_REPEATS || most > MOST_REPEATS || (most >= 0 && most < least))
        fail(p, "counts of a repetition beyond 1000, or in the wrong order");
    if (p->wrong) return;
    push(p->arena, &t->parts, chain->parts.at[chain->parts.n - 1]);
    t->least = least, t->most = most;
    chain->parts.at[chain->parts.n - 1] = t;
}

/* What stands between \Q and \E. */
static void quoted(Parser *p, Tree *chain) {
    while (!p->wrong && *p->at && !accept(p, "\\E")) push(p->arena, &chain->parts, one_char(p, next_char(p)));
}

static Tree *chain(Parser *p) {
    Tree *t = tree_new(p, TREE_CHAIN);
    int least, most;
    bool again = false;
    while (!p->wrong && *p->at && *p->at != '|' && *p->at != ')') {
        bool repeated = repetition(p, &least, &most);
        Tree *x = NULL;
        if (repeated && again) fail(p, "a repetition of a repetition");
        if (repeated)
            repeat_last(p, t, least, most), accept(p, "?"); /* the shortest first: what matches is the same */
        else if (accept(p, "\\Q"))
            quoted(p, t);
        else
            x = atom(p);
        if (x) push(p->arena, &t->parts, x);
        again = repeated;
    }
    return t;
}

static Tree *choice(Parser *p) {
    Tree *t = tree_new(p, TREE_CHOICE);
    do push(p->arena, &t->parts, chain(p));
    while (!p->wrong && accept(p, "|"));
    return t;
}

const char *regex_tree(Arena *a, const char *pattern, Tree **tree) {
    Parser p = {.arena = a, .at = pattern};
    *tree = choice(&p);
    if (*p.at && !p.wrong) fail(&p, "a ) too many");
    return p.wrong ? format(a, "%s, at '%s'", p.wrong, escaped(a, p.at, 20)) : NULL;
}
