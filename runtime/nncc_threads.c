/* nncc_threads.c - the pool of nncc_threads.h.
 *
 * A call is announced by a number that grows. Who waits for the next one reads it over and over for a while and then
 * sleeps on a condition; the caller takes the lock only if somebody sleeps. Numbers are C11 atomics. */
#include "nncc_threads.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined __GNUC__ && (defined __x86_64__ || defined __i386__)
#define PAUSE() __builtin_ia32_pause()
#elif defined __GNUC__ && defined __aarch64__
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() (void)0
#endif

enum { MOST_THREADS = 1024, SPINS = 2000 };

typedef struct {
    nncc_pool *pool;
    pthread_t thread;
    int t;
} Worker;

struct nncc_pool {
    int threads, started;
    void (*function)(void *data, int t, int nt); /* of the call at hand */
    void *data;
    int nt;
    int closing;
    atomic_uint call;    /* its number */
    atomic_int working;  /* workers that have not returned from it */
    atomic_int sleeping; /* on `next` */
    pthread_mutex_t lock;
    pthread_cond_t next;
    Worker worker[];
};

static void sleep_until_called(nncc_pool *p, unsigned last) {
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleeping, 1);
    while (atomic_load(&p->call) == last) pthread_cond_wait(&p->next, &p->lock);
    atomic_fetch_sub(&p->sleeping, 1);
    pthread_mutex_unlock(&p->lock);
}

static void wait_for_call(nncc_pool *p, unsigned last) {
    for (int turn = 0; turn < SPINS; turn++) {
        if (atomic_load_explicit(&p->call, memory_order_acquire) != last) return;
        PAUSE();
    }
    sleep_until_called(p, last);
}

/* Every worker takes notice of every call, so that none is missed; those beyond nt have nothing to do in it. */
static void *work(void *arg) {
    const Worker *w = arg;
    nncc_pool *p = w->pool;
    for (unsigned last = 0;; last++) {
        wait_for_call(p, last);
        if (p->closing) return NULL;
        if (w->t < p->nt) p->function(p->data, w->t, p->nt);
        atomic_fetch_sub_explicit(&p->working, 1, memory_order_release);
    }
}

/* A worker counts itself as sleeping before it looks at the number for the last time: it is either seen, or sees. */
static void announce(nncc_pool *p) {
    atomic_store(&p->working, p->started);
    atomic_fetch_add(&p->call, 1u);
    if (!atomic_load(&p->sleeping)) return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->next);
    pthread_mutex_unlock(&p->lock);
}

nncc_pool *nncc_pool_open(int threads) {
    if (threads < 1 || threads > MOST_THREADS) return NULL;
    nncc_pool *p = calloc(1, sizeof *p + sizeof(Worker) * (size_t)(threads - 1));
    if (!p) return NULL;
    p->threads = threads;
    if (pthread_mutex_init(&p->lock, NULL)) {
        free(p);
        return NULL;
    }
    if (pthread_cond_init(&p->next, NULL)) {
        pthread_mutex_destroy(&p->lock);
        free(p);
        return NULL;
    }
    for (; p->started < threads - 1; p->started++) {
        Worker *w = &p->worker[p->started];
        w->pool = p, w->t = p->started + 1;
        if (pthread_create(&w->thread, NULL, work, w)) break;
    }
    if (p->started == threads - 1) return p;
    nncc_pool_close(p);
    return NULL;
}

void nncc_pool_run(nncc_pool *p, void (*function)(void *data, int t, int nt), void *data, int threads) {
    p->function = function, p->data = data, p->nt = threads < p->threads ? threads : p->threads;
    if (p->nt > 1) announce(p);
    function(data, 0, p->nt);
    for (int turn = 0; atomic_load_explicit(&p->working, memory_order_acquire) > 0; turn++)
        if (turn < SPINS)
            PAUSE();
        else
            sched_yield();
}

void nncc_pool_close(nncc_pool *p) {
    if (!p) return;
    p->closing = 1;
    announce(p);
    for (int i = 0; i < p->started; i++) pthread_join(p->worker[i].thread, NULL);
    pthread_cond_destroy(&p->next);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
