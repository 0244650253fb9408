#!/usr/bin/env bash
# By hand: each network of models/ that trains goes on to the same bytes, from an epoch's checkpoint and from one that ^C left within an
# epoch, as a run that nothing stopped. On random data of the network's inputs and targets. usage: resume.sh [NAME...]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
cd "$work" || exit 1
examples=11 # batches of 4, the last of 3

# Random examples of what program.h says, as an npz file.
cat >examples.py <<'END'
import re, struct, sys, random, zipfile
random.seed(3)
rows = re.search(r"#define NNCC_PORT_ROWS (.*)", open(sys.argv[1]).read()).group(1)
n = int(sys.argv[3])
port = re.compile(r'\{"((?:[^"\\]|\\.)*)", (NNCC_\w+), \d+, \{([-\d, ]*)\}, (\d+), ([01]), (\d+), ([01])')
kinds = {"NNCC_F32": ("<f4", "f"), "NNCC_F64": ("<f8", "d"), "NNCC_I32": ("<i4", "i"), "NNCC_I64": ("<i8", "q"), "NNCC_U8": ("|u1", "B"), "NNCC_BOOL": ("|b1", "B")}
with zipfile.ZipFile(sys.argv[2], "w") as z:
    for name, kind, dims, each, target, classes, probable in port.findall(rows):
        dtype, code = kinds[kind]
        shape = (n,) + tuple(int(d) for d in dims.split(",")[:-1])
        count, classes = n * int(each), int(classes)
        if code in "iqB": values = [random.randrange(classes or 2) for _ in range(count)]
        elif probable == "1": values = [float(random.randrange(2)) for _ in range(count)]
        else: values = [random.random() for _ in range(count)]
        text = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (dtype, shape)
        text += " " * (-(len(text) + 11) % 64) + "\n"
        name = re.sub(r"\\(\d{3})", lambda m: chr(int(m.group(1), 8)), name)
        z.writestr(name + ".npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + struct.pack("<%d%s" % (count, code), *values))
END

program() { cd "$work/$name" && exec env --default-signal=INT ./program "$work/$name.npz" "$epochs" 5 "$work/$1" "$2" held_out=-1 >"$work/$name.out" 2>&1; }
run() { (program "$@"); }
epochs_of() { grep -a -o '"epoch":"[0-9]*"' "$1" | tr -dc 0-9; }
# Stopped by ^C at a later moment of the run again and again, until it is done.
interrupted() {
    local resume=0 got delay=0.02 i
    stops=0
    for ((i = 0; i < 60; i++)); do
        (program "$name.stopped" $resume) &
        local child=$!
        sleep "$delay"
        kill -INT $child 2>/dev/null
        wait $child 2>/dev/null
        got=$?
        [ $got != 130 ] || stops=$((stops + 1))
        [ $got = 0 ] || [ $got = 130 ] || { cat "$name.out"; return 1; }
        [ ! -s "$name.stopped" ] || resume=1
        [ $got != 0 ] || return 0
        delay=$(awk -v d="$delay" 'BEGIN { print d * 1.3 }')
    done
    run "$name.stopped" $resume
}
exact() {
    local epochs=3 all
    "$nncc" train "$1" --dim batch=1..4 --data absent.npz --keep "$work/$name" --cc 'cc -O1' >"$name.log" 2>&1
    [ -x "$name/program" ] || { cat "$name.log"; return 1; }
    "${NNCC_PYTHON:-python3}" examples.py "$name/program.h" "$name.npz" $examples || return 1
    for epochs in 3 300; do # so many that there is time to stop it
        local before=$(date +%s%N)
        run "$name.whole" 0 || { cat "$name.out"; return 1; }
        [ $(($(date +%s%N) - before)) -lt 500000000 ] || break
    done
    all=$epochs
    epochs=1 && run "$name.half" 0 && epochs=$all && run "$name.half" 1 && cmp "$name.whole" "$name.half" || return 1
    [ "$(epochs_of "$name.whole")" = "$all" ] && interrupted && cmp "$name.whole" "$name.stopped" && echo "$stops stops" && [ "$stops" -gt 0 ]
}

for text in "$root"/models/*.nn; do
    name=$(basename "$text" .nn)
    [ $# = 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
    grep -q '^train .*loss = ' "$text" || continue
    check "$name" exact "$text"
    rm -rf "$work/${name:?}" "$work/$name".*
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
