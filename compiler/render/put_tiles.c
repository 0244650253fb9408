/* put_tiles.c - the functions behind tiles, from templates. */
#include "base/embedded.h"
#include "render/template.h"
#include "schedule/tile.h"

const char *tile_name(Arena *a, const Tile *t) { return format(a, "tile_%dx%d", t->rows, t->cols); }

static void put_template(Str *out, const Target *t, const char *file, const char *name, int rows, int cols) {
    Blank blanks[] = {{"rows", NULL, rows, 0},      {"cols", NULL, cols, 0},
                      {"lanes", NULL, t->lanes, 0}, {"bytes", NULL, 4 * t->lanes, 0},
                      {"p", NULL, 0, rows},         {"q", NULL, 0, (cols + t->lanes - 1) / t->lanes},
                      {"name", name, 0, 0},         {"target", t->name, 0, 0},
                      {"macro", t->macro, 0, 0},    {"flags", t->flags, 0, 0}};
    fill_template(out, embedded_text(file), COUNT(blanks), blanks);
    put_text(out, "\n");
}

static bool seen(Arena *a, List *done, const char *name) {
    for (int i = 0; i < done->n; i++)
        if (!strcmp(done->at[i], name)) return true;
    push(a, done, (void *)(uintptr_t)name);
    return false;
}

/* A panel narrower than a vector is portable C's. */
static const char *const *files_of(const Target *t, int cols) {
    static const char *const narrow[TARGET_TEMPLATES] = {"noinline.h", "rolled.h", "tile.h"};
    return cols < t->lanes ? narrow : t->templates;
}

void put_tiles(Str *out, const Target *t, const List *needs) {
    List done = {0};
    for (int i = 0; i < needs->n; i++) {
        const char *name = needs->at[i];
        int rows, cols;
        if (sscanf(name, "tile_%dx%d", &rows, &cols) != 2 || seen(out->arena, &done, name)) continue;
        for (const char *const *file = files_of(t, cols); *file; file++)
            if (!file[1] || !seen(out->arena, &done, *file)) put_template(out, t, *file, name, rows, cols);
    }
}
