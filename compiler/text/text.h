/* text.h - the .nn language: parser, layers, printer.
 *
 * This room calls base, ir, io and ops. */
#ifndef NNCC_TEXT_TEXT_H
#define NNCC_TEXT_TEXT_H

#include "ir/ir.h"

void parse_text(Module *, const char *path, const char *text, size_t n); /* text/parse.c */
void print_module(Module *, Str *,
                  Str *weights); /* the whole module; tensors above 32 elements go to `weights` (NULL: inline) */
void print_node(Str *, const Node *);
#endif
