/* infer_einsum.c - Einsum: the equation, and the shape it gives. */
#include "ir/build.h"
#include "ir/diag.h"
#include "ops/infer.h"
#include "ops/rules_nn.h"

enum { LETTERS = EINSUM_LETTERS, MAX_DIMS = LETTERS + MAX_RANK }; /* of a result, before it is refused */

/* The dims that letters and the ellipsis stand for. */
typedef struct {
    Dim letter[LETTERS];
    int uses[LETTERS];
    Dim dots[MAX_RANK]; /* aligned to the right */
    int ndots;
    bool any_dots;
} Labels;

static int index_of(char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= 'A' && c <= 'Z' ? c - 'A' : -1; }

static bool bad(Node *n, const char *why) {
    problem(n, EXIT_INPUT, "equation '%s': %s", escaped(n->graph->module->arena, attr_s(n, "equation"), 100), why);
    return false;
}

/* a becomes the extent of both; a mismatch gives false. */
static bool unify(Dim *a, Dim b) {
    if (same_dim(*a, b) || same_dim(b, fixed(1))) return true;
    if (!same_dim(*a, fixed(1))) return false;
    *a = b;
    return true;
}

/* How many letters a term has up to `end`; -1 if it has anything else but one ellipsis, blanks aside. */
static int count_letters(const char *s, const char *end, bool *dots) {
    int n = 0;
    *dots = false;
    for (; s < end; s++) {
        if (*s == ' ') continue;
        if (*s == '.' && !*dots && end - s >= 3 && s[1] == '.' && s[2] == '.')
            *dots = true, s += 2;
        else if (index_of(*s) >= 0)
            n++;
        else
            return -1;
    }
    return n;
}

static bool read_term(Node *n, int i, const char *s, const char *end, Labels *l) {
    const Type *t = in_type(n, i);
    bool dots;
    int letters = count_letters(s, end, &dots), spread = t->rank - letters, at = 0;
    if (letters < 0 || (dots ? spread < 0 : spread != 0))
        return bad(n, format(n->graph->module->arena, "a term does not fit %s", in_text(n, i)));
    for (; s < end; s++) {
        int k = index_of(*s);
        if (k >= 0) {
            if (!l->uses[k]++)
                l->letter[k] = t->dim[at++];
            else if (!unify(&l->letter[k], t->dim[at++]))
                return bad(n, format(n->graph->module->arena, "'%c' has two extents", *s));
        } else if (*s == '.') {
            for (int d = 0; d < spread; d++)
                if (!unify(&l->dots[MAX_RANK - spread + d], t->dim[at++]))
                    return bad(n, "the dims of ... do not broadcast");
            if (spread > l->ndots) l->ndots = spread;
            l->any_dots = true, s += 2;
        }
    }
    return true;
}

static int put_dots(const Labels *l, Dim *dim, int rank) {
    for (int d = 0; d < l->ndots; d++) dim[rank++] = l->dots[MAX_RANK - l->ndots + d];
    return rank;
}

/* Without an output term: the ellipsis, then the letters used once, in order of their codes. */
static int implied(const Labels *l, Dim *dim) {
    int rank = put_dots(l, dim, 0);
    for (int k = 0; k < LETTERS; k++)
        if (l->uses[k] == 1) dim[rank++] = l->letter[k];
    return rank;
}

static bool explicit_dims(Node *n, const Labels *l, const char *s, int *rank, Dim *dim) {
    bool dots, seen[LETTERS] = {false};
    *rank = 0;
    if (count_letters(s, s + strlen(s), &dots) < 0) return bad(n, "the output is no term");
    for (; *s; s++) {
        int k = index_of(*s);
        if (*s == '.') *rank = put_dots(l, dim, *rank), s += 2;
        if (k < 0) continue;
        if (!l->uses[k] || seen[k])
            return bad(n, format(n->graph->module->arena, "'%c' in the output is in no input, or twice", *s));
        seen[k] = true, dim[(*rank)++] = l->letter[k];
    }
    return true;
}

void infer_einsum(Node *n) {
    const char *s = attr_s(n, "equation"), *arrow = s ? strstr(s, "->") : NULL;
    Labels l = {.ndots = 0};
    Dim dim[MAX_DIMS];
    if (!s || strlen(s) > 1000) {
        bad(n, "is missing or too long");
        return;
    }
    const char *stop = arrow ? arrow : s + strlen(s);
    for (int d = 0; d < MAX_RANK; d++) l.dots[d] = fixed(1);
    for (int i = 0; i < n->nin; i++) {
        const char *end = s + strcspn(s, ",-");
        if (end > stop) end = stop;
        if (!n->in[i] || (i < n->nin - 1) != (*end == ',')) {
            bad(n, "its terms are not as many as the inputs");
            return;
        }
        if (!read_term(n, i, s, end, &l)) return;
        s = end + (*end == ',');
    }
    int rank;
    if (!arrow)
        rank = implied(&l, dim);
    else if (!explicit_dims(n, &l, arrow + 2, &rank, dim))
        return;
    set_shape(n, 0, rank, dim);
}

/* ---- labels ---- */

/* The labels of a term's dims, in order; the ellipsis stands for as many as make up the rank. */
static void term_labels(const char *s, int rank, int *label) {
    int letters = 0, at = 0;
    for (const char *c = s; *c && *c != ',' && *c != '-'; c++) letters += index_of(*c) >= 0;
    for (; *s && *s != ',' && *s != '-'; s++) {
        if (index_of(*s) >= 0)
            label[at++] = index_of(*s);
        else if (*s == '.') {
            for (int d = rank - letters; d > 0; d--) label[at++] = LETTERS + d - 1;
            s += 2;
        }
    }
}

/* Without an output term: the ellipsis, then the letters used once, in order of their codes (ONNX, Einsum). */
static void implied_labels(const Node *n, int *label) {
    int uses[EINSUM_LABELS] = {0}, of[MAX_RANK], at = 0;
    for (int i = 0; i < n->nin; i++) {
        einsum_term(n, i, of);
        for (int d = 0; d < in_type(n, i)->rank; d++) uses[of[d]]++;
    }
    for (int k = EINSUM_LABELS - 1; k >= LETTERS; k--)
        if (uses[k]) label[at++] = k;
    for (int k = 0; k < LETTERS; k++)
        if (uses[k] == 1) label[at++] = k;
}

void einsum_term(const Node *n, int i, int *label) {
    const char *s = attr_s(n, "equation"), *arrow = strstr(s, "->");
    if (i == n->nin && !arrow) {
        implied_labels(n, label);
        return;
    }
    for (int k = 0; k < i && i < n->nin; k++) s += strcspn(s, ",-") + 1;
    term_labels(i == n->nin ? arrow + 2 : s, i == n->nin ? n->out[0]->type.rank : in_type(n, i)->rank, label);
}
