#!/usr/bin/env bash
# Random networks against PyTorch's autograd, in double: tests/grad/random_torch.sh [CONFIGURATIONS] [GRAPHS] [SEED], by hand.
# Without optimisation: gcc 12.2 at -O3 -mavx2 takes the wrong elements in x > 0 ? y[i][n][k][j] : 0 over a few doubles, and this is not about gcc.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/common.sh"
python_with numpy torch || exit 1
"$python" "$root/tests/grad/random_torch.py" "$nncc" "${CC:-cc} -O0" "$work" "$@"
