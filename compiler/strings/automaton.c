/* automaton.c - a program of a regular expression as a table automaton: sets of steps are states, equal states one */
#include "strings/regex.h"

/* MOST_WORK: steps looked at, so that no pattern costs much more than a second. */
enum { MOST_STATES = 1 << 13, HASHED = 2 * MOST_STATES, MOST_WORK = 1 << 25 };
enum { NUL, FIRST_BYTE, BYTES = 256 };

/* Steps that the bytes so far may have led to, and what the last byte means for assertions. */
typedef struct {
    int *step, n;
    int before; /* bits of AT_TEXT_BEGIN, AT_LINE_BEGIN, and AT_WORD_BOUNDARY: it is of a word */
    uint32_t hash;
} State;

typedef struct {
    Arena *arena;
    const RegexProgram *p;
    int needs; /* of all assertions */
    int64_t work;
    State state[MOST_STATES];
    int states, bucket[HASHED]; /* of the hash table: 1 + the number of a state */
    Marks seen;
    int *stack, *found, nfound; /* ways to go, what they led to */
    int *settled;
    Automaton *to;
    unsigned char first_of[BYTES + 1]; /* a byte of each class */
} Builder;

/* ---- classes of bytes that no step tells apart ---- */

static void find_classes(Builder *b) {
    bool begins[BYTES + 1] = {[NUL] = true, [FIRST_BYTE] = true};
    for (int i = 0; i < b->p->n; i++) {
        const RegexStep *s = &b->p->step[i];
        if (s->kind == STEP_BYTE && s->lo <= s->hi) begins[s->lo] = begins[s->hi + 1] = true;
        if (s->kind == STEP_ASSERT) b->needs |= s->needs;
    }
    for (int c = 1; c < BYTES && b->needs; c++)
        if (is_word_byte(c) != is_word_byte(c - 1) || c == '\n' || c == '\n' + 1) begins[c] = true;
    for (int c = 0; c < BYTES; c++) {
        if (begins[c]) b->first_of[b->to->classes++] = (unsigned char)c;
        b->to->class_of[c] = (unsigned char)(b->to->classes - 1);
    }
}

/* ---- sets of steps ---- */

/* Bits that hold between what is before and byte `next`, -1 at the end. */
static int holding(int before, int next) {
    bool word = (before & AT_WORD_BOUNDARY) != 0, follows = next >= 0 && is_word_byte(next);
    int bits = before & (AT_TEXT_BEGIN | AT_LINE_BEGIN);
    if (next < 0) bits |= AT_TEXT_END;
    if (next < 0 || next == '\n') bits |= AT_LINE_END;
    return bits | (word != follows ? AT_WORD_BOUNDARY : AT_NO_WORD_BOUNDARY);
}

/* What is behind byte c, as far as an assertion asks. */
static int left_by(const Builder *b, int c) {
    int bits = (c == '\n' ? AT_LINE_BEGIN : 0) | (is_word_byte(c) ? AT_WORD_BOUNDARY : 0);
    return bits & (b->needs & AT_NO_WORD_BOUNDARY ? b->needs | AT_WORD_BOUNDARY : b->needs);
}

/* Finds the steps that a step leads to without a byte: those of bytes, of a match, and assertions, unless `bits` tell
 * (not 0) what holds here. */
static void follow(Builder *b, int from, int bits) {
    int n = 0;
    b->stack[n++] = from;
    while (n) {
        int i = b->stack[--n];
        const RegexStep *s = &b->p->step[i];
        b->work++;
        if (b->seen.turn[i] == b->seen.now) continue;
        b->seen.turn[i] = b->seen.now;
        bool asserts = s->kind == STEP_ASSERT && bits;
        if (s->kind == STEP_EITHER) b->stack[n++] = s->other;
        if (s->kind == STEP_EITHER || (asserts && s->needs & bits)) b->stack[n++] = s->next;
        if (s->kind != STEP_EITHER && !asserts) b->found[b->nfound++] = i;
    }
}

static void begin_set(Builder *b) { b->nfound = 0, b->seen.now++; }

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* The number of the state of what was found; a new one gets the next. */
static int state_of(Builder *b, int before) {
    b->work += 4 * b->nfound; /* for the order */
    qsort(b->found, (size_t)b->nfound, sizeof *b->found, by_number);
    size_t bytes = sizeof *b->found * (size_t)b->nfound;
    uint32_t hash = hash_bytes(b->found, bytes, (uint32_t)before), at = hash % HASHED;
    for (; b->bucket[at]; at = (at + 1) % HASHED) {
        const State *s = &b->state[b->bucket[at] - 1];
        if (s->hash == hash && s->before == before && s->n == b->nfound && !memcmp(s->step, b->found, bytes))
            return b->bucket[at] - 1;
    }
    if (b->states == MOST_STATES) return b->work = MOST_WORK, 0;
    b->state[b->states] = (State){arena_copy(b->arena, b->found, bytes), b->nfound, before, hash};
    b->bucket[at] = ++b->states;
    return b->states - 1;
}

/* The steps of a state once the next byte is known. */
static const int *settled(Builder *b, const State *s, int next, int *n) {
    if (!b->needs) return *n = s->n, s->step;
    begin_set(b);
    int bits = holding(s->before, next), *step = b->found;
    for (int i = 0; i < s->n; i++) follow(b, s->step[i], bits);
    *n = b->nfound;
    b->found = b->settled, b->settled = step;
    return step;
}

/* ---- the table ---- */

static int after_byte(Builder *b, int state, int c) {
    int n;
    const int *step = settled(b, &b->state[state], c, &n);
    begin_set(b);
    for (int i = 0; i < n; i++) {
        const RegexStep *s = &b->p->step[step[i]];
        b->work++;
        if (s->kind == STEP_BYTE && s->lo <= c && c <= s->hi) follow(b, s->next, 0);
    }
    return state_of(b, left_by(b, c));
}

static bool is_end(Builder *b, int state) {
    int n;
    const int *step = settled(b, &b->state[state], -1, &n);
    for (int i = 0; i < n; i++)
        if (b->p->step[step[i]].kind == STEP_MATCH) return true;
    return false;
}

static void fill_row(Builder *b, int state) {
    Automaton *a = b->to;
    int *row = a->next + (int64_t)state * a->classes;
    row[NUL] = state;
    for (int c = 1; c < a->classes && b->work < MOST_WORK; c++) row[c] = after_byte(b, state, b->first_of[c]);
    a->accepts[state] = is_end(b, state);
}

/* ---- equal states become one ---- */

typedef struct {
    Builder *b;
    const Automaton *a;
    int *block, *next; /* of each state, and after this turn */
    int *first;        /* a state of each block after this turn */
} Division;

static int leads_to(const Division *d, int state, int c) { return d->block[d->a->next[state * d->a->classes + c]]; }

static bool are_alike(const Division *d, int s, int t) {
    bool alike = d->block[s] == d->block[t];
    for (int c = 0; c < d->a->classes && alike; c++) alike = leads_to(d, s, c) == leads_to(d, t, c);
    return alike;
}

/* Where the block of a state is, or comes, in the hash table. */
static int *block_of(const Division *d, int state) {
    uint32_t at = (uint32_t)d->block[state];
    for (int c = 0; c < d->a->classes; c++) at = at * 0x01000193u ^ (uint32_t)leads_to(d, state, c);
    int *bucket = d->b->bucket;
    for (at = (at ^ at >> 15) % HASHED; bucket[at] && !are_alike(d, d->first[bucket[at] - 1], state);)
        at = (at + 1) % HASHED;
    return &bucket[at];
}

/* One turn: states of a block stay together if they lead to the same blocks; how many there are. */
static int divide(const Division *d) {
    int blocks = 0;
    memset(d->b->bucket, 0, sizeof d->b->bucket);
    for (int s = 0; s < d->a->states; s++) {
        int *block = block_of(d, s);
        if (!*block) d->first[blocks] = s, *block = ++blocks;
        d->next[s] = *block - 1;
    }
    memcpy(d->block, d->next, sizeof *d->block * (size_t)d->a->states);
    d->b->work += (int64_t)d->a->states * d->a->classes;
    return blocks;
}

/* State 0 is in block 0. */
static void merge_states(Builder *b) {
    Automaton *a = b->to;
    Division d = {b, a, NEW_ARRAY(b->arena, int, a->states), NEW_ARRAY(b->arena, int, a->states),
                  NEW_ARRAY(b->arena, int, a->states)};
    int blocks = 0, was;
    for (int s = 0; s < a->states; s++) d.block[s] = a->accepts[s];
    do was = blocks, blocks = divide(&d);
    while (blocks != was && b->work < 2 * MOST_WORK);
    if (blocks != was) return; /* more states than needed, and right all the same */
    for (int s = 0; s < blocks; s++) {
        a->accepts[s] = a->accepts[d.first[s]];
        for (int c = 0; c < a->classes; c++) a->next[s * a->classes + c] = leads_to(&d, d.first[s], c);
    }
    a->states = blocks;
}

const char *regex_automaton(Arena *arena, const char *pattern, Automaton *a) {
    RegexProgram p;
    const char *wrong = regex_program(arena, pattern, &p);
    if (wrong) return wrong;
    Builder *b = NEW(arena, Builder);
    *a = (Automaton){0};
    b->arena = arena, b->p = &p, b->to = a;
    find_classes(b);
    marks_fit(arena, &b->seen, p.n);
    b->stack = NEW_ARRAY(arena, int, 2 * p.n + 2), b->found = NEW_ARRAY(arena, int, p.n),
    b->settled = NEW_ARRAY(arena, int, p.n);
    a->next = NEW_ARRAY(arena, int, MOST_STATES * a->classes), a->accepts = NEW_ARRAY(arena, bool, MOST_STATES);
    begin_set(b);
    follow(b, p.start, 0);
    state_of(b, b->needs & (AT_TEXT_BEGIN | AT_LINE_BEGIN));
    for (int s = 0; s < b->states && b->work < MOST_WORK; s++) fill_row(b, s);
    if (b->work >= MOST_WORK)
        return format(arena, "its automaton needs more than %d states, or too long to build", MOST_STATES);
    a->states = b->states;
    merge_states(b);
    return NULL;
}
