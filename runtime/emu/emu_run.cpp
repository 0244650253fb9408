/* emu_run.cpp - a launch: blocks, the scheduler, and everything threads wait for. */
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "emu.h"

namespace nncc_emu {

Machine machine;

void fail(const char *format, ...) {
    char text[512], where[256] = "";
    va_list more;
    va_start(more, format);
    vsnprintf(text, sizeof text, format, more);
    va_end(more);
    Fiber *f = running();
    if (f)
        snprintf(where, sizeof where, ", block (%u,%u,%u) thread (%u,%u,%u)", f->block.x, f->block.y, f->block.z,
                 f->thread.x, f->thread.y, f->thread.z);
    if (!machine.failed) machine.error = std::string(text) + " [kernel " + machine.launch->kernel->name + where + "]";
    machine.failed = true;
    if (f) suspend(AT_BARRIER, nullptr); /* for ever: the scheduler stops */
}

/* ---- waiting ---- */

static void release_barrier(Block *b) {
    b->waiting = 0;
    b->turn++;
    for (Fiber &f : b->fibers)
        if (f.state == AT_BARRIER) f.state = READY;
    if (counting)
        for (Warp &w : b->warps) count_flush(&w);
}

extern "C" void nncc_emu_barrier(const Site *site) {
    Block *b = running()->home;
    if (!b->waiting) b->site = site;
    if (b->site != site)
        fail("divergent __syncthreads: some threads wait at %s:%d, this one at %s:%d", b->site->file, b->site->line,
             site->file, site->line);
    /* Threads that have left the kernel count as arrived, as on GPUs since Volta. */
    if (++b->waiting == b->live)
        release_barrier(b);
    else
        suspend(AT_BARRIER, site);
}

static void release_grid() {
    machine.grid_waiting = 0;
    check_grid_barrier();
    for (unsigned i = 0; i < machine.residents; i++) {
        Block *b = &machine.resident[i];
        b->turn++;
        for (Fiber &f : b->fibers)
            if (f.state == AT_GRID_BARRIER) f.state = READY;
        if (counting)
            for (Warp &w : b->warps) count_flush(&w);
    }
}

extern "C" void nncc_emu_grid_barrier(unsigned *barrier, const Site *site) {
    if (!machine.launch->cooperative)
        fail("nncc_grid_sync at %s:%d in a launch that is not cooperative", site->file, site->line);
    if (!within(barrier, 8))
        fail("nncc_grid_sync at %s:%d: its two words are not in device memory", site->file, site->line);
    if (barrier[0]) fail("nncc_grid_sync at %s:%d: its words were not set to 0", site->file, site->line);
    if (++machine.grid_waiting == machine.grid_live) {
        barrier[1]++;
        release_grid();
    } else {
        suspend(AT_GRID_BARRIER, site);
    }
}

extern "C" int nncc_emu_last_part(unsigned *ticket, unsigned parts, const Site *site) {
    static const Site after = {"nncc_last_part", 0};
    Block *b = running()->home;
    nncc_emu_barrier(site);
    if (!within(ticket, 4)) fail("nncc_last_part at %s:%d: its ticket is not in device memory", site->file, site->line);
    if (running()->linear == 0) {
        check_ticket(ticket);
        b->last_of = ++*ticket == parts ? ticket : nullptr;
        if (*ticket > parts) fail("nncc_last_part at %s:%d: its ticket was not 0", site->file, site->line);
        if (b->last_of) *ticket = 0;
    }
    nncc_emu_barrier(&after);
    return b->last_of == ticket;
}

/* ---- warps ---- */

static void release_collective(Warp *w, Collective *c) {
    for (unsigned m = c->arrived; m; m &= m - 1) {
        Fiber *f = w->first + __builtin_ctz(m);
        if (f->state == AT_COLLECTIVE) f->state = READY;
    }
    c->arrived = 0;
    c->turn++;
    if ((c->mask & w->live) == w->live) w->turn++;
    if (counting) count_flush(w);
}

/* The operation that lanes of this mask are at. Some may be at one that the others reach later, with another mask. */
static unsigned find_collective(Warp *w, unsigned mask) {
    for (unsigned i = 0; i < w->collectives.size(); i++)
        if (w->collectives[i].mask == mask) return i;
    w->collectives.push_back(Collective());
    w->collectives.back().mask = mask;
    return (unsigned)w->collectives.size() - 1;
}

static void join(Collective *c, const Site *site) {
    if (!c->arrived) {
        c->site = site;
        for (uint64_t &word : c->word[c->turn & 1]) word = ~(uint64_t)0; /* NaN for lanes that have left */
    } else if (c->site != site) {
        fail("lanes of a warp are at different operations: %s:%d and %s:%d", c->site->file, c->site->line, site->file,
             site->line);
    }
}

static int source_lane(int self, int lane, int width, int kind) {
    const int first = self & ~(width - 1), last = first + width - 1;
    int from = kind == 0   ? first + (lane & (width - 1))
               : kind == 1 ? self - lane
               : kind == 2 ? self + lane
                           : self ^ lane;
    return (kind == 1 && from < first) || from > last ? self : from;
}

extern "C" uint64_t nncc_emu_shuffle(unsigned mask, uint64_t bits, int lane, int width, int kind, const Site *site) {
    Fiber *f = running();
    Warp *w = f->warp;
    if (!(mask >> f->lane & 1)) fail("a lane outside the mask calls a warp operation at %s:%d", site->file, site->line);
    const unsigned i = find_collective(w, mask);
    join(&w->collectives[i], site);
    const unsigned set = w->collectives[i].turn & 1;
    w->collectives[i].word[set][f->lane] = bits;
    w->collectives[i].arrived |= 1u << f->lane;
    if (w->collectives[i].arrived == (mask & w->live))
        release_collective(w, &w->collectives[i]);
    else
        suspend(AT_COLLECTIVE, site);
    return w->collectives[i].word[set][source_lane((int)f->lane, lane, width, kind)];
}

/* A thread that has left is not waited for. */
static void left(Fiber *f) {
    Block *b = f->home;
    b->live--, machine.grid_live--;
    f->warp->live &= ~(1u << f->lane);
    for (Collective &c : f->warp->collectives)
        if (c.arrived && c.arrived == (c.mask & f->warp->live)) release_collective(f->warp, &c);
    if (b->live && b->waiting == b->live) release_barrier(b);
    if (machine.grid_waiting && machine.grid_waiting == machine.grid_live) release_grid();
    if (!f->warp->live && counting) count_flush(f->warp);
}

/* ---- cp.async: its destination holds NaN until the wait, since data may arrive at any time between ---- */

extern "C" void nncc_emu_copy_async(void *to, const void *from, int size, int bytes, const Site *site) {
    Fiber *f = running();
    if ((uintptr_t)to % (unsigned)size || (bytes && (uintptr_t)from % (unsigned)size))
        fail("cp.async of %d bytes at %s:%d is not aligned", size, site->file, site->line);
    unsigned char *p = (unsigned char *)to;
    if (p < f->shared || p + size > f->shared + machine.launch->shared)
        fail("cp.async at %s:%d does not go to this block's shared memory", site->file, site->line);
    const void *pc = __builtin_return_address(0);
    check_access(to, (size_t)size, true, pc);
    if (counting) count_access(GLOBAL_ASYNC, from, (size_t)bytes, pc);
    memset(to, 0xFF, (size_t)size);
    f->copies.push_back({to, from, size, bytes, pc});
}

extern "C" void nncc_emu_copy_commit(void) { running()->groups.push_back(running()->copies.size()); }

static void arrive(const AsyncCopy &c) {
    check_arrival(c);
    memset(c.to, 0, (size_t)c.size);
    if (c.bytes) memcpy(c.to, c.from, (size_t)c.bytes);
}

extern "C" void nncc_emu_copy_wait(int groups) {
    Fiber *f = running();
    if (f->groups.size() <= (size_t)groups) return;
    const size_t done = f->groups.size() - (size_t)groups, n = f->groups[done - 1];
    for (size_t i = 0; i < n; i++) arrive(f->copies[i]);
    f->copies.erase(f->copies.begin(), f->copies.begin() + (ptrdiff_t)n);
    f->groups.erase(f->groups.begin(), f->groups.begin() + (ptrdiff_t)done);
    for (size_t &end : f->groups) end -= n;
}

/* ---- four floats ---- */

[[noreturn]] static void misaligned(const void *p, int bytes, const Site *site) {
    fail("%d bytes at %p, which is not a multiple of it, at %s:%d", bytes, p, site->file, site->line);
    abort();
}
extern "C" void nncc_emu_misaligned(const void *p, int bytes, const Site *site) { misaligned(p, bytes, site); }

extern "C" float4 nncc_emu_load4(const float *p, const Site *site) {
    if ((uintptr_t)p & 15) misaligned(p, 16, site);
    check_access(p, 16, false, __builtin_return_address(0));
    return *(const float4 *)p;
}

extern "C" void nncc_emu_store4(float *p, float4 v, const Site *site) {
    if ((uintptr_t)p & 15) misaligned(p, 16, site);
    check_access(p, 16, true, __builtin_return_address(0));
    *(float4 *)p = v;
}

/* ---- blocks ---- */

static uint3 place(unsigned i, const dim3 &n) { return {i % n.x, i / n.x % n.y, i / (n.x * n.y)}; }

/* What is the same for all blocks of a launch that take this place. */
static void lay_out(Block *b, unsigned char *shared) {
    const Launch *l = machine.launch;
    const unsigned n = l->threads.x * l->threads.y * l->threads.z;
    b->shared = shared;
    b->fibers.resize(n);
    b->warps.resize((n + WARP - 1) / WARP);
    for (unsigned i = 0; i < n; i++) {
        Fiber *f = &b->fibers[i];
        f->thread = place(i, l->threads), f->threads = l->threads, f->blocks = l->blocks, f->shared = shared;
        f->linear = i, f->lane = i % WARP, f->home = b, f->warp = &b->warps[i / WARP];
        f->copies.clear(), f->groups.clear(); /* of a launch that failed */
    }
}

static void start_block(Block *b, unsigned linear) {
    const uint3 block = place(linear, machine.launch->blocks);
    b->last_of = nullptr;
    b->linear = linear, b->live = (unsigned)b->fibers.size(), b->waiting = 0, b->turn = 0;
    for (unsigned w = 0; w < b->warps.size(); w++) {
        const unsigned lanes = std::min(b->live - w * WARP, (unsigned)WARP);
        b->warps[w].live = 0xffffffffu >> (WARP - lanes), b->warps[w].turn = 0;
        b->warps[w].first = &b->fibers[w * WARP];
        b->warps[w].collectives.clear();
    }
    for (Fiber &f : b->fibers) f.block = block, f.state = FRESH;
    memset(b->shared, 0xFF, machine.launch->shared);
    memset(b->shared + machine.launch->shared, 0xA5, PAD);
}

static void end_block(Block *b) {
    for (Fiber &f : b->fibers) release_stack(&f);
    for (int i = 0; i < PAD && !machine.failed; i++)
        if (b->shared[machine.launch->shared + (size_t)i] != 0xA5)
            fail("block %u wrote %d bytes past the end of its shared memory", b->linear, i);
}

/* ---- the scheduler ---- */

static int setting(const char *name) { return getenv(name) ? atoi(getenv(name)) : 0; }

static unsigned random_below(unsigned n) {
    static uint32_t state = 2463534242u + (uint32_t)setting("NNCC_EMU_SEED") * 2654435761u;
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    return state % n;
}

/* The orders NNCC_EMU_ORDER knows: 0 ascending, 1 descending, 2 another one each round. */
static void arrange(std::vector<Fiber *> *f, int order, bool first) {
    if (order == 1 && first) std::reverse(f->begin(), f->end());
    for (size_t i = f->size(); order == 2 && i > 1; i--) std::swap((*f)[i - 1], (*f)[random_below((unsigned)i)]);
}

static void deadlock(Fiber *f) {
    fail("deadlock: thread (%u,%u,%u) of block %u waits for ever at %s:%d", f->thread.x, f->thread.y, f->thread.z,
         f->home->linear, f->site ? f->site->file : "?", f->site ? f->site->line : 0);
}

/* Runs the resident blocks to their end. */
static void run_resident() {
    std::vector<Fiber *> todo;
    for (unsigned i = 0; i < machine.residents; i++)
        for (Fiber &f : machine.resident[i].fibers) todo.push_back(&f);
    const int order = setting("NNCC_EMU_ORDER");
    for (bool first = true; !todo.empty(); first = false) {
        arrange(&todo, order, first);
        bool progress = false;
        size_t kept = 0;
        for (Fiber *f : todo) {
            if (f->state <= READY) {
                resume(f);
                if (machine.failed) return;
                if (f->state == DONE) left(f);
                progress = true;
            }
            if (f->state != DONE) todo[kept++] = f;
        }
        todo.resize(kept);
        if (!progress) return deadlock(todo[0]);
    }
}

static void run_blocks(unsigned blocks) {
    static std::vector<Block> pool;
    static std::vector<unsigned char> memory;
    const unsigned residents = machine.launch->cooperative ? blocks : 1;
    machine.shared_stride = (machine.launch->shared + PAD + PAD - 1) / PAD * PAD;
    if (memory.size() < machine.shared_stride * residents + PAD) memory.resize(machine.shared_stride * residents + PAD);
    machine.shared = memory.data() + (PAD - (uintptr_t)memory.data() % PAD) % PAD;
    check_shared(machine.shared, machine.shared_stride * residents);
    if (pool.size() < residents) pool.resize(residents);
    machine.resident = pool.data(), machine.residents = residents;
    machine.grid_live = residents * machine.launch->threads.x * machine.launch->threads.y * machine.launch->threads.z;
    const bool backwards = setting("NNCC_EMU_ORDER") == 1;
    for (unsigned i = 0; i < residents; i++) lay_out(&pool[i], machine.shared + i * machine.shared_stride);
    for (unsigned first = 0; first < blocks && !machine.failed; first += residents) {
        for (unsigned i = 0; i < residents; i++) start_block(&pool[i], backwards ? blocks - 1 - first - i : first + i);
        run_resident();
        for (unsigned i = 0; i < residents; i++) end_block(&pool[i]);
    }
}

std::string run(const Launch &launch) {
    machine.launch = &launch;
    machine.args.clear();
    for (const auto &arg : launch.arg) machine.args.push_back((void *)arg.data());
    machine.failed = false, machine.error.clear();
    machine.grid_waiting = 0;
    check_launch();
    fence(launch);
    catch_faults();
    run_blocks(launch.blocks.x * launch.blocks.y * launch.blocks.z);
    const std::string fault = release_faults();
    unfence();
    if (!fault.empty()) return fault + " [kernel " + launch.kernel->name + "]";
    return machine.failed ? machine.error : check_result();
}

} // namespace nncc_emu
