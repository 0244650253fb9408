#!/usr/bin/env bash
# Networks as exporters write them, against the outputs recorded beside them. usage: tests/models/exported.sh [--update] [TEXT]
# TEXT: those whose EXPORTER/NETWORK contains it. A line for each: agree, wrong or refused, with the reasons. exported.txt says which agreed:
# one that stops, or is wrong, fails the run, but where it says that the
# recorded outputs differ and why; --update writes the other lines anew. Last line: "N passed, N failed"; a refused one is neither.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
data=$shared/exported list=$root/tests/models/exported.txt
if [ ! -d "$data" ]; then echo "0 passed, 0 failed (no $data)"; exit 0; fi

# reasons LOG: what is not supported, each once: operator and reason, without the nodes.
reasons() {
    sed -nE "s/^ *[0-9]+ x  ([^ ]+) +node '.*'( and [0-9]+ more)?: (input '.*': )?([^;]*).*/\1: \4/p; s/^nncc: //p" "$1" | sort -u | paste -sd '|' |
        sed 's/|/ | /g'
}

# one NAME: its line. Without data a network agrees if it agrees with nncc's own arithmetic in double.
one() {
    local dir=$data/$1 log=$TMPDIR/${1//\//:} status set=()
    [ ! -d "$dir/test_data_set_0" ] || set=("$dir")
    "$nncc" verify "$dir/model.onnx" ${set[@]+"${set[@]}"} >"$log" 2>&1
    status=$?
    case $status in
    0) echo "$1 agree" ;;
    3) echo "$1 refused $(reasons "$log")" ;;
    *) echo "$1 wrong $(grep -m 1 -E '   WRONG|error: ' "$log" || tail -n 1 "$log")" ;;
    esac | cut -c 1-300
}

if [ "${1:-}" = --one ]; then
    trap - EXIT
    rm -rf "$work"
    export TMPDIR=$NNCC_EXPORTED_WORK
    one "$2"
    exit
fi
update=
if [ "${1:-}" = --update ]; then update=yes; shift; fi
export NNCC_EXPORTED_WORK=$work
(cd "$data" && ls -d ./*/*/) | sed 's,^\./,,; s,/$,,' | grep -F -- "${1:-}" | xargs -P "$jobs" -I '{}' "$0" --one '{}' | sort >"$work/said"
while read -r name verdict rest; do
    was=$(awk -v name="$name" '$1 == name { print $2 }' "$list")
    note=
    case $verdict:$was in
    wrong:differs) note='known ' ;;
    wrong:* | refused:agree) failed=$((failed + 1)) note='FAIL  ' ;;
    agree:agree) passed=$((passed + 1)) ;;
    agree:*) passed=$((passed + 1)) note='new   ' ;;
    esac
    echo "$note$name $verdict $rest"
done <"$work/said"
if [ -n "$update" ]; then
    grep -E '^[^ ]+ differs ' "$list" | cut -d ' ' -f 1 >"$work/differ"
    grep -vwFf "$work/differ" "$work/said" >"$work/new"
    awk 'NR == FNR { ran[$1] = 1; next } !($1 in ran)' "$work/new" "$list" | sort - "$work/new" >"$work/list"
    mv "$work/list" "$list"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
