#!/bin/sh
# All tests. usage: sh tests/run.sh [--no-install]
# Installs what is missing (Debian; --no-install: does not), builds nncc, runs everything, and prints "N passed, N failed, N skipped".
# Folders of third-party test data are looked for beside the repository, in ../shared or $NNCC_SHARED; without them those tests are skipped.
command -v bash >/dev/null || { echo "tests/run.sh needs bash"; exit 1; }
exec bash "$(dirname "$0")/all.sh" "$@"
