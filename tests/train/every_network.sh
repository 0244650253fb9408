#!/usr/bin/env bash
# Every network of ../shared trains: one backward pass from random gradients of all outputs, one step of Adam. Each float weight has a
# gradient that is not zero everywhere, and moves, or is named with the reason. A sweep for by hand (minutes):
# every_network.sh [--dump FILE] [MODEL...]; its last table is every_network.txt.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python3 "$root/tests/train/every_network.py" "$nncc" "${CC:-cc}" "$work" "$root/../shared" "$root/tests/train/every_network.txt" "$@"
