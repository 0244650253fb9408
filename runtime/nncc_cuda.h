/* nncc_cuda.h - runs a network that `nncc --target=cuda` generated. The generated model.c is tables of what to launch;
 * this launches it. Builds without CUDA: libcuda and NVRTC are looked for when a network is opened.
 *
 * One network's functions are for one thread at a time; networks do not know of each other. */
#ifndef NNCC_CUDA_H
#define NNCC_CUDA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What functions return; the numbers below 16 are left to the generated header. */
enum {
    NNCC_CUDA_OK = 0,
    NNCC_CUDA_E_NO_DRIVER = 16, /* or none that works */
    NNCC_CUDA_E_NO_DEVICE,      /* no GPU, or none that can run it */
    NNCC_CUDA_E_MODULE,         /* no kernels for this GPU, or of another version of the network */
    NNCC_CUDA_E_COMPILE,        /* NVRTC is missing, or refuses the kernels */
    NNCC_CUDA_E_MEMORY,
    NNCC_CUDA_E_LAUNCH,
    NNCC_CUDA_E_ARGUMENT
};

/* Device memory is one piece, and this is what lies in it. The blocks before the arena begin as zeros. */
enum {
    NNCC_CUDA_WEIGHTS,
    NNCC_CUDA_PARAMS,
    NNCC_CUDA_GRADS,
    NNCC_CUDA_OPT,
    NNCC_CUDA_STATE,
    NNCC_CUDA_ARENA, /* scratch */
    NNCC_CUDA_IO,    /* where fields are staged */
    NNCC_CUDA_BLOCKS
};

/* A number that may depend on this call's extent of a dimension: add + times * dims[dim]. */
typedef struct {
    int64_t add, times;
    int dim;
} nncc_cuda_count;

/* ---- the tables ---- */

/* A member of the network's struct: what the caller gives or gets. */
enum {
    NNCC_CUDA_INPUT,
    NNCC_CUDA_OUTPUT,
    NNCC_CUDA_VALUE,       /* a number of 4 or 8 bytes in the host's memory, such as the learning rate */
    NNCC_CUDA_CARRIED,     /* an input that is an output, too: what a call leaves for the next one */
    NNCC_CUDA_OPTIONAL = 4 /* or'ed to one of these: NULL is an input of zeros, an output that nobody wants */
};
typedef struct {
    const char *name;
    int kind;
    int64_t offset; /* in NNCC_CUDA_IO, a multiple of 256 */
    nncc_cuda_count bytes;
} nncc_cuda_field;

/* An argument of a kernel. */
enum { NNCC_CUDA_READS = 1, NNCC_CUDA_WRITES = 2, NNCC_CUDA_INT32 = 4, NNCC_CUDA_INT64, NNCC_CUDA_F32, NNCC_CUDA_F64 };
typedef struct {
    int kind;              /* for pointers what the kernel does there, for numbers their type */
    int block, field;      /* a pointer into a block, or (field >= 0) to a field */
    int64_t offset;        /* in the block */
    nncc_cuda_count count; /* a pointer's bytes, which only the emulator checks; or the integer */
    double real;
} nncc_cuda_arg;

#define NNCC_CUDA_IN(block, offset, bytes)                                                                             \
    { NNCC_CUDA_READS, block, -1, offset, {bytes, 0, 0}, 0 }
#define NNCC_CUDA_OUT(block, offset, bytes)                                                                            \
    { NNCC_CUDA_WRITES, block, -1, offset, {bytes, 0, 0}, 0 }
#define NNCC_CUDA_INOUT(block, offset, bytes)                                                                          \
    { NNCC_CUDA_READS | NNCC_CUDA_WRITES, block, -1, offset, {bytes, 0, 0}, 0 }
#define NNCC_CUDA_FIELD_IN(field)                                                                                      \
    { NNCC_CUDA_READS, 0, field, 0, {0, 0, 0}, 0 }
#define NNCC_CUDA_FIELD_OUT(field)                                                                                     \
    { NNCC_CUDA_WRITES, 0, field, 0, {0, 0, 0}, 0 }
#define NNCC_CUDA_FIELD_INOUT(field)                                                                                   \
    { NNCC_CUDA_READS | NNCC_CUDA_WRITES, 0, field, 0, {0, 0, 0}, 0 }
#define NNCC_CUDA_INT(v)                                                                                               \
    { NNCC_CUDA_INT32, 0, -1, 0, {v, 0, 0}, 0 }
#define NNCC_CUDA_INT_OF(add, times, dim)                                                                              \
    { NNCC_CUDA_INT32, 0, -1, 0, {add, times, dim}, 0 }
#define NNCC_CUDA_LONG(v)                                                                                              \
    { NNCC_CUDA_INT64, 0, -1, 0, {v, 0, 0}, 0 }
#define NNCC_CUDA_LONG_OF(add, times, dim)                                                                             \
    { NNCC_CUDA_INT64, 0, -1, 0, {add, times, dim}, 0 }
#define NNCC_CUDA_FLOAT(v)                                                                                             \
    { NNCC_CUDA_F32, 0, -1, 0, {0, 0, 0}, v }
#define NNCC_CUDA_DOUBLE(v)                                                                                            \
    { NNCC_CUDA_F64, 0, -1, 0, {0, 0, 0}, v }

/* As many blocks as it takes if each does `per`; {0} is one. */
typedef struct {
    nncc_cuda_count count;
    int64_t per;
} nncc_cuda_grid;
#define NNCC_CUDA_GRID(count, per)                                                                                     \
    { {count, 0, 0}, per }
#define NNCC_CUDA_GRID_OF(add, times, dim, per)                                                                        \
    { {add, times, dim}, per }

/* A kernel by its index in the program, or one of these:
 * NNCC_CUDA_FILL sets the bytes of its first argument to its second, an integer;
 * NNCC_CUDA_COPY copies the bytes of its first argument from its second;
 * NNCC_CUDA_ROW copies bytes of its second argument to its first: the third says how far behind that, the fourth how
 * many. */
enum { NNCC_CUDA_FILL = -1, NNCC_CUDA_COPY = -2, NNCC_CUDA_ROW = -3 };
typedef struct {
    int kernel;
    const char *node; /* of the model, for messages */
    nncc_cuda_grid grid[3];
    int threads[3];  /* 0 is 1 */
    int shared;      /* bytes of dynamic shared memory */
    int cooperative; /* has grid barriers; of the grid only as many blocks run as fit on the GPU at once */
    int nargs;
    const nncc_cuda_arg *args;
} nncc_cuda_launch;
/* For the last two members, in C and outside of functions: NNCC_CUDA_ARGS(NNCC_CUDA_IN(...), NNCC_CUDA_INT(...)) */
#define NNCC_CUDA_ARGS(...)                                                                                            \
    (int)(sizeof((const nncc_cuda_arg[]){__VA_ARGS__}) / sizeof(nncc_cuda_arg)), (const nncc_cuda_arg[]) { __VA_ARGS__ }

/* A function of the network. */
typedef struct {
    const char *name;
    int nlaunches, nfields;
    const nncc_cuda_launch *launches;
    const int *fields; /* the fields it uses */
} nncc_cuda_entry;

typedef struct {
    const char *name;   /* of the network */
    uint64_t hash;      /* NNCC_MODULE_HASH of the source */
    const char *source; /* the text of model.cu for NVRTC; NULL: none */
    const void *image;  /* a cubin, fatbin or PTX, which the driver reads to its end; NULL: none */
    const char *const *kernels;
    int nkernels, nfields, ndims;
    const nncc_cuda_field *fields;
    int64_t bytes[NNCC_CUDA_BLOCKS];
} nncc_cuda_program;

/* ---- the functions ---- */

typedef struct nncc_cuda nncc_cuda;

typedef struct {
    int device;        /* which GPU */
    void *stream;      /* the CUstream that everything runs in; NULL: one of its own, ordered with the default stream */
    const void *image; /* instead of the program's */
    const char *cache; /* folder for what NVRTC made; NULL: $XDG_CACHE_HOME/nncc or ~/.cache/nncc, "": none */
    int no_graphs;     /* launch one kernel after the other */
} nncc_cuda_options;

/* Loads the kernels and takes memory. The program and its entries must stay where they are as long as the network
 * lives; `options` may be NULL. Even after an error *net is there (unless there is no memory for it), so that
 * nncc_cuda_error can tell: close it.
 * The environment: NNCC_CUDA_SYNC=1 runs kernels one at a time, so that an error names the one; NNCC_CUDA_IMAGE names a
 * file with the kernels, or, with a "/" at the end, a folder with NAME.cubin; NNCC_CUDA_DRIVER and NNCC_NVRTC name
 * libraries to use instead of libcuda.so.1 and libnvrtc.so. */
int nncc_cuda_open(nncc_cuda **net, const nncc_cuda_program *, const nncc_cuda_options *options);
/* Waits for what still runs. NULL is fine. */
void nncc_cuda_close(nncc_cuda *net);
/* What the last error was: driver call, kernel, node. Lives as long as the network. */
const char *nncc_cuda_error(const nncc_cuda *net);
/* The GPU's name. */
const char *nncc_cuda_device(const nncc_cuda *net);

/* Runs a function of the network. fields[i] belongs to program->fields[i], in memory of the host or of the device;
 * those the entry does not use may be NULL. If all are on the device (values aside) it only starts, in the stream, and
 * the stream may be under capture; else, and with managed memory, it waits for the results. In a stream that does not
 * wait for the caller's own, an event has to: record it where the data is made, and let nncc_cuda_stream() wait. */
int nncc_cuda_run(nncc_cuda *net, const nncc_cuda_entry *, const int *dims, void *const *fields);

/* What runs next needs nothing that an earlier call left in the arena or in results: in the emulator they hold NaN from
 * there on. A function of the network that runs several entries says so once; it need not. */
void nncc_cuda_begin(nncc_cuda *net);

/* Between the host and a block; both wait. */
int nncc_cuda_upload(nncc_cuda *net, int block, int64_t offset, const void *from, int64_t bytes);
int nncc_cuda_download(nncc_cuda *net, int block, int64_t offset, void *to, int64_t bytes);
/* Where a block lies on the device, for instance for an all-reduce of the gradients. */
uint64_t nncc_cuda_address(const nncc_cuda *net, int block);
/* Waits for what was started. */
int nncc_cuda_sync(nncc_cuda *net);
/* From now on everything runs in this CUstream, after what was started before; NULL: in its own. The network has one
 * arena: do not call it in two streams without an event between. */
int nncc_cuda_set_stream(nncc_cuda *net, void *stream);
/* The CUstream that everything runs in. */
void *nncc_cuda_stream(const nncc_cuda *net);

/* Compiles kernels for a compute capability (90: 9.0) by NVRTC; needs no GPU. *image is the caller's to free. If NVRTC
 * does not know that GPU yet, it is PTX. What is wrong stands in `error`, cut to its size. */
int nncc_cuda_compile(const char *source, const char *name, int capability, void **image, size_t *bytes, char *error,
                      size_t error_size);

#ifdef __cplusplus
}
#endif
#endif
