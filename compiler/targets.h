/* targets.h - the table of targets (targets.def). It points into the backends and the harness, so that only the command
 * line stands above it: others are handed a Target. */
#ifndef NNCC_TARGETS_H
#define NNCC_TARGETS_H

#include "ir/target.h"

extern const Target targets[];               /* the first is the default; ends with a NULL name */
const Target *find_target(const char *name); /* "native": that of this machine; NULL if unknown */

#endif
