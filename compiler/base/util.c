/* util.c - arena, strings, lists, maps, checked arithmetic, files. */
#define _DEFAULT_SOURCE /* madvise */
#include "../runtime/nncc_sha256.h"
#include "base/base.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Chunk {
    struct Chunk *next;
    size_t used, size;
    max_align_t data[];
} Chunk;

struct Arena {
    Chunk *blocks;
    size_t total, limit;
    void (*full)(void *);
    void *arg;
};

enum { MIN_BLOCK = 1 << 12, MAX_BLOCK = 1 << 18 }; /* bytes */

Arena *arena_new(size_t limit, void (*full)(void *), void *arg) {
    Arena *a = calloc(1, sizeof *a);
    if (!a) {
        fputs("nncc: out of memory\n", stderr);
        exit(EXIT_INPUT);
    }
    a->limit = limit, a->full = full, a->arg = arg;
    return a;
}

void arena_free(Arena *a) {
    for (Chunk *b = a->blocks, *next; b; b = next) next = b->next, free(b);
    free(a);
}

void arena_limit(Arena *a, size_t limit) { a->limit = limit; }

static void out_of_memory(Arena *a) {
    a->limit = 0; /* what reports it needs a little more */
    if (a->full) a->full(a->arg);
    fputs("nncc: out of memory\n", stderr);
    exit(EXIT_INPUT);
}

/* The first block is small: many arenas hold only a few objects, and a block is cleared as a whole. Each further one is
 * four times the last. Large requests get a block of their own behind the current one, so that its rest stays usable.
 */
static Chunk *new_block(Arena *a, size_t bytes) {
    size_t size = !a->blocks ? MIN_BLOCK : a->blocks->size < MAX_BLOCK / 4 ? a->blocks->size * 4 : MAX_BLOCK;
    bool own = a->blocks && bytes > size / 4;
    if (own || bytes > size) size = bytes;
    Chunk *b = bytes > SIZE_MAX - sizeof *b ? NULL : calloc(1, sizeof *b + size);
    if (!b) out_of_memory(a);
    b->size = size;
    if (own) {
        b->next = a->blocks->next;
        a->blocks->next = b;
    } else {
        b->next = a->blocks;
        a->blocks = b;
    }
    return b;
}

void *arena_alloc(Arena *a, size_t bytes) {
    if (bytes > SIZE_MAX - 64) out_of_memory(a);
    bytes = (bytes + 15) & ~(size_t)15;
    if (a->limit && (bytes > a->limit || a->total > a->limit - bytes)) out_of_memory(a);
    a->total += bytes;
    Chunk *b = a->blocks;
    if (!b || b->size - b->used < bytes) b = new_block(a, bytes);
    char *p = (char *)b->data + b->used;
    b->used += bytes;
    return p;
}

void *arena_copy(Arena *a, const void *p, size_t bytes) {
    void *q = arena_alloc(a, bytes);
    return bytes ? memcpy(q, p, bytes) : q;
}

/* `p`, of `was` bytes, as a block of `bytes`: where it is, if nothing was handed out since. */
static void *grow(Arena *a, void *p, size_t was, size_t bytes) {
    Chunk *b = a->blocks;
    size_t old = (was + 15) & ~(size_t)15, more = ((bytes + 15) & ~(size_t)15) - old;
    if (p && b && (char *)p + old == (char *)b->data + b->used && more <= b->size - b->used) {
        arena_alloc(a, more);
        return p;
    }
    void *q = arena_alloc(a, bytes);
    return p ? memcpy(q, p, was) : q;
}

char *arena_str(Arena *a, const char *s) { return s ? arena_copy(a, s, strlen(s) + 1) : NULL; }

char *format(Arena *a, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = arena_alloc(a, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return s;
}

static void reserve(Str *s, size_t more) {
    if (s->cap - s->n > more) return;
    size_t cap = s->cap ? s->cap : 64;
    while (cap - s->n <= more) cap *= 2;
    s->s = grow(s->arena, s->s, s->cap, cap), s->cap = cap;
}

void put_bytes(Str *s, const void *p, size_t n) {
    reserve(s, n + 1);
    if (n) memcpy(s->s + s->n, p, n);
    s->n += n;
    s->s[s->n] = 0;
}

void put_text(Str *s, const char *text) { put_bytes(s, text, strlen(text)); }

void put(Str *s, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    reserve(s, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(s->s + s->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    s->n += (size_t)n;
}

void push(Arena *a, List *l, void *p) {
    if (l->n == l->cap) {
        int cap = l->cap ? l->cap * 2 : 4;
        l->at = grow(a, l->at, sizeof *l->at * (size_t)l->cap, sizeof *l->at * (size_t)cap), l->cap = cap;
    }
    l->at[l->n++] = p;
}

static int doubled(int n, int least) {
    while (n < least) n = n ? 2 * n : 64;
    return n;
}

void marks_fit(Arena *a, Marks *m, int n) {
    if (n <= m->n) return;
    m->n = doubled(m->n, n), m->turn = arena_alloc(a, sizeof *m->turn * (size_t)m->n);
}

void memos_fit(Arena *a, Memos *m, int n) {
    if (n <= m->n) return;
    m->n = doubled(m->n, n), m->at = arena_alloc(a, sizeof *m->at * (size_t)m->n);
}

/* Open addressing, at most half full. The hash is seeded by nothing: a hostile file can make chains long,
 * so the probe uses a multiplicative mix of a 32-bit hash and the fuel of every pass bounds what that costs. */
struct Map {
    Arena *arena;
    const char **key;
    void **value;
    uint32_t n, cap;
};

Map *map_new(Arena *a) {
    Map *m = NEW(a, Map);
    m->arena = a, m->cap = 16;
    m->key = NEW_ARRAY(a, const char *, m->cap);
    m->value = NEW_ARRAY(a, void *, m->cap);
    return m;
}

static uint32_t slot_of(const Map *m, const char *key) {
    uint32_t i = hash_bytes(key, strlen(key), 0) & (m->cap - 1);
    while (m->key[i] && strcmp(m->key[i], key)) i = (i + 1) & (m->cap - 1);
    return i;
}

void *map_get(const Map *m, const char *key) { return m->value[slot_of(m, key)]; }

void map_set(Map *m, const char *key, void *value) {
    uint32_t i = slot_of(m, key);
    if (!m->key[i] && 2 * ++m->n > m->cap) {
        Map old = *m;
        m->cap *= 2;
        m->key = NEW_ARRAY(m->arena, const char *, m->cap);
        m->value = NEW_ARRAY(m->arena, void *, m->cap);
        for (uint32_t j = 0; j < old.cap; j++)
            if (old.key[j]) {
                uint32_t k = slot_of(m, old.key[j]);
                m->key[k] = old.key[j], m->value[k] = old.value[j];
            }
        i = slot_of(m, key);
    }
    m->key[i] = key, m->value[i] = value;
}

int map_keys(const Map *m, Arena *a, int most, const char *const **keys) {
    const char **key = NEW_ARRAY(a, const char *, m->n < (uint32_t)most ? m->n : (uint32_t)most);
    int n = 0;
    for (uint32_t i = 0; i < m->cap && n < most; i++)
        if (m->key[i]) key[n++] = m->key[i];
    return *keys = key, n;
}

bool mul_ok(int64_t a, int64_t b, int64_t *product) { return !__builtin_mul_overflow(a, b, product); }
bool add_ok(int64_t a, int64_t b, int64_t *sum) { return !__builtin_add_overflow(a, b, sum); }
int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }
int64_t ceil_div(int64_t a, int64_t b) { return -floor_div(-a, b); }

int64_t greatest_common_divisor(int64_t a, int64_t b) {
    a = llabs(a), b = llabs(b);
    while (b) {
        int64_t r = a % b;
        a = b, b = r;
    }
    return a;
}

/* FNV-1a with a final mix, so that its low bits are good enough for a power-of-two table. */
uint32_t hash_bytes(const void *p, size_t n, uint32_t seed) {
    uint32_t h = 2166136261u ^ seed;
    for (const unsigned char *c = p, *end = c + n; c < end; c++) h = (h ^ *c) * 16777619u;
    h ^= h >> 16;
    return h * 0x85ebca6bu ^ h >> 13;
}

int64_t saturating_add(int64_t a, int64_t b) { return add_ok(a, b, &a) ? a : INT64_MAX; }

void sha256_hex(const void *bytes, size_t n, char hex[65]) {
    nncc_sha256 s;
    nncc_sha_start(&s);
    nncc_sha_add(&s, bytes, n);
    nncc_sha_hex(&s, hex);
}

char *escaped(Arena *a, const char *s, int max) {
    Str out = {.arena = a};
    put_text(&out, "");
    for (int i = 0; s[i]; i++) {
        unsigned char c = (unsigned char)s[i];
        if (i == max) {
            put_text(&out, "...");
            break;
        }
        if (c < 32 || c > 126 || c == '"' || c == '\'' || c == '\\')
            put(&out, "\\x%02x", c);
        else
            put(&out, "%c", c);
    }
    return out.s;
}

const void *map_file(const char *path, size_t *bytes) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0) return NULL;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        errno = errno ? errno : EINVAL;
        close(fd);
        return NULL;
    }
    *bytes = (size_t)st.st_size;
    const void *p = *bytes ? mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0) : "";
    close(fd);
    return p == MAP_FAILED ? NULL : p;
}

void release_mapped(const char *file, size_t file_bytes, const void *bytes, size_t n) {
    const char *p = bytes;
    uintptr_t page = 4095;
    if (!file || p < file || n > file_bytes || (size_t)(p - file) > file_bytes - n) return;
    uintptr_t from = ((uintptr_t)p + page) & ~page, to = (uintptr_t)(p + n) & ~page;
    if (from < to) madvise((void *)from, to - from, MADV_DONTNEED);
}

bool in_list(const char *list, const char *name) {
    size_t n = strlen(name);
    for (const char *s = list; s && *s; s += strcspn(s, ","), s += *s == ',')
        if (strcspn(s, ",") == n && !strncmp(s, name, n)) return true;
    return false;
}

static const char *name_at(const void *row) { return *(const char *const *)row; }

const char *turn_label(Arena *a, const void *table, const void *row, size_t size) {
    const char *name = name_at(row);
    int turn = 1;
    for (const char *r = table; r < (const char *)row; r += size) turn += !strcmp(name_at(r), name);
    return turn > 1 ? format(a, "%s.%d", name, turn) : name;
}

size_t word_length(const char *words) { return strcspn(words, " "); }

const char *next_word(const char *words) {
    words += word_length(words);
    return words + (*words == ' ');
}

bool has_word(const char *words, const char *word) {
    size_t n = strlen(word);
    for (const char *w = words; w && *w; w = next_word(w))
        if (word_length(w) == n && !memcmp(w, word, n)) return true;
    return false;
}

const char *copy_word(Arena *a, const char *words) { return format(a, "%.*s", (int)word_length(words), words); }

const char *bytes_text(Arena *a, int64_t n) {
    char digits[32], out[48];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n), o = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) out[o++] = ',';
        out[o++] = digits[i];
    }
    out[o] = 0;
    return arena_str(a, out);
}

void bug(const char *file, int line, const char *what) {
    fprintf(stderr, "nncc: internal error at %s:%d: %s\nThis is an error in nncc, not in the model.\n", file, line,
            what);
    exit(EXIT_BUG);
}
