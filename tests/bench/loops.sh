#!/usr/bin/env bash
# Recurrent layers that exporters write as Loop, as tf2onnx does, beside the same layers as operators: 100 steps of 128 units, the least
# processor time of 60 turns each, in turn, pinned to one core. usage: tests/bench/loops.sh [CC]. Fails above 1.3.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
cc=${1:-${CC:-cc}}

# loop NAME GATES BODY: the network as a Loop over %wx, what the weights make of the input, and %rh, what they make of the state.
loop() {
    cat >"$work/$1_loop.nn" <<NN
param %w: f32[128,$((128 * $2))] = glorot_uniform
param %r: f32[128,$((128 * $2))] = glorot_uniform
param %b: f32[1,$((128 * $2))] = glorot_uniform
const %true: bool[] = [true]
const %zero: i32[] = [0]
const %steps: i64[] = [100]
network @f(%x: f32[1,100,128]) {
  %t = Transpose(%x) {perm = [1, 0, 2]}
  %h0 = Expand(0.0, [1, 128])
  %jn, %hn, _, _, %ys = Loop(%steps, %true, %zero, %h0, %w, %r) {
    body = (%i: i64[], %c: bool[], %j: i32[], %h: f32[1,128], %wi: f32[128,$((128 * $2))], %ri: f32[128,$((128 * $2))]) {
      %j1 = Add(%j, 1)
      %wx = Add(MatMul(Gather(%t, %j), %wi), %b)
      %rh = MatMul(%h, %ri)
$3
      return And(Less(Cast(%i) {to = 1}, 100.0), Less(Cast(%j1) {to = 1}, 100.0)), %j1, %hnew, %wi, %ri, %hnew
    }}
  return Squeeze(Slice(%ys, [-1], [2147483647], [0]), [0]) as %out
}
NN
}

# operator NAME GATES ATTRIBUTES
operator() {
    local op=${1^^}
    cat >"$work/$1_op.nn" <<NN
param %w: f32[1,$((128 * $2)),128] = glorot_uniform
param %r: f32[1,$((128 * $2)),128] = glorot_uniform
param %b: f32[1,$((256 * $2))] = glorot_uniform
network @f(%x: f32[1,100,128]) {
  _, %h = $op(Transpose(%x) {perm = [1, 0, 2]}, %w, %r, %b) {hidden_size = 128$3}
  return Reshape(%h, [1, 128]) as %out
}
NN
}

loop rnn 1 '      %hnew = Tanh(Add(%wx, %rh))'
operator rnn 1 ''
loop gru 3 '      %xz, %xr, %xh = Split(%wx) {axis = -1, num_outputs = 3}
      %hh = Slice(%rh, [0, 256], [2147483647, 2147483647], [0, 1])
      %hr = Slice(%rh, [0, 128], [2147483647, 256], [0, 1])
      %hz = Slice(%rh, [0, 0], [2147483647, 128], [0, 1])
      %cand = Tanh(Add(%xh, Mul(Sigmoid(Add(%xr, %hr)), %hh)))
      %z = Sigmoid(Add(%xz, %hz))
      %hnew = Add(Mul(%z, %h), Mul(Sub(1.0, %z), %cand))'
operator gru 3 ', linear_before_reset = 1'

status=0
for name in rnn gru; do
    for form in op loop; do "$nncc" "$work/${name}_$form.nn" --weights=embed --prefix=$form -o "$work/$form.c" || exit 1; done
    $cc -O2 -I "$work" "$root/tests/bench/loops.c" "$work/op.c" "$work/loop.c" -lm -o "$work/loops" || exit 1
    read -r op loop ratio alive <<<"$(taskset -c 0 "$work/loops")"
    [ -n "${alive:-}" ] || exit 1
    echo "$name: operator $op us, Loop $loop us, ratio $ratio"
    awk -v r="$ratio" 'BEGIN { exit r > 1.3 }' || status=1
done
exit $status
