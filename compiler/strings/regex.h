/* regex.h - regular expressions in the syntax of RE2: a program over the bytes of UTF-8, then a table automaton. */
#ifndef NNCC_STRINGS_REGEX_H
#define NNCC_STRINGS_REGEX_H

#include "base/base.h"

/* What may hold between two bytes, as bits. */
enum {
    AT_TEXT_BEGIN = 1,
    AT_TEXT_END = 2,
    AT_LINE_BEGIN = 4,
    AT_LINE_END = 8,
    AT_WORD_BOUNDARY = 16,
    AT_NO_WORD_BOUNDARY = 32
};

/* A pattern: sets of characters in order, chains, choices, repetitions. */
typedef struct {
    uint32_t lo, hi;
} Range;
typedef struct {
    Range *at;
    int n, cap;
} Ranges;

typedef enum { TREE_CHARS, TREE_ANY_BYTE, TREE_CHAIN, TREE_CHOICE, TREE_REPEAT, TREE_ASSERT } TreeKind;
typedef struct {
    TreeKind kind;
    List parts;      /* CHAIN, CHOICE: Tree*; REPEAT: one */
    int least, most; /* REPEAT; most -1: any number */
    unsigned char needs;
    Ranges chars;
} Tree;

/* A program: steps that go on to one another. */
typedef enum { STEP_BYTE, STEP_EITHER, STEP_ASSERT, STEP_MATCH } StepKind;
typedef struct {
    StepKind kind;
    unsigned char lo, hi; /* BYTE: one from lo to hi */
    unsigned char needs;  /* ASSERT: the bit that has to hold */
    int next, other;      /* EITHER: both */
} RegexStep;
typedef struct {
    RegexStep *step;
    int n, start;
} RegexProgram;

/* A deterministic automaton, which begins in state 0. Byte 0 leaves every state as it is. */
typedef struct {
    int states, classes;
    unsigned char class_of[256];
    int *next; /* [states][classes] */
    bool *accepts;
} Automaton;

/* All: NULL, or what is wrong with the pattern, or not supported. */
const char *regex_tree(Arena *, const char *pattern, Tree **);
const char *regex_program(Arena *, const char *pattern, RegexProgram *);
const char *regex_automaton(Arena *, const char *pattern, Automaton *);

static inline bool is_word_byte(int c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

#endif
