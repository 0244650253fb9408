#!/usr/bin/env bash
# The command as a person meets it: exit statuses, files, messages. usage: tests/cli/run.sh
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
mnist=$root/models/mnist.onnx digit=$root/models/digits/7-0000.pgm
input=$("$nncc" "$mnist" --emit=nn | sed -n 's/^network @[^(]*(%\([^:]*\):.*/\1/p')
cd "$work" || exit 1


check "--help is a page" expect 0 '^  nncc verify MODEL' "$nncc" --help
check "--help fits 100 columns" sh -c "'$nncc' --help | awk 'length > 100 { bad = 1 } END { exit bad }'"
check "--version" expect 0 '^nncc [0-9]' "$nncc" --version
check "--list-ops" expect 0 'Conv' "$nncc" --list-ops
check "--list-passes" expect 0 '^infer ' "$nncc" --list-passes
check "no model" expect 2 'expected a MODEL' "$nncc"
check "no output" expect 2 'expected -o FILE or --emit' "$nncc" "$mnist"
check "two models" expect 2 'one model' "$nncc" "$mnist" "$mnist" -o x.c
for verb in run bench train gradcheck; do
    check "$verb of two models" expect 2 "$verb takes one model; saw a second argument, 'b.onnx'" "$nncc" "$verb" "$mnist" b.onnx
done
# Which verbs have a use for an option: c compile, s summary, k check, v verify, r run, b bench, t train, g gradcheck; lower case
# beside it: what it is written with. The options are those of --help, so that a new one needs a row.
uses() {
    case $1 in
    -o) echo ct x.onnx ;;
    --emit) echo c nn ;; --prefix) echo c p ;; --explain) echo c x ;; --entry) echo c predict ;; --inline-data) echo c ;; --threads) echo cvrbt 4 ;;
    --train) echo cs ;;
    --outputs) echo cskvrb x ;; --names) echo cvrbtep plain ;; --poison) echo cvrbtep ;; --rename) echo ckv x=y ;; --weights) echo cskvrb auto ;;
    --io) echo cskvrb float ;; --target) echo cskvrbtep c ;; -O) echo cskvrbtep 1 ;; --real) echo cskvrbtep f32 ;; --max-ram) echo cskvrbtepg 1M ;; --channel-blocks) echo cskvrbtepg 8 ;; --string-bytes) echo cskvrbtep 32 ;;
    --fast-half | --no-templates | --no-winograd) echo cskvrbtep ;;
    --dim | --const | --bound) echo cskvrbtepg x=1 ;; --input-initializers | --external-data) echo cskvrbtepg x ;; --max-bytes) echo cskvrbtepg 1G ;;
    --passes | --off | --print-ir-after) echo cskvrbtepg fold ;; --print-nest-after) echo cskvrbtepg sink ;; --print-ir-after-change | --time-passes) echo cskvrbtepg ;;
    --loss) echo cstepg MeanSquaredError ;; --freeze | --trainable) echo cstepg x ;;
    --optimizer) echo cstep SGD ;; --lr) echo cstep 1 ;; --set) echo cstep x=1 ;;
    --data | --columns | --classes) echo tep x=y ;; --text) echo tep words ;; --start-from) echo tep x ;; --metrics) echo te f1 ;;
    --validation | --head | --augment | --monitor | --log | --tensorboard | --plot | --checkpoint) echo t x ;; --checkpoint-every | --patience) echo t 1 ;;
    --keep-best) echo t ;; --keep-dropout) echo cskvrbtep ;; --plateau) echo t 0.5:3 ;; --flavor) echo cstep keras ;; --schedule) echo cstep 'cosine(steps=3)' ;; --epochs) echo t 1 ;; --seed) echo tp 1 ;; --resume) echo t ;;
    --add-loss) echo cstepg 'L2("x")' ;; --class-weights) echo t frequency ;; --sample | --temperature) echo p 1 ;; --prompt) echo p x ;;
    --normalise) echo ct ;; --distributed) echo ct mpi ;;
    --samples) echo g 1 ;; --runs) echo b 1 ;; --json) echo b ;;
    --input) echo r x=y ;; --output) echo rp x=y ;; --rtol | --atol) echo v 1 ;; --interpret) echo vr ;;
    --cc) echo vrbtep x ;; --keep) echo vrbtep kept-by-option ;; --seconds) echo vrbtep 1 ;;
    --help | --version | --list-* | --check-ops) echo - ;;
    *) echo none ;;
    esac
}
useful() {
    local option=$1 letters value word verb with got status
    read -r letters value <<<"$(uses "$option")"
    [ "$letters" != none ] || { echo "$option has no row in this test"; return 1; }
    [ "$letters" != - ] || return 0
    for verb in c:compile s:summary k:check v:verify r:run b:bench t:train e:eval p:predict g:gradcheck; do
        word=$option${value:+ $value} with=
        [ "$option" != -O ] || word=-O1
        case $verb:$option in
        c:*:--inline-data) with=--emit=nn ;;
        [cs]:*:--add-loss | c:*:--distributed) with=--train ;;
        c:*:--loss | c:*:--freeze | c:*:--trainable | c:*:--optimizer | c:*:--lr | c:*:--set | c:*:--entry) with=--train ;;
        s:*:--loss | s:*:--freeze | s:*:--trainable | s:*:--optimizer | s:*:--lr | s:*:--set | [cs]:*:--flavor | [cs]:*:--schedule) with=--train ;;
        esac
        case $letters in *"${verb%%:*}"*) got=useful ;; *) got= ;; esac
        timeout 20 "$nncc" "${verb#*:}" absent.onnx $word $with </dev/null >out 2>&1
        status=$?
        if [ $got ]; then ! grep -E 'does not take|needs --(train|emit)' out || { echo "${verb#*:} $word is refused"; return 1; }
        else [ $status = 2 ] && grep -q "^nncc: $option is for .*; ${verb#*:} does not take it" out || { cat out; echo "${verb#*:} $word is not refused"; return 1; }
        fi
        [ -z "$with" ] || "$nncc" "${verb#*:}" absent.onnx $word 2>&1 | grep -q -e "^nncc: $option needs $with$" || { echo "$word without $with"; return 1; }
    done
}
options=$("$nncc" --help | sed -n 's/^  \(-[-a-zO]*\).*/\1/p')
check "--help lists options" test "$(echo "$options" | wc -l)" -gt 50
for option in $options; do check "verbs that have a use for $option, and the others" useful "$option"; done
check "each option without a use is told" sh -c "'$nncc' verify '$mnist' --runs=2 --samples=2 2>&1 | grep -c 'does not take it' | grep -qx 2"
check "--interpret leaves no program" expect 2 '--interpret makes none' "$nncc" verify "$mnist" --interpret --keep x
check "--explain writes no file" expect 2 'explain prints text' "$nncc" "$mnist" --explain relu1 -o x.c
check "--train has no file of weights" expect 2 'block of parameters' "$nncc" "$root/models/lenet.nn" --train --weights=file -o x.c
check "an unknown option" expect 2 "the nearest is '--prefix'" "$nncc" "$mnist" --prefx=a -o x.c
check "--io=quantized of a network without a pair" expect 0 'warning: --io=quantized changes nothing: no input is read by a QuantizeLinear alone' "$nncc" "$mnist" --io=quantized --emit=h
check "--io=quantized and --train" expect 2 '^nncc: --io is for inference: it does not go with --train$' "$nncc" "$root/models/lenet.nn" --train --io=quantized -o x.c
if [ -f "$shared/models/emx_micro_kws_m_qdq.onnx" ]; then
    check "--io=quantized of a network of others" env "PATH=$build/bin:$PATH" python3 "$root/tests/passes/quantized_io.py" "$shared/models/emx_micro_kws_m_qdq.onnx"
fi
check "--io=float" expect 0 '' "$nncc" "$mnist" --io=float --emit=h -o unused.h
check "a pass that has to run" expect 2 'cannot be switched off' "$nncc" "$mnist" --off=infer -o x.c
# Names that are reserved for a later version say so, in one line.
not_yet() { local word=${*: -1}; expect 3 "^nncc: ${word%%=*}.*: not yet: the name is reserved for a later version$" "$nncc" "$@" && [ "$(wc -l <out)" = 1 ]; }
for verb in init quantize report diff fmt; do check "$verb: not yet" not_yet $verb; done
for option in --prefer={ram,flash,speed} --math={f32,tf32,bf16,f16} --kernels={source,ptx,cubin,fatbin} --stream; do
    check "$option: not yet" not_yet "$mnist" -o x.c $option
done
check "nor is any in --help" sh -c "! '$nncc' --help | grep -E -e '--(prefer|math|kernels|stream)' -e 'nncc (init|quantize|report|diff|fmt)'"
check "a value that is none of a reserved option" expect 2 "has to be one of ram.flash.speed; the nearest is 'flash'" "$nncc" "$mnist" --prefer=flsh -o x.c
check "an option without its value" expect 2 'needs a value: N' "$nncc" "$mnist" -o x.c --threads
for n in 0 -1 1000001 x; do check "--threads=$n" expect 2 "is not a whole number from 1 to 1000000" "$nncc" "$mnist" --threads=$n -o x.c; done
# A name of a table that nearly fits is told, whatever the table.
meant() { check "the nearest is $1" expect "$2" "the nearest is '$1'" "$nncc" "${@:3}"; }
meant summary 2 sumary "$mnist"
meant quantize 2 quantise "$mnist"
meant --threads 2 "$mnist" --thread=4 -o x.c
meant --freeze 2 "$mnist" --freze=x -o x.c
meant verify 2 Verfy "$mnist"
meant cuda 2 "$mnist" --target=cudda -o x.c
meant avx512 2 "$mnist" --target=avx51 -o x.c
meant object 2 "$mnist" --weights=objct -o x.c
meant plain 2 "$mnist" --names=plian -o x.c
meant onnx 2 "$mnist" --emit=onx
meant layout 2 "$mnist" --off=fold,layuot -o x.c
meant simplify 2 "$mnist" --passes=simplfy -o x.c
meant fold.2 2 "$mnist" --print-ir-after=foldd.2 --emit=h
meant Adadelta 2 "$root/models/lenet.nn" --train --optimizer=adadeltta -o x.c
meant MeanSquaredError 2 "$root/models/lenet.nn" --train --loss=MeanSquareError -o x.c
meant image 1 "$mnist" --rename imag=y -o x.c
meant probabilities 1 run "$mnist" --output probabilites=y.npy
meant image 1 run "$mnist" --input imge="$digit"
meant image 1 "$mnist" --const imge=y.npy -o x.c
meant momentum 1 "$root/models/lenet.nn" --train --optimizer=SGD --set momentm=0.9 -o x.c
meant train_batch 2 "$root/models/lenet.nn" --train --entry=trainbatch --emit=nn
for edit in "SoftmaxCrossEntropyLoss|s/SoftmaxCrossEntropyLoss/SoftmaxCrossEntropyLos/" "SGD|s/optimizer = [A-Za-z]*/optimizer = SGDD/" "batch|s/batch = /bach = /"; do
    sed "/^train/,\$ { ${edit#*|} }" "$root/models/lenet.nn" >near.nn
    meant "${edit%%|*}" 1 near.nn --train -o x.c
done
for row in "Relu|%y = Rellu(%x)" "dense|%y = dens(%x) {units = 3}" "hidden|%hidden = Relu(%x) %y = Relu(%hiden)" "he_normal|%y = dense(%x) {units = 3, init = he_norml}"; do
    echo "network @f(%x: f32[1,4]) { ${row#*|} return %y }" >near.nn
    meant "${row%%|*}" 1 near.nn -o x.c
done
echo 'func @block(%x) { %y = Relu(%x) return %y } network @f(%x: f32[1,4]) { %y = block(%x) %z = blok(%y) return %z }' >near.nn
meant block 1 near.nn -o x.c
sed 's/Conv/Cnov/g' "$mnist" >near.onnx
# A name of a table that is near nothing: all there are.
has() { check "an unknown $1 lists what there is" expect "$2" "quux.*$3" "$nncc" "${@:4}"; }
lists() { # OPTION: the first words of its lines, as a pattern
    "$nncc" "$1" "${@:2}" | sed '/^ /d; /^An attribute/d; s/ .*//' | paste -s -d, | sed 's/,/, /g; s/\./\\./g'
}
has loss 2 "there are $(lists --list-losses)$" "$root/models/lenet.nn" --train --loss=quux -o x.c
has optimizer 2 "there are $(lists --list-optimizers)$" "$root/models/lenet.nn" --train --optimizer=quux -o x.c
has target 2 "one of $(lists --list-targets | sed 's/, /.\{1,3\}/g')" "$mnist" --target=quux -o x.c
has "pass or schedule" 2 "choices are $(lists --list-passes), $(lists --list-schedules)$" "$mnist" --off=quux -o x.c
has pass 2 "choices are $(lists --list-passes), none$" "$mnist" --passes=quux -o x.c
has schedule 2 "choices are $(lists --list-schedules), all$" "$mnist" --print-nest-after=quux -o x.c
has "schedule of cuda" 2 "choices are $(lists --list-schedules --target=cuda), all$" "$mnist" --target=cuda --print-nest-after=quux -o x.cu
for edit in "loss|there are $(lists --list-losses)$|s/SoftmaxCrossEntropyLoss/quux/" "optimizer|there are $(lists --list-optimizers)$|s/optimizer = [A-Za-z]*/optimizer = quux/" \
    "setting|it takes lr, .*, batch, epochs, seed, .*ema, |s/batch = /quux = /" "metric|there are accuracy, .*, rmse, top5$|s/metrics = .accuracy/metrics = [quux/"; do
    rest=${edit#*|}
    sed "/^train/,\$ { ${rest##*|} }" "$root/models/lenet.nn" >far.nn
    has "${edit%%|*} of the train line" 1 "${rest%|*}" far.nn --train -o x.c
done
for row in "layer|quux(%x)|$(lists --list-layers)" "operator|Quux(%x)|nncc --list-ops" "initialiser|dense(%x) {units = 3, init = quux}|$(lists --list-initialisers)" \
    "activation|dense(%x) {units = 3, activation = quux}|relu, .*, hard_sigmoid"; do
    rest=${row#*|}
    echo "network @f(%x: f32[1,4]) { %y = ${rest%%|*} return %y }" | sed 's/Quux/Quuxquux/' >far.nn
    has "${row%%|*}" 1 "${rest#*|}" far.nn -o x.c
done
for list in ops layers initialisers losses optimizers metrics rates targets passes rules schedules; do check "--list-$list" expect 0 '^[A-Za-z]' "$nncc" --list-$list; done
check "the nearest is Conv" expect 3 "the nearest is 'Conv'" "$nncc" check near.onnx
check "a single letter is near nothing" sh -c "echo 'network @f(%x: f32[1]) { %y = Relu(%b) return %y }' >near.nn; '$nncc' near.nn -o x.c 2>&1 | grep -v 'the nearest is' | grep -q defined"
check "no such file" expect 1 'absent.onnx.*No such file' "$nncc" absent.onnx -o x.c
check "a folder" expect 1 'cannot read' "$nncc" "$work" -o x.c
: >empty
check "an empty file" expect 1 '^empty: ' "$nncc" empty -o x.c
printf 'not a model\001\002' >junk
check "junk" expect 1 'junk' "$nncc" junk -o x.c
check "a folder that is not there" expect 1 "cannot write '.*/x.h'.*No such file" "$nncc" "$mnist" -o absent/x.c
check "a folder for a file" expect 1 "cannot write '.*': Is a directory" "$nncc" "$mnist" -o "$work"
check "a rename that fits nothing" expect 1 "no input or output 'quux'" "$nncc" "$mnist" --rename quux=y -o x.c
echo 'network @f(%s: f32[2], %x: f32[2]) { %y = Sub(%s, %x) return %y }' >two.nn
for row in "s=x|has an input or output of that name" "x=s|that name" "y=x|that name" "s=arena|the C has that name already" "s=int|the C has that name already" "s=a-b|no name in C" "s=2|no name in C"; do
    check "--rename ${row%%|*}" expect 1 "rename ${row%%|*}: .*${row#*|}" "$nncc" two.nn --rename "${row%%|*}" -o x.c
done
check "--rename of both" sh -c "'$nncc' two.nn --rename s=x --rename x=s --emit=c >swapped.c && grep -q 'net->x, net->s' swapped.c"
check "a dim with two extents" expect 2 "'batch' has a value already" "$nncc" "$mnist" --dim batch=1 --dim batch=2 -o x.c
check "an input with two names" expect 2 "'image' has a value already" "$nncc" "$mnist" --rename image=a --rename image=b -o x.c
for option in --epochs=3 --seed=3 --data=. --checkpoint=c --resume; do
    check "$option without train" expect 2 "${option%%=*} is for train(, eval)?( and predict)?; compile does not take it" "$nncc" "$mnist" $option -o x.c
done
for option in '--freeze=*' '--trainable=*'; do
    check "$option without --train" expect 2 "${option%%=*} needs --train" "$nncc" "$mnist" "$option" -o x.c
done
check "a dim that no int holds" expect 2 "is an int in the C: its bound has to be less than 2147483647" "$nncc" "$mnist" --dim batch=1..2147483647 -o x.c
check "no value behind '='" expect 2 "--prefix '' needs a value" "$nncc" "$mnist" --prefix= -o x.c
check "a dim that is nowhere" expect 1 "no dim 'quux' open" "$nncc" "$mnist" --dim quux=3 -o x.c
meant batch 1 "$root/models/lenet.nn" --dim btch=1 -o x.c
check "dims that are nowhere, and what is open" expect 1 "no dim 'quux' open; open are batch$" "$nncc" "$root/models/lenet.nn" --dim bath=1 --dim quux=3 -o x.c
check "each of them" grep -q "no dim 'bath' open; the nearest is 'batch'; open are batch$" out
by_place() {
    "$nncc" "$root/models/lenet.nn" --dim batch=1..8 --passes=none --emit=onnx -o open.onnx && "$nncc" open.onnx --emit=nn --passes=none "$@" >shapes && grep -o '^dim.*\|%image: f32[^ ]*' shapes | tr '\n' ' ' && rm open.onnx
}
check "--dim by input and axis, of an ONNX file" expect 0 '^%image: f32.5,1,28,28.' by_place --dim image:0=5 --dim '*=2'
check "--dim '*', of an ONNX file" expect 0 '^dim batch = 1..6 %image: f32.batch,' by_place --dim '*=1..6'
check "a name goes before a place" expect 0 '^%image: f32.3,1,28,28.' by_place --dim image:0=5 --dim batch=3
check "an axis that is not open" expect 1 "no dim 'image:1' open; open are batch$" "$nncc" "$root/models/lenet.nn" --dim image:1=5 -o x.c
check "'*' is of no use, and no error" expect 0 '' "$nncc" "$mnist" --dim '*=5' --emit=h -o unused.h
run_place() { printf '%0128d' 0 >two && "$nncc" run "$root/tests/train/fit.nn" --input x=two "$@"; }
check "run: data fits --dim by place" expect 0 'y f32.8,3.' run_place --dim x:0=1..8
check "run: data does not fit --dim by place" expect 1 "expected the 64 bytes of f32.batch,4., saw 128" run_place --dim x:0=1..4
check "run: nor '*'" expect 1 "expected the 64 bytes of f32.4,4., saw 128" run_place --dim '*=4'
check "verify with a range by place" expect 0 'the same, smallest *y .1,3. .* ok$' "$nncc" verify "$root/tests/train/fit.nn" --dim x:0=1..5
sed 's/batch, 1, 28, 28/batch, 1, height, width/' "$root/models/lenet.nn" >three.nn
check "a slip among dims that have no default" expect 1 "are not bound; give .*; no dim is called 'hieght'; the nearest is 'height'$" "$nncc" three.nn --dim hieght=28 -o x.c
check "check says of which model a dim is" expect 0 "^lenet.nn: checked with --dim batch=1; " "$nncc" check "$mnist" "$root/models/lenet.nn"
check "too little memory" expect 1 'max-bytes' "$nncc" "$mnist" --max-bytes 64k -o x.c
for verb in verify summary gradcheck check; do
    check "$verb without optional passes" expect 0 '' sh -c "'$nncc' $verb '$root/tests/tour/mlp.nn' --passes=none >all.txt"
done
check "hardly any memory" expect 1 'max-bytes' "$nncc" "$mnist" --max-bytes 1k -o x.c
check "a full disk" expect 1 'cannot write' "$nncc" "$mnist" --emit=c -o /dev/full
check "a pipe that nobody reads" sh -c "'$nncc' '$mnist' --emit=c | head -n 1 | grep -q nncc"
check "nothing is left behind" sh -c '! ls | grep -E "tmp|^x\."'

check "-o writes C and header" expect 0 '' "$nncc" "$mnist" -o net.c
check "which are there" test -s net.c -a -s net.h
from_stdin() { "$nncc" - --prefix net --emit=c <"$mnist" | sed 1d >a && "$nncc" "$mnist" --prefix net --emit=c | sed 1d >b && cmp a b; }
check "a model from standard input" from_stdin
pair() { printf '\010\002\020\001\102\001%s\112\010\000\000\200\077\000\000\000%b' "$1" "$2"; } # NAME LAST: 1 and +-2 as a .pb
part_of_data() {
    mkdir -p whole/test_data_set_0
    pair a '\0300' >whole/test_data_set_0/input_0.pb
    pair x '\0100' >whole/test_data_set_0/input_1.pb
    pair y '\0300' >whole/test_data_set_0/output_0.pb
    pair h '\0100' >whole/test_data_set_0/output_1.pb
    echo 'network @n(%a: f32[2], %x: f32[2]) { %h = Abs(%x) %z = Mul(%a, %h) %y = Add(%z, %a) return %y, %h }' >part.nn
    "$nncc" verify part.nn whole --outputs=h && ! "$nncc" verify part.nn whole --outputs=z
}
check "a part, against the data of the whole" part_of_data
check "a part twice" expect 2 "has 'pool1' twice" "$nncc" "$mnist" --outputs=pool1,relu1,pool1 --emit=h
check "a part without a name" expect 2 'names with commas between' "$nncc" "$mnist" --outputs=,pool1 --emit=h
twice() { cp net.c net1.c && cp net.h net1.h && "$nncc" "$mnist" -o net.c && cmp net.c net1.c && cmp net.h net1.h; }
check "the same again" twice

# Files that -o names, and those beside it.
cp "$mnist" m.onnx && chmod u+w m.onnx
one_prefix() { "$nncc" m.onnx --prefix p -o one.c && "$nncc" m.onnx --weights=file --prefix p -o two.c && grep -q '#include "one.h"' one.c && grep -q '#include "two.h"' two.c && grep -q two.weights two.h && test -s two.weights && [ ! -e p.h ] && ${CC:-cc} -c one.c -o one.o && ${CC:-cc} -c two.c -o two.o; }
check "two -o with one prefix are two programs" one_prefix
linked_in() { "$nncc" m.onnx --weights=object --prefix p -o obj.c && grep -q '"obj.weights"' obj.S && ${CC:-cc} -c obj.S -o obj.o; }
check "weights for the linker" linked_in
for as in cuda1.c cuda2.cu cuda3; do
    cuda_files() { "$nncc" m.onnx --target=cuda -o "$as" && grep -q 'target cuda' "${as%.*}.h" && grep -q "#include \"${as%.*}.h\"" "${as%.*}.c" && grep -rlq __global__ "$1"; }
    check "--target=cuda -o $as: kernels, host and header" cuda_files "$([ "$as" = cuda3 ] && echo cuda3 || echo "${as%.*}.cu")"
done
check "which each have a host program" test -s cuda1.c -a -s cuda1.cu -a -s cuda2.c -a -s cuda2.cu -a -s cuda3.c
kept() { "$@" >out 2>&1; got=$?; cat out; [ $got = 2 ] && grep -q 'would' out && cmp m.onnx "$mnist"; }
check "-o over the model" kept "$nncc" m.onnx -o m.onnx
check "--emit=nn -o over the model" kept "$nncc" m.onnx --emit=nn -o ./m.onnx
ln -sf m.onnx link.onnx
check "-o over the model, through a link" kept "$nncc" link.onnx -o "$work/m.onnx"
check "train -o over the model" kept "$nncc" train m.onnx --data . -o m.onnx
check "run --output over the model" kept "$nncc" run m.onnx --output probabilities=m.onnx
sidecar() { "$nncc" m.onnx --emit=nn -o side.nn && cp side.nn.weights before && kept "$nncc" side.nn --weights=file -o side.nn.c && cmp side.nn.weights before; }
check "-o over a model's weights" sidecar
echo "mine" >app.h
check "a header of somebody else" expect 2 "would overwrite 'app.h', which nncc did not write" "$nncc" m.onnx -o app.c
check "is kept, and nothing else written" sh -c '[ "$(cat app.h)" = mine ] && [ ! -e app.c ]'
other() { cp m.onnx o.onnx && "$nncc" o.onnx -o other.c && rm other.c && cp other.h before && expect 2 "other.h', which nncc generated from o.onnx, target auto" "$nncc" m.onnx -o other.cpp && cmp before other.h && "$nncc" o.onnx -o other.c; }
check "a header of another model" other
python3 -c 'n = 1000; print("network @many(%x: f32[1,4]) {", *(f"  %v{i} = Mul(%x, {i + 1}.5)" for i in range(n)), "  return " + ", ".join(f"%v{i}" for i in range(n)) + " }", sep="\n")' >many.nn
many() { "$nncc" many.nn "$@" -o many.c && [ $(wc -c <many.h) -gt 20000 ] && "$nncc" many.nn "$@" -o many.c && head -1 many.h | grep -q 'Generated by nncc .* from many.nn'; }
check "a header of 1,000 outputs is nncc's own" many
check "and so are CUDA's files" many --target=cuda
check "names that no C can include" expect 2 'by name' "$nncc" m.onnx -o 'a"b.c'
# What an ending says, and what is written.
for row in 'c|x.onnx|' 'c|x.nn|' 'c|x.cu|' 'c|x.dot|' 'c|x.S|' 'c|x.csv|' 'c|x.cu|--emit=c' 'c|x.h|--emit=c' 'h|x.c|--emit=h' 'nn|x.onnx|--emit=nn' 'nn|x.c|--emit=nn' 'onnx|x.nn|--emit=onnx' 'dot|x.onnx|--emit=dot' 'cuda|x.c|--emit=cuda --target=cuda' 'c|x.onnx|--target=cuda'; do
    IFS='|' read -r content file options <<<"$row"
    check "$options -o $file" expect 2 "^nncc: -o '$file': what is written is .*, and .${file#*.} is the ending of .*; give it another ending$" "$nncc" m.onnx $options -o "$file"
done
check "train -o x.c" expect 2 "what is written is an ONNX file, and .c is the ending of C" "$nncc" train "$root/tests/train/fit.nn" --data . -o x.c
check "train --checkpoint x.onnx" expect 2 "checkpoint 'x.onnx': what is written is a checkpoint" "$nncc" train "$root/tests/train/fit.nn" --data . --checkpoint x.onnx
check "and nothing was written" sh -c '! ls x.* 2>/dev/null'
for row in 'x|' 'x.cc|' 'x.txt|--emit=nn' 'x.nn|--emit=nn' 'x.gv|--emit=dot' 'x.h|--emit=h' 'x.onnx|--emit=onnx' 'x.cu|--target=cuda' 'x.inc|--emit=h' '/dev/null|--emit=onnx'; do
    check "${row#*|} -o ${row%%|*}" sh -c "'$nncc' m.onnx ${row#*|} -o ${row%%|*} && { [ ! -f ${row%%|*} ] || rm x*; }"
done
check "-o is the name of its own weights" expect 2 'another ending' "$nncc" m.onnx --weights=file -o k.weights
check "/dev/null" sh -c "'$nncc' m.onnx -o /dev/null && [ ! -e /dev/null.h ] && [ -c /dev/null ]"
for as in - /dev/stdout /dev/fd/1; do
    on_stdout() { "$nncc" m.onnx --prefix net -o "$1" >out1 && "$nncc" m.onnx --prefix net --emit=c >out2 && cmp out1 out2; }
    check "-o $as is standard output" on_stdout "$as"
done
appended() { { echo before; "$nncc" m.onnx -o /dev/stdout; echo after; } >out1 && [ "$(sed -n '1p;$p' out1 | xargs)" = "before after" ] && grep -q m_run out1; }
check "which goes on where it is" appended
fifo() { mkfifo pipe && { timeout 20 cat pipe >out1 & timeout 20 "$nncc" m.onnx -o pipe && wait; } && grep -q m_run out1 && [ -p pipe ] && [ ! -e pipe.h ]; }
check "-o is a pipe" fifo
mkdir -p there && ln -sf there/real.c link.c && ln -sf real.c there/again.c
through() { "$nncc" m.onnx -o link.c && [ -L link.c ] && grep -q link_run there/real.c && "$nncc" m.onnx -o there/again.c && [ -L there/again.c ] && grep -q again_run there/real.c; }
check "-o through links, to where nothing is yet" through
ln -sf loop2.c loop1.c && ln -sf loop1.c loop2.c
check "a link to itself" expect 1 'Too many levels' "$nncc" m.onnx -o loop1.c
mode() { "$nncc" m.onnx -o mode.c && chmod 640 mode.c && "$nncc" m.onnx -o mode.c && [ "$(stat -c %a mode.c)" = 640 ]; }
check "a file keeps its mode" mode
half() { "$nncc" m.onnx -o half.c && cp half.c before && cp half.h before.h && rm half.c && mkdir half.c && ! "$nncc" m.onnx --prefix x -o half.c && cmp half.h before.h; }
check "never half of a set of files" half
full() { mkdir -p full && ! (ulimit -f 8 && trap '' XFSZ && "$nncc" m.onnx -o full/net.c) && [ -z "$(ls -A full)" ]; }
check "what does not fit leaves nothing" full
check "no temporary is left behind" sh -c '! ls -A . there | grep tmp'

check "--emit=h" expect 0 '#ifndef MNIST_H' "$nncc" "$mnist" --emit=h
check "--emit=nn" expect 0 '^network @' "$nncc" "$mnist" --emit=nn
check "--emit=dot" expect 0 '^digraph' "$nncc" "$mnist" --emit=dot
exported() { "$nncc" "$mnist" --emit=onnx -o again.onnx && "$nncc" check again.onnx && [ "$("$nncc" run "$mnist" --input "$input=$digit")" = "$("$nncc" run again.onnx --input "$input=$digit")" ]; }
check "--emit=onnx is the same network" exported
text() { "$nncc" "$mnist" --emit=nn -o net.nn && "$nncc" net.nn --prefix p --emit=c >a.c && "$nncc" "$mnist" --prefix p --emit=c >b.c && cmp a.c b.c; }
check "a dump compiles to the same C" text
check "--time-passes" expect 0 '^plan +[0-9.]+ ms' "$nncc" "$mnist" --time-passes --emit=h
check "--print-ir-after" expect 0 '^// ----- after fold' "$nncc" "$mnist" --print-ir-after=fold --emit=h

check "--explain" expect 0 '^step [0-9], function conv_[0-9]: Conv .conv1., Relu .relu1.$' "$nncc" "$mnist" --explain relu1
check "--explain gives reasons" expect 0 'read by +MaxPool .pool1.: both have a loop nest of their own' "$nncc" "$mnist" --explain conv1
check "--explain of what expanded" expect 0 'Div of Softmax' "$nncc" "$mnist" --explain probabilities
check "--explain without fusion" expect 0 'read by +Relu .relu1.: nothing: the pass .fuse. did not run' "$nncc" "$mnist" --off=fuse --explain conv1
check "--explain of nothing" expect 1 "no node or value 'convv1'; the nearest is 'conv1'" "$nncc" "$mnist" --explain convv1
check "summary" expect 0 '^arena [0-9]+ bytes$' "$nncc" summary "$mnist"
check "summary: what fills the arena" expect 0 '^fullest at step [0-9]+, .*:$' "$nncc" summary "$mnist"
check "summary: and its bytes" sh -c "'$nncc' summary '$mnist' | awk '/^arena/ { a = \$2 } on { gsub(/,/, \"\", \$1); n += \$1 } /^fullest/ { on = 1 } END { exit !(n > 0 && n == a) }'"
ram=$("$nncc" summary "$mnist" | sed -n 's/^ram \([0-9]*\) bytes.*/\1/p')
check "just enough RAM" expect 0 '' "$nncc" "$mnist" --max-ram "$ram" -o net.c
check "one byte less" expect 1 "RAM, 3,176 of them for inputs and outputs, .*--max-ram .* step [0-9]+, [A-Za-z]+ '.*': [a-z0-9]+ [0-9,]+" "$nncc" "$mnist" --max-ram $((ram - 1)) -o x.c
check "RAM in K" expect 1 'allows 16,384;' "$nncc" summary "$mnist" --max-ram 16K
check "RAM in M" expect 0 '' "$nncc" "$mnist" --max-ram=1M -o net.c
check "RAM in nonsense" expect 2 'number of bytes' "$nncc" "$mnist" --max-ram 1T -o x.c
check "summary of several models" sh -c "[ \$('$nncc' summary '$mnist' '$root/models/mcculloch_pitts.nn' '$mnist' | grep -c '^arena') = 3 ]"
check "check of several models" sh -c "[ \$('$nncc' check '$mnist' '$root/models/mcculloch_pitts.nn' | grep -c 'everything in it compiles') = 2 ]"
printf 'network @f(%%x: f32[2]) {\n  %%y = Gradient(%%x)\n  return %%y\n}\n' >unknown.nn
for verb in summary check; do
    check "$verb: a file that is not there, behind others" expect 1 'absent.onnx.: No such file' "$nncc" "$verb" "$mnist" absent.onnx
    check "$verb: others behind a file that is not there" expect 1 '^mnist.onnx' "$nncc" "$verb" absent.onnx "$mnist"
done
check "check: the worst of several" sh -c "'$nncc' check unknown.nn '$mnist' >out 2>&1; s=\$?; [ \$s != 0 ] && grep -q 'mnist.onnx: everything' out"
check "run: no such --output" expect 1 "no output 'quux'" "$nncc" run "$mnist" --output probabilities=p1.npy --output quux=p2.npy
check "writes none of the others" test ! -e p1.npy
check "check" expect 0 'everything in it compiles' "$nncc" check "$mnist"
check "verify on random inputs" expect 0 '   ok$' "$nncc" verify "$mnist"
check "verify that cannot agree" expect 1 'first node that diverges|no node diverges' "$nncc" verify "$mnist" --rtol 0 --atol 1e-12
# Half precision: a value that is rounded once is not what differs from double precision.
halves() {
    mkdir -p half/test_data_set_0
    echo 'network @f(%x: bf16[300]) { %z = Neg(Neg(%x)) return %z }' >id.nn && "$nncc" run id.nn --output z=half/test_data_set_0/input_0.pb || return 1
    echo 'network @f(%x: bf16[300]) { %a = Mul(%x, %x) %b = Tanh(%a) %y = Add(%b, %x) return %y }' >half.nn
    sed 's/return/%z = Sub(%y, %b) return/; s/return %y/return %z/' half.nn >wrong.nn
    "$nncc" run wrong.nn --input x=half/test_data_set_0/input_0.pb --output z=half/test_data_set_0/output_0.pb && expect 1 'no node diverges' "$nncc" verify half.nn half
}
check "verify: rounding to bf16 is no divergence" halves
# A network with state: data sets are consecutive calls, and each command begins with a reset, also in a directory that is kept.
carried() {
    local k rows before
    printf '%s\n' 'state %sum: f32[1,2] = [5, 6]' 'network @f(%x: f32[rows,2]) {' '  _ = Assign(%sum, Add(%sum, ReduceSum(%x, [0])))' \
        '  return %sum as %before' '}' >sum.nn
    for k in 0 1 2; do
        case $k in 0) rows=1 before='5, 6' ;; 1) rows=1 before='6, 7' ;; *) rows=2 before='7, 8' ;; esac
        mkdir -p "sums/test_data_set_$k"
        printf '%s\n' "const %x: f32[$rows,2] = splat(1)" "const %b: f32[1,2] = [$before]" 'network @c(%z: f32[1]) {' '  return %x, %b' '}' |
            "$nncc" run - --output "x=sums/test_data_set_$k/input_0.pb" --output "b=sums/test_data_set_$k/output_0.pb" 2>log || return 1
    done
    for k in 1 2; do expect 0 'before f32.1,2.: 5 6' "$nncc" run sum.nn --dim rows=1 --keep kept-sum || return 1; done
    expect 0 'test_data_set_2 .* ok' "$nncc" verify sum.nn sums --dim rows=1..2 &&
        expect 1 'expected sets of equal extents, since each goes on with the state' "$nncc" verify sum.nn sums && rm -r sums/test_data_set_2 &&
        expect 0 'test_data_set_1 .* ok' "$nncc" verify sum.nn sums && expect 0 'test_data_set_1 .* ok' "$nncc" verify sum.nn sums --interpret &&
        rm -r sums/test_data_set_0 && expect 1 'test_data_set_1 .* WRONG' "$nncc" verify sum.nn sums
}
check "a state is carried over data sets" carried
check "verify without data" expect 1 'holds no test_data_set' "$nncc" verify "$mnist" "$work"
check "verify with a compiler that is not there" expect 2 'no-such-cc' "$nncc" verify "$mnist" --cc no-such-cc
check "verify with a compiler that fails" expect 70 'C compiler failed' "$nncc" verify "$mnist" --cc 'cc --no-such-option'
check "verify --keep" sh -c "'$nncc' verify '$mnist' --keep kept && test -s kept/model.c -a -s kept/main.c -a -x kept/program"
check "verify leaves nothing behind" sh -c '! ls -d nncc-*'

run_digit() { "$nncc" run "$mnist" --input "$input=$digit" "$@" 2>&1; }
check "run on a picture" expect 0 ' f32\[1,10\]:( [0-9.e+-]+){10}$' run_digit
compiled_as_interpreted() {
    run_digit --output probabilities=a.npy && run_digit --interpret --output probabilities=b.npy && python3 - <<'PY'
import struct
a, b = (struct.unpack("<10f", open(n, "rb").read()[-40:]) for n in ("a.npy", "b.npy"))
assert max(abs(x - y) for x, y in zip(a, b)) < 1e-5 and a.index(max(a)) == 7, (a, b)
PY
}
check "run: compiled as interpreted" compiled_as_interpreted
check "run with an input that is not there" expect 1 "no input 'quux'" "$nncc" run "$mnist" --input "quux=$digit"
check "run with a file that does not fit" expect 1 'expected the .* bytes of .*, saw' "$nncc" run "$mnist" --input "$input=net.c"

check "bench" expect 0 '^   1  conv_1 .* [0-9.]+ +[0-9.]+% +112,896 +[0-9.]+ +[0-9.]+% +54,416 +[0-9.]+ +[0-9.]+%$' "$nncc" bench "$mnist" --runs 3
check "which sums up" expect 0 '^total [0-9.]+ ms, 1.032e\+06 MACs, [0-9.]+ GFLOP/s; medians of 3 runs$' "$nncc" bench "$mnist" --runs 3
check "and says what it measured" expect 0 '^compiled for c with cc -std=gnu11 -O3 .* -DUNUSED$' "$nncc" bench "$mnist" --runs 3 --target=c --cc 'cc -DUNUSED'
check "beside the machine's peak" expect 0 '^peak of one core: [0-9.]+ GFLOP/s of multiply-adds, [0-9.]+ GB/s read from a block of [0-9,]+ bytes$' "$nncc" bench "$mnist" --runs 3
check "bench as often as time allows" expect 0 'medians of [0-9]+ runs$' "$nncc" bench "$mnist" --cc 'cc -O1' -O0
shares() { "$nncc" bench "$mnist" --runs 21 | awk '/%/ { for (i = 1; i <= NF; i++) if ($i ~ /%$/) { sum += $i; break } } END { exit !(sum > 80 && sum < 120) }'; }
check "the shares are a whole" shares
echo 'network @nothing(%x: f32[2]) { return %x }' >nothing.nn
check "bench of nothing" expect 0 '' sh -c "'$nncc' bench nothing.nn >/dev/null"
branches='network @f(%c: bool[], %x: f32[4]) {
  %y = If(%c) {then_branch = { %p = Exp(%x) return %p }, else_branch = { %q = Neg(%x) %r = Tanh(%q) return %r }}
  %z = Add(%y, %x)
  return %z
}'
echo "$branches" >branches.nn
check "bench of branches" expect 0 '^total' "$nncc" bench branches.nn --runs 2
check "bench cannot interpret" expect 2 'bench does not take it' "$nncc" bench "$mnist" --interpret
check "no runs at all" expect 2 'whole number' "$nncc" bench "$mnist" --runs 0
check "bench --json: the fields of the manual" python3 "$root/tests/cli/bench_json.py" "$nncc" "$root"
check "bench leaves nothing behind" sh -c '! ls -d nncc-*'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
