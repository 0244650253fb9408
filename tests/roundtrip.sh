#!/bin/sh
# roundtrip.sh MODEL [FLAG…]: after every pass, the dump of MODEL reads back as the same text, and compiling the dump
# gives the same files as compiling MODEL. FLAGs (--dim …) go to nncc where it reads MODEL. Takes nncc from PATH.
# Exit status 1, and a line for each failure. The dumps hold all weights, hence the memory allowed.
set -u
model=$1
shift
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
status=0

fail() {
    echo "$model: $*"
    status=1
}

# What MODEL is before any pass, its weights beside it; then its state after each pass, as compiling it goes through them.
mkdir "$dir/direct"
nncc "$model" "$@" --passes=none --emit=nn -o "$dir/0-import.nn" || fail "no dump before the passes"
nncc "$model" "$@" --max-bytes=8G --print-ir-after=all -o "$dir/direct/m.c" 2>"$dir/dumps" ||
    { fail "does not compile"; exit 1; }
awk -v dir="$dir" '/^\/\/ ----- after / { file = dir "/" ++n "-" $4 ".nn"; next } file { print > file }' "$dir/dumps"

for dump in "$dir"/*.nn; do
    name=$(basename "$dump" .nn)
    mkdir "$dir/$name"
    nncc "$dump" --passes=none --emit=nn --inline-data -o "$dir/again" ||
        { fail "dump $name does not parse"; continue; }
    [ -f "$dump.weights" ] || cmp -s "$dump" "$dir/again" || fail "dump $name reads back as other text"
    nncc "$dump" -o "$dir/$name/m.c" || { fail "dump $name does not compile"; continue; }
    diff -rq "$dir/direct" "$dir/$name" >"$dir/diff" || fail "other files from dump $name: $(cat "$dir/diff")"
done
exit $status
