/* emu_memory.cpp - device memory. */
#include <cstdlib>
#include <sys/mman.h>

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

void *allocate(size_t bytes) {
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
    regions.push_back({(uintptr_t)p + MARGIN, bytes, nullptr});
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

bool within(const void *p, size_t bytes) {
    for (const Region &r : regions)
        if ((uintptr_t)p - r.at < r.bytes) return bytes <= r.bytes - ((uintptr_t)p - r.at);
    return false;
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
