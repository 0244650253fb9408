/* Rows of ops.def that contradict themselves are refused; operands and access patterns are what rows say. */
#include "check.h"
#include "ops/ops.h"

static FILE *sink;

/* Whether --check-ops finds fault with the row, and says `text`. */
static bool refused(Op row, const char *text) {
    char said[512] = "";
    rewind(sink);
    int faults = check_op(sink, &row);
    long n = ftell(sink);
    rewind(sink);
    said[n > 0 ? fread(said, 1, (size_t)n < sizeof said ? (size_t)n : sizeof said - 1, sink) : 0] = 0;
    if (faults && !strstr(said, text)) fprintf(stderr, "expected '%s' in:\n%s", text, said);
    return faults && strstr(said, text);
}

/* A row of the table with one column changed. */
#define WITH(id, column, value) with_##column##_##id(value)
#define CHANGED(id, type, column)                                                                                      \
    static Op with_##column##_##id(type value) {                                                                       \
        Op row = ops[OP_##id];                                                                                         \
        row.column = value;                                                                                            \
        return row;                                                                                                    \
    }
CHANGED(Conv, const char *, weights)
CHANGED(Conv, const char *, params)
CHANGED(Conv, int, column)
CHANGED(MatMul, const char *, weights)
CHANGED(MatMul, bool, transposed)
CHANGED(LSTM, const char *, weights)
CHANGED(MaxPool, const char *, image)
CHANGED(MaxPoolGrad, const char *, grad_of)
CHANGED(Add, const char *, learns)
CHANGED(Add, AccessPattern, access)
CHANGED(Add, Neutral, right)
CHANGED(Exp, int, cost)
CHANGED(Softmax, int, cost)
CHANGED(Reshape, bool, keeps)
CHANGED(ReduceSum, const char *, combine)
CHANGED(Gather, const char *, moves)
CHANGED(Loop, const char *, no_grad)

static void test_wrong_rows(void) {
    for (int i = 0; i < n_ops; i++) CHECK(!check_op(sink, &ops[i]));
    CHECK(refused(WITH(Conv, weights, NULL), "a contraction has two operands and names its .weights"));
    CHECK(refused(WITH(Conv, weights, "K"), ".weights names 'K', which is no operand"));
    CHECK(refused(WITH(Conv, params, "W bias"), ".params names 'bias'"));
    CHECK(refused(WITH(Conv, column, 2), ".column is 0 or 1"));
    CHECK(refused(WITH(MatMul, weights, "W"), ".weights names 'W'"));
    CHECK(refused(WITH(MatMul, transposed, true), ".transposed needs an .image"));
    CHECK(refused(WITH(LSTM, weights, NULL), "a recurrence names its .weights"));
    CHECK(refused(WITH(MaxPool, image, "X"), ".image is a convolution's"));
    CHECK(refused(WITH(MaxPoolGrad, grad_of, NULL), "no .grad_of"));
    CHECK(refused(WITH(Add, learns, "a c"), ".learns names 'c'"));
    CHECK(refused(WITH(Add, access, ACCESS_MOVEMENT), ".access follows from its kind"));
    CHECK(refused(WITH(Add, right, NEUTRAL_0), ".neutral is one on the right, too"));
    CHECK(refused(WITH(Exp, cost, 0), "calls a function, and has no .cost"));
    CHECK(refused(WITH(Softmax, cost, COST_CALL), "are a MAP's"));
    CHECK(refused(WITH(Reshape, keeps, true), "views do anyway"));
    CHECK(refused(WITH(ReduceSum, combine, "Plus"), ".combine names no row"));
    CHECK(refused(WITH(ReduceSum, combine, "Sub"), "has no .neutral and .sum"));
    CHECK(refused(WITH(Gather, moves, "table"), ".moves names 'table'"));
    CHECK(refused(WITH(Loop, no_grad, NULL), "neither a gradient nor .no_grad"));
}

static void test_operands(void) {
    const Op *conv = &ops[OP_Conv], *qconv = &ops[OP_QLinearConv], *where = &ops[OP_Where], *concat = &ops[OP_Concat];
    CHECK(find_operand(conv, "W") == 1 && find_operand(conv, "B") == 2 && find_operand(conv, "w") < 0);
    CHECK(find_operand(conv, NULL) < 0 && find_operand(conv, "") < 0);
    CHECK(find_operand(qconv, "w") == 3 && find_operand(qconv, "w_scale") == 4);
    CHECK(names_operand(conv, conv->params, 1) && names_operand(conv, conv->params, 2) &&
          !names_operand(conv, conv->params, 0));
    CHECK(!names_operand(where, where->learns, 0) && names_operand(where, where->learns, 2));
    CHECK(names_operand(concat, concat->moves, 40) && !names_operand(concat, concat->params, 0));
    CHECK(access_of(&ops[OP_Add]) == ACCESS_ELEMENTWISE && access_of(&ops[OP_HardSwish]) == ACCESS_ELEMENTWISE);
    CHECK(access_of(&ops[OP_Reshape]) == ACCESS_MOVEMENT && access_of(&ops[OP_ReduceMax]) == ACCESS_REDUCTION);
    CHECK(access_of(&ops[OP_ReduceMean]) == ACCESS_REDUCTION && access_of(&ops[OP_GridSample]) == ACCESS_OTHER);
    CHECK(cost_of(&ops[OP_Add]) == COST_ADD && cost_of(&ops[OP_Tanh]) == COST_CALL);
}

int main(void) {
    if (!(sink = tmpfile())) return 1;
    test_wrong_rows();
    test_operands();
    fclose(sink);
    return failures();
}
