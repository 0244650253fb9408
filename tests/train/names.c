/* names.c - prints what a checkpoint says the classes of two ports are called. */
#include "nncc_train.h"
#include <stdio.h>

int main(int argc, char **argv) {
    static const nncc_tensor none[1];
    static const nncc_port port[2];
    static nncc_source source = {.port = port, .ports = 2};
    const nncc_model model = {.tensors = none, .port = port, .ports = 2};
    if (argc != 2 || nncc_read_words(&model, argv[1], &source)) return 1;
    for (int p = 0; p < 2; p++) {
        for (int64_t i = 0; i < source.words[p].n; i++) puts(source.words[p].at[i]);
        nncc_free_words(&source.words[p]);
    }
    return 0;
}
