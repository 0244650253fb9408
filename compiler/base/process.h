/* process.h - running other programs, and the directory their files lie in. */
#ifndef NNCC_PROCESS_H
#define NNCC_PROCESS_H

#include "base/base.h"

typedef enum { P_EXITED, P_SIGNALLED, P_TIMED_OUT, P_NOT_FOUND } ProcessEnd;
typedef struct {
    ProcessEnd end;
    int code;
    double seconds;
} ProcessResult; /* code: exit status or signal */

/* Runs argv[0] (looked up in PATH) in `dir`, with no shell between. Its output and messages go to the file `log` in
 * `dir` (NULL: to where ours go). With a `limit` it and its children get `limit` seconds of processor time each; it
 * gets as many of the clock, twice. A signal that ends nncc ends it, and what it started, too. */
ProcessResult run_process(const char *const *argv, const char *dir, const char *log, int limit);

/* Words of a command such as "gcc -m32", split at blanks. */
void split_words(Arena *, const char *, List *words);

/* A fresh directory under $TMPDIR (or /tmp), which a signal that ends nncc removes; or `dir`, made if it is not
 * there. NULL with errno set. */
char *working_dir(Arena *, const char *dir);
/* Removes a directory and the files in it. */
void remove_dir(const char *);

double seconds_now(void);

#endif
