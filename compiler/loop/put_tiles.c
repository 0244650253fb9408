/* put_tiles.c - the functions behind tiles, from templates. */
#include "template.h"
#include "tile.h"

extern const char embedded_noinline_h[], embedded_rolled_h[], embedded_vector_h[], embedded_tile_h[],
    embedded_tile_vector_h[];

static const struct {
    const char *name, *text;
} texts[] = {{"noinline.h", embedded_noinline_h},
             {"rolled.h", embedded_rolled_h},
             {"vector.h", embedded_vector_h},
             {"tile.h", embedded_tile_h},
             {"tile_vector.h", embedded_tile_vector_h}};

static const char *text_of_template(const char *name) {
    for (int i = 0; i < COUNT(texts); i++)
        if (!strcmp(texts[i].name, name)) return texts[i].text;
    bug(__FILE__, __LINE__, name);
}

const char *tile_name(Arena *a, const Tile *t) { return format(a, "tile_%dx%d", t->rows, t->cols); }

static void put_template(Str *out, const Target *t, const char *file, const char *name, int rows, int cols) {
    Blank blanks[] = {{"rows", NULL, rows, 0},      {"cols", NULL, cols, 0},
                      {"lanes", NULL, t->lanes, 0}, {"bytes", NULL, 4 * t->lanes, 0},
                      {"p", NULL, 0, rows},         {"q", NULL, 0, (cols + t->lanes - 1) / t->lanes},
                      {"name", name, 0, 0},         {"target", t->name, 0, 0},
                      {"macro", t->macro, 0, 0},    {"flags", t->flags, 0, 0}};
    fill_template(out, text_of_template(file), COUNT(blanks), blanks);
    put_text(out, "\n");
}

static bool seen(const List *needs, int i) {
    for (int j = 0; j < i; j++)
        if (!strcmp(needs->at[j], needs->at[i])) return true;
    return false;
}

void put_tiles(Str *out, const Target *t, const List *needs) {
    bool first = true;
    for (int i = 0; i < needs->n; i++) {
        const char *name = needs->at[i], *file;
        int rows, cols;
        if (sscanf(name, "tile_%dx%d", &rows, &cols) != 2 || seen(needs, i)) continue;
        for (int j = 0; (file = t->templates[j]); j++)
            if (first || !t->templates[j + 1]) put_template(out, t, file, name, rows, cols);
        first = false;
    }
}
