#!/bin/sh
# gcc 12.2, x86-64 with AVX2, -O3: a load that a condition guards, in an inner loop of two, takes its elements in the order of memory.
#
# y[n][o][i][j] = x[n][o][i][j] > 0 ? d[o][n][j][i] : 0 transposes 2 by 2 where x is positive. With -O3 -mavx2 it copies instead: elements
# 0 1 2 3 of d where 0 2 1 3 are asked for. -O2 -mavx2, -O3 without AVX2, clang 14, and gcc with -fno-tree-loop-vectorize or
# -fno-tree-loop-if-convert are right, and so is -O3 -mavx2 where d's element is loaded before the condition. Nothing is undefined:
# arrays lie apart, indices inside.
#
# Seen with gcc (Debian 12.2.0-14+deb12u1) 12.2.0:
#   -O2 -mavx2                             0 2 1 3
#   -O3 -mavx2                             0 1 2 3
#   -O3 -mavx2 -fno-tree-loop-vectorize    0 2 1 3
#
# Makes a folder that goes away, fails if gcc 12 gives anything else; another compiler is only shown. usage: [CC=gcc-12] sh FILE
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cc=${CC:-gcc}
cat >"$dir/f.c" <<'C'
void f(const double d[restrict 2][3][2][2], const double x[restrict 3][2][2][2], double y[restrict 3][2][2][2]);
void f(const double d[restrict 2][3][2][2], const double x[restrict 3][2][2][2], double y[restrict 3][2][2][2]) {
    for (int n = 0; n < 3; n++)
        for (int o = 0; o < 2; o++)
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 2; j++) y[n][o][i][j] = x[n][o][i][j] > 0 ? d[o][n][j][i] : 0;
}
C
cat >"$dir/main.c" <<'C'
#include <stdio.h>
void f(const double d[restrict 2][3][2][2], const double x[restrict 3][2][2][2], double y[restrict 3][2][2][2]);
int main(void) {
    static double d[2][3][2][2], x[3][2][2][2], y[3][2][2][2];
    for (int i = 0; i < 24; i++) (&d[0][0][0][0])[i] = i, (&x[0][0][0][0])[i] = 1;
    f(d, x, y);
    printf("%g %g %g %g\n", y[0][0][0][0], y[0][0][0][1], y[0][0][1][0], y[0][0][1][1]);
}
C
grep -qw avx2 /proc/cpuinfo || { echo "no AVX2 here"; exit 0; }
shown() {
    "$cc" -std=c11 "$@" -c "$dir/f.c" -o "$dir/f.o"
    "$cc" -std=c11 "$dir/main.c" "$dir/f.o" -o "$dir/f"
    printf '%-38s %s\n' "$*" "$("$dir/f")"
}
shown -O2 -mavx2 >"$dir/saw"
shown -O3 -mavx2 >>"$dir/saw"
shown -O3 -mavx2 -fno-tree-loop-vectorize >>"$dir/saw"
cat "$dir/saw"
case $("$cc" -dumpfullversion 2>/dev/null) in
12.*) sed -n 's/^#   \(-O.*\)/\1/p' "$0" | diff - "$dir/saw" ;;
esac
