# common.sh - what the test scripts share. Sourced first of all; expects `root` to be the repository.
# Scripts are written for bash: one that was called as `sh SCRIPT` begins again.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
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
    ${CC:-cc} -std=c11 -O1 -g -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Wshadow -Werror -I "$root/compiler" -I "$root/runtime" \
        -isystem "$build/generated" ${TEST_CFLAGS:-} "$@" "$build/libnncc_core.a" "$build/libonnx_proto.a" -lprotobuf-c -lm
}

# isa: the flag that compiles C of the default target for this machine's instruction set alone, as nncc's own programs are: a third of the
# time (tests/emit/isas.sh asks for all of them).
isa() { "$nncc" --list-targets | sed -n 's/ .*; native here.*//; T; s/^/-DNNCC_ISA=/p'; }

# isas_here: the instruction sets of this machine, its best first.
isas_here() {
    case $(uname -m) in
    x86_64)
        ! grep -qw -m 1 avx512vl /proc/cpuinfo 2>/dev/null || echo avx512
        ! grep -qw -m 1 fma /proc/cpuinfo 2>/dev/null || echo avx2
        echo sse2 ;;
    aarch64) echo neon ;;
    esac
    echo plain
}

# tally PASSED FAILED SKIPPED: adds to the counts that run.sh prints last.
passed=0 failed=0 skipped=0
tally() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3)); }
skip() { tally 0 0 1; echo "skip  $1: $2"; }

# check NAME COMMAND...: one test; its output is shown if it fails.
check() {
    local name=$1
    shift
    if "$@" >"$work/check-log" 2>&1; then tally 1 0 0; echo "ok    $name"
    else tally 0 1 0; echo "FAIL  $name"; tail -n 25 "$work/check-log" | sed 's/^/      /'
    fi
}

# expect STATUS PATTERN COMMAND...: the exit status, and a line of output that matches an extended regular expression; '' for no output at
# all, - for any. The output is left in the file out. A program has two minutes; functions see to that themselves.
expect() {
    local status=$1 pattern=$2 got limit=
    shift 2
    [ "$(type -t "$1")" != file ] || limit='timeout 120'
    $limit "$@" >out 2>&1
    got=$?
    cat out
    echo "exit status $got, expected $status; a line like: $pattern"
    [ $got = "$status" ] || return 1
    case $pattern in
    -) ;;
    '') [ ! -s out ] ;;
    *) grep -Eq -- "$pattern" out ;;
    esac
}

# python_with MODULE...: sets $python to $NNCC_PYTHON, or else to a venv in build/venv that gets these modules from PyPI.
python_with() {
    local imports
    imports=$(IFS=,; echo "$*")
    python=${NNCC_PYTHON:-$root/build/venv/bin/python3}
    "$python" -c "import $imports" 2>/dev/null && return
    [ -z "${NNCC_PYTHON:-}" ] || { echo "$python lacks one of: $*" >&2; return 1; }
    with_venv venv_has "$imports" "$@"
}
venv_has() { # IMPORTS MODULE...
    "$python" -c "import $1" 2>/dev/null && return # another suite has installed them meanwhile
    echo "installing ${*:2} in build/venv" >&2
    python3 -m venv "$root/build/venv" && "$python" -m pip -q install "${@:2}"
}

# with_venv COMMAND...: alone with build/venv, which suites that run side by side share.
with_venv() { mkdir -p "$root/build" && { flock 9 && "$@" 9>&-; } 9>"$root/build/venv.lock"; }

# make_zoo: the 18 benchmark networks in $zoo/models, made by $python if make_zoo.py is newer.
make_zoo() {
    zoo=$root/build/zoo
    made_by "$root/tests/zoo/make_zoo.py" "$zoo/models"
}

# made_by SCRIPT ARGUMENT... DIR: has $python write DIR, unless what it wrote is newer than the script and all arguments.
made_by() {
    local dir=${!#} source
    for source in "${@:1:$#-1}"; do
        [ "$dir/made" -nt "$source" ] && continue
        rm -rf "$dir" && mkdir -p "$dir"
        "$python" "$@" >"$dir.log" 2>&1 && touch "$dir/made" || { tail -n 5 "$dir.log"; return 1; }
        return
    done
}
