/* vae.c - reconstruction and divergence of a variational autoencoder: net FILE. */
#include "net.h"
#include "recorded.h"

NET_PARAMS(params);
NET_OPT(opt);
NET_ARENA(arena);
static double x[NET_X_LEN], noise[NET_NOISE_LEN];

int main(int argc, char **argv) {
    double loss, reconstruction, kl;
    FILE *f = argc == 2 ? recorded_for(argv[1], "vae") : NULL;
    net_net net = {.x = x, .noise = noise, .loss = &loss, .reconstruction = &reconstruction, .kl = &kl};
    net.params = params, net.opt = opt, net.arena = arena, net.batch = NET_MAX_BATCH, net.lr = NET_LR;
    if (!f || net_init(&net, 1)) return 2;
    FILL_PARAMS(net_tensors, params);
    for (int s = 0; s < STEPS; s++) {
        for (int i = 0; i < NET_X_LEN; i++) x[i] = 0.5 + 0.5 * drawn(0, s, i);
        for (int i = 0; i < NET_NOISE_LEN; i++) noise[i] = 2 * drawn(1, s, i);
        if (net_train_batch(&net)) return 3;
        if (!agrees(f, "loss", s, loss) || !agrees(f, "reconstruction", s, reconstruction) || !agrees(f, "kl", s, kl))
            return 1;
    }
    fclose(f);
    return 0;
}
