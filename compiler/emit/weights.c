/* weights.c - constants: as exact arrays in the C, or as a file of their own that carries a checksum. */
#include "emit/emit.h"
#include "ir/build.h"
#include "ir/storage.h"
#include "render/render.h"

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

const char *element_text(Arena *a, DType t, const void *at) {
    Scalar s = load_scalar(t, at);
    DType printed = t == DT_bool ? DT_u8 : t;
    if (t == DT_f16 || t == DT_bf16) { /* stored as their bits */
        uint16_t bits;
        memcpy(&bits, at, 2);
        s.u = bits, printed = DT_u16;
    }
    return number_text(a, printed, s);
}

void put_numbers(Str *out, DType t, const void *from, int64_t count) {
    const char *at = from;
    size_t line = out->n;
    put_text(out, "    ");
    for (int64_t i = 0; i < count; i++, at += dtypes[t].bytes) {
        const char *text = element_text(out->arena, t, at);
        if (out->n - line + strlen(text) > 116) put_text(out, "\n    "), line = out->n - 4;
        put(out, "%s,%s", text, i + 1 < count ? " " : "");
    }
    put_text(out, "\n");
}

void name_weight_arrays(Emit *e) {
    for (int i = 0; i < e->m->outside.n && !e->weights_apart; i++) {
        Value *v = e->m->outside.at[i];
        if (embedded(v)) v->emit.cname = identifier(e->arena, e->taken, e->m->opt->plain_names ? NULL : v->name, "w");
    }
}

static const char *laid_out(Emit *e, const Value *v) {
    if (is_dense(v)) return v->data->data;
    char *p = arena_alloc(e->arena, (size_t)value_bytes(v));
    write_laid_out(v, p);
    return p;
}

void emit_weight_arrays(Emit *e) {
    Module *m = e->m;
    for (int i = 0; i < m->outside.n && !e->weights_apart; i++) {
        Value *v = m->outside.at[i];
        if (!embedded(v)) continue;
        int64_t n = value_elements(v);
        put(&e->c, "static const %s %s[%lld] = { /* %s */\n", dtypes[v->type.dtype].c, v->emit.cname,
            (long long)(n ? n : 1), shape_text(e->arena, &v->type));
        if (n)
            put_numbers(&e->c, v->type.dtype, laid_out(e, v), n);
        else
            put_text(&e->c, "    0\n");
        put_text(&e->c, "};\n");
    }
    if (m->weights_bytes && !e->weights_apart) put_text(&e->c, "\n");
}
