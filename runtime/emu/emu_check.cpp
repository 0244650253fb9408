/* emu_check.cpp - races and bounds.
 *
 * A race is two accesses to the same bytes, one of them a write, that nothing orders: not one thread, no barrier of
 * their block, no operation of their whole warp, no grid barrier or end of a kernel. So it is found in whatever order
 * the emulator ran the threads. Per 4 bytes the last write and the last reads are kept, as ThreadSanitizer does. */
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <map>
#include <sys/mman.h>

#include "emu.h"

namespace nncc_emu {

struct Access {
    uint32_t block, turn, warp_turn, epoch;
    uint16_t thread;
    uint8_t mask, many; /* which of the 4 bytes; 1: several threads of the block, 2: several blocks */
    const void *pc;
};
struct Cell {
    Access write, read;
};

static bool instrumented;
static uint32_t epoch; /* launches and grid barriers so far */
static unsigned findings;
static std::string first_finding;
static Region shared_region;

/* ---- messages ---- */

std::string source_line(const void *pc) {
    Dl_info info;
    char text[1200] = "?";
    if (!dladdr(pc, &info) || !info.dli_fname) return text;
    const unsigned long offset = (unsigned long)((const char *)pc - (const char *)info.dli_fbase) - 1;
    snprintf(text, sizeof text, "addr2line -e '%s' 0x%lx 2>/dev/null", info.dli_fname, offset);
    FILE *p = strchr(info.dli_fname, '\'') ? nullptr : popen(text, "r");
    const bool known = p && fgets(text, sizeof text, p) && text[0] != '?';
    if (p) pclose(p);
    if (!known) snprintf(text, sizeof text, "%s+0x%lx", info.dli_fname, offset);
    text[strcspn(text, "\n (")] = 0;
    return text;
}

static void find(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void find(const char *format, ...) {
    if (findings++) return;
    char text[2000];
    va_list more;
    va_start(more, format);
    vsnprintf(text, sizeof text, format, more);
    va_end(more);
    first_finding = std::string(text) + " [kernel " + machine.launch->kernel->name + "]";
}

static void report_race(bool writes, const Access &before, bool wrote, const void *pc, bool shared) {
    const Fiber *f = running();
    if (findings)
        findings++;
    else
        find("race: block %u thread %u %s %s memory at %s, unordered with the %s of block %u thread %u at %s",
             f->home->linear, f->linear, writes ? "writes" : "reads", shared ? "shared" : "global",
             source_line(pc).c_str(), wrote ? "write" : "read", before.block, before.thread,
             source_line(before.pc).c_str());
}

/* ---- races ---- */

/* The tickets that blocks of this launch took, and how many barriers they had passed. */
struct Ticket {
    const unsigned *ticket;
    unsigned turn;
};
static std::multimap<unsigned, Ticket> tickets; /* by block */

void check_ticket(const unsigned *ticket) {
    const Block *b = running()->home;
    tickets.insert({b->linear, {ticket, b->turn}});
}

static bool before_ticket(const Access &a, const unsigned *ticket) {
    auto range = tickets.equal_range(a.block);
    for (auto t = range.first; t != range.second; ++t)
        if (t->second.ticket == ticket && a.turn < t->second.turn) return true;
    return false;
}

static bool ordered(const Access &a, const Fiber *f, bool shared) {
    const Block *b = f->home;
    if (a.epoch < epoch) return true;
    if (!shared && a.block != b->linear && b->last_of && before_ticket(a, b->last_of)) return true;
    if (a.block != b->linear) return shared; /* then it is an earlier block's */
    if (a.many == 2) return false;
    if (a.turn < b->turn) return true;
    if (a.many == 1) return false;
    return a.thread == f->linear || (a.thread / WARP == f->linear / WARP && a.warp_turn < f->warp->turn);
}

static Access access_of(const Fiber *f, unsigned mask, const void *pc) {
    return {f->home->linear, f->home->turn, f->warp->turn, epoch, (uint16_t)f->linear, (uint8_t)mask, 0, pc};
}

/* Several reads that nothing orders become one, by several. */
static void note_read(Access *r, Access now, bool shared) {
    const bool unordered = r->mask && r->epoch == epoch && !(shared && r->block != now.block);
    if (unordered && (r->block != now.block || r->many == 2)) {
        now.many = 2, now.mask |= r->mask;
    } else if (unordered && r->turn == now.turn) {
        now.many = r->many || r->thread != now.thread, now.mask |= r->mask;
    }
    *r = now;
}

static void touch(Cell *c, unsigned mask, bool write, const void *pc, bool shared) {
    const Fiber *f = running();
    if (c->write.mask & mask && !ordered(c->write, f, shared)) report_race(write, c->write, true, pc, shared);
    if (!write) {
        note_read(&c->read, access_of(f, mask, pc), shared);
        return;
    }
    if (c->read.mask & mask && !ordered(c->read, f, shared)) report_race(true, c->read, false, pc, shared);
    c->write = access_of(f, mask, pc);
    c->read.mask &= (uint8_t)~mask;
}

static void touch_all(Region *r, uintptr_t at, size_t bytes, bool write, const void *pc, bool shared) {
    if (!r->cells)
        r->cells = (Cell *)mmap(nullptr, (r->bytes / 4 + 1) * sizeof(Cell), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (uintptr_t end = at + bytes, next; at < end; at = next) {
        next = (at & ~(uintptr_t)3) + 4;
        const unsigned from = (unsigned)(at & 3), to = next <= end ? 4 : (unsigned)(end & 3);
        touch(&r->cells[(at - r->at) / 4], (1u << to) - (1u << from), write, pc, shared);
    }
}

void check_forget(Region *r) {
    if (r->cells) munmap(r->cells, (r->bytes / 4 + 1) * sizeof(Cell));
    r->cells = nullptr;
}

/* ---- bounds ---- */

static bool declared(uintptr_t at, size_t bytes, bool write, const void *pc) {
    const Launch *l = machine.launch;
    bool read_only = false;
    for (const Extent &e : l->extents) {
        if (at - e.at >= e.bytes || bytes > e.bytes - (at - e.at)) continue;
        if (!write || e.writes) return true;
        read_only = true;
    }
    if (l->extents.empty()) return true;
    const Fiber *f = running();
    if (!findings)
        find("bounds: block %u thread %u %s %zu bytes at %s, %s", f->home->linear, f->linear,
             write ? "writes" : "reads", bytes, source_line(pc).c_str(),
             read_only ? "in a tensor that this kernel only reads" : "outside the tensors of this kernel");
    else
        findings++;
    return false;
}

static Region *region_of(uintptr_t at) {
    static size_t last;
    if (last < regions.size() && at - regions[last].at < regions[last].bytes) return &regions[last];
    for (last = 0; last < regions.size(); last++)
        if (at - (regions[last].at - MARGIN) < regions[last].bytes + 2 * (size_t)MARGIN) return &regions[last];
    return nullptr;
}

/* Stops here: the access itself would crash. */
static void check_inside(const Region *r, uintptr_t at, size_t bytes, bool write, const void *pc) {
    if (at >= r->at && at + bytes <= r->at + r->bytes) return;
    fail("bounds: %s %zu bytes outside device memory at %s", write ? "writes" : "reads", bytes,
         source_line(pc).c_str());
}

static bool in_shared(uintptr_t at, size_t bytes, bool write, const void *pc) {
    if (at - shared_region.at >= shared_region.bytes) return false;
    const uintptr_t from = (uintptr_t)running()->shared;
    if (at < from || at + bytes > from + machine.launch->shared)
        fail("bounds: %s %zu bytes outside the block's shared memory at %s", write ? "writes" : "reads", bytes,
             source_line(pc).c_str());
    return true;
}

/* What lies where; counts if it is a request of its own. */
static void access(const void *p, size_t bytes, bool write, const void *pc, bool counts) {
    const uintptr_t at = (uintptr_t)p;
    const Fiber *f = running();
    if (!instrumented || !f || at - (uintptr_t)f->stack < STACK) return;
    if (in_shared(at, bytes, write, pc)) {
        if (counts) count_access(write ? SHARED_WRITE : SHARED_READ, p, bytes, pc);
        touch_all(&shared_region, at, bytes, write, pc, true);
    } else if (Region *r = region_of(at)) {
        check_inside(r, at, bytes, write, pc);
        if (counts) count_access(write ? GLOBAL_WRITE : GLOBAL_READ, p, bytes, pc);
        if (declared(at, bytes, write, pc)) touch_all(r, at, bytes, write, pc, false);
    }
}

void check_access(const void *p, size_t bytes, bool write, const void *pc) { access(p, bytes, write, pc, counting); }

void check_arrival(const AsyncCopy &c) {
    access(c.to, (size_t)c.size, true, c.pc, false);
    if (c.bytes) access(c.from, (size_t)c.bytes, false, c.pc, false);
}

/* ---- a launch ---- */

void check_shared(unsigned char *at, size_t bytes) {
    if (shared_region.at == (uintptr_t)at && shared_region.bytes == bytes) return;
    check_forget(&shared_region);
    shared_region = {(uintptr_t)at, bytes, nullptr, 0, false};
}

void check_launch() {
    epoch++;
    tickets.clear();
    findings = 0;
    first_finding.clear();
}

void check_grid_barrier() { epoch++; }

std::string check_result() {
    if (findings > 1) first_finding += " and " + std::to_string(findings - 1) + " more";
    return first_finding;
}

} // namespace nncc_emu

/* ---- what the compilers call ---- */

using nncc_emu::check_access;
#define PC __builtin_return_address(0)
#define ACCESSES(n)                                                                                                    \
    void __tsan_read##n(void *p) { check_access(p, n, false, PC); }                                                    \
    void __tsan_write##n(void *p) { check_access(p, n, true, PC); }                                                    \
    void __tsan_read_write##n(void *p) { check_access(p, n, false, PC), check_access(p, n, true, PC); }                \
    void __tsan_unaligned_read##n(void *p) { check_access(p, n, false, PC); }                                          \
    void __tsan_unaligned_write##n(void *p) { check_access(p, n, true, PC); }                                          \
    void __tsan_unaligned_read_write##n(void *p) { check_access(p, n, false, PC), check_access(p, n, true, PC); }
extern "C" {
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
void __tsan_read_range(void *p, unsigned long n) { check_access(p, n, false, PC); }
void __tsan_write_range(void *p, unsigned long n) { check_access(p, n, true, PC); }
void *__tsan_memcpy(void *to, const void *from, size_t n) {
    check_access(from, n, false, PC), check_access(to, n, true, PC);
    return memcpy(to, from, n);
}
void *__tsan_memmove(void *to, const void *from, size_t n) {
    check_access(from, n, false, PC), check_access(to, n, true, PC);
    return memmove(to, from, n);
}
void *__tsan_memset(void *to, int byte, size_t n) {
    check_access(to, n, true, PC);
    return memset(to, byte, n);
}
void __tsan_init(void) { nncc_emu::instrumented = true; }
void __tsan_func_entry(void *) {}
void __tsan_func_exit(void) {}
}
