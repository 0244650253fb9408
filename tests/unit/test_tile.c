/* Targets and templates: rows are cut into tiles without remainder, panels waste as little as they can, and templates
 * fill in what they name. */
#include "check.h"
#include "render/template.h"
#include "targets.h"

static void test_rows(void) {
    for (int most = 1; most <= 14; most++)
        for (int64_t rows = 1; rows < 300; rows++) {
            RowTiles r = tile_rows(rows, most);
            CHECK(r.count[0] * r.size[0] + r.count[1] * r.size[1] == rows);
            CHECK(r.count[0] > 0 && r.count[1] >= 0 && r.size[0] <= most && (!r.count[1] || r.size[1] > 0));
            CHECK(r.count[0] + r.count[1] == ceil_div(rows, most));
        }
}

/* Sums, a vector of w for each (one, for a single row), and one of x: more would spill. Parts cover the tile. */
static void check_parts(const Target *t, int rows, int cols) {
    TileParts p = choose_parts(t, rows, cols);
    int vectors = p.lanes ? p.cols / p.lanes : 0, high = p.rows.size[0];
    CHECK(p.cols > 0 && cols % p.cols == 0 && p.cols % p.lanes == 0 && p.lanes <= t->lanes);
    CHECK(p.rows.count[0] * high + p.rows.count[1] * p.rows.size[1] == rows);
    CHECK(high <= 14 && vectors <= 16); /* the array of sums in templates/c/tile_vector.h */
    if (t->registers) CHECK(high * vectors + (high > 1 ? vectors : 1) + 1 <= t->registers);
    if (t->most_cols) CHECK(p.cols <= t->most_cols);
}

static void test_registers(void) {
    for (const Target *t = targets; t->name; t++)
        for (int i = 0; i < TARGET_PANELS && t->panels[i]; i++) {
            int most = most_tile_rows(t, t->panels[i]);
            CHECK(most >= 1 && (!t->most_rows || most <= t->most_rows));
            CHECK(!i || t->panels[i] < t->panels[i - 1]);
            for (int rows = 1; rows <= most && !t->isas[0]; rows++) check_parts(t, rows, t->panels[i]);
        }
}

/* Weights files are interchangeable. */
static void test_same_panels(void) {
    for (const Target *t = targets; t->name; t++)
        for (int64_t rows = 1; rows < 200 && t->panels[0]; rows += 1 + rows / 7)
            for (int64_t cols = 1; cols < 300; cols++)
                CHECK(choose_panel(t, rows, cols, false) == choose_panel(&targets[0], rows, cols, false));
}

static void test_panels(void) {
    const Target *c = find_target("c"), *wide = find_target("avx512");
    CHECK(choose_panel(c, 1, 3, false) == 4);
    CHECK(choose_panel(c, 100, 512, false) == 32);
    CHECK(choose_panel(c, 100, 30, true) == 0);
    CHECK(choose_panel(wide, 256, 512, false) == 64 || choose_panel(wide, 256, 512, false) == 32);
    CHECK(choose_panel(wide, 256, 48, true) == 48 || choose_panel(wide, 256, 48, true) == 16);
    CHECK(choose_panel(wide, 7, 1, false) == 4);
    CHECK(find_target("native") != NULL && find_target("z80") == NULL);
}

static const char *filled(Arena *a, const char *text) {
    Str s = {.arena = a};
    Blank blanks[] = {
        {"rows", NULL, 3, 0}, {"n", NULL, 10, 0}, {"who", "me", 0, 0}, {"p", NULL, 0, 3}, {"q", NULL, 0, 2}};
    fill_template(&s, text, COUNT(blanks), blanks);
    return s.s ? s.s : "";
}

static void test_template(void) {
    Arena *a = arena_new(0, NULL, NULL);
    CHECK(!strcmp(filled(a, ""), ""));
    CHECK(!strcmp(filled(a, "plain $ text\n"), "plain $ text\n"));
    CHECK(!strcmp(filled(a, "$(who) has $(rows)"), "me has 3"));
    CHECK(!strcmp(filled(a, "$(rows*n+2) $(2+rows*2*n)"), "32 62"));
    CHECK(!strcmp(filled(a, "f(${q|, :x$(q)$});"), "f(x0, x1);"));
    CHECK(!strcmp(filled(a, "a\n@p $(p)\nb"), "a\n 0\n 1\n 2\nb"));
    CHECK(!strcmp(filled(a, "@p${q| :s$(p)_$(q)$};\n"), "s0_0 s0_1;\ns1_0 s1_1;\ns2_0 s2_1;\n"));
    arena_free(a);
}

int main(void) {
    test_rows();
    test_registers();
    test_same_panels();
    test_panels();
    test_template();
    return failures();
}
