/* lexer.h - tokens, shared by the .nn language (text/parse.c) and the definition language (ops/decomposition.c). */
#ifndef NNCC_LEXER_H
#define NNCC_LEXER_H
#include "base/base.h"

typedef enum {
    T_END,
    T_NAME,  /* s: letters, digits, _ and single dots between words: relu, com.acme.Swirl */
    T_VALUE, /* s: the name after %, bare or quoted: %x, %12, %"a/b:0" */
    T_AT,    /* s: the name after @, likewise */
    T_INT,   /* u, f: decimal or 0x; no sign */
    T_FLOAT, /* f: has a point or an exponent; an f behind it rounds it to f32 */
    T_STR,   /* s: its bytes, escapes resolved */
    T_PUNCT, /* s: one of the spellings in lexer.c */
    T_BAD    /* s: what is wrong with it */
} TokenKind;

typedef struct {
    TokenKind kind;
    const char *s;
    uint64_t u;
    double f;
    const char *at;       /* its spelling in the source: `width` bytes */
    int line, col, width; /* from 1 */
} Token;

/* The text must end in a NUL byte. `tok` is the current token; nothing here stops a compilation. */
typedef struct {
    Arena *arena;
    const char *p, *line_start;
    int line;
    Token tok;
} Lexer;

void lex_start(Lexer *, Arena *, const char *text); /* reads the first token */
void lex_next(Lexer *);                             /* T_END and T_BAD stay */
bool lex_is(const Lexer *, const char *spelling);   /* the current token is this punctuation or name */
bool lex_accept(Lexer *, const char *spelling);     /* and if so, goes past it */
const char *lex_seen(const Lexer *);                /* the current token for messages: "'='", "the end" */
bool bare_name(const char *s);                      /* can be spelled as a T_NAME without dots */
bool bare_value(const char *s);                     /* can follow % or @ without quotes */
#endif
