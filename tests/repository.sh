#!/usr/bin/env bash
# What stands in the repository: its root, its generated documents, its layout, its scripts, its suites. usage: tests/repository.sh [CHECK...]
# A check is a function below that takes part in `checks`; commit_message FILE, a commit's subject, is for pre-commit alone.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tests/common.sh"
cd "$root" || exit 1

# The root holds these and dotfiles, nothing else.
root_content='compiler runtime templates models tests cmake docs findings
    CMakeLists.txt CMakePresets.json README.md OPERATORS.md CONTRIBUTING.md CHANGELOG.md LICENSE'
stray_files() {
    local name status=0
    for name in $(git ls-files --cached --others --exclude-standard | cut -d/ -f1 | sort -u); do
        case $name in .*) continue ;; esac
        case " $(echo $root_content) " in *" $name "*) ;; *) echo "$name does not belong into the root"; status=1 ;; esac
    done
    return $status
}
root_complete() {
    local name status=0
    for name in $root_content; do [ -n "$(git ls-files "$name")" ] || { echo "the root lacks $name"; status=1; }; done
    return $status
}

operators_current() { python3 tests/operators.py "$nncc" | diff -u OPERATORS.md -; }
files_current() { python3 tests/files_table.py --check; }

sources() { git ls-files 'compiler/*.[ch]' 'runtime/*.[ch]' 'tests/*.[ch]' 'models/*.[ch]'; }
clang_format=$(command -v clang-format-14 || command -v clang-format)
layout() { sources | xargs "$clang_format" --dry-run -Werror; }

# A script for bash that is called by another shell calls bash, before anything else; one for sh is read by dash without complaint.
shells() {
    local script said status=0
    mkdir -p "$work/bash" && printf '#!/bin/sh\necho "bash $*"\n' >"$work/bash/bash" && chmod +x "$work/bash/bash" || return 1
    for script in $(git ls-files 'tests/*.sh'); do
        case $(head -n 1 "$script") in
        '#!/usr/bin/env bash' | '#!/bin/bash') said=$(PATH=$work/bash:$PATH dash "$script" word 2>&1) && [ "$said" = "bash $script word" ] ;;
        '#!/bin/sh') dash -n "$script" ;;
        *) case ${script##*/} in common.sh | install.sh | emu.sh | toolkit.sh) ;; *) false ;; esac ;; # these are sourced
        esac || { echo "$script: ${said:-no first line says what runs it}"; status=1; }
    done
    return $status
}

# Every suite, a script that counts what passed, is a test of ctest; that of every day is tests/run.sh.
suites_in_ctest() {
    local name status=0
    for name in $(git ls-files 'tests/*/*.sh' 'tests/*.sh' | grep -vE '^tests/(all|run|common|same_output)\.sh' | xargs grep -lE 'passed, .*failed' | sed 's,^tests/,,'); do
        grep -Eq "^suite\([a-z]+ $name[ )]" tests/CMakeLists.txt || { echo "tests/CMakeLists.txt has no test that runs tests/$name"; status=1; }
    done
    return $status
}

# A subject is `area: imperative`, at most 60 characters.
commit_message() {
    local subject
    subject=$(head -n 1 "$1")
    case $subject in 'Merge '* | 'Revert '* | 'fixup! '*) return 0 ;; *': '[!\ ]*) ;; *) echo "a subject is 'area: imperative': $subject"; return 1 ;; esac
    [ ${#subject} -le 60 ] || { echo "a subject has at most 60 characters, this one ${#subject}: $subject"; return 1; }
}
[ "${1:-}" != commit_message ] || { commit_message "$2"; exit; }

checks=(stray_files root_complete operators_current files_current layout shells suites_in_ctest)
for name in "${@:-${checks[@]}}"; do
    case $name in
    layout) "$clang_format" --version 2>/dev/null | grep -q ' 14\.' || { skip layout "clang-format 14 decides it, and is not installed"; continue; } ;;
    shells) command -v dash >/dev/null || { skip shells "no dash"; continue; } ;;
    esac
    [ "$(type -t "$name")" = function ] || { echo "no check $name; there are: ${checks[*]}" >&2; exit 2; }
    check "$name" "$name"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
