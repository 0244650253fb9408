#!/usr/bin/env bash
# What nncc train tells of a run and does by it: metrics against Python's, the csv log, TensorBoard's events and the picture of the loss,
# early stopping, the best epoch, the rate on a plateau; ^C and going on give the bytes of a run that was left alone. usage: watch.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
cd "$work" || exit 1

fit() { timeout 60 "$nncc" train "$@" --cc 'cc -O0' 2>&1 | tr '\r' '\n'; return "${PIPESTATUS[0]}"; }
program() { (cd "$1" && exec timeout 60 ./program "${@:2}" 2>&1 | tr '\r' '\n'; exit "${PIPESTATUS[0]}"); }

# ---- metrics: networks whose outputs are their inputs

same() { # NAME SHAPE TARGET LOSS METRICS
    cat >"$1.nn" <<END
param %w: f32[1] = [1]
network @n(%x: f32[batch, $2]) {
  %y = Mul(%x, %w)
  return %y
}
train @n {loss = $4, optimizer = SGD, lr = 0, batch = 7, metrics = [$5]}
END
    fit "$1.nn" --data "$1.npz" --validation "$1.npz" --log "$1.csv" --epochs 1 >"$1.out" && cat "$1.out" && python3 judge.py "$1" "$3"
}
cat >judge.py <<'END'
import csv, io, math, random, struct, sys, zipfile
random.seed(4)
def npy(dtype, shape, values):
    text = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (dtype, shape)
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + struct.pack("<%d%s" % (len(values), {"<f4": "f", "<i4": "i"}[dtype]), *values)
def numbers(n): return [struct.unpack("f", struct.pack("f", random.gauss(0, 1)))[0] for _ in range(n)]
N, K, P = 50, 4, 6
sets = {"classes": ((N, K), numbers(N * K), ("<i4", (N,), [random.randrange(K) for _ in range(N)])),
        "places": ((N, K, 2, 3), numbers(N * K * P), ("<i4", (N, 2, 3), [random.randrange(K) for _ in range(N * P)])),
        "yes": ((N, 2), numbers(2 * N), ("<f4", (N, 2), [float(random.randrange(2)) for _ in range(2 * N)])),
        "numbers": ((N, 3), numbers(3 * N), ("<f4", (N, 3), numbers(3 * N)))}
def make():
    for name, (shape, x, y) in sets.items():
        with zipfile.ZipFile(name + ".npz", "w") as z:
            z.writestr("x.npy", npy("<f4", shape, x))
            z.writestr("y.npy", npy(*y))
def judge(name):
    shape, x, (_, _, y) = sets[name]
    want = {}
    if name == "numbers":
        d = [a - b for a, b in zip(x, y)]
        want = {"mae": sum(map(abs, d)) / len(d), "mse": sum(v * v for v in d) / len(d)}
        want["rmse"] = math.sqrt(want["mse"])
    elif name == "yes":
        pairs = [(int(t), int(s > 0)) for s, t in zip(x, y)]
        classes = [1]
    else:
        places = 1 if name == "classes" else P
        scores = [[x[(i * K + c) * places + j] for c in range(K)] for i in range(N) for j in range(places)]
        pairs = [(t, max(range(K), key=lambda c: s[c])) for s, t in zip(scores, y)]
        classes = range(K)
        want["top2"] = sum(t in sorted(range(K), key=lambda c: -s[c])[:2] for s, t in zip(scores, y)) / len(y)
        loss = sum(math.log(sum(map(math.exp, s))) - s[t] for s, t in zip(scores, y)) / len(y)
        want["perplexity"] = math.exp(loss)
    if name != "numbers":
        want["accuracy"] = sum(a == b for a, b in pairs) / len(pairs)
        of = {"precision": [], "recall": [], "f1": [], "iou": []}
        for c in classes:
            tp, fp, fn = (sum(1 for a, b in pairs if test(a, b)) for test in
                          ((lambda a, b: a == b == c), (lambda a, b: b == c != a), (lambda a, b: a == c != b)))
            for k, v in (("precision", (tp, tp + fp)), ("recall", (tp, tp + fn)), ("f1", (2 * tp, 2 * tp + fp + fn)), ("iou", (tp, tp + fp + fn))):
                of[k].append(v[0] / v[1] if v[1] else 0)
        want.update({k: sum(v) / len(v) for k, v in of.items()})
        want["dice"] = want["f1"]
    seen = list(csv.DictReader(open(name + ".csv")))[-1]
    for k, v in want.items():
        assert abs(float(seen["val_" + k]) - v) < 2e-6, (k, v, seen["val_" + k])
    if name != "numbers":
        rows = [line.split() for line in open(name + ".out") if " precision " in line]
        n = len(rows)
        table = [[int(v) for v in r[1:1 + n]] for r in rows]
        assert table == [[sum(1 for p in pairs if p == (a, b)) for b in range(n)] for a in range(n)], table
make() if len(sys.argv) == 1 else judge(sys.argv[1])
END
python3 judge.py
of_classes=accuracy,top2,precision,recall,f1,iou,dice
check "metrics of classes" same classes 4 classes SoftmaxCrossEntropyLoss "$of_classes,perplexity,confusion"
check "… of a class for each pixel" same places 4,2,3 places SoftmaxCrossEntropyLoss "$of_classes,perplexity,confusion"
check "… of yes and no" same yes 2 yes BinaryCrossEntropyWithLogits accuracy,precision,recall,f1,iou,dice,confusion
check "… of numbers" same numbers 3 numbers MeanSquaredError mae,mse,rmse
asked() { fit classes.nn --data classes.npz --metrics top3 --epochs 1 >out && grep -q 'val_top3: ' out && ! grep -q val_f1 out; }
check "--metrics instead of the line's" asked
check "a metric that does not exist" expect 1 "there is no metric 'f3'; did you mean|there is no metric 'f3'" fit classes.nn --data classes.npz --metrics f3
check "one that the loss does not have" expect 1 "f1 is asked for, which MeanSquaredError does not have" fit numbers.nn --data numbers.npz --metrics f1

# ---- what the run does by them

awk -v n=300 -f "$root/tests/train/points.awk" >points.csv
fit "$root/tests/train/fit.nn" --data points.csv --epochs 1 --keep "$work/fit" >log || { cat log; exit 1; }
far=$work/points.csv
epochs_of() { grep -a -o '"epoch":"[0-9]*"' "$1" | tr -dc 0-9; }
early() {
    fit classes.nn --data classes.npz --epochs 9 --patience 2 --checkpoint early >out && grep 'val_loss was best in epoch 1, 2 epochs ago' out && [ "$(epochs_of early)" = 3 ] &&
        fit classes.nn --data classes.npz --epochs 9 --patience 2 --checkpoint early --resume >out && ! grep -q '^Epoch' out && grep -q 'nothing is left to do: early stopping' out && [ "$(epochs_of early)" = 3 ] &&
        fit classes.nn --data classes.npz --epochs 9 --patience 4 --checkpoint early --resume >out && [ "$(epochs_of early)" = 5 ] &&
        fit classes.nn --data classes.npz --epochs 9 --checkpoint early --resume >out && [ "$(epochs_of early)" = 9 ]
}
check "early stopping, which a checkpoint remembers" early
best() {
    program fit "$far" 30 1 "$work/all" 0 keep_best=1 monitor=val_accuracy "log=$work/all.csv" >out || { cat out; return 1; }
    local n=$(sed -n 's/^kept: epoch \([0-9]*\), the best/\1/p' out)
    [ "$n" = "$(awk -F, 'NR > 1 && $7 > b { b = $7; n = $1 } END { print n }' all.csv)" ] && [ "$n" -lt 30 ] && mv fit/params kept &&
        program fit "$far" "$n" 1 "" 0 >out && cmp fit/params kept
}
check "the best epoch's parameters are kept" best
plateau() {
    fit classes.nn --data classes.npz --lr 1e-30 --epochs 6 --plateau 0.5:2 --log rate.csv >out && cat rate.csv &&
        [ "$(awk -F, 'NR > 1 { printf "%s ", $3 }' rate.csv)" = '1e-30 1e-30 1e-30 5e-31 5e-31 2.5e-31 ' ]
}
check "the rate falls on a plateau" plateau
watching="keep_best=1 monitor=val_accuracy patience=20 plateau=0.5:1"
goes_on() {
    program fit "$far" 8 1 "$work/whole" 0 $watching "log=$work/whole.csv" >/dev/null && program fit "$far" 5 1 "$work/half" 0 $watching "log=$work/half.csv" >/dev/null &&
        program fit "$far" 8 1 "$work/half" 1 $watching "log=$work/half.csv" >/dev/null && cmp whole half && cmp whole.best half.best && cmp whole.csv half.csv && grep -q plateau whole
}
check "going on with all of that: the same bytes, the same log" goes_on
behind() { # a log that is further than the checkpoint
    cp half.csv more.csv && program fit "$far" 5 1 "$work/behind" 0 $watching >/dev/null && program fit "$far" 8 1 "$work/behind" 1 $watching "log=$work/more.csv" >/dev/null && cmp more.csv whole.csv
}
check "a log that is ahead of the checkpoint" behind
kept() { # killed before its first epoch is over; the picture that it draws first is a pipe without a reader
    cp half more && cp half.csv more.csv && printf '9,9,' >>more.csv && mkfifo picture && python3 - <<'END'
import glob, os, subprocess, time
path = os.path.abspath("more.csv")
p = subprocess.Popen(["./program", os.path.abspath("points.csv"), "99", "1", os.path.abspath("more"), "1", "log=" + path, "plot=" + os.path.abspath("picture")], cwd="fit")
def opened(): return any(os.path.exists(f) and os.readlink(f) == path for f in glob.glob("/proc/%d/fd/*" % p.pid))
for _ in range(200):
    if opened(): break
    time.sleep(0.05)
time.sleep(0.3)
assert opened() and p.poll() is None
p.kill(), p.wait()
END
    cmp more.csv half.csv
}
check "a log of a run that is killed" kept
every() {
    program fit "$far" 7 1 "$work/seldom" 0 every=3 >/dev/null && [ "$(epochs_of seldom)" = 7 ] && ! program fit "$far" 5 1 "$work/absent/no" 0 every=3 >/dev/null
}
check "a checkpoint now and then, and at the end" every

# ---- examples that are changed

changed() { ${CC:-cc} -O1 -g -fsanitize=address,undefined -fno-sanitize-recover -Wall -Wextra -Wpedantic -Wshadow -I "$root/runtime" "$root/tests/train/augment.c" "$root"/runtime/nncc_{train,checkpoint,augment,batch,checks,metrics,watch,log,team}.c -lm -o augment && ./augment; }
check "flip, crop, shift, rotate, noise, cutout, mixup: what each may do" changed
augmented() {
    program fit "$far" 6 1 "$work/noisy" 0 augment=noise=0.3 >/dev/null && program fit "$far" 3 1 "$work/noisy2" 0 augment=noise=0.3 >/dev/null && program fit "$far" 6 1 "$work/noisy2" 1 augment=noise=0.3 >/dev/null &&
        cmp noisy noisy2 && program fit "$far" 6 1 "$work/still" 0 >/dev/null && ! cmp -s noisy still
}
check "going on with noise: the same bytes" augmented
check "flips of what is no picture" expect 1 'expected an input of pictures' program fit "$far" 1 1 "" 0 augment=flip

# ---- ^C

cat >interrupt.py <<'END'
import os, random, signal, subprocess, sys, time
# interrupt.py DIR WORD...: the program, stopped again and again until it is through; prints how often it was stopped
random.seed(3)
signal.signal(signal.SIGINT, signal.SIG_DFL)
where, words = sys.argv[1], sys.argv[2:]
stops = 0
while True:
    p = subprocess.Popen(["./program"] + words, cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(random.uniform(0.05, 0.12))
    if stops < 12: p.send_signal(random.choice([signal.SIGINT, signal.SIGINT, signal.SIGTERM]))
    text = p.communicate()[1].decode()
    if p.returncode == 0: break
    if p.returncode != 130 or "to go on: --resume" not in text: sys.exit("ended with %d: %s" % (p.returncode, text))
    stops += 1
    words[4] = "1"
assert stops > 2, stops
print(stops, "times stopped")
END
awk -v n=4000 -f "$root/tests/train/points.awk" >many.csv
interrupted() {
    program fit "$work/many.csv" 60 1 "$work/quiet" 0 $watching >/dev/null && python3 interrupt.py fit "$work/many.csv" 60 1 "$work/stopped" 0 $watching && cmp quiet stopped && cmp quiet.best stopped.best
}
check "^C, again and again: the bytes of a run that was left alone" interrupted
asks() { # nncc itself, with a terminal's ^C for both
    python3 - "$nncc" "$root/tests/train/fit.nn" <<'END'
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.makedirs("temporary", exist_ok=True)
p = subprocess.Popen([sys.argv[1], "train", sys.argv[2], "--data", "many.csv", "--epochs", "100000", "--checkpoint", "asked", "--cc", "cc -O0"],
                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=os.setpgrp, env={**os.environ, "TMPDIR": os.path.abspath("temporary")})
for line in p.stdout:
    if line.startswith(b"Epoch 3/"): break
os.killpg(p.pid, signal.SIGINT)
text = p.communicate()[0].decode()
assert p.returncode == -signal.SIGINT, p.returncode
assert "stopped after step" in text, text
assert os.path.exists("asked") and not os.listdir("temporary")
END
}
check "^C in a terminal: the checkpoint is there, and nothing else is left" asks

# ---- logs

cat >events.py <<'END'
# events.py DIR CSV: TensorBoard's files hold what the csv file has; read by their format's description, checksums and all.
import csv, glob, struct, sys
table = []
for n in range(256):
    for _ in range(8): n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
    table.append(n)
def crc(data):
    c = 0xffffffff
    for b in data: c = table[(c ^ b) & 255] ^ c >> 8
    c ^= 0xffffffff
    return ((c >> 15 | c << 17) + 0xa282ead8) & 0xffffffff
assert table[1] == 0xf26b8303
def varint(data, at):
    v = shift = 0
    while True:
        b = data[at]; at += 1
        v |= (b & 127) << shift; shift += 7
        if b < 128: return v, at
def fields(data):
    at, found = 0, {}
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0: v, at = varint(data, at)
        elif kind == 1: v, at = struct.unpack_from("<d", data, at)[0], at + 8
        elif kind == 5: v, at = struct.unpack_from("<f", data, at)[0], at + 4
        else: n, at = varint(data, at); v, at = data[at:at + n], at + n; assert len(v) == n
        found.setdefault(key >> 3, []).append(v)
    return found
def read(part):
    (path,) = glob.glob("%s/%s/events.out.tfevents.*" % (sys.argv[1], part))
    data, at, seen = open(path, "rb").read(), 0, {}
    while at < len(data):
        n, check = struct.unpack_from("<QI", data, at)
        assert check == crc(data[at:at + 8])
        body = data[at + 12:at + 12 + n]
        assert struct.unpack_from("<I", data, at + 12 + n)[0] == crc(body)
        event = fields(body)
        assert event[1][0] > 1e9
        if at == 0: assert event[3] == [b"brain.Event:2"]
        else:
            value = fields(fields(event[5][0])[1][0])
            seen[value[1][0].decode(), event[2][0]] = value[2][0]
        at += 16 + n
    return seen
train, validation = read("train"), read("validation")
rows = list(csv.DictReader(open(sys.argv[2])))
for r in rows:
    e = int(r["epoch"])
    for k, v in r.items():
        if k in ("epoch", "step"): continue
        if k == "lr": k = "learning_rate"
        of, k = (validation, k[4:]) if k.startswith("val_") else (train, k)
        assert abs(of.pop(("epoch_" + k, e)) - float(v)) <= 1e-6 * max(1, abs(float(v))), k
assert len(rows) > 2 and not train and not validation, (train, validation)
END
logs() {
    program fit "$far" 4 1 "" 0 "log=$work/run.csv" "tensorboard=$work/events" "plot=$work/loss.svg" metrics=f1 >out && python3 events.py events run.csv && python3 - <<'END'
import csv, xml.etree.ElementTree as et
lines = et.parse("loss.svg").getroot().findall("{http://www.w3.org/2000/svg}polyline")
assert [len(l.get("points").split()) for l in lines] == [4, 4]
first = [float(p.split(",")[1]) for p in lines[0].get("points").split()]
loss = [float(r["loss"]) for r in csv.DictReader(open("run.csv"))]
assert (first[0] < first[3]) == (loss[0] > loss[3])
END
}
check "TensorBoard's events, the csv file and the picture agree" logs
check "a log that cannot be written" expect 1 "cannot write '.*absent/x.csv': No such file" program fit "$far" 1 1 "" 0 "log=$work/absent/x.csv"
check "a figure that does not exist" expect 1 "there is no figure 'val_f9' to watch" program fit "$far" 1 1 "" 0 patience=1 monitor=val_f9

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
