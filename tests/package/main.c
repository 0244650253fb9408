/* main.c - uses the networks of the projects beside it: 0 if what they give is right. The weights' file is an argument.
 */
#include "digits.h"
#include <stdio.h>
#ifdef DIGITS_WEIGHTS
#include <nncc_weights.h>
#endif
#ifdef ALL_FORMS
#include "digits-gpu.h"
#include "digits-linked.h"
#include "perceptron.h"
DIGITS_LINKED_ARENA(other_arena);
#endif

DIGITS_ARENA(arena);
static float image[DIGITS_IMAGE_LEN], probabilities[DIGITS_PROBABILITIES_LEN];

static int sums_to_one(const float *p) {
    float sum = 0;
    for (int i = 0; i < DIGITS_PROBABILITIES_LEN; i++) sum += p[i];
    return sum > 0.999f && sum < 1.001f;
}

int main(int argc, char **argv) {
    digits_net net = {.image = image, .probabilities = probabilities, .arena = arena};
#ifdef DIGITS_WEIGHTS
    net.weights = argc > 1 ? nncc_weights_map(argv[1], DIGITS_WEIGHTS_BYTES) : NULL;
#endif
    (void)argc, (void)argv;
    for (int i = 0; i < DIGITS_IMAGE_LEN; i++) image[i] = (float)(i % 7) / 7;
    if (digits_open(&net) != DIGITS_OK || digits_run(&net) != DIGITS_OK || !sums_to_one(probabilities)) return 1;
#ifdef ALL_FORMS
    static float others[DIGITS_PROBABILITIES_LEN];
    digits_linked_net linked = {.image = image, .probabilities = others, .arena = other_arena};
    if (digits_linked_open(&linked) != DIGITS_LINKED_OK || digits_linked_run(&linked) != DIGITS_LINKED_OK) return 2;
    for (int i = 0; i < DIGITS_PROBABILITIES_LEN; i++)
        if (others[i] != probabilities[i]) return 3;
    if (digits_gpu_run(NULL) != DIGITS_GPU_E_NULL || perceptron_train_batch(NULL) != PERCEPTRON_E_NULL) return 4;
#endif
    return 0;
}
