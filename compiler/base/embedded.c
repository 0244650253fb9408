/* embedded.c - the files that nncc carries as text, found by name. */
#include "base/embedded.h"
#include "base/base.h"

const EmbeddedFile embedded_files[] = {
#define EMBED(use, id, path) {use, path, embedded_##id},
#include "base/runtime_files.def"
#undef EMBED
    {.path = NULL},
};

const char *embedded_name(const EmbeddedFile *f) { return strrchr(f->path, '/') + 1; }

const char *embedded_text(const char *name) {
    for (const EmbeddedFile *f = embedded_files; f->path; f++)
        if (!strcmp(embedded_name(f), name)) return f->text;
    bug(__FILE__, __LINE__, name);
}
