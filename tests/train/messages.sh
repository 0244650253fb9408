#!/usr/bin/env bash
# What nncc train says of data that cannot be read and of a loss that is no number. usage: messages.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
cd "$work" || exit 1

awk -v n=60 -f "$root/tests/train/points.awk" | sed 1d >points.csv
"$nncc" train "$root/tests/train/fit.nn" --data points.csv --keep "$work/fit" >log 2>&1 || { cat log; exit 1; }
columns=$(head -n 1 points.csv | awk -F'[ ,;\t]+' '{ print NF }')

# of DIR PATTERN FILE: the program of DIR ends with 1 and an error that says so
of() {
    (cd "$1" && timeout 60 ./program "$work/$3" 1 1 "" 0) >out 2>&1
    local got=$?
    cat out
    [ $got = 1 ] && grep -Eq -- "$2" out
}
# edited SED PATTERN: the points after an edit
edited() { sed -E "$1" points.csv >edited.csv && ! cmp -s points.csv edited.csv && of fit "^edited.csv|/edited.csv: $2" edited.csv; }
check "a field that is no number" edited '3s/^[^ ,;\t]+/abc/' "line 3, column 1: expected a number, saw 'abc'"
check "a number with a tail" edited '4s/^([^ ,;\t]+)/\1x/' "line 4, column 1: expected a number, saw '[0-9.e+-]+x'"
check "a field that is empty" edited '5s/^[^,]+,/,/' 'line 5, column 1: expected a number, saw nothing'
check "too many columns" edited '6s/$/,7/' "line 6: expected $columns columns, $((columns - 1)) inputs and 1 class, saw $((columns + 1))"
check "too few columns" edited '7s/,[^,]*$//' "line 7: expected $columns columns, .* saw $((columns - 1))"
check "even in the first line" edited '1s/,[^,]*$//' "line 1: expected $columns columns, .* saw $((columns - 1))"
check "a heading behind numbers" edited '1s/,[^,]*$/,class/' "line 2, column $columns: expected a word, as the labels before it are, saw '[0-2]'"
check "a word among numbers" edited '9s/,[^,]*$/,class/' "line 9, column $columns: expected a class, saw the label 'class'"
check "bytes that no terminal should get" edited '3s/^[^,]+/\x1b[2J/' "line 3, column 1: expected a number, saw '\?\[2J'"
long() { { cat points.csv; head -c 70000 /dev/zero | tr '\0' 1; echo; } >edited.csv && of fit 'line 61 is longer than' edited.csv; }
check "a line beyond all bounds" long
# What is cut off or damaged is no shorter file.
gzip -c points.csv >points.csv.gz
cut_off() { head -c $(($(wc -c <points.csv.gz) - 20)) points.csv.gz >cut.csv.gz && of fit 'cut.csv.gz: it is damaged or cut off' cut.csv.gz; }
check "compressed data that is cut off" cut_off
damaged() { { head -c $(($(wc -c <points.csv.gz) - 8)) points.csv.gz && printf 12345678; } >damaged.csv.gz && of fit 'damaged.csv.gz: it is damaged or cut off' damaged.csv.gz; }
check "compressed data with another checksum" damaged
check "bytes of 0" edited '12s/$/\x00/' 'line 12 holds bytes of 0'
marked() { { printf '\xef\xbb\xbf' && cat points.csv; } >marked.csv && (cd fit && ./program "$work/marked.csv" 1 1 "" 0) >a && (cd fit && ./program "$work/points.csv" 1 1 "" 0) >b && cat a b && [ "$(grep -o 'loss: .*' a)" = "$(grep -o 'loss: .*' b)" ]; }
check "the mark of UTF-8 in front hides no line" marked
heading() { { echo "x;y;..;class"; sed 's/,/ ; /g; s/$/ \r/' points.csv; } >heading.csv && (cd fit && ./program "$work/heading.csv" 1 1 "" 0) >a && (cd fit && ./program "$work/points.csv" 1 1 "" 0) >b && cat a b && [ "$(grep -o 'loss: .*' a)" = "$(grep -o 'loss: .*' b)" ]; }
check "another separator in one line" edited '8s/,/;/2' "line 8: expected ',' after column 2 as after those before, saw ';'"
check "in the first line" edited '1s/,/;/' "line 1: expected ';' after column 2 as after those before, saw ','"
check "in one line all of it" edited '9s/,/;/g' "line 9: expected ',' after column 1 as after those before, saw ';'"
check "a blank for a comma" edited '9s/,/ /3' "line 9: expected ',' after column 3 as after those before, saw ' '"
check "a heading, blanks and semicolons are fine" heading

# network NAME LOSS LR BODY: a network of two inputs and what it is trained with
network() {
    printf 'network @n(%%x: f32[batch,2]) {\n  %s\n  return %%y\n}\ntrain @n {loss = %s, optimizer = SGD, lr = %s, batch = 8}\n' "$4" "$2" "$3" >"$1.nn"
}
# ends PATTERN NAME DATA
ends() { "$nncc" train "$2.nn" --data "$3" --epochs 40 -o x.onnx >out 2>&1; local got=$?; cat out; [ $got = 1 ] && grep -Eq "$1" out; }
awk 'BEGIN { for (i = 0; i < 64; i++) printf "%g,%g,%g\n", 1 + i % 4, 2 - i % 3, i % 4 - i % 3 }' >linear.csv
awk 'BEGIN { for (i = 0; i < 64; i++) printf "%g,%g,%g\n", 1e30 * (i % 5), -1e30, i % 2 }' >large.csv
network plain MeanSquaredError 0.01 '%y = dense(%x) {units = 1}'
network fast MeanSquaredError 10 '%y = dense(%x) {units = 1}'
network faster MeanSquaredError 100 '%d = dense(%x) {units = 1, init = zeros} %y = Sqrt(Add(%d, 1))'
network root MeanSquaredError 0.001 '%d = dense(%x) {units = 1} %y = Sqrt(Sub(%d, 100))'
network late MeanSquaredError 0.01 '%d = dense(%x) {units = 1, init = zeros} %y = Sub(%d, Mul(Log(Sub(0.99999, Abs(%d))), 0))'
check "a good network is fine" sh -c "'$nncc' train plain.nn --data linear.csv --epochs 2 -o x.onnx"
check "a rate that is too large" ends 'step [0-9]+ is no number, after it went from .* a smaller learning rate than 10 may help' fast linear.csv
check "a rate that is too large for one step" ends 'step 2 is no number, after it was [0-9.e+]+: a smaller learning rate than 100 may help' faster linear.csv
check "inputs that are too large" ends 'step [12] is no number, before anything was learnt: inputs reach 4e\+30; a data line can scale them' plain large.csv
check "a root outside its domain" ends 'step 1 is no number, before anything was learnt, so that a learning rate is not why' root linear.csv
check "a logarithm that becomes one of 0" ends 'though it (went from .*|was as at first, .*) and had not grown:' late linear.csv

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
