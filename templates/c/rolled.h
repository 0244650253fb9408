#if defined __GNUC__ && !defined __clang__ /* gcc -O3 would unroll short loops, and then make no vectors of them */
#define NNCC_ROLLED _Pragma("GCC unroll 1")
#else
#define NNCC_ROLLED
#endif
