/* diag.c - errors: what was expected, what was seen, where, and what to do. */
#include "ir/diag.h"
#include "ir/build.h"
#include "ir/open_dims.h"

typedef struct {
    int code;
    Loc loc;
    const char *op, *what;
    bool printed;
} Problem;

/* The text of a line with a caret below; tabs become blanks so that the caret stands right. */
static void print_line(FILE *f, const char *text, Loc loc) {
    const char *s = text;
    for (int line = 1; line < loc.line && *s; s++)
        if (*s == '\n') line++;
    for (int i = 0; s[i] && s[i] != '\n' && i < 200; i++) {
        unsigned char c = (unsigned char)s[i];
        fputc(c < 32 || c == 127 ? ' ' : c > 127 ? '?' : c, f); /* a terminal may take bytes above 127 as commands */
    }
    fprintf(f, "\n%*s^", loc.col - 1, "");
    for (int i = 1; i < loc.width && i < 100; i++) fputc('~', f);
    fputc('\n', f);
}

static const char *file_of(Module *m, Loc loc) {
    return escaped(m->arena, loc.file ? loc.file : m->source ? m->source : "nncc", 200);
}

static void print_error(Module *m, Loc loc, const char *op, const char *what) {
    if (loc.line > 0) {
        fprintf(m->err, "%s:%d:%d: error: %s\n", file_of(m, loc), loc.line, loc.col, what);
        if (m->text) print_line(m->err, m->text, loc);
    } else if (op || loc.name) {
        fprintf(m->err, "%s: node '%s'", file_of(m, loc), escaped(m->arena, loc.name ? loc.name : "", 60));
        if (op) fprintf(m->err, " (%s)", escaped(m->arena, op, 60));
        fprintf(m->err, ": %s\n", what);
    } else {
        fprintf(m->err, "%s: error: %s\n", file_of(m, loc), what);
    }
}

static const char *vformat(Module *m, const char *fmt, va_list ap) {
    char small[2048];
    vsnprintf(small, sizeof small, fmt, ap);
    return arena_str(m->arena, small);
}

static _Noreturn void leave(Module *m, int code) {
    fflush(m->err);
    if (m->escape) longjmp(*m->escape, code);
    exit(code);
}

void fatal_at(Module *m, int code, Loc loc, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    const char *what = vformat(m, fmt, ap);
    va_end(ap);
    print_error(m, loc, NULL, what);
    leave(m, code);
}

/* What does not fit in a network may not because of an extent that nobody gave. */
static void blame(Module *m) {
    const char *why = blame_defaults(m);
    if (why) fprintf(m->err, "%s: %s\n", file_of(m, (Loc){0}), why);
}

void misfit_at(Module *m, Loc loc, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    const char *what = vformat(m, fmt, ap);
    va_end(ap);
    print_error(m, loc, NULL, what);
    blame(m);
    leave(m, EXIT_INPUT);
}

void fatal(Module *m, int code, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    const char *what = vformat(m, fmt, ap);
    va_end(ap);
    print_error(m, (Loc){0}, NULL, what);
    leave(m, code);
}

void problem_at(Module *m, int code, Loc loc, const char *op, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    Problem *p = NEW(m->arena, Problem);
    *p = (Problem){code, loc, op, vformat(m, fmt, ap), false};
    va_end(ap);
    push(m->arena, &m->problems, p);
}

void problem(Node *n, int code, const char *fmt, ...) {
    Module *m = n->graph->module;
    va_list ap;
    va_start(ap, fmt);
    Problem *p = NEW(m->arena, Problem);
    Loc loc = n->loc;
    for (int i = 0; !n->name && i < n->nout && !loc.name; i++)
        if (n->out[i]) loc.name = n->out[i]->name;
    if (!loc.name) loc.name = n->name;
    const char *op = n->overload ? format(m->arena, "%s:%s", n->overload, n->op->name) : n->op->name;
    *p = (Problem){code, loc, op, vformat(m, fmt, ap), false};
    va_end(ap);
    push(m->arena, &m->problems, p);
}

static bool alike(const Problem *a, const Problem *b) {
    return a->code == b->code && a->loc.line == 0 && b->loc.line == 0 && a->op && b->op && !strcmp(a->op, b->op) &&
           !strcmp(a->what, b->what);
}

/* Prints one row for a problem and all that are like it, "12 x  Op   node 'a' and 11 more: reason". */
static void print_group(Module *m, int first) {
    Problem *p = m->problems.at[first];
    int same = 0;
    for (int i = first; i < m->problems.n; i++) {
        Problem *q = m->problems.at[i];
        if (!q->printed && alike(p, q)) q->printed = true, same++;
    }
    const char *name = escaped(m->arena, p->loc.name ? p->loc.name : "", 60);
    char more[40] = "";
    if (same > 1) snprintf(more, sizeof more, " and %d more", same - 1);
    fprintf(m->err, "%5d x  %-20s  node '%s'%s: %s\n", same, escaped(m->arena, p->op, 60), name, more, p->what);
}

static int count_groups(const Module *m) {
    int n = 0;
    for (int i = 0; i < m->problems.n && i < 2000; i++) {
        bool seen = false;
        for (int j = 0; j < i && !seen; j++) seen = alike(m->problems.at[j], m->problems.at[i]);
        n += !seen;
    }
    return n;
}

/* Unsupported things come as one grouped list; faults of the model one line each, the first twenty. */
void stop_on_problems(Module *m) {
    if (!m->problems.n) return;
    int input_faults = 0, nodes = 0;
    for (int i = 0; i < m->problems.n; i++) {
        const Problem *p = m->problems.at[i];
        if (p->code == EXIT_INPUT) input_faults++, nodes += p->op != NULL;
    }
    if (input_faults) {
        for (int i = 0, shown = 0; i < m->problems.n; i++) {
            Problem *p = m->problems.at[i];
            if (p->code != EXIT_INPUT) continue;
            if (shown++ < 20) print_error(m, p->loc, p->op, p->what);
        }
        if (input_faults > 20) fprintf(m->err, "%s: and %d more errors\n", file_of(m, (Loc){0}), input_faults - 20);
        if (nodes) blame(m);
        leave(m, EXIT_INPUT);
    }
    int groups = count_groups(m);
    fprintf(m->err, "%s: %d unsupported construct%s\n", file_of(m, (Loc){0}), groups, groups == 1 ? "" : "s");
    for (int i = 0; i < m->problems.n; i++) {
        Problem *p = m->problems.at[i];
        if (p->printed) continue;
        if (p->op && p->loc.line == 0)
            print_group(m, i);
        else
            print_error(m, p->loc, p->op, p->what);
    }
    leave(m, EXIT_UNSUPPORTED);
}

static void remark(Module *m, const char *kind, const char *fmt, va_list ap) {
    if (m->opt->quiet || m->quiet) return;
    fprintf(m->err, "%s: %s: %s\n", file_of(m, (Loc){0}), kind, vformat(m, fmt, ap));
}

void warn(Module *m, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    remark(m, "warning", fmt, ap);
    va_end(ap);
}

void inform(Module *m, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    remark(m, "note", fmt, ap);
    va_end(ap);
}

void tell_internal_error(Module *m, const char *step, const Node *n, const char *what) {
    fprintf(m->err, "nncc: internal error: after %s, %s: %s\n", step, n ? node_text(m->arena, n) : "the graph", what);
}

void give_up(Module *m) { fatal(m, EXIT_BUG, "this is an error in nncc, not in the model"); }
