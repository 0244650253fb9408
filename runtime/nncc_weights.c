/* nncc_weights.c - the weights file of a generated network, mapped into memory (POSIX). */
#define _POSIX_C_SOURCE 200809L
#include "nncc_weights.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const void *nncc_weights_map(const char *path, size_t bytes) {
    struct stat st;
    void *p = MAP_FAILED;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    if (fstat(fd, &st) == 0) {
        if (bytes && S_ISREG(st.st_mode) && (uintmax_t)st.st_size == bytes)
            p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
        else
            errno = EINVAL;
    }
    int error = errno;
    close(fd);
    errno = error;
    return p == MAP_FAILED ? NULL : p;
}

void nncc_weights_unmap(const void *weights, size_t bytes) {
    if (weights) munmap((void *)(uintptr_t)weights, bytes);
}
