/* picture.c - PGM and PPM pictures (P5, P6) as tensors of values 0 to 255.
 *
 * A picture of height H, width W and C channels (1 or 3) is read as whatever shape the model wants, once dims of 1 are
 * left out: [C,H,W], [H,W,C], [H,W], or flat in the picture's own order. A grey picture also serves where three
 * channels are expected. Samples of a maximum other than 255 are scaled to 0..255. Written values are rounded and
 * clamped to 0..255. */
#include "io/io.h"
#include <math.h>

typedef struct {
    int64_t h, w, c, max;
    const unsigned char *at;
    size_t n;
} Picture;

static bool is_blank(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* The next number of the header, comments skipped; -1 if there is none below 2^24. */
static int64_t header_number(Picture *p) {
    int64_t v = -1;
    while (p->n && (is_blank(*p->at) || *p->at == '#')) {
        if (*p->at == '#')
            while (p->n > 1 && *p->at != '\n') p->at++, p->n--;
        p->at++, p->n--;
    }
    for (; p->n && *p->at >= '0' && *p->at <= '9' && v < 1 << 20; p->at++, p->n--)
        v = (v < 0 ? 0 : v) * 10 + *p->at - '0';
    return v;
}

static bool open_picture(Picture *p, const unsigned char *s, size_t n) {
    if (n < 3 || s[0] != 'P' || (s[1] != '5' && s[1] != '6')) return false;
    *p = (Picture){.c = s[1] == '5' ? 1 : 3, .at = s + 2, .n = n - 2};
    p->w = header_number(p), p->h = header_number(p), p->max = header_number(p);
    if (p->w < 1 || p->h < 1 || p->max < 1 || p->max > 65535 || p->n < 1) return false;
    p->at++, p->n--;
    return (uint64_t)p->w * (uint64_t)p->h <= p->n / (size_t)(p->max > 255 ? 2 * p->c : p->c);
}

static double sample(const Picture *p, int64_t y, int64_t x, int64_t c) {
    int64_t i = (y * p->w + x) * p->c + (p->c == 1 ? 0 : c);
    double v = p->max > 255 ? p->at[2 * i] * 256 + p->at[2 * i + 1] : p->at[i];
    return p->max == 255 ? v : v * 255 / (double)p->max;
}

/* How a shape arranges a picture: the channels it has, and whether they come first. */
typedef struct {
    int64_t h, w, c;
    bool first;
} Layout;

/* The ways to see a picture in a shape, once leading ones are left out: channels last, channels first, none. Several
 * may hold: [1,3,1] is one row or one column; the first that fits counts. */
enum { LAYOUTS = 3 };

static bool layout_of(int rank, const int64_t *dim, int way, Layout *l) {
    while (rank > 3 && dim[0] == 1) rank--, dim++;
    if (way == 0 && rank == 3)
        *l = (Layout){dim[0], dim[1], dim[2], false};
    else if (way == 1 && rank == 3)
        *l = (Layout){dim[1], dim[2], dim[0], true};
    else if (way == 2 && rank == 2)
        *l = (Layout){dim[0], dim[1], 1, false};
    else
        return false;
    return l->c == 1 || l->c == 3;
}

static bool fits(const Picture *p, const Type *want, Layout *l) {
    int64_t dim[MAX_RANK];
    for (int i = 0; i < want->rank; i++) dim[i] = want->dim[i].max;
    for (int way = 0; way < LAYOUTS; way++)
        if (layout_of(want->rank, dim, way, l) && l->h == p->h && l->w == p->w && (l->c == p->c || p->c == 1))
            return true;
    *l = (Layout){p->h, p->w, p->c, false};
    return type_count(want) == p->h * p->w * p->c &&
           (want->rank < 2 || want->dim[want->rank - 1].max == p->h * p->w * p->c);
}

Tensor *read_picture(Arena *a, const void *bytes, size_t n, const Type *want, const char **name, char error[IO_ERROR]) {
    Picture p;
    Layout l;
    int64_t dim[MAX_RANK];
    if (name) *name = NULL;
    if (!open_picture(&p, bytes, n)) return io_error(error, "it is not a complete binary PGM or PPM picture (P5, P6)");
    int64_t own[] = {p.h, p.w, p.c};
    Type natural = type_make(DT_u8, 3, own);
    if (!want) want = &natural;
    if (!type_known(want) || want->dtype == DT_str || !fits(&p, want, &l))
        return io_error(error, "it is %lld wide, %lld high with %lld channel%s, which does not fit %s", (long long)p.w,
                        (long long)p.h, (long long)p.c, p.c == 1 ? "" : "s", type_text(a, want));
    for (int i = 0; i < want->rank; i++) dim[i] = want->dim[i].max;
    Tensor *t = tensor_new(a, want->dtype, want->rank, dim);
    for (int64_t y = 0; y < l.h; y++)
        for (int64_t x = 0; x < l.w; x++)
            for (int64_t c = 0; c < l.c; c++)
                set_f(t, l.first ? (c * l.h + y) * l.w + x : (y * l.w + x) * l.c + c, sample(&p, y, x, c));
    return t;
}

bool put_picture(Str *out, const Tensor *t, char error[IO_ERROR]) {
    Layout l;
    int way = 0;
    while (way < LAYOUTS && !layout_of(t->rank, t->dim, way, &l)) way++;
    if (way == LAYOUTS)
        return io_error(error, "a picture needs the shape [1,H,W], [3,H,W], [H,W,1], [H,W,3] or [H,W]"), false;
    put(out, "P%c\n%lld %lld\n255\n", l.c == 1 ? '5' : '6', (long long)l.w, (long long)l.h);
    for (int64_t y = 0; y < l.h; y++)
        for (int64_t x = 0; x < l.w; x++)
            for (int64_t c = 0; c < l.c; c++) {
                double v = rint(get_f(t, l.first ? (c * l.h + y) * l.w + x : (y * l.w + x) * l.c + c));
                unsigned char byte = (unsigned char)(v > 255 ? 255 : v > 0 ? v : 0);
                put_bytes(out, &byte, 1);
            }
    return true;
}
