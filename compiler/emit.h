/* emit.h - what the files that write generated code share. */
#ifndef NNCC_EMIT_H
#define NNCC_EMIT_H
#include "loop/cuda.h"
#include "loop/loop.h"
#include "nncc.h"

/* A kernel's function; equal functions are written once. */
typedef struct {
    Kernel *k;
    const char *name, *text;
    List uses;
    const Launch *launch; /* of CUDA */
} Function;

typedef struct {
    Module *m;
    Arena *arena;
    const char *prefix, *macro; /* mnist, MNIST */
    const char *file;           /* the name of its files without their endings */
    Str c, h;
    List functions, needs; /* Function*, helpers */
    Map *taken;            /* identifiers of the file */
    bool weights_apart;    /* weights come from a pointer, not from arrays in the C */
    bool weights_linked;   /* … which the linker fills (object) */
    uint64_t weights_tag;
    Map *ports; /* of a program that trains: fields of its struct by the model's names */
    int64_t part_bytes[PARTS], constant_bytes;
    const char *arena_type; /* the one element type of the arena, or NULL */
    uint64_t module_hash;   /* of model.cu */
} Emit;

/* emit.c: the pieces that programs which train are put together from too. */
typedef void (*AddKernel)(Emit *, Kernel *, Map *by_text); /* makes functions of a kernel, equal ones once */
void add_function(Emit *, Kernel *, Map *by_text);
Emit new_emit(Module *);
Emit begin_inference(Module *, Output *, AddKernel); /* weights placed, everything named */
void put_function(Emit *, const Function *);
const char *function_stem(Emit *, const Kernel *); /* what its name begins with */
void name_interface(Emit *);
void put_node_origin(Emit *, Str *, const Node *); /* "Conv conv1", safe for comments */
void put_weight_checks(Emit *);                    /* functions that check the weights file */
void put_weights_whole(Emit *);                    /* in open: the bytes are this network's, all of them */
bool needs_arena(const Module *);                  /* from its caller */
void name_ports(Emit *, Value *const *, int n, Map *fields, const char *fallback);
void put_calls(Emit *, const Graph *, int indent);
void put_checks(Emit *);
void put_run(Emit *, const char *verb);
void put_top(Emit *);
void take_own_names(Emit *);
const char *lower_case(Arena *, const char *);
/* emit_header.c, likewise */
void length_macros(Emit *, Value *const *, int n);
void storage_macro(Emit *, const char *what, const char *doc);
void put_device_fields(Emit *);
void put_device_prototypes(Emit *);
void field(Emit *, const Value *, const char *qualifier, const char *direction);
/* emit_train.c */
extern const char *const part_names[PARTS];
bool uses_part(const Module *, int part);
void put_part_pointers(Emit *);
Emit begin_training(Module **, int n, AddKernel); /* likewise, the functions of one program */
void put_init(Emit *, Str *out);
void put_tensors(Emit *);
void emit_cuda_training(Module **, int n, Output *); /* emit_cuda.c */
void emit_training_header(Emit *, Module **, int n);

void emit_header(Emit *);
void name_weight_arrays(Emit *); /* before kernels, whose names keep clear of them */
void emit_weight_arrays(Emit *);
void emit_weights_file(Emit *, Str *out);
void emit_weights_object(Emit *, Str *out);
void place_weights(Emit *);                    /* offsets; decides between arrays and file */
const char *shape_text(Arena *, const Type *); /* [1][28][28] */
const char *upper(Arena *, const char *);
const char *bytes_text(Arena *, int64_t); /* 35,456 */
const char *source_text(Emit *);          /* the file it was made from, safe for comments */
bool in_use(const Value *);               /* some step touches it */
bool embedded(const Value *);             /* a const that appears in the C: not a literal, not unused */

/* ---- emit_storage.c ---- */

void line_start(Emit *, int indent);
const char *pointer_to(Emit *, const Value *); /* in the run function */
void put_arena(Emit *);                        /* the pointers of everything in the arena, or in another's buffer */
void unpoison(Emit *, int step, int indent);   /* before and after a step, with --poison */
void poison(Emit *, int step, int indent);

enum { WEIGHTS_HEADER = 64 };

#endif
