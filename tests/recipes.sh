#!/usr/bin/env bash
# The recipes of CONTRIBUTING.md, all applied to a copy of the repository: it builds without a warning, exactly the files that the recipes name
# differ, and the tests that they bring pass, with the checks of the tables. usage: tests/recipes.sh
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tests/common.sh"
cd "$root" || exit 1
tree=$work/tree
mkdir "$tree" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$tree" 2>/dev/null
cp -r "$tree" "$work/before"

recipes() { python3 tests/recipes.py CONTRIBUTING.md "$tree" >"$work/named"; }
# Unoptimised, for it is built once; with ccache where there is one.
build_tree() {
    local ccache=
    ! command -v ccache >/dev/null || ccache=-DCMAKE_C_COMPILER_LAUNCHER=ccache
    cmake -S "$tree" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS=-O0 -DNNCC_WERROR=ON $ccache && ninja -C "$work/build" -j "$jobs" nncc
}
written() { mv "$tree/commands" "$work/commands" && cd "$tree" && PATH=$work/build/bin:$PATH bash -e "$work/commands"; }
files_named() { diff -rq "$work/before" "$tree" | sed -E "s,^Files [^ ]*/before/([^ ]*) and .*,\1,; s,^Only in $tree/?([^:]*): ,\1/," | LC_ALL=C sort | diff "$work/named" -; }
tables() { "$work/build/bin/nncc" --check-ops; }
covered() { sh "$tree/tests/grad/covered.sh" "$work/build/bin/nncc"; }
check "every recipe states how many files it touches, and applies" recipes
check "the copy builds" build_tree
check "what is generated is written" written
[ "$failed" = 0 ] || { echo "$passed passed, $failed failed"; exit 1; }
check "these files differ, and no other" files_named
check "tables" tables
check "every gradient has a test" covered

new=$(cd "$tree" && grep '\.nn$' "$work/named" | while read -r name; do [ -e "$root/$name" ] || echo "$tree/$name"; done)
lit=$(ls /usr/lib/llvm-*/build/utils/lit/lit.py 2>/dev/null | tail -n 1)
lit_run() { if [ -n "$lit" ]; then python3 "$lit" "$@"; else lit "$@"; fi; }
if [ -n "$lit" ] || command -v lit >/dev/null; then
    for name in $new; do check "${name#"$tree/"}" lit_run -v -j 1 --param build="$work/build" "$name"; done
else
    skip "the tests that they bring" "llvm-14-tools is not installed"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
