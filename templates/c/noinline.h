/* Tiles inlined side by side would share registers, and spill. clang's -march=native would halve the vectors of AVX-512. */
#if defined __clang__ && defined __AVX512F__
#define NNCC_NOINLINE __attribute__((noinline, min_vector_width(512)))
#elif defined __GNUC__
#define NNCC_NOINLINE __attribute__((noinline))
#else
#define NNCC_NOINLINE
#endif

/* Weights begin where a line of the cache does: no vector of them then lies in two. */
#if defined __GNUC__
#define NNCC_ALIGNED __attribute__((aligned(64)))
#else
#define NNCC_ALIGNED
#endif
