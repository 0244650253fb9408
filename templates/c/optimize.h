/* Where the conditions hold, whatever the flags of the build: gcc takes -O3, and a * b + c may be contracted to a fused
 * multiply-add, which rounds once. Nothing else may change a value. Kernels stay functions: one inlined next to others may
 * no longer be vectorised. */
#if defined __clang__
#pragma clang fp contract(fast)
#elif defined __GNUC__ && defined __OPTIMIZE__ && !defined __SANITIZE_ADDRESS__$(unless)
#pragma GCC optimize("O3", "fp-contract=fast", "no-math-errno", \
    "no-inline-functions", "no-inline-small-functions", "no-inline-functions-called-once")
#endif
