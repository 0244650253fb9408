#!/usr/bin/env bash
# nncc train's files: checkpoints of every format, whole ones and spoilt ones, where they are written; what signals leave behind.
# usage: files.sh
# Files that earlier versions wrote: tests/versions.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
here=$root/tests/train
dir=$work/program
cd "$work" || exit 1

awk -v n=200 -f "$here/points.awk" >points.csv
"$nncc" train "$here/fit.nn" --data points.csv --epochs 2 --checkpoint fit.safetensors --keep "$dir" >log 2>&1 || { cat log; exit 1; }
program() { (cd "$dir" && exec timeout 20 ./program "$work/points.csv" "$@"); } # EPOCHS SEED CHECKPOINT RESUME
go_on() { program 3 1 "$1" 1; }
header() { dd if="$1" bs=1 skip=8 count="$(od -An -tu4 -N4 "$1" | tr -d ' ')" 2>/dev/null; }
data() { tail -c +"$((9 + $(od -An -tu4 -N4 "$1")))" "$1"; }
said() { header "$1" | grep -o "\"$2\":\"[^\"]*\"" | cut -d '"' -f 4; }
# with_header FILE SED-SCRIPT: the same data behind another header, of another length perhaps
with_header() {
    local text
    text=$(header "$1" | sed "$2")
    printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((${#text} & 255)) $((${#text} >> 8 & 255)) $((${#text} >> 16 & 255)) 0)\\0\\0\\0\\0"
    printf '%s' "$text"
    data "$1"
}
# refused PATTERN FILE: an error that says so, soon, and the file as it was
refused() {
    [ ! -f "$2" ] || cp "$2" before
    go_on "$work/$2" >out 2>&1
    local got=$?
    cat out
    [ $got = 1 ] && grep -Eq -- "$1" out && { [ ! -f "$2" ] || cmp "$2" before; }
}
taken() { go_on "$work/$1" >out 2>&1 || { cat out; return 1; }; }

# ---- formats

metadata() {
    header fit.safetensors
    [ "$(said fit.safetensors format)" = 2 ] && [ "$(said fit.safetensors epoch)" = 2 ] && [ "$(said fit.safetensors step)" = 12 ] &&
        [ "$(said fit.safetensors order_seed)" = 1 ] && [ "$(said fit.safetensors batch)$(said fit.safetensors sample)" = 00 ] &&
        [ "$(said fit.safetensors optimizer)" = Adam ] && [ "$(said fit.safetensors flavor)" = torch ] && [ "$(said fit.safetensors optimizer.beta2)" = 0.999 ] &&
        "$nncc" --list-targets | grep -q "^$(said fit.safetensors isa) " && "$nncc" --version | grep -q "nncc $(said fit.safetensors nncc)$"
}
hashed() { [ "$(said fit.safetensors sha256)" = "$(data fit.safetensors | sha256sum | cut -d ' ' -f 1)" ]; } # coreutils' judgement
check "the metadata are a map of strings" metadata
check "sha256 is that of the data" hashed
whole() { program 3 1 "$work/whole" 0 && cp fit.safetensors parts && taken parts && cmp whole parts; }
check "a run in parts is one without, step included" whole
# what others write: keys in another order, blanks, more of them, fewer of them
others() {
    cp fit.safetensors plain && taken plain || return 1
    with_header fit.safetensors 's/"__metadata__":{/"__metadata__": {"who" : "a \\"test\\" \\u00e9", "more": {"deep": [1, {"x": []}]}, /' >more &&
        taken more && cmp more plain || return 1
    with_header fit.safetensors 's/"params\.\([^"]*\)":{"dtype":"F32",/"params.\1" : {"unknown": [[1], "]"], "dtype": "F32", /' >spaced && taken spaced && cmp spaced plain || return 1
    with_header fit.safetensors 's/,"step":"[0-9]*"//; s/,"[a-z_]*sha256":"[0-9a-f]*"//g; s/"nncc":"[^"]*",//' >fewer && taken fewer && cmp fewer plain || return 1
    with_header fit.safetensors 's/^{\(.*\),\("__metadata__":{[^}]*}\)} *$/{\2,\1}/' >first && header first | grep -q '^{"__meta' && taken first && cmp first plain
}
check "unknown keys are ignored, missing ones have defaults" others

# ---- what is no checkpoint of this network

flip() { # FILE OFFSET: one bit
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    printf "$(printf '\\x%02x' $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
flipped() {
    local size i
    size=$(wc -c <fit.safetensors)
    for i in 1 700 1500; do
        cp fit.safetensors flipped && flip flipped $((size - i)) && refused 'damaged.*sha256' flipped || return 1
    done
}
check "a flipped bit is seen" flipped
cut_off() {
    local n
    for n in 0 7 8 100 $(($(wc -c <fit.safetensors) - 1)); do
        head -c "$n" fit.safetensors >cut && refused 'no checkpoint|cut off' cut || return 1
    done
    { cat fit.safetensors && printf x; } >longer && refused 'bytes of data' longer
}
check "one that is cut off, or longer" cut_off
changed() {
    with_header fit.safetensors 's/"format":"2"/"format":"3"/' >newer && refused 'format 3' newer &&
        with_header fit.safetensors 's/"epoch":"2"/"epoch":"-2"/' >negative && refused "epoch is '-2'" negative &&
        with_header fit.safetensors 's/"dtype":"F32","shape":\[16,4\]/"dtype":"F32","shape":[32,2]/' >shape && refused 'F32\[32,2\].*F32\[16,4\]' shape &&
        with_header fit.safetensors 's/"opt\.[^"]*\.m"/"opt.quux"/' >name && refused "'opt.quux'" name &&
        with_header fit.safetensors 's/"data_offsets":\[0,/"data_offsets":[-64,/' >offset && refused 'lie' offset &&
        with_header fit.safetensors 's/"opt\.[^"]*\.m"/"opt.\\u001b[2J"/' >bells && refused "'opt.\?\[2J'" bells &&
        with_header fit.safetensors 's/}}/}/' >open && refused 'header' open && printf 'not a checkpoint at all' >text && refused 'no checkpoint' text
}
check "other formats, numbers, shapes, names, places" changed
# Flipped bits of the metadata: of an epoch, a seed, a step, a name. Python's hashlib says what they should be.
metadata_flipped() {
    local edit
    for edit in 's/"epoch":"2"/"epoch":"3"/' 's/"order_seed":"1"/"order_seed":"9"/' 's/"sample":"0"/"sample":"1"/' 's/"metadata_keys":"format/"metadata_keys":"gormat/' 's/"step":"12"/"step":"13"/' 's/"epoch"/"dpoch"/' 's/"nncc":"/&x/'; do
        with_header fit.safetensors "$edit" >flipped && ! cmp -s fit.safetensors flipped && refused 'metadata are damaged: their sha256' flipped || { echo "$edit"; return 1; }
    done
    header fit.safetensors | python3 -c '
import hashlib, json, sys
said = json.load(sys.stdin)["__metadata__"]
lines = "".join(f"{key}={said[key]}\n" for key in said["metadata_keys"].split())
sys.exit(said["metadata_sha256"] != hashlib.sha256(lines.encode()).hexdigest())'
}
check "a flipped bit of the metadata is seen" metadata_flipped
# Bits of the header, one of every 11 bytes: refused with a reason, or, in a name of what is only checked, the same run.
header_flipped() {
    local size i reasons=0
    size=$(($(od -An -tu4 -N4 fit.safetensors) + 8))
    cp fit.safetensors plain && taken plain || return 1
    for ((i = 1; i <= size; i += 11)); do
        cp fit.safetensors flipped && flip flipped "$i" && cp flipped before
        if go_on "$work/flipped" >out 2>&1; then cmp flipped plain || { echo "byte $i of the header"; return 1; }
        elif grep -q '^.*flipped: it[s ]\|^.*flipped: .* network' out && cmp flipped before; then reasons=$((reasons + 1))
        else cat out; echo "byte $i of the header"; return 1
        fi
    done
    echo "$reasons refused" && [ $reasons -gt $((size / 13)) ]
}
check "flipped bits of the header are seen, or change nothing" header_flipped
# Two tensors of one shape under each other's names, in one place, one of them twice.
exchanged() {
    with_header fit.safetensors 's/\("opt\.[^"]*\.\)m"/\1x"/; s/\("opt\.[^"]*\.\)v"/\1m"/; s/\("opt\.[^"]*\.\)x"/\1v"/' >names && ! cmp -s names fit.safetensors &&
        refused 'their names are exchanged' names || return 1
    header fit.safetensors >text && python3 - text <<'END' || return 1
import json, re, sys
text = open(sys.argv[1]).read()
tensors = {k: v for k, v in json.loads(text).items() if k != '__metadata__'}
first, second = [k for k, v in tensors.items() if v['shape'] == [16, 4]][:2]
offsets = [json.dumps(tensors[k]['data_offsets'], separators=(',', ':')) for k in (first, second)]
open('script', 'w').write('s/%s/%s/' % tuple(re.escape(o).replace('/', '\\/') for o in offsets))
entry = '"%s":%s' % (second, json.dumps(tensors[second], separators=(',', ':')))
assert entry in text
open('twice', 'w').write('s/^{/{%s,/' % entry.replace('/', '\\/'))
END
    with_header fit.safetensors "$(cat script)" >overlap && ! cmp -s overlap fit.safetensors && refused 'begins at byte' overlap &&
        with_header fit.safetensors "$(cat twice)" >doubled && refused 'twice' doubled
}
check "tensors exchanged, in one place, given twice" exchanged
foreign() {
    gzip -c fit.safetensors >packed && refused 'no checkpoint' packed && cp "$root/models/mnist.onnx" model && refused 'no checkpoint' model &&
        with_header fit.safetensors 's/^.*$/{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}/' >other && refused "'weight'.*do not have" other &&
        with_header fit.safetensors 's/^.*$/{}/' >empty && refused 'lacks' empty && with_header fit.safetensors 's/^.*$/[1, 2]/' >list && refused 'header' list
}
check "foreign files" foreign
# AdamW keeps of each parameter what Adam does: only the name tells.
other_optimizer() {
    cp fit.safetensors adam && "$nncc" train "$here/fit.nn" --data points.csv --epochs 3 --optimizer=AdamW --resume --checkpoint adam --cc 'cc -O0' >out 2>&1
    local got=$?
    cat out
    [ $got = 1 ] && grep -q "^.*adam: its optimizer is Adam, the network's is AdamW$" out && cmp adam fit.safetensors &&
        with_header fit.safetensors 's/"optimizer":"Adam",//; s/,"metadata_sha256":"[0-9a-f]*"//' >adam && ! header adam | grep -q Adam &&
        "$nncc" train "$here/fit.nn" --data points.csv --epochs 3 --optimizer=AdamW --resume --checkpoint adam --cc 'cc -O0' && [ "$(said adam optimizer)" = AdamW ]
}
check "a run does not go on with another optimizer" other_optimizer
unhashed='s/,"metadata_sha256":"[0-9a-f]*"//'
other_flavor() { with_header fit.safetensors "s/\"flavor\":\"torch\"/\"flavor\":\"keras\"/; $unhashed" >flavor && refused "flavor is keras, the network's is torch" flavor; }
check "nor with one of another flavor" other_flavor
other_schedule() { with_header fit.safetensors "s/\"rate_schedule\":\"none\"/\"rate_schedule\":\"cosine(steps = 9)\"/; $unhashed" >schedule && refused "rate_schedule is cosine.steps = 9., the network's is none" schedule; }
check "nor with another schedule of the rate" other_schedule
other_groups() { with_header fit.safetensors "s/\"groups\":\"none\"/\"groups\":\"head: y[*], rate 0.1\"/; $unhashed" >groups && refused "groups is head: y..., rate 0.1, the network's is none" groups; }
check "nor with other groups of parameters" other_groups
# What may differ is told, and the run goes on.
other_isa() {
    cp fit.safetensors plain && taken plain && with_header fit.safetensors "s/\"isa\":\"[^\"]*\"/\"isa\":\"mips\"/; $unhashed" >isa && taken isa &&
        grep 'isa: warning: it was written by a program for mips, and this one is for' out && cmp isa plain
}
check "another instruction set is a warning" other_isa
other_setting() {
    cp fit.safetensors settings && "$nncc" train "$here/fit.nn" --data points.csv --epochs 3 --set beta1=0.75 --resume --checkpoint settings --cc 'cc -O0' >out 2>&1 &&
        grep 'settings: warning: its beta1 is 0.9[0-9]*; the run goes on with 0.75$' out && [ "$(grep -c warning: out)" = 1 ] && [ "$(said settings optimizer.beta1)" = 0.75 ]
}
check "another setting is a warning that names both" other_setting
# What a later version may write: names that are kept, and others that are not.
reserved() {
    with_header fit.safetensors "s/\"isa\"/\"schedule\":\"cosine 0.1\",\"early_stop\":\"3\",\"best\":\"0.25 1\",\"ema\":\"0.999\",\"dream\":\"x\",&/; $unhashed" >kept && taken kept &&
        [ "$(said kept schedule), $(said kept early_stop), $(said kept best), $(said kept ema), $(said kept dream)" = 'cosine 0.1, 3, 0.25 1, 0.999, ' ] && taken kept
}
check "reserved names are written back" reserved
within() {
    ${CC:-cc} -O1 -Wall -Wextra -Wpedantic -Wshadow -I "$root/runtime" "$here/position.c" "$root"/runtime/nncc_{train,checkpoint,augment,batch,checks,metrics,watch,log,team}.c -lm -o position &&
        ./position at 3 0 && ./position at 3 1 && ./position at 2 0 && [ "$(said at epoch) $(said at batch) $(said at schedule)" = '3 0 cosine' ]
}
check "a run goes on within an epoch" within
beyond() { with_header fit.safetensors "s/\"sample\":\"0\"/\"sample\":\"900\"/; $unhashed" >sample && refused 'it has seen 900 examples of an epoch, and the data has' sample; }
check "further than the data reaches" beyond

# ---- places

mkfifo pipe
check "going on from a pipe" refused 'pipe' pipe
check "going on from a device" sh -c "cd '$dir' && timeout 20 ./program '$work/points.csv' 3 1 /dev/null 1 2>&1 | grep 'device'"
device() { program 1 1 /dev/null 0 && [ -c /dev/null ] && ! ls /dev/null.tmp.* 2>/dev/null; }
check "to a device" device
piped() {
    local reader
    timeout 20 cat pipe >copy &
    reader=$!
    program 1 1 "$work/pipe" 0 && wait $reader && [ -p pipe ] && [ "$(said copy epoch)" = 1 ] && [ "$(said copy sha256)" = "$(data copy | sha256sum | cut -d ' ' -f 1)" ]
}
check "to a pipe" piped
link() {
    mkdir -p there && rm -f there/* && ln -sf there/target link && ln -sf link link2 && program 1 1 "$work/link2" 0 && [ -L link ] && [ -L link2 ] &&
        [ -f there/target ] && [ ! -L there/target ] && program 2 1 "$work/link2" 1 && [ -L link ] && cmp there/target fit.safetensors && [ "$(ls there)" = target ]
}
check "through symbolic links" link
round() { ln -sf round2 round1 && ln -sf round1 round2 && ! program 1 1 "$work/round1" 0 2>out && grep -i 'symbolic links' out; }
check "links in a circle" round
mode() { (umask 027 && program 1 1 "$work/mode" 0) && [ "$(stat -c %a mode)" = 640 ]; }
check "its mode is what umask leaves" mode
absent() { ! program 3 1 "$work/absent/file" 0 >out 2>&1 && grep 'No such file' out && ! grep Epoch out && ! program 3 1 "$work/there" 0 >out 2>&1 && grep -i 'directory' out && ! grep Epoch out; }
check "nowhere: told before the first epoch" absent

# ---- signals

alive() { case $(ps -o stat= -p "$1") in '' | Z*) return 1 ;; esac; } # what nobody waits for yet is dead as well
ended() { # SIGNAL COMMAND...: ended by it while a child of it runs, it leaves neither children nor files
    local sig=$1 parent child got i
    shift
    mkdir -p tmp && rm -rf tmp/*
    TMPDIR=$work/tmp python3 -c 'import os, signal, sys
for s in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM): signal.signal(s, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' "$@" >out 2>&1 & # a background job of bash ignores SIGINT
    parent=$!
    for ((i = 0; i < 400; i++)); do
        child=$(pgrep -P $parent "${busy:-}" | head -n 1)
        [ -n "$child" ] && { [ -n "${busy:-}" ] || [ -s grandchild ]; } && break
        sleep 0.05
    done
    sleep 0.1
    kill -s "$sig" $parent
    wait $parent
    got=$?
    cat out
    ls tmp
    echo "exit status $got; child $child"
    [ -n "$child" ] && [ $got = $((128 + $(kill -l "$sig"))) ] && [ -z "$(ls tmp)" ] && ! alive "$child"
}
printf '#!/bin/sh\nsleep 60 &\necho $! >"%s/grandchild"\nwait\n' "$work" >slow-cc && chmod +x slow-cc
no_grandchild() { rm -f grandchild && ended "$@" && ! alive "$(cat grandchild)"; }
for sig in INT TERM HUP; do
    busy=program check "SIG$sig ends what trains" ended $sig "$nncc" train "$here/fit.nn" --data points.csv --epochs 1000000 --checkpoint signalled --cc 'cc -O0'
done
left() { ! ls signalled.tmp.* 2>/dev/null && program 1 1 "$work/signalled" 1; }
check "a whole checkpoint is left, and nothing beside it" left
for verb in verify run bench; do check "SIGTERM ends $verb, its compiler, and what that started" no_grandchild TERM "$nncc" $verb "$root/models/mnist.onnx" --cc "$work/slow-cc"; done
check "SIGINT ends a compiler for train" no_grandchild INT "$nncc" train "$here/fit.nn" --data points.csv --cc "$work/slow-cc" --checkpoint x

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
