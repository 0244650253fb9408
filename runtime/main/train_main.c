/* train_main.c - the main() of a program that nncc train builds.
 *
 * Data, the loop of nncc_train.h around the network, and what was learnt into the files `params` and `state`. Its
 * arguments: data or "", epochs, seed, checkpoint or "", whether to resume, then KEY=VALUE, as take_options() has them.
 * What differs between networks is in program.h, which nncc writes; its names begin with NNCC_, so that they are apart
 * from the network's:
 *
 *   TRAINS                  0: there is only predict, and none of what has to do with losses
 *   PORT_ROWS               {nncc_port}, for each input and target; FEEDS(X): X(member of model_net, its place)
 *   LOSS, LOSS_TYPE         the member of the loss; CORRECT: that of the right answers, if they are counted
 *   LOSSES(X)               X(member, type) for each loss that has a name
 *   BOUNDS(X)               X(member of model_net) for each bounded dim: the examples of a batch
 *   BATCH, FIXED            examples of a batch; 1: never fewer
 *   LABELS                  answers of an example, if right ones are counted
 *   OUTPUT_ROWS             {nncc_port} of each output, OUTPUTS of them; TAKES(X): X(member, its place)
 *   JUDGED_AS, JUDGED, JUDGE, THRESHOLD   as in nncc_model
 *   SCORES                  the type of the scores, if each place of an example has a class
 *   OPTIMIZER, FLAVOR       its name, and whose formulas it follows
 *   SETTINGS                {"name", value}, for each setting of it
 *   SCHEDULE, GROUPS        as in nncc_model
 *   FROZEN                  "name", for each parameter that is not trained
 *   RATE                    the function of the learning rate, if there is a schedule
 *   ISA                     the instruction set that the program is built for
 *   DEVICE                  1: blocks lie in a device's memory
 *   PARTS                   1: it is one of several processes: a step is made of gradients and their use */
#define _POSIX_C_SOURCE 200809L
#include "model.h"
#include "nncc_train.h"
#include "program.h"
#if NNCC_THREADS
#include "nncc_threads.h"
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *block(size_t bytes) {
    void *p = NULL;
    if (posix_memalign(&p, MODEL_ALIGN, bytes ? bytes : 1)) exit(90);
    return memset(p, 0, bytes);
}

static int save(const char *path, const void *p, size_t n) {
    FILE *f = fopen(path, "wb");
    return !f || fwrite(p, 1, n, f) != n || fclose(f);
}

#if NNCC_DEVICE
static int fetch(void *p) { return model_download(p); }
static int send(void *p) { return model_upload(p); }

static int failed(const model_net *net) {
    fprintf(stderr, "%s\n", model_error(net));
    return 1;
}
#else
static int (*const fetch)(void *) = NULL, (*const send)(void *) = NULL;
#endif

#define FEED(member, place) net->member = value[place];
#define BOUND(member)       net->member = n;

#if NNCC_TRAINS
/* Sets the members that change, and calls a function of the network. */
static int step(int (*call)(const model_net *), model_net *net, int n, const void *const *value, nncc_result *r) {
    NNCC_LOSS_TYPE loss = 0;
    NNCC_FEEDS(FEED)
    net->NNCC_LOSS = &loss;
#define NAMED(member, type)                                                                                            \
    type of_##member;                                                                                                  \
    net->member = &of_##member;
    NNCC_LOSSES(NAMED)
#ifdef NNCC_CORRECT
    net->NNCC_CORRECT = &r->correct;
#endif
    NNCC_BOUNDS(BOUND)
    (void)n;
    const int code = call(net);
    r->loss = (double)loss;
    return code;
}

#if NNCC_PARTS
static int gradients(void *net, int n, int64_t first, const void *const *value, nncc_result *r) {
    ((model_net *)net)->first = first;
    return step(model_forward_backward, net, n, value, r);
}

static int apply(void *net, double lr) {
    ((model_net *)net)->lr = lr;
    return model_apply(net);
}

static int train_step(void *net, int n, const void *const *value, double lr, nncc_result *r) {
    const int code = gradients(net, n, 0, value, r);
    return code ? code : apply(net, lr);
}

static void take_parts(nncc_model *m, model_net *net) {
    m->grads = net->grads, m->gradients = gradients, m->apply = apply;
}
#else
static int train_step(void *net, int n, const void *const *value, double lr, nncc_result *r) {
    ((model_net *)net)->lr = lr;
    return step(model_train_batch, net, n, value, r);
}

static void take_parts(nncc_model *m, model_net *net) { (void)m, (void)net; }
#endif

static int eval_step(void *net, int n, const void *const *value, nncc_result *r) {
    return step(model_eval_batch, net, n, value, r);
}

static const nncc_setting settings[] = {NNCC_SETTINGS{NULL, 0}};
static const char *const frozen[] = {NNCC_FROZEN NULL};

static void take_training(nncc_model *m, nncc_options *o) {
    m->answers = NNCC_LABELS, m->train = train_step, m->eval = eval_step;
    m->optimizer = NNCC_OPTIMIZER, m->flavor = NNCC_FLAVOR, m->settings = settings;
    m->schedule = NNCC_SCHEDULE, m->groups = NNCC_GROUPS, m->frozen = frozen;
    m->judged_as = NNCC_OUTPUTS ? NNCC_JUDGED_AS : 0, m->judged = NNCC_JUDGED, m->judge = NNCC_JUDGE;
    m->threshold = NNCC_THRESHOLD, o->lr = MODEL_LR;
    take_parts(m, m->net);
#ifdef NNCC_RATE
    o->rate = NNCC_RATE;
#endif
}
#else
static void take_training(nncc_model *m, nncc_options *o) { (void)m, (void)o; }
#endif

/* The blocks that the network has. */
static void take_blocks(nncc_model *m, model_net *net) {
#ifdef MODEL_PARAMS_BYTES
    m->params = net->params = block(MODEL_PARAMS_BYTES);
#endif
#ifdef MODEL_OPT_BYTES
    m->opt = net->opt = block(MODEL_OPT_BYTES);
#endif
#ifdef MODEL_STATE_BYTES
    m->state = net->state = block(MODEL_STATE_BYTES);
#endif
#if NNCC_PARTS
    net->grads = block(MODEL_GRADS_BYTES);
#endif
#if !NNCC_DEVICE
    net->arena = block(MODEL_ARENA_BYTES);
#endif
}

#if NNCC_OUTPUTS
static const nncc_port outputs[] = {NNCC_OUTPUT_ROWS};

static int predict_step(void *p, int n, const void *const *value, void *const *out) {
    model_net *net = p;
    NNCC_FEEDS(FEED)
    NNCC_BOUNDS(BOUND)
    (void)n;
#define TAKE(member, place) net->member = out[place];
    NNCC_TAKES(TAKE)
    return model_predict(net);
}
#else
static const nncc_port *const outputs = NULL;
static int (*const predict_step)(void *, int, const void *const *, void *const *) = NULL;
#endif

/* An argument KEY=VALUE behind the first ones is one of a list. */
enum { LISTED = 256 };
typedef struct {
    const char *at[LISTED + 1];
    int n;
} List;

static int is_listed(const char *word, const char *key, List *list) {
    const size_t n = strlen(key);
    if (strncmp(word, key, n) || word[n] != '=' || list->n == LISTED) return 0;
    list->at[list->n++] = word + n + 1;
    return 1;
}

/* The port that NAME=... is about; -1 after a message: there is none. */
static int port_of(const nncc_source *s, const char *option, const char *word) {
    for (int p = 0; p < s->ports; p++) {
        const size_t n = strlen(s->port[p].name);
        if (!strncmp(word, s->port[p].name, n) && word[n] == '=') return p;
    }
    fprintf(stderr, "%s: the network has no input or target for '%s'\n", option, word);
    return -1;
}

/* "a,b,c" behind NAME= are the classes of a port. */
static int take_classes(nncc_source *s, const char *word) {
    const int p = port_of(s, "--classes", word);
    return p < 0 || nncc_split_words(&s->words[p], word + strlen(s->port[p].name) + 1);
}

/* The text behind KEY=; NULL: the word is another. */
static const char *value_of(const char *word, const char *key) {
    const size_t n = strlen(key);
    return !strncmp(word, key, n) && word[n] == '=' ? word + n + 1 : NULL;
}

static void take_watching(nncc_options *o, int n, char **word) {
    const struct {
        const char *key, **at;
    } texts[] = {{"metrics", &o->metrics},         {"augment", &o->augment}, {"log", &o->log},
                 {"tensorboard", &o->tensorboard}, {"plot", &o->plot},       {"monitor", &o->monitor}};
    const struct {
        const char *key;
        int *at;
    } counts[] = {{"patience", &o->patience}, {"every", &o->checkpoint_every}, {"keep_best", &o->keep_best}};
    for (int i = 0; i < n; i++) {
        const char *v;
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            if ((v = value_of(word[i], texts[k].key))) *texts[k].at = v;
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
            if ((v = value_of(word[i], counts[k].key))) *counts[k].at = atoi(v);
        if ((v = value_of(word[i], "plateau"))) sscanf(v, "%lg:%d", &o->plateau, &o->plateau_patience);
    }
}

/* What is done with the network, and what it begins with. */
typedef struct {
    const char *mode, *start; /* train, eval or predict; a file with parameters, NULL: none */
    List head, outputs;
    int all;                /* the file has to have each parameter */
    nncc_sampling sampling; /* of predict; length 0: it is of data */
} Task;

static void take_task(Task *t, int n, char **word) {
    const char *v;
    t->mode = "train";
    for (int i = 0; i < n; i++) {
        if ((v = value_of(word[i], "mode"))) t->mode = v;
        if ((v = value_of(word[i], "start"))) t->start = v;
        if ((v = value_of(word[i], "all"))) t->all = atoi(v);
        if ((v = value_of(word[i], "sample"))) t->sampling.length = atoi(v);
        if ((v = value_of(word[i], "temperature"))) t->sampling.temperature = atof(v);
        if ((v = value_of(word[i], "prompt"))) t->sampling.prompt = v;
        if (!is_listed(word[i], "head", &t->head)) is_listed(word[i], "output", &t->outputs);
    }
}

static int take_options(nncc_source *s, int n, char **word, List *data, List *validation, List *columns) {
    for (int i = 0; i < n; i++) {
        if (is_listed(word[i], "data", data) || is_listed(word[i], "validation", validation) ||
            is_listed(word[i], "columns", columns))
            continue;
        if (!strncmp(word[i], "held_out=", 9)) s->held_out = atof(word[i] + 9);
        if (!strncmp(word[i], "text=", 5)) s->text = atoi(word[i] + 5);
        if (!strncmp(word[i], "held_last=", 10)) s->held_last = atoi(word[i] + 10);
        if (!strncmp(word[i], "classes=", 8) && take_classes(s, word[i] + 8)) return 1;
    }
    for (int i = 0; i < columns->n; i++)
        if (port_of(s, "--columns", columns->at[i]) < 0) return 1;
    s->data = data->at, s->validation = validation->at, s->columns = columns->at;
    return 0;
}

/* Classes are called as where it begins, or as the model says, but for those of a head that begins anew. */
static int take_words(const Task *t, nncc_source *s, const nncc_model *m) {
    int given[NNCC_PORTS];
    for (int p = 0; p < s->ports; p++) given[p] = s->words[p].n > 0;
    if (t->start && nncc_read_words(m, t->start, s)) return 1;
    for (int p = 0; p < s->ports; p++) {
        char path[32];
        snprintf(path, sizeof path, "known.%d", p);
        if (!s->words[p].n && !access(path, R_OK) && nncc_load_words(&s->words[p], path)) return 1;
    }
    for (int p = 0; p < s->ports; p++) {
        const int anew = t->head.n || s->words[p].n > s->port[p].classes;
        if (!given[p] && anew && s->port[p].target) nncc_free_words(&s->words[p]);
    }
    return 0;
}

/* Reads the data of a task; the rest of what is said goes to stderr. */
static int read_data(const Task *t, nncc_source *s, const nncc_model *m, nncc_data *train, nncc_data *test) {
    char error[NNCC_ERROR];
    if (!strcmp(t->mode, "predict") || !strcmp(t->mode, "eval")) s->held_out = -1;
    if (!strcmp(t->mode, "predict"))
        while (s->ports && s->port[s->ports - 1].target) s->ports--;
    if (take_words(t, s, m)) return 1;
    if (t->sampling.length) return *train = *test = (nncc_data){0}, 0;
    if (!nncc_read_data(s, train, test, error)) return 0;
    fprintf(stderr, "%s\n", error);
#ifdef NNCC_SCORES
    if (strstr(error, "for each example"))
        fputs("the scores are " NNCC_SCORES
              ": classes are along the second dim, and the others have a class each; with one class for all they are "
              "[batch, classes], behind a Flatten or a mean\n",
              stderr);
#endif
    return 1;
}

/* What the task is done with: data that has a part for tests, where nothing is trained, means that part. */
static int perform(const Task *t, nncc_model *m, const nncc_data *train, const nncc_data *test, const nncc_options *o) {
    const nncc_data *d = test->n ? test : train;
    if (!strcmp(t->mode, "eval")) return nncc_evaluate(m, d, o);
    if (!strcmp(t->mode, "count")) return nncc_count_classes(m, train, "counts");
    if (strcmp(t->mode, "predict")) return nncc_fit(m, train, test, o);
    while (m->ports && m->port[m->ports - 1].target) m->ports--;
    if (t->sampling.length) return nncc_sample(m, &t->sampling);
    return nncc_predict(m, d, t->outputs.at);
}

#if NNCC_TRAINS
/* What classes are called is a part of what was learnt. */
static int save_words(const nncc_model *m) {
    for (int p = 0; p < m->ports; p++) {
        char path[32];
        snprintf(path, sizeof path, "words.%d", p);
        if (m->words[p].n && nncc_save_words(&m->words[p], path)) return -1;
    }
    return 0;
}
#endif

static int leave(const Task *t, const nncc_model *m, model_net *net, int code) {
#if NNCC_DEVICE
    if (code > 0 || (!code && model_download(net))) return failed(net);
    model_close(net);
#endif
    if (code == NNCC_STOPPED) return 130;
    if (code) return code < 0 ? 1 : code;
    if (strcmp(t->mode, "train") || m->rank) return 0;
#if NNCC_TRAINS
    if (save_words(m)) return 1;
    return save("params", net->params, MODEL_PARAMS_BYTES) || save("state", net->state, MODEL_STATE_BYTES);
#else
    return 0;
#endif
}

static const nncc_port ports[] = {NNCC_PORT_ROWS}; /* arrays in it are constants outside of functions alone */

/* Of several processes one speaks. */
static int start_processes(nncc_model *m) {
    if (nncc_mpi_start(m)) return -1;
    return m->rank && !freopen("/dev/null", "w", stdout) ? -1 : 0;
}

int main(int argc, char **argv) {
    static nncc_tensor table[MODEL_TENSORS + 1];
    static List data, validation, columns;
    static nncc_source source = {.port = ports, .ports = sizeof ports / sizeof *ports};
    static Task task;
    nncc_data train, test;
    model_net net;
    if (argc < 6) return 2;
    for (int i = 0; i < MODEL_TENSORS; i++) memcpy(&table[i], &model_tensors[i], sizeof table[i]);
    memset(&net, 0, sizeof net);
    nncc_model model = {.tensors = table,
                        .batch = NNCC_BATCH,
                        .abi = MODEL_ABI,
                        .port = ports,
                        .ports = source.ports,
                        .net = &net,
                        .fetch = fetch,
                        .send = send,
                        .fixed = NNCC_FIXED,
                        .isa = INSTRUCTION_SET,
                        .output = outputs,
                        .outputs = NNCC_OUTPUTS,
                        .predict = predict_step,
                        .words = source.words};
    nncc_options o = {.epochs = atoi(argv[2]), .seed = (uint32_t)strtoul(argv[3], 0, 10)};
    if (start_processes(&model)) return 1;
    take_blocks(&model, &net), take_training(&model, &o);
#if NNCC_THREADS
    net.threads = NNCC_THREADS, net.pool = nncc_pool_open(NNCC_THREADS);
#endif
#if NNCC_DEVICE
    if (model_open(&net)) return failed(&net);
#endif
    if (*argv[4]) o.checkpoint = argv[4];
    o.resume = atoi(argv[5]);
    if (*argv[1]) data.at[data.n++] = argv[1];
    const int more = argc > 6 ? argc - 6 : 0;
    take_watching(&o, more, argv + 6), take_task(&task, more, argv + 6);
    task.sampling.seed = o.seed;
    int code = take_options(&source, more, argv + 6, &data, &validation, &columns) ||
               read_data(&task, &source, &model, &train, &test) || model_init(&net, o.seed) ||
               (task.start && nncc_take_parameters(&model, task.start, task.head.at, task.all));
    if (nncc_agree(&model, code)) return nncc_mpi_end(), 1;
    code = leave(&task, &model, &net, perform(&task, &model, &train, &test, &o));
#if NNCC_THREADS
    nncc_pool_close(net.pool);
#endif
    nncc_mpi_end();
    return code;
}
