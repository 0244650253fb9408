#!/usr/bin/env bash
# Networks whose extents a call gives against builds for these extents alone (open_dims/, by open_dims.py).
# usage: tests/models/open_dims.sh [--all] [--time] [--asan] [NAME...]
# --all: 20 sizes of each in place of 3, and yunet of any size, where there is a Python with onnx. --time: how long they take beside the others. --asan: sanitizers, every buffer poisoned
# outside its life.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
export NNCC_CFLAGS="${NNCC_CFLAGS:-$(isa)}"

yunet=
case " $* " in *' --all '*)
    if [ -f "$shared/models/yunet_320.onnx" ] && "${NNCC_PYTHON:-python3}" -c 'import onnx' 2>/dev/null; then
        "${NNCC_PYTHON:-python3}" "$root/tests/models/free_size.py" "$shared/models/yunet_320.onnx" "$work/yunet.onnx" || exit 1
        yunet=$work/yunet.onnx:h=64..256:64:w=64..320:64
    fi ;;
esac
python3 "$root/tests/models/open_dims.py" "$nncc" "$@" $yunet
