/* What kernels need of a compiler, whatever the build's flags say; but for multiply-adds that round once, no value changes. */
#if defined __clang__
#pragma clang fp contract(fast)
#elif defined __GNUC__ && defined __OPTIMIZE__ && !defined __SANITIZE_ADDRESS__
#pragma GCC optimize("O3", "fp-contract=fast", "no-math-errno")
#endif
