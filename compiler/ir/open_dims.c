/* open_dims.c - extents of inputs that neither the model nor the command line gives: the batch has a default, which is
 * told; others are asked for. */
#include "ir/open_dims.h"
#include "ir/diag.h"

void leave_dim_open(Arena *a, OpenDims *open, const char *name, int dim) {
    if (!open->known) open->known = map_new(a);
    if (dim) open->inner = true;
    if (map_get(open->known, name)) return;
    map_set(open->known, name, open);
    push(a, &open->names, (void *)(uintptr_t)name);
}

void dim_lies_at(Module *m, const char *input, int axis, const char *name) {
    if (!m->dims_at) m->dims_at = map_new(m->arena);
    map_set(m->dims_at, dim_place(m->arena, input, axis), arena_str(m->arena, name));
}

static const char *dim_meant(const Module *m, const DimBinding *d) {
    return m->dims_at ? map_get(m->dims_at, d->name) : NULL;
}

/* The same for the dim itself. */
static DimBinding *under_name(Module *m, const DimBinding *d, const char *name) {
    DimBinding *mine = arena_copy(m->arena, d, sizeof *d);
    mine->name = arena_str(m->arena, name);
    return mine;
}

static DimBinding *binding_called(const Module *m, const char *name) {
    for (int i = 0; i < m->opt->dims.n; i++) {
        DimBinding *d = m->opt->dims.at[i];
        if (!strcmp(d->name, name)) return d->used = true, d;
    }
    return NULL;
}

DimBinding *given_dim(Module *m, const char *name) {
    const DimBinding *placed = NULL;
    if (!m->dims) m->dims = map_new(m->arena);
    if (!map_get(m->dims, name)) map_set(m->dims, arena_str(m->arena, name), m);
    for (int i = 0; i < m->opt->dims.n; i++) {
        DimBinding *d = m->opt->dims.at[i];
        const char *meant = dim_meant(m, d);
        if (!meant || strcmp(meant, name)) continue;
        d->used = true;
        if (!placed) placed = d;
    }
    DimBinding *named = binding_called(m, name);
    return named ? named : placed ? under_name(m, placed, name) : NULL;
}

DimBinding *any_dim(Module *m, const char *name) {
    const DimBinding *any = binding_called(m, ANY_DIM);
    return any ? under_name(m, any, name) : NULL;
}

void check_places(Module *m) {
    for (int i = 1; i < m->opt->dims.n; i++) {
        const DimBinding *a, *b = m->opt->dims.at[i];
        const char *meant = dim_meant(m, b), *first;
        for (int k = 0; k < i && meant; k++) {
            a = m->opt->dims.at[k], first = dim_meant(m, a);
            if (!first || strcmp(first, meant) || (a->min == b->min && a->max == b->max)) continue;
            problem_at(m, EXIT_INPUT, (Loc){0}, NULL,
                       "--dim: '%s' and '%s' are the same dim, '%s', which has one extent",
                       escaped(m->arena, a->name, 60), escaped(m->arena, b->name, 60), escaped(m->arena, meant, 60));
        }
    }
}

const char *slips_of_dims(Module *m, const OpenDims *open) {
    Str s = {.arena = m->arena};
    for (int i = 0; i < m->opt->dims.n; i++) {
        const DimBinding *d = m->opt->dims.at[i];
        const char *near = d->used || !open->known ? "" : suggest_key(m->arena, d->name, open->known);
        if (*near) put(&s, "; no dim is called '%s'%s", escaped(m->arena, d->name, 60), near);
    }
    return s.n ? s.s : "";
}

bool has_default(const OpenDims *open) { return open->names.n && open->names.n <= MAX_SYMBOLS && !open->inner; }

/* What the message says of names: in quotes, and as options. */
typedef struct {
    Str quoted, options;
} Listed;

static void list_name(Listed *l, int i, const char *name, const char *extent) {
    const char *text = escaped(l->quoted.arena, name, 60);
    put(&l->quoted, "%s'%s'", i ? ", " : "", text);
    put(&l->options, "%s--dim %s=%s", i ? " " : "", text, extent);
}

enum { LISTED = 12 };

const char *ask_for(Arena *a, const OpenDims *open, const char **options) {
    Listed l = {{.arena = a}, {.arena = a}};
    for (int i = 0; i < open->names.n && i < LISTED; i++) list_name(&l, i, open->names.at[i], "N");
    if (open->names.n > LISTED) put(&l.quoted, " and %d more", open->names.n - LISTED);
    *options = l.options.s;
    return l.quoted.s;
}

/* The defaults: all, or those that nobody was told; how many. */
static int list_defaults(const Module *m, bool untold, Listed *l) {
    int n = 0;
    for (int i = 0; i < m->defaults.n; i++) {
        const DimBinding *d = m->defaults.at[i];
        if (untold && d->told) continue;
        if (n++ < LISTED) list_name(l, n - 1, d->name, untold && d->max > 1 ? "1..N" : "N");
    }
    if (n > LISTED) put(&l->quoted, " and %d more", n - LISTED);
    return n;
}

/* All defaults of a module are the same. */
static const char *default_extent(const Module *m) {
    const DimBinding *d = m->defaults.at[0];
    return d->max == 1 ? "1" : format(m->arena, "1..%lld", (long long)d->max);
}

void tell_defaults(Module *m) {
    Listed l = {{.arena = m->arena}, {.arena = m->arena}};
    int n = list_defaults(m, true, &l);
    if (n)
        inform(m, "dim%s %s %s not given: taken as %s; for another give %s%s", n > 1 ? "s" : "", l.quoted.s,
               n > 1 ? "are" : "is", default_extent(m), l.options.s,
               m->entry ? "" : ", or a range as in 1..N for an extent chosen at run time");
}

const char *blame_defaults(Module *m) {
    Listed l = {{.arena = m->arena}, {.arena = m->arena}};
    int n = list_defaults(m, false, &l);
    if (!n) return NULL;
    return format(m->arena, "dim%s %s %s taken as %s, which may be the cause: give %s", n > 1 ? "s" : "", l.quoted.s,
                  n > 1 ? "were" : "was", default_extent(m), l.options.s);
}
