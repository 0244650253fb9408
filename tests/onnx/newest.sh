#!/usr/bin/env bash
# The tests of the newest `onnx` package, which writes them itself: they are not of this project. usage: tests/onnx/newest.sh [--all] [--update]
# Interpreted, those that the shared archive does not have in the same form; --all: every one, as C. expected-1.23.2.txt holds what is
# expected otherwise than in expected.txt; --update (with --all) writes it anew. Tolerances are the package's own.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
version=1.23.2
all='' update=''
for word; do
    case $word in
    --all) all=yes ;;
    --update) update=yes ;;
    *) echo "usage: tests/onnx/newest.sh [--all] [--update]" >&2; exit 2 ;;
    esac
done
here=$root/tests/onnx archive=$shared/onnx-backend-tests.tar.gz
skip() { echo "skip  the tests of onnx $version: $1"; echo "0 passed, 0 failed"; exit 0; }
python_with onnx numpy 2>"$work/log" || skip "no onnx from PyPI"
have=$("$python" -c 'import onnx; print(onnx.__version__)')
[ "$have" = $version ] || skip "$python has $have"
[ -n "$all" ] || [ -f "$archive" ] || skip "no $archive to compare with: give --all"

"$python" "$here/newest.py" "$work/newest" $([ -n "$all" ] || echo "--besides $archive") || exit 1
cat "$here/expected.txt" "$here/expected-$version.txt" 2>/dev/null >"$work/expected"
bash "$here/run.sh" "$work/newest" "--expected=$work/expected" $([ -n "$all" ] || echo --interpret) ${update:+--update} | tee "$work/said"
status=${PIPESTATUS[0]}
[ -z "$update" ] || grep -vxFf "$here/expected.txt" "$work/expected" >"$here/expected-$version.txt"
set -- $(tail -n 1 "$work/said" | grep -o '[0-9]*')
[ $# = 4 ] || { echo "0 passed, 1 failed"; exit 1; }
echo "$1 passed, $((status && $3 + $4 == 0 ? 1 : $3 + $4)) failed"
exit "$status"
