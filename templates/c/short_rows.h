/* Before a kernel whose loops are as long as a call says, and short: vectors of half the length leave less behind that goes
 * element by element. */
#if defined __GNUC__ && !defined __clang__ && defined __x86_64__
#define NNCC_SHORT_ROWS __attribute__((target("prefer-vector-width=256")))
#else
#define NNCC_SHORT_ROWS
#endif
