/* train.h - what a network is trained with: the `train` line of a .nn file and the options, resolved. */
#ifndef NNCC_TRAIN_H
#define NNCC_TRAIN_H
#include "ir/ir.h"

/* Rows that are called with settings by name, as in HuberLoss(y, t, delta = 2). */
#define ABOVE_0 1e-300 /* the least of what may be as small as one likes */
enum { MAX_OPTIONS = 12 };
typedef struct {
    const char *name;
    double value, least, most; /* what it is unless said (NAN: nothing), and may be; most 0: as large as you like */
    char kind;                 /* 0: a number, 'i': a whole one, 'l': a list, one number for each class */
} Option;
typedef struct {
    bool given; /* or has a value of its own */
    double value;
    int n; /* a list */
    const double *list;
} OptionValue;

typedef struct {
    const char *name, *value, *doc;
    const char *args;   /* names of what it compares; NULL: y t */
    const char *target; /* of the last of them, a letter each: c a class, s as the first, p one number for a row of the
                           second, l classes in a row, n a number; NULL: they are none */
    bool probabilities; /* targets lie between 0 and 1 */
    bool each;          /* the sum over any number of values, or of parameters by the patterns of their names */
    const char *metric; /* how many answers are right; NULL: there is no right and wrong */
    const char *before; /* the operator whose input is meant; NULL: the output itself */
    Option option[MAX_OPTIONS];
} Loss;
extern const Loss losses[]; /* ends with a NULL name */
void list_losses(FILE *);

/* One of the losses whose weighted sum training minimises. */
typedef struct {
    const char *name; /* a field of the struct; NULL: the one loss of the first output, which is named alone */
    const char *text; /* as the train line has it: 0.1 * own(z, target) */
    double factor;
    const Loss *row;                 /* NULL: a function of the file, or an output */
    const char *output;              /* the output of the network that is the loss; NULL: none is */
    OptionValue option[MAX_OPTIONS]; /* of the row's */
    int n;
    Value **arg;   /* what it reads; NULL: a target, in a function of the program that computes no loss */
    Value *target; /* of a row: the input that its first argument is compared with; NULL: it is no input. The first of
                      several */
    Type scores;   /* of the former */
    bool counted;  /* its right answers are counted */
    int judged;    /* the output, from 1 on, that metrics compare with the target; 0: none */
    bool applied;  /* that is the result of the row's `before` */
    Value *value;  /* the scalar */
} LossTerm;

enum { MAX_SETTINGS = 8, MAX_SLOTS = 4 };
typedef struct {
    const char *name;
    double value;
} Setting;
typedef struct {
    const char *name;
    Setting setting[MAX_SETTINGS]; /* with their defaults; the first is lr */
    const char *slots, *scalars, *once, *names, *update, *doc;
    const char *with_momentum; /* the row that is meant if momentum is set */
    const char *flavor;        /* whose formulas and defaults it has; NULL: torch, PyTorch's */
    bool whole;                /* its update is of whole tensors */
} Optimizer;
extern const Optimizer optimizers[]; /* ends with a NULL name */
const char *flavor_of(const Optimizer *);
void list_optimizers(FILE *);

/* A learning rate that follows from the step, and such a one as asked for. */
typedef struct {
    const char *name, *c, *doc;
    Option option[MAX_OPTIONS];
} RateRow;
typedef struct {
    const RateRow *row;
    OptionValue option[MAX_OPTIONS];
    const char *text; /* cosine(steps = 1000) */
} Rate;
extern const RateRow rates[]; /* ends with a NULL name */
void list_rates(FILE *);
const RateRow *find_rate(const char *name);
const char *rate_choices(Arena *, const char *name);
Rate *read_rate(Module *, const char *text);
double warmup_of(const Rate *);

/* Parameters with a learning rate or settings of their own. */
typedef struct {
    const char *name; /* NULL: all others */
    List patterns;    /* char*: of their names */
    double rate;      /* times lr */
    Setting setting[MAX_SETTINGS];
    Value **named; /* what `once` gives the updates, NULL before */
    int members;
} ParamGroup;

/* A parameter that is trained, and what lies beside it. */
typedef struct {
    Value *param, *grad;
    Value *slot[MAX_SLOTS]; /* NULL: not of this parameter */
    Value *average;         /* NULL without ema */
    ParamGroup *group;
} Trained;

struct Training {
    List losses;    /* LossTerm*; none: the sum of all outputs, weighted by inputs of their own (gradcheck) */
    List targets;   /* Value*: inputs that only losses read */
    Value *correct; /* the number of right answers; NULL: no loss has right and wrong */
    const Optimizer *optimizer;
    Setting setting[MAX_SETTINGS]; /* as asked for */
    List groups;                   /* ParamGroup*: the last is that of all others */
    const Rate *schedule;          /* NULL: the caller's */
    const char *clip;              /* what limits gradients: a word of the train line; NULL: nothing does */
    double limit, ema;
    bool samples;      /* the program has a function that draws outside of training */
    Value *kept_share; /* of the averages, once the step has begun */
    Value *first;      /* 1 before the first step, then 0 */
    List trained;      /* Trained* */
    Value **scalar;    /* the optimizer's */
    Value *lr;
    Value *rng;   /* state: seed, step */
    Value *drawn; /* with Entry.second: what rng was when the first began; of several processes: rng, and the number of
                     this one's first example */
    List updated; /* by three: a state, the Value that it becomes, the first Node that is there for that alone */
    int inputs;   /* of the network itself; targets, and gradients with Entry.second, come after them */
    int outputs;  /* of the network itself, with Entry.second; gradients of inputs come after them */
    List given;   /* Value*: the constants, parameters and states of the model */
};

/* The functions of a program that trains, and those that gradcheck runs. */
extern const Entry entries[]; /* ends with a NULL name */
extern const Entry entry_value, entry_gradient;

/* Whether a port of the module at hand may be NULL: a gradient that is given to Entry.second, or asked of it; and the
 * extent of an output, in inference. */
bool is_optional(const Module *, const Value *);
/* The words of a list such as "m v". */
int split_names(Arena *, const char *words, const char **name);
/* Writes a value into the memory of a state, at the end of the graph. */
void build_assign(Node *at, Value *target, Value *value, Value *kept);
/* optimizer.c: what lies beside parameters. */
void add_optimizer_state(Module *);
/* What a step computes once, at the start of the graph. */
void start_step(Module *);
/* Builds what one step of the optimizer does to a parameter; `at` as ever. */
void build_update(Module *, Node *at, const Trained *, Value *gradient, Value *scale);
/* Whether updates wait for all gradients, whose common length is limited; and what each is multiplied with then. */
bool clips_together(const Training *);
Value *build_common_scale(Module *, Node *at, Value *const *gradient);
/* Parameters and their averages change places. */
void build_exchange(Module *);
/* What the options and the `train` line ask for (train_config.c). */
Training *training_of(Module *);
/* The greatest batch: what the `train` line says, or the usual. */
int64_t training_batch(Module *, bool *said);
/* The extent of a dim of an input that nobody gives (ir/open_dims.h): 1, or 1 to the batch that is trained. */
const DimBinding *default_dim(Module *, const char *name);
/* What the train line says under a name; NULL: nothing. */
const Attr *train_word(const Module *, const char *name);
/* A number of the train line, such as epochs; 0 if it says none. */
int training_count(const Module *, const char *name);
/* The number of right answers; NULL if no loss knows which are. */
Value *build_metric(Module *);
/* A text of losses.def over the arguments and settings of a loss, built at the end of the graph. */
Value *build_comparison(Module *, const char *origin, const char *text, const LossTerm *);
/* The type that target i of a row has beside such arguments; its rank is -1 if they do not fit. */
Type target_type(const LossTerm *, int i);
/* How many arguments a row has, and how many of them are values of the network. */
int loss_arguments(const Loss *), loss_values(const Loss *);
/* Whether the target is classes, one for each place of the output; and whether it has the output's extents. */
static inline bool of_classes(const Loss *l) { return l->target && *l->target == 'c'; }
static inline bool compares(const Loss *l) { return l->target && !l->target[1]; }
/* Takes `name = number` or a list as one of the settings of a row; otherwise what is wrong with it. */
const char *take_option(Arena *, const char *row, const Option *, OptionValue *, const Attr *);
const char *least_text(Arena *, double least); /* "above 0", "from 2 on" */
/* What settings are if nobody says. */
void default_options(const Option *, OptionValue *);
/* Those of a text such as NAME(delta = 2); otherwise what is wrong with it. And those that are said, as text. */
const char *read_options(Arena *, const char *text, const char *row, const Option *, OptionValue *);
const char *options_text(Arena *, const Option *, const OptionValue *);
/* Of an output that is the loss: functions without one do without it, too. */
void prepare_loss_output(Module *);
/* The output, or what goes into its softmax if the row has that already. */
Value *scores_of(const Loss *, Value *output);
/* How many losses are fields of their own. */
int named_losses(const Training *);
/* "Loss MeanSquaredError", "Losses main = …, aux = …". */
const char *losses_text(Arena *, const Training *);
/* The first row whose target is this input; NULL if none is. */
const LossTerm *loss_about(const Training *, const Value *target);
/* Fields that every program which trains has and no function computes; ends with NULL. */
extern const char *const training_fields[];
extern const char first_field[]; /* and one more, where several processes train */
/* trainable.c: what exporters do to a graph that is to be trained, undone; needed before the contents of a run are
 * taken back. */
void undo_export(Module *);
/* Which constants are parameters, and which of them stay as they are. */
void choose_parameters(Module *);
const char *nothing_to_train(const Module *); /* why no parameter is trained; NULL: one is */
/* What is trained, and what is not, and why: `all`, or the sum and the first that are not. */
void print_parameters(const Module *, bool all);
/* Whether v is a parameter that training changes. */
static inline bool trained(const Value *v) { return v->kind == V_PARAM && !v->train.frozen && is_float(v->type.dtype); }
/* The scalar that is made small; adds the inputs it needs. */
Value *build_loss(Module *);
/* passes/grad.c: the gradients of `loss` for `n` values, built at the end of the graph. NULL: it does not depend on
 * one. */
typedef struct {
    int n;
    Value *const *wrt;                                         /* with respect to these */
    Value **gradient;                                          /* the results */
    void (*ready)(Module *, Node *at, int i, Value *gradient); /* NULL, or called as soon as one is complete */
} Gradients;
void differentiate(Module *, Value *loss, Gradients *);
/* train_config.c: a row by its name, NULL if there is none; and what there is, as choices() has it. */
const Loss *find_loss(const char *name);
/* A loss alone, as the train line or --loss has it: NAME, NAME(delta = 2) or output:NAME. */
LossTerm *read_loss(Module *, const char *text);
const char *loss_choices(Arena *, const char *name);
const char *optimizer_choices(Arena *, const char *name);
bool is_flavor(const char *name);

/* Infer: a layer whose input has a type becomes one that drops elements at random: when a network is trained, and
 * outside of training where an input of its own says so, the same ones in each call. Else it stays as it is. */
void start_dropping(Node *);
/* random.c: operators that draw random numbers. */
void prepare_random(
    Module *);              /* before the first pass: the generator that calls of inference carry on, if it is needed */
void start_drawing(Node *); /* infer: such a node, whose types are known, becomes what it draws */
bool noise_stays(const Module *); /* dropout and noise that is for training are active */
bool draws_numbers(const Node *); /* in this function */
Value *new_rng(Module *);         /* the state of two numbers, seed and call */
/* The generator, NULL: that of the network, as a node has it that may be in the iteration of a loop. */
Value *rng_at(Node *, Value *);
Value *rng_read(Module *);       /* train.c: the generator of a network that trains */
void prepare_training(Module *); /* before the first pass: parameters and states opaque, layers in training mode */
/* state.c: which states the network carries from call to call of inference; its assignments come last. */
void prepare_state(Module *);
void lay_out_state(Module *);       /* where they lie in the block, and its size */
uint64_t state_tag(const Module *); /* the block begins with it: of what lies where, under which names */
void initialise_params(Module *);   /* contents for params that only name an initialiser */
/* How a parameter is drawn: shift + scale * a number of a stream (runtime/nncc_random.h). False: it is not random. */
typedef enum { DRAW_UNIFORM, DRAW_NORMAL, DRAW_TRUNCATED, DRAW_ORTHOGONAL } DrawKind;
typedef struct {
    DrawKind kind;
    uint32_t stream;
    double shift, scale;
    int64_t rows, cols; /* of orthogonal matrices */
} Draw;
bool draw_of(const Value *, Draw *);

#endif
