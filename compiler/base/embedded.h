/* embedded.h - the files of runtime/ and templates/ that nncc carries as text (runtime_files.def). */
#ifndef NNCC_BASE_EMBEDDED_H
#define NNCC_BASE_EMBEDDED_H

enum {
    IN_OUTPUT = 1,
    BESIDE_TRAINING = 2,
    BESIDE_CUDA = 4,
    EMULATOR = 8,
    MAIN = 16,
    TEMPLATE = 32,
    BESIDE_THREADS = 64
};

typedef struct {
    int use;
    const char *path, *text;
} EmbeddedFile;
extern const EmbeddedFile embedded_files[];      /* ends with a NULL path */
const char *embedded_name(const EmbeddedFile *); /* the last part of its path */
/* The text of a file of that name; a fault is our bug. */
const char *embedded_text(const char *name);

#define EMBED(use, id, path) extern const char embedded_##id[];
#include "base/runtime_files.def"
#undef EMBED

#endif
