/* weights.c - constants: as exact arrays in the C, or as a file of their own that carries a checksum. */
#include "emit/emit.h"
#include "ir/build.h"
#include "ir/storage.h"
#include "render/arrays.h"
#include "render/render.h"
#include "schedule/tile.h"

enum { MAX_EMBEDDED = 256 * 1024 };

bool embedded(const Value *v) { return v->data && in_use(v) && v->plan.home == HOME_WEIGHTS; }

/* Views and aliases read bytes of a buffer, so that only buffers are stored. */
void lay_out_weights(Emit *e) {
    Module *m = e->m;
    int64_t total = 0, at = WEIGHTS_HEADER;
    for (int i = 0; i < m->outside.n; i++) {
        Value *v = m->outside.at[i];
        if (!embedded(v)) continue;
        v->emit.block_offset = at;
        total += value_bytes(v);
        at += align_up(value_bytes(v), BUFFER_ALIGN);
    }
    WeightsMode mode = m->opt->weights;
    e->weights_apart = total > 0 && (mode == W_FILE || mode == W_OBJECT || (mode == W_AUTO && total > MAX_EMBEDDED));
    e->weights_linked = e->weights_apart && mode == W_OBJECT;
    m->weights_bytes = e->weights_apart ? at : total;
}

static uint64_t checksum(const unsigned char *p, int64_t bytes) {
    uint64_t h = 14695981039346656037u, word;
    for (int64_t i = 0; i + 8 <= bytes; i += 8) {
        memcpy(&word, p + i, 8);
        h = (h ^ word) * 1099511628211u;
    }
    return h;
}

/* Layout: "NNCCWTS1", then as little-endian u64 the size of the file and the checksum of what follows the header. */
void emit_weights_file(Emit *e, Str *out) {
    Module *m = e->m;
    unsigned char *p = arena_alloc(e->arena, (size_t)m->weights_bytes + 1);
    for (int i = 0; i < m->outside.n; i++) {
        const Value *v = m->outside.at[i];
        if (!embedded(v) || !v->data->count) continue;
        write_laid_out(v, p + v->emit.block_offset);
        release_mapped(m->file, m->file_bytes, v->data->data, (size_t)type_bytes(&v->type));
    }
    uint64_t bytes = (uint64_t)m->weights_bytes, sum = checksum(p + WEIGHTS_HEADER, m->weights_bytes - WEIGHTS_HEADER);
    memcpy(p, "NNCCWTS1", 8);
    memcpy(p + 8, &bytes, 8);
    memcpy(p + 16, &sum, 8);
    e->weights_tag = sum;
    *out = (Str){.arena = e->arena, .s = (char *)p, .n = (size_t)m->weights_bytes, .cap = (size_t)m->weights_bytes + 1};
}

void emit_weights_object(Emit *e, Str *out) {
    put(out, GENERATED_BY ": the weights as an object file. Assemble beside %s.weights. */\n", e->file);
    put(out, "    .section .rodata\n    .balign %d\n    .globl %s_weights\n%s_weights:\n", BUFFER_ALIGN, e->prefix,
        e->prefix);
    put(out, "    .incbin \"%s.weights\"\n", e->file);
    put_text(out, "#if defined __linux__ && defined __ELF__\n    .section .note.GNU-stack,\"\",%progbits\n#endif\n");
}

enum { LINE = 116, MOST_IN_LINE = 32 };

const char *element_text(Arena *a, DType t, const void *at) {
    Scalar s = load_scalar(t, at);
    DType printed = t == DT_bool ? DT_u8 : t;
    if (holds_floats(t) && t != DT_f64 && t != DT_f32) /* stored as their bits */
        printed = bits_type(t), s = load_scalar(printed, at);
    return number_text(a, printed, s);
}

void put_numbers(Str *out, DType t, const void *from, int64_t count) {
    const char *at = from;
    size_t line = out->n;
    put_text(out, "    ");
    for (int64_t i = 0; i < count; i++, at += dtypes[t].bytes) {
        const char *text = element_text(out->arena, t, at);
        if (i && out->n - line + 1 + strlen(text) > LINE)
            put_text(out, "\n    "), line = out->n - 4;
        else if (i)
            put_text(out, " ");
        put(out, "%s,", text);
    }
    put_text(out, "\n");
}

/* Of arguments and variables in templates/c: a function there comes behind the arrays, and must not hide one. */
static const char in_templates[] =
    "x,x_line,line,x_row,x_tap,x_step,w_tap,w_step,y,y_row,taps,n,rows,vectors,p,q,u,v,s,f,"
    "s0,s1,s2,s3,s4,s5,f0,f1,f2,f3,f4,f5,i,add,sum,more,sums,piece";

const char *name_array(Emit *e, const Value *v) {
    const char *name = identifier(e->arena, e->taken, e->m->opt->plain_names ? NULL : v->name, "w");
    return in_list(in_templates, name) ? identifier(e->arena, e->taken, NULL, "w") : name;
}

void name_weight_arrays(Emit *e) {
    for (int i = 0; i < e->m->outside.n && !e->weights_apart; i++) {
        Value *v = e->m->outside.at[i];
        if (embedded(v)) v->emit.cname = name_array(e, v);
    }
}

static const char *laid_out(Emit *e, const Value *v) {
    if (is_dense(v)) return v->data->data;
    char *p = arena_alloc(e->arena, (size_t)value_bytes(v));
    write_laid_out(v, p);
    return p;
}

/* Elements of an array, from the first on. */
typedef struct {
    DType dtype;
    const char *at;
    int64_t left;
} Elements;

static int64_t count_of(int rank, const int64_t *extent) {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= extent[i];
    return n;
}

/* {{1, 2}, {3, 4}} */
static void put_in_line(Emit *e, Str *line, int rank, const int64_t *extent, Elements *x) {
    put_text(line, "{");
    for (int64_t i = 0; i < extent[0] && x->left; i++) {
        if (i) put_text(line, ", ");
        if (rank > 1) {
            put_in_line(e, line, rank - 1, extent + 1, x);
            continue;
        }
        put_text(line, element_text(e->arena, x->dtype, x->at));
        x->at += dtypes[x->dtype].bytes, x->left--;
    }
    put_text(line, "}");
}

static void put_row(Emit *e, int64_t extent, Elements *x) {
    int64_t n = x->left < extent ? x->left : extent;
    put_numbers(&e->c, x->dtype, x->at, n);
    x->at += n * dtypes[x->dtype].bytes, x->left -= n;
}

/* Whether an array fits into a line, which then has it. */
static bool fits_line(Emit *e, Str *line, int rank, const int64_t *extent, Elements *x) {
    Elements begin = *x;
    if (count_of(rank, extent) > MOST_IN_LINE) return false;
    put_in_line(e, line, rank, extent, x);
    if (line->n > LINE) *x = begin;
    return line->n <= LINE;
}

static void put_braces(Emit *e, const char *brace, int n) {
    while (n-- > 0) put_text(&e->c, brace);
}

/* The rows of an array of arrays, in braces, behind those that open before the first and before those that close behind
 * the last. */
static void put_rows(Emit *e, int rank, const int64_t *extent, Elements *x, int open, int close) {
    int64_t row = count_of(rank - 1, extent + 1);
    for (int64_t i = 0; i < extent[0] && x->left; i++) {
        bool last = i + 1 == extent[0] || x->left <= row;
        int opened = i ? 0 : open, closed = last ? close : 0;
        Str line = {.arena = e->arena};
        if (fits_line(e, &line, rank - 1, extent + 1, x)) {
            put_text(&e->c, "    "), put_braces(e, "{", opened);
            put_text(&e->c, line.s), put_braces(e, "}", closed);
            put_text(&e->c, ",\n");
        } else if (rank > 2) {
            put_rows(e, rank - 1, extent + 1, x, opened + 1, closed + 1);
        } else {
            put_text(&e->c, "    "), put_braces(e, "{", opened + 1), put_text(&e->c, "\n");
            put_row(e, extent[1], x);
            put_text(&e->c, "    "), put_braces(e, "}", closed + 1), put_text(&e->c, ",\n");
        }
    }
}

static void put_weight_array(Emit *e, const Value *v) {
    int64_t n = value_elements(v), extent[MAX_SUBSCRIPTS] = {n ? n : 1};
    const Array *array = map_get(e->declared, v->emit.cname);
    int rank = array ? extents_of(array, extent) : 1;
    Str extents = {.arena = e->arena};
    for (int i = 0; i < (rank ? rank : 1); i++) put(&extents, "[%lld]", (long long)extent[i]);
    const char *shape = shape_text(e->arena, &v->type);
    if (v->type.dtype == DT_f32 && value_bytes(v) >= BUFFER_ALIGN && any_tile(&e->needs))
        put_text(&e->c, "NNCC_ALIGNED ");
    put(&e->c, "static const %s %s%s = {", dtypes[v->type.dtype].c, v->emit.cname, extents.s);
    if (strcmp(shape, extents.s)) put(&e->c, " /* %s in the model */", shape);
    put_text(&e->c, "\n");
    Elements all = {v->type.dtype, n ? laid_out(e, v) : NULL, n};
    if (!n)
        put_text(&e->c, "    0\n");
    else if (rank > 1)
        put_rows(e, rank, extent, &all, 0, 0);
    else
        put_row(e, n, &all);
    put_text(&e->c, "};\n");
}

void emit_weight_arrays(Emit *e) {
    Module *m = e->m;
    for (int i = 0; i < m->outside.n && !e->weights_apart; i++) {
        Value *v = m->outside.at[i];
        if (!embedded(v)) continue;
        put_weight_array(e, v);
    }
    if (m->weights_bytes && !e->weights_apart) put_text(&e->c, "\n");
}
