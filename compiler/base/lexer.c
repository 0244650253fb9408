/* lexer.c - tokens of the .nn language and of decompositions. */
#include "base/lexer.h"

/* Longer spellings first, so that the first match is the longest. */
static const char *const punctuation[] = {"..", "==", "!=", "<=", ">=", "&&", "||", "=", "<", ">", "!",
                                          "+",  "-",  "*",  "/",  "?",  ":",  ";",  ",", ".", "(", ")",
                                          "{",  "}",  "[",  "]",  "%",  "@",  "#",  "&", "|", "^", "~"};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_word(char c) { return is_letter(c) || is_digit(c); }
static int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool bare_name(const char *s) {
    if (!is_letter(*s)) return false;
    while (is_word(*s)) s++;
    return !*s;
}

bool bare_value(const char *s) {
    if (!is_word(*s)) return false;
    while (is_word(*s) || (*s == '.' && is_word(s[1]))) s++;
    return !*s;
}

static void bad(Lexer *l, const char *what) { l->tok.kind = T_BAD, l->tok.s = what; }

static void skip_blank(Lexer *l) {
    for (;; l->p++) {
        if (*l->p == '/' && l->p[1] == '/') l->p += strcspn(l->p, "\n");
        if (*l->p == '\n')
            l->line++, l->line_start = l->p + 1;
        else if (*l->p != ' ' && *l->p != '\t' && *l->p != '\r')
            return;
    }
}

/* One character of a string, escapes resolved; 0 if it is none. */
static char string_char(Lexer *l) {
    static const char escapes[] = "\"\\nt", meant[] = "\"\\\n\t";
    if ((unsigned char)*l->p < 32) return 0;
    if (*l->p != '\\') return *l->p++;
    l->p++;
    if (*l->p == 'x' && hex_digit(l->p[1]) >= 0 && hex_digit(l->p[2]) >= 0) {
        l->p += 3;
        return (char)(hex_digit(l->p[-2]) * 16 + hex_digit(l->p[-1]));
    }
    const char *e = *l->p ? strchr(escapes, *l->p) : NULL;
    if (!e) return 0;
    l->p++;
    return meant[e - escapes];
}

static void lex_string(Lexer *l, TokenKind kind) {
    Str s = {.arena = l->arena};
    put_text(&s, "");
    for (l->p++; *l->p != '"';) {
        char c = string_char(l);
        if (!c) {
            bad(l, "unfinished string or bad escape; \\\" \\\\ \\n \\t and \\x01 to \\xff are known");
            return;
        }
        put_bytes(&s, &c, 1);
    }
    l->p++;
    l->tok.kind = kind, l->tok.s = s.s;
}

static void lex_word(Lexer *l, TokenKind kind) {
    const char *start = l->p;
    bool dotted = kind != T_NAME;
    while (is_word(*l->p) || (*l->p == '.' && (dotted ? is_word(l->p[1]) : is_letter(l->p[1])))) l->p++;
    char *s = arena_alloc(l->arena, (size_t)(l->p - start) + 1);
    memcpy(s, start, (size_t)(l->p - start));
    l->tok.kind = kind, l->tok.s = s;
}

static void lex_hex(Lexer *l) {
    l->tok.kind = T_INT;
    for (l->p += 2; hex_digit(*l->p) >= 0; l->p++) {
        if (l->tok.u >> 60) {
            bad(l, "number too large");
            return;
        }
        l->tok.u = l->tok.u * 16 + (uint64_t)hex_digit(*l->p);
    }
    l->tok.f = (double)l->tok.u;
}

static void lex_int(Lexer *l, const char *end) {
    l->tok.kind = T_INT;
    for (; l->p < end; l->p++) {
        uint64_t digit = (uint64_t)(*l->p - '0');
        if (l->tok.u > (UINT64_MAX - digit) / 10) {
            bad(l, "number too large");
            return;
        }
        l->tok.u = l->tok.u * 10 + digit;
    }
    l->tok.f = (double)l->tok.u;
}

/* 12, 0x1f, 1.5, 1e-3, 0.1f; a point needs a digit behind it, so that 1..64 is three tokens. */
static void lex_number(Lexer *l) {
    const char *p = l->p;
    if (*p == '0' && p[1] == 'x' && hex_digit(p[2]) >= 0) {
        lex_hex(l);
        return;
    }
    while (is_digit(*p)) p++;
    bool point = *p == '.' && is_digit(p[1]);
    if (point)
        for (p++; is_digit(*p);) p++;
    const char *e = p + 1 + (p[0] && (p[1] == '-' || p[1] == '+'));
    bool exponent = (*p == 'e' || *p == 'E') && is_digit(*e);
    if (exponent)
        for (p = e; is_digit(*p);) p++;
    if (!point && !exponent) {
        lex_int(l, p);
        return;
    }
    l->tok.kind = T_FLOAT, l->tok.f = strtod(l->p, NULL);
    l->p = p;
    if (*p == 'f' && !is_word(p[1])) l->tok.f = (double)(float)l->tok.f, l->p++;
}

static void lex_punct(Lexer *l) {
    for (int i = 0; i < COUNT(punctuation); i++) {
        if (*l->p != *punctuation[i]) continue;
        size_t n = strlen(punctuation[i]);
        if (strncmp(l->p, punctuation[i], n)) continue;
        l->tok.kind = T_PUNCT, l->tok.s = punctuation[i], l->p += n;
        return;
    }
    bad(l, "unexpected character");
}

void lex_next(Lexer *l) {
    if (l->tok.kind == T_BAD) return;
    skip_blank(l);
    const char *p = l->p;
    l->tok = (Token){.at = p, .line = l->line, .col = (int)(p - l->line_start) + 1};
    bool sigil = (*p == '%' || *p == '@') && (is_word(p[1]) || p[1] == '"');
    TokenKind named = *p == '%' ? T_VALUE : T_AT;
    if (sigil) l->p++;
    if (!*p)
        l->tok.kind = T_END;
    else if (*l->p == '"')
        lex_string(l, sigil ? named : T_STR);
    else if (sigil)
        lex_word(l, named);
    else if (is_letter(*p))
        lex_word(l, T_NAME);
    else if (is_digit(*p))
        lex_number(l);
    else
        lex_punct(l);
    l->tok.width = l->p > p ? (int)(l->p - p) : 1;
}

void lex_start(Lexer *l, Arena *arena, const char *text) {
    *l = (Lexer){.arena = arena, .p = text, .line_start = text, .line = 1};
    lex_next(l);
}

bool lex_is(const Lexer *l, const char *spelling) {
    return (l->tok.kind == T_PUNCT || l->tok.kind == T_NAME) && !strcmp(l->tok.s, spelling);
}

bool lex_accept(Lexer *l, const char *spelling) {
    bool is = lex_is(l, spelling);
    if (is) lex_next(l);
    return is;
}

const char *lex_seen(const Lexer *l) {
    if (l->tok.kind == T_END) return "the end";
    char *s = arena_alloc(l->arena, (size_t)l->tok.width + 1);
    memcpy(s, l->tok.at, (size_t)l->tok.width);
    return format(l->arena, "'%s'", escaped(l->arena, s, 40));
}
