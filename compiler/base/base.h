/* base.h - memory, text, containers, arithmetic, files: what has nothing to do with networks.
 *
 * Everything a compilation allocates comes from one arena and is freed with it. This room calls no other. */
#ifndef NNCC_BASE_BASE_H
#define NNCC_BASE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined __GNUC__
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#else
#define PRINTF_LIKE(f, a)
#endif

enum { EXIT_OK = 0, EXIT_INPUT = 1, EXIT_USAGE = 2, EXIT_UNSUPPORTED = 3, EXIT_BUG = 70 };
_Noreturn void bug(const char *file, int line, const char *what);
#define ASSERT(c) ((c) ? (void)0 : bug(__FILE__, __LINE__, #c))

/* ---- util.c: arena, strings, maps, checked arithmetic ---- */

typedef struct Arena Arena;

/* A bump allocator. Blocks come zeroed and 16-byte aligned; nothing is freed before arena_free.
 * `limit` bounds the bytes ever handed out (0: none); past it, `full` is called and must not return. */
Arena *arena_new(size_t limit, void (*full)(void *), void *arg);
void arena_limit(Arena *, size_t limit); /* another limit from here on */
void arena_free(Arena *);
void *arena_alloc(Arena *, size_t bytes);
void *arena_copy(Arena *, const void *, size_t bytes);
char *arena_str(Arena *, const char *); /* a copy; NULL stays NULL */
char *format(Arena *, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define NEW(arena, T)          ((T *)arena_alloc(arena, sizeof(T)))
#define NEW_ARRAY(arena, T, n) ((T *)arena_alloc(arena, sizeof(T) * (size_t)(n)))
#define COUNT(a)               ((int)(sizeof(a) / sizeof *(a)))

/* A growing text or byte buffer in an arena; `s` is always NUL-terminated once something is put. */
typedef struct {
    Arena *arena;
    char *s;
    size_t n, cap;
} Str;
void put(Str *, const char *fmt, ...) PRINTF_LIKE(2, 3);
void put_text(Str *, const char *);
void put_bytes(Str *, const void *, size_t);

/* A growing array of pointers. */
typedef struct {
    void **at;
    int n, cap;
} List;
void push(Arena *, List *, void *);

/* Scratch about things that are numbered from 0, used again and again: an entry holds from the turn in which it was
 * made, so that nothing is cleared. */
typedef struct {
    int64_t *turn, now;
    int n;
} Marks;
typedef struct {
    int64_t turn;
    void *to;
} Rewritten;
typedef struct {
    Rewritten *at;
    int64_t now;
    int n;
} Memos;
void marks_fit(Arena *, Marks *, int n); /* room for n of them */
void memos_fit(Arena *, Memos *, int n);

/* A string-keyed map; keys are kept, not copied. */
typedef struct Map Map;
Map *map_new(Arena *);
void *map_get(const Map *, const char *key);                            /* NULL if absent */
int map_keys(const Map *, Arena *, int most, const char *const **keys); /* `most` of them at most; how many */
void map_set(Map *, const char *key, void *value);

bool mul_ok(int64_t a, int64_t b, int64_t *product); /* false on overflow */
bool add_ok(int64_t a, int64_t b, int64_t *sum);
int64_t saturating_add(int64_t a, int64_t b);     /* INT64_MAX on overflow */
bool in_list(const char *list, const char *name); /* whether it stands in a comma list; NULL: an empty one */

/* What a row of a table is called in lists: "fold", and "fold.2" where it comes again. A row, of `size` bytes, begins
 * with its name. */
const char *turn_label(Arena *, const void *table, const void *row, size_t size);

/* Words in one text, with a blank between them: "none add mul". */
size_t word_length(const char *words);              /* of the first */
const char *next_word(const char *words);           /* what is left without the first; "" behind the last */
bool has_word(const char *words, const char *word); /* words: NULL for none */
const char *copy_word(Arena *, const char *words);  /* the first as a text of its own */

int64_t floor_div(int64_t a, int64_t b);
int64_t greatest_common_divisor(int64_t a, int64_t b); /* from 0 on; of 0 and 0 it is 0 */
int64_t ceil_div(int64_t a, int64_t b);
static inline int64_t align_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; } /* the next multiple */
uint32_t hash_bytes(const void *, size_t, uint32_t seed);
void sha256_hex(const void *, size_t, char hex[65]);
/* `s` with every byte outside printable ASCII (and quotes, backslashes) as \xNN: for terminals. Cut to `max`. */
char *escaped(Arena *, const char *s, int max);
/* A file's bytes, mapped read-only (NULL with errno set if it cannot be read). */
const void *map_file(const char *path, size_t *bytes);
/* Lets go of the memory behind bytes that lie in a mapped file (they are read again if needed); others are left alone.
 */
void release_mapped(const char *file, size_t file_bytes, const void *bytes, size_t n);
const char *bytes_text(Arena *, int64_t); /* 35,456 */

/* ---- names.c ---- */

/* A C identifier for model text: [a-z0-9_], at most 24 characters, not reserved, unique in `taken`. */
const char *identifier(Arena *, Map *taken, const char *name, const char *fallback);
bool is_c_keyword(const char *);
const char *comment_text(Arena *, const char *, int max);       /* white-listed ASCII for comments */
const char *comment_expression(Arena *, const char *, int max); /* the same with marks of expressions and spaces */

/* ---- suggest.c: what was probably meant ---- */

/* "; the nearest is 'Relu'" for the nearest of n names, "" if none is near. */
const char *suggest(Arena *, const char *name, int n, const char *const *names);
const char *suggest_key(Arena *, const char *name, const Map *); /* the same for a map's keys */
/* "; it has filters, kernel, stride", or "; it has none"; before: "it has". */
const char *names_listed(Arena *, const char *before, int n, const char *const *names);
/* The nearest, and all there are: "; the nearest is 'stride'; it has filters, kernel, stride"; before: "it has". */
const char *choices(Arena *, const char *name, const char *before, int n, const char *const *names);

/* ---- files.c: files that are written ---- */

typedef struct {
    const char *path;
    const void *bytes;
    size_t n;
} NewFile;
/* Writes all of them, or none if one cannot be written: through temporaries, renamed when all are there, so that a
 * reader never sees half a file. Links are followed; a device, a pipe or an open descriptor (/dev/stdout) is written in
 * place. False with errno set and *failed the path at fault. */
bool write_files(const NewFile *, int n, const char **failed);
bool write_file(const char *path, const void *, size_t); /* one of them */
bool can_write_file(const char *path);                   /* nothing is changed; false with errno set */
bool written_in_place(const char *path);                 /* no regular file: nothing can lie beside it */
bool same_file(const char *, const char *);              /* both are there, and are one */

#endif
