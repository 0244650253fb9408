# common.sh - what the test scripts share. Sourced; expects `root` to be the repository.
shared=${NNCC_SHARED:-$root/../shared}
build=${NNCC_BUILD:-$root/build/release}
nncc=$build/bin/nncc
jobs=$(nproc)

# A directory that goes away with the script; nncc makes its own inside it.
work=$(mktemp -d "${TMPDIR:-/tmp}/nncc-tests.XXXXXX")
export TMPDIR=$work
trap 'rm -rf "$work"' EXIT

# compile_test SOURCE... -o PROGRAM: a test program with all of nncc but its main().
compile_test() {
    ${CC:-cc} -std=c11 -O1 -g -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Wshadow -I "$root/compiler" -I "$root/runtime" \
        -isystem "$build/generated" ${TEST_CFLAGS:-} "$@" "$build/libnncc_core.a" "$build/libonnx_proto.a" -lprotobuf-c -lm
}

# tally PASSED FAILED SKIPPED: adds to the counts that run.sh prints last.
passed=0 failed=0 skipped=0
tally() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3)); }

# check NAME COMMAND...: one test; its output is shown if it fails.
check() {
    local name=$1
    shift
    if "$@" >"$work/check-log" 2>&1; then tally 1 0 0; echo "ok    $name"
    else tally 0 1 0; echo "FAIL  $name"; tail -n 25 "$work/check-log" | sed 's/^/      /'
    fi
}
