/* refused.c - what the data of a call gets wrong: a string that is missing or too long, a number beyond its bound.
 * Blocks end where they do, so that the sanitizer sees what lies outside. */
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

NET_ARENA(arena);
static const char *label[NET_LABEL_LEN];
static int64_t k[NET_K_LEN];
static double x[NET_X_LEN];
static int failed;

static void expect(const char *what, int saw, int expected) {
    if (saw == expected) return;
    fprintf(stderr, "%s: expected %d, saw %d\n", what, expected, saw);
    failed = 1;
}

static void names_field(const net_net *net, int code, const char *expected) {
    const char *field = "";
    expect("net_check", net_check(net, &field), code);
    if (strcmp(field ? field : "", expected)) fprintf(stderr, "expected %s, saw %s\n", expected, field), failed = 1;
}

int main(void) {
    char longest[64], longer[65];
    int64_t front_extent = -1, many_extent = -1;
    net_net net = {.label = label, .k = k, .x = x, .arena = arena};
    net.same = malloc(NET_SAME_LEN), net.front = malloc(sizeof *net.front * NET_FRONT_LEN);
    net.many = malloc(sizeof *net.many * NET_MANY_LEN);
    if (!net.same || !net.front || !net.many) return 1;
    memset(longest, 'a', 63), longest[63] = 0;
    memset(longer, 'a', 64), longer[64] = 0;
    label[0] = label[2] = longest, label[1] = "b";
    for (int i = 0; i < NET_X_LEN; i++) x[i] = i + 1;
    k[0] = 3;
    expect("net_run", net_run(&net), NET_OK); /* without the extents */
    net.front_extent = &front_extent, net.many_extent = &many_extent;
    expect("net_run", net_run(&net), NET_OK);
    expect("extent of front", (int)front_extent, 3);
    expect("extent of many", (int)many_extent, 3);
    expect("same", net.same[0] + 2 * net.same[1] + 4 * net.same[2], 5);
    for (int i = 0; i < NET_FRONT_LEN; i++) expect("front", (int)net.front[i], i < 3 ? i + 1 : 0);
    for (int i = 0; i < NET_MANY_LEN; i++) expect("many", (int)net.many[i], i < 3 ? i : 0);
    for (int i = 0; i < 3; i++) {
        static const int64_t beyond[] = {6, -1, INT64_MAX};
        k[0] = beyond[i];
        expect("a number beyond its bound", net_run(&net), NET_E_BOUND);
    }
    k[0] = 5, label[1] = NULL;
    expect("a missing string", net_run(&net), NET_E_NULL);
    names_field(&net, NET_E_NULL, "label");
    label[1] = longer;
    expect("a long string", net_run(&net), NET_E_BOUND);
    names_field(&net, NET_E_BOUND, "label");
    label[1] = longest;
    expect("net_run", net_run(&net), NET_OK);
    expect("extent of many", (int)many_extent, 5);
    free(net.same), free(net.front), free(net.many);
    return failed;
}
