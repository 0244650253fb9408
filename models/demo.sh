#!/bin/sh
# Builds nncc, compiles models/mnist.onnx to C, and classifies the digits in models/digits with it.
#
#     sh models/demo.sh [--no-install]
#
# On Debian the packages that are missing are installed first (apt-get, with sudo unless root), without --no-install.
set -eu
cd "$(dirname "$0")/.."

packages="build-essential cmake ninja-build libprotobuf-c-dev zlib1g-dev protobuf-c-compiler python3-onnx"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

missing_packages() {
    for package in $packages; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
    done
}

install_missing() {
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    echo "installing $missing"
    as_root apt-get update -q
    # shellcheck disable=SC2086 # a list
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
}

show() {
    echo "\$ $*"
    "$@"
}

case "${1-}" in
--no-install) ;;
"") install_missing ;;
*) echo "usage: sh models/demo.sh [--no-install]" >&2 && exit 2 ;;
esac

[ -f build/release/CMakeCache.txt ] || show cmake --preset release -G Ninja
show cmake --build --preset release
mkdir -p build/demo
show build/release/bin/nncc models/mnist.onnx --prefix mnist -o build/demo/mnist.c
show "${CC:-cc}" -std=c11 -O2 -Wall -Wextra -I build/demo build/demo/mnist.c models/demo.c -lm -o build/demo/demo
show build/demo/demo models/digits/*.pgm
