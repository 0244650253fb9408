/* plan_peak.c - what fills the arena when it is fullest, and whether that is more than --max-ram allows. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ir/storage.h"
#include "loop/loop.h"
#include "passes/passes.h"
#include "passes/plan.h"

static int by_bytes(const void *a, const void *b) {
    const Held *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return (x->v->plan.offset > y->v->plan.offset) - (x->v->plan.offset < y->v->plan.offset);
}

static bool live_at(const Value *v, int step) { return v->plan.first <= step && step <= v->plan.last; }

/* Of all that lies in a buffer the largest tensor that is live at the step; the last made of several. `best` begins
 * with the buffers, each at its plan.number. */
static void find_aliases(const Module *m, const Value **best) {
    for (int i = 0; i < m->buffers.n; i++) ((Value *)m->buffers.at[i])->plan.number = i;
    for (int i = 0; i < m->buffers.n; i++) best[i] = live_at(m->buffers.at[i], m->peak) ? m->buffers.at[i] : NULL;
    for (int i = 0; i < m->aliases.n; i++) {
        const Value *v = m->aliases.at[i];
        if (v->plan.buffer->plan.home != HOME_ARENA || !live_at(v, m->peak)) continue;
        const Value **b = &best[v->plan.buffer->plan.number];
        int64_t more = *b ? value_bytes(v) - value_bytes(*b) : 1;
        if (more > 0 || (!more && v->plan.first > (*b)->plan.first)) *b = v;
    }
}

int at_peak(const Module *m, Held **list) {
    int n = 0;
    Held *h = *list = NEW_ARRAY(m->arena, Held, m->buffers.n + 1);
    const Value **best = NEW_ARRAY(m->arena, const Value *, m->buffers.n + 1);
    find_aliases(m, best);
    for (int i = 0; i < m->buffers.n; i++) {
        const Value *buffer = m->buffers.at[i];
        if (buffer->plan.begin > m->peak || buffer->plan.end < m->peak || !value_bytes(buffer)) continue;
        h[n++] = (Held){best[i] ? best[i] : buffer, aligned_size(value_bytes(buffer))};
    }
    qsort(h, (size_t)n, sizeof *h, by_bytes);
    return n;
}

const char *peak_step(const Module *m) {
    for (int i = 0; i < m->kernel_list.n; i++) {
        const Kernel *k = m->kernel_list.at[i];
        if (k->step == m->peak) return node_text(m->arena, k->node[k->nnode - 1]);
    }
    return "between two kernels";
}

static int64_t bytes_of(Value *const *v, int n) {
    int64_t bytes = 0;
    for (int i = 0; i < n; i++)
        if (in_use(v[i])) bytes += type_bytes(&v[i]->type);
    return bytes;
}

int64_t ram_bytes(const Module *m) {
    return m->arena_bytes + m->state_bytes + bytes_of(m->main->in, m->main->nin) +
           bytes_of(m->main->out, m->main->nout);
}

void check_ram(Module *m) {
    enum { SHOWN = 8 };
    Held *h;
    Str s = {.arena = m->arena};
    int64_t most = m->opt->max_ram, ram = ram_bytes(m);
    if (!most || ram <= most || m->opt->taps) return;
    if (4 * m->segments <= m->longest_scan) { /* a segment has two steps at least */
        m->too_large = true;
        return;
    }
    int n = at_peak(m, &h);
    for (int i = 0; i < n && i < SHOWN; i++)
        put(&s, "%s%s %s", i ? ", " : ": ", escaped(m->arena, h[i].v->name, 60), bytes_text(m->arena, h[i].bytes));
    if (n > SHOWN) put(&s, " and %d more", n - SHOWN);
    fatal(m, EXIT_INPUT,
          "the network needs %s bytes of RAM, %s of them for %sinputs and outputs, where --max-ram allows %s; the "
          "arena is "
          "fullest at step %d, %s%s",
          bytes_text(m->arena, ram), bytes_text(m->arena, ram - m->arena_bytes), m->carried.n ? "state, " : "",
          bytes_text(m->arena, most), m->peak, peak_step(m), n ? s.s : "");
}
