#!/bin/sh
# roundtrip.sh MODEL [FLAG…]: after every pass, the dump of MODEL reads back as the same text, and compiling the dump gives the
# same files as compiling MODEL. FLAGs (--dim …) go to nncc where it reads MODEL. Takes nncc from PATH. Exit status 1, and a
# line for each failure.
set -u
model=$1
shift
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/direct"
status=0

fail() {
    echo "$model: $*"
    status=1
}

nncc "$model" "$@" -o "$dir/direct/m.c" || { fail "does not compile"; exit 1; }
done=
for pass in none $(nncc --list-passes | awk '{print $1}'); do
    dump=$dir/after-$pass.nn
    again=$dir/again-$pass.nn
    resumed=$dir/resumed-$pass
    mkdir "$resumed"
    nncc "$model" "$@" --passes="$done$pass" --emit=nn -o "$dump" || { fail "no dump after $pass"; continue; }
    nncc "$dump" --passes=none --emit=nn -o "$again" || { fail "the dump after $pass does not parse"; continue; }
    cmp -s "$dump" "$again" || fail "the dump after $pass reads back as other text"
    [ ! -f "$dump.weights" ] || cmp -s "$dump.weights" "$again.weights" || fail "other weights after $pass"
    nncc "$dump" -o "$resumed/m.c" || { fail "the dump after $pass does not compile"; continue; }
    diff -rq "$dir/direct" "$resumed" >/dev/null || fail "other files from the dump after $pass"
    [ "$pass" = none ] || done=$done$pass,
done
exit $status
