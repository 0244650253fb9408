/* Before a loop as long as a vector: compilers would unroll it, and then make no vector of it. */
#if defined __clang__
#define NNCC_VECTOR_LOOP _Pragma("clang loop unroll(disable)")
#elif defined __GNUC__
#define NNCC_VECTOR_LOOP _Pragma("GCC unroll 1")
#else
#define NNCC_VECTOR_LOOP
#endif
