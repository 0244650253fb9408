/* emu.h - the emulator inside: fibers, blocks, checks. One launch runs at a time, and runs to its end. */
#ifndef NNCC_EMU_INSIDE_H
#define NNCC_EMU_INSIDE_H

#include <cstddef>
#include <string>
#include <vector>

#include "nncc_emu.h"

namespace nncc_emu {

enum {
    WARP = 32,
    MOST_THREADS = 1024,
    REGISTERS = 65536,
    THREAD_REGISTERS = 255,
    MOST_SHARED = 227 * 1024,
    SHARED_UNASKED = 48 * 1024,
    PAD = 128
};

typedef nncc_emu_site Site;

/* Bytes that a kernel may touch. */
struct Extent {
    uintptr_t at;
    size_t bytes;
    bool writes;
};

struct Launch {
    const nncc_emu_kernel *kernel = nullptr;
    std::vector<std::vector<unsigned char>> arg;
    dim3 blocks, threads;
    size_t shared = 0;
    bool cooperative = false;
    std::vector<Extent> extents; /* none: unknown */
};

struct Block;
struct Warp;
enum State : unsigned char { FRESH, READY, AT_BARRIER, AT_COLLECTIVE, AT_GRID_BARRIER, DONE };

struct AsyncCopy {
    void *to;
    const void *from;
    int size, bytes;
    const void *pc;
};

/* One CUDA thread. */
struct Fiber : nncc_emu_thread {
    void *stack_pointer = nullptr; /* while it does not run */
    char *stack = nullptr;
    void *fake_stack = nullptr; /* AddressSanitizer's */
    State state = FRESH;
    unsigned linear = 0, lane = 0;
    Block *home = nullptr;
    Warp *warp = nullptr;
    const Site *site = nullptr; /* where it waits */
    std::vector<AsyncCopy> copies;
    std::vector<size_t> groups; /* ends in `copies`, oldest first */
};

/* A warp-wide operation under way: each lane leaves a word, all read them. Two sets of words, so that a quick lane's
 * next operation does not disturb a slow one. */
struct Collective {
    unsigned mask = 0, arrived = 0, turn = 0;
    const Site *site = nullptr;
    uint64_t word[2][WARP];
};

struct Warp {
    unsigned live = 0, turn = 0; /* full-warp collectives so far */
    Fiber *first = nullptr;
    std::vector<Collective> collectives;
};

struct Block {
    unsigned linear = 0, live = 0, waiting = 0, turn = 0; /* barriers so far */
    const Site *site = nullptr;
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    unsigned char *shared = nullptr;
    const unsigned *last_of = nullptr; /* the ticket that this block was the last to take */
};

/* What runs now. */
struct Machine {
    const Launch *launch = nullptr;
    std::vector<void *> args;  /* where its arguments are */
    Block *resident = nullptr; /* the blocks that run now */
    unsigned residents = 0;
    void *stack_pointer = nullptr, *fake_stack = nullptr; /* the scheduler's */
    const void *stack_bottom = nullptr;
    size_t stack_bytes = 0;
    unsigned grid_waiting = 0, grid_live = 0; /* of a cooperative grid */
    unsigned char *shared = nullptr;          /* all resident blocks' */
    size_t shared_stride = 0;
    bool failed = false;
    std::string error;
};
extern Machine machine;

static inline Fiber *running() { return static_cast<Fiber *>(nncc_emu_now); }

/* Runs a kernel; empty, or what went wrong. */
std::string run(const Launch &);

/* Ends the launch with a message, which names the kernel, and the thread if one runs. Does not return to a fiber. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* emu_fiber.cpp */
enum { STACK = 128 * 1024 };
void resume(Fiber *);
void suspend(State, const Site *);
void release_stack(Fiber *);

/* Where code lies, as "file:line" if its module has debug information. */
std::string source_line(const void *pc);

/* emu_memory.cpp: device memory, filled with NaN, with a no man's land on both sides. */
void *allocate(size_t bytes, int gpu, bool managed); /* NULL: none left */
bool release(void *);
bool within(const void *, size_t bytes);
struct Region {
    uintptr_t at;
    size_t bytes;
    struct Cell *cells; /* the checks' */
    int gpu;
    bool managed;
};
const Region *region_around(const void *, size_t bytes); /* NULL: it is the host's */
enum { MARGIN = 1 << 20 };
extern std::vector<Region> regions;
size_t allocated();
/* An access to no man's land ends the launch, and release_faults says so; else it returns nothing. */
void catch_faults();
std::string release_faults();
/* Under AddressSanitizer only what a kernel is declared to touch can be touched while it runs. */
void fence(const Launch &);
void unfence();

/* emu_check.cpp, for modules that -fsanitize=thread instruments: it inserts calls before all accesses, and this is what
 * they call. Finds races, and accesses outside what the kernel is declared to touch. */
void check_launch();
void check_shared(unsigned char *at, size_t bytes);
void check_forget(Region *);
void check_grid_barrier();
void check_ticket(const unsigned *); /* the running block takes it */
void check_access(const void *, size_t bytes, bool write, const void *pc);
void check_arrival(const AsyncCopy &);
std::string check_result();

/* emu_count.cpp: sectors of global memory and banks of shared memory per request of a warp, for instrumented modules if
 * NNCC_EMU_COUNT names a file for the totals. */
enum Kind { GLOBAL_READ, GLOBAL_WRITE, GLOBAL_ASYNC, SHARED_READ, SHARED_WRITE, KINDS };
extern bool counting;
void count_access(Kind, const void *, size_t bytes, const void *pc);
void count_flush(Warp *);
void count_report();

} // namespace nncc_emu
#endif
