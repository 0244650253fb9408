/* emit_cuda.h - what the files that write a network for CUDA share. */
#ifndef NNCC_EMIT_CUDA_H
#define NNCC_EMIT_CUDA_H
#include "cuda/cuda.h"
#include "emit/emit.h"

extern const Backend cuda_backend; /* emit_host.c */

/* Behind the state, zeros at first: barrier and conditions, then tickets, then partial sums. */
enum { OWN_BYTES = 256 };

/* A member of the network's struct that kernels read or write. */
typedef struct {
    const char *name;
    const Value *v;     /* NULL: the state */
    bool out, optional; /* optional: NULL in some function */
    int index;
    int64_t offset; /* where it is staged */
} HostField;

/* In a block, or (field) in what a member of the struct points to. */
typedef struct {
    const char *block, *field;
    int64_t offset;
} Place;
Place place_of(const Module *, const Value *); /* emit_launch.c */

/* Launches that are one: each has a range of the blocks. */
struct Batch {
    const char *name;        /* of its function */
    List launches, accesses; /* Launch *, and (batch.c) where they read and write */
    int threads, arguments;  /* of a block, and pointers */
    bool fixed;              /* some launch needs just that many threads */
    int64_t blocks, shared;  /* of several launches; bytes */
};
/* batch.c: joins the launches of functions that do not branch on the host, and makes their functions. */
void batch_launches(Emit *, Module **, int n);
/* A function that kernels call, not a kernel. */
static inline bool is_part(const Function *f) { return !f->threads; }

/* The host's C while it is written. */
typedef struct {
    Emit *e;
    Module *m; /* the function at hand */
    const char *verb;
    List fields, used; /* HostField*: all, and those of the function */
    int64_t io_bytes, own_at, weights_bytes, ticket_bytes, partial_bytes;
    int parts, launches; /* runs of launches so far, launches in the last one */
    int loops;           /* so far in the function */
    bool open, conditions, measures;
    int weight_arrays;
    Str calls;
} CudaHost;

/* emit_cuda.c: every file of a network that predicts, and of one that trains */
void emit_cuda(Module *, Output *);
void emit_cuda_training(Module **, int n, Output *);
/* the launches of a kernel, equal functions once; then model.cu into e->c. */
void add_launches(Emit *, Kernel *, Map *by_text);
void put_cuda_file(Emit *);
/* emit_host.c, in the order of the file */
void add_host_fields(CudaHost *, const Module *);
void place_partials(CudaHost *, Module **, int n);
void put_host_top(CudaHost *, const Str *cu);
void put_host_weights(CudaHost *, Module **, int n);
void put_host_program(CudaHost *, Module **, int n);
void put_host_open(CudaHost *);
void put_host_transfers(CudaHost *); /* upload and download */
HostField *find_field(CudaHost *, const char *name);
int dim_index(const Module *, const Symbol *name); /* among the dims that a call gives */
extern const char *const cuda_blocks[BLOCKS];
/* emit_launch.c */
void put_host_run(CudaHost *, Module *, const char *verb);

#endif
