/* upgrade.c - old forms of operators, brought to the meaning that ops/ops.def holds; upgrades.def says which. */
#include "ir/build.h"
#include "ir/diag.h"
#include "onnx/importer.h"
#include <limits.h>
#include <math.h>

typedef struct Upgrade {
    const char *ops; /* their names; NULL: every operator */
    int below;
    void (*apply)(Form *, const struct Upgrade *);
    const char *attr;   /* the attribute it is about */
    int arg;            /* the input it is about, or the first of them */
    const char *text;   /* what it becomes, or why it is refused */
    double number;      /* a default */
    const char *domain; /* NULL: ONNX's own */
} Upgrade;

enum { EVER = INT_MAX };

/* ---- building blocks ---- */

static Value *named_const(Form *f, const char *what, Tensor *t) { return const_new(f->im->m, helper_name(f, what), t); }

Value *int_list(Form *f, const char *what, int n, const int64_t *v) {
    Tensor *t = tensor_new(f->im->m->arena, DT_i64, 1, (int64_t[]){n});
    if (n) memcpy(tensor_data(t), v, sizeof *v * (size_t)n);
    return named_const(f, what, t);
}

Value *float_list(Form *f, const char *what, int n, const double *v) {
    Tensor *t = tensor_new(f->im->m->arena, DT_f32, 1, (int64_t[]){n});
    for (int i = 0; i < n; i++) set_f(t, i, v[i]);
    return named_const(f, what, t);
}

/* A number of the type of `like`. */
static Value *scalar(Form *f, const char *what, Value *like, double v) {
    DType dtype = like ? type_of(f, like)->dtype : DT_none;
    Tensor *t = tensor_new(f->im->m->arena, dtype == DT_none || dtype == DT_str ? DT_f32 : dtype, 0, NULL);
    set_f(t, 0, v);
    return named_const(f, what, t);
}

/* The same contents in another shape; constants need no node for it. */
static Value *reshaped(Form *f, Value *v, int rank, const int64_t *dim) {
    const Tensor *t = v->data;
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= dim[i];
    if (t && t->count == count)
        return named_const(f, v->name, tensor_of(f->im->m->arena, t->dtype, rank, dim, t->data));
    return made(f, "Reshape", 2, (Value *[]){v, int_list(f, "shape", rank, dim)}, 0, NULL);
}

void form_needs(Form *f, int i, const char *what) {
    if (!f->im->m->problems.n && !f->im->m->opt->open_dims)
        refuse(f, EXIT_UNSUPPORTED, "its opset %lld form needs %s of input %d, which is not known",
               (long long)f->version, what, i);
    f->refused = true;
}

/* The rank of an input, or -1 and the node refused. */
static int rank_of(Form *f, int i) {
    int rank = i < f->nin && f->in[i] ? type_of(f, f->in[i])->rank : -1;
    if (rank < 0) form_needs(f, i, "the rank");
    return rank;
}

static int64_t int_or(Form *f, const char *name, int64_t fallback) {
    const Attr *a = form_attr(f, name);
    return a && a->kind == A_INT ? a->i : fallback;
}

static double float_or(Form *f, const char *name, double fallback) {
    const Attr *a = form_attr(f, name);
    return a && a->kind == A_FLOAT ? a->f : fallback;
}

/* The node becomes an operator over these inputs, without attributes. */
void form_becomes(Form *f, const char *op, int nin, Value *const *in) {
    f->op = op, f->nattr = 0, f->nin = 0;
    for (int i = 0; i < nin; i++) set_input(f, i, in[i]);
}

/* ---- actions that many operators share ---- */

static void drop(Form *f, const Upgrade *u) { take_attr(f, u->attr); }

static void rename_op(Form *f, const Upgrade *u) { f->op = u->text; }

static void refuse_form(Form *f, const Upgrade *u) { refuse(f, EXIT_UNSUPPORTED, "%s", u->text); }

/* An attribute of ints (or one int) that is an input nowadays. */
static void to_input(Form *f, const Upgrade *u) {
    const Attr *a = take_attr(f, u->attr);
    if (!a) return;
    if (a->kind != A_INTS && a->kind != A_INT && (a->kind != A_NONE || a->s))
        refuse(f, EXIT_INPUT, "attribute '%s': expected a list of ints", u->attr);
    else
        set_input(f, u->arg, a->kind == A_INT ? int_list(f, u->attr, 1, &a->i) : int_list(f, u->attr, a->n, a->ints));
}

static void floats_to_input(Form *f, const Upgrade *u) {
    const Attr *a = take_attr(f, u->attr);
    if (a && a->kind == A_FLOATS)
        set_input(f, u->arg, float_list(f, u->attr, a->n, a->floats));
    else if (a)
        refuse(f, EXIT_INPUT, "attribute '%s': expected a list of floats", u->attr);
}

static void int_to_scalar(Form *f, const Upgrade *u) {
    const Attr *a = take_attr(f, u->attr);
    if (a) set_input(f, u->arg, named_const(f, u->attr, tensor_of(f->im->m->arena, DT_i64, 0, NULL, &a->i)));
}

/* An attribute with one number that is a scalar input of the first input's type nowadays. */
static void scalar_to_input(Form *f, const Upgrade *u) {
    const Attr *a = take_attr(f, u->attr);
    if (a && f->nin) set_input(f, u->arg, scalar(f, u->attr, f->in[0], a->kind == A_INT ? (double)a->i : a->f));
}

static void default_int(Form *f, const Upgrade *u) {
    if (!form_attr(f, u->attr))
        give_attr(f, (Attr){.name = u->attr, .kind = A_INT, .set = true, .i = (int64_t)u->number});
}

static void default_float(Form *f, const Upgrade *u) {
    if (!form_attr(f, u->attr)) give_attr(f, (Attr){.name = u->attr, .kind = A_FLOAT, .set = true, .f = u->number});
}

static void set_text(Form *f, const Upgrade *u) {
    give_attr(f, (Attr){.name = u->attr, .kind = A_STR, .set = true, .s = u->text});
}

static void default_text(Form *f, const Upgrade *u) {
    if (!form_attr(f, u->attr)) set_text(f, u);
}

static void float_to_int(Form *f, const Upgrade *u) {
    Attr *a = form_attr(f, u->attr);
    if (a && a->kind == A_FLOAT && a->f == floor(a->f) && fabs(a->f) < 1e9) a->kind = A_INT, a->i = (int64_t)a->f;
}

/* ---- elementwise operators with the broadcast attribute ---- */

/* Before opset 7, the second input was laid along the first from `axis` on. */
static void align_second(Form *f, const Upgrade *u) {
    (void)u;
    const Attr *axis = take_attr(f, "axis"), *on = take_attr(f, "broadcast");
    if (!on || !on->i || !axis || f->nin < 2 || !f->in[1]) return;
    int ra = rank_of(f, 0), rb = rank_of(f, 1);
    if (ra < 0 || rb < 0) return;
    int64_t dim[2 * MAX_RANK], at = axis->i < 0 || axis->i > ra ? ra - rb : axis->i, after = ra - at - rb;
    if (axis->i > ra || at < 0 || after < 0) {
        refuse(f, EXIT_INPUT, "axis: expected a position of %d dims within %d, saw %lld", rb, ra, (long long)axis->i);
        return;
    }
    if (!after) return;
    const Type *b = type_of(f, f->in[1]);
    for (int i = 0; i < rb; i++) dim[i] = b->dim[i].max;
    for (int i = rb; i < rb + after; i++) dim[i] = 1;
    if (type_known(b))
        set_input(f, 1, reshaped(f, f->in[1], rb + (int)after, dim));
    else
        form_needs(f, 1, "the shape");
}

/* Before opset 7, one slope per channel. */
static void slope_per_channel(Form *f, const Upgrade *u) {
    (void)u;
    int rank = rank_of(f, 0);
    const Type *slope = rank < 0 || f->nin < 2 || !f->in[1] ? NULL : type_of(f, f->in[1]);
    if (!slope || slope->rank != 1 || slope->dim[0].max <= 1 || rank <= 2) return;
    int64_t dim[MAX_RANK] = {slope->dim[0].max};
    for (int i = 1; i < MAX_RANK; i++) dim[i] = 1;
    set_input(f, 1, reshaped(f, f->in[1], rank - 1, dim));
}

/* ---- Softmax and its kin before opset 13: rows of a matrix ---- */

static void over_rows(Form *f, const Upgrade *u) {
    (void)u;
    int64_t axis = int_or(f, "axis", 1);
    const Type *t = f->nin && f->in[0] ? type_of(f, f->in[0]) : NULL;
    const char *op = f->op;
    Attr last = {.name = "axis", .kind = A_INT, .set = true, .i = -1}, at = last;
    at.i = axis;
    if (t && t->rank >= 0 && (axis == t->rank - 1 || axis == -1)) {
        give_attr(f, last);
        return;
    }
    if (!t) return;
    Value *x = f->in[0];
    Value *flat = made(f, "Flatten", 1, &x, 1, &at);
    Value *y = made(f, op, 1, &flat, 1, &last);
    int64_t dim[MAX_RANK];
    bool fixed = type_known(t);
    for (int i = 0; i < t->rank; i++) dim[i] = t->dim[i].max, fixed = fixed && !t->dim[i].symbol;
    Value *shape = fixed ? int_list(f, "shape", t->rank, dim) : made(f, "Shape", 1, &x, 0, NULL);
    form_becomes(f, "Reshape", 2, (Value *[]){y, shape});
}

/* ---- normalisation ---- */

/* `spatial` 0 has statistics for every place, not only every channel. */
static void batch_norm(Form *f, const Upgrade *u) {
    (void)u;
    const Attr *spatial = take_attr(f, "spatial");
    if (spatial && spatial->i == 0)
        refuse(f, EXIT_UNSUPPORTED, "statistics for each spatial index (spatial = 0) are not supported");
}

/* Results that only training computes. */
static void first_results(Form *f, const Upgrade *u) {
    for (int i = u->arg; i < f->nout; i++)
        if (f->out[i]) bind_name(f->scope, f->out[i], NULL, u->text);
    if (f->nout > u->arg) f->nout = u->arg;
}

/* Before opset 21, scale and bias were one per group. */
static void per_channel(Form *f, const Upgrade *u) {
    int64_t groups = int_or(f, "num_groups", 0);
    const Type *x = f->nin == 3 && f->in[0] && f->in[u->arg] ? type_of(f, f->in[0]) : NULL;
    if (!x || x->rank < 2 || x->dim[1].max <= 0)
        form_needs(f, 0, "the channels");
    else if (groups <= 0 || x->dim[1].max % groups)
        refuse(f, EXIT_INPUT, "expected groups that divide the channels, saw %lld groups of %lld channels",
               (long long)groups, (long long)x->dim[1].max);
    if (f->refused) return;
    int64_t channels = x->dim[1].max, column[] = {groups, 1}, table[] = {groups, channels / groups};
    Value *v = reshaped(f, f->in[u->arg], 2, column);
    v = made(f, "Expand", 2, (Value *[]){v, int_list(f, "per_channel", 2, table)}, 0, NULL);
    set_input(f, u->arg, reshaped(f, v, 1, &channels));
}

/* ---- resizing ---- */

/* Upsample, and Resize of opset 10, have no region of interest: scales move to where they are now. */
static void scales_last(Form *f, const Upgrade *u) {
    (void)u;
    Value *scales = f->nin > 1 ? f->in[1] : NULL;
    f->nin = f->nin > 1 ? 1 : f->nin;
    set_input(f, 2, scales);
    Attr *mode = form_attr(f, "mode");
    if (mode && mode->kind == A_STR && (!strcmp(mode->s, "bilinear") || !strcmp(mode->s, "trilinear")))
        mode->s = "linear";
}

static void scales_of_hw(Form *f, const Upgrade *u) {
    (void)u;
    double scales[] = {1, 1, float_or(f, "height_scale", 1), float_or(f, "width_scale", 1)};
    take_attr(f, "height_scale"), take_attr(f, "width_scale");
    set_input(f, 1, float_list(f, "scales", 4, scales));
}

/* Writers pass an empty tensor for what they leave out. */
static void omit_empty(Form *f, const Upgrade *u) {
    for (int i = u->arg; i < f->nin; i++)
        if (f->in[i] && f->in[i]->kind == V_CONST && f->in[i]->data && f->in[i]->data->count == 0) f->in[i] = NULL;
}

static void grid_mode(Form *f, const Upgrade *u) {
    (void)u;
    Attr *mode = form_attr(f, "mode");
    if (!mode || mode->kind != A_STR) return;
    if (!strcmp(mode->s, "bilinear")) mode->s = "linear";
    if (!strcmp(mode->s, "bicubic")) mode->s = "cubic";
}

/* ---- single operators ---- */

static void cast_by_name(Form *f, const Upgrade *u) {
    (void)u;
    Attr *to = form_attr(f, "to");
    if (!to || to->kind != A_STR) return;
    const ProtobufCEnumValue *v =
        protobuf_c_enum_descriptor_get_value_by_name(&onnx__tensor_proto__data_type__descriptor, to->s);
    if (v)
        to->kind = A_INT, to->i = v->value;
    else
        refuse(f, EXIT_INPUT, "attribute 'to': expected a type, saw '%s'", escaped(f->im->m->arena, to->s, 40));
}

static void split_evenly(Form *f, const Upgrade *u) {
    bool given = f->nin > 1 && f->in[1];
    if (!given) give_attr(f, (Attr){.name = u->attr, .kind = A_INT, .set = true, .i = f->listed});
}

static void rename_attr(Form *f, const Upgrade *u) {
    Attr *a = form_attr(f, u->attr);
    if (a) a->name = u->text;
}

static void mean(Form *f, const Upgrade *u) {
    (void)u;
    if (!f->nin || find_op(NULL, "Mean")) return;
    Value *sum = made(f, "Sum", f->nin, f->in, 0, NULL);
    form_becomes(f, "Div", 2, (Value *[]){sum, scalar(f, "count", f->in[0], f->nin)});
}

/* ---- operators that were experimental before opset 7 or 10 ---- */

static void scale_and_shift(Form *f, const Upgrade *u) {
    (void)u;
    if (f->nin != 1 || !f->in[0]) return;
    double alpha = float_or(f, "alpha", 1), beta = float_or(f, "beta", 0);
    Value *x = f->in[0], *scale = scalar(f, "alpha", x, alpha);
    if (beta != 0) x = made(f, "Mul", 2, (Value *[]){x, scale}, 0, NULL);
    form_becomes(f, beta != 0 ? "Add" : "Mul", 2,
                 (Value *[]){x, beta != 0 ? scalar(f, "beta", f->in[0], beta) : scale});
}

static void scaled_tanh(Form *f, const Upgrade *u) {
    (void)u;
    if (f->nin != 1 || !f->in[0]) return;
    Value *x = f->in[0], *alpha = scalar(f, "alpha", x, float_or(f, "alpha", 1)),
          *beta = scalar(f, "beta", x, float_or(f, "beta", 1));
    x = made(f, "Mul", 2, (Value *[]){x, beta}, 0, NULL);
    x = made(f, "Tanh", 1, &x, 0, NULL);
    form_becomes(f, "Mul", 2, (Value *[]){x, alpha});
}

/* x * scale + bias, one bias per channel of an image. */
static void image_scaler(Form *f, const Upgrade *u) {
    (void)u;
    const Attr *bias = form_attr(f, "bias");
    if (f->nin != 1 || !f->in[0]) return;
    Value *x = f->in[0];
    double scale = float_or(f, "scale", 1);
    if (scale != 1) x = made(f, "Mul", 2, (Value *[]){x, scalar(f, "scale", x, scale)}, 0, NULL);
    int n = bias && bias->kind == A_FLOATS ? bias->n : 0;
    Value *add = n ? float_list(f, "bias", n, bias->floats) : scalar(f, "bias", x, 0);
    form_becomes(f, "Add", 2, (Value *[]){x, n ? reshaped(f, add, 3, (int64_t[]){n, 1, 1}) : add});
}

/* Takes left, top, right and bottom away from the last two dims, or what `scale` leaves from left and top on. */
static void crop(Form *f, const Upgrade *u) {
    (void)u;
    const Attr *border = form_attr(f, "border"), *size = form_attr(f, "scale");
    if (!border || border->kind != A_INTS || border->n != 4 || (size && (size->kind != A_INTS || size->n != 2))) {
        refuse(f, EXIT_INPUT, "attribute 'border' needs 4 ints, attribute 'scale' 2");
        return;
    }
    const int64_t *b = border->ints;
    for (int i = 0; i < 4; i++)
        if (b[i] < 0) refuse(f, EXIT_INPUT, "border %lld", (long long)b[i]);
    if (f->refused) return;
    int64_t axes[] = {-2, -1}, starts[] = {b[1], b[0]}, ends[] = {b[3] ? -b[3] : INT64_MAX, b[2] ? -b[2] : INT64_MAX};
    for (int i = 0; size && i < 2; i++)
        if (!add_ok(starts[i], size->ints[i], &ends[i])) ends[i] = INT64_MAX;
    Value *first = int_list(f, "starts", 2, starts), *last = int_list(f, "ends", 2, ends),
          *where = int_list(f, "axes", 2, axes);
    form_becomes(f, "Slice", 4, (Value *[]){f->nin ? f->in[0] : NULL, first, last, where});
}

/* ---- operators in the wrong domain ---- */

static void unblocked(Form *f, const Upgrade *u) {
    (void)u;
    out_of_blocks(f);
}

static void onnx_own(Form *f, const Upgrade *u) {
    (void)u;
    f->domain = "", f->version = MAX_OPSET;
}

/* tf2onnx leaves TensorFlow's operators that it does not know in ONNX's domain. */
static void say_foreign(Form *f, const char *meaning) {
    Importer *im = f->im;
    if (!im->foreign) im->foreign = map_new(im->m->arena);
    if (map_get(im->foreign, f->was)) return;
    map_set(im->foreign, f->was, im);
    warn(im->m, "%s '%s': ONNX has no such operator; taken as %s", f->was, shown(im, f->loc.name), meaning);
}

static void as_ours(Form *f, const Upgrade *u) {
    say_foreign(f, u->text);
    f->op = u->attr;
}

static void one_minus_erf(Form *f, const Upgrade *u) {
    if (f->nin != 1 || !f->in[0]) return;
    say_foreign(f, u->text);
    Value *x = f->in[0], *one = scalar(f, "one", x, 1);
    form_becomes(f, "Sub", 2, (Value *[]){one, made(f, "Erf", 1, &x, 0, NULL)});
}

/* ---- the table ---- */

static const Upgrade upgrades[] = {
#define UPGRADE(names, limit, ...) {.ops = names, .below = limit, .apply = __VA_ARGS__},
#include "onnx/upgrades.def"
#undef UPGRADE
};

/* Whether a word stands in a list with blanks in between. */
static bool is_word(const char *list, const char *word) {
    size_t n = strlen(word);
    for (const char *at = list; n && (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || !at[n])) return true;
    return false;
}

void upgrade(Form *f) {
    for (int i = 0; i < COUNT(upgrades) && !f->refused; i++) {
        const Upgrade *u = &upgrades[i];
        if (strcmp(u->domain ? u->domain : "", f->domain)) continue;
        if (f->version < u->below && (!u->ops || is_word(u->ops, f->op))) u->apply(f, u);
    }
}
