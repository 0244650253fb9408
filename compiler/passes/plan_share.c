/* plan_share.c - which tensors lie in the buffer of another.
 *
 * Three things can share: a result written over an input that nobody wants any more; the parts of a Concat and the
 * whole; a Slice or Split and what it is cut from. In place never costs memory. Parts may: the whole then lives as
 * long as the earliest and the latest of them, so that each sharing of unlike buffers is tried and kept only if the
 * peak does not rise. Which of the two should come first depends on the network: both ways are worked out, and the
 * smaller wins. */
#include "ir/build.h"
#include "ir/storage.h"
#include "loop/loop.h"
#include "passes/plan.h"
#include "train/train.h"

enum { MAX_MEMBERS = 1000 };

/* A base, and what lies in its buffer if it is a buffer. */
typedef struct {
    Value *v;
    int64_t bytes, at;       /* at: within owner's bytes */
    int owner, whole;        /* -1: a buffer; -1: part of nothing */
    int first, last;         /* the caller's: always */
    int next, tail, members; /* of a buffer's cluster: a list that begins with itself */
    int begin, end;          /* its life */
    int latest, rest_end;    /* the member that ends it; the last step of the others */
    int64_t low, high;       /* the bytes that members but the root itself lie in; low >= high: none */
    bool caller, input;      /* memory of the caller: stays where it is, takes no room in the arena; never written */
} SharedBuffer;

/* What join() changed, to take it back. */
typedef struct {
    int alias, owner, part, tail, begin, end, latest, rest_end;
    int64_t low, high;
} Join;

typedef struct {
    Kernel *k;
    int x, y;
} Over;

typedef struct {
    Module *m;
    SharedBuffer *f;
    int n;
    int64_t *live, *most; /* a tree over the steps: bytes in use all along a node; the most at a step of it */
    int leaves;
    int64_t effort;
    List over; /* Over* */
} Share;

int64_t aligned_size(int64_t bytes) { return align_up(bytes, BUFFER_ALIGN); }

/* ---- clusters ---- */

static int root(const Share *s, int i, int64_t *shift) {
    *shift = 0;
    for (; s->f[i].owner >= 0; i = s->f[i].owner) *shift += s->f[i].at;
    return i;
}

static int top(const Share *s, int i) {
    while (s->f[i].whole >= 0) i = s->f[i].whole;
    return i;
}

static void most_above(Share *s, int node) {
    for (node /= 2; node; node /= 2) {
        int64_t a = s->most[2 * node], b = s->most[2 * node + 1];
        s->most[node] = s->live[node] + (a > b ? a : b);
    }
}

static void count_live(Share *s, int i, int sign) {
    const SharedBuffer *f = &s->f[i];
    int64_t bytes = sign * aligned_size(f->bytes);
    if (f->caller || f->end < f->begin) return;
    int from = s->leaves + f->begin, to = s->leaves + f->end, lo = from, hi = to + 1;
    for (; lo < hi; lo /= 2, hi /= 2) {
        if (lo & 1) s->live[lo] += bytes, s->most[lo++] += bytes;
        if (hi & 1) s->live[--hi] += bytes, s->most[hi] += bytes;
    }
    most_above(s, from), most_above(s, to);
}

static int64_t peak(Share *s) {
    s->effort--;
    return s->most[1];
}

/* Two buffers may have bytes in common if they are not live at the same time, or hold the same numbers there. */
static bool get_along(const Share *s, int i, int64_t at, int j, int64_t beside) {
    const SharedBuffer *a = &s->f[i], *b = &s->f[j];
    if (at + a->bytes <= beside || beside + b->bytes <= at) return true;
    return a->last < b->first || b->last < a->first || top(s, i) == top(s, j);
}

/* Whether `next`, alone in its buffer, begins after every member of the cluster but x. */
static bool follows(const Share *s, int next, int cluster, int x) {
    return s->f[next].members == 1 && s->f[cluster].latest == x && s->f[cluster].rest_end < s->f[next].first;
}

/* Whether all of cluster a, moved to `at` in cluster b, gets along with b. x is written over y or the other way round,
 * which is known to be right (-1: no such pair). */
static bool compatible(Share *s, int a, int64_t at, int b, int x, int y) {
    int64_t shift, beside[MAX_MEMBERS];
    if (x >= 0 && (follows(s, a, b, a == x ? y : x) || follows(s, b, a, b == x ? y : x))) return true;
    const SharedBuffer *owner = &s->f[b];
    bool apart = at >= owner->high || at + s->f[a].bytes <= owner->low; /* it meets but the buffer's own bytes */
    for (int j = b, n = 0; j >= 0 && !apart; j = s->f[j].next) root(s, j, &beside[n++]);
    beside[0] = 0;
    for (int i = a; i >= 0; i = s->f[i].next) {
        root(s, i, &shift);
        for (int j = b, n = 0; j >= 0; j = apart ? -1 : s->f[j].next, n++) {
            s->effort--;
            if ((i == x && j == y) || (i == y && j == x)) continue;
            if (!get_along(s, i, at + shift, j, beside[n])) return false;
        }
    }
    return true;
}

static void attach(Share *s, Join *j, int64_t at) {
    SharedBuffer *a = &s->f[j->alias], *b = &s->f[j->owner];
    count_live(s, j->alias, -1), count_live(s, j->owner, -1);
    a->owner = j->owner, a->at = at;
    s->f[b->tail].next = j->alias, b->tail = a->tail, b->members += a->members;
    if (a->begin < b->begin) b->begin = a->begin;
    int ends_first = a->end < b->end ? a->end : b->end;
    if (a->rest_end > b->rest_end) b->rest_end = a->rest_end;
    if (ends_first > b->rest_end) b->rest_end = ends_first;
    if (a->end > b->end) b->end = a->end, b->latest = a->latest;
    bool empty = b->low >= b->high;
    if (empty || at < b->low) b->low = at;
    if (empty || at + a->bytes > b->high) b->high = at + a->bytes;
    count_live(s, j->owner, 1);
}

static void detach(Share *s, const Join *j) {
    SharedBuffer *a = &s->f[j->alias], *b = &s->f[j->owner];
    count_live(s, j->owner, -1);
    a->owner = -1;
    b->tail = j->tail, s->f[b->tail].next = -1, b->members -= a->members;
    b->begin = j->begin, b->end = j->end, b->low = j->low, b->high = j->high;
    b->latest = j->latest, b->rest_end = j->rest_end;
    if (j->part >= 0) s->f[j->part].whole = -1;
    count_live(s, j->alias, 1), count_live(s, j->owner, 1);
}

/* Whether cluster a may move to `at` in the buffer of b. In an input only what shows parts of it may lie. */
static bool fits(const Share *s, int a, int64_t at, int b, bool part) {
    const SharedBuffer *alias = &s->f[a], *owner = &s->f[b];
    if (alias->caller || at < 0 || at + alias->bytes > owner->bytes) return false;
    if (owner->input && (!part || alias->members > 1)) return false;
    return alias->members + owner->members <= MAX_MEMBERS;
}

/* Lays i so that it begins `delta` bytes behind k, by moving one's cluster into the other's. `part`: i
 * holds a part of k's numbers. */
static bool join(Share *s, int i, int k, int64_t delta, bool part, Join *done) {
    int64_t si, sk;
    int a = root(s, i, &si), b = root(s, k, &sk);
    int64_t at = sk + delta - si;
    if (a == b || s->effort < 0) return false;
    if (!fits(s, a, at, b, part)) {
        int t = a;
        a = b, b = t, at = -at;
        if (!fits(s, a, at, b, part)) return false;
    }
    const SharedBuffer *o = &s->f[b];
    *done = (Join){a, b, part ? i : -1, o->tail, o->begin, o->end, o->latest, o->rest_end, o->low, o->high};
    if (part) s->f[i].whole = k;
    if (!compatible(s, a, at, b, part ? -1 : i, part ? -1 : k)) {
        if (part) s->f[i].whole = -1;
        return false;
    }
    attach(s, done, at);
    return true;
}

/* ---- in place ---- */

static int shared_buffer_of(const Share *s, const Value *v) {
    int i = v->plan.base->plan.number;
    return i >= 0 && i < s->n && s->f[i].v == v->plan.base ? i : -1;
}

/* Joins two that hold a buffer one after the other. It can only cost if one of the buffers is larger. */
static bool take_over(Share *s, int x, int y) {
    Join j;
    int64_t shift, before;
    bool alike = aligned_size(s->f[root(s, x, &shift)].bytes) == aligned_size(s->f[root(s, y, &shift)].bytes);
    before = alike ? 0 : peak(s);
    if (!join(s, y, x, 0, false, &j)) return false;
    if (alike || s->f[j.owner].caller || peak(s) <= before) return true;
    detach(s, &j);
    return false;
}

static bool overwrites(Share *s, Kernel *k, int x, int y) {
    const SharedBuffer *a = &s->f[x], *b = &s->f[y];
    if (a->input || a->last != k->step || b->first != k->step || is_optional(s->m, b->v)) return false;
    if (a->bytes != b->bytes || !a->bytes || a->v->type.dtype != b->v->type.dtype) return false;
    return may_overwrite(k, a->v, b->v) && take_over(s, x, y);
}

static void overwrite_input(Share *s, Kernel *k, int y) {
    for (int i = 0; i < k->nread; i++) {
        int x = shared_buffer_of(s, k->arg[i]);
        if (x < 0 || !overwrites(s, k, x, y)) continue;
        Over *o = NEW(s->m->arena, Over);
        *o = (Over){k, x, y};
        push(s->m->arena, &s->over, o);
        return;
    }
}

static void share_in_place(Share *s) {
    for (int i = 0; i < s->m->kernel_list.n; i++) {
        Kernel *k = s->m->kernel_list.at[i];
        for (int j = k->nread; j < k->narg; j++) {
            int y = shared_buffer_of(s, k->arg[j]);
            if (y >= 0) overwrite_input(s, k, y);
        }
    }
}

/* ---- parts ---- */

/* What a Loop hands on must not lie in what that writes over: a slice of a carried value is one. */
static bool join_part(Share *s, const Piece *p, bool cut, Join *j) {
    if (cut && p->part->plan.base->plan.handed) return false;
    int part = shared_buffer_of(s, p->part), whole = shared_buffer_of(s, p->whole);
    if (part < 0 || whole < 0 || s->f[part].whole >= 0 || p->part->type.dtype != p->whole->type.dtype) return false;
    return join(s, part, whole, p->at * dtypes[p->whole->type.dtype].bytes, true, j);
}

/* Joins those of n parts that can be; takes all back if that raises the peak, or if `all` have to be and are not, as
 * those that the whole is cut into. */
static int join_parts(Share *s, const Piece *p, int n, bool all) {
    Join *j = NEW_ARRAY(s->m->arena, Join, n);
    int64_t before = peak(s);
    int joined = 0;
    for (int i = 0; i < n; i++) joined += join_part(s, &p[i], all, &j[joined]);
    if ((!all || joined == n) && peak(s) <= before) return joined;
    while (joined) detach(s, &j[--joined]);
    return 0;
}

/* Of a Concat some parts can share even if not all can. */
static void share_node(Share *s, Node *n) {
    Piece *p = NEW_ARRAY(s->m->arena, Piece, n->nin + n->nout);
    int count = parts_of(n, p);
    bool all = !IS(n, Concat);
    if (!count || (all && count < n->nout) || join_parts(s, p, count, all) || all) return;
    for (int i = count - 1; i >= 0; i--) join_parts(s, &p[i], 1, false);
}

static void share_parts(Share *s) {
    for (int i = 0; i < s->m->kernel_list.n; i++) {
        Kernel *k = s->m->kernel_list.at[i];
        if (k->nnode == 1) share_node(s, k->node[0]);
    }
}

/* ---- the start: a buffer for each ---- */

static void add_base(Module *m, Value *v, void *arg) {
    List *bases = arg;
    if (v->plan.base != v || v->plan.last < 0) return;
    v->plan.number = bases->n;
    push(m->arena, bases, v);
}

static SharedBuffer own_buffer(const Module *m, Value *v) {
    bool input = v->kind != V_NODE, caller = input || v->plan.home == HOME_OUTPUT;
    int first = input ? -1 : v->plan.first, last = caller ? m->steps : v->plan.last;
    int i = v->plan.number;
    return (SharedBuffer){v, value_bytes(v), 0, -1, -1, first, last, -1, i, 1, first, last, i, -1, 0, 0, caller, input};
}

/* Every base in a buffer of its own. */
static Share start_share(Module *m) {
    Share s = {.m = m};
    List bases = {0};
    each_stored(m, add_base, &bases);
    s.n = bases.n, s.f = NEW_ARRAY(m->arena, SharedBuffer, s.n + 1);
    for (int i = 0; i < s.n; i++) s.f[i] = own_buffer(m, bases.at[i]);
    for (s.leaves = 1; s.leaves < m->steps + 2;) s.leaves *= 2;
    s.live = NEW_ARRAY(m->arena, int64_t, 2 * s.leaves), s.most = NEW_ARRAY(m->arena, int64_t, 2 * s.leaves);
    for (int i = 0; i < s.n; i++) count_live(&s, i, 1);
    return s;
}

static Share share_copy(const Share *start) {
    Arena *a = start->m->arena;
    Share s = *start;
    s.effort = 100000000;
    s.f = arena_copy(a, start->f, sizeof *s.f * (size_t)(s.n + 1));
    s.live = arena_copy(a, start->live, sizeof *s.live * 2 * (size_t)s.leaves);
    s.most = arena_copy(a, start->most, sizeof *s.most * 2 * (size_t)s.leaves);
    return s;
}

/* ---- the decision ---- */

static const struct {
    void (*first)(Share *), (*then)(Share *);
} ways[] = {{share_parts, share_in_place}, {share_in_place, share_parts}, {share_in_place, NULL}};

static void note_same(Share *s, const Over *o) {
    Kernel *k = o->k;
    if (!k->in_place) {
        k->in_place = NEW_ARRAY(s->m->arena, int, k->narg);
        for (int i = 0; i < k->narg; i++) k->in_place[i] = -1;
    }
    for (int i = 0; i < k->nread; i++)
        for (int j = k->nread; j < k->narg; j++)
            if (k->arg[i]->plan.base == s->f[o->x].v && k->arg[j]->plan.base == s->f[o->y].v) k->in_place[i] = j;
}

static void take_root(Value *v, void *unused) {
    (void)unused;
    v->plan.buffer = v->plan.base->plan.buffer, v->plan.shift = v->plan.base->plan.shift;
}

static void apply(Share *s) {
    Module *m = s->m;
    for (int i = 0; i < s->n; i++) {
        Value *v = s->f[i].v;
        v->plan.buffer = s->f[root(s, i, &v->plan.shift)].v;
        v->plan.begin = s->f[i].begin, v->plan.end = s->f[i].end;
        if (v->plan.buffer != v) push(m->arena, &m->aliases, v);
    }
    each_value(m, take_root, NULL);
    for (int i = 0; i < s->over.n; i++) note_same(s, s->over.at[i]);
    int kept = 0;
    for (int i = 0; i < m->kernel_list.n; i++) {
        Kernel *k = m->kernel_list.at[i];
        if (k->nnode == 1 && !k->in_place) drop_copies(m, k->node[0]);
        if (k->node[0]->code->body) m->kernel_list.at[kept++] = k->node[0]->code;
    }
    m->kernel_list.n = kept;
}

void share_buffers(Module *m) {
    Share start = start_share(m), best = start;
    int64_t least = INT64_MAX;
    for (int i = 0; i < COUNT(ways); i++) {
        Share s = share_copy(&start);
        if (m->opt->level > 0) {
            ways[i].first(&s);
            if (ways[i].then) ways[i].then(&s);
        }
        int64_t size = peak(&s);
        if (size < least) best = s, least = size;
    }
    apply(&best);
}
