#!/bin/sh
# reread.sh MODEL [FLAG…]: what MODEL prints as before any pass reads back as the same text. Takes nncc from PATH.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
nncc "$@" --passes=none --emit=nn -o "$dir/once.nn"
nncc "$dir/once.nn" --passes=none --emit=nn -o "$dir/twice.nn"
diff "$dir/once.nn" "$dir/twice.nn"
