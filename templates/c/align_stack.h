/* gcc 12 may store vectors to an array on the stack as if it were aligned where it is not, in a function that calls none. */
#if defined __GNUC__ && !defined __clang__ && __GNUC__ < 15 && defined __x86_64__
static __attribute__((noipa)) void nncc_call(void) {}
#define NNCC_ALIGN_STACK nncc_call();
#else
#define NNCC_ALIGN_STACK
#endif
