/* linear.c - linear models of ai.onnx.ml: the types of their results; ops.def has their meanings */
#include "ir/build.h"
#include "ir/diag.h"
#include "ml/ml.h"
#include "ops/infer.h"
#include "ops/rules_control.h"

/* How many rows of coefficients there are, each with an intercept; 0 after a problem(). */
static int64_t outputs_of(Node *n, Dim *count) {
    int64_t features, given = attr(n, "coefficients")->n, intercepts = attr(n, "intercepts")->n;
    if (!examples_of(n, 0, count, &features)) return 0;
    int64_t rows = features > 0 ? given / features : 0;
    if (rows > 0 && rows * features == given && (!intercepts || intercepts == rows)) return rows;
    problem(n, EXIT_INPUT, "expected a coefficient for each of %lld features and each of %lld intercepts, saw %lld",
            (long long)features, (long long)(intercepts ? intercepts : 1), (long long)given);
    return 0;
}

void infer_linear_regressor(Node *n) {
    Dim count;
    int64_t rows = outputs_of(n, &count);
    if (!rows) return;
    if (rows == attr_i(n, "targets"))
        set_result(n, 0, float_of(n), 2, (Dim[]){count, fixed(rows)});
    else
        problem(n, EXIT_INPUT, "expected coefficients of %lld targets, saw those of %lld",
                (long long)attr_i(n, "targets"), (long long)rows);
}

/* One row of coefficients tells two classes apart. */
void infer_linear_classifier(Node *n) {
    Dim count;
    int64_t rows = outputs_of(n, &count), labels = count_labels(n, "classlabels_ints", "classlabels_strings");
    if (!rows) return;
    if (rows == 1 ? labels && labels != 2 : labels && labels != rows) {
        problem(n, EXIT_INPUT, "expected %lld labels, saw %lld", (long long)(rows == 1 ? 2 : rows), (long long)labels);
        return;
    }
    set_labels(n, 0, "classlabels_strings", count);
    set_result(n, 1, float_of(n), 2, (Dim[]){count, fixed(rows == 1 && labels ? 2 : rows)});
}
