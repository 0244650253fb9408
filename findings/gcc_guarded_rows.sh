#!/bin/sh
# gcc 12.2, x86-64 with AVX2, -O3: rows of 2 to 16 elements that a check of the row's number lets through come out as zeros.
#
# y[j][k] = j - 4 >= 0 ? x[j - 4][k] : 0 moves rows of 8 down by four; -O3 -mavx2 gives zeros for half of them, with AVX-512 for more. It
# does not matter whether the check stands in the inner loop, in a variable before it, or as an if with a loop on either side. Rows of 17
# are right, and so are -O2 -mavx2, -O3 without AVX2, clang 14, -fno-tree-loop-if-convert, and two loops over j, up to the fourth row and
# from there on. Unlike gcc_masked_permuted_loads.sh nothing is transposed, and the check asks for a place, so that the element cannot be
# read before it. Nothing is undefined: arrays lie apart, what is outside is not read.
#
# Seen with gcc (Debian 12.2.0-14+deb12u1) 12.2.0, as the number of wrong elements of 320:
#   -O2 -mavx2                               0
#   -O3                                      0
#   -O3 -mavx2                               64
#   -O3 -mavx2 -fno-tree-loop-if-convert     0
#
# Makes a folder that goes away, fails if gcc 12 gives anything else; another compiler is only shown. usage: [CC=gcc-12] sh FILE
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cc=${CC:-gcc}
cat >"$dir/f.c" <<'C'
void f(const float x[restrict 2][16][8], float y[restrict 2][20][8]);
void f(const float x[restrict 2][16][8], float y[restrict 2][20][8]) {
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 20; j++)
            for (int k = 0; k < 8; k++) y[i][j][k] = j - 4 >= 0 ? x[i][j - 4][k] : 0.0f;
}
C
cat >"$dir/main.c" <<'C'
#include <stdio.h>
void f(const float x[restrict 2][16][8], float y[restrict 2][20][8]);
int main(void) {
    static float x[2][16][8], y[2][20][8];
    int wrong = 0;
    for (int i = 0; i < 256; i++) (&x[0][0][0])[i] = (float)i + 1;
    f(x, y);
    for (int i = 0; i < 320; i++) wrong += (&y[0][0][0])[i] != (i % 160 < 32 ? 0 : (float)(i / 160 * 128 + i % 160 - 32 + 1));
    printf("%d\n", wrong);
}
C
grep -qw avx2 /proc/cpuinfo || { echo "no AVX2 here"; exit 0; }
shown() {
    "$cc" -std=c11 "$@" -c "$dir/f.c" -o "$dir/f.o"
    "$cc" -std=c11 "$dir/main.c" "$dir/f.o" -o "$dir/f"
    printf '%-40s %s\n' "$*" "$("$dir/f")"
}
shown -O2 -mavx2 >"$dir/saw"
shown -O3 >>"$dir/saw"
shown -O3 -mavx2 >>"$dir/saw"
shown -O3 -mavx2 -fno-tree-loop-if-convert >>"$dir/saw"
cat "$dir/saw"
case $("$cc" -dumpfullversion 2>/dev/null) in
12.*) sed -n 's/^#   \(-O.*\)/\1/p' "$0" | diff - "$dir/saw" ;;
esac
