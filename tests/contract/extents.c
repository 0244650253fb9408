/* extents.c - outputs whose sizes only the data tells, against plain loops: random masks, none and all, and without the
 * extents. */
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURNS = 200 };
#ifdef NET_ARENA
NET_ARENA(arena);
#endif
static double x[NET_X_LEN], image[NET_IMAGE_LEN], rows[NET_ROWS_LEN], flat[NET_FLAT_LEN];
static uint8_t keep[NET_KEEP_LEN], flags[NET_FLAGS_LEN];
static int64_t places[NET_PLACES_LEN], set[NET_SET_LEN], set_rows[NET_SET_ROWS_LEN], places_extent, rows_extent,
    flat_extent, set_extent, set_rows_extent;

static int wrong(const char *what, int turn, long saw, long expected) {
    return fprintf(stderr, "turn %d: %s %ld, expected %ld\n", turn, what, saw, expected), 1;
}

/* The indices of n elements that are set, a row for each of `rank` dims, packed. */
static int indices(const char *what, int turn, const uint8_t *on, int n, int rank, const int *dim, const int64_t *saw,
                   int64_t extent) {
    int count = 0, at = 0;
    for (int i = 0; i < n; i++) count += on[i] != 0;
    if (extent != count) return wrong(what, turn, (long)extent, count);
    for (int i = 0; i < n; i++) {
        if (!on[i]) continue;
        for (int k = rank - 1, rest = i; k >= 0; rest /= dim[k--])
            if (saw[k * count + at] != rest % dim[k])
                return wrong(what, turn, (long)saw[k * count + at], rest % dim[k]);
        at++;
    }
    return 0;
}

/* The same as indices, transposed. */
static int transposed(int turn, const int64_t *by_row, int64_t count, const int64_t *columns, int64_t extent) {
    if (extent != count) return wrong("rows of set", turn, (long)extent, (long)count);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 2; k++)
            if (by_row[2 * i + k] != columns[k * count + i])
                return wrong("row of set", turn, (long)by_row[2 * i + k], (long)columns[k * count + i]);
    return 0;
}

static int kept(const char *what, int turn, int size, const double *saw, int64_t extent) {
    int count = 0;
    for (int i = 0; i < NET_KEEP_LEN; i++)
        if (keep[i] && memcmp(saw + size * count++, image + size * i, sizeof *image * (size_t)size))
            return wrong(what, turn, i, -1);
    return extent == count ? 0 : wrong(what, turn, (long)extent, count);
}

int main(void) {
    static const int dim[] = {4, 3, 2}, of_flags[] = {2, 8};
    uint8_t on[NET_X_LEN];
    net_net net = {.x = x, .keep = keep, .image = image, .flags = flags};
    net.places = places, net.rows = rows, net.flat = flat, net.set = set, net.set_rows = set_rows;
#ifdef NET_ARENA
    net.arena = arena;
#endif
    for (int i = 0; i < NET_IMAGE_LEN; i++) image[i] = i + 1;
    for (int turn = 0; turn < TURNS; turn++) {
        const int most = turn < 2 ? turn : rand() % 4; /* none, then all */
        for (int i = 0; i < NET_X_LEN; i++)
            x[i] = turn == 1 || (most && rand() % 4 < most) ? i + 1 : -i, on[i] = x[i] > 0;
        for (int i = 0; i < NET_KEEP_LEN; i++) keep[i] = turn == 1 || (most && rand() % 4 < most);
        for (int i = 0; i < NET_FLAGS_LEN; i++) flags[i] = turn == 1 || (most && rand() % 4 < most);
        net.places_extent = &places_extent, net.rows_extent = &rows_extent;
        net.flat_extent = &flat_extent, net.set_extent = &set_extent, net.set_rows_extent = &set_rows_extent;
        places_extent = rows_extent = flat_extent = set_extent = -1;
        if (net_run(&net)) return wrong("run", turn, 1, 0);
        net.places_extent = net.rows_extent = net.flat_extent = net.set_extent = net.set_rows_extent = NULL;
        memset(places, 0xff, sizeof places);
        if (net_run(&net)) return wrong("without extents", turn, 1, 0);
        if (indices("places", turn, on, NET_X_LEN, 3, dim, places, places_extent) ||
            kept("rows", turn, 6, rows, rows_extent) || kept("flat", turn, 1, flat, flat_extent) ||
            indices("set", turn, flags, NET_FLAGS_LEN, 2, of_flags, set, set_extent) ||
            transposed(turn, set_rows, set_rows_extent, set, set_extent))
            return 1;
    }
    return 0;
}
