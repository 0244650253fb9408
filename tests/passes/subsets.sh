#!/usr/bin/env bash
# Small networks with optional passes off: each pass alone, and 50 pseudo-random subsets (of which equal ones run once).
# usage: tests/passes/subsets.sh [NAME...]; prints what fails and, last, "N passed, N failed".
# A network with a reference has to agree with it as in tests/models/run.sh, one of this repository with nncc's own arithmetic.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
networks='mnist-8-cntk burn_model1 ae_decoder dtln_1 tract_byte_sb_bidi_lstm mlperf_ad_autoencoder ort_test_training_model
    emx_micro_kws_m_fp32 emx_micro_kws_m_qdq silero_vad_openvino_16k gtcrn_simple mp_face_detection_short'
own='mlp_mnist.nn lenet.nn cifar_cnn.nn autoencoder.nn mnist.onnx'

# one NETWORK OFF...: verified with each list of passes off. Sets of passes that give the same program, byte for byte, have one verdict:
# it is compiled and run once.
one() {
    local name=$1 off model=$shared/models/$1.onnx data=$shared/expected/$1 dir=$work/$1 program log
    declare -A verdicts
    shift
    if [ ! -f "$model" ]; then model=$root/models/$name data=; fi
    mkdir -p "$dir"
    for off; do
        log=$dir/log-$off
        rm -rf "$dir/kept"
        "$nncc" verify "$model" ${data:+"$data"} "--off=$off" --cc true --keep "$dir/kept" >"$log" 2>&1
        program=none-$off # no C at all: verify says why
        [ ! -s "$dir/kept/model.c" ] || program=$(cd "$dir/kept" && sha256sum -- * | sha256sum)
        if [ -z "${verdicts[$program]:-}" ]; then
            echo program
            if "$nncc" verify "$model" ${data:+"$data"} "--off=$off" --cc "${CC:-cc} -O0" >"$log" 2>&1; then verdicts[$program]=passed
            else verdicts[$program]="FAIL $(grep -m 1 -E '   WRONG|: error: |^nncc: |: node ' "$log")"
            fi
        fi
        case ${verdicts[$program]} in
        passed) echo passed ;;
        *) echo "FAIL  $name --off=$off: ${verdicts[$program]#FAIL }" ;;
        esac
    done
}

if [ "${1:-}" = --one ]; then
    trap - EXIT
    rm -rf "$work"
    work=$NNCC_SUBSETS_WORK
    export TMPDIR=$work
    one "${@:2}"
    exit
fi

# subsets PASS...: each alone, then the drawn ones; one comma list a line, no two the same.
subsets() {
    local seed=20 i pass list
    printf '%s\n' "$@"
    for i in $(seq 50); do
        list=
        for pass in "$@"; do
            seed=$(((seed * 1103515245 + 12345) % 2147483648))
            [ $((seed / 65536 % 2)) = 1 ] && list=$list,$pass
        done
        [ -n "$list" ] && echo "${list#,}"
    done
}

if [ ! -d "$shared/models" ]; then networks=$own; fi
export NNCC_SUBSETS_WORK=$work
offs=$(subsets $("$nncc" --list-passes | awk '/, optional/ { print $1 }') | awk '!seen[$0]++')
# shellcheck disable=SC2086 # words
printf '%s\n' ${*:-$networks} | xargs -P "$jobs" -I '{}' "$0" --one '{}' $offs >"$work/results"
grep '^FAIL' "$work/results"
failed=$(grep -c '^FAIL' "$work/results")
passed=$(grep -c '^passed$' "$work/results")
echo "$(wc -w <<<"$offs") sets of passes, $(grep -c '^program$' "$work/results") different programs"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
