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

/* Sums, a vector of w for each, and one of x: more would spill. */
static void test_registers(void) {
    for (const Target *t = targets; t->name; t++)
        for (int i = 0; i < TARGET_PANELS && t->panels[i]; i++) {
            int vectors = (int)ceil_div(t->panels[i], t->lanes), rows = most_tile_rows(t, t->panels[i]);
            CHECK(rows >= 1 && rows <= t->most_rows);
            if (t->registers) CHECK(rows * vectors + vectors + 1 <= t->registers);
            if (t->registers) CHECK(t->panels[i] % t->lanes == 0 || t->panels[i] < t->lanes);
            CHECK(!i || t->panels[i] < t->panels[i - 1]);
        }
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
    test_panels();
    test_template();
    return failures();
}
