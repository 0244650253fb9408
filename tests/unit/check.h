/* check.h - the least a unit test needs: CHECK() counts and prints what does not hold; main() returns failures(). */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static int checks_failed;
#define CHECK(c)                                                                                                       \
    ((c) ? (void)0 : (void)(checks_failed++, fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #c)))
static inline int failures(void) { return checks_failed != 0; }

#endif
