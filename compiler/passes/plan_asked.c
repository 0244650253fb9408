/* plan_asked.c - places that a dump names (#at=). A dump as it was printed asks for what the plan does anyway; in an
 * edited one a place is obeyed, or refused with the reason; -O0 says that it does neither. It is never only printed. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/storage.h"
#include "passes/plan.h"

enum { MAX_MOVED = 20000 };

static void refuse(Module *m, const Value *v, const char *why) {
    problem_at(m, EXIT_INPUT, v->loc, v->def ? v->def->op->name : NULL, "'%s' cannot be at #at=%lld: %s",
               escaped(m->arena, v->name, 60), (long long)(v->plan.asked - 1), why);
}

static const char *name_of(Module *m, const Value *v) { return escaped(m->arena, v->name, 60); }

/* The place of its buffer that v's own place stands for; false if it has none. */
static bool place_of_buffer(Module *m, const Value *v, int64_t *at) {
    *at = v->plan.asked - 1 - v->plan.base->plan.shift;
    const Value *buffer = v->plan.base->plan.buffer;
    bool arena = buffer->plan.home == HOME_ARENA;
    if (!arena)
        refuse(m, v,
               buffer->plan.home == HOME_NONE ? "it is not stored, but computed where it is read"
                                              : "it lies in memory of the caller");
    else if (*at < 0 || *at % BUFFER_ALIGN)
        refuse(m, v,
               format(m->arena, "its buffer would begin at %lld, which is no multiple of %d", (long long)*at,
                      BUFFER_ALIGN));
    return arena && *at >= 0 && *at % BUFFER_ALIGN == 0;
}

typedef struct {
    Module *m;
    const Value **by; /* of each buffer, by its buffer's number: who asked for its place */
    bool moved;
} Asked;

static void note_place(Asked *a, const Value *v) {
    int64_t at;
    if (!v || !v->plan.asked || !place_of_buffer(a->m, v, &at)) return;
    Value *buffer = v->plan.base->plan.buffer;
    const Value *other = a->by[buffer->plan.number];
    if (other && at != buffer->plan.offset)
        refuse(a->m, v,
               format(a->m->arena, "it shares a buffer with '%s', for which #at=%lld is asked", name_of(a->m, other),
                      (long long)(other->plan.asked - 1)));
    if (other) return;
    a->moved = a->moved || at != buffer->plan.offset;
    a->by[buffer->plan.number] = v, buffer->plan.offset = at;
}

static void note_places(Graph *g, void *arg) {
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++) note_place(arg, n->out[i]);
}

static bool alive_together(const Value *a, const Value *b) {
    return a->plan.begin <= b->plan.end && b->plan.begin <= a->plan.end;
}

static bool meet(const Value *a, const Value *b) {
    return alive_together(a, b) && a->plan.offset < b->plan.offset + value_bytes(b) &&
           b->plan.offset < a->plan.offset + value_bytes(a);
}

static void refuse_meetings(Asked *a) {
    Module *m = a->m;
    for (int i = 0; i < m->buffers.n; i++)
        for (int j = 0; j < i; j++) {
            const Value *v = m->buffers.at[i], *w = m->buffers.at[j];
            if (!a->by[i] || !a->by[j] || !meet(v, w)) continue;
            refuse(m, a->by[i],
                   format(m->arena, "'%s' is there from step %d to %d, at %lld to %lld", name_of(m, a->by[j]),
                          w->plan.begin, w->plan.end, (long long)w->plan.offset,
                          (long long)(w->plan.offset + value_bytes(w) - 1)));
        }
}

/* What no place is asked for keeps its own if that is free, and else stands behind all that have one. */
static void make_way(Asked *a, const Interval *life) {
    Module *m = a->m;
    int64_t top = 0;
    for (int i = 0; i < m->buffers.n; i++) {
        const Value *v = m->buffers.at[i];
        if (v->plan.offset + life[i].size > top) top = v->plan.offset + life[i].size;
    }
    for (int i = 0; i < m->buffers.n; i++) {
        Value *v = m->buffers.at[i];
        bool free = true;
        for (int j = 0; j < m->buffers.n && !a->by[i] && free; j++)
            free = i == j || !a->by[j] || !meet(v, m->buffers.at[j]);
        if (!a->by[i] && !free) v->plan.offset = top, top += life[i].size;
    }
    m->arena_bytes = top;
}

void obey_places(Module *m, Interval *life) {
    Asked a = {.m = m, .by = NEW_ARRAY(m->arena, const Value *, m->buffers.n + 1)};
    for (int i = 0; i < m->buffers.n; i++) ((Value *)m->buffers.at[i])->plan.number = i;
    each_graph(m, note_places, &a);
    stop_on_problems(m);
    if (!a.moved) return;
    if (m->buffers.n > MAX_MOVED)
        fatal(m, EXIT_INPUT, "#at= moves a buffer, but places are obeyed among at most %d buffers", MAX_MOVED);
    refuse_meetings(&a);
    stop_on_problems(m);
    make_way(&a, life);
}

typedef struct {
    Module *m;
    const Value *first;
    int n;
} Ignored;

static void note_ignored(Graph *g, void *arg) {
    Ignored *a = arg;
    for (Node *n = g->first; n; n = n->next)
        for (int i = 0; i < n->nout; i++) {
            const Value *v = n->out[i];
            if (!v || !v->plan.asked || (v->plan.home == HOME_ARENA && v->plan.offset == v->plan.asked - 1)) continue;
            if (!a->n++) a->first = v;
        }
}

void tell_ignored_places(Module *m) {
    Ignored a = {.m = m};
    each_graph(m, note_ignored, &a);
    if (!a.n) return;
    const char *more = a.n > 1 ? format(m->arena, " and of %d more", a.n - 1) : "";
    warn(m, "-O0, which gives every value a buffer of its own, does not obey #at=%lld of '%s'%s",
         (long long)(a.first->plan.asked - 1), name_of(m, a.first), more);
}
