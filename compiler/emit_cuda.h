/* emit_cuda.h - what the files that write a network for CUDA share. */
#ifndef NNCC_EMIT_CUDA_H
#define NNCC_EMIT_CUDA_H
#include "emit.h"

/* emit_cuda.c: the launches of a kernel, equal functions once; then model.cu into e->c. */
void add_launches(Emit *, Kernel *, Map *by_text);
void put_cuda_file(Emit *);

#endif
