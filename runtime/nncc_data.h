/* nncc_data.h - what the readers of data share; not for programs. */
#ifndef NNCC_DATA_H
#define NNCC_DATA_H

#include "nncc_train.h"
#include <stddef.h>

enum { PATH_MOST = 4096 };
#define DATA_BYTES_MOST ((int64_t)1 << 34) /* of one file, uncompressed */

typedef struct {
    nncc_source *source;
    const nncc_port *port;
    int ports;
    char *error; /* NNCC_ERROR bytes */
} Reader;

/* An array as a file has it. */
typedef struct {
    unsigned char *bytes; /* what is to be freed */
    const unsigned char *data;
    char type[8], shape[64]; /* "<f4"; "(64, 28, 28)" */
    int64_t n, each;         /* items, and numbers of each */
    int classes;             /* 1: its numbers are classes, whatever these are called */
} Array;

/* Writes a message; -1. */
int nncc_data_error(const Reader *, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* nncc_data.c */
/* All bytes of a file, uncompressed, and a 0 behind them; NULL if it cannot be read. */
unsigned char *nncc_read_file_bytes(const char *path, int64_t *n);
/* DIR/NAME, or DIR/NAME.gz; "" if there is neither. */
void nncc_find_data_file(const char *dir, const char *name, char path[PATH_MOST]);
size_t nncc_type_size(nncc_type);
/* Multiplies a number of elements by an extent of a file's; -1: more than a file can hold. */
int nncc_multiply_extent(int64_t *count, int64_t extent);
int nncc_grow_data(const Reader *, nncc_data *, int64_t more);
/* Number k of example i of a port. -1 with `why` in words if it has no such value. */
int nncc_store_number(const Reader *, nncc_data *, int port, int64_t i, int64_t k, double v, const char **why);
/* The same of a class whose number is known. */
void nncc_store_class(const Reader *, nncc_data *, int port, int64_t i, int64_t k, int64_t class);
/* Number i of an array. */
void nncc_put_number(nncc_type, void *at, int64_t i, double v);
int64_t nncc_class_at(const Reader *, const nncc_data *, int port, int64_t i);
/* The only input, and the only target; -1: there are several, or none. */
int nncc_only_input(const Reader *);
int nncc_only_target(const Reader *);
/* Whether a target is the only input where no file has it. */
int nncc_gives_itself(const Reader *, int target);
/* Adds the examples of arrays, one for each port; NULL: there is none. path: of each. */
int nncc_add_arrays(const Reader *, nncc_data *, const Array *const *, const char *const *path);
int nncc_port_called(const Reader *, const char *name, size_t n);

/* nncc_npy.c. 1: the path is none of theirs. */
int nncc_read_npy_file(const char *path, Array *);
int nncc_read_npy_directory(const Reader *, const char *dir, nncc_data *train, nncc_data *test);
int nncc_read_npz(const Reader *, const char *path, nncc_data *train, nncc_data *test);
/* nncc_images.c */
int nncc_read_idx_file(const char *path, Array *);
int nncc_read_mnist(const Reader *, const char *dir, nncc_data *train, nncc_data *test);
int nncc_read_cifar(const Reader *, const char *dir, nncc_data *train, nncc_data *test);
/* nncc_png.c */
int nncc_read_pictures(const Reader *, const char *dir, const nncc_port *, Array *); /* those of a folder */
int nncc_read_folders(const Reader *, const char *dir, nncc_data *train, nncc_data *test);
/* nncc_csv.c */
int nncc_read_csv(const Reader *, const char *path, nncc_data *);
/* nncc_text.c */
/* The next piece of n bytes from *at on, which moves behind it: a character; or a word, a line's end or another sign,
 * between which blanks stand. Its length; 0: there is none. */
size_t nncc_next_piece(const unsigned char *s, size_t n, int words, size_t *at);
extern const char nncc_other_words[]; /* what the class of words that are too rare to have one is called */
int nncc_read_text(const Reader *, const char *path, nncc_data *train, nncc_data *test);
/* Texts of a csv file's column, of which an input gets the first `length` pieces, its end filled up: as many words and
 * characters as its table has rows, the most frequent. */
typedef struct TextColumn TextColumn;
TextColumn *nncc_column_new(int words, int64_t length);
int nncc_column_add(TextColumn *, const char *s, size_t n); /* -1: out of memory */
/* Once all are there they become numbers of a port, from example `first` on. -1 after a message. */
int nncc_column_settle(TextColumn *, const Reader *, const char *path, nncc_data *, int port, int64_t first);
void nncc_column_free(TextColumn *);
/* nncc_words.c */
int64_t nncc_find_word(const nncc_words *, const char *s, size_t n); /* -1: it is none */
int64_t nncc_add_word(nncc_words *, const char *s, size_t n);        /* its number; -1: out of memory */
/* Puts words in order; place[i]: where word i went. */
int nncc_sort_words(nncc_words *, int64_t *place);

#endif
