/* isas.h - the parts of a file: what is there once, the kernels, and what is public. In a file for several instruction
 * sets (Target.isas) the kernels and what calls them come last, for it includes itself. */
#ifndef NNCC_ISAS_H
#define NNCC_ISAS_H
#include "emit/emit.h"

/* emit.c */
void begin_public(Emit *);
void put_public(Emit *, const char *verb); /* as the caller calls it */
bool begin_set(Emit *);                    /* whether there is such a part: put_run of every verb belongs there */
void end_file(Emit *);
/* isas.c */
void put_isas_chosen(Emit *); /* the macros that say for which */
/* Whether a kernel's vectors had better be half as long as the longest that some set has. */
bool has_short_rows(const Emit *, const Kernel *);
void put_short_rows(Emit *); /* the macro before such */
void put_each_isa(Emit *);   /* the file once for each, and how the best one is chosen */

#endif
