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
/* text/layers.c: a lower-case layer call expands to operators and params. in: its arguments; returns its value. */
Value *build_layer(Graph *, const char *layer, int nin, Value *const *in, int nattr, const Attr *, Loc,
                   const Loc *attr_locs);
bool is_layer(const char *name);

#endif
