/* io.h - the formats behind read_tensor() and write_tensor(). */
#ifndef NNCC_IO_H
#define NNCC_IO_H

#include "ir/ir.h"

/* Reads a .pb (TensorProto), .npy, .pgm/.ppm or raw file. `want` gives type and shape for raw and picture files (may be
 * NULL for pb and npy). NULL with a message in error[200]. */
Tensor *read_tensor(Arena *, const char *path, const Type *want, char error[200]);
bool write_tensor(const char *path, const Tensor *, char error[200]); /* .npy, .pgm/.ppm, or raw bytes */

enum { IO_ERROR = 200 };

/* A reader gets a file's bytes and gives a tensor with contents of its own, or NULL with a message in `error`. `want`
 * may be NULL where the format carries type and shape; `name`, if not NULL, receives the name the file gives its
 * tensor, or NULL. */
typedef Tensor *ReadTensor(Arena *, const void *bytes, size_t n, const Type *want, const char **name,
                           char error[IO_ERROR]);
ReadTensor read_proto, read_npy, read_picture;

/* A writer appends the whole file to `out`; false with a message in `error`. */
typedef bool WriteTensor(Str *out, const Tensor *, char error[IO_ERROR]);
WriteTensor put_proto, put_npy, put_picture;

/* read_tensor(), which also tells the name that the file gives its tensor (NULL: none). */
Tensor *read_named_tensor(Arena *, const char *path, const Type *want, const char **name, char error[IO_ERROR]);

/* A zeroed tensor of a shape that a file claims; NULL with a message if it is absurd or would need more than `most`
 * bytes. */
Tensor *claimed_tensor(Arena *, DType, int rank, const int64_t *dim, uint64_t most, char error[IO_ERROR]);

/* The tensors of a sequence or an optional in a .pb file; `list`: whether the file holds one. */
bool read_list(Arena *, const char *path, List *tensors, bool *list, char error[IO_ERROR]);
bool read_list_proto(Arena *, const void *bytes, size_t n, List *tensors, bool *list, char error[IO_ERROR]);

/* Records a message; always NULL, so that a reader can return it. */
void *io_error(char error[IO_ERROR], const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
