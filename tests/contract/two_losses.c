/* two_losses.c - two named losses and their sum, in training and in inference: net FILE. */
#include "net.h"
#include "recorded.h"

NET_PARAMS(params);
NET_OPT(opt);
NET_STATE(state);
NET_ARENA(arena);
static double x[NET_X_LEN], scores[NET_SCORES_LEN];

int main(int argc, char **argv) {
    double loss, main_loss, aux;
    int32_t label[NET_LABEL_LEN], correct;
    FILE *f = argc == 2 ? recorded_for(argv[1], "two_losses") : NULL;
    net_net net = {.x = x, .label = label, .loss = &loss, .main = &main_loss, .aux = &aux, .correct = &correct};
    net.params = params, net.opt = opt, net.state = state, net.arena = arena, net.batch = NET_MAX_BATCH,
    net.lr = NET_LR;
    if (!f || net_init(&net, 1)) return 2;
    FILL_PARAMS(net_tensors, params);
    for (int s = 0; s < STEPS; s++) {
        for (int i = 0; i < NET_X_LEN; i++) x[i] = drawn(0, s, i);
        for (int i = 0; i < NET_LABEL_LEN; i++) label[i] = (i * i + s) % 5;
        if (net_train_batch(&net)) return 3;
        if (!agrees(f, "loss", s, loss) || !agrees(f, "main", s, main_loss) || !agrees(f, "aux", s, aux)) return 1;
    }
    if (net_eval_batch(&net) || !agrees(f, "loss in inference", STEPS, loss)) return 1;
    /* No target is asked for where no loss is computed. */
    const net_net only = {.x = x, .scores = scores, .params = params, .state = state, .arena = arena, .batch = 3};
    fclose(f);
    return net_predict(&only) != NET_OK;
}
