/* command.h - the command line: what was asked for, and the verbs that do it. */
#ifndef NNCC_COMMAND_H
#define NNCC_COMMAND_H

#include "harness/compare.h"
#include "harness/harness.h"
#include "ir/ir.h"

typedef struct Command Command;
struct Command {
    Options opt;
    Arena *arena;
    int (*verb)(Command *); /* what to do: of verbs[], or of an option such as --list-ops */
    List words;             /* char *: the model, and what follows it */
    List inputs, outputs;   /* Rename *: name=file, of run */
    Tolerance tol;
    const char *explain; /* a node's name */
    RunSettings run;
    const char *keep, *topic; /* topic: the value of an option that is a request, as in --list-ops=md */
    const char *entry;        /* with --emit=nn: the function that is printed */
    const char *checkpoint;   /* of train */
    List data, validation;    /* char *: files, PATH or NAME=PATH; or how much is for validation */
    const char *augment, *metrics, *log, *tensorboard, *plot, *monitor, *plateau; /* as the program takes them */
    int patience, every;                                                          /* epochs; 0: not said */
    bool keep_best;
    const char *start_from; /* NULL: nothing */
    List head;              /* char *: patterns */
    const char *text;       /* "chars", "words"; NULL: not said */
    int sample;             /* pieces of text that predict writes; 0: it is of data */
    double temperature;
    const char *prompt;    /* NULL: not said */
    bool weigh;            /* classes are weighted by how rare they are */
    List columns, classes; /* char *: NAME=COLUMN,COLUMN…; NAME=CLASS,CLASS… */
    List given;            /* the options, rows of options.c */
    bool resume, json;     /* json: what bench prints */
    int epochs, seed;      /* 0: what the train line says, else 1 */
    int samples;           /* elements of each tensor that gradcheck varies */
};

typedef struct {
    const char *name, *words, *doc;
    int (*run)(Command *);
    bool on_cpu;  /* it is for networks on the CPU alone */
    bool more;    /* it takes more than one argument */
    bool trains;  /* it needs gradients, without --train */
    unsigned bit; /* in the rows of options */
    bool later;   /* the name is reserved for a later version */
} Verb;
extern const Verb verbs[]; /* the first is the default; ends with a NULL name */

int verb_compile(Command *);
int verb_summary(Command *);
int verb_check(Command *);
int verb_verify(Command *);
int verb_run(Command *);
int verb_bench(Command *);
int verb_gradcheck(Command *);
int verb_train(Command *);
int verb_eval(Command *);
int verb_predict(Command *);
int verb_help(Command *);

/* tables.c: what is done instead of a verb. */
int print_ops(Command *);
int print_layers(Command *);
int print_initialisers(Command *);
int print_losses(Command *);
int print_rates(Command *);
int print_optimizers(Command *);
int print_metrics(Command *);
int print_targets(Command *);
int print_passes(Command *);
int print_rules(Command *);
int print_schedules(Command *);
int print_behaviours(Command *);
int print_faults(Command *);
int print_version(Command *);

/* The same for the functions of a program, or the one that --entry names. */
int compile_training(Command *, int (*then)(Module **, int, void *));
/* Why a file is not called so if `content`, a word such as "C" or "onnx", is written to it: its ending says something
 * else. NULL: it may be. */
const char *misnamed(Arena *, const char *option, const char *path, const char *content);
int explain(Command *); /* --explain */

/* The file that the model or its inputs are read from and that writing `path` would overwrite; NULL: none. `m` knows
 * the external data, and may be NULL. */
const char *overwritten_input(const Command *, const Module *m, const char *path);

/* Defaults of every option, in an arena of its own. */
void command_new(Command *);
void command_free(Command *);
/* A prefix for exported names: what is left of `name` in C's letters; never a keyword. */
const char *make_prefix(Arena *, const char *name);
/* Fills `c` from arguments (without the program's name). EXIT_OK, or EXIT_USAGE after a line on `err`. */
int parse_command(Command *c, int n, char **args, FILE *err);
/* Runs `verb` on each model that was named, or each folder's; the worst exit code. */
int each_model(Command *c, int (*verb)(Command *));

/* train_processes.c */
bool is_first_process(const Command *); /* or the only one */
int prepare_processes(Command *);       /* an exit code, after a message */

/* train_facts.c */
enum { MAX_PORTS = 32 }; /* NNCC_PORTS of runtime/nncc_train.h */
/* What data is read for: inputs, then targets. */
int data_ports(Module *, const Value *port[MAX_PORTS]);
void check_data_line(Module *); /* lists its faults, and stops if there are any */
void check_ports(Module *);     /* their first dim counts examples */
void check_trainer(Module *);   /* what is asked for and cannot be: told before anything is built */
/* program.h: what differs between programs that train (runtime/main/train_main.c). */
void put_training_facts(Str *, Module *train, Module *predict);

/* verify.c */
/* The model's own inputs and outputs: those bound by --const included, open dims open. An exit code. */
int model_interface(Command *, Interface *, FILE *err);
/* The whole of `nncc verify`, the report on `out`; `wrong` counts the sets that disagree. An exit code. */
int verify_model(Command *, int *wrong, FILE *out, FILE *err);

#endif
