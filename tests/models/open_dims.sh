#!/usr/bin/env bash
# Networks whose extents a call gives against builds for these extents alone (open_dims/, by open_dims.py).
# usage: tests/models/open_dims.sh [--all] [--time] [--asan] [NAME...]
# --all: 20 sizes of each in place of 4. --time: how long they take beside the others. --asan: sanitizers, every buffer poisoned
# outside its life.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
export NNCC_CFLAGS="${NNCC_CFLAGS:-$(isa)}"
exec python3 "$root/tests/models/open_dims.py" "$nncc" "$@"
