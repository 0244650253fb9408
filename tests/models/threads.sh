#!/usr/bin/env bash
# By hand: the outputs of every shared and zoo network with --threads=3, to the byte those without. usage: tests/models/threads.sh [NAME...]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"

# outputs MODEL DIR OPTION...: leaves them in DIR, of random inputs that are the same each time.
outputs() {
    local model=$1 dir=$2
    shift 2
    mkdir -p "$dir"
    "$nncc" bench "$model" --dim '*=4' --target=native --runs=1 --keep "$dir" "$@"
}

same() {
    rm -rf "$work/one" "$work/several"
    outputs "$1" "$work/one" && outputs "$1" "$work/several" --threads=3 || return 1
    for output in "$work"/one/out*; do cmp "$output" "$work/several/${output##*/}" || return 1; done
}

for model in "$shared"/models/*.onnx "$root"/build/zoo/models/*.onnx; do
    name=$(basename "$model" .onnx)
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    [ -f "$model" ] || continue
    "$nncc" check "$model" --dim '*=4' >/dev/null 2>&1 || { skip "$name" "it is refused"; continue; }
    divided=$("$nncc" "$model" --dim '*=4' --target=native --threads=3 --emit=c 2>/dev/null | grep -c '^ *nncc_meet(')
    check "$name, threads meet at $divided places" same "$model"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
