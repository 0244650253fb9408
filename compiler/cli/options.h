/* options.h - the rows of verbs and options, for those who go through them. */
#ifndef NNCC_CLI_OPTIONS_H
#define NNCC_CLI_OPTIONS_H

#include "cli/command.h"
#include <stddef.h>

/* The verbs as bits; which of them have a use for an option is in its row. GENERATING: C is made of the whole network.
 * BUILDING: it is compiled and run. */
enum {
    COMPILE = 1,
    SUMMARY = 2,
    CHECK = 4,
    VERIFY = 8,
    RUN = 16,
    BENCH = 32,
    TRAIN = 64,
    GRADCHECK = 128,
    EVAL = 256,
    PREDICT = 512,
    ON_DATA = TRAIN | EVAL | PREDICT,
    BUILDING = VERIFY | RUN | BENCH | ON_DATA,
    GENERATING = COMPILE | SUMMARY | CHECK | BUILDING,
    TRAINING = COMPILE | SUMMARY | ON_DATA,
    ALL = GENERATING | GRADCHECK
};

#define AT(field) offsetof(Command, field)

typedef struct Flag Flag;
/* Takes an option's value. NULL, or what is wrong with it. */
typedef const char *SetOption(Command *, const Flag *, const char *value);
struct Flag {
    const char *name, *arg; /* arg "[=x]": may be left out; NULL: takes none */
    SetOption *set;
    size_t at;      /* the field that the general setters fill */
    unsigned verbs; /* those that have a use for it; of a request any, for it is done instead */
    const char *doc;
    enum {
        ALONE,
        WITH_TRAIN, /* it goes with --train, unless the verb trains */
        WITHOUT_TRAIN,
        WITH_NN /* it goes with --emit=nn */
    } with;
    int (*request)(Command *); /* what is done instead of a verb */
    bool later;                /* reserved for a later version */
};
extern const Flag flags[]; /* ends with a row that has neither name nor doc */

/* option_values.c: to the field at Flag.at, unless the name says another. */
SetOption set_true, set_text, set_word, check_word, check_nothing, set_target, set_weights, set_second, set_level,
    set_bytes, set_count, push_pair, set_loss, set_optimizer, set_flavor, set_schedule, push_head, set_weigh, set_lr,
    set_plateau, push_text, push_names, set_number, push_dim, set_prefix, set_request;

#endif
