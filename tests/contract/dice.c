/* dice.c - a loss that is a function of the file: net FILE. */
#include "net.h"
#include "recorded.h"

NET_PARAMS(params);
NET_OPT(opt);
NET_ARENA(arena);
static double x[NET_X_LEN], wanted[NET_WANTED_LEN];

int main(int argc, char **argv) {
    double loss, overlap;
    FILE *f = argc == 2 ? recorded_for(argv[1], "dice") : NULL;
    net_net net = {.x = x, .wanted = wanted, .loss = &loss, .overlap = &overlap, .params = params, .opt = opt};
    net.arena = arena, net.batch = NET_MAX_BATCH, net.lr = NET_LR;
    if (!f || net_init(&net, 1)) return 2;
    FILL_PARAMS(net_tensors, params);
    for (int s = 0; s < STEPS; s++) {
        for (int i = 0; i < NET_X_LEN; i++) x[i] = drawn(0, s, i), wanted[i] = x[i] > 0.2;
        if (net_train_batch(&net)) return 3;
        if (!agrees(f, "loss", s, loss) || loss != overlap) return 1;
    }
    fclose(f);
    return 0;
}
