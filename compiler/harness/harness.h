/* harness.h - running a network on data: as generated C in a process of its own, or interpreted. */
#ifndef NNCC_HARNESS_H
#define NNCC_HARNESS_H

#include "base/process.h"
#include "ir/target.h"

/* steps.c: one step of a network, for people. `seen` holds the parameters counted already. */
typedef struct {
    int step;
    const char *layer, *shape;
    int64_t params, macs, bytes, moved; /* moved: read and written, with Options.timed */
    bool repeated;                      /* in a Loop: the numbers are one iteration's */
} StepRow;
StepRow step_row(Arena *, const Kernel *, Map *seen);

/* How programs are built and run. */
typedef struct {
    const char *cc; /* the C compiler, with its options */
    int seconds;    /* limit for each program that is run */
    int runs;       /* of bench; 0: as many as its time allows */
    bool interpret; /* loop nests are interpreted: there is no program */
} RunSettings;

/* An input or an output. `node` and `from` say what computes an output: for reports. */
typedef struct {
    const char *name, *node;
    Type type;
    int nfrom;
    const char **from;
    int extent;          /* of an output: which other one holds its extents; -1: none */
    unsigned axes;       /* along the axes that are bits here */
    int offset;          /* of an output of strings: which other one says where each begins */
    int64_t width;       /* of an input of strings: bytes that each may have, with its NUL */
    int64_t least, most; /* of an input of integers: what its numbers may be, as far as they become extents */
} Port;
typedef struct {
    int nin, nout;
    Port *in, *out;
} Interface;
Interface interface_of(Arena *, const Module *);

/* One test_data_set_*: tensors in the order of their numbers, and the names that the files give them (NULL: none).
 * out_at: which of the network's outputs each is. A sequence is as many tensors: file and part say where each is from,
 * part is -1 for a tensor that is alone. */
typedef struct {
    const char *label;
    int nin, nout;
    Tensor **in, **out;
    const char **in_name, **out_name;
    int *out_at;
    const struct FilePart *in_from, *out_from;
} DataSet;
typedef struct FilePart {
    int file, part;
} FilePart;

/* dataset.c */
/* Appends the sets in `dir`, which is one itself or holds some. False after a message. */
bool load_sets(Arena *, const char *dir, List *sets, FILE *err);
/* Names every tensor of a set after the model's own inputs and outputs, and places the outputs. False after a message.
 */
/* Of a set for the whole model, what belongs to a part of it, by name; false after a line on `err`: no output does. */
bool keep_ports(Arena *, DataSet *, const Interface *, FILE *err);
bool name_set(Arena *, DataSet *, const Interface *, FILE *err);
/* Finds the outputs of a named set among a program's. A sequence whose length only a call tells is one output there,
 * the tensors its rows: then those of the set become one tensor, too. False after a message. */
bool place_outputs(Arena *, DataSet *, const Interface *model, const Interface *program, FILE *err);
/* Adds to `opt` what a set says about the dims that the model leaves open. False after a message. */
bool bind_dims(Arena *, Options *opt, const Interface *, const DataSet *, FILE *err);
/* Gives every dim that is still open the same extent. */
void bind_open_dims(Arena *, Options *, const Interface *, int64_t extent);
/* The input of that name, as the type that the network wants; NULL with a message. */
Tensor *input_for(Arena *, const DataSet *, const Port *, char error[200]);
/* program.c */
typedef struct {
    StepRow row;
    const char *function;
} TimedStep;
typedef struct {
    const RunSettings *settings;
    Options opt;     /* what it was compiled with */
    const char *dir; /* where its files lie; NULL if interpreted */
    bool interpret, kept;
    Interface api;        /* after the passes */
    List bounds;          /* DimBinding *: dims with an extent of each run */
    bool object;          /* weights are linked in */
    const Runner *runner; /* its target's */
    bool fast;            /* its time counts: it is optimised for this machine */
    const char *more;     /* words for building it: what else belongs to it; NULL: nothing */
    List steps;           /* TimedStep *, if the program takes its times: those of `nsteps` that compute something */
    int nsteps;
    double seconds;               /* that the C compiler took */
    int64_t bytes;                /* that a run touches: weights, arena, inputs, outputs */
    const char *compiler, *flags; /* that built it */
    int64_t cost;                 /* scalar operations of its nests with -O0, saturating */
    bool carries;                 /* a run begins with the state that the one before left */
    Tensor **state;               /* interpreted: that, after the first */
    Arena *arena;
} Program;
/* Compiles a model to C and that to a program, in the directory `keep` or (NULL) one that program_free() removes. Does
 * only the first if it is to be interpreted. An exit code. */
int program_new(Program *, Arena *, const RunSettings *, const Options *, const char *keep, FILE *err);
void program_free(Program *);
/* Runs it on a set's inputs, once more if it did before; its outputs in order. An exit code, after a message. */
int program_run(Program *, const DataSet *, Tensor **out, FILE *err);
/* The same for a program compiled with Options.timed: the seconds that each of its nsteps took in each run, steps
 * fastest. No runs if it has no steps. */
int program_time(Program *, const DataSet *, const double **times, int *runs, FILE *err);

/* roofs.c: what one core of this machine does at most, by a program built with p's compiler in p->dir. An exit code. */
typedef struct {
    double flops, bytes;  /* per second: of multiply-adds, and read from a block of `block` bytes, as p's runs touch */
    int64_t block;        /* … but not so few that they cannot be timed, nor so many that they cannot be had */
    const char *compiler; /* what it calls itself; "" if it does not tell */
} Roofs;
int measure_roofs(const Program *p, Roofs *, FILE *err);

/* program.c: what compilers are told, by what they compile: a program's C, the same where time counts, the C of a
 * program whose networks run on a GPU, and for the emulator its kernels and the emulator itself. */
enum { FLAGS_PLAIN, FLAGS_FAST, FLAGS_LAUNCHES, FLAGS_EMULATED_KERNELS, FLAGS_EMULATOR };
extern const char *const compiler_flags[];

bool runs_in_pool(const Options *); /* with --threads, but for a device, for which one thread waits */
/* program.c: a file of a program, if there is anything in it. */
void write_text(Module *, const char *dir, const char *name, const char *text, size_t);
/* program.c: says how a step of building or running ended, and what it printed; returns EXIT_BUG. */
int process_failed(const Program *, const char *what, ProcessResult, FILE *err);

/* How programs for a kind of machine are built and run. NULL: there is nothing to do. */
struct Runner {
    void (*write_runtime)(Module *, const char *dir);   /* what its files include besides */
    int (*build)(Program *, FILE *err);                 /* an exit code, after a message */
    void (*put_run_words)(const Program *, List *argv); /* what stands before ./program */
    const char *(*where)(void);                         /* it runs, for people */
};
extern const Runner cpu_runner, cuda_runner; /* program.c, program_cuda.c */
/* All of them, in p->dir: a main() of runtime/main, and the program.h that it is for. */
void write_program_files(Module *, Program *, const Output *, const char *main_c, const Str *facts);
int build_program(Program *, FILE *err);
void run_words(const Program *, List *argv);
const char *runs_where(const Program *); /* "on the GPU"; NULL: nowhere else */

/* dataset.c, for programs */
Tensor *as_bits_of(Arena *, Tensor *, DType want);
/* Reproducible contents: floats of a standard normal distribution, small integers. */
Tensor *random_tensor(Arena *, DType, int rank, const int64_t *dim, uint64_t *seed);

/* Random inputs for a program, its bounded dims at their largest or at their smallest. */
DataSet *random_set(Arena *, const Program *, bool smallest, uint64_t seed);

#endif
