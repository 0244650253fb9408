/* activation.c - the activations that RNN, GRU and LSTM may name (ONNX, LSTM). */
#include "lower/parts.h"

static Expr *constant(Lower *l, const Expr *like, double v) { return num(l, like->dtype, v); }

static Expr *affine_of(Lower *l, Expr *x, double a, double b) {
    return add(l, mul(l, x, constant(l, x, a)), constant(l, x, b));
}

static Expr *act_relu(Lower *l, Expr *x, double a, double b) { return (void)a, (void)b, map1(l, OP_Relu, x); }
static Expr *act_tanh(Lower *l, Expr *x, double a, double b) { return (void)a, (void)b, map1(l, OP_Tanh, x); }
static Expr *act_sigmoid(Lower *l, Expr *x, double a, double b) { return (void)a, (void)b, map1(l, OP_Sigmoid, x); }
static Expr *act_leaky(Lower *l, Expr *x, double a, double b) {
    (void)b;
    return select_of(l, less(l, x, constant(l, x, 0)), mul(l, x, constant(l, x, a)), x);
}
static Expr *act_thresholded(Lower *l, Expr *x, double a, double b) {
    (void)b;
    return select_of(l, less(l, x, constant(l, x, a)), constant(l, x, 0), x);
}
static Expr *act_scaled_tanh(Lower *l, Expr *x, double a, double b) {
    return mul(l, constant(l, x, a), map1(l, OP_Tanh, mul(l, x, constant(l, x, b))));
}
static Expr *act_hard_sigmoid(Lower *l, Expr *x, double a, double b) {
    return map2(l, OP_Max, map2(l, OP_Min, affine_of(l, x, a, b), constant(l, x, 1)), constant(l, x, 0));
}
static Expr *act_elu(Lower *l, Expr *x, double a, double b) {
    (void)b;
    return select_of(l, less(l, x, constant(l, x, 0)), mul(l, constant(l, x, a), map1(l, OP_Expm1, x)), x);
}
static Expr *act_softsign(Lower *l, Expr *x, double a, double b) {
    (void)a, (void)b;
    return quotient(l, x, add(l, map1(l, OP_Abs, x), constant(l, x, 1)));
}
/* log(1 + e^x) without overflow: the positive part of x, and what it lacks. */
static Expr *act_softplus(Lower *l, Expr *x, double a, double b) {
    (void)a, (void)b;
    Expr *rest = map1(l, OP_Log1p, map1(l, OP_Exp, map1(l, OP_Neg, map1(l, OP_Abs, x))));
    return add(l, map1(l, OP_Relu, x), rest);
}

static const Activation activations[] = {
#define ACTIVATION(name, has_alpha, has_beta, alpha, beta, f) {#name, has_alpha, has_beta, alpha, beta, f},
#include "ops/rnn_activations.def"
#undef ACTIVATION
};

const Activation *find_activation(const char *name) {
    for (int i = 0; i < COUNT(activations); i++)
        if (!strcmp(activations[i].name, name)) return &activations[i];
    return NULL;
}
