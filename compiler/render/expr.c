/* expr.c - expressions as C: one way to print every index, every operator from its row's text. */
#include "ir/build.h"
#include "render/renderer.h"
#include <math.h>

/* ---- names in scope ---- */

static bool in_scope(const Render *r, const char *name) {
    return (r->outer && map_get(r->outer, name)) || (r->named && map_get(r->named, name));
}

static void push_name(Render *r, const char *name, Wish *wish, int number) {
    Named *n = NEW(r->arena, Named);
    *n = (Named){name, wish, number};
    if (!r->named) r->named = map_new(r->arena);
    map_set(r->named, name, n);
    push(r->arena, &r->scope, n);
}

static Wish *wish_for(Render *r, const char *name) {
    if (!r->wishes) r->wishes = map_new(r->arena);
    Wish *w = map_get(r->wishes, name);
    if (w) return w;
    w = NEW(r->arena, Wish);
    w->next = 2;
    map_set(r->wishes, name, w);
    return w;
}

void bring_into_scope(Render *r, const char *name) { push_name(r, name, NULL, 0); }

const char *take_name(Render *r, const char *wish) {
    if (!in_scope(r, wish)) {
        push_name(r, wish, NULL, 0);
        return wish;
    }
    Wish *w = wish_for(r, wish);
    const char *name;
    do name = format(r->arena, "%s%d", wish, w->next++);
    while (in_scope(r, name));
    push_name(r, name, w, w->next - 1);
    return name;
}

void leave_scope(Render *r, int names) {
    while (r->scope.n > names) {
        const Named *n = r->scope.at[--r->scope.n];
        map_set(r->named, n->name, NULL);
        if (n->wish && n->number < n->wish->next) n->wish->next = n->number;
    }
}

void name_arguments(Render *r) {
    for (int i = r->k->narg - 1; i >= 0; i--) r->k->arg[i]->arg_place[0] = i;
}

const char *value_name(const Render *r, const Value *v) {
    const Kernel *k = r->k;
    if (v->arg_place[0] < k->narg && k->arg[v->arg_place[0]] == v) return k->arg_name[v->arg_place[0]];
    for (int i = 0; i < k->narg; i++)
        if (k->arg[i] == v) return k->arg_name[i];
    bug(__FILE__, __LINE__, "a tensor that is no argument of its kernel");
}

void need(Render *r, const char *helper) {
    for (int i = 0; i < r->needs->n; i++)
        if (!strcmp(r->needs->at[i], helper)) return;
    push(r->arena, r->needs, (void *)(uintptr_t)helper);
}

/* ---- index sums, in Horner's form: (o * 28 + i) * 28 + j ---- */

enum { MAX_TERMS = 24, MIN_FACTOR = 4 };

static void signed_text(Render *r, bool first, bool negative) {
    if (first)
        put_text(r->out, negative ? "-" : "");
    else
        put_text(r->out, negative ? " - " : " + ");
}

static void constant_term(Render *r, int64_t c, bool first) {
    if (!c && !first) return;
    signed_text(r, first, c < 0);
    put(r->out, "%lld", (long long)llabs(c));
}

static void plain_term(Render *r, const Expr *term, int64_t coef, bool first) {
    signed_text(r, first, coef < 0);
    if (llabs(coef) != 1) put(r->out, "%lld * ", (long long)llabs(coef));
    expr(r, term, llabs(coef) != 1 ? PREC_UNARY : coef < 0 ? PREC_MUL : PREC_ADD);
}

/* Positive terms first, so that no sum begins with a minus if it need not. */
static void plain_sum(Render *r, int n, const Expr **term, const int64_t *coef, int64_t c, bool first) {
    for (int i = 0; i < n; i++)
        if (coef[i] > 0) plain_term(r, term[i], coef[i], first), first = false;
    if (first && c > 0) constant_term(r, c, true), first = false, c = 0;
    for (int i = 0; i < n; i++)
        if (coef[i] < 0) plain_term(r, term[i], coef[i], first), first = false;
    constant_term(r, c, first);
}

/* The most leading terms whose coefficients share a factor well above every other coefficient: rows against columns. */
static int common_prefix(int n, const int64_t *coef, int64_t *factor) {
    int64_t g = 0;
    int best = 0;
    for (int i = 0; i < n; i++) {
        g = greatest_common_divisor(g, coef[i]);
        int64_t next = i + 1 < n ? llabs(coef[i + 1]) : 1;
        if (g >= MIN_FACTOR && g >= 3 * next) best = i + 1, *factor = g;
    }
    return best;
}

/* Prints sum coef * term + c without outer parentheses; terms come with falling |coef|. */
static void horner(Render *r, int n, const Expr **term, const int64_t *coef, int64_t c) {
    int64_t g = 1, inner[MAX_TERMS];
    int high = common_prefix(n, coef, &g);
    if (!high || (high == 1 && llabs(coef[0]) == g && c / g == 0)) {
        plain_sum(r, n, term, coef, c, true);
        return;
    }
    int64_t q = c / g;
    for (int i = 0; i < high; i++) inner[i] = coef[i] / g;
    put_text(r->out, "(");
    horner(r, high, term, inner, q);
    put(r->out, ") * %lld", (long long)g);
    plain_sum(r, n - high, term + high, coef + high, c - q * g, false);
}

static bool is_sum(const Expr *e) {
    return e->kind == E_MAP && e->dtype == DT_index &&
           (e->op == &ops[OP_Add] || (e->op == &ops[OP_Mul] && e->arg[1]->kind == E_INT));
}

static void index_sum(Render *r, const Expr *e, int prec) {
    const Expr *term[MAX_TERMS];
    int64_t coef[MAX_TERMS], c;
    int n = affine(e, MAX_TERMS, term, coef, &c);
    bool product = n == 1 && term[0] == e;
    if (n < 0 || product) {
        int mine = e->op->prec;
        if (mine < prec) put_text(r->out, "(");
        expr(r, e->arg[0], mine);
        put(r->out, " %s ", e->op->infix);
        expr(r, e->arg[1], mine + 1);
        if (mine < prec) put_text(r->out, ")");
        return;
    }
    bool paren = prec > (n == 1 && !c && coef[0] != 1 ? PREC_MUL : PREC_ADD);
    if (paren) put_text(r->out, "(");
    horner(r, n, term, coef, c);
    if (paren) put_text(r->out, ")");
}

/* ---- elements of memory ---- */

static const char *array_name(const Render *r, const Value *v, const Local *l) {
    return v ? value_name(r, v) : r->local_name[l->id];
}

static void put_subscripts(Render *r, int n, const Subscript *s) {
    for (int i = 0; i < n; i++) {
        const Expr *term[SUBSCRIPT_TERMS];
        memcpy(term, s[i].term, sizeof term);
        put_text(r->out, "[");
        plain_sum(r, s[i].n, term, s[i].coef, s[i].c, true);
        put_text(r->out, "]");
    }
}

void put_element(Render *r, const Value *v, const Local *l, const Expr *index) {
    Subscript s[MAX_SUBSCRIPTS];
    int n = subscripts(r->k, v, l, index, s);
    put_text(r->out, array_name(r, v, l));
    put_subscripts(r, n, s);
    if (n) return;
    put_text(r->out, "[");
    expr(r, index, PREC_ANY);
    put_text(r->out, "]");
}

/* The address of an element: a row's where it is the first of one. */
void put_address(Render *r, const Value *v, const Expr *index) {
    Subscript s[MAX_SUBSCRIPTS];
    int n = subscripts(r->k, v, NULL, index, s);
    bool first = n > 1 && !s[n - 1].n && !s[n - 1].c;
    put(r->out, "%s%s", n > 1 && !first ? "&" : "", value_name(r, v));
    if (n > 1) put_subscripts(r, first ? n - 1 : n, s);
    if (n > 1 || (index->kind == E_INT && index->i == 0)) return;
    put_text(r->out, " + ");
    expr(r, index, PREC_ADD);
}

/* "*restrict x", or "x[restrict 16][32]": the parameter is a pointer all the same. */
void put_array(Render *r, const Array *a, const char *name, const char *qualifier) {
    int64_t extent[MAX_SUBSCRIPTS];
    int n = a ? extents_of(a, extent) : 0;
    if (!n) {
        put(r->out, "*%s%s%s", qualifier, *qualifier ? " " : "", name);
        return;
    }
    put(r->out, "%s[%s", name, qualifier);
    if (!a->open) put(r->out, "%s%lld", *qualifier ? " " : "", (long long)extent[0]);
    put_text(r->out, "]");
    for (int i = 1; i < n; i++) put(r->out, "[%lld]", (long long)extent[i]);
}

/* ---- operators from their texts ---- */

static const char *width_suffix(DType t) {
    bool wide = dtypes[t].bytes == 8;
    return dtypes[t].kind == 'u' || dtypes[t].kind == 'b' ? (wide ? "_u64" : "_u32") : (wide ? "_i64" : "_i32");
}

static const char *unsigned_type(DType t) { return dtypes[t].bytes == 8 ? "uint64_t" : "uint32_t"; }

static void function_name(Render *r, const char *name, DType t) {
    const MathName *m = math_name(name);
    ASSERT(m);
    const char *s = t == DT_f32 ? m->f32 : t == DT_f64 ? m->f64 : NULL;
    if (!is_float(t)) s = format(r->arena, "%s%s", m->int_, width_suffix(t));
    ASSERT(s);
    put_text(r->out, s);
    need(r, s);
}

int count_parameter(const char *text, char p) {
    int n = 0;
    for (const char *s = text; *s; s++) {
        bool word = s > text && (s[-1] == '_' || (s[-1] >= 'a' && s[-1] <= 'z') || (s[-1] >= '0' && s[-1] <= '9'));
        bool more = s[1] == '_' || s[1] == '(' || (s[1] >= 'a' && s[1] <= 'z') || (s[1] >= '0' && s[1] <= '9');
        n += *s == p && !word && !more;
    }
    return n;
}

static const struct {
    const char *s;
    int prec;
} c_operators[] = {{"||", PREC_OR},   {"&&", PREC_AND},    {"==", PREC_EQUAL},  {"!=", PREC_EQUAL}, {"<=", PREC_LESS},
                   {">=", PREC_LESS}, {"?", PREC_TERNARY}, {":", PREC_TERNARY}, {"|", 5},           {"^", 6},
                   {"&", 7},          {"<", PREC_LESS},    {">", PREC_LESS},    {"+", PREC_ADD},    {"-", PREC_ADD},
                   {"*", PREC_MUL},   {"/", PREC_MUL},     {"!", PREC_UNARY},   {"~", PREC_UNARY}};

/* The precedence of the operator at the beginning of a text; 0 for none. */
static int operator_at(const char *s) {
    for (int i = 0; i < COUNT(c_operators); i++)
        if (!strncmp(s, c_operators[i].s, strlen(c_operators[i].s))) return c_operators[i].prec;
    return 0;
}

/* What an operand between s and end of a text must bind tighter than: the operators beside it. */
static int operand_prec(const char *text, const char *s, const char *end) {
    int left = 0, right;
    bool blank = s > text && s[-1] == ' ';
    while (s > text && s[-1] == ' ') s--;
    if (s > text && s[-1] != '(' && s[-1] != ',') {
        const char *op = s - 1;
        while (op > text && op[-1] != ' ' && op[-1] != '(' && !(*op >= 'a' && *op <= 'z')) op--;
        left = blank ? operator_at(op) : PREC_UNARY; /* a sign before it */
    }
    while (*end == ' ') end++;
    right = operator_at(end);
    int most = left > right ? left : right;
    return most ? most + 1 : PREC_ANY;
}

static int text_prec(const char *text) {
    int depth = 0, prec = strchr("-!~", text[0]) ? PREC_UNARY : PREC_ATOM;
    for (const char *s = text; *s; s++) {
        depth += *s == '(';
        depth -= *s == ')';
        if (depth || s == text || s[-1] != ' ') continue;
        int mine = operator_at(s);
        if (mine && strchr(s, ' ') && mine < prec) prec = mine;
    }
    return prec;
}

static bool word_char(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/* A row's text with its parameters replaced by the operands. */
static void map_text(Render *r, const Expr *e, const char *text, DType t) {
    for (const char *s = text; *s;) {
        const char *end = s;
        while (word_char(*end)) end++;
        if (end == s) {
            put_bytes(r->out, s, 1);
            s++;
            continue;
        }
        if (*end == '(') {
            char *name = arena_copy(r->arena, s, (size_t)(end - s) + 1);
            name[end - s] = 0;
            function_name(r, name, t);
        } else if (end - s == 1 && *s >= 'a' && *s <= 'c') {
            expr(r, e->arg[*s - 'a'], operand_prec(text, s, end));
        } else {
            put_bytes(r->out, s, (size_t)(end - s));
        }
        s = end;
    }
}

static bool narrow(DType t) { return is_int(t) && dtypes[t].bytes < 4; }

static bool plain_infix(const Op *op) { return op->infix && op->prec >= PREC_OR && strcmp(op->infix, "?"); }

static void wrapping(Render *r, const Expr *e) {
    const char *u = unsigned_type(e->dtype);
    put(r->out, "(%s)(", dtypes[e->dtype].c);
    if (e->n == 1) {
        put(r->out, "0u - (%s)", u);
        expr(r, e->arg[0], PREC_UNARY);
    } else {
        put(r->out, "(%s)", u);
        expr(r, e->arg[0], PREC_UNARY);
        put(r->out, " %s (%s)", e->op->infix ? e->op->infix : "+", u);
        expr(r, e->arg[1], PREC_UNARY);
    }
    put_text(r->out, ")");
}

static void infix(Render *r, const Expr *e, const char *op, int mine, int prec) {
    if (mine < prec) put_text(r->out, "(");
    /* gcc asks for parentheses around && within ||, and around comparisons that are compared. */
    int mixed = mine == PREC_OR ? PREC_AND + 1 : mine == PREC_EQUAL || mine == PREC_LESS ? PREC_LESS + 1 : 0;
    expr(r, e->arg[0], mixed ? mixed : mine);
    put(r->out, " %s ", op);
    expr(r, e->arg[1], mixed ? mixed : mine + 1);
    if (mine < prec) put_text(r->out, ")");
}

static void map_expr(Render *r, const Expr *e, int prec) {
    const Op *op = e->op;
    DType t = op == &ops[OP_Where] ? e->dtype : e->arg[0]->dtype;
    bool integer = !is_float(t);
    if (t == DT_index && op == &ops[OP_Div]) {
        infix(r, e, "/", PREC_MUL, prec);
        return;
    }
    if (t == DT_index && op == &ops[OP_FloorMod]) {
        infix(r, e, "%", PREC_MUL, prec);
        return;
    }
    if (integer && op->wrap && t != DT_index) {
        wrapping(r, e);
        return;
    }
    bool shrink = narrow(e->dtype);
    if (shrink) put(r->out, "(%s)(", dtypes[e->dtype].c), prec = PREC_ANY;
    const char *text = text_of(r, e);
    if (plain_infix(op) && !(integer && op == &ops[OP_Div])) {
        infix(r, e, op->infix, op->prec, prec);
    } else {
        bool paren = text_prec(text) < prec;
        if (paren) put_text(r->out, "(");
        map_text(r, e, text, t);
        if (paren) put_text(r->out, ")");
    }
    if (shrink) put_text(r->out, ")");
}

/* ---- expressions ---- */

const char *storage_helper(Render *r, DType t, const char *verb) {
    if (compute_type(t) != DT_f32 || t == DT_f32) return NULL;
    const char *name = format(r->arena, "nncc_%s_%s", dtypes[t].name, verb);
    need(r, name);
    return name;
}

/* The bits of an element: what memory holds, but for floats that C has a type for and integers with a sign. */
static void load_of_bits(Render *r, const Expr *e, int prec) {
    DType t = e->value->type.dtype;
    if (is_float(t) && compute_type(t) == t) {
        const char *through = t == DT_f64 ? "nncc_double_bits" : "nncc_float_bits";
        need(r, through), put(r->out, "%s(", through);
        put_element(r, e->value, NULL, e->arg[0]);
        put_text(r->out, ")");
        return;
    }
    bool masked = is_packed(t), paren = masked && prec > PREC_ANY;
    if (paren) put_text(r->out, "(");
    if (dtypes[t].kind == 'i') put(r->out, "(%s)", dtypes[e->dtype].c);
    put_element(r, e->value, NULL, e->arg[0]);
    if (masked) put(r->out, " & %uu", (1u << dtypes[t].bits) - 1);
    if (paren) put_text(r->out, ")");
}

static void storage_load(Render *r, const Expr *e, int prec) {
    if (e->bits) {
        load_of_bits(r, e, prec);
        return;
    }
    if (e->n == 2) {
        put_text(r->out, "(uint8_t)");
        put_element(r, e->value, NULL, e->arg[0]);
        put_text(r->out, "[");
        expr(r, e->arg[1], PREC_ANY);
        put_text(r->out, "]");
        return;
    }
    const char *through = storage_helper(r, e->value->type.dtype, "load");
    if (through) put(r->out, "%s(", through);
    put_element(r, e->value, NULL, e->arg[0]);
    if (through) put_text(r->out, ")");
}

static void cast_expr(Render *r, const Expr *e, int prec) {
    DType from = e->arg[0]->dtype, to = e->dtype;
    if (is_float(from) && is_int(to)) {
        const char *s = format(r->arena, "nncc_%s_to_%s", dtypes[from].name, dtypes[to].name);
        need(r, s);
        put(r->out, "%s(", s);
        expr(r, e->arg[0], PREC_ANY);
        put_text(r->out, ")");
    } else if (is_float(from) && to == DT_index) {
        need(r, format(r->arena, "nncc_%s_to_i32", dtypes[from].name));
        put(r->out, "nncc_%s_to_i32(", dtypes[from].name);
        expr(r, e->arg[0], PREC_ANY);
        put_text(r->out, ")");
    } else if (to == DT_bool) {
        if (prec > PREC_EQUAL) put_text(r->out, "(");
        expr(r, e->arg[0], PREC_EQUAL);
        put_text(r->out, " != 0");
        if (prec > PREC_EQUAL) put_text(r->out, ")");
    } else {
        put(r->out, "(%s)", to == DT_index ? r->index_type : dtypes[to].c);
        expr(r, e->arg[0], PREC_UNARY);
    }
}

static void constant(Render *r, const Expr *e, int prec) {
    if (e->dtype == DT_index || e->dtype == DT_bool) {
        put(r->out, e->i < 0 && prec > PREC_ADD ? "(%lld)" : "%lld", (long long)e->i);
        return;
    }
    const char *s = number_text(r->arena, e->dtype, constant_of(e));
    put(r->out, s[0] == '-' && prec >= PREC_UNARY ? "(%s)" : "%s", s);
    if (needs_math_h(e->dtype, constant_of(e))) need(r, "math.h");
}

const char *take_dim(Render *r, const Symbol *dim) {
    const char *name = take_name(r, symbol_cname(r->k->module, dim));
    push(r->arena, &r->dims, (void *)(uintptr_t)dim), push(r->arena, &r->dims, (void *)(uintptr_t)name);
    return name;
}

static void put_dim_name(Str *out, const Symbol *dim, const void *render) {
    const Render *r = render;
    for (int i = 0; i < r->dims.n; i += 2)
        if (r->dims.at[i] == dim) {
            put_text(out, r->dims.at[i + 1]);
            return;
        }
    put_text(out, symbol_cname(r->k->module, dim)); /* outside of a function */
}

static int symbol_prec(const Symbol *s) {
    bool product = s->kind == SYMBOL_QUOTIENT || (s->kind == SYMBOL_SUM && s->n == 1 && !s->c);
    return s->kind == SYMBOL_NAME ? PREC_ATOM : product ? PREC_MUL : s->kind == SYMBOL_SUM ? PREC_ADD : PREC_TERNARY;
}

void expr(Render *r, const Expr *e, int prec) {
    const char *name = hoisted_name(r, e);
    if (name) {
        put_text(r->out, name);
        return;
    }
    switch (e->kind) {
    case E_INT:
    case E_NUM: constant(r, e, prec); return;
    case E_AXIS: put_text(r->out, r->axis_name[e->axis->id]); return;
    case E_TEMP: put_text(r->out, r->temp_name[e->temp->id]); return;
    case E_SYM:
        put_symbol(r->out, e->symbol, prec > symbol_prec(e->symbol), (SymbolStyle){put_dim_name, r, false});
        return;
    case E_LOAD: storage_load(r, e, prec); return;
    case E_LOCAL: put_element(r, NULL, e->local, e->arg[0]); return;
    case E_CAST: cast_expr(r, e, prec); return;
    case E_MAP:
        if (is_sum(e))
            index_sum(r, e, prec);
        else
            map_expr(r, e, prec);
        return;
    }
}

/* Plain loops keep a sum and its epilogue in one loop, which gcc vectorises around the sum if there is no choice in it:
 * what an operator prints there, if its last argument is a constant. */
static const struct {
    int op;
    const char *text;
} without_choice[] = {{OP_Relu, "relu(a)"}, {OP_Max, "max(a, b)"}, {OP_Min, "min(a, b)"}};

/* Beside a number, which no NaN is, one comparison says which is larger: NaN stays NaN. */
static const struct {
    int op;
    const char *text;
} beside_number[] = {{OP_Max, "a < b ? b : a"}, {OP_Min, "a > b ? b : a"}};

static const char *epilogue_text(const Render *r, const Expr *e) {
    if (e->dtype != DT_f32 || r->dialect != &dialect_c || (e->n > 1 && e->arg[1]->kind != E_NUM)) return NULL;
    bool plain = r->k->module->opt->level == 1;
    for (int i = 0; plain && i < COUNT(without_choice); i++)
        if (e->op == &ops[without_choice[i].op]) return without_choice[i].text;
    for (int i = 0; !plain && i < COUNT(beside_number); i++)
        if (e->op == &ops[beside_number[i].op] && !isnan(e->arg[1]->num)) return beside_number[i].text;
    return NULL;
}

const char *text_of(const Render *r, const Expr *e) {
    const char *plain = epilogue_text(r, e);
    if (plain) return plain;
    DType t = e->op == &ops[OP_Where] ? e->dtype : e->arg[0]->dtype;
    if (e->dtype == DT_index && (e->op == &ops[OP_Add] || e->op == &ops[OP_Mul])) return "";
    return is_float(t) ? e->op->c : e->op->ci;
}
