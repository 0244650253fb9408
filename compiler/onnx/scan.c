/* scan.c - the wire format of a model, checked before protobuf-c sees it.
 *
 * protobuf-c recurses without a limit and copies every byte of a tensor. The scan walks the file with a stack of its
 * own, checks depth, lengths, wire types and the memory that unpacking would take, and writes a skeleton: the same
 * model, its lists packed, without what nncc does not read and without the contents of tensors, in whose place stands
 * where they lie in the file. */
#include "onnx/importer.h"
#include "onnx/onnx.h"

enum { MAX_DEPTH = 64, MAX_TEXT = 1 << 16, MAX_FIELD = (1 << 29) - 1, FIELD_COST = 80, LENGTH_BYTES = 5, ERROR = 200 };
enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

/* An open message: its type, its end in the file, where its length belongs in the skeleton, and the last run of
 * contents cut from it, or of elements packed: of which field, where it ends in the file, and where the skeleton has
 * the note of it or its length. */
typedef struct {
    const ProtobufCMessageDescriptor *type;
    size_t end, length_at;
    uint64_t run;
    size_t run_end, run_at;
} Frame;

typedef struct {
    const uint8_t *in;
    size_t at;
    uint8_t *out; /* NULL: only count */
    size_t written;
    uint64_t cost, most;
    Frame stack[MAX_DEPTH];
    int depth;
    char *error;
} Scan;

/* A field in the file: its tag begins at `start`, what follows the tag at `value`, what follows a length at `body`. */
typedef struct {
    size_t start, value, body, end;
    uint64_t number;
    int wire;
} Field;

/* Fields that are left out: prose, hints, and what serves other machines or training. Of what parts of a file say about
 * themselves only the model's is kept. */
static const char *const skipped[] = {
    "doc_string",    "metadata_props", "quantization_annotation", "training_info",
    "configuration", "value_info",     "device_configurations",
};

/* Those of them that an older onnx-ml.proto does not know by name. */
static const struct {
    const char *message;
    unsigned number;
} skipped_newer[] = {
    {"ValueInfoProto", 4}, {"NodeProto", 9},    {"NodeProto", 10},     {"ModelProto", 26},
    {"GraphProto", 16},    {"TensorProto", 16}, {"FunctionProto", 12}, {"FunctionProto", 14},
};

static const char *const contents[] = {
    "float_data", "int32_data", "string_data", "int64_data", "raw_data", "double_data", "uint64_data",
};

static bool is_in(const char *name, int n, const char *const *list) {
    for (int i = 0; i < n; i++)
        if (!strcmp(name, list[i])) return true;
    return false;
}

static bool is_skipped(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field, uint64_t number) {
    if (field && !strcmp(field->name, "metadata_props") && !strcmp(type->short_name, "ModelProto")) return false;
    if (field) return is_in(field->name, COUNT(skipped), skipped);
    for (int i = 0; i < COUNT(skipped_newer); i++)
        if (skipped_newer[i].number == number && !strcmp(skipped_newer[i].message, type->short_name)) return true;
    return false;
}

static bool fail(Scan *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Records where and what is wrong; always false. */
static bool fail(Scan *s, const char *fmt, ...) {
    int n = snprintf(s->error, ERROR, "byte %zu: ", s->at);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->error + n, (size_t)(ERROR - n), fmt, ap);
    va_end(ap);
    return false;
}

static bool pay(Scan *s, uint64_t bytes) {
    s->cost += bytes;
    return s->cost <= s->most || fail(s, "the model would take more than %zu MB to unpack", (size_t)(s->most >> 20));
}

bool read_varint(const uint8_t *in, size_t *at, size_t end, uint64_t *value) {
    *value = 0;
    for (int i = 0; i < 10 && *at < end; i++) {
        uint8_t byte = in[(*at)++];
        *value |= (uint64_t)(byte & 127) << 7 * i;
        if (byte < 128) return i < 9 || byte < 2;
    }
    return false;
}

/* Reads tag and length of the next field and checks that it lies within its message. */
static bool read_field(Scan *s, size_t end, Field *f) {
    uint64_t tag, size = 0;
    f->start = s->at;
    if (!read_varint(s->in, &s->at, end, &tag)) return fail(s, "the tag of a field is cut off or too long");
    f->number = tag >> 3, f->wire = (int)(tag & 7), f->value = s->at;
    if (f->number == 0 || f->number > MAX_FIELD)
        return fail(s, "there is no field with the number %llu", (unsigned long long)f->number);
    if ((f->wire == VARINT || f->wire == LENGTH) && !read_varint(s->in, &s->at, end, &size))
        return fail(s, "a number is cut off or too long");
    f->body = s->at;
    switch (f->wire) {
    case VARINT: size = 0; break;
    case FIXED64: size = 8; break;
    case FIXED32: size = 4; break;
    case LENGTH: break;
    default: return fail(s, "wire type %d (a group) is not used in ONNX", f->wire);
    }
    if (size > end - s->at)
        return fail(s, "expected a field of at most %zu bytes, saw %llu", end - s->at, (unsigned long long)size);
    f->end = s->at + (size_t)size;
    return true;
}

static int wire_of(ProtobufCType t) {
    switch (t) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return LENGTH;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32: return FIXED32;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64: return FIXED64;
    default: return VARINT;
    }
}

static void write_bytes(Scan *s, const void *p, size_t n) {
    if (s->out && n) memcpy(s->out + s->written, p, n);
    s->written += n;
}

static void put_varint(Scan *s, uint64_t value) {
    for (; value > 127; value >>= 7) write_bytes(s, &(uint8_t){(uint8_t)((value & 127) | 128)}, 1);
    write_bytes(s, &(uint8_t){(uint8_t)value}, 1);
}

/* A varint of a fixed number of bytes, so that a length can be filled in once it is known. */
static void put_length(uint8_t *at, size_t length) {
    for (int i = 0; i < LENGTH_BYTES; i++, length >>= 7)
        at[i] = (uint8_t)((length & 127) | (i + 1 < LENGTH_BYTES ? 128 : 0));
}

static bool open_message(Scan *s, const Field *f, const ProtobufCMessageDescriptor *type) {
    static const uint8_t room[LENGTH_BYTES];
    if (s->depth == MAX_DEPTH) return fail(s, "messages are nested more than %d deep", MAX_DEPTH);
    write_bytes(s, s->in + f->start, f->value - f->start);
    s->stack[s->depth++] = (Frame){.type = type, .end = f->end, .length_at = s->written};
    write_bytes(s, room, LENGTH_BYTES);
    s->at = f->body;
    return pay(s, type->sizeof_message);
}

static bool close_message(Scan *s) {
    const Frame *frame = &s->stack[--s->depth];
    if (!s->depth) return true; /* the model itself has no length */
    size_t length = s->written - frame->length_at - LENGTH_BYTES;
    if (length > INT32_MAX) return fail(s, "a %s of 2 GB or more", frame->type->short_name);
    if (s->out) put_length(s->out + frame->length_at, length);
    return true;
}

/* Notes where contents of a tensor lie instead of copying them. Fields that follow one another, as the elements of a
 * list may, are noted as one. The note travels in string_data, a repeated field of bytes. */
static bool note_contents(Scan *s, Frame *frame, const Field *f) {
    static const uint8_t head[2] = {6 << 3 | LENGTH, sizeof(Contents)};
    bool more = frame->run == f->number && frame->run_end == f->start;
    if (!more) {
        frame->run = f->number;
        write_bytes(s, head, sizeof head);
        frame->run_at = s->written;
        write_bytes(s, &(Contents){f->start, 0}, sizeof(Contents));
    }
    frame->run_end = s->at = f->end;
    Contents note;
    if (s->out) {
        memcpy(&note, s->out + frame->run_at, sizeof note);
        note.length = f->end - note.start;
        memcpy(s->out + frame->run_at, &note, sizeof note);
    }
    return more || pay(s, FIELD_COST + sizeof note);
}

/* Elements that follow one another, each a field of its own, become one packed field: protobuf-c would note where each
 * of them lies, which takes ten times their room. */
static bool pack_element(Scan *s, Frame *frame, const Field *f) {
    static const uint8_t room[LENGTH_BYTES];
    bool more = frame->run == f->number && frame->run_end == f->start;
    if (!more) {
        put_varint(s, f->number << 3 | LENGTH);
        frame->run = f->number, frame->run_at = s->written;
        write_bytes(s, room, LENGTH_BYTES);
    }
    write_bytes(s, s->in + f->value, f->end - f->value);
    frame->run_end = s->at = f->end;
    if (s->out) put_length(s->out + frame->run_at, s->written - frame->run_at - LENGTH_BYTES);
    return pay(s, more ? sizeof(int64_t) : FIELD_COST);
}

/* Copies a field that holds no message. Elements of a packed list may take eight times the room once unpacked. */
static bool copy_field(Scan *s, const Field *f, const ProtobufCFieldDescriptor *known) {
    size_t size = f->end - f->body;
    if (known->type == PROTOBUF_C_TYPE_STRING && size > MAX_TEXT)
        return fail(s, "a %s of %zu bytes; nncc reads names up to %d", known->name, size, MAX_TEXT);
    if (known->type == PROTOBUF_C_TYPE_STRING && memchr(s->in + f->body, 0, size))
        return fail(s, "a %s with a zero byte in it", known->name);
    bool packed = f->wire == LENGTH && wire_of(known->type) != LENGTH;
    write_bytes(s, s->in + f->start, f->end - f->start);
    s->at = f->end;
    return pay(s, FIELD_COST + (packed ? 8 * (uint64_t)size : size + 16));
}

/* Facts that other programs note about a model are read as far as they are texts. */
static bool is_odd_fact(const Scan *s, const Frame *frame, const Field *f) {
    size_t size = f->end - f->body;
    return frame->type == &onnx__string_string_entry_proto__descriptor &&
           (f->wire != LENGTH || size > MAX_TEXT || memchr(s->in + f->body, 0, size));
}

static bool unknown_field(Scan *s, const Frame *frame, const Field *f) {
    return fail(s,
                "field %llu of %s is not in the onnx-ml.proto that nncc was built with; "
                "build it with -DNNCC_ONNX_PROTO=FILE naming a newer one",
                (unsigned long long)f->number, frame->type->short_name);
}

static bool scan_field(Scan *s, Frame *frame) {
    Field f = {0};
    if (!read_field(s, frame->end, &f)) return false;
    const ProtobufCFieldDescriptor *known = protobuf_c_message_descriptor_get_field(frame->type, (unsigned)f.number);
    if (is_skipped(frame->type, known, f.number) || is_odd_fact(s, frame, &f)) {
        s->at = f.end;
        return true;
    }
    if (!known) return unknown_field(s, frame, &f);
    bool list = known->label == PROTOBUF_C_LABEL_REPEATED;
    if (f.wire != wire_of(known->type) && !(list && f.wire == LENGTH))
        return fail(s, "%s of %s: expected wire type %d, saw %d", known->name, frame->type->short_name,
                    wire_of(known->type), f.wire);
    if (frame->type == &onnx__tensor_proto__descriptor && is_in(known->name, COUNT(contents), contents))
        return note_contents(s, frame, &f);
    if (known->type == PROTOBUF_C_TYPE_MESSAGE) return open_message(s, &f, known->descriptor) && pay(s, FIELD_COST);
    return list && f.wire != LENGTH ? pack_element(s, frame, &f) : copy_field(s, &f, known);
}

bool scan_message(const ProtobufCMessageDescriptor *type, const void *bytes, size_t n, uint8_t *skeleton, size_t *size,
                  char error[ERROR]) {
    Scan s = {.in = bytes, .out = skeleton, .error = error, .depth = 1, .most = (64u << 20) + 16 * (uint64_t)n};
    s.stack[0] = (Frame){.type = type, .end = n};
    while (s.depth) {
        Frame *frame = &s.stack[s.depth - 1];
        if (s.at < frame->end ? !scan_field(&s, frame) : !close_message(&s)) return false;
    }
    *size = s.written;
    return true;
}

bool onnx_scan(const void *bytes, size_t n, char error[ERROR]) {
    size_t size;
    return scan_message(&onnx__model_proto__descriptor, bytes, n, NULL, &size, error);
}
