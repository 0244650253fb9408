/* nncc_weights.h - the weights file of a generated network, mapped into memory. */
#ifndef NNCC_WEIGHTS_H
#define NNCC_WEIGHTS_H
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Maps `path`, read-only and shared between processes. `bytes` is what the network's header says
 * (PREFIX_WEIGHTS_BYTES): a file of another size is refused. The result is aligned to a page and goes into the
 * network's `weights`; PREFIX_open then checks that the file is this network's and whole. NULL with errno set if it
 * cannot be mapped. */
const void *nncc_weights_map(const char *path, size_t bytes);
/* Gives back what nncc_weights_map returned; NULL is fine. */
void nncc_weights_unmap(const void *weights, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
