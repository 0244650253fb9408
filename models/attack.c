/* Pictures that fool a network, by the fast gradient sign method: attack MNIST EPSILON GRID.png
 *
 * Each pixel of a digit moves by EPSILON, up or down, whichever makes the loss larger. Prints how many of MNIST's
 * 10,000 test pictures are read correctly before and after; the grid has pictures before and after, side by side.
 * cnn.c is the trained network with its gradients. */
#include "cnn.h"
#include "pictures.h"

enum { ALL = 10000, BATCH = CNN_MAX_BATCH, SIZE = 784, SHOWN = 40 };

CNN_PARAMS(params);
CNN_GRADS(grads);
CNN_OPT(opt);
CNN_STATE(state);
CNN_ARENA(arena);
static float picture[ALL * SIZE], changed[ALL * SIZE], slope[BATCH * SIZE], grid[SHOWN * 2 * SIZE];
static int32_t label[ALL];

/* How many of all are right. */
static int right(cnn_net *net, const float *pictures) {
    int sum = 0;
    for (int i = 0; i < ALL; i += net->batch) {
        net->batch = ALL - i < BATCH ? ALL - i : BATCH, net->image = pictures + i * SIZE, net->label = label + i;
        if (cnn_eval_batch(net)) exit(1);
        sum += *net->correct;
    }
    return sum;
}

static void attack(cnn_net *net, float epsilon) {
    for (int i = 0; i < ALL; i += net->batch) {
        net->batch = ALL - i < BATCH ? ALL - i : BATCH, net->image = picture + i * SIZE, net->label = label + i;
        if (cnn_input_grad(net)) exit(1);
        for (int k = 0; k < net->batch * SIZE; k++) {
            const float x = picture[i * SIZE + k] + (slope[k] > 0 ? epsilon : slope[k] < 0 ? -epsilon : 0);
            changed[i * SIZE + k] = fminf(fmaxf(x, 0), 1);
        }
    }
}

int main(int argc, char **argv) {
    float loss, probabilities[CNN_PROBABILITIES_LEN];
    int32_t correct;
    cnn_net net = {.probabilities = probabilities,
                   .loss = &loss,
                   .correct = &correct,
                   .image_grad = slope,
                   .params = params,
                   .grads = grads,
                   .opt = opt,
                   .state = state,
                   .arena = arena,
                   .batch = 1};
    if (argc != 4 || cnn_open(&net) || cnn_init(&net, 1)) return 2;
    read_digits(argv[1], ALL, picture, label);
    attack(&net, strtof(argv[2], NULL));
    printf("%.2f %% right, and after the attack %.2f %%\n", right(&net, picture) / 100.0, right(&net, changed) / 100.0);
    for (int i = 0; i < SHOWN; i++) {
        memcpy(grid + 2 * i * SIZE, picture + i * SIZE, sizeof slope / BATCH);
        memcpy(grid + (2 * i + 1) * SIZE, changed + i * SIZE, sizeof slope / BATCH);
    }
    write_png(argv[3], grid, SHOWN * 2, 28, 10);
    return 0;
}
