/* memory_text.c - how the arrays of a kernel lie in memory, in words for its comment: x [rows][columns][channels]. */
#include "emit/emit.h"
#include "ops/ops.h"
#include "render/arrays.h"

enum { WORDS = 3 };

/* Of an image's dims behind images and channels, by how many there are. */
static const char *const spatial[WORDS][WORDS] = {{"positions"}, {"rows", "columns"}, {"planes", "rows", "columns"}};

static const char *spatial_word(const Type *t, int dim) {
    return t->rank >= 3 && t->rank <= 2 + WORDS ? spatial[t->rank - 3][dim - 2] : NULL;
}

/* The node of the kernel that has v as its weights; NULL: there is none. */
static const Node *weighs_with(const Kernel *k, const Value *v) {
    for (int i = 0; i < k->nnode; i++)
        for (int j = 0; j < k->node[i]->nin; j++)
            if (k->node[i]->in[j] == v && names_operand(k->node[i]->op, k->node[i]->op->weights, j)) return k->node[i];
    return NULL;
}

/* NULL: there is no better word than its number. */
static const char *dim_word(const Kernel *k, const Value *v, int dim) {
    const Node *n = weighs_with(k, v);
    const Type *t = &v->type;
    if (!n && t->rank >= 3) return dim == 0 ? "images" : dim == 1 ? "channels" : spatial_word(t, dim);
    if (!n) return NULL;
    bool column = dim == column_dim(n);
    if (n->op->image && dim >= 2) return spatial_word(t, dim);
    if (n->op->image) return column ? "outputs" : "inputs";
    if (n->op->access == ACCESS_RECURRENCE) return column ? "gates" : dim == 0 ? "directions" : "inputs";
    return column ? "columns" : "k";
}

/* ---- one array ---- */

static int places_of(const Array *a, int dim) {
    int n = 0;
    for (int i = 0; i < a->n; i++) n += a->dim[i] == dim;
    return n;
}

/* "columns / 16" and "16" of a dim in panels, "columns" of others. */
static void put_extent(Str *s, const Kernel *k, const Value *v, const Array *a, int i) {
    const int dim = a->dim[i];
    bool panels = places_of(a, dim) > 1, inside = panels && a->step[i] != v->layout.block[2];
    if (dim < 0 || inside) {
        put(s, "%lld", (long long)a->extent[i]);
        return;
    }
    const char *word = dim_word(k, v, dim);
    put_text(s, word ? word : format(s->arena, "dim %d", dim));
    if (panels) put(s, " / %lld", (long long)v->layout.block[1]);
}

/* "a zero border of 1", or how wide it is at either end of each dim. */
static void put_halo(Str *s, const Kernel *k, const Value *v) {
    const int64_t *halo = v->layout.halo;
    int64_t most = 0;
    bool even = true;
    for (int i = 0; i < 2 * v->type.rank; i++) most = halo[i] > most ? halo[i] : most;
    for (int i = 0; i < v->type.rank; i++)
        even = even && halo[2 * i] == halo[2 * i + 1] && (i < 2 || halo[2 * i] == most);
    if (!most) return;
    put(s, " with a zero border of%s", even ? format(s->arena, " %lld", (long long)most) : "");
    const char *before = "";
    for (int i = 0; i < v->type.rank && !even; i++) {
        if (!halo[2 * i] && !halo[2 * i + 1]) continue;
        const char *word = dim_word(k, v, i);
        put(s, "%s %lld and %lld %s", before, (long long)halo[2 * i], (long long)halo[2 * i + 1],
            word ? word : format(s->arena, "in dim %d", i));
        before = ",";
    }
}

/* Zeros behind the columns there are, which fill the last panel. */
static void put_padding(Str *s, const Kernel *k, const Value *v) {
    const int64_t *block = v->layout.block;
    if (!block || v->type.dim[block[0]].max % block[1] == 0) return;
    const char *word = dim_word(k, v, (int)block[0]);
    const int64_t n = v->type.dim[block[0]].max;
    put(s, ", %s padded with zeros from %lld to %lld", word ? word : "panels", (long long)n,
        (long long)align_up(n, block[1]));
}

static void put_memory(Str *s, const Kernel *k, int arg) {
    const Value *v = k->arg[arg];
    const Array *a = &k->arrays->arg[arg];
    put(s, "%s ", k->arg_name[arg]);
    const char *before = "[";
    for (int i = 0; i < a->n; i++) {
        put_text(s, before);
        put_extent(s, k, v, a, i);
        before = a->split[i] ? "][" : " * ";
    }
    put_text(s, "]");
    put_padding(s, k, v);
    if (v->layout.halo) put_halo(s, k, v);
}

/* ---- those of a kernel ---- */

/* Row-major arrays say it themselves, and one dim has one order. */
static bool needs_words(const Kernel *k, int arg) {
    const Value *v = k->arg[arg];
    const Array *a = &k->arrays->arg[arg];
    bool ordered = true;
    for (int i = 1; i < a->n; i++) ordered = ordered && a->dim[i - 1] < a->dim[i];
    return a->n > 1 && !written_over(k, arg) && (!ordered || v->layout.halo || v->layout.block);
}

void put_memory_text(Str *out, const Kernel *k) {
    if (!k->arrays) return;
    size_t line = out->n;
    const char *before = "\n * in memory: ";
    for (int i = 0; i < k->narg; i++) {
        Str one = {.arena = out->arena};
        if (!needs_words(k, i)) continue;
        put_memory(&one, k, i);
        if (*before == ';' && out->n - line + one.n > 116) before = ";\n *     ";
        if (*before == '\n' || strlen(before) > 2) line = out->n;
        put_text(out, before), put_text(out, one.s);
        before = "; ";
    }
}
