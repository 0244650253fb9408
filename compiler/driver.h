/* driver.h - one compilation: a model read by its contents, the passes, and what the caller wants done with the result.
 */
#ifndef NNCC_DRIVER_H
#define NNCC_DRIVER_H

#include "emit/output.h"
#include "ir/ir.h"

/* Reads a model by content: ONNX or text. Problems end through the escape. */
int load_model(Module *, const char *path);
int compile(Options *, FILE *err, int (*then)(Module *, void *),
            void *arg); /* load, passes, then `then`; owns the module */

/* A module whose later stages are known to the earlier ones. */
Module *new_module(Options *, FILE *err, jmp_buf *escape, size_t memory_limit);
enum { MAX_ENTRIES = 12 };
/* Compiles the source once for each function of a training program; `then` gets all modules. */
int compile_entries(Options *, FILE *err, int n, const Entry *const *, int (*then)(Module **, int, void *), void *arg);
/* compile() without the passes: the model as it was read. */
int load_only(Options *, FILE *err, int (*then)(Module *, void *), void *arg);

/* What messages call a model: its file's name without the folders. */
const char *source_name(const char *path);
/* The text of every generated file. */
Output emit_all(Module *);
Output emit_training(Module **, int n); /* of the functions of a program that trains */

#endif
