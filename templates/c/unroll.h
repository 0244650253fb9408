/* Unrolls loops of constant length, so that an array of sums can lie in registers. */
#if defined __clang__
#define NNCC_UNROLL _Pragma("clang loop unroll(full)")
#elif defined __GNUC__
#define NNCC_UNROLL _Pragma("GCC unroll 16")
#else
#define NNCC_UNROLL
#endif
#if defined __GNUC__
#define NNCC_INLINE static inline __attribute__((always_inline))
#else
#define NNCC_INLINE static inline
#endif
