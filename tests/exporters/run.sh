#!/usr/bin/env bash
# By hand: the matrix of exporters, docs/exporters.md, made anew. Installs pinned packages from PyPI into FOLDER (about 6 GB), lets each
# exporter write its networks there, runs them in ONNX Runtime and compares what nncc makes of them.
# usage: tests/exporters/run.sh FOLDER [GROUP...]      groups: torch quantise sklearn keras jax; without one, all of them
# Networks that are there are not exported again. The last line counts what agrees, what differs and what nncc refuses.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
folder=${1:?usage: tests/exporters/run.sh FOLDER [GROUP...]}
shift
mkdir -p "$folder/cells" && folder=$(cd "$folder" && pwd) || exit 1
declare -A script=([torch]=export_torch.py [quantise]=quantise.py [sklearn]=export_sklearn.py [keras]=export_keras.py [jax]=export_jax.py)
declare -A venv=([torch]=torch [quantise]=torch [sklearn]=sklearn [keras]=keras [jax]=jax)
for group in ${*:-torch quantise sklearn keras jax}; do
    [ -n "${script[$group]:-}" ] || { echo "no group $group"; exit 2; }
    name=${venv[$group]} there=$folder/venv-${venv[$group]}
    if [ ! -e "$there/complete" ]; then
        python3 -m venv "$there" && "$there/bin/pip" -q install -r "$root/tests/exporters/requirements-$name.txt" || exit 1
        touch "$there/complete"
    fi
    (cd "$work" && "$there/bin/python3" "$root/tests/exporters/${script[$group]}" "$folder/cells") || exit 1
    "$there/bin/pip" list --format=freeze >"$folder/versions-$name"
done
python3 "$root/tests/exporters/matrix.py" "$nncc" "$folder" "$jobs" >"$work/matrix.md" && cp "$work/matrix.md" "$root/docs/exporters.md"
