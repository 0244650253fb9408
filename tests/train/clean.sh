#!/usr/bin/env bash
# The C that trains every network of models/, under the strictest flags: gcc and clang, every warning an error, ASan and UBSan, every buffer
# poisoned outside its life, for the portable target and this machine's; the header as C++. All functions run, with whole batches and smaller
# ones. The memory of every function stays within 1.02 of its lower bound (1.05 below 16 KB). usage: clean.sh [NAME...]
# Without names there are two programs of each network instead of four, each compiler with one target; and those of $memory are only
# asked for their memory: resnet20's programs take minutes to compile, the others consist of what is compiled elsewhere.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Werror"
sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=all"
export ASAN_OPTIONS=detect_stack_use_after_return=1
batch=3
memory='resnet20 char_lstm char_rnn cifar_conv3 conv1d dcgan_discriminator denoising_upsampled gates gru lstm lstm_deep mc_dropout realnvp
regression_gaussian regression_poisson text_classifier transformer_decoder transformer_encoder unet wavenet'
declare -A native=([c]= [native]=-march=native)

built() { # NAME TARGET: net.c, net.h and main.c in $work/NAME-TARGET
    local dir=$work/$1-$2
    mkdir -p "$dir" && sed "s/batch = [0-9]*/batch = $batch/" "$root/models/$1.nn" >"$dir/$1.nn" &&
        "$nncc" "$dir/$1.nn" --train --poison "--target=$2" --prefix net -o "$dir/net.c" && python3 "$root/tests/train/entries.py" "$dir/net.h" >"$dir/main.c"
}
runs() { # DIR CC TARGET
    cd "$1" && $2 ${native[$3]} -std=c11 -O1 -g1 -fno-inline $warnings $sanitizers main.c net.c -lm -o program && ./program
}
as_cplusplus() { # DIR CXX
    cd "$1" && $2 -x c++ $warnings -fsyntax-only main.c
}
fits() { # NAME
    "$nncc" "$root/models/$1.nn" --train --emit=h | tr -d , | awk '
        / bytes for .* lower bound / { a = $3; b = $NF; n++; if (a < b || a > (b < 16384 ? 1.05 : 1.02) * b) { print; bad = 1 } }
        END { exit bad || n < 6 }'
}

for model in "$root"/models/*.nn; do
    name=$(basename "$model" .nn)
    grep -q '^train.*loss' "$model" || continue # without one, gradients come from outside: tests/models/course.sh
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    check "$name: memory" fits "$name"
    [ $# != 0 ] || ! [[ " $(echo $memory) " = *" $name "* ]] || continue
    for target in c native; do
        check "$name, $target" built "$name" "$target"
        for cc in gcc clang-14; do
            case $#-$target-$cc in 0-c-clang-14 | 0-native-gcc) command -v clang-14 >/dev/null && continue ;; esac
            command -v $cc >/dev/null && check "$name, $target, $cc, sanitizers" runs "$work/$name-$target" $cc $target
        done
    done
    for cxx in g++ clang++-14; do command -v $cxx >/dev/null && check "$name, header, $cxx" as_cplusplus "$work/$name-c" $cxx; done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
