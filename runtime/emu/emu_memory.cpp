/* emu_memory.cpp - device memory. */
#include <csignal>
#include <cstdlib>
#include <sys/mman.h>
#ifdef __linux__
#include <ucontext.h>
#endif

#include "emu.h"

extern "C" {
void __asan_poison_memory_region(void const volatile *, size_t) __attribute__((weak));
void __asan_unpoison_memory_region(void const volatile *, size_t) __attribute__((weak));
}

namespace nncc_emu {

std::vector<Region> regions;

size_t allocated() {
    size_t n = 0;
    for (const Region &r : regions) n += r.bytes;
    return n;
}

static size_t mapped(size_t bytes) { return (bytes + 4095) / 4096 * 4096 + 2 * (size_t)MARGIN; }

void *allocate(size_t bytes, int gpu, bool managed) {
    const char *limit = getenv("NNCC_EMU_MEMORY");
    const size_t most = limit ? strtoull(limit, nullptr, 10) : (size_t)64 << 30;
    if (!bytes || bytes > most || allocated() > most - bytes) return nullptr;
    char *p = (char *)mmap(nullptr, mapped(bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return nullptr;
    if (mprotect(p + MARGIN, mapped(bytes) - 2 * (size_t)MARGIN, PROT_READ | PROT_WRITE)) {
        munmap(p, mapped(bytes));
        return nullptr;
    }
    memset(p + MARGIN, 0xFF, bytes);
    regions.push_back({(uintptr_t)p + MARGIN, bytes, nullptr, gpu, managed});
    return p + MARGIN;
}

bool release(void *p) {
    for (size_t i = 0; i < regions.size(); i++) {
        if (regions[i].at != (uintptr_t)p) continue;
        check_forget(&regions[i]);
        munmap((char *)p - MARGIN, mapped(regions[i].bytes));
        regions.erase(regions.begin() + (ptrdiff_t)i);
        return true;
    }
    return false;
}

const Region *region_around(const void *p, size_t bytes) {
    for (const Region &r : regions)
        if ((uintptr_t)p - r.at < r.bytes) return bytes <= r.bytes - ((uintptr_t)p - r.at) ? &r : nullptr;
    return nullptr;
}

bool within(const void *p, size_t bytes) { return region_around(p, bytes) != nullptr; }

/* ---- accesses to no man's land ---- */

static struct sigaction other; /* what handles faults that are not a kernel's */
static const void *fault_pc;
static char signal_stack[64 * 1024];

static bool near_device_memory(uintptr_t at) {
    for (const Region &r : regions)
        if (at - (r.at - MARGIN) < r.bytes + 2 * (size_t)MARGIN + 4096) return true;
    return false;
}

static void on_fault(int number, siginfo_t *info, void *context) {
    if (!running() || !near_device_memory((uintptr_t)info->si_addr)) {
        sigaction(number, &other, nullptr); /* which the access, made again, gets */
        return;
    }
#if defined __linux__ && defined __x86_64__
    fault_pc = (const void *)(((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] + 1);
#else
    (void)context;
#endif
    machine.failed = true;
    suspend(AT_BARRIER, nullptr); /* for ever */
}

void catch_faults() {
    stack_t own = {};
    own.ss_sp = signal_stack, own.ss_size = sizeof signal_stack;
    struct sigaction action = {};
    action.sa_sigaction = on_fault, action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    fault_pc = nullptr;
    sigaltstack(&own, nullptr);
    sigaction(SIGSEGV, &action, &other);
}

std::string release_faults() {
    sigaction(SIGSEGV, &other, nullptr);
    return fault_pc ? "bounds: outside device memory at " + source_line(fault_pc) : "";
}

void fence(const Launch &l) {
    if (!__asan_poison_memory_region || l.extents.empty()) return;
    for (const Region &r : regions) __asan_poison_memory_region((void *)r.at, r.bytes);
    for (const Extent &e : l.extents) __asan_unpoison_memory_region((void *)e.at, e.bytes);
}

void unfence() {
    if (!__asan_unpoison_memory_region) return;
    for (const Region &r : regions) __asan_unpoison_memory_region((void *)r.at, r.bytes);
}

} // namespace nncc_emu
