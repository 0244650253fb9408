#!/usr/bin/env bash
# Data of several inputs and targets, by name, in every format: the same numbers give the same figures, whichever file they come from, and
# files that are damaged or lie are refused with their place. usage: readers.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
cd "$work" || exit 1

fit() { timeout 60 "$nncc" train "$@" --cc 'cc -O0' 2>&1 | tr '\r' '\n'; return "${PIPESTATUS[0]}"; }
# read_by DIR WORD...: the program that nncc train left in DIR, on data=, validation= and so on
read_by() { (cd "$1" && exec timeout 20 ./program '' "${epochs:-1}" 3 '' 0 "${@:2}" 2>&1 | tr '\r' '\n'; exit "${PIPESTATUS[0]}"); }
figures() { sed -n "s/.* - $1: \([0-9.e+-]*\).*/\1/p" "$2"; }

cat >two.nn <<'END'
network @two(%point: f32[batch, 2], %kind: i64[batch]) {
  %h = dense(Concat(%point, embedding(%kind) {size = 3, units = 4}) {axis = 1}) {units = 8, activation = relu}
  %score = dense(%h) {units = 3}
  %size = dense(%h) {units = 1}
  return %score, %size
}
data @two {point = {scale = 0.5}}
train @two {loss = {a = SoftmaxCrossEntropyLoss(score, colour), b = MeanSquaredError(size, weight)}, batch = 16, lr = 0.01, seed = 3}
END
# The same 60 examples in each format; colours are red, green and blue: 2, 1 and 0 in the order of the alphabet.
cat >make.py <<'END'
import io, os, random, struct, zipfile
def npy(dtype, shape, values, version=1):
    text = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (dtype, shape)
    text += " " * (-(len(text) + 11) % 64) + "\n"
    kind = {"<f4": "f", "<i8": "q", "<i4": "i", "|u1": "B", "<f8": "d"}[dtype]
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + struct.pack("<%d%s" % (len(values), kind), *values)
random.seed(1)
n = 60
kind = [random.randrange(3) for _ in range(n)]
point = [random.randrange(-40, 40) / 8 for _ in range(2 * n)]
colour = [(k + (point[2 * i] > 0)) % 3 for i, k in enumerate(kind)]
weight = [point[2 * i + 1] * (k - 1) for i, k in enumerate(kind)]
parts = {"point": ("<f4", (n, 2), point), "kind": ("<i8", (n,), kind), "colour": ("|u1", (n,), colour), "weight": ("<f8", (n, 1), weight)}
os.makedirs("folder", exist_ok=True)
for k, v in parts.items():
    open("folder/%s.npy" % k, "wb").write(npy(*v))
def npz(name, how, arrays, **more):
    with zipfile.ZipFile(name, "w", how, **more) as z:
        for k, v in arrays.items():
            with z.open(k + ".npy", "w", force_zip64=True) as f: f.write(npy(*v))
npz("stored.npz", zipfile.ZIP_STORED, parts)
npz("packed.npz", zipfile.ZIP_DEFLATED, parts)
npz("second.npz", zipfile.ZIP_DEFLATED, {k: v + (2,) for k, v in parts.items()})
npz("lzma.npz", zipfile.ZIP_LZMA, parts)
npz("lacks.npz", zipfile.ZIP_STORED, {k: v for k, v in parts.items() if k != "weight"})
npz("other.npz", zipfile.ZIP_STORED, {"a": parts["kind"]})
npz("shorter.npz", zipfile.ZIP_STORED, {**parts, "kind": ("<i8", (n - 1,), kind[1:])})
npz("half.npz", zipfile.ZIP_STORED, {**parts, "kind": ("<f4", (n,), [k + 0.5 for k in kind])})
npz("beyond.npz", zipfile.ZIP_STORED, {**parts, "kind": ("<i4", (n,), [k + 1 for k in kind])})
# every tenth example in a part of its own
last = [i for i in range(n) if i % 10 == 9]
def rows(v, at):
    each = len(v[2]) // n
    return (v[0], (len(at),) + v[1][1:], [x for i in at for x in v[2][i * each:(i + 1) * each]])
rest = [i for i in range(n) if i % 10 != 9]
npz("parts.npz", zipfile.ZIP_DEFLATED, {**{k + "_train": rows(v, rest) for k, v in parts.items()}, **{k + "_test": rows(v, last) for k, v in parts.items()}})
npz("train.npz", zipfile.ZIP_DEFLATED, {k: rows(v, rest) for k, v in parts.items()})
npz("test.npz", zipfile.ZIP_DEFLATED, {k: rows(v, last) for k, v in parts.items()})
words = ["blue", "green", "red"]
def csv(name, head, row, at=range(n)):
    open(name, "w").write("".join(line + "\n" for line in ([head] if head else []) + [row(i) for i in at]))
def number(x): return "%.17g" % x
csv("named.csv", "weight,id,kind,colour,point.1,point.0",
    lambda i: ",".join([number(weight[i]), "n%d" % i, str(kind[i]), words[colour[i]], number(point[2 * i + 1]), number(point[2 * i])]))
csv("listed.csv", 'left; up down ;kind;"my ""own"" colour";weight', lambda i: "; ".join([number(point[2 * i]), number(point[2 * i + 1]), str(kind[i]), '"%s"' % words[colour[i]], number(weight[i])]))
csv("placed.csv", None, lambda i: ",".join([number(point[2 * i]), number(point[2 * i + 1]), str(kind[i]), words[colour[i]], number(weight[i])]))
csv("held.csv", "weight,kind,colour,point.0,point.1", lambda i: ",".join([number(weight[i]), str(kind[i]), words[colour[i]], number(point[2 * i]), number(point[2 * i + 1])]), last)
csv("kept.csv", "weight,kind,colour,point.0,point.1", lambda i: ",".join([number(weight[i]), str(kind[i]), words[colour[i]], number(point[2 * i]), number(point[2 * i + 1])]), rest)
csv("pink.csv", "weight,kind,colour,point.0,point.1", lambda i: ",".join([number(weight[i]), str(kind[i]), "pink" if i == 19 else words[colour[i]], number(point[2 * i]), number(point[2 * i + 1])]), last)
raw = open("packed.npz", "rb").read()
open("cut.npz", "wb").write(raw[:-40])
first = raw.index(b"PK\3\4") + 60 + 40
open("flipped.npz", "wb").write(raw[:first] + bytes([raw[first] ^ 0x55]) + raw[first + 1:])
at = raw.index(b"PK\1\2")
open("bomb.npz", "wb").write(raw[:at + 24] + struct.pack("<I", 0xfffffff0) + raw[at + 28:])
open("far.npz", "wb").write(raw[:at + 42] + struct.pack("<I", 0x7fffffff) + raw[at + 46:])
raw = open("stored.npz", "rb").read()
value = raw.index(npy(*parts["weight"])) + len(npy(*parts["weight"])) - 8
open("bit.npz", "wb").write(raw[:value] + bytes([raw[value] ^ 1]) + raw[value + 1:])
# a locator of a 64-bit directory in a file that has no room for one
open("small.npz", "wb").write(b"PK\6\7" + struct.pack("<IQI", 0, 1 << 40, 1) + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 46, 0xffffffff, 0))
# extents whose product is more than 64 bits hold, and more extents than are read
open("wraps.npy", "wb").write(npy("<f4", (1, 2**33, 2**33, 2), [1.0] * 2))
open("deep.npy", "wb").write(npy("<f4", (n, 2) + (1,) * 11, point))
open("bells.npy", "wb").write(npy("<f4", "(20, 6, \7\x1b[2J)", point))
open("wraps.idx", "wb").write(b"\0\0\10\4" + struct.pack(">IIII", 1, 0xffffffff, 0xffffffff, 0xffffffff) + bytes(64))
END
python3 make.py

fit two.nn --data folder --keep "$work/two" --epochs 2 >first || { cat first; exit 1; }
same() { expect 0 val_loss read_by two "$@" && [ "$(figures loss out; figures val_loss out; figures accuracy out)" = "$(head -n 1 <(figures loss first); head -n 1 <(figures val_loss first); head -n 1 <(figures accuracy first))" ]; }
learns() { [ "$(figures loss first | awk '{ a[NR] = $1 } END { print a[NR] < a[1] }')" = 1 ]; }
check "a directory of npy files by name: two inputs, one of integers, two targets; it learns" learns
for file in stored.npz packed.npz second.npz parts.npz named.csv placed.csv; do check "the same of $file" same "data=$work/$file"; done
check "a file for each" same "data=point=$work/folder/point.npy" "data=kind=$work/folder/kind.npy" "data=colour=$work/folder/colour.npy" "data=weight=$work/folder/weight.npy"
check "columns that are listed" same "data=$work/listed.csv" 'columns=point=left,up down' 'columns=colour=my ""own"" colour'
check "validation from a file" same "data=$work/train.npz" "validation=$work/test.npz"
check "… of csv, with the labels of the other" same "data=$work/kept.csv" "validation=$work/held.csv"
by_command() { fit two.nn --data packed.npz --epochs 1 >out && [ "$(figures val_loss out)" = "$(head -n 1 <(figures val_loss first))" ]; }
check "nncc train takes the same" by_command
parts() { fit two.nn --data train.npz --validation test.npz --epochs 1 >out && [ "$(figures val_loss out)" = "$(head -n 1 <(figures val_loss first))" ]; }
check "… and a file for validation" parts
share() { fit two.nn --data packed.npz --validation "$1" --epochs 1 >out && cat out && grep -q "^$2/$2 " out; }
check "a fifth for validation" share 0.2 3
check "the last third" share last:0.34 3
none() { fit two.nn --data packed.npz --validation 0 --epochs 1 >out && cat out && grep -q '^4/4 ' out && ! grep val_loss out; }
check "none at all" none
classes() { expect 0 val_loss read_by two "data=$work/named.csv" 'classes=colour=red,green,blue' && [ "$(figures val_accuracy out)" != '' ]; }
check "classes in an order of one's own" classes

wrong() { expect 1 "$1" read_by two "${@:2}"; }
check "a target that is missing" wrong "lacks.npz: point: there is nothing for target 'weight'" "data=$work/lacks.npz"
check "no array at all" wrong "other.npz: it has no array for 'point'" "data=$work/other.npz"
check "fewer of one" wrong 'shorter.npz: kind: \(59,\): expected 60 items, one for each example, saw 59' "data=$work/shorter.npz"
check "integers that are none" wrong "half.npz: kind: example 1: expected a .*, saw .*[012].5" "data=$work/half.npz"
check "integers beyond the table that they choose from" wrong "example [0-9]*: 'kind' is 3; it lies between 0 and 2" "data=$work/beyond.npz"
check "a label that training has not" wrong "pink.csv: line 3, column 3: expected one of the 3 known labels, saw 'pink'" "data=$work/kept.csv" "validation=$work/pink.csv"
check "a column that is not there" wrong "named.csv: line 1: expected a column 'no', saw none" "data=$work/named.csv" columns=point=no
check "columns for what the network has not" wrong "columns: the network has no input or target for 'pint=id'" "data=$work/named.csv" columns=pint=id
check "columns of a file without a heading" wrong "placed.csv: line 1: expected a heading with the columns of 'kind=id', saw numbers" "data=$work/placed.csv" columns=kind=id
check "too few columns in a list" wrong "expected 2 columns for 'point', saw 1 in the list" "data=$work/named.csv" columns=point=id
check "classes of nothing" wrong "has no input or target for 'x=1,2'" "data=$work/named.csv" classes=x=1,2
check "a file for nothing" wrong "expected a file for a port" "data=nothing=$work/folder/kind.npy" "data=kind=$work/folder/kind.npy"
check "one port twice" wrong "'kind' has a file already" "data=kind=$work/folder/kind.npy" "data=kind=$work/folder/kind.npy"
check "an npz that is cut off" wrong "cut.npz: it cannot be read as npz: it has no directory" "data=$work/cut.npz"
check "one that is damaged" wrong "flipped.npz: .*(damaged|cannot be read)" "data=$work/flipped.npz"
check "one that claims gigabytes" wrong "bomb.npz: .*damaged" "data=$work/bomb.npz"
check "one whose parts lie outside" wrong "far.npz: .*damaged" "data=$work/far.npz"
check "one with a flipped bit that is not packed" wrong "bit.npz: weight: it is damaged" "data=$work/bit.npz"
check "a small one that says its directory is far" wrong "small.npz: it cannot be read as npz: it has no directory" "data=$work/small.npz"
one() { wrong "$1" "data=point=$work/$2" "data=kind=$work/folder/kind.npy" "data=colour=$work/folder/colour.npy" "data=weight=$work/folder/weight.npy"; }
for file in wraps.npy deep.npy wraps.idx; do check "extents beyond all bounds, $file" one "$file: it cannot be read as npy or idx" $file; done
check "bytes that no terminal should get" one 'bells.npy: \(20, 6, \?\?\[2J\): expected 2 numbers in each example, saw 6' bells.npy
check "one packed in another way" wrong "lzma.npz: .*packed in another way" "data=$work/lzma.npz"
check "a heading for nothing else than the points" wrong "line 1: expected columns for|expected .* columns" "data=$work/listed.csv"

# ---- pictures

cat >colours.nn <<'END'
network @colours(%image: f32[batch, 3, 4, 5]) {
  %y = dense(dense(flatten(%image)) {units = 8, activation = relu}) {units = 2}
  return %y
}
data @colours {image = {scale = 0.00392157}}
train @colours {loss = SoftmaxCrossEntropyLoss, batch = 8, lr = 0.01, seed = 3}
END
cat >masks.nn <<'END'
network @masks(%image: f32[batch, 1, 4, 5]) {
  %y = conv2d(%image) {filters = 2, kernel = 3, pad = 1}
  return %y
}
train @masks {loss = SoftmaxCrossEntropyLoss(y, mask), batch = 8, seed = 3}
END
sed -i 's/loss = SoftmaxCrossEntropyLoss(y, mask)/loss = {main = SoftmaxCrossEntropyLoss(y, mask)}/' masks.nn
cat >pictures.py <<'END'
import os, random, struct, sys, zipfile, zlib
exec(open("make.py").read().split("random.seed")[0])
def npz(name, how, arrays):
    with zipfile.ZipFile(name, "w", how) as z:
        for k, v in arrays.items(): z.writestr(k + ".npy", npy(*v))
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
def png(w, h, channels, pixels, palette=None): # pixels: [h][w] of tuples
    kind = 3 if palette else {1: 0, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + bytes(v for p in row for v in (p if channels > 1 and not palette else [p if palette else p[0]])) for row in pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, kind, 0, 0, 0)) + (chunk(b"PLTE", bytes(v for p in palette for v in p)) if palette else b"") + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
random.seed(2)
x, y = [], []
for c, name in enumerate(("cat", "dog")):
    os.makedirs("animals/" + name, exist_ok=True)
    for i in range(20):
        table = [tuple(random.randrange(256) for _ in range(3)) for _ in range(6)]
        at = [[random.randrange(6) for _ in range(5)] for _ in range(4)]
        pixels = [[table[v] for v in row] for row in at]
        open("animals/%s/%02d.png" % (name, i), "wb").write(png(5, 4, 3, at, table) if i % 2 else png(5, 4, 3, pixels))
        x += [p[k] for k in range(3) for row in pixels for p in row]
        y.append(c)
    open("animals/%s/notes.txt" % name, "w").write("no picture")
npz("animals.npz", zipfile.ZIP_DEFLATED, {"x": ("|u1", (40, 3, 4, 5), x), "y": ("|u1", (40,), y)})
os.makedirs("split/train", exist_ok=True)
os.makedirs("split/test/cat", exist_ok=True)
for name in ("cat", "dog"): os.symlink("../../animals/" + name, "split/train/" + name)
open("split/test/cat/one.png", "wb").write(open("animals/cat/03.png", "rb").read())
for name in ("clear", "black"):
    for c in ("a", "b"): os.makedirs(name + "/" + c, exist_ok=True)
    for i in range(20):
        at = [[(i * 9, 20 * y, 30 * x, 255 * ((x + y) % 2)) for x in range(5)] for y in range(4)]
        if name == "black": at = [[p[:3] if p[3] else (0, 0, 0) for p in row] for row in at]
        open("%s/%s/%02d.png" % (name, "ab"[i % 2], i), "wb").write(png(5, 4, 4 if name == "clear" else 3, at))
x, y = [], []
os.makedirs("grey", exist_ok=True), os.makedirs("mask", exist_ok=True)
for i in range(10):
    a = [[(random.randrange(256),) for _ in range(5)] for _ in range(4)]
    b = [[(255 * random.randrange(2),) for _ in range(5)] for _ in range(4)]
    open("grey/%d.png" % i, "wb").write(png(5, 4, 1, a))
    open("mask/%d.PNG" % i, "wb").write(png(5, 4, 1, b))
    x += [p[0] for row in a for p in row]
    y += [p[0] // 255 for row in b for p in row]
npz("masks.npz", zipfile.ZIP_DEFLATED, {"image": ("|u1", (10, 1, 4, 5), x), "mask": ("|u1", (10, 4, 5), y)})
os.makedirs("odd/cat", exist_ok=True)
open("odd/cat/big.png", "wb").write(png(6, 4, 1, [[(0,)] * 6] * 4))
os.makedirs("spoilt/cat", exist_ok=True)
open("spoilt/cat/cut.png", "wb").write(open("animals/cat/00.png", "rb").read()[:60])
os.makedirs("three", exist_ok=True)
for name in ("a", "b", "c"): os.makedirs("three/" + name, exist_ok=True)
open("three/a/0.png", "wb").write(open("animals/cat/00.png", "rb").read())
END
python3 pictures.py
if [ -e /usr/include/png.h ] || pkg-config --exists libpng 2>/dev/null; then
    fit colours.nn --data animals --epochs 2 --keep "$work/colours" --checkpoint animals.ck >folders && fit colours.nn --data animals.npz --epochs 2 >arrays
    alike() { cat folders arrays && [ "$(figures val_loss folders)" = "$(figures val_loss arrays)" ] && [ -n "$(figures val_loss arrays)" ] && grep -a -q 'cat.u000adog' animals.ck; }
    check "folders of pictures, palettes among them: the figures of the same arrays" alike
    halves() { expect 0 val_loss read_by colours "data=$work/split" && grep -q '^5/5 ' out; }
    check "folders for training and tests" halves
    masks() { fit masks.nn --data image=grey --data mask=mask --classes mask=0,255 --epochs 1 >a && fit masks.nn --data masks.npz --epochs 1 >b && cat a b && [ "$(figures val_loss a)" = "$(figures val_loss b)" ] && [ -n "$(figures val_loss b)" ]; }
    check "pictures of classes for each pixel" masks
    seen() { MALLOC_PERTURB_=90 read_by colours "data=$work/$1" >"$1.out" && figures loss "$1.out"; }
    transparent() { [ -n "$(seen black)" ] && [ "$(seen clear)" = "$(seen black)" ]; }
    check "what is transparent is black, where a network takes three channels" transparent
    check "a picture of another size" expect 1 'big.png: expected a picture of 5 x 4, saw 6 x 4' read_by colours "data=$work/odd"
    check "one that is cut off" expect 1 'cut.png: it cannot be read: ' read_by colours "data=$work/spoilt"
    check "more folders than classes" expect 1 'three: it holds 3 folders, and the network has 2 classes' read_by colours "data=$work/three"
    without() { sed -i 's/NNCC_PNG/NNCC_NO_PNG/' colours/nncc_png.c && (cd colours && cc -std=gnu11 -O0 -DNNCC_VERSION='"x"' main.c model.c nncc_*.c -lz -lm -o program) && expect 1 'built without libpng' read_by colours "data=$work/animals"; }
    check "without libpng it is told" without
else skip "pictures" "no libpng"
fi

# ---- data that is its own target, and arrays alone

cat >itself.nn <<'END'
network @itself(%x: f32[batch, 4]) {
  %y = dense(dense(%x) {units = 2}) {units = 4}
  return %y
}
train @itself {loss = MeanSquaredError, batch = 16}
END
"${NNCC_PYTHON:-python3}" - <<'END'
import random, struct
random.seed(2)
x = [[random.randrange(256) for _ in range(4)] for _ in range(50)]
raw = bytes(v for r in x for v in r)
text = "{'descr': '|u1', 'fortran_order': False, 'shape': (50, 4), }"
text += " " * (-(len(text) + 11) % 64) + "\n"
open("x.npy", "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + raw)
open("ones.npy", "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes([1]) * 200)
open("x-idx2-ubyte", "wb").write(struct.pack(">BBBBII", 0, 0, 8, 2, 50, 4) + raw)
open("x.csv", "w").write("".join(",".join(map(str, r)) + "\n" for r in x))
open("headed.csv", "w").write("x.0,x.1,x.2,x.3\n" + open("x.csv").read())
open("ones.csv", "w").write("".join(",".join(map(str, r)) + ",1,1,1,1\n" for r in x))
open("other.csv", "w").write("p,q,r,s\n" + open("x.csv").read())
END
gzip -k x-idx2-ubyte
itself() {
    fit itself.nn --data x.npy --epochs 1 --keep "$work/itself" --checkpoint itself.ck >out && read_by "$work/itself" "data=x=$work/x.npy" >named || { cat out; return 1; }
    local file
    for file in x.npy x-idx2-ubyte x-idx2-ubyte.gz x.csv headed.csv other.csv; do
        read_by "$work/itself" "data=$work/$file" >same || { cat same; return 1; }
        echo "$file: $(figures val_loss same)" && [ -n "$(figures val_loss same)" ] && [ "$(figures val_loss same)" = "$(figures val_loss named)" ] || return 1
    done
}
check "npy, idx and csv without a target: it is the input" itself
# A network that says 0 and hardly learns: its loss is the mean square of the targets.
sed 's/units = 4}/units = 4, init = zeros}/; s/^train/data @itself {x = {scale = 0.001}}\ntrain/; s/loss = MeanSquaredError, batch = 16/loss = {main = MeanSquaredError(y, wanted)}, batch = 16, lr = 1e-9/' itself.nn >scaled.nn
scaled() {
    local words
    fit scaled.nn --data x.npy --epochs 1 --keep "$work/scaled" --checkpoint scaled.ck >out && [[ $(figures val_loss out) = 0.0[12]* ]] || { cat out; return 1; }
    for words in "data=x=$work/x.npy data=wanted=$work/ones.npy" "data=$work/ones.csv"; do
        read_by "$work/scaled" $words >out && [ "$(figures val_loss out)" = 1.0000 ] || { cat out; return 1; }
    done
}
check "the input's scale is a target's that is the input; one with data of its own has none" scaled
sed 's/return %y/%e = Sub(%y, %x)\n  return %y, ReduceMean(Mul(%e, %e)) {keepdims = 0} as %cost/; s/loss = MeanSquaredError, //' itself.nn >none.nn
check "… and where the loss needs none" expect 0 'val_loss' fit none.nn --data x.npy --loss=output:cost --epochs 1 -o none.onnx
python3 -c 'import struct; open("reals.idx", "wb").write(struct.pack(">BBBBII4f", 0, 0, 13, 2, 1, 4, 1, 2, 3, 4)); open("empty.csv", "w")'
check "… of numbers that are no bytes" expect 1 'reals.idx: it cannot be read as npy or idx' read_by "$work/itself" "data=$work/reals.idx"
check "… an empty file" expect 1 'empty.csv: it holds no examples' read_by "$work/itself" "data=$work/empty.csv"
check "an array alone, and a target that is another" expect 1 "there is nothing for input 'kind'|expected a file for each input" read_by "$work/two" "data=$work/x.npy"
many_files() {
    printf 'network @c(%%x: f32[batch, 2]) {\n  %%y = dense(%%x) {units = 3}\n  return %%y\n}\ntrain @c {loss = SoftmaxCrossEntropyLoss}\n' >c.nn
    mkdir -p cifar && for ((i = 0; i < 70; i++)); do printf '\001\002\003' >"cifar/$i.bin"; done
    fit c.nn --data cifar --validation 0 --epochs 1 -o c.onnx --keep "$work/c" >out && (cd c && ./program "$work/cifar" 1 1 '' 0 mode=eval held_out=-1) >out && grep -qx '70 examples' out
}
check "seventy files of CIFAR's form" many_files
one_hot() {
    "${NNCC_PYTHON:-python3}" - <<'END'
import struct
def npy(name, dtype, shape, raw):
    text = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (dtype, shape)
    text += " " * (-(len(text) + 11) % 64) + "\n"
    open(name, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + raw)
classes = [i * 7 % 3 for i in range(40)]
npy("hot_x.npy", "|u1", (40, 2), bytes(i * 5 % 11 for i in range(80)))
npy("class.npy", "|u1", (40,), bytes(classes))
npy("hot.npy", "<f4", (40, 3), b"".join(struct.pack("<3f", *(float(c == k) for k in range(3))) for c in classes))
npy("soft.npy", "<f4", (40, 3), struct.pack("<120f", *([0.5, 0.5, 0.0] * 40)))
END
    for y in class hot; do read_by "$work/c" "data=x=$work/hot_x.npy" "data=label=$work/$y.npy" >$y.out || { cat $y.out; return 1; }; done
    cat hot.out && [ -n "$(figures val_loss hot.out)" ] && [ "$(figures val_loss hot.out)" = "$(figures val_loss class.out)" ] &&
        expect 1 'soft.npy: example 1: expected a class, or one 1 among 2 zeros' read_by "$work/c" "data=x=$work/hot_x.npy" "data=label=$work/soft.npy"
}
check "classes as one 1 among zeros" one_hot

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
