#!/bin/sh
# Every operator of ONNX whose row has a gradient stands in one of the networks beside this script.
# usage: covered.sh NNCC
here=$(dirname "$0")
missing=$("$1" --list-ops | awk -F '\t' '$11 == "gradient" && $3 > 0 { print $2 }' | while read -r op; do
    grep -q "\b$op(" "$here"/*.nn || echo "$op"
done)
[ -z "$missing" ] && exit 0
echo "no test of the gradient of:" $missing
exit 1
