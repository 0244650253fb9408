#!/usr/bin/env bash
# Files of every kind and version that nncc ever wrote: today's nncc reads them, or refuses them by version with a sentence.
# usage: run.sh
# A new version of a kind adds its file here; none is taken away. checkpoint-*.safetensors are of the same run: two epochs of train/fit.nn on
# 200 points. checkpoint-1 has no format, checkpoint-2-seed format 2 as it began, checkpoint-2 all that format 2 has.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
here=$root/tests/versions
cd "$work" || exit 1
cp "$here"/* .

# ---- graphs in text

same_graph() { "$nncc" "$1" --emit=nn | sed '/^module/s/sha = "[0-9a-f]*"//' >graph && cmp graph known && [ "$(head -n 1 graph)" = "nncc $("$nncc" --version | cut -d ' ' -f 2)" ]; }
"$nncc" text-0.1.nn --emit=nn | sed '/^module/s/sha = "[0-9a-f]*"//' >known
check "a text of 0.1" expect 0 'compiles' "$nncc" check text-0.1.nn --dim batch=2
check "a text of 0.1 gives the right results" "$nncc" verify text-0.1.nn --dim batch=3
check "a text of 0.1 is trained" "$nncc" text-0.1.nn --train --emit=c
check "a dump of 0.1" "$nncc" verify dump-0.1.nn --interpret
results() {
    printf '%064d' 1 | tr 01 '\100\077' >x && printf '\1\0' >gate
    "$nncc" run text-0.1.nn --dim batch=2 --input x=x --input gate=gate --interpret >of-text-0.1.nn &&
        "$nncc" run dump-0.1.nn --input x=x --input gate=gate --interpret >of-dump-0.1.nn && cat of-* && cmp of-text-0.1.nn of-dump-0.1.nn && grep 'scores f32\[2,3\]: [-0-9.]* [-0-9.]' of-text-0.1.nn
}
check "which is the same network" results
weights_of() { printf x >>dump-0.1.nn.weights && expect 1 "expected 2752 bytes, saw 2753" "$nncc" dump-0.1.nn --emit=c && cp "$here/dump-0.1.nn.weights" .; }
check "weights of another size beside a dump" weights_of
no_version() { mkdir -p plain && sed 1d text-0.1.nn >plain/text-0.1.nn && expect 0 '' "$nncc" plain/text-0.1.nn --emit=nn -o plain/out && same_graph plain/text-0.1.nn; }
check "a text without a version" no_version
for version in 9.9 0.2 1.0.3; do
    mkdir -p $version && sed "1s/.*/nncc $version/" text-0.1.nn >$version/text-0.1.nn
    check "a text of $version is read, with a warning" expect 0 "^text-0.1.nn: warning: the text is for nncc $(echo $version | cut -d . -f 1,2), this one is [0-9.]*: what it does not know is an error$" "$nncc" $version/text-0.1.nn --emit=nn
    check "and is the same network" same_graph $version/text-0.1.nn
done
unknown() { sed "$1" 9.9/text-0.1.nn >9.9/new.nn && expect 1 "$2" "$nncc" 9.9/new.nn --emit=nn && grep '^new.nn: warning: the text is for nncc 9.9' out; }
check "an unknown item" unknown 's/^data @kept.*/hologram @kept {}/' 'new.nn:25:1: error: expected network, func'
check "an unknown attribute" unknown 's/axis = 1}/axis = 1, sharding = 2}/' "new.nn:21:.*has no attribute 'sharding'"
check "an unknown field of the module" unknown '2s/.*/module {entropy = "x"}/' 'new.nn:2:.*a module has'
for version in x 9 '"0.1"' 0.1e3 0.1.x; do check "no version: $version" expect 1 '<stdin>:1:[0-9]*: error: expected .*version' sh -c "sed '1s/.*/nncc $version/' text-0.1.nn | '$nncc' - --emit=nn"; done

# ---- weights

"$nncc" weights-1.nn --weights=file --prefix=kept -o kept.c && ${CC:-cc} -O1 main.c kept.c -lm -o kept
y='run 0: -1.95312 -1.07812 -0.265625 2.17188 2.73438 0.265625 1.82812 -2.21875'
check "a file of weights with its network" expect 0 "^$y$" ./kept weights-1.weights
check "today's" cmp kept.weights weights-1.weights
other() { cp weights-1.weights other && printf "$2" | dd of=other bs=1 seek="$1" conv=notrunc 2>/dev/null && expect 0 '^open 3$' ./kept other; }
check "of another version" other 7 2
check "of another network" other 16 x
check "damaged" other 100 x

# ---- checkpoints

awk -v n=200 -f "$root/tests/train/points.awk" >points.csv
"$nncc" train "$root/tests/train/fit.nn" --data points.csv --epochs 1 --checkpoint x.safetensors --keep program >log 2>&1 || cat log
go_on() { (cd program && ./program ../points.csv 3 1 "../$1" 1); }
taken() { cp "$here/$1" . && go_on "$1" 2>&1 | tee out | tail -n 2 && ! grep error out; }
for file in checkpoint-1 checkpoint-2-seed checkpoint-2; do check "$file.safetensors" taken $file.safetensors; done
check "they go on to the same bytes" sh -c "cmp checkpoint-1.safetensors checkpoint-2.safetensors && cmp checkpoint-2-seed.safetensors checkpoint-2.safetensors"
as_written() { ! grep -aq '"format"' "$here/checkpoint-1.safetensors" && grep -aq '"seed"' "$here/checkpoint-2-seed.safetensors" && grep -aq '"order_seed"' "$here/checkpoint-2.safetensors"; }
check "as they were written" as_written
newer() { sed 's/"format":"2"/"format":"3"/' "$here/checkpoint-2.safetensors" >newer && expect 1 'it has format 3, and this nncc reads up to 2$' go_on newer; }
check "a newer format" newer

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
