/* dataset.c - the data that a network is run on: test_data_set_* directories in ONNX's layout, or random numbers. */
#include "harness/harness.h"
#include "io/io.h"
#include "ir/build.h"
#include "ir/symbols.h"
#include "loop/loop.h"
#include "strings/strings.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>

static const char set_prefix[] = "test_data_set_";

static Type copy_type(Arena *a, Type t) {
    for (int i = 0; i < t.rank; i++) t.dim[i].symbol = copy_symbol(a, t.dim[i].symbol);
    return t;
}

static Port port_of(Arena *a, const Value *v) {
    Port p = {.name = arena_str(a, port_name(v)), .type = copy_type(a, v->packed ? *v->packed : v->type)};
    if (!v->def) return p;
    p.node = arena_str(a, node_text(v->def->graph->module->arena, v->def));
    p.from = NEW_ARRAY(a, const char *, v->def->nin);
    for (int i = 0; i < v->def->nin; i++)
        if (v->def->in[i]) p.from[p.nfrom++] = arena_str(a, v->def->in[i]->name);
    return p;
}

/* Of numbers that become extents a call takes those in range alone. */
static void find_limits(Port *p, const Value *v) {
    const Module *m = v->graph->module;
    p->least = 0, p->most = 7;
    for (const Node *n = m->main->first; n; n = n->next) {
        if (!IS(n, Extent) || resolve(n->in[0]) != v) continue;
        if (attr_i(n, "least") > p->least) p->least = attr_i(n, "least");
        if (attr_i(n, "most") < p->most) p->most = attr_i(n, "most");
    }
}

Interface interface_of(Arena *a, const Module *m) {
    Interface f = {.nin = m->main->nin, .nout = m->main->nout};
    f.in = NEW_ARRAY(a, Port, f.nin), f.out = NEW_ARRAY(a, Port, f.nout);
    for (int i = 0; i < f.nin; i++) {
        f.in[i] = port_of(a, m->main->in[i]);
        f.in[i].width = width_of_strings(m, m->main->in[i]);
        find_limits(&f.in[i], m->main->in[i]);
    }
    for (int i = 0; i < f.nout; i++) {
        f.out[i] = port_of(a, m->main->out[i]);
        f.out[i].extent = extent_output(m, i, &f.out[i].axes);
        f.out[i].offset = offset_output(m, i);
    }
    return f;
}

/* DIR/KIND_K.pb or .npy; NULL if there is neither. */
static const char *tensor_path(Arena *a, const char *dir, const char *kind, int k) {
    static const char *const endings[] = {"pb", "npy"};
    for (int i = 0; i < COUNT(endings); i++) {
        char *path = format(a, "%s/%s_%d.%s", dir, kind, k, endings[i]);
        FILE *f = fopen(path, "rb");
        if (f) return fclose(f), path;
    }
    return NULL;
}

/* What a set has of inputs or outputs; the tensors of a sequence follow each other. */
typedef struct {
    List tensors, names, from; /* Tensor *, const char *, FilePart * */
} Held;

static void hold(Arena *a, Held *h, Tensor *t, const char *name, FilePart from) {
    push(a, &h->tensors, t);
    push(a, &h->names, (void *)(uintptr_t)name);
    push(a, &h->from, arena_copy(a, &from, sizeof from));
}

static bool load_file(Arena *a, Held *h, const char *path, int k, char error[IO_ERROR]) {
    const char *name = NULL;
    List items = {0};
    bool list;
    if (!read_list(a, path, &items, &list, error)) return false;
    for (int i = 0; i < items.n; i++) hold(a, h, items.at[i], NULL, (FilePart){k, i});
    Tensor *t = list ? NULL : read_named_tensor(a, path, NULL, &name, error);
    if (t) hold(a, h, t, name, (FilePart){k, -1});
    return list || t;
}

/* Reads KIND_0, KIND_1 and so on until one is missing. */
static bool load_tensors(Arena *a, const char *dir, const char *kind, Held *h, FILE *err) {
    const char *path;
    char error[IO_ERROR];
    for (int k = 0; (path = tensor_path(a, dir, kind, k)); k++)
        if (!load_file(a, h, path, k, error))
            return fprintf(err, "nncc: %s: %s\n", escaped(a, path, 200), error), false;
    return true;
}

static const FilePart *places(Arena *a, const Held *h) {
    FilePart *from = NEW_ARRAY(a, FilePart, h->from.n + 1);
    for (int i = 0; i < h->from.n; i++) from[i] = *(const FilePart *)h->from.at[i];
    return from;
}

static bool load_set(Arena *a, const char *dir, const char *label, List *sets, FILE *err) {
    Held in = {{0}}, out = {{0}};
    if (!load_tensors(a, dir, "input", &in, err) || !load_tensors(a, dir, "output", &out, err)) return false;
    DataSet *s = NEW(a, DataSet);
    *s = (DataSet){.label = arena_str(a, label), .nin = in.tensors.n, .nout = out.tensors.n};
    s->in = (Tensor **)in.tensors.at, s->out = (Tensor **)out.tensors.at;
    s->in_name = (const char **)in.names.at, s->out_name = (const char **)out.names.at;
    s->in_from = places(a, &in), s->out_from = places(a, &out);
    push(a, sets, s);
    return true;
}

static int by_number(const void *a, const void *b) {
    const char *s = *(const char *const *)a, *t = *(const char *const *)b;
    long i = atol(s + sizeof set_prefix - 1), j = atol(t + sizeof set_prefix - 1);
    return i != j ? (i > j) - (i < j) : strcmp(s, t);
}

bool load_sets(Arena *a, const char *dir, List *sets, FILE *err) {
    const char *slash = strrchr(dir, '/');
    List names = {0};
    if (tensor_path(a, dir, "output", 0)) return load_set(a, dir, slash && slash[1] ? slash + 1 : dir, sets, err);
    DIR *d = opendir(dir);
    if (!d) return fprintf(err, "nncc: cannot read '%s': %s\n", escaped(a, dir, 200), strerror(errno)), false;
    for (struct dirent *e; (e = readdir(d));)
        if (!strncmp(e->d_name, set_prefix, sizeof set_prefix - 1)) push(a, &names, arena_str(a, e->d_name));
    closedir(d);
    if (!names.n)
        return fprintf(err, "nncc: '%s' holds no test_data_set_* with an output_0.pb\n", escaped(a, dir, 200)), false;
    qsort(names.at, (size_t)names.n, sizeof *names.at, by_number);
    for (int i = 0; i < names.n; i++)
        if (!load_set(a, format(a, "%s/%s", dir, (char *)names.at[i]), names.at[i], sets, err)) return false;
    return true;
}

static int port_index(const char *name, int n, const Port *ports) {
    for (int i = 0; name && i < n; i++)
        if (!strcmp(ports[i].name, name)) return i;
    return -1;
}

/* Names from the files count only if each is a port's and no two are the same; else the order does. */
static bool names_fit(int n, const char **names, int nports, const Port *ports) {
    for (int i = 0; i < n; i++) {
        if (port_index(names[i], nports, ports) < 0) return false;
        for (int j = 0; j < i; j++)
            if (!strcmp(names[i], names[j])) return false;
    }
    return true;
}

static bool has_list(int n, const FilePart *from) {
    bool list = false;
    for (int i = 0; i < n && from; i++) list |= from[i].part >= 0;
    return list;
}

/* A sequence's tensors are called as the network's ports for them are. */
static bool name_tensors(Arena *a, const DataSet *s, const char *kind, int n, const char **names, const FilePart *from,
                         int nports, const Port *ports, FILE *err) {
    int files = n && from ? from[n - 1].file + 1 : n;
    if (files > nports) {
        fprintf(err, "nncc: %s has %d %ss, the model %d\n", escaped(a, s->label, 60), files, kind, nports);
        return false;
    }
    if (!has_list(n, from) && names_fit(n, names, nports, ports)) return true;
    for (int i = 0; i < n; i++) {
        const char *port = ports[from ? from[i].file : i].name;
        names[i] = !from || from[i].part < 0 ? port : format(a, "%s_%d", port, from[i].part);
    }
    return true;
}

static int kept_ports(int n, const char **names, Tensor **t, int nports, const Port *ports) {
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (port_index(names[i], nports, ports) >= 0) names[kept] = names[i], t[kept++] = t[i];
    return kept;
}

bool keep_ports(Arena *a, DataSet *s, const Interface *api, FILE *err) {
    s->nin = kept_ports(s->nin, s->in_name, s->in, api->nin, api->in);
    s->nout = kept_ports(s->nout, s->out_name, s->out, api->nout, api->out);
    if (!s->nout) fprintf(err, "nncc: %s names none of the outputs that --outputs does\n", escaped(a, s->label, 60));
    return s->nout > 0;
}

bool name_set(Arena *a, DataSet *s, const Interface *api, FILE *err) {
    bool named = names_fit(s->nout, s->out_name, api->nout, api->out) && !has_list(s->nout, s->out_from);
    if (!name_tensors(a, s, "input", s->nin, s->in_name, s->in_from, api->nin, api->in, err) ||
        !name_tensors(a, s, "output", s->nout, s->out_name, s->out_from, api->nout, api->out, err))
        return false;
    s->out_at = NEW_ARRAY(a, int, s->nout); /* one value may be several outputs: then only the order tells them apart */
    for (int i = 0; i < s->nout; i++) s->out_at[i] = named ? port_index(s->out_name[i], api->nout, api->out) : i;
    return true;
}

/* The tensors of a sequence as rows of one; NULL if they are not of one type. */
static Tensor *rows_of(Arena *a, int n, Tensor **t) {
    int64_t dim[MAX_RANK] = {n};
    if (t[0]->rank == MAX_RANK || t[0]->dtype == DT_str) return NULL;
    memcpy(dim + 1, t[0]->dim, sizeof *dim * (size_t)t[0]->rank);
    Tensor *rows = tensor_new(a, t[0]->dtype, t[0]->rank + 1, dim);
    const size_t each = (size_t)t[0]->count * (size_t)dtypes[t[0]->dtype].bytes;
    for (int i = 0; i < n; i++) {
        if (t[i]->dtype != t[0]->dtype || t[i]->rank != t[0]->rank ||
            memcmp(t[i]->dim, t[0]->dim, sizeof *dim * (size_t)t[0]->rank))
            return NULL;
        if (each) memcpy((char *)tensor_data(rows) + each * (size_t)i, t[i]->data, each);
    }
    return rows;
}

bool place_outputs(Arena *a, DataSet *s, const Interface *model, const Interface *program, FILE *err) {
    int n = 0, count;
    const bool lists =
        has_list(s->nout, s->out_from) || (s->nout && s->out_from[s->nout - 1].file + 1 != s->nout); /* empty ones */
    for (int i = 0; i < s->nout; i += count, n++) {
        const FilePart *from = s->out_from + i;
        int whole = from->part >= 0 ? port_index(model->out[from->file].name, program->nout, program->out) : -1;
        for (count = 1; whole >= 0 && i + count < s->nout && from[count].file == from->file;) count++;
        Tensor *rows = whole >= 0 ? rows_of(a, count, s->out + i) : NULL;
        if (whole >= 0 && !rows) count = 1;
        s->out[n] = rows ? rows : s->out[i], s->out_name[n] = rows ? program->out[whole].name : s->out_name[i];
        int at = lists ? port_index(s->out_name[n], program->nout, program->out) : s->out_at[i];
        s->out_at[n] = at;
        if (at >= 0 && at < program->nout) continue;
        fprintf(err, "nncc: %s: the network has no output '%s'\n", escaped(a, s->label, 60),
                escaped(a, s->out_name[n], 60));
        return false;
    }
    s->nout = n, s->out_from = NULL;
    return true;
}

/* The name by which --dim binds it; NULL: none. */
static const char *dim_called(Dim d) { return d.symbol && d.symbol->names == 1 ? d.symbol->name[0]->text : NULL; }

static const DimBinding *binding_called(const Options *opt, const char *name) {
    for (int i = 0; i < opt->dims.n; i++)
        if (!strcmp(((DimBinding *)opt->dims.at[i])->name, name)) return opt->dims.at[i];
    return NULL;
}

/* What --dim says of a dim: by its name, by a place where it lies, or of all. */
static const DimBinding *find_binding(Arena *a, const Options *opt, const Interface *api, const char *name) {
    const DimBinding *d = binding_called(opt, name);
    for (int k = 0; k < api->nin && !d; k++)
        for (int i = 0; i < api->in[k].type.rank && !d; i++) {
            const char *here = dim_called(api->in[k].type.dim[i]);
            if (here && !strcmp(here, name)) d = binding_called(opt, dim_place(a, api->in[k].name, i));
        }
    return d ? d : binding_called(opt, ANY_DIM);
}

static bool bind_dim(Arena *a, Options *opt, const Interface *api, const Port *port, const char *name, int64_t extent,
                     FILE *err) {
    const DimBinding *old = find_binding(a, opt, api, name);
    if (old && extent >= old->min && extent <= old->max) return true;
    if (old) {
        fprintf(err, "nncc: input '%s': dim '%s' is %lld in the data, but %lld elsewhere\n", escaped(a, port->name, 60),
                escaped(a, name, 60), (long long)extent, (long long)old->max);
        return false;
    }
    DimBinding *d = NEW(a, DimBinding);
    d->name = name, d->min = d->max = extent;
    push(a, &opt->dims, d);
    return true;
}

static bool is_given(const List *pairs, const char *name) {
    for (int i = 0; i < pairs->n; i++)
        if (!strcmp(((Rename *)pairs->at[i])->from, name)) return true;
    return false;
}

/* How many tensors the data has of each input that is a sequence, which has no type before that is known. */
static void bind_lists(Arena *a, Options *opt, const Interface *api, const DataSet *s) {
    for (int k = 0; k < api->nin && s->in_from; k++) {
        int count = 0;
        Rename *r = NEW(a, Rename);
        if (api->in[k].type.dtype != DT_none || is_given(&opt->consts, api->in[k].name) ||
            is_given(&opt->bounds, api->in[k].name))
            continue;
        for (int i = 0; i < s->nin; i++) count += s->in_from[i].file == k;
        *r = (Rename){.from = api->in[k].name, .to = format(a, "%d", count)};
        push(a, &opt->bounds, r);
    }
}

/* What an extent of the data makes of the dim that the model's follows from; the model's other dims are checked later.
 */
static bool bind_to(Arena *a, Options *opt, const Interface *api, const Port *port, const Symbol *s, int64_t extent,
                    FILE *err) {
    if (!s || s->names != 1) return true;
    int64_t value = s->kind == SYMBOL_NAME ? extent : solve_symbol(s, s->name[0], extent);
    return value < 0 || bind_dim(a, opt, api, port, s->name[0]->text, value, err);
}

bool bind_dims(Arena *a, Options *opt, const Interface *api, const DataSet *s, FILE *err) {
    bind_lists(a, opt, api, s);
    for (int k = 0; k < s->nin; k++) {
        int at = port_index(s->in_name[k], api->nin, api->in);
        const Port *p = &api->in[at < 0 ? 0 : at];
        for (int i = 0; at >= 0 && i < p->type.rank && i < s->in[k]->rank; i++)
            if (!bind_to(a, opt, api, p, p->type.dim[i].symbol, s->in[k]->dim[i], err)) return false;
    }
    return true;
}

void bind_open_dims(Arena *a, Options *opt, const Interface *api, int64_t extent) {
    for (int k = 0; k < api->nin; k++)
        for (int i = 0; i < api->in[k].type.rank; i++) {
            const char *name = dim_called(api->in[k].type.dim[i]);
            if (name && !find_binding(a, opt, api, name)) bind_dim(a, opt, api, &api->in[k], name, extent, stderr);
        }
}

/* Whether a tensor's extents are those of the type; a bounded symbol takes any up to its bound. */
static bool fits(const Tensor *t, const Type *want) {
    if (t->rank != want->rank) return false;
    for (int i = 0; i < t->rank; i++)
        if (want->dim[i].symbol ? t->dim[i] > want->dim[i].max : t->dim[i] != want->dim[i].max) return false;
    return true;
}

/* ONNX's own data of 2022 and before holds bfloat16 as plain 16-bit numbers. */
Tensor *as_bits_of(Arena *a, Tensor *t, DType want) {
    if (t->dtype != DT_u16 || want != DT_bf16) return t;
    return tensor_of(a, want, t->rank, t->dim, t->data);
}

Tensor *input_for(Arena *a, const DataSet *s, const Port *p, char error[200]) {
    Tensor *t = NULL;
    for (int i = 0; i < s->nin && !t; i++)
        if (!strcmp(s->in_name[i], p->name)) t = s->in[i];
    const char *name = escaped(a, p->name, 60);
    if (t) t = as_bits_of(a, t, p->type.dtype);
    if (!t) return io_error(error, "no data for input '%s' %s", name, type_text(a, &p->type));
    Type have = tensor_type(t);
    bool floats = t->dtype != DT_str && is_float(t->dtype) && is_float(p->type.dtype);
    if (!fits(t, &p->type) || (t->dtype != p->type.dtype && !floats))
        return io_error(error, "input '%s' is %s, the data %s", name, type_text(a, &p->type), type_text(a, &have));
    if (t->dtype == DT_str && longest_string(t) >= p->width)
        return io_error(error, "input '%s': expected strings of less than %lld bytes (--string-bytes), saw one of %lld",
                        name, (long long)p->width, (long long)longest_string(t));
    return t->dtype == p->type.dtype ? t : tensor_cast(a, t, p->type.dtype);
}

/* splitmix64: a good generator in three lines, the same everywhere. */
static uint64_t next_random(uint64_t *seed) {
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u, z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double uniform(uint64_t *seed) { return ((double)(next_random(seed) >> 11) + 0.5) / 9007199254740992.0; }

/* A few short words, so that some are the same. */
static Tensor *random_strings(Arena *a, int rank, const int64_t *dim, uint64_t *seed) {
    static const char *const words[] = {"", "a", "b", "be", "Two", "a b", "one.two", "w\xc3\xb6rter"};
    Tensor *t = strings_new(a, rank, dim, NULL);
    for (int64_t i = 0; i < t->count; i++) ((const char **)tensor_data(t))[i] = words[next_random(seed) % COUNT(words)];
    return t;
}

Tensor *random_tensor(Arena *a, DType dtype, int rank, const int64_t *dim, uint64_t *seed) {
    if (dtype == DT_str) return random_strings(a, rank, dim, seed);
    Tensor *t = tensor_new(a, dtype, rank, dim);
    for (int64_t i = 0; i < t->count; i++) {
        double u = uniform(seed), v = uniform(seed);
        float normal =
            (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v)); /* exact in every program that is compared */
        if (holds_floats(t->dtype))
            set_f(t, i, (double)normal);
        else
            set_i(t, i, (int64_t)(u * (t->dtype == DT_bool ? 2 : 8)));
    }
    return t;
}

static int64_t least(const void *unused, const Symbol *name) {
    (void)unused;
    return name->min;
}

/* The extent of a dim when every bounded symbol is at its largest or at its smallest. */
static int64_t extent_of(Dim d, bool smallest) { return smallest ? dim_value(d, least, NULL) : d.max; }

static void keep_limits(const Port *p, Tensor *t) {
    for (int64_t i = 0; is_int(t->dtype) && i < t->count; i++) {
        int64_t x = get_i(t, i);
        if (x < p->least || x > p->most) set_i(t, i, x < p->least ? p->least : p->most);
    }
}

DataSet *random_set(Arena *a, const Program *p, bool smallest, uint64_t seed) {
    DataSet *s = NEW(a, DataSet);
    s->label = smallest ? "the same, smallest" : "random inputs", s->nin = p->api.nin;
    s->in = NEW_ARRAY(a, Tensor *, s->nin), s->in_name = NEW_ARRAY(a, const char *, s->nin);
    for (int i = 0; i < s->nin; i++) {
        int64_t dim[MAX_RANK];
        const Type *t = &p->api.in[i].type;
        for (int d = 0; d < t->rank; d++) dim[d] = extent_of(t->dim[d], smallest);
        s->in[i] = random_tensor(a, t->dtype, t->rank, dim, &seed), s->in_name[i] = p->api.in[i].name;
        keep_limits(&p->api.in[i], s->in[i]);
    }
    return s;
}
