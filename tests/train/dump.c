/* dump.c - the blocks of a program that trains, as they are after loading a checkpoint: dump FILE, in the directory
 * that nncc train
 * --keep left; writes params.raw, opt.raw and state.raw. */
#include "model.h"
#include "nncc_train.h"
#include <stdio.h>
#include <string.h>

MODEL_PARAMS(params);
MODEL_OPT(opt);
#if MODEL_STATE_BYTES
MODEL_STATE(state);
#else
static char state[1];
#endif

static int write_block(const char *name, const void *p, size_t n) {
    FILE *f = fopen(name, "wb");
    return !f || fwrite(p, 1, n, f) != n || fclose(f);
}

int main(int argc, char **argv) {
    static nncc_tensor table[MODEL_TENSORS + 1];
    nncc_model model = {.tensors = table, .params = params, .opt = opt, .state = state, .abi = MODEL_ABI};
    int epoch;
    uint32_t seed;
    for (int i = 0; i < MODEL_TENSORS; i++) memcpy(&table[i], &model_tensors[i], sizeof table[i]);
    if (argc != 2 || nncc_load_checkpoint(&model, argv[1], &epoch, &seed)) return 1;
    return write_block("params.raw", params, sizeof params) || write_block("opt.raw", opt, sizeof opt) ||
           write_block("state.raw", state, MODEL_STATE_BYTES);
}
