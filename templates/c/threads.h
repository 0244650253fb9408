/* Threads of a call wait for each other: each adds one to *meet, until there is a multiple of nt. It is 0 when the call
 * begins, and again when the last of them has left. */
#if defined __GNUC__
static inline uint32_t nncc_add(uint32_t *meet) { return __atomic_fetch_add(meet, 1u, __ATOMIC_ACQ_REL); }
static inline uint32_t nncc_met(uint32_t *meet) { return __atomic_load_n(meet, __ATOMIC_ACQUIRE); }
static inline void nncc_again(uint32_t *meet) { __atomic_store_n(meet, 0u, __ATOMIC_RELEASE); }
#else
#include <stdatomic.h>
static inline uint32_t nncc_add(uint32_t *meet) { return atomic_fetch_add((_Atomic uint32_t *)meet, 1u); }
static inline uint32_t nncc_met(uint32_t *meet) { return atomic_load((_Atomic uint32_t *)meet); }
static inline void nncc_again(uint32_t *meet) { atomic_store((_Atomic uint32_t *)meet, 0u); }
#endif
#if defined __GNUC__ && (defined __x86_64__ || defined __i386__)
#define NNCC_PAUSE() __builtin_ia32_pause()
#elif defined __GNUC__ && defined __aarch64__
#define NNCC_PAUSE() __asm__ volatile("yield")
#else
#define NNCC_PAUSE() (void)0
#endif

/* Before a kernel whose threads meet inside: what a pointer is restricted to, others change where they meet. */
#if defined __GNUC__
#define NNCC_CHANGES(p) __asm__ volatile("" : : "r"(p) : "memory")
#else
#define NNCC_CHANGES(p) (void)(p)
#endif

static void nncc_meet(uint32_t *meet, int nt) {
    if (nt == 1) return;
    const uint32_t before = nncc_add(meet), all = before - before % (uint32_t)nt + (uint32_t)nt;
    for (int turn = 0; (int32_t)(nncc_met(meet) - all) < 0; turn++)
        if (turn < 2000)
            NNCC_PAUSE();
        else
            sched_yield();
}

static void nncc_leave(uint32_t *meet, int nt) {
    if (nt > 1 && nncc_add(meet) % (uint32_t)nt == (uint32_t)nt - 1) nncc_again(meet);
}
