#!/usr/bin/env bash
# Every text of models/: 40 lines at most, compiles, has a summary. Those that train: a step of the C of all functions, in double, and the
# gradient along a random direction against the difference of the loss there (course.py). The programs of the course, on networks that have
# learnt nothing and pictures of noise: what they print and write. usage: course.sh [NAME...]
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"

# Pictures of any size, small, as 256 x 256 take long in double.
smaller='unet --dim h=16 --dim w=24'
options() { echo "$smaller" | sed -n "s/^$1 //p"; }
short() { [ "$(wc -l <"$1")" -le 40 ] || { wc -l "$1"; return 1; }; }
summarised() { "$nncc" summary "$1" | grep '^total [0-9,]* params, [0-9,]* MACs'; }
steps() { # FILE NAME
    mkdir -p "$work/$2" && cd "$work/$2" && sed 's/batch = [0-9]*/batch = 2/' "$1" >"$2.nn" &&
        "$nncc" "$2.nn" --train --real=f64 --target=c --prefix net $(options "$2") -o net.c &&
        python3 "$root/tests/models/course.py" net.h >main.c && ${CC:-cc} -std=c11 -O1 -Wall -Wextra -Werror main.c net.c -lm -o net && ./net
}

for model in "$root"/models/*.nn; do
    name=$(basename "$model" .nn)
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    check "$name: at most 40 lines" short "$model"
    check "$name: summary" summarised "$model"
    if grep -q '^train' "$model"; then check "$name: a step of training" steps "$model" "$name"; fi
done
# c_of PREFIX MODEL [OPTION...]: the C of a network; program NAME PREFIX...: models/NAME.c with what c_of wrote.
c_of() { "$nncc" "$2" --target=native --prefix "$1" "${@:3}" -o "$1.c"; }
program() {
    local name=$1
    shift
    ${CC:-cc} -std=c11 -O2 -march=native -Wall -Wextra -Wpedantic -Wshadow -Werror -I. -I"$models" "$models/$name.c" "${@/%/.c}" -lz -lm -o "$name"
}
noise() {
    python3 - <<'END'
import gzip, random
random.seed(1)
noise = bytes(random.choices(range(256), weights=[3000] + [1] * 255, k=784 * 1000))
for part, n in (("t10k", 10000), ("train", 60000)):
    gzip.open(part + "-images-idx3-ubyte.gz", "wb", 1).write(bytes(16) + noise * (n // 1000))
    gzip.open(part + "-labels-idx1-ubyte.gz", "wb", 1).write(bytes(8) + bytes(i % 10 for i in range(n)))
END
}
png() { local file; for file; do [ "$(head -c 4 "$file" | tail -c 3)" = PNG ] || { echo "$file is no PNG"; return 1; }; done; }
draws() {
    c_of generator "$models/dcgan_generator.nn" --train && c_of discriminator "$models/dcgan_discriminator.nn" --train &&
        program dcgan generator discriminator && ./dcgan . 3 drawn.npy && [ "$(wc -c <drawn.npy)" = $((128 + 4 * 784000)) ]
}
judges() {
    c_of reader "$models/mnist.onnx" && program judge reader && { ./judge . drawn.npy grid.png >out; [ $? = 1 ]; } && cat out &&
        grep -E '^[0-9.]+ % sure; 0 to 9:.*; distance [0-9.]+ of' out && png grid.png
}
attacks() {
    c_of cnn "$models/mnist_cnn.nn" --train && program attack cnn && ./attack . 0.25 grid.png >out && cat out &&
        grep -E '^[0-9.]+ % right, and after the attack 0.00 %$' out && png grid.png
}
looks() {
    "$nncc" "$models/mnist.onnx" --outputs=scores,conv2 --emit=onnx -o look.onnx && c_of look look.onnx --train && program look look &&
        ./look . a.png b.png >out && cat out && grep '^10 of 10 made' out && png a.png b.png
}
doubts() {
    c_of mc "$models/mc_dropout.nn" --keep-dropout --dim batch=21 && program mc_dropout mc && ./mc_dropout >out && cat out && grep '^deviation 0.*[1-9]' out
}

models=$root/models
if [ $# = 0 ]; then
    mkdir "$work/programs" && cd "$work/programs" && noise || exit 1
    for what in draws judges attacks looks doubts; do check "a program that $what" $what; done
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
