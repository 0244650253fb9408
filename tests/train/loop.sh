#!/usr/bin/env bash
# nncc train around the network: batches of one size, double precision, a class for each place, losses by name, and what is refused before work begins.
# usage: loop.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
cd "$work" || exit 1

fit() { timeout 60 "$nncc" train "$@" --cc 'cc -O0' 2>&1 | tr '\r' '\n'; return "${PIPESTATUS[0]}"; }
figures() { sed -n "s/.* - $1: \([0-9.e+-]*\).*/\1/p" "$2"; }
# program DIR DATA EPOCHS SEED CHECKPOINT RESUME: what nncc train left there, without building it again
program() { (cd "$1" && exec timeout 20 ./program "$work/$2" "${@:3}" 2>&1); }
before() { expect "$@" && ! grep -q '^Epoch' out; } # … and no epoch has begun

awk -v n=149 -f "$root/tests/train/points.awk" >points.csv # 135 to train on, 14 to test
# net BATCH [WORDS]: a perceptron for the points
net() {
    cat <<END
network @n(%x: f32[$1, 4]) {
  %h = dense(%x) {units = 16, activation = relu}
  %s = dense(%h) {units = 3}
  return %s
}
train @n {loss = SoftmaxCrossEntropyLoss${2:-}}
END
}
net batch ', batch = 16' >open.nn

# ---- every example counts once

# The judge is the network with an open batch: the parameters are the same, and stay so at a rate of 0.
evaluates() {
    net "$1" >fixed.nn
    fit fixed.nn --data points.csv --lr 0 >fixed.out && cat fixed.out && [ "$(figures val_loss fixed.out)" = "$(figures val_loss open.out)" ] &&
        [ "$(figures val_accuracy fixed.out)" = "$(figures val_accuracy open.out)" ]
}
fit open.nn --data points.csv --lr 0 --keep "$work/open" >open.out
for n in 1 13 200; do check "batches of exactly $n: the validation's figures are those of every example" evaluates $n; done
fills() { cat fixed.out && grep -q 'filled up with 65' fixed.out && grep -q '^1/1 ' fixed.out; } # 135 in batches of 200
check "the last batch is filled up, and the run says so" fills
whole() { net 45 >fixed.nn && fit fixed.nn --data points.csv >out && grep '^3/3 ' out && ! grep filled out; }
check "nothing is said where all batches are whole" whole

# ---- losses by name, of one target

by_name() { sed "s/loss = SoftmaxCrossEntropyLoss/loss = {$1}/" open.nn; }
as_alone() {
    by_name 'main = SoftmaxCrossEntropyLoss(s, label)' >named.nn
    fit open.nn --data points.csv --epochs 2 --checkpoint alone >out && fit named.nn --data points.csv --epochs 2 --checkpoint named -o named.onnx >out &&
        cmp alone named && grep val_accuracy out
}
check "a loss by name is the loss alone, to the byte" as_alone
learns_from_two() {
    by_name 'main = SoftmaxCrossEntropyLoss(s, class), aux = 0.1 * own(h)' >two.nn
    echo 'func @own(%h) { return ReduceMean(Mul(%h, %h)) {keepdims = 0} }' >>two.nn
    fit two.nn --data points.csv --lr 0.01 --epochs 3 -o two.onnx >out && cat out && grep -q ' val_accuracy: 0.[5-9]' out
}
check "two losses, one of them without a target" learns_from_two
by_name 'a = MeanSquaredError(s, t), b = MeanSquaredError(h, u)' >three.nn
check "two targets: all columns are told" before 1 'line 2: expected 23 columns, 4 inputs and 19 targets, saw 5' fit three.nn --data points.csv
by_name 'a = own(h)' >none.nn
echo 'func @own(%h) { return ReduceMean(Mul(%h, %h)) {keepdims = 0} }' >>none.nn
cut -d , -f 1-4 points.csv >inputs.csv
check "no target at all" expect 0 val_loss fit none.nn --data inputs.csv

# ---- double precision

double() {
    fit open.nn --data points.csv --lr 0.01 --epochs 3 --checkpoint f32 -o f32.onnx >single.out && fit open.nn --data points.csv --lr 0.01 --epochs 3 --real=f64 --checkpoint f64 -o wide.onnx --keep "$work/double" >double.out &&
        cat single.out double.out && python3 - <<'END'
import json, struct
def read(name):
    raw = open(name, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__")
    parts = {}
    for k, t in header.items():
        a, b = t["data_offsets"]
        parts[k] = (t["dtype"], struct.unpack("<%d%s" % ((b - a) // (8 if t["dtype"] in ("F64", "I64") else 4), {"F32": "f", "F64": "d", "I64": "q"}[t["dtype"]]), raw[8 + n + a:8 + n + b]))
    return parts
f, d = read("f32"), read("f64")
assert f.keys() == d.keys()
for k in f:
    assert d[k][0] == ("F64" if f[k][0] == "F32" else f[k][0]), (k, d[k][0])
    worst = max(abs(x - y) for x, y in zip(f[k][1], d[k][1]))
    assert worst <= 1e-5 * max(1, max(map(abs, d[k][1]))), (k, worst)
    assert k.startswith("params") is False or worst > 0, k + ": it is not double"
END
}
check "--real=f64 trains in double, as single precision to 1e-5" double
goes_on() { program double points.csv 2 1 "$work/parts" 0 && program double points.csv 3 1 "$work/parts" 1 && cmp parts f64; }
check "its checkpoints go on" goes_on
exported() { "$nncc" wide.onnx --dim batch=2 --emit=nn --passes=none >out && grep -q 'weight: f32\[16,4\]' out && ! grep f64.*= out; }
check "what it learnt has the model's own types" exported
again() { # wide.onnx leaves the batch open, and has no train line
    fit wide.onnx --data points.csv --epochs 1 --loss=SoftmaxCrossEntropyLoss -o again.onnx >out 2>&1 && grep -q "note: dim 'batch' is not given: taken as 1..64; " out && [ "$(grep -c note: out)" = 1 ] || { cat out; return 1; }
    "$nncc" again.onnx --prefix m -o again.c >out 2>&1 && grep -q "note: dim 'batch' is not given: taken as 1; " out || { cat out; return 1; }
    "$nncc" verify again.onnx >out 2>&1 && grep -q -- '--dim batch=1$' out && ! grep note: out
}
check "an exported network, whose batch is open, trains and compiles again" again
check "a checkpoint of another precision is refused" expect 1 "F32\[16,4\].*F64\[16,4\]" program double points.csv 4 1 "$work/f32" 1
targets() { # numbers as targets, which the loop converts too
    sed 's/SoftmaxCrossEntropyLoss/MeanSquaredError/; s/units = 3/units = 1/' open.nn >mse.nn
    fit mse.nn --data points.csv --epochs 2 >a && fit mse.nn --data points.csv --epochs 2 --real=f64 >b && cat a b && [ "$(figures val_loss a)" = "$(figures val_loss b)" ]
}
check "targets in double" targets

# ---- a class for each place

cat >seg.nn <<'END'
network @seg(%x: f32[batch, 1, 4, 4]) {
  %a = conv2d(%x) {filters = 8, kernel = 1, activation = relu}
  %s = conv2d(%a) {filters = 2, kernel = 1}
  return %s
}
train @seg {loss = SoftmaxCrossEntropyLoss, optimizer = Adam, lr = 3e-2, batch = 8}
END
cat >steps.nn <<'END'
network @steps(%x: f32[batch, 1, 16]) {
  %s = conv1d(conv1d(%x) {filters = 8, kernel = 1, activation = relu}) {filters = 2, kernel = 1}
  return %s
}
train @steps {loss = SoftmaxCrossEntropyLoss, optimizer = Adam, lr = 3e-2, batch = 8}
END
# arrays FOLDER: pictures of 4 x 4 whose classes are the signs of their pixels; the same as steps; with one class for each
python3 - <<'END'
import os, random, struct
def npy(path, dtype, shape, values):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    text = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (dtype, shape)
    text += " " * (-(len(text) + 11) % 64) + "\n"
    kind = {"<f4": "f", "<i8": "q", "|u1": "B", "<f8": "d"}[dtype]
    open(path, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + struct.pack("<%d%s" % (len(values), kind), *values))
random.seed(1)
x = [random.gauss(0, 1) for _ in range(120 * 16)]
y = [int(v > 0) for v in x]
npy("pixels/x_train.npy", "<f4", (120, 1, 4, 4), x)
npy("pixels/y_train.npy", "|u1", (120, 4, 4), y)
npy("steps/x_train.npy", "<f8", (120, 16), x)
npy("steps/y_train.npy", "<i8", (120, 16), y)
npy("one/x_train.npy", "<f4", (120, 1, 4, 4), x)
npy("one/y_train.npy", "<i8", (120,), y[:120])
npy("fewer/x_train.npy", "<f4", (120, 1, 4, 4), x)
npy("fewer/y_train.npy", "|u1", (119, 4, 4), y[:119 * 16])
npy("other/x_train.npy", "<f4", (120, 1, 2, 8), x)
npy("other/y_train.npy", "<f8", (120, 16), [v + 0.5 for v in y])
npy("above/x_train.npy", "<f4", (120, 1, 4, 4), x)
npy("above/y_train.npy", "|u1", (120, 4, 4), y)
npy("above/x_test.npy", "<f4", (2, 1, 4, 4), x[:32])
npy("above/y_test.npy", "|u1", (2, 4, 4), y[:31] + [2])
END
right() { fit "$1" --data "$2" --epochs 4 >out && cat out && awk -v a="$(figures val_accuracy out | tail -n 1)" 'BEGIN { exit !(a > 0.9 && a <= 1) }'; }
check "a class for each pixel" right seg.nn pixels
check "a class for each step" right steps.nn steps
sanitized() { ASAN_OPTIONS=detect_leaks=0 expect 0 'accuracy' timeout 100 "$nncc" train seg.nn --data pixels --epochs 1 --cc 'cc -O0 -g -fsanitize=address,undefined -fno-sanitize-recover' --checkpoint sane --keep "$work/seg"; }
check "… whose labels are all there is to read" sanitized
one() { before 1 "$1" program seg "$2" 1 1 '' 0; }
check "one class for all of them: the shapes are told" one '^one/y_train.npy|/one/y_train.npy: \(120,\): expected 16 .* for each example, saw 1' one
check "what the scores are is told" one 'f32\[batch,2,4,4\].*Flatten' one
check "fewer labels than pictures" one 'y_train.npy: \(119, 4, 4\): expected 120 items, one for each example, saw 119' fewer
check "labels that are no whole numbers" one 'y_train.npy: example 1: expected a class, saw the label [01].5' other
check "test labels out of range" one 'test example 2: its label is 2; the network has 2 classes' above

# ---- a train line means what it says, or is refused: all of it at once

line() { net batch ", $1" >line.nn && before 1 "$2" fit line.nn --data points.csv -o x.onnx; }
obeyed() { net batch ', batch = 16, lr = 0, epochs = 3, seed = 7' >line.nn && fit line.nn --data points.csv --checkpoint said >out && cat out && grep -q '^Epoch 3/3' out && program open points.csv 3 7 "$work/asked" 0 && cmp said asked; }
check "epochs and seed are obeyed" obeyed
wins() { fit line.nn --data points.csv --epochs 1 --seed 1 --checkpoint won >out && cat out && grep -q '^Epoch 1/1' out && program open points.csv 1 1 "$work/asked" 0 && cmp won asked; }
check "options win over them" wins
check "metrics that do not exist" line 'metrics = [f2]' "no metric 'f2'"
check "metrics of the loss" before 1 'accuracy is asked for, which MeanSquaredError' sh -c "sed 's/SoftmaxCrossEntropyLoss/MeanSquaredError, metrics = [accuracy]/' '$work/open.nn' >m.nn; '$nncc' train m.nn --data points.csv -o x.onnx"
check "words that do not exist" line 'epoch = 3' "'epoch'"
check "no epochs" line 'epochs = 0' 'epochs has to be a whole number'
check "half a batch" line 'batch = 0.5' 'batch has to be a whole number'
check "a rate in words" line 'lr = small' 'lr has to be a number'
check "a momentum of one" line 'optimizer = Momentum, momentum = 1' 'momentum is 1.*below 1'
several() { line 'lr = -1, seed = -2, beta1 = 2' 'lr is -1' && grep -q 'seed has' out && grep -q 'beta1 is 2' out; }
check "everything that is wrong is listed" several
other_batch() { net 16 ', batch = 32' >line.nn && before 1 'batch of 32.*f32\[16,4\]' fit line.nn --data points.csv -o x.onnx; }
check "a batch that the network does not have" other_batch
scaled() { { net batch && echo "data @n {$1}"; } >line.nn && before 1 "$2" fit line.nn --data points.csv -o x.onnx; }
check "a data line of another input" scaled 'image = {scale = 0.5}' "names input 'image'"
check "words of a data line" scaled 'x = {scales = 0.5}' "'scales'"
check "mean without std" scaled 'x = {mean = [0.5]}' 'std'
check "a deviation of 0" scaled 'x = {mean = [0.5], std = [0]}' 'std'
check "channels that are not the input's" scaled 'x = {mean = [0, 0, 0], std = [1, 1, 1]}' '3.*4'
scales_by() { scaled "x = {scale = $1}" "$2"; }
check "a scale of 0, of nothing, of words" eval "scales_by 0 'scale .* is 0;' && scales_by nan 'scale .* is nan;' && scales_by '\"no\"' 'scale has to be a number'"
within() {
    local said
    for said in 'scale = "no"' 'scale = 0' 'mean = [1, 2, 3, 4]' 'mean = [], std = []' 'mean = [1, 2, 3, 4], std = [0, 1, 1, 1]' 'scales = 1'; do
        { net batch && echo "data @n {x = {$said}}"; } >within.nn &&
            before 1 'the data line' "$nncc" within.nn --dim batch=1 --normalise -o within.c || return 1
    done
}
check "… where the network does itself what it says" within
check "another layout" scaled 'x = {layout = NHWC}' 'NHWC'

# ---- options

option() { before "$1" "$2" fit open.nn --data points.csv -o x.onnx "${@:3}"; }
check "a rate below 0" option 1 'lr is -1' --lr=-1
check "a rate of nan" option 2 'number' --lr nan
check "a setting that is no number" option 1 'momentum=fast is no number' --optimizer Momentum --set momentum=fast
check "nothing left to train" option 1 'nothing to train' '--freeze=*'
check "no epochs at all" option 2 'whole number' --epochs 0
check "a folder that is not there" option 1 'cannot write .*No such file' -o absent/x.onnx
check "a folder instead of a file" option 1 'cannot write' -o "$root"
check "a checkpoint that cannot be written" option 1 'No such file' --checkpoint absent/x
check "one file for both" option 2 'name the same file' --checkpoint x.onnx
check "a checkpoint over the data" option 2 'the data' --checkpoint points.csv
cp points.csv data.csv
check "a log over the data" option 2 '--log names the model, the data' --log points.csv
check "a picture over the model" option 2 '--plot names the model' --plot open.nn
check "parameters to begin with as a checkpoint" option 2 '--checkpoint names .* or --start-from' --checkpoint open.out --start-from open.out
check "a log in the picture's file" option 2 '--log and --plot name the same file' --log both --plot both
check "… under another name" sh -c "ln data.csv again.csv; '$nncc' train open.nn --data data.csv --checkpoint again.csv 2>&1 | grep 'the data'"
check "nothing is kept: a warning" expect 0 'warning: the trained network is not saved' fit open.nn --data points.csv
check "nothing is left to do" before 0 'nothing is left to do: .* 3 epochs' program open points.csv 3 1 "$work/said" 1

# ---- what is added to a loss, and weights of classes

sed 's/loss = SoftmaxCrossEntropyLoss/loss = {main = SoftmaxCrossEntropyLoss(s, label), decay = 0.01 * L2("*.weight")}/' open.nn >named.nn
added() {
    fit named.nn --data points.csv --epochs 2 --checkpoint named.ck >out && fit open.nn --data points.csv --epochs 2 --add-loss '0.01 * L2("*.weight")' --checkpoint added.ck -o added.onnx >out && cmp named.ck added.ck &&
        fit added.onnx --loss=SoftmaxCrossEntropyLoss --data points.csv --epochs 1 --add-loss '0.01 * L1("*.weight", "*.bias")' --checkpoint onnx.ck
}
check "--add-loss is a loss by name, of an ONNX model, too" added
check "… of a loss that there is not" option 1 "expected a factor and a loss of parameters.* saw '0.1 [*] L3" --add-loss '0.1 * L3("*")'
check "… of parameters that there are not" option 1 "no parameter that is trained is called 'z[*]'" --add-loss '0.1 * L2("z*")'
weighted() { # what is held out does not count
    awk -F, 'NR == 1 || $5 < 2 || NR % 3 == 0' points.csv >rare.csv
    weights=$(awk -F, 'NR > 1 && (NR - 1) % 10 { n[$5]++; all++ } END { printf "%.17g, %.17g, %.17g", all / 3 / n[0], all / 3 / n[1], all / 3 / n[2] }' rare.csv)
    sed "s/SoftmaxCrossEntropyLoss/SoftmaxCrossEntropyLoss(weights = [$weights])/" open.nn >weights.nn
    fit weights.nn --data rare.csv --epochs 1 --checkpoint weights.ck >out && fit open.nn --data rare.csv --epochs 1 --class-weights=frequency --checkpoint rare.ck >out && cat out && cmp weights.ck rare.ck
}
check "classes weighted by how rare they are" weighted
check "… without classes" option 1 'expected a loss with weights of classes, saw MeanSquaredError|expected 7 columns' --loss MeanSquaredError --class-weights=frequency

# ---- data

rows() { { head -n 50 points.csv; echo "$1"; } >rows.csv; }
row() { rows "$1" && before 1 "$2" program open rows.csv 1 1 '' 0; }
check "half a class" row '1,2,3,4,0.5' 'line 51, column 5: expected a class, saw the label 0.5'
check "a class too many" row '1,2,3,4,3' 'label is 3; the network has 3 classes'
check "a class below 0" row '1,2,3,4,-1' 'label is -1'
check "an input that is nan" row '1,nan,3,4,1' 'an input is -?nan'
check "an input that is infinite" row '1,2,inf,4,1' 'an input is inf'
sed 's/SoftmaxCrossEntropyLoss/BinaryCrossEntropyWithLogits/; s/units = 3/units = 1/' open.nn >bce.nn
check "probabilities above 1" before 1 'probability.* 2' fit bce.nn --data points.csv -o x.onnx
pixels() { # from 0 to 255 by a rounded scale are their own targets: 1.0000004
    printf 'network @p(%%x: f32[batch, 2]) {\n  %%y = Sigmoid(dense(%%x) {units = 2})\n  return %%y\n}\ndata @p {x = {scale = 0.00392157}}\ntrain @p {loss = BinaryCrossEntropyWithLogits}\n' >p.nn
    awk 'BEGIN { for (i = 0; i < 40; i++) printf "%d,255,%g,1.0000004\n", 6 * i, i / 40 }' >p.csv
    expect 0 val_accuracy fit p.nn --data p.csv -o x.onnx
}
check "rounding is none above 1" pixels
: >empty.csv
check "no data" before 1 'no examples' program open empty.csv 1 1 '' 0
awk -F, 'NR > 1 { print $1 * 100 + 400 "," $2 * 100 + 400 "," $3 * 100 + 400 "," $4 * 100 + 400 "," $5 }' points.csv >large.csv
check "inputs that are not scaled: a hint" expect 0 'hint: the first loss is .* 3 classes .*scale' program open large.csv 1 1 '' 0
unscaled() { ! grep hint open.out; }
check "… and none where they are" unscaled

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
