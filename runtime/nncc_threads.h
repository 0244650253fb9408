/* nncc_threads.h - a pool of threads for generated C that was made with --threads (docs/contract.md, 4).
 *
 *     nncc_pool *pool = nncc_pool_open(4);
 *     net.threads = 4, net.pool = pool;
 *     ...
 *     nncc_pool_close(pool);
 *
 * The caller's thread is one of them: a pool of 4 starts 3. Between calls they look for work for some 50 microseconds,
 * and then sleep. One call at a time uses a pool; threads that call at the same time have pools of their own. */
#ifndef NNCC_THREADS_H
#define NNCC_THREADS_H

#ifdef __cplusplus
extern "C" {
#endif

#ifndef NNCC_POOL
#define NNCC_POOL
typedef struct nncc_pool nncc_pool;
#endif

/* A pool of that many threads, 1 to 1024, this one among them; NULL if there is no memory, or no thread to be had. */
nncc_pool *nncc_pool_open(int threads);
/* Calls function(data, t, nt) for each t of 0 ... nt - 1, in a thread each, and returns when all have returned. t is 0
 * in the caller's; nt is `threads`, or what the pool has if that is less. */
void nncc_pool_run(nncc_pool *, void (*function)(void *data, int t, int nt), void *data, int threads);
/* Ends its threads; NULL: does nothing. */
void nncc_pool_close(nncc_pool *);

#ifdef __cplusplus
}
#endif

#endif
