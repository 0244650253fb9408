#!/usr/bin/env bash
# Several processes that MPI starts train one network: two with batches of 16 do what one does with 32, random numbers, changed examples, a
# short last batch and metrics included; one that is killed ends the others, and the checkpoint is whole. usage: processes.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
cd "$work" || exit 1
command -v mpicc >/dev/null && command -v mpirun >/dev/null ||
    { skip "several processes" "no MPI (libopenmpi-dev, openmpi-bin)"; echo "$passed passed, $failed failed, $skipped skipped"; exit 0; }

many() { timeout 60 mpirun -np "$1" --allow-run-as-root --oversubscribe "${@:2}"; }
# Two processes of a program in one folder, or one alone.
two() { (cd "$1" && many 2 ./program "${@:2}"); }
one() { (cd "$1" && timeout 60 ./program "${@:2}"); }

# network NAME BATCH
network() {
    cat >"$1.nn" <<END
network @parts(%x: f32[batch, 4]) {
  %n = gaussian_noise(%x) {deviation = 0.05}
  %h = dense(%n) {units = 24, activation = tanh}
  %d = dropout(%h) {ratio = 0.25}
  %y = dense(%d) {units = 3}
  return %y
}
train @parts {loss = SoftmaxCrossEntropyLoss(smoothing = 0.1), optimizer = Momentum, lr = 0.05, batch = $2, metrics = [accuracy, f1, confusion]}
END
}
network whole 32
network parts 16
sed 's/gaussian_noise(%x) {deviation = 0.05}/batchnorm(%x)/' parts.nn >norm.nn
awk -v n=45 -f "$root/tests/train/points.awk" >points.csv # steps of 32 and 13 examples
awk -v n=77 -f "$root/tests/train/points.awk" | sed '2,46d' >held.csv
data="$work/points.csv"
build() { "$nncc" train "$1.nn" --data points.csv --validation 0 --epochs 1 --cc 'cc -O1' --keep "$work/$2" "${@:3}" >"$2.log" 2>&1 || { cat "$2.log"; return 1; }; }
mpi=--distributed=mpi
check "they are built" eval 'build whole whole --real=f64 && build parts parts --real=f64 $mpi && build whole whole32 && build parts parts32 $mpi && build norm norm $mpi'

cat >near.py <<'END'
import csv, json, struct, sys
def tensors(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    return head.pop("__metadata__"), {k: (v["dtype"], raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]) for k, v in head.items()}
def numbers(dtype, raw): return struct.unpack("<%d%s" % (len(raw) // {"F32": 4, "F64": 8, "I64": 8}[dtype], {"F32": "f", "F64": "d", "I64": "q"}[dtype]), raw)
kind, most, a, b = sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4]
worst = 0
if kind == "checkpoint":
    (said, x), (others, y) = tensors(a), tensors(b)
    assert x.keys() == y.keys() and all(said[k] == others[k] for k in ("epoch", "step", "sample", "optimizer")), (said, others)
    for k in x:
        u, v = numbers(*x[k]), numbers(*y[k])
        worst = max(worst, max(abs(p - q) for p, q in zip(u, v)) / (max(map(abs, v)) or 1))
else:
    x, y = (list(csv.DictReader(open(n))) for n in (a, b))
    assert len(x) == len(y) and x[0].keys() == y[0].keys()
    worst = max(abs(float(p[k]) - float(q[k])) / max(1, abs(float(q[k]))) for p, q in zip(x, y) for k in p)
print(kind, a, b, "differ by at most %.2g" % worst)
sys.exit(not worst <= most)
END

# same ONE TWO EPOCHS MOST MOST-OF-THE-CURVE OPTION...: checkpoints, and what epochs say
same() {
    local options="validation=$work/held.csv metrics=accuracy,f1 ${*:6}"
    one "$1" "$data" "$3" 7 "$work/$1.ck" 0 "log=$work/$1.csv" $options >/dev/null && two "$2" "$data" "$3" 7 "$work/$2.ck" 0 "log=$work/$2.csv" $options >out || { cat out; return 1; }
    python3 near.py checkpoint "$4" "$1.ck" "$2.ck" && python3 near.py curve "$5" "$1.csv" "$2.csv" && [ "$(grep -c '^Epoch' out)" = "$3" ]
}
head -n 33 points.csv >step.csv
step() { local data=$work/step.csv; same "$@"; }
check "one step of two processes, in double: one process with the double batch" step whole parts 1 1e-12 1e-12
check "… in single precision" step whole32 parts32 1 1e-6 1e-6
check "50 steps, of 32 and of 13 examples" same whole parts 25 1e-10 1e-10
check "… in single precision: the loss" same whole32 parts32 25 1e-3 1e-4
check "examples that are changed at random, and the rate on a plateau" same whole parts 3 1e-10 1e-10 augment=noise=0.2 plateau=0.5:1 monitor=val_accuracy
goes_on() { # a checkpoint of two is one process', too
    two parts "$data" 2 7 "$work/half.ck" 0 "validation=$work/held.csv" >out && one whole "$data" 4 7 "$work/half.ck" 1 "validation=$work/held.csv" >out &&
        one whole "$data" 4 7 "$work/all.ck" 0 "validation=$work/held.csv" >out && python3 near.py checkpoint 1e-10 half.ck all.ck
}
check "one process goes on from the checkpoint of two" goes_on
early() { two parts "$data" 60 7 "$work/early.ck" 0 "validation=$work/held.csv" patience=1 keep_best=1 >out && grep -c '^early stopping' out | grep -qx 1 && grep '^kept: epoch' out && ls early.ck.best; }
check "early stopping, decided alike" early
normal() { two norm "$data" 5 7 "$work/norm.ck" 0 "validation=$work/held.csv" >out 2>&1; local status=$?; cat out; [ $status = 0 ] && grep -q '^Epoch 5/5' out; }
check "batch norm: statistics are averaged, and parameters stay alike" normal
few() { head -n 3 points.csv >few.csv && (cd parts && many 4 ./program "$work/few.csv" 2 7 '' 0 held_out=-1) >out 2>&1; local status=$?; cat out; [ $status = 0 ] && grep -q 'Epoch 2/2' out; }
check "more processes than examples" few
whole_command() {
    many 2 "$nncc" train parts.nn $mpi --data points.csv --epochs 2 --class-weights=frequency --cc 'cc -O0' -o both.onnx >out 2>&1
    local status=$?
    cat out
    [ $status = 0 ] && [ "$(grep -c '^Epoch 2/2' out)" = 1 ] && ls both.onnx
}
check "nncc itself under mpirun" whole_command
check "data that cannot be read" expect 1 'cannot be read' two parts "$work/absent.csv" 1 7 '' 0

# killed SIGNAL PATTERN: one process of a long run gets a signal
killed() {
    rm -f long.ck
    (cd parts && exec timeout 60 mpirun -np 2 --allow-run-as-root --oversubscribe ./program "$data" 1000000 7 "$work/long.ck" 0 "validation=$work/held.csv" >/dev/null 2>"$work/said") &
    local all=$! victim= p status
    for ((i = 0; i < 100; i++)); do sleep 0.1; [ ! -s long.ck ] || break; done
    for p in $(pgrep -f "^./program $data 1000000"); do tr '\0' '\n' <"/proc/$p/environ" | grep -qx OMPI_COMM_WORLD_RANK=1 && victim=$p; done
    kill "-$1" "$victim" || return 1
    wait $all
    status=$?
    cat said
    echo "exit status $status"
    [ $status -ne 0 ] && [ $status -ne 124 ] && grep -Eq "$2" said && one whole "$data" 1 7 "$work/long.ck" 1 "validation=$work/held.csv"
}
check "one is killed: the others end, and say so; the checkpoint is whole" killed KILL 'signal 9|Killed'
check "one is asked to stop: all stop behind the same step" killed TERM 'stopped after step [0-9]+; to go on: --resume'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
