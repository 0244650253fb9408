/* tile.c - products as tiles of sums in registers.
 *
 * A nest of parallel loops around  acc = init; for k… acc += x[…] * w[…]; y[…] = f(acc)  becomes
 *
 *     for panels of columns, for tiles of rows:
 *         sums[rows][cols] = init;  tile(x, w, sums);  y[…] = f(sums)
 *
 * where along the columns w runs with unit stride and x stands still, and along the rows x moves and w stands still.
 * Matrix products, convolutions of any kernel and stride, and their transposes are all of this form; which loop is
 * which is read off the strides, so that layouts are data. */
#include "schedule/tile.h"
#include "ir/storage.h"
#include "schedule/contraction.h"
#include "schedule/schedule.h"

/* RESIDENT, NEAR: bytes that stay in a cache while others pass, and that are soon there again. MOST_COPIED: floats of a
 * panel that is copied, at most WIDEST_COPY columns, for at least COPY_ROWS rows. */
enum { RESIDENT = 512 * 1024, NEAR = 1024 * 1024, MOST_COPIED = 2048, WIDEST_COPY = 16, COPY_ROWS = 8, FEW_SUMS = 512 };
/* TALL: rows of a tile. Of one of several lines: LINE_ROWS, LINE_SUMS; NEAR_PANEL: floats of w that stay in the nearest
 * cache from one line to the next. */
enum { TALL = 16, LINE_ROWS = 56, LINE_SUMS = 1792, NEAR_PANEL = 6 * 1024 };

typedef struct {
    Expr *size, *x, *w;
    int64_t some; /* so many of it are in a piece; 0: all */
} Step;           /* of a loop over the sum: how far it moves in both operands */

typedef struct {
    Lower *l;
    const Target *target;
    Contraction p; /* its operands in the order in which they fit: w runs along the columns */
    Axis *rows, *cols;
    Axis *lines;           /* a tile has several of them, each of all rows; NULL: one */
    Expr *w_index, *panel; /* w's with the column split; the panel's number */
    Axis *panels, *lane;
    int width;         /* of a panel */
    bool copies;       /* each panel is copied before it is read */
    bool rows_outside; /* panels are inside of rows */
    Local *copy;
    bool affine_only;     /* only nests whose indices are sums */
    bool non_affine;      /* what was found is a product, but one with other indices */
    Step step[MAX_LOOPS]; /* of the sum's loops; later those that run on are one */
    int steps;
} Match;

/* ---- the form of the nest ---- */

static bool match_nest(Match *m, Stmt *s) {
    if (!find_contraction(m->l, s, &m->p) || m->p.guard) return false;
    m->steps = m->p.steps;
    for (int i = 0; i < m->steps; i++) m->step[i].size = m->p.step[i]->size;
    return true;
}

/* ---- which loop is which ---- */

static Axis *new_axis(Lower *l, const Axis *like, const char *name, int64_t extent) {
    Axis *a = arena_copy(l->arena, like, sizeof *a);
    a->id = l->k->axes++, a->extent = extent, a->size = ix(l, extent), a->kind = AX_PAR;
    a->name = name;
    return a;
}

/* A panel is read whole, also where there are fewer columns left: that has to be w's memory. */
static bool stays_inside(const Match *m) {
    int64_t lo, hi;
    return bounds_of(m->w_index, &lo, &hi) && lo >= 0 && hi < value_elements(m->p.w->value);
}

/* Splits the column's index into panels of `width`. */
static void split_columns(Match *m, Axis *a, int width) {
    Lower *l = m->l;
    m->panels = new_axis(l, a, format(l->arena, "%s0", a->name), ceil_div(a->extent, width));
    if (a->size->kind != E_INT) m->panels->size = ix_div(l, ix_add(l, a->size, ix(l, width - 1)), ix(l, width));
    m->lane = new_axis(l, a, a->name, width);
    m->panel = new_axis_expr(l, m->panels);
    Substitution s = new_substitution(l, new_axis_expr(l, a),
                                      ix_add(l, ix_mul(l, m->panel, ix(l, width)), new_axis_expr(l, m->lane)));
    m->w_index = rewrite(l, m->p.w->arg[0], &s);
    m->cols = a, m->width = width;
}

/* Whether w runs with unit stride within a panel. */
static bool has_panels(const Match *m) {
    int64_t coef;
    return coefficient(m->w_index, m->lane, &coef) && coef == 1 && stays_inside(m);
}

static bool match_steps(Match *m) {
    for (int i = 0; i < m->steps; i++)
        if (!(m->step[i].x = step_over(m->l, m->p.x->arg[0], m->p.step[i])) ||
            !(m->step[i].w = step_over(m->l, m->w_index, m->p.step[i])))
            return false;
    return true;
}

/* The innermost loop along which x moves and w does not; NULL if there is none worth it. */
static Axis *find_rows(const Match *m) {
    Axis *best = NULL;
    for (int i = 0; i < m->p.loops; i++) {
        Axis *a = m->p.loop[i]->axis;
        if (a == m->cols || uses_axis(m->p.w->arg[0], a) || !uses_axis(m->p.x->arg[0], a)) continue;
        int64_t enough = a->size->kind == E_INT ? 4 : 16; /* a call may have fewer */
        if (step_over(m->l, m->p.x->arg[0], a) && (!best || a->extent >= enough || a->extent >= best->extent)) best = a;
    }
    return best;
}

/* A panel that the layout made says how wide it is; in a matrix that lies as it is, panels have to fill the rows. */
static int panel_width(const Match *m, const Axis *a) {
    const Value *w = m->p.w->value;
    const Axis *rows = find_rows(m);
    return w->layout.block ? (int)w->layout.block[1]
                           : choose_panel(m->target, rows ? rows->extent : 1, a->extent, true);
}

static bool known_panel(const Match *m, int width) {
    for (int i = 0; i < TARGET_PANELS && m->target->panels[i]; i++)
        if (m->target->panels[i] == width) return true;
    return false;
}

static bool may_be_columns(const Match *m, const Axis *a) {
    return uses_axis(m->p.w->arg[0], a) && !uses_axis(m->p.x->arg[0], a);
}

static bool match_columns(Match *m, Axis *a) {
    if ((a->size->kind != E_INT && !m->p.w->value->layout.block) || !may_be_columns(m, a)) return false;
    m->cols = a;
    int width = panel_width(m, a);
    if (!known_panel(m, width)) return false;
    split_columns(m, a, width);
    return has_panels(m) && match_steps(m);
}

/* Columns whose number a call gives fill no panels: each panel is copied, with zeros where there are no more, which
 * pays where many rows read it. */
static bool match_open_columns(Match *m, Axis *a) {
    int64_t coef;
    const Axis *rows;
    if (a->size->kind == E_INT || !may_be_columns(m, a) || m->p.steps != 1 || m->p.step[0]->size->kind != E_INT)
        return false;
    m->cols = a, rows = find_rows(m);
    int width =
        choose_panel(m->target, rows ? rows->extent : 1, a->extent < WIDEST_COPY ? a->extent : WIDEST_COPY, false);
    if (!rows || rows->extent < COPY_ROWS || width * m->p.step[0]->extent > MOST_COPIED || !known_panel(m, width) ||
        !coefficient(m->p.w->arg[0], a, &coef) || coef != 1)
        return false;
    split_columns(m, a, width);
    if (!match_steps(m)) return false;
    m->copies = true, m->step[0].w = ix(m->l, width);
    return true;
}

/* A weight of one column has no loop over columns; its panel is one all the same. */
static bool match_one_column(Match *m) {
    Lower *l = m->l;
    const Value *w = m->p.w->value;
    if (!w->layout.block || w->type.dim[w->layout.block[0]].max != 1 || !known_panel(m, (int)w->layout.block[1]))
        return false;
    m->width = (int)w->layout.block[1];
    m->cols = new_axis(l, m->p.loop[0]->axis, "o", 1);
    m->panels = new_axis(l, m->cols, "o0", 1), m->lane = new_axis(l, m->cols, "o", m->width);
    m->panel = ix(l, 0);
    m->w_index = ix_add(l, m->p.w->arg[0], new_axis_expr(l, m->lane));
    return stays_inside(m) && match_steps(m);
}

static bool match_operands(Match *m) {
    for (int i = m->p.loops - 1; i >= 0; i--)
        if (match_columns(m, m->p.loop[i]->axis)) return true;
    return match_one_column(m);
}

static bool match_open_operands(Match *m) {
    for (int i = m->p.loops - 1; i >= 0; i--)
        if (match_open_columns(m, m->p.loop[i]->axis)) return true;
    return false;
}

static void exchange_operands(Match *m) {
    Expr *x = m->p.x;
    m->p.x = m->p.w, m->p.w = x;
}

/* Either operand may be the one that runs along the columns: if the layout made panels of one, that. */
static bool match_either(Match *m, bool match_in_order(Match *)) {
    if (m->p.x->value->layout.block && !m->p.w->value->layout.block) exchange_operands(m);
    if (match_in_order(m)) return true;
    exchange_operands(m);
    return match_in_order(m);
}

/* Whether both operands are sums in every loop: i / 2 and i % 2 wait until loops are split into phases. */
static bool is_affine(const Match *m) {
    for (int i = 0; i < m->p.loops; i++) {
        const Axis *a = m->p.loop[i]->axis;
        if (!step_over(m->l, m->p.x->arg[0], a) || !step_over(m->l, m->w_index, a)) return false;
    }
    return true;
}

static bool match(Match *m, Stmt *s) {
    if (!match_nest(m, s)) return false;
    if (!match_either(m, match_operands) && !match_either(m, match_open_operands)) return false;
    m->rows = find_rows(m);
    m->non_affine = m->affine_only && !is_affine(m);
    return !m->non_affine;
}

/* ---- the loops of the sum, as taps and steps ---- */

static void swap_steps(Step *a, Step *b) {
    Step t = *a;
    *a = *b, *b = t;
}

static bool runs_on(Lower *l, const Step *outer, const Step *inner) {
    return outer->x == ix_mul(l, inner->size, inner->x) && outer->w == ix_mul(l, inner->size, inner->w);
}

/* The longest that a step is in any call. */
static int64_t longest(const Expr *step) {
    int64_t lo, hi;
    if (!bounds_of(step, &lo, &hi)) return INT64_MAX;
    return llabs(lo) > llabs(hi) ? llabs(lo) : llabs(hi);
}

/* In the order of w, so that it is read as it lies. */
static void order_steps(Match *m) {
    for (int i = 1; i < m->steps; i++)
        for (int j = i; j > 0 && longest(m->step[j].w) > longest(m->step[j - 1].w); j--)
            swap_steps(&m->step[j], &m->step[j - 1]);
}

static int64_t terms(const Match *m) {
    int64_t n = 1;
    for (int i = 0; i < m->steps; i++) n *= most_of(m->step[i].size);
    return n;
}

static bool is_exact(const Match *m) { return terms(m) >= LONG_SUM; }

/* The length of pieces of n that are alike, or nearly. */
static int64_t piece(const Expr *n, int64_t most) {
    if (most < 1 || n->kind != E_INT) return most < 1 ? 1 : most;
    for (int64_t size = most; 2 * size > most; size--)
        if (n->i % size == 0) return size;
    return ceil_div(n->i, ceil_div(n->i, most));
}

int64_t sum_piece(const Expr *size) {
    int64_t chain = most_of(size) >= LONG_SUM ? SHORT_CHAIN : CHAIN;
    return size->kind == E_INT && size->i > 3 * chain / 2 ? piece(size, chain) : 0;
}

/* A tile adds to the sums what it summed from 0 on: called for a piece at a time, it makes no long chain. Where pieces
 * begin follows from the lengths of the sum's loops alone, so that neither the number of rows or columns nor the
 * extents of an image decide in which order terms are added: loops that run on are one only later. (A tile has two
 * loops; the innermost two of the sum run on, or do not, by channels and dilation.) */
static void cut_sum(Match *m) {
    int64_t chain = is_exact(m) ? SHORT_CHAIN : CHAIN, n = 1;
    int last = m->steps - 1, loops = last > 0 && runs_on(m->l, &m->step[last - 1], &m->step[last]) ? 3 : 2;
    for (int i = last; i >= 0; i--, loops--) {
        int64_t size = most_of(m->step[i].size);
        if (!loops || n * size > 3 * chain / 2) {
            m->step[i].some = loops ? piece(m->step[i].size, chain / n) : 1;
            while (i--) m->step[i].some = 1;
            return;
        }
        n *= size;
    }
}

/* Loops that run on through both operands are one, if pieces stay what they are. */
static bool join_steps(const Match *m, Step *outer, const Step *inner) {
    int64_t size = inner->size->kind == E_INT ? inner->size->i : 0, some = outer->some;
    if (!runs_on(m->l, outer, inner) || ((inner->some || some) && !size)) return false;
    if (inner->some && size % (inner->some * (is_exact(m) ? PIECES : 1))) return false;
    some = inner->some ? inner->some : some * size;
    *outer = (Step){ix_mul(m->l, outer->size, inner->size), inner->x, inner->w, some};
    return true;
}

static void join_all_steps(Match *m) {
    int n = 0;
    for (int i = 0; i < m->steps; i++)
        if (!n || !join_steps(m, &m->step[n - 1], &m->step[i])) m->step[n++] = m->step[i];
    m->steps = n;
}

/* ---- building ---- */

static Stmt *stmt(Lower *l, Stmt proto) { return arena_copy(l->arena, &proto, sizeof proto); }

static Stmt *loop_over(Lower *l, Axis *a, Stmt *body) {
    return a ? stmt(l, (Stmt){.kind = S_FOR, .axis = a, .body = body}) : body;
}

static Stmt *append(Stmt *first, Stmt *then) {
    Stmt *last = first;
    while (last->next) last = last->next;
    last->next = then;
    return first;
}

/* One kind of tile: where its rows begin, and the axes that count tiles, rows and columns. */
typedef struct {
    Expr *row, *line; /* the first; line: NULL: there are no lines */
    Axis *tiles;
    int rows, lines; /* rows: of each line */
    Expr *height;    /* of a tile, up to `rows`; NULL: all of them */
    Local *sums, *piece;
} Rows;

/* Where a row is in a tile. */
typedef struct {
    Expr *line, *row; /* line: NULL: there is one */
} Place;

static Expr *row_of(Match *m, const Rows *b, Expr *p) { return ix_add(m->l, b->row, p); }

static int all_of_tile(const Rows *b) { return b->lines ? b->lines * b->rows : b->rows; }

/* The row among all of the tile. */
static Expr *row_in_tile(Match *m, const Rows *b, Place at) {
    return at.line ? ix_add(m->l, ix_mul(m->l, at.line, ix(m->l, b->rows)), at.row) : at.row;
}

/* A place in every line of the tile; of the loops over it, *lines is NULL where there is one line. */
static Place new_place(Match *m, const Rows *b, Axis **lines, Axis **rows) {
    Lower *l = m->l;
    *lines = b->lines ? new_axis(l, m->cols, "line", b->lines) : NULL;
    *rows = b->rows > 1 ? new_axis(l, m->cols, "p", b->rows) : NULL;
    return (Place){*lines ? new_axis_expr(l, *lines) : NULL, *rows ? new_axis_expr(l, *rows) : ix(l, 0)};
}

static Expr *column_of(Match *m, Expr *lane) { return ix_add(m->l, ix_mul(m->l, m->panel, ix(m->l, m->width)), lane); }

/* An expression of the nest for row p of the tile and a column of the panel. Axes are swapped one after the other: each
 * swap has to know the expressions that the last one made. */
static Expr *expr_for_tile(Match *m, const Rows *b, Expr *e, Place at, Expr *lane) {
    Lower *l = m->l;
    Substitution column = new_substitution(l, new_axis_expr(l, m->cols), column_of(m, lane));
    e = rewrite(l, e, &column);
    if (!m->rows) return e;
    Substitution row = new_substitution(l, new_axis_expr(l, m->rows), row_of(m, b, at.row));
    e = rewrite(l, e, &row);
    if (!at.line) return e;
    Substitution line = new_substitution(l, new_axis_expr(l, m->lines), ix_add(l, b->line, at.line));
    return rewrite(l, e, &line);
}

/* Whether the last panel may be wider than what is left of the columns. */
static bool has_narrow_panel(const Match *m) { return m->cols->size->kind != E_INT || m->cols->extent % m->width; }

/* for j: `body`, over the columns that the panel has. */
static Stmt *over_columns(Match *m, Axis *lane, Stmt *body) {
    Lower *l = m->l;
    body = loop_over(l, lane, body);
    Expr *left = ix_sub(l, m->cols->size, ix_mul(l, m->panel, ix(l, m->width)));
    if (has_narrow_panel(m)) body->hi = map2(l, OP_Min, left, ix(l, m->width));
    return body;
}

static Expr *sums_index(Match *m, Expr *row, Expr *column) {
    return ix_add(m->l, ix_mul(m->l, row, ix(m->l, m->width)), column);
}

static Stmt *rest_for_tile(Match *m, const Rows *b, Place at, Expr *lane) {
    Lower *l = m->l;
    Substitution column = new_substitution(l, new_axis_expr(l, m->cols), column_of(m, lane));
    Stmt *s = rewrite_stmts(l, m->p.rest, &column);
    if (m->rows) {
        Substitution row = new_substitution(l, new_axis_expr(l, m->rows), row_of(m, b, at.row));
        s = rewrite_stmts(l, s, &row);
    }
    if (at.line) {
        Substitution line = new_substitution(l, new_axis_expr(l, m->lines), ix_add(l, b->line, at.line));
        s = rewrite_stmts(l, s, &line);
    }
    Substitution sum = new_substitution(l, m->p.acc, local_at(l, b->sums, sums_index(m, row_in_tile(m, b, at), lane)));
    return rewrite_stmts(l, s, &sum);
}

/* Over the rows there are. */
static Stmt *over_rows(Lower *l, const Rows *b, Axis *lines, Axis *rows, Stmt *body) {
    Stmt *s = loop_over(l, rows, body);
    if (rows) s->hi = b->height;
    return loop_over(l, lines, s);
}

/* for p, for j: `body`, over the columns there are; `across`: for j, for p. */
static Stmt *over_tile(Match *m, const Rows *b, Axis *lines, Axis *rows, Axis *lane, Stmt *body, bool across) {
    Lower *l = m->l;
    if (across) body = over_rows(l, b, lines, rows, body);
    if (m->cols->extent == 1) {
        Substitution one = new_substitution(l, new_axis_expr(l, lane), ix(l, 0));
        body = rewrite_stmts(l, body, &one);
    } else {
        body = over_columns(m, lane, body);
    }
    return across ? body : over_rows(l, b, lines, rows, body);
}

/* The whole panel, also where it is wider than what is left of the columns; b: of the rows that there are, where all
 * are many; NULL: all. */
static Stmt *fill(Match *m, const Rows *b, Local *sums, Expr *with) {
    Lower *l = m->l;
    int64_t rows = sums->count / m->width;
    Axis *p = rows > 1 ? new_axis(l, m->cols, "p", rows) : NULL, *lane = new_axis(l, m->cols, m->cols->name, m->width);
    Stmt put = {.kind = S_PUT, .local = sums, .expr = with};
    put.index = sums_index(m, p ? new_axis_expr(l, p) : ix(l, 0), new_axis_expr(l, lane));
    Stmt *row = loop_over(l, lane, stmt(l, put));
    return b && sums->count > FEW_SUMS ? over_rows(l, b, NULL, p, row) : loop_over(l, p, row);
}

static Stmt *start_sums(Match *m, const Rows *b) {
    Lower *l = m->l;
    if (m->p.init->expr->kind == E_NUM) return fill(m, b, b->sums, m->p.init->expr);
    Axis *lines, *rows, *lane = new_axis(l, m->cols, m->cols->name, m->width);
    Place at = new_place(m, b, &lines, &rows);
    Expr *column = new_axis_expr(l, lane);
    Stmt put = {.kind = S_PUT, .local = b->sums, .index = sums_index(m, row_in_tile(m, b, at), column)};
    put.expr = expr_for_tile(m, b, m->p.init->expr, at, column);
    Stmt *start = over_tile(m, b, lines, rows, lane, stmt(l, put), false);
    return has_narrow_panel(m) ? append(fill(m, b, b->sums, num(l, DT_f32, 0)), start) : start;
}

/* In the order in which the results lie. */
static Stmt *use_sums(Match *m, const Rows *b) {
    Lower *l = m->l;
    Axis *lines, *rows, *lane = new_axis(l, m->cols, m->cols->name, m->width);
    Place at = new_place(m, b, &lines, &rows);
    const Stmt *store = first_store(m->p.rest);
    bool across = store && m->rows && store_step(store, m->rows) < store_step(store, m->cols);
    return over_tile(m, b, lines, rows, lane, rest_for_tile(m, b, at, new_axis_expr(l, lane)), across);
}

/* The first step of the sum: every axis of it at 0. */
static Expr *start_of_sum(Match *m, Expr *index) {
    for (int i = 0; i < m->p.steps; i++) {
        Substitution w = new_substitution(m->l, new_axis_expr(m->l, m->p.step[i]), ix(m->l, 0));
        index = rewrite(m->l, index, &w);
    }
    return index;
}

static Stmt *call_tile(Match *m, const Rows *b) {
    Lower *l = m->l;
    Tile *t = NEW(l->arena, Tile);
    Step one = {ix(l, 1), ix(l, 0), ix(l, 0), 0}, *inner = m->steps ? &m->step[m->steps - 1] : &one,
         *taps = m->steps > 1 ? inner - 1 : &one;
    *t = (Tile){
        .rows = b->rows, .cols = m->width, .x = m->p.x->value, .w = m->p.w->value, .sums = b->sums, .piece = b->piece};
    t->taps = taps->size, t->x_tap = taps->x, t->w_tap = taps->w, t->group = (int)taps->some;
    t->n = inner->size, t->x_step = inner->x, t->w_step = inner->w, t->chunk = (int)inner->some;
    t->height = b->height, t->lines = b->lines;
    if (b->lines) t->x_line = step_over(l, m->p.x->arg[0], m->lines);
    t->x_row = m->rows ? step_over(l, m->p.x->arg[0], m->rows) : ix(l, 0);
    const Place start = {b->lines ? ix(l, 0) : NULL, ix(l, 0)};
    t->x_at = expr_for_tile(m, b, start_of_sum(m, m->p.x->arg[0]), start, ix(l, 0));
    t->w_at = m->copies ? ix(l, 0) : expr_for_tile(m, b, start_of_sum(m, m->p.w->arg[0]), start, ix(l, 0));
    t->copy = m->copy;
    Stmt *call = stmt(l, (Stmt){.kind = S_TILE, .tile = t});
    for (int i = m->steps - 3; i >= 0; i--) { /* more loops than a tile has: around the call */
        Axis *a = new_axis(l, m->cols, format(l->arena, "%c", "abcdefgh"[i % 8]), most_of(m->step[i].size));
        a->size = m->step[i].size;
        Expr *at = new_axis_expr(l, a);
        a->kind = AX_SEQ;
        t->x_at = ix_add(l, t->x_at, ix_mul(l, at, m->step[i].x));
        t->w_at = ix_add(l, t->w_at, ix_mul(l, at, m->step[i].w));
        call = loop_over(l, a, call);
    }
    return call;
}

static Local *new_sums(Match *m, const char *name, int rows) {
    Local *sums = NEW(m->l->arena, Local);
    *sums = (Local){name, m->l->k->locals++, DT_f32, .count = (int64_t)rows * m->width, .row = rows > 1 ? m->width : 0};
    return sums;
}

static Stmt *declare(Match *m, Local *sums) { return stmt(m->l, (Stmt){.kind = S_LOCAL, .local = sums}); }

/* const int rows = …: what is left for a tile. */
static Stmt *count_rows(Match *m, Rows *b) {
    Lower *l = m->l;
    Temp *rows = NEW(l->arena, Temp);
    *rows = (Temp){"rows", l->k->temps++, DT_index, false};
    b->height = new_temp_expr(l, rows);
    Expr *left = ix_sub(l, m->rows->size, b->row), *most = ix(l, b->rows);
    return stmt(l, (Stmt){.kind = S_LET, .temp = rows, .expr = b->tiles ? map2(l, OP_Min, left, most) : left});
}

/* for k, for j: panel[k][j] = w[…], 0 where there is no column: a loop of known length, whose last turns a mask leaves
 * out, where one as long as the columns left would go on element by element. */
static Stmt *copy_panel(Match *m) {
    Lower *l = m->l;
    Axis *k = arena_copy(l->arena, m->p.step[0], sizeof *k), *lane = new_axis(l, m->cols, m->cols->name, m->width);
    k->id = l->k->axes++, k->kind = AX_PAR;
    Expr *column = column_of(m, new_axis_expr(l, lane));
    Substitution columns = new_substitution(l, new_axis_expr(l, m->cols), column);
    Expr *w = rewrite(l, m->p.w, &columns);
    Substitution step = new_substitution(l, new_axis_expr(l, m->p.step[0]), new_axis_expr(l, k));
    w = rewrite(l, w, &step);
    Stmt put = {.kind = S_PUT, .local = m->copy};
    put.expr = select_of(l, ix_less(l, column, m->cols->size), w, num(l, DT_f32, 0));
    put.index = sums_index(m, new_axis_expr(l, k), new_axis_expr(l, lane));
    return loop_over(l, k, loop_over(l, lane, stmt(l, put)));
}

/* The tile that b describes, from its start to the results. */
static Stmt *one_tile(Match *m, Rows *b) {
    b->sums = new_sums(m, "sums", all_of_tile(b));
    Stmt *body = append(declare(m, b->sums), start_sums(m, b));
    if (is_exact(m)) {
        b->piece = new_sums(m, "piece", 2 * all_of_tile(b));
        append(append(body, declare(m, b->piece)), fill(m, NULL, b->piece, num(m->l, DT_f32, 0)));
    }
    return append(append(body, call_tile(m, b)), use_sums(m, b));
}

/* `count` tiles (an expression) of `rows` rows, from row `first` on; open: of up to so many. */
static Stmt *tiles_of(Match *m, Expr *first, Expr *count, int rows, bool open) {
    Lower *l = m->l;
    Rows b = {.row = first, .rows = rows};
    int64_t lo, hi = 0;
    bounds_of(count, &lo, &hi);
    if (m->rows && !(count->kind == E_INT && count->i == 1)) {
        b.tiles = new_axis(l, m->rows, rows > 1 ? format(l->arena, "%s0", m->rows->name) : m->rows->name, hi);
        b.tiles->size = count;
        b.row = ix_add(l, first, ix_mul(l, new_axis_expr(l, b.tiles), ix(l, rows)));
    }
    Stmt *height = open ? count_rows(m, &b) : NULL, *body = one_tile(m, &b);
    if (m->rows_outside) body = loop_over(l, m->panels, body);
    if (height) height->next = body;
    return loop_over(l, b.tiles, height ? height : body);
}

/* Lines of a tile, at most; 0: a line is not one tile. */
static int most_lines(const Match *m) {
    const Axis *a = m->rows;
    if (!a || a->size->kind != E_INT || a->extent > most_tile_rows(m->target, m->width)) return 0;
    int rows = LINE_SUMS / m->width < LINE_ROWS ? LINE_SUMS / m->width : LINE_ROWS;
    return rows / (int)a->extent;
}

/* `count` tiles of `lines` lines, from line `first` on. */
static Stmt *line_tiles(Match *m, int64_t first, int64_t count, int lines) {
    Lower *l = m->l;
    Rows b = {.row = ix(l, 0), .line = ix(l, first), .rows = (int)m->rows->extent, .lines = lines};
    if (count == 1) return one_tile(m, &b);
    b.tiles = new_axis(l, m->lines, format(l->arena, "%s0", m->lines->name), count);
    b.line = ix_add(l, b.line, ix_mul(l, new_axis_expr(l, b.tiles), ix(l, lines)));
    return loop_over(l, b.tiles, one_tile(m, &b));
}

/* Rows whose number is known are cut evenly; others into full tiles, and one of what is left. */
static Stmt *all_rows(Match *m) {
    Lower *l = m->l;
    int most = most_tile_rows(m->target, m->width);
    if (m->lines) {
        RowTiles r = tile_rows(m->lines->extent, most_lines(m));
        Stmt *first = line_tiles(m, 0, r.count[0], r.size[0]);
        return r.count[1] ? append(first, line_tiles(m, r.count[0] * r.size[0], r.count[1], r.size[1])) : first;
    }
    if (!m->rows) return tiles_of(m, ix(l, 0), ix(l, 1), 1, false);
    Expr *size = m->rows->size;
    if (size->kind != E_INT) {
        bool one = most_of(size) <= most;
        if (one) most = (int)most_of(size);
        Expr *count = ix_div(l, ix_add(l, size, ix(l, most - 1)), ix(l, most));
        return tiles_of(m, ix(l, 0), one ? ix(l, 1) : count, most, most > 1);
    }
    RowTiles r = tile_rows(m->rows->extent, most);
    Stmt *first = tiles_of(m, ix(l, 0), ix(l, r.count[0]), r.size[0], false);
    if (!r.count[1]) return first;
    return append(first, tiles_of(m, ix(l, r.count[0] * r.size[0]), ix(l, r.count[1]), r.size[1], false));
}

/* Bytes of what the rows lie in: x, or the result, which panels would go through in strips of their width. */
static int64_t largest_image(const Match *m) {
    const Stmt *store = first_store(m->p.rest);
    int64_t x = value_bytes(m->p.x->value), y = store ? value_bytes(store->value) : 0;
    return x > y ? x : y;
}

/* Whether panels are read again for every turn of a loop rather than x for every panel: x is too large to stay in a
 * cache, and w is not, or it is less that way. */
static bool reads_panels_again(const Match *m, const Axis *a) {
    int64_t x = value_bytes(m->p.x->value), w = value_bytes(m->p.w->value);
    if (w <= RESIDENT) return largest_image(m) > RESIDENT;
    return x > RESIDENT && w * a->extent <= x * m->panels->extent;
}

/* Panels are the outermost loop but for those that w moves along too, and the outermost of the nest where that reads
 * less. */
static bool outside_panels(const Match *m, const Axis *a) {
    if (uses_axis(m->p.w->arg[0], a)) return true;
    return a == m->p.loop[0]->axis && m->p.loops > 2 && reads_panels_again(m, a);
}

/* Whether rows go outside of panels: all panels stay in a cache that is near, and results and what the rest reads
 * beside them are gone through row by row, not in strips of the panel's width from page to page. Rows that a call
 * counts are all in tiles of one kind; of others it is worth it where they are a large image, and tiles tall. */
static bool has_rows_outside(const Match *m) {
    if (!m->rows || m->lines || m->copies || m->panels->extent == 1) return false;
    bool open = m->rows->size->kind != E_INT;
    if (!open && (largest_image(m) <= RESIDENT || most_tile_rows(m->target, m->width) < TALL)) return false;
    for (int i = 0; i < m->p.loops; i++) {
        const Axis *a = m->p.loop[i]->axis;
        if (a == m->cols || a == m->rows) continue;
        if (!outside_panels(m, a) || (!open && uses_axis(m->p.x->arg[0], a))) return false;
    }
    return value_bytes(m->p.w->value) <= NEAR;
}

static bool sums_in_pieces(const Match *m) {
    for (int i = 0; i < m->steps; i++)
        if (m->step[i].some && (m->step[i].size->kind != E_INT || m->step[i].some < m->step[i].size->i)) return true;
    return false;
}

/* The loop whose turns a tile takes as lines: a piece of w is read for all of them while it is near. */
static Axis *find_lines(const Match *m) {
    if (most_lines(m) < 2 || !sums_in_pieces(m) || terms(m) * m->width <= NEAR_PANEL) return NULL;
    for (int i = m->p.loops - 1; i >= 0; i--) {
        Axis *a = m->p.loop[i]->axis;
        if (a == m->cols || a == m->rows || uses_axis(m->p.w->arg[0], a) || !uses_axis(m->p.x->arg[0], a)) continue;
        bool fits = a->size->kind == E_INT && a->extent > 1 && step_over(m->l, m->p.x->arg[0], a);
        return fits && !outside_panels(m, a) ? a : NULL;
    }
    return NULL;
}

static void rebuild(Match *m, Stmt *s) {
    Lower *l = m->l;
    m->lines = find_lines(m);
    m->rows_outside = has_rows_outside(m);
    if (m->copies) m->copy = new_sums(m, "panel", (int)m->p.step[0]->extent);
    Stmt *body = all_rows(m);
    for (int inside = 1; inside >= 0; inside--) {
        for (int i = m->p.loops - 1; i >= 0; i--) {
            Axis *a = m->p.loop[i]->axis;
            if (a != m->cols && a != m->rows && a != m->lines && outside_panels(m, a) == !inside)
                body = loop_over(l, a, body);
        }
        if (inside && m->copies) body = append(copy_panel(m), body);
        if (inside && m->panels->extent > 1 && !m->rows_outside) body = loop_over(l, m->panels, body);
        if (inside && m->copies) body = append(declare(m, m->copy), body);
    }
    if (m->panels->extent == 1) {
        Substitution w = new_substitution(l, m->panel, ix(l, 0));
        body = rewrite_stmts(l, body, &w);
    }
    for (Stmt *b = body; b; b = b->next) b->done = true;
    append(body, s->next);
    *s = *body;
}

void tile_contractions(Lower *l, const Target *target, Stmt **list, bool affine_only) {
    for (Stmt *s = *list; s; s = s->next) {
        Match m = {.l = l, .target = target, .affine_only = affine_only};
        if (s->done) continue;
        if (match(&m, s)) {
            order_steps(&m), cut_sum(&m), join_all_steps(&m);
            rebuild(&m, s);
        } else if (!m.non_affine) {
            tile_contractions(l, target, &s->body, affine_only);
            tile_contractions(l, target, &s->other, affine_only);
        }
    }
}
