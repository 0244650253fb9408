/* networks.c - a network of models/ trained as PyTorch trained it: net NAME f32|f64 TOLERANCE FILE. */
#include "networks.h"
#include "net.h"

NET_PARAMS(params);
NET_OPT(opt);
#if NET_STATE_BYTES
NET_STATE(state);
#else
static char state[1];
#endif
NET_ARENA(arena);
static REAL loss;

/* ---- ports, which networks have or not ---- */

#ifdef NET_IMAGE_LEN
static REAL image[NET_IMAGE_LEN];
#if defined NET_TARGET_LEN || defined NET_KL_LEN /* pixels are probabilities */
static const double middle = 0;
#else
static const double middle = 0.5;
#endif
#endif
#ifdef NET_TEXT_LEN
static int32_t text[NET_TEXT_LEN];
#endif
#ifdef NET_LABEL_LEN
static int32_t label[NET_LABEL_LEN];
#endif
#ifdef NET_CELLS_LEN
static REAL cells[NET_CELLS_LEN];
#endif
#ifdef NET_CORRECT_LEN
static int32_t correct;
#endif
#if defined NET_BCE_LEN || defined NET_KL_LEN
static REAL term[2];
#endif

static void connect(net_net *net) {
#ifdef NET_IMAGE_LEN
    net->image = image;
#endif
#ifdef NET_TARGET_LEN
    net->target = image;
#endif
#ifdef NET_TEXT_LEN
    net->text = text;
#endif
#ifdef NET_LABEL_LEN
    net->label = label;
#endif
#ifdef NET_CORRECT_LEN
    net->correct = &correct;
#endif
#ifdef NET_CELLS_LEN
    net->cells = cells, net->bce = term, net->overlap = term + 1;
#endif
#ifdef NET_KL_LEN
    net->reconstruction = term, net->kl = term + 1;
#endif
}

static void draw(int step) {
#ifdef NET_IMAGE_LEN
    draw_pictures(step, middle, image, NET_MAX_BATCH, NET_IMAGE_LEN / NET_MAX_BATCH);
#endif
#ifdef NET_TEXT_LEN
    for (int i = 0; i < NET_TEXT_LEN; i++) {
        text[i] = (int32_t)(65 * uniform(NOISE + step, i));
        label[i] = (7 * text[i] + 3) % 65;
    }
#elif defined NET_LABEL_LEN
    for (int i = 0; i < NET_LABEL_LEN; i++) label[i] = kind(step, i);
#endif
#ifdef NET_CELLS_LEN
    for (int i = 0; i < NET_CELLS_LEN; i++) cells[i] = (REAL)(int)(2 * uniform(LABELS + step, i));
#endif
}

int main(int argc, char **argv) {
    double worst = 0, lr;
    FILE *f = argc == 5 ? fopen(argv[4], "r") : NULL;
    int steps = f ? open_line(f, argv[1], argv[2], NET_MAX_BATCH, &lr) : 0;
    net_net net = {.loss = &loss, .batch = NET_MAX_BATCH};
    net.params = params, net.opt = opt, net.state = state, net.arena = arena;
    connect(&net);
    if (!steps || net_init(&net, 1)) return 2;
    net.lr = lr;
    FILL_PARAMS(net_tensors, params);
    for (int s = 0; s < steps; s++) {
        draw(s);
        if (net_train_batch(&net)) return 3;
        if (!follows(f, s, loss, strtod(argv[3], NULL), &worst)) return 1;
    }
    printf("%s %s: %d losses, worst relative error %.1e\n", argv[1], argv[2], steps, worst);
    fclose(f);
    return 0;
}
