/* A network with four threads, then with one: the bits are the same. */
#include "image.h"
#include "nncc_threads.h"
#include <stdio.h>
#include <string.h>

IMAGE_ARENA(arena);
static float x[IMAGE_X_LEN], y[IMAGE_Y_LEN], z[IMAGE_Y_LEN];

int main(void) {
    image_net net = {.x = x, .y = y, .arena = arena, .threads = 4, .pool = nncc_pool_open(4)};
    for (int i = 0; i < IMAGE_X_LEN; i++) x[i] = (float)(i % 17) / 17.0f;
    if (image_open(&net) || image_run(&net)) return 1;
    net.threads = 1, net.y = z;
    if (image_run(&net)) return 1;
    nncc_pool_close(net.pool);
    puts(memcmp(y, z, sizeof y) ? "other bits" : "the same bits");
    return 0;
}
