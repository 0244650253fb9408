/* diag.h - errors and warnings, each with its place in the model. */
#ifndef NNCC_IR_DIAG_H
#define NNCC_IR_DIAG_H

#include "ir/ir.h"

/* Stops the compilation: prints "file:line:col: error: …" with the line and a caret, or "file: node 'x' (Op): …",
 * and returns through the module's jmp_buf with `code`. */
_Noreturn void fatal_at(Module *, int code, Loc, const char *fmt, ...) PRINTF_LIKE(4, 5);
_Noreturn void fatal(Module *, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same with EXIT_INPUT, of shapes that do not fit: an extent that nobody gave is named as a possible cause. */
_Noreturn void misfit_at(Module *, Loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Records a problem with a node and goes on, so that all are listed together. `code` is EXIT_INPUT or EXIT_UNSUPPORTED.
 * The text says what was expected and what was seen; node and operator are added here. */
void problem(Node *, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
void problem_at(Module *, int code, Loc, const char *op, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* A check of ours failed behind `step`, such as "pass 'fuse'": says so, and what; then give_up() stops. */
void tell_internal_error(Module *, const char *step, const Node *, const char *what);
_Noreturn void give_up(Module *);
/* If problems were recorded: prints them grouped, and stops. */
void stop_on_problems(Module *);
void warn(Module *, const char *fmt, ...) PRINTF_LIKE(2, 3);
void inform(Module *, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
