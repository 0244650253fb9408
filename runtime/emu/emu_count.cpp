/* emu_count.cpp - what a GPU's memory would be asked for: 32 lanes' accesses make one request, which takes as many
 * sectors of 32 bytes of global memory as it touches, or as many turns of the 32 banks of shared memory as one bank has
 * different words to give (8 lanes at a time for 16 bytes, 16 for 8). */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <tuple>
#include <unordered_map>

#include "emu.h"

namespace nncc_emu {

/* The n-th time that lanes of a warp came by a place since they last waited for each other. */
struct Request {
    Kind kind;
    unsigned mask = 0;
    size_t bytes;
    uintptr_t at[WARP];
};
struct Place {
    unsigned seen[WARP] = {0};
    std::vector<Request> requests;
};
struct Total {
    uint64_t requests = 0, lanes = 0, parts = 0, least = 0;
};

static const char *path = getenv("NNCC_EMU_COUNT");
bool counting = path != nullptr;
static std::unordered_map<const Warp *, std::map<std::pair<const void *, Kind>, Place>> open;
static std::map<std::tuple<std::string, std::string, Kind>, Total> totals; /* by kernel and place */

void count_access(Kind kind, const void *p, size_t bytes, const void *pc) {
    const Fiber *f = running();
    Place *place = &open[f->warp][{pc, kind}];
    const unsigned n = place->seen[f->lane]++;
    if (!bytes) return; /* the lane takes part, with nothing */
    if (place->requests.size() <= n) place->requests.resize(n + 1);
    Request *r = &place->requests[n];
    r->kind = kind, r->bytes = bytes;
    r->mask |= 1u << f->lane;
    r->at[f->lane] = (uintptr_t)p;
}

static unsigned different(std::vector<uintptr_t> *v) {
    std::sort(v->begin(), v->end());
    return (unsigned)(std::unique(v->begin(), v->end()) - v->begin());
}

/* The units of `size` bytes that lanes first to last touch. */
static std::vector<uintptr_t> units(const Request &r, unsigned first, unsigned last, uintptr_t size) {
    std::vector<uintptr_t> u;
    for (unsigned l = first; l < last; l++)
        for (uintptr_t i = r.at[l] / size; r.mask >> l & 1 && i <= (r.at[l] + r.bytes - 1) / size; i++) u.push_back(i);
    return u;
}

static void count_global(const Request &r, Total *t) {
    std::vector<uintptr_t> sectors = units(r, 0, WARP, 32), bytes = units(r, 0, WARP, 1);
    t->parts += different(&sectors);
    t->least += (different(&bytes) + 31) / 32;
}

static void count_shared(const Request &r, Total *t) {
    const unsigned lanes = r.bytes > 8 ? WARP / 4 : r.bytes > 4 ? WARP / 2 : WARP;
    for (unsigned first = 0; first < WARP; first += lanes) {
        std::vector<uintptr_t> words = units(r, first, first + lanes, 4);
        if (words.empty()) continue;
        words.resize(different(&words));
        unsigned bank[32] = {0}, most = 0;
        for (uintptr_t w : words) most = std::max(most, ++bank[w % 32]);
        t->parts += most;
        t->least++;
    }
}

static const std::string &name_of(const void *pc) {
    static std::unordered_map<const void *, std::string> names;
    std::string *name = &names[pc];
    if (name->empty()) *name = source_line(pc);
    return *name;
}

void count_flush(Warp *w) {
    auto warp = open.find(w);
    if (warp == open.end()) return;
    for (auto &place : warp->second) {
        for (const Request &r : place.second.requests) {
            if (!r.mask) continue;
            Total *t = &totals[{machine.launch->kernel->name, name_of(place.first.first), r.kind}];
            t->requests++, t->lanes += (unsigned)__builtin_popcount(r.mask);
            if (r.kind < SHARED_READ)
                count_global(r, t);
            else
                count_shared(r, t);
        }
    }
    open.erase(warp);
}

/* A row per place: kernel, place, kind, requests, lanes, sectors or turns, and the least of them possible. */
void count_report() {
    static const char *const names[KINDS] = {"global-read", "global-write", "global-async", "shared-read",
                                             "shared-write"};
    FILE *f = counting ? fopen(path, "w") : nullptr;
    if (!f) return;
    for (const auto &row : totals) {
        const Total &t = row.second;
        fprintf(f, "%s %s %s %llu %llu %llu %llu\n", std::get<0>(row.first).c_str(), std::get<1>(row.first).c_str(),
                names[std::get<2>(row.first)], (unsigned long long)t.requests, (unsigned long long)t.lanes,
                (unsigned long long)t.parts, (unsigned long long)t.least);
    }
    fclose(f);
}

} // namespace nncc_emu
