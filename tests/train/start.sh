#!/usr/bin/env bash
# Texts as data; nncc eval and nncc predict; parameters to begin with, of checkpoints and of ONNX models, whole and but for a head: against
# Python's reading of the same files. usage: start.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
cd "$work" || exit 1

nn() { timeout 60 "$nncc" "$@" --cc 'cc -O0' 2>&1 | tr '\r' '\n'; return "${PIPESTATUS[0]}"; }
program() { (cd "$1" && exec timeout 60 ./program "${@:2}" 2>&1 | tr '\r' '\n'; exit "${PIPESTATUS[0]}"); }
figures() { sed -n "s/.*\b$1: \([0-9.e+-]*\).*/\1/p" "$2"; }
expect_nn() { expect "$1" "$2" nn "${@:3}"; }

# ---- eval and predict

fit=$root/tests/train/fit.nn
awk -v n=149 -f "$root/tests/train/points.awk" >points.csv
awk -F, 'NR % 10 == 1 && NR > 10 || NR == 1' points.csv >held.csv # what is held out: every tenth, and the heading
nn train "$fit" --data points.csv --epochs 5 --checkpoint ck -o fit.onnx >trained || { cat trained; exit 1; }
last=$(figures val_loss trained | tail -n 1)
agrees() { nn eval "$@" --data held.csv >out && cat out && awk -v a="$last" -v b="$(figures loss out)" 'BEGIN { exit !(a - b < 6e-5 && b - a < 6e-5) }' && grep -q '^14 examples' out; }
check "eval of a checkpoint: the loss of the last validation" agrees "$fit" --start-from ck
check "… of the parameters of an ONNX model" agrees "$fit" --start-from fit.onnx
check "… of the ONNX model, with the loss on the command line" agrees fit.onnx --loss=SoftmaxCrossEntropyLoss
check "… with metrics" expect_nn 0 '^f1: ' eval "$fit" --start-from ck --data held.csv --metrics f1,confusion
cut -d , -f 1-4 points.csv >inputs.csv
predicts() {
    nn predict "$fit" --start-from ck --data inputs.csv --output y="$work/y.npy" >out && nn predict fit.onnx --data inputs.csv --output y="$work/y.csv" >out && cat out && python3 - <<'END'
import csv, struct
raw = open("y.npy", "rb").read()
assert raw[:8] == b"\x93NUMPY\1\0" and (10 + struct.unpack("<H", raw[8:10])[0]) % 64 == 0
head = eval(raw[10:10 + struct.unpack("<H", raw[8:10])[0]])
assert head == {"descr": "<f4", "fortran_order": False, "shape": (149, 3)}, head
y = struct.unpack("<447f", raw[-447 * 4:])
rows = list(csv.reader(open("y.csv")))
assert rows[0] == ["y.0", "y.1", "y.2"] and len(rows) == 150
z = [float(v) for r in rows[1:] for v in r]
assert max(abs(a - b) for a, b in zip(y, z)) < 1e-5
points = list(csv.reader(open("points.csv")))[1:]
right = sum(max(range(3), key=lambda c: z[3 * i + c]) == int(p[4]) for i, p in enumerate(points))
print("right:", right)
assert right > 100
END
}
check "predict: npy and csv, by two ways the same" predicts
integers() { # large ones, and a name that csv has to quote
    "${NNCC_PYTHON:-python3}" -c 'print("whole,x\n" + "".join("%d,1\n" % (2000000011 + i) for i in range(5)), end="")' >whole.csv
    cat >whole.nn <<'END'
network @n(%whole: i32[batch, 1], %x: f32[batch, 1]) {
  %a = Add(%whole, 1)
  %"b, c" = Mul(Cast(%whole) {to = i64}, 1000003)
  return %a, %"b, c"
}
train @n {optimizer = SGD}
END
    nn predict whole.nn --data whole.csv --output a="$work/a.csv" --output 'b, c'="$work/b.csv" >out && cat a.csv b.csv && [ "$(sed -n '1p;3p' a.csv | xargs)" = 'a 2000000013' ] && [ "$(sed -n '1p;3p' b.csv | tr '\n' ' ')" = '"b, c" 2000006012000036 ' ]
}
check "… of integers" integers
seven() { # batches of exactly seven, of which the last one is not full
    sed 's/f32\[batch,4\]/f32[7,4]/; s/, batch = 32//' "$fit" >seven.nn && nn predict seven.nn --start-from ck --data inputs.csv --output y="$work/seven.csv" >out && cmp seven.csv <(awk 1 y.csv) 2>out || python3 - <<'END'
import csv
a, b = (list(csv.reader(open(n))) for n in ("seven.csv", "y.csv"))
assert len(a) == len(b) and a[0] == b[0] and max(abs(float(x) - float(y)) for r, s in zip(a[1:], b[1:]) for x, y in zip(r, s)) < 1e-5
END
}
check "… of a network of seven at a time" seven
check "an output that does not exist" expect_nn 1 'has no such output; its first is y' predict "$fit" --start-from ck --data inputs.csv --output z=z.csv
check "no output" expect_nn 2 'predict needs --output' predict "$fit" --start-from ck --data inputs.csv
check "an output over the parameters" expect_nn 2 'which are inputs' predict "$fit" --start-from ck --data inputs.csv --output y=ck
check "an output over the data" expect_nn 2 'which are inputs' predict "$fit" --start-from ck --data inputs.csv --output y=inputs.csv
head -c 900 ck >cut
check "a checkpoint that is cut off" expect_nn 1 'cut: ' eval "$fit" --start-from cut --data held.csv

# ---- parameters to begin with

cat >values.py <<'END'
import json, struct, sys
def read(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    head.pop("__metadata__", None)
    return {k: raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]] for k, v in head.items() if k.startswith("params.")}
a, b = read(sys.argv[1]), read(sys.argv[2])
same = sorted(k[7:] for k in a if a[k] == b.get(k))
print(" ".join(same))
END
sed 's/units = 3/units = 2/; s/SoftmaxCross/SoftmaxCross/' "$fit" >other.nn # another head: y is two classes
awk -F, 'NR == 1 || $5 < 2' points.csv >two.csv
names=$(python3 values.py ck ck)
transfer() { [ "$(nn train other.nn --start-from "$1" --data two.csv --lr 0 --epochs 1 --checkpoint moved | tee out | sed -n 's/^taken from .*: //p')" = '4 of 6 parameters' ] && grep "begins anew: 'y.weight', 'y.bias'" out && [ "$(python3 values.py ck moved)" = "$(echo $names | tr ' ' '\n' | grep -v '^y\.' | xargs)" ]; }
check "eval does without none of them" expect_nn 1 "ck: it lacks 'y.(weight|bias)' in the shape that the network has" eval other.nn --start-from ck --data two.csv
check "another head: the rest is taken from a checkpoint" transfer ck
check "… from an ONNX model" transfer fit.onnx
other_labels() { # classes of another name, as many or fewer
    awk -F, -v OFS=, 'NR > 1 { $5 = $5 == 0 ? "red" : $5 == 1 ? "green" : "blue" } 1' points.csv >colours.csv && sed 's/red/cat/; s/green/dog/; s/blue/eel/' colours.csv >animals.csv && grep -v eel animals.csv >pets.csv &&
        nn train "$fit" --data colours.csv --epochs 1 --checkpoint colours.ck >out && nn train other.nn --start-from colours.ck --data pets.csv --epochs 1 >out && grep val_loss out &&
        nn train "$fit" --start-from colours.ck --head 'y.*' --data animals.csv --epochs 1 >out && grep val_loss out && expect_nn 1 "expected one of the 3 known labels, saw '[a-z]*'" train "$fit" --start-from colours.ck --data animals.csv
}
check "a head for other labels" other_labels
# What was learnt as a model alone: it takes numbers as the data has them, and knows what classes are called.
whole_model() {
    { cat "$fit"; echo 'data @fit {x = {scale = 0.5, mean = [0.1, -0.2, 0.3, 0.2], std = [0.5, 0.6, 0.7, 0.3]}}'; } | grep -v '^//' >raw.nn
    nn train raw.nn --data colours.csv --epochs 1 --checkpoint raw.ck -o raw.onnx --normalise >out && nn predict raw.onnx --data inputs.csv --output y="$work/raw.csv" >out && cat out &&
        nn predict raw.nn --start-from raw.ck --data inputs.csv --output y="$work/scaled.csv" >out && cat out && ! cmp -s scaled.csv y.csv && python3 - <<'END' || return 1
import csv
a, b = (list(csv.reader(open(n))) for n in ("raw.csv", "scaled.csv"))
assert len(a) == len(b) == 150 and max(abs(float(x) - float(y)) for r, s in zip(a[1:], b[1:]) for x, y in zip(r, s)) < 1e-5
END
    nn eval raw.onnx --loss=SoftmaxCrossEntropyLoss --data colours.csv --keep "$work/raw" >out && cat out && expect 1 "expected one of the 3 known labels, saw '[a-z]*'" program raw "$work/animals.csv" 1 1 '' 0 mode=eval
}
check "a model with the data line in it, and names of classes" whole_model
check "… without a data line" expect 1 'expected a data line with scale' "$nncc" "$fit" --normalise -o none.c
check "… which is said before training" eval 'expect_nn 1 "expected a data line with scale" train "$fit" --data points.csv --epochs 1 --normalise -o none.onnx && ! grep Epoch out'
check "… that nothing is written with" expect_nn 2 'normalise needs -o' train raw.nn --data colours.csv --epochs 1 --normalise --checkpoint raw.ck
head_anew() { nn train "$fit" --start-from ck --head 'y.*' --data points.csv --lr 0 --epochs 1 --checkpoint anew >out && cat out && [ "$(python3 values.py ck anew)" = "$(echo $names | tr ' ' '\n' | grep -v '^y\.' | xargs)" ]; }
check "--head begins anew where it would fit" head_anew
resized() { # of a plain ONNX model: the rest stays
    nn train fit.onnx --loss=SoftmaxCrossEntropyLoss --head 'y.*=2' --data two.csv --lr 0 --epochs 1 --checkpoint fewer -o fewer.onnx >out && cat out && [ "$(python3 values.py ck fewer)" = "$(echo $names | tr ' ' '\n' | grep -v '^y\.' | xargs)" ] &&
        nn predict fewer.onnx --data inputs.csv --output y="$work/fewer.csv" >out && [ "$(head -n 1 fewer.csv)" = y.0,y.1 ]
}
check "… and a number of classes: of an ONNX model" resized
check "… of what is no layer" expect_nn 1 "the model has no parameter that is called 'z[*]'" train fit.onnx --loss=SoftmaxCrossEntropyLoss --head 'z*=2' --data two.csv
whole() { nn train "$fit" --start-from ck --data points.csv --lr 0 --epochs 1 --checkpoint again >out && cat out && ! grep 'begins anew' out && [ "$(python3 values.py ck again)" = "$names" ]; }
check "all of it" whole
frozen() {
    nn train other.nn --start-from ck --freeze 'h*' --freeze 'd*' --data two.csv --lr 0.1 --epochs 3 --checkpoint frozen -o frozen.onnx >out && cat out && ! grep 'at first' out && nn eval other.nn --start-from frozen.onnx --data two.csv >out &&
        nn train other.nn --start-from frozen.onnx --data two.csv --lr 0 --epochs 1 --checkpoint thawed >out && [ "$(python3 values.py ck thawed)" = "$(echo $names | tr ' ' '\n' | grep -v '^y\.' | xargs)" ]
}
check "the rest frozen: it stays, and the head is trained" frozen
double() { nn train "$fit" --real=f64 --start-from ck --data points.csv --lr 0 --epochs 1 >out && cat out && grep -q 'taken from' out && ! grep 'begins anew' out; }
check "… in double" double
nothing() { expect_nn 1 'none of its tensors has the name and the shape of a parameter' train "$root/models/banknote_hidden.nn" --start-from ck --data points.csv; }
check "a file with nothing for the network" nothing

# ---- texts

cat >next.nn <<'END'
network @next(%text: i64[batch, 6]) {
  %h = dense(flatten(embedding(%text) {size = 9, units = 8})) {units = 32, activation = relu}
  %y = dense(%h) {units = 9}
  return %y
}
train @next {loss = SoftmaxCrossEntropyLoss, lr = 0.01, batch = 16, metrics = [perplexity]}
END
sed 's/flatten(\(.*\)) {units = 32/\1 {units = 32/; s/%y = dense(%h) {units = 9}/%y = Transpose(dense(%h) {units = 9}) {perm = [0, 2, 1]}/' next.nn >each.nn
python3 -c 'print("ab\u00e9 cab\n" * 60, end="")' >loop.txt
next_one() { nn train next.nn --data loop.txt --epochs 4 --checkpoint next.ck --keep "$work/next" >out && cat out && awk -v p="$(figures val_perplexity out | tail -n 1)" 'BEGIN { exit !(p > 0 && p < 1.1) }'; }
check "characters: the next one after six is learnt" next_one
words_are() { python3 - "$@" <<'END'
import json, struct, sys
raw = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
said = json.loads(raw[8:8 + n].decode())["__metadata__"]
want = "".join(w.encode().decode("unicode_escape").encode("latin-1").decode() + "\n" for w in sys.argv[2:])
assert said["words.0"] == said["words.1"] == want, (said["words.1"], want)
END
}
kept() { words_are next.ck '\\n' ' ' a b c '\xc3\xa9'; }
check "the checkpoint says what they are" kept
each() { nn train each.nn --data loop.txt --epochs 1 --keep "$work/each" >out && cat out && (cd each && python3 - <<'END'
import re
text = open("program.h").read()
assert '{"label", NNCC_I32, 1, {6, 0}, 6, 1, 9, 0' in text, text[:600]
END
    ) && program each "$work/loop.txt" 40 1 "$work/each.ck" 0 >out && grep -q '^5/5 ' out; } # (480 - 48 - 7) / 6 + 1 = 71 sequences
check "a class for each: sequences lie one behind the other" each

# ---- what it writes

writes() { expect 0 - program "$1" '' 1 1 '' 0 mode=predict all=1 "start=$work/$2" "${@:3}" && printf "$text" | cmp - out; }
learnt='b\303\251 cab\nab\303\251 cab\nab\303\251 ca\n'
text=a$learnt check "the likeliest text behind a beginning" writes next next.ck sample=19 temperature=0 prompt=abé
text='abé ca\n' check "… of a network with scores for each place" writes each each.ck sample=3 temperature=0 prompt=abé
text='\na\n' check "… without a beginning: a new line" writes next next.ck sample=1 temperature=0
differ() {
    for seed in 1 1 2; do
        nn predict next.nn --start-from next.ck --sample 40 --temperature 5 --seed $seed >out$seed || { cat out$seed; return 1; }
        [ $seed = 2 ] || mv out1 "again$((n = ${n:-0} + 1))"
    done
    cat again1 out2 && cmp again1 again2 && ! cmp again1 out2
}
check "drawn: the same by the same seed" differ
check "a beginning that training has not" expect 1 "expected characters that training has seen, saw 'x'" program next '' 1 1 '' 0 mode=predict "start=$work/next.ck" sample=3 temperature=1 prompt=abx
check "… of a network of numbers" expect_nn 1 'expected an input of integers' predict "$fit" --start-from ck --sample 3
check "… temperatures alone, or below 0" eval 'expect_nn 2 "temperature needs --sample" predict "$fit" --data points.csv --output y=y.csv --temperature 2 && expect_nn 2 "from 0 on" predict "$fit" --sample 3 --temperature -1'
# Pieces that a stranger chose do nothing to a terminal: escapes, a title, controls of one byte and of two.
strange() {
    python3 - <<'END' || return 1
import json, struct
raw = open("next.ck", "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
head = json.loads(raw[8:8 + n])
said = head["__metadata__"]
head["__metadata__"] = {k: "".join(w + "\n" for w in ("\\x1b]0;x\\x07", "\\x9b2J", "\\xc2\\x9bA", "\\x0d", "b")) if k.startswith("words") else v for k, v in said.items() if not k.startswith("metadata_")}
text = json.dumps(head).encode()
open("strange.ck", "wb").write(struct.pack("<Q", len(text)) + text + raw[8 + n:])
END
    expect 0 - program next '' 1 1 '' 0 mode=predict all=1 "start=$work/strange.ck" sample=200 temperature=9 && cat -v out && grep -q '?]0;x?' out && LC_ALL=C awk '/[\001-\010\013-\037\177]/ || /\302[\200-\237]/ || /(^|[^\300-\377])\2332J/ { exit 1 }' out
}
check "… of pieces that are commands to a terminal" strange
check "… together with data" expect_nn 2 'does not go with --data' predict next.nn --start-from next.ck --sample 3 --data loop.txt
scores() { program next '' 1 1 '' 0 mode=predict all=1 "start=$work/next.ck" "data=$work/loop.txt" "output=y=$work/scores.csv" >out; cat out; [ "$(wc -l <scores.csv)" = 81 ]; }
check "predict on a text: pieces one behind the other" scores
other_text() { python3 -c 'print("abx cab\n" * 60, end="")' >x.txt && expect 1 "x.txt: expected characters that training has seen, saw 'x'" program next "$work/loop.txt" 2 1 "" 0 "validation=$work/x.txt"; }
check "a character that training has not" other_text
# Names of classes in a file of anyone's writing: half an escape is none.
python3 - >foreign.ck <<'END'
import json, struct, sys
text = json.dumps({"__metadata__": {"words.0": "a\\x5", "words.1": "b\\x41\\n\\q\n\\"}}).encode()
sys.stdout.buffer.write(struct.pack("<Q", len(text)) + text)
END
escapes() {
    ${CC:-cc} -g -fsanitize=address,undefined -fno-sanitize-recover -I "$root/runtime" "$root/tests/train/names.c" "$root"/runtime/nncc_{checkpoint,words}.c -o names &&
        ./names foreign.ck >out && cat out && printf '%s\n' 'a\5' bA '\' '\' | cmp - out
}
check "names of classes with half an escape at the end" escapes
resumed() { expect 1 "its classes of 'text' are called otherwise than in the data" program next "$work/x.txt" 9 1 "$work/next.ck" 1; }
check "another alphabet does not go on" resumed
evaluated() { nn eval next.nn --start-from next.ck --data part.txt >out && cat out && awk -v p="$(figures loss out)" 'BEGIN { exit !(p < 0.1) }'; }
python3 -c 'print("ab cab\nab cab\nb\u00e9 cab\nab\u00e9 c", end="")' >part.txt
sed 's/ab cab/abé cab/g; s/^bé/abé/' part.txt >p && mv p part.txt
check "eval of a text without all characters: they have the numbers of training" evaluated
words() {
    python3 -c 'print("The cat sat, the dog ran. the cat slept\n" * 40, end="")' >words.txt
    nn train next.nn --data words.txt --text words --epochs 1 --checkpoint words.ck >out && cat out && words_are words.ck , . '<unk>' The cat dog ran sat the
}
check "words: the most frequent, and one class for the others" words
check "… written with blanks between" expect 0 '^The cat, the dog ran[.] the cat' program next '' 1 1 '' 0 mode=predict "start=$work/words.ck" sample=1 temperature=0 'prompt=The cat, the dog  ran. the cat'
short() { echo hi >short.txt && expect_nn 1 'expected at least 7 characters, as many as the network takes and the next, saw 3' train next.nn --data short.txt; }
check "a text that is too short" short
many() { echo 'abcdefghijklmnop' >many.txt && expect_nn 1 'it has 17 characters, and the network 9 classes for them' train next.nn --data many.txt; }
check "more characters than classes" many
binary() { printf 'abc\0def ghi jkl' >binary.txt && expect_nn 1 'holds bytes of 0, which no text has' train next.nn --data binary.txt; }
check "what is no text" binary
floats() { expect_nn 1 "a text is for an input of integers" train "$fit" --data loop.txt; }
check "a network that takes no text" floats

# ---- texts in a column of a csv file

cat >speaks.nn <<'END'
network @speaks(%line: i32[batch, 8]) {
  %y = dense(flatten(embedding(%line) {size = 12, units = 8})) {units = 2}
  return %y
}
train @speaks {loss = SoftmaxCrossEntropyLoss, lr = 0.05, batch = 16, metrics = [accuracy]}
END
"${NNCC_PYTHON:-python3}" -c 'print("who,n,line\n" + "".join("ham,%d,\"to be, \"\"no\"\"\"\nmac,%d,out out\n" % (i, i) for i in range(40)), end="")' >lines.csv
column() {
    nn train speaks.nn --data lines.csv --text chars --columns label=who --epochs 3 --checkpoint speaks.ck --keep "$work/speaks" >out && cat out && [ "$(figures val_accuracy out | tail -n 1)" = 1.0000 ] &&
        python3 - <<'END'
import json, struct
raw = open("speaks.ck", "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
said = json.loads(raw[8:8 + n].decode())["__metadata__"]
assert said["words.0"] == "".join(w + "\n" for w in sorted({"", *'to be, "', *"out out"})), said["words.0"]
assert said["words.1"] == "ham\nmac\n", said
END
}
check "a column of characters, filled up, and a label" column
knows() { # by the alphabet of the checkpoint
    printf 'who,n,line\nmac,1,out\nham,2,"to be"\n' >two.csv && expect 0 '^2 examples' program speaks '' 1 1 '' 0 mode=eval all=1 "start=$work/speaks.ck" "data=$work/two.csv" text=1 columns=label=who &&
        printf 'who,n,line\nmac,1,outz\n' >new.csv && expect 1 "new.csv: expected characters that training has seen, saw 'z'" program speaks '' 1 1 '' 0 mode=eval all=1 "start=$work/speaks.ck" "data=$work/new.csv" text=1 columns=label=who
}
check "… by the alphabet of the checkpoint" knows
open_quote() { # a text of two lines whose first one would be an example
    printf 'line,who\nout,mac\n"to be, ham\nor",mac\n' >open.csv && expect 1 'open.csv: line 3, column 1: expected a quote that ends on its line, saw none' program speaks '' 1 1 '' 0 mode=train "data=$work/open.csv" text=1 columns=label=who
}
check "… a quote that does not end on its line" open_quote

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
