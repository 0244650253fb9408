/* run.c - nncc run: a network on the user's own files. */
#include "cli/command.h"
#include "io/io.h"

enum { SHOWN = 64 }; /* elements of an output that are printed */

static const Rename *find_file(const List *files, const char *name) {
    for (int i = 0; i < files->n; i++) {
        Rename *r = files->at[i];
        if (!strcmp(r->from, name)) return r->used = true, r;
    }
    return NULL;
}

static bool all_used(Command *c, const List *files, const char *what, int n, const Port *ports) {
    for (int i = 0; i < files->n; i++) {
        const Rename *r = files->at[i];
        if (r->used) continue;
        const char **names = NEW_ARRAY(c->arena, const char *, n);
        for (int k = 0; k < n; k++) names[k] = ports[k].name;
        fprintf(stderr, "nncc: the model has no %s '%s'%s\n", what, escaped(c->arena, r->from, 60),
                choices(c->arena, r->from, "there are", n, names));
        return false;
    }
    return true;
}

/* Contents for every input: from its file, else random. */
static DataSet *read_inputs(Command *c, const Program *p) {
    const Interface *api = &p->api;
    DataSet *s = random_set(c->arena, p, false, 1);
    for (int i = 0; i < api->nin; i++) {
        char error[IO_ERROR];
        const Rename *file = find_file(&c->inputs, api->in[i].name);
        if (!file) {
            fprintf(stderr, "nncc: no --input for '%s': random numbers\n", escaped(c->arena, api->in[i].name, 60));
        } else if (!(s->in[i] = read_tensor(c->arena, file->to, &api->in[i].type, error))) {
            fprintf(stderr, "nncc: %s: %s\n", escaped(c->arena, file->to, 200), error);
            return NULL;
        }
    }
    return all_used(c, &c->inputs, "input", api->nin, api->in) ? s : NULL;
}

static void print_element(Command *c, const Tensor *t, int64_t i) {
    enum { SHOWN_BYTES = 200 };
    if (t->dtype == DT_str)
        printf(" \"%s\"", escaped(c->arena, get_s(t, i), SHOWN_BYTES));
    else if (holds_floats(t->dtype))
        printf(" %.6g", get_f(t, i));
    else if (t->dtype == DT_u64)
        printf(" %llu", (unsigned long long)get_i(t, i));
    else
        printf(" %lld", (long long)get_i(t, i));
}

static void print_tensor(Command *c, const char *name, const Tensor *t) {
    Type type = tensor_type(t);
    printf("%s %s:", escaped(c->arena, name, 60), type_text(c->arena, &type));
    for (int64_t i = 0; i < t->count && i < SHOWN; i++) print_element(c, t, i);
    puts(t->count > SHOWN ? " ..." : "");
}

static bool says_offsets(const Interface *api, int i) {
    for (int k = 0; k < api->nout; k++)
        if (api->out[k].offset == i) return true;
    return false;
}

static int write_outputs(Command *c, const Interface *api, Tensor **out) {
    for (int i = 0; i < api->nout; i++) {
        char error[IO_ERROR];
        const Rename *file = find_file(&c->outputs, api->out[i].name);
        if (says_offsets(api, i) && !file) continue; /* of strings that are printed */
        if (!file && !c->outputs.n) print_tensor(c, api->out[i].name, out[i]);
        if (!file || write_tensor(file->to, out[i], error)) continue;
        fprintf(stderr, "nncc: %s: %s\n", escaped(c->arena, file->to, 200), error);
        return EXIT_INPUT;
    }
    return EXIT_OK;
}

/* Whether every --output names one: found before there is work, or a file, for others. */
static bool outputs_fit(Command *c, const Interface *api) {
    for (int i = 0; i < api->nout; i++) find_file(&c->outputs, api->out[i].name);
    return all_used(c, &c->outputs, "output", api->nout, api->out);
}

/* Extents that are open are those of the files. What is wrong with a file is found, and told, when it is read. */
static int bind_files(Command *c) {
    Interface api;
    int code = c->inputs.n ? model_interface(c, &api, stderr) : EXIT_OK;
    if (code || !c->inputs.n) return code;
    DataSet s = {.in = NEW_ARRAY(c->arena, Tensor *, api.nin), .in_name = NEW_ARRAY(c->arena, const char *, api.nin)};
    for (int i = 0; i < api.nin; i++) {
        char error[IO_ERROR];
        const Rename *file = find_file(&c->inputs, api.in[i].name);
        Tensor *t = file ? read_tensor(c->arena, file->to, &api.in[i].type, error) : NULL;
        if (t) s.in[s.nin] = t, s.in_name[s.nin++] = api.in[i].name;
    }
    return bind_dims(c->arena, &c->opt, &api, &s, stderr) ? EXIT_OK : EXIT_INPUT;
}

int verb_run(Command *c) {
    Program p;
    int code = bind_files(c);
    if (!code) code = program_new(&p, c->arena, &c->run, &c->opt, c->keep, stderr);
    if (code) return code;
    Tensor **out = NEW_ARRAY(c->arena, Tensor *, p.api.nout);
    DataSet *s = outputs_fit(c, &p.api) ? read_inputs(c, &p) : NULL;
    code = s ? program_run(&p, s, out, stderr) : EXIT_INPUT;
    if (!code) code = write_outputs(c, &p.api, out);
    program_free(&p);
    return code;
}
