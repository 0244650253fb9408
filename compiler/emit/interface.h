/* interface.h - the header of a generated network, from declarations that its ABI is the hash of: what the files that
 * write one share.
 */
#ifndef NNCC_INTERFACE_H
#define NNCC_INTERFACE_H
#include "emit/emit.h"

/* Declarations, in the header and in e->abi; comment: NULL for none. */
void record_abi(Emit *, const char *line); /* what a caller relies on and no declaration says */
void put_macro(Emit *, const char *name, const char *value, const char *comment);
void put_size_macro(Emit *, const char *name, int64_t value);
void put_member(Emit *, const char *declaration, const char *comment);
void put_prototype(Emit *, const char *result, const char *verb, const char *parameters);
const char *net_parameter(Emit *, const char *qualifier); /* const mnist_net *net */
void length_macros(Emit *, Value *const *, int n);
void bound_macros(Emit *); /* the greatest extents of dims that a call gives */
void status_codes(Emit *);
void put_check_line(Emit *, const Check *, const char *when); /* of p_check */
void determinism_line(Emit *);                                /* of the manual */
void begin_context(Emit *, const char *note);                 /* the struct, up to its first field */
void dim_fields(Emit *);
void thread_fields(Emit *); /* with --threads; and their bound */
void thread_macros(Emit *);
void put_link_name(Emit *, const char *name); /* of a function or table of the C that the header declares */
void put_abi(Emit *, const Str *rest);        /* the hash, the linker's names, and what declares these */
void storage_macro(Emit *, const char *what, const char *doc);
void put_c_open(Emit *);
void put_of_backend(Emit *, void (*part)(Emit *)); /* a part of the header that only some have; NULL: not this one */
const char *include_of(const Emit *);
void field(Emit *, const Value *, const char *qualifier, const char *direction);

/* How often a Loop runs at most, for its M, if that is a number or an extent; NULL: it has to be read. */
const char *iterations(Emit *, const Value *);

/* What a tensor takes at the extents of the call. */
const char *bytes_in_call(Emit *, const Value *);
void put_row_pointer(Emit *, const Node *, int indent); /* storage.c: of a row that a turn reads where it lies */
void put_extent(Str *, const Symbol *name, const void *module); /* in C, within a function of the network */

void put_bases(Emit *);           /* the pointers that its body uses */
void put_weights_pointer(Emit *); /* where the weights lie that are not in the C */

/* parts.c, with --threads: says who runs the node's step, having waited if that is needed; the indent for it. */
int begin_part(Emit *, const Node *);
void read_by_all(Emit *, const Value *);        /* by the code that follows */
void put_part_hook(Emit *, int step);           /* the caller's clock, when all are done */
void put_meeting(Emit *);                       /* where threads wait for each other */
void take_steps(Emit *, const char *verb);      /* the names of that function and those around it */
void put_steps(Emit *, const char *verb);       /* the function that each thread runs */
void put_run_divided(Emit *, const char *verb); /* the public ones around it */

bool is_stored(const Value *); /* whether control flow has it to copy */

#endif
