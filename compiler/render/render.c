/* render.c - loop nests as C: statements and functions; expressions are in expr.c. */
#include "ir/build.h"
#include "render/renderer.h"
#include "schedule/schedule.h"
#include "schedule/tile.h"

/* ---- hoisting: operands that a row's text names twice ---- */

void start_line(Render *r) { put(r->out, "%*s", 4 * r->indent, ""); }

static const char *c_type(const Render *r, DType t) { return t == DT_index ? r->index_type : dtypes[t].c; }

static bool atomic(const Expr *e) {
    return e->kind == E_INT || e->kind == E_NUM || e->kind == E_AXIS || e->kind == E_TEMP || e->kind == E_SYM;
}

static void hoist_operands(Render *, const Expr *);

const char *hoisted_name(const Render *r, const Expr *e) { return e->id < r->nhoisted ? r->hoisted[e->id] : NULL; }

static void remember_hoisted(Render *r, const Expr *e, const char *name) {
    if (e->id >= r->nhoisted) {
        const char **all = NEW_ARRAY(r->arena, const char *, r->k->nexpr);
        if (r->nhoisted) memcpy(all, r->hoisted, sizeof *all * (size_t)r->nhoisted);
        r->hoisted = all, r->nhoisted = r->k->nexpr;
    }
    r->hoisted[e->id] = name;
    push(r->arena, &r->hoists, (void *)(uintptr_t)e);
}

static void hoist(Render *r, const Expr *e) {
    const char *name = take_name(r, e->dtype == DT_index ? "at" : "v");
    start_line(r);
    put(r->out, "const %s %s = ", c_type(r, e->dtype), name);
    expr(r, e, PREC_ANY);
    put_text(r->out, ";\n");
    remember_hoisted(r, e, name);
}

static bool guards(const Op *op) { return op == &ops[OP_Where] || op == &ops[OP_And] || op == &ops[OP_Or]; }

static void hoist_operands(Render *r, const Expr *e) {
    if (hoisted_name(r, e)) return;
    int n = e->kind == E_MAP && guards(e->op) ? 1 : e->n; /* what a condition protects stays where it is */
    for (int i = 0; i < n; i++) hoist_operands(r, e->arg[i]);
    if (e->kind != E_MAP || guards(e->op)) return;
    for (int i = 0; i < e->n; i++)
        if (!atomic(e->arg[i]) && !hoisted_name(r, e->arg[i]) && count_parameter(text_of(r, e), (char)('a' + i)) > 1)
            hoist(r, e->arg[i]);
}

/* Forgets what was hoisted for one statement; the names stay taken until the block ends. */
static void end_statement(Render *r) {
    while (r->hoists.n) r->hoisted[((const Expr *)r->hoists.at[--r->hoists.n])->id] = NULL;
}

/* ---- statements ---- */

static void block(Render *, const Stmt *);

/* The iterations of one of the threads. */
static void part_head(Render *r, const Stmt *s) {
    const char *name = take_name(r, s->axis->name), *end, *size;
    r->axis_name[s->axis->id] = name;
    start_line(r);
    if (s->axis->extent == 1) {
        put(r->out, "if (%s == 0)", r->t);
        return;
    }
    end = take_name(r, "end"), size = r->count ? r->count : expr_text(r, s->axis->size, PREC_UNARY);
    bool wide = (r->count || s->axis->size->kind != E_INT) && strcmp(r->index_type, "int");
    if (wide) size = format(r->arena, "(int)%s", size);
    const char *first = s->axis->extent > 1 && runs_in_vectors(s) ? "nncc_first_of_row" : "nncc_first";
    need(r, first);
    put(r->out, "for (%s %s = %s(%s, %s, %s), %s = %s(%s, %s + 1, %s); %s < %s; %s++)", r->index_type, name, first,
        size, r->t, r->nt, end, first, size, r->t, r->nt, name, end, name);
}

static void for_head(Render *r, const Stmt *s) {
    if (s->part) {
        part_head(r, s);
        return;
    }
    const char *name = take_name(r, r->count ? "i" : s->axis->name);
    r->axis_name[s->axis->id] = name;
    start_line(r);
    if (s->vector) need(r, VECTOR_LOOP), put_text(r->out, "NNCC_VECTOR_LOOP ");
    put(r->out, "for (%s %s = ", r->index_type, name);
    if (s->lo)
        expr(r, s->lo, PREC_ANY);
    else
        put_text(r->out, "0");
    put(r->out, "; %s < ", name);
    if (r->count)
        put_text(r->out, r->count);
    else
        expr(r, s->hi ? s->hi : s->axis->size, PREC_LESS + 1);
    put(r->out, "; %s++)", name);
}

static bool needs_hoist(const Render *r, const Expr *e) {
    if (e->kind == E_MAP && guards(e->op)) return needs_hoist(r, e->arg[0]);
    for (int i = 0; i < e->n; i++) {
        if (needs_hoist(r, e->arg[i])) return true;
        if (e->kind == E_MAP && !atomic(e->arg[i]) && count_parameter(text_of(r, e), (char)('a' + i)) > 1) return true;
    }
    return false;
}

/* A lone assignment goes on the line of its loop. */
static bool one_liner(const Render *r, const Stmt *s) {
    if (!s || s->next || (s->kind != S_STORE && s->kind != S_SET && s->kind != S_PUT)) return false;
    return !needs_hoist(r, s->expr) && !(s->index && needs_hoist(r, s->index));
}

static void assignment(Render *, const Stmt *);

static void statement(Render *, const Stmt *);

static void braced(Render *r, const Stmt *s) {
    int scope = r->scope.n;
    put_text(r->out, " {\n");
    r->indent++;
    block(r, s);
    r->indent--;
    leave_scope(r, scope);
    start_line(r);
    put_text(r->out, "}\n");
}

/* Follows a loop's head or a condition: an assignment on the same line, a loop below, or a block. */
static void body(Render *r, const Stmt *s) {
    int scope = r->scope.n;
    if (s && s->kind == S_FOR && !s->next) {
        put_text(r->out, "\n");
        r->indent++;
        statement(r, s);
        r->indent--;
        return;
    }
    put_text(r->out, " ");
    if (one_liner(r, s)) {
        size_t line = r->out->n;
        while (line && r->out->s[line - 1] != '\n') line--;
        size_t here = r->out->n;
        assignment(r, s);
        end_statement(r);
        if (r->out->n - line > 118) { /* too long: start again on a line of its own */
            r->out->n = here - 1;
            put_text(r->out, "\n");
            r->indent++, start_line(r), r->indent--;
            assignment(r, s);
            end_statement(r);
        }
        leave_scope(r, scope);
        return;
    }
    r->out->n--;
    braced(r, s);
}

static const char *compound(const Stmt *s) {
    static const struct {
        int op;
        const char *text;
    } forms[] = {{OP_Add, "+="}, {OP_Sub, "-="}, {OP_Mul, "*="}};
    const Expr *e = s->expr;
    if (s->kind != S_SET || e->kind != E_MAP || e->arg[0]->kind != E_TEMP || e->arg[0]->temp != s->temp) return NULL;
    if (!is_float(e->dtype) && e->dtype != DT_index) return NULL;
    for (int i = 0; i < COUNT(forms); i++)
        if (e->op == &ops[forms[i].op]) return forms[i].text;
    return NULL;
}

static void compound_local(Render *r, const Stmt *s) {
    put_text(r->out, " += ");
    expr(r, s->expr->arg[1], PREC_ANY);
    put_text(r->out, ";\n");
}

static bool adds_to_itself(const Stmt *s) {
    const Expr *e = s->expr;
    return s->kind == S_PUT && e->kind == E_MAP && e->op == &ops[OP_Add] && is_float(e->dtype) &&
           e->arg[0]->kind == E_LOCAL && e->arg[0]->local == s->local && e->arg[0]->arg[0] == s->index;
}

/* The converse of load_of_bits(); what memory holds has the form that loads expect. */
static void store_of_bits(Render *r, const Stmt *s) {
    DType t = s->value->type.dtype;
    const unsigned top = dtypes[t].bits ? 1u << (dtypes[t].bits - 1) : 0;
    const char *before = "", *after = "";
    if (t == DT_f32)
        before = "nncc_bits_float(", after = ")", need(r, "nncc_bits_float");
    else if (t == DT_f64)
        before = "nncc_bits_double(", after = ")", need(r, "nncc_bits_double");
    else if (t == DT_bool)
        after = " != 0";
    else if (dtypes[t].small && dtypes[t].kind == 'i')
        before = "(int8_t)((((", after = format(r->arena, ") & %uu) ^ %uu) - %uu)", 2 * top - 1, top, top);
    else if (dtypes[t].small && dtypes[t].bits < 8)
        before = "(uint8_t)((", after = format(r->arena, ") & %uu)", 2 * top - 1);
    else if (dtypes[t].kind == 'i')
        before = format(r->arena, "(%s)(", dtypes[t].c), after = ")";
    put_text(r->out, before);
    expr(r, s->expr, t == DT_bool ? PREC_EQUAL : PREC_ANY);
    put(r->out, "%s;\n", after);
}

static void assignment(Render *r, const Stmt *s) {
    const char *op = compound(s);
    if (s->kind == S_SET)
        put_text(r->out, r->temp_name[s->temp->id]);
    else
        put_element(r, s->kind == S_STORE ? s->value : NULL, s->local, s->index);
    if (adds_to_itself(s)) {
        compound_local(r, s);
        return;
    }
    put(r->out, " %s ", op ? op : "=");
    if (s->kind == S_STORE && s->bits) {
        store_of_bits(r, s);
        return;
    }
    const char *through = s->kind == S_STORE ? storage_helper(r, s->value->type.dtype, "store") : NULL;
    if (through) put(r->out, "%s(", through);
    expr(r, op ? s->expr->arg[1] : s->expr, PREC_ANY);
    put_text(r->out, through ? ");\n" : ";\n");
}

static void let_stmt(Render *r, const Stmt *s) {
    const char *name = take_name(r, s->temp->name);
    put(r->out, "%s%s %s = ", s->temp->mutable ? "" : "const ", c_type(r, s->temp->dtype), name);
    expr(r, s->expr, PREC_ANY);
    put_text(r->out, ";\n");
    r->temp_name[s->temp->id] = name;
}

static void if_stmt(Render *r, const Stmt *s) {
    start_line(r);
    put_text(r->out, "if (");
    expr(r, s->expr, PREC_ANY);
    put_text(r->out, ")");
    end_statement(r);
    if (s->other && !s->body)
        put_text(r->out, " {\n"), start_line(r), put_text(r->out, "}\n");
    else if (s->other)
        braced(r, s->body);
    else
        body(r, s->body);
    if (!s->other) return;
    start_line(r);
    put_text(r->out, "else");
    braced(r, s->other);
}

static void statement(Render *r, const Stmt *s) {
    if (s->index) hoist_operands(r, s->index);
    if (s->expr && s->kind != S_WHILE) hoist_operands(r, s->expr);
    switch (s->kind) {
    case S_FOR: {
        int scope = r->scope.n;
        bool head = true;
        if (s->axis->kind >= AX_GRID)
            head = r->dialect->parallel_head(r, s);
        else
            for_head(r, s);
        (head ? body : block)(r, s->body);
        if (head) leave_scope(r, scope);
        break;
    }
    case S_IF: if_stmt(r, s); break;
    case S_WHILE:
        start_line(r);
        put_text(r->out, "while (");
        expr(r, s->expr, PREC_ANY);
        put_text(r->out, ")");
        braced(r, s->body);
        break;
    case S_LET:
        start_line(r);
        let_stmt(r, s);
        break;
    case S_LOCAL:
        start_line(r);
        r->local_name[s->local->id] = take_name(r, s->local->name);
        if (s->local->shared) {
            put(r->out, "%s *const %s = (%s *)(shared + %lld);\n", c_type(r, s->local->dtype),
                r->local_name[s->local->id], c_type(r, s->local->dtype), (long long)s->local->at);
            break;
        }
        put(r->out, "%s ", c_type(r, s->local->dtype));
        const Array flat = array_of_local(s->local);
        put_array(r, r->k->arrays ? &r->k->arrays->local[s->local->id] : &flat, r->local_name[s->local->id], "");
        put_text(r->out, ";\n");
        break;
    case S_SET:
    case S_STORE:
    case S_PUT:
        start_line(r);
        assignment(r, s);
        break;
    case S_TILE:
        start_line(r);
        tile_call(r, s->tile);
        break;
    case S_SYNC:
        if (r->meet) {
            start_line(r);
            put(r->out, "nncc_meet(%s, %s);\n", r->meet, r->nt);
            break;
        } /* fall through */
    case S_COMBINE: r->dialect->parallel_stmt(r, s); break;
    }
    end_statement(r);
}

void statements(Render *r, const Stmt *s) { block(r, s); }

static void block(Render *r, const Stmt *s) {
    for (; s; s = s->next) statement(r, s);
}

/* ---- the function ---- */

static void add_symbol(const Symbol *name, Arena *a, List *out) {
    for (int i = 0; i < out->n; i++)
        if (out->at[i] == name) return;
    push(a, out, (void *)(uintptr_t)name);
}

static void collect_symbols(const Expr *e, Arena *a, List *out) {
    if (!e) return;
    for (int i = 0; e->kind == E_SYM && i < e->symbol->names && i < SYMBOL_NAMES; i++)
        add_symbol(e->symbol->name[i], a, out);
    for (int i = 0; i < e->n; i++) collect_symbols(e->arg[i], a, out);
}

static void tile_symbols(const Tile *t, Arena *a, List *out) {
    Expr *const all[] = {t->x_at,  t->w_at,   t->x_line, t->x_row, t->x_tap, t->x_step,
                         t->w_tap, t->w_step, t->taps,   t->n,     t->height};
    for (int i = 0; i < COUNT(all); i++) collect_symbols(all[i], a, out);
}

static void symbols_of(const Stmt *s, Arena *a, List *out) {
    for (; s; s = s->next) {
        collect_symbols(s->lo, a, out), collect_symbols(s->hi, a, out);
        collect_symbols(s->index, a, out), collect_symbols(s->expr, a, out);
        if (s->kind == S_FOR) collect_symbols(s->axis->size, a, out);
        if (s->tile) tile_symbols(s->tile, a, out);
        symbols_of(s->body, a, out), symbols_of(s->other, a, out);
    }
}

/* By the module: a kernel may be shared. */
const char *symbol_cname(const Module *m, const Symbol *name) {
    for (int i = 0; i < m->bounds.n; i++) {
        const DimBinding *b = m->bounds.at[i];
        if (strcmp(b->name, name->text)) continue;
        return b->cname ? b->cname : "extent"; /* a nest is printed before names are given */
    }
    bug(__FILE__, __LINE__, "a symbol without bounds");
}

void kernel_symbols(const Kernel *k, Arena *a, List *out) { symbols_of(k->body, a, out); }

void stmt_symbols(const Stmt *s, Arena *a, List *out) { symbols_of(s, a, out); }

bool fits_int(const Kernel *k) {
    for (int i = 0; i < k->narg; i++)
        if (type_count(&k->arg[i]->type) >= INT32_MAX / 2) return false;
    return true;
}

/* A line that a parameter of usual length would make too long ends before it; the function has no name yet. */
static void begin_parameter(Render *r, const char *comma, size_t *line) {
    put_text(r->out, *comma ? "," : "");
    if (r->out->n - *line > 78)
        put(r->out, "\n%*s", 8, ""), *line = r->out->n - 8;
    else if (*comma)
        put_text(r->out, " ");
}

/* The file keeps these names for this, and others of the kernel keep clear of those of the file. */
static const char *own_name(Render *r, const char *name) { return r->outer ? name : take_name(r, name); }

/* Thread t of nt, and where they wait for each other. */
static void part_parameters(Render *r, size_t *line) {
    if (r->k->waits) {
        r->meet = own_name(r, "meet");
        begin_parameter(r, ",", line);
        put(r->out, "uint32_t *%s", r->meet);
    }
    r->t = own_name(r, "t"), r->nt = own_name(r, "nt");
    begin_parameter(r, ",", line);
    put(r->out, "int %s, int %s", r->t, r->nt);
}

static void head(Render *r, const char *name) {
    Kernel *k = r->k;
    List symbols = {0};
    const char *comma = "";
    size_t line = r->out->n;
    put(r->out, "%s %s(", r->dialect->function, name);
    for (int i = 0; i < k->narg; i++) {
        if (written_over(k, i)) continue;
        k->arg_name[i] = take_name(r, k->arg_name[i]);
        begin_parameter(r, comma, &line);
        put(r->out, "%s%s ", i < k->nread ? "const " : "", dtypes[k->arg[i]->type.dtype].c);
        put_array(r, k->arrays ? &k->arrays->arg[i] : NULL, k->arg_name[i], r->dialect->restrict_);
        comma = ",";
    }
    for (int i = 0; i < k->nread; i++)
        if (written_over(k, i)) k->arg_name[i] = k->arg_name[k->in_place[i]];
    kernel_symbols(k, r->arena, &symbols);
    for (int i = 0; i < symbols.n; i++) {
        const char *dim = take_dim(r, symbols.at[i]);
        begin_parameter(r, i || k->narg ? "," : "", &line);
        put(r->out, "%s %s", r->index_type, dim);
    }
    if (k->count) {
        r->count = take_name(r, "count");
        begin_parameter(r, ",", &line);
        put(r->out, "%s %s", r->index_type, r->count);
    }
    if (k->divided) part_parameters(r, &line);
    put_text(r->out, k->narg || symbols.n ? ") {\n" : "void) {\n");
}

const char *expr_text(Render *r, const Expr *e, int prec) {
    Str text = {.arena = r->arena}, *out = r->out;
    r->out = &text;
    expr(r, e, prec);
    r->out = out;
    return text.s;
}

Render render_new(Kernel *k, const Dialect *d, const Map *outer, Str *out, List *needs) {
    Arena *a = out->arena;
    Render r = {.k = k, .dialect = d, .arena = a, .out = out, .needs = needs, .indent = 1, .outer = outer};
    r.index_type = fits_int(k) ? "int" : d->wide;
    r.axis_name = NEW_ARRAY(a, const char *, k->axes + 1);
    r.temp_name = NEW_ARRAY(a, const char *, k->temps + 1);
    r.local_name = NEW_ARRAY(a, const char *, k->locals + 1);
    name_arguments(&r);
    return r;
}

static bool has_array_in_memory(const Stmt *s) {
    for (; s; s = s->next)
        if ((s->kind == S_LOCAL && s->local->in_memory) || has_array_in_memory(s->body) ||
            has_array_in_memory(s->other))
            return true;
    return false;
}

void render_kernel(Kernel *k, const Dialect *d, const char *name, const Map *outer, Str *out, List *needs) {
    k->arrays = NULL; /* a schedule may have changed it */
    if (d->arrays) find_arrays(k, out->arena);
    for (int i = 0; k->count && i < k->narg; i++) k->arrays->arg[i].open = true;
    Render r = render_new(k, d, outer, out, needs);
    head(&r, name);
    for (int i = k->nread; k->waits && i < k->narg; i++) put(out, "    NNCC_CHANGES(%s);\n", k->arg_name[i]);
    name_tiles(&r, k->body);
    if (has_array_in_memory(k->body)) {
        need(&r, ALIGN_STACK);
        start_line(&r), put_text(out, "NNCC_ALIGN_STACK\n");
    }
    block(&r, k->body);
    put_text(out, "}\n");
}

void print_nest(Kernel *k, const Dialect *d, Str *out) {
    const char **own = k->arg_name;
    List needs = {0};
    k->arg_name = arena_copy(out->arena, own, sizeof *own * (size_t)k->narg);
    render_kernel(k, d, "nest", NULL, out, &needs);
    k->arg_name = own;
}
