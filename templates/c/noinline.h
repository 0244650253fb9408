#if defined __GNUC__ /* tiles inlined side by side would share registers, and spill */
#define NNCC_NOINLINE __attribute__((noinline))
#else
#define NNCC_NOINLINE
#endif
