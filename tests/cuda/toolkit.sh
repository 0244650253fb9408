# toolkit.sh - finds nvcc and NVRTC. Sourced after common.sh. cuda_toolkit sets $nvcc and $NNCC_NVRTC, or fails.
# Looks at $CUDA_HOME, PATH, and the usual place; else installs PyPI's packages in build/venv.

cuda_take() { # FOLDER: of a toolkit
    local lib
    [ -x "$1/bin/nvcc" ] || return 1
    for lib in "$1"/lib64/libnvrtc.so.1[0-9] "$1"/lib/libnvrtc.so.1[0-9] "$1"/targets/*/lib/libnvrtc.so.1[0-9] "$1"/../cuda_nvrtc/lib/libnvrtc.so.1[0-9]; do
        [ -f "$lib" ] || continue
        nvcc=$1/bin/nvcc
        export NNCC_NVRTC=$lib
        return 0
    done
    return 1
}

cuda_from_pypi() {
    local folder site
    python=$root/build/venv/bin/python3
    [ -x "$python" ] || python3 -m venv "$root/build/venv" || return 1
    folder() { site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && for d in "$site"/nvidia/*; do cuda_take "$d" && return 0; done; return 1; }
    folder && return 0
    [ -z "${NNCC_NO_INSTALL:-}" ] || return 1
    echo "installing nvcc and NVRTC in build/venv" >&2
    "$python" -m pip -q install nvidia-cuda-nvcc nvidia-nvvm nvidia-cuda-crt nvidia-cuda-runtime nvidia-cuda-cccl nvidia-cuda-nvrtc && folder
}

cuda_toolkit() {
    local on_path
    [ "${NNCC_CUDA_TOOLKIT:-}" != none ] || return 1 # as if there were none
    on_path=$(command -v nvcc) && on_path=$(dirname "$(dirname "$(readlink -f "$on_path")")")
    for d in "${CUDA_HOME:-}" "$on_path" /usr/local/cuda; do [ -n "$d" ] && cuda_take "$d" && return 0; done
    with_venv cuda_from_pypi
}
