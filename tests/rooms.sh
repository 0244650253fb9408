#!/usr/bin/env bash
# Which folder of compiler/ calls which: prints the rooms in their order, and fails on an arrow that runs back, found by nm in what was
# built and in #includes; on a header with more than 60 functions; on a folder with more than 40 files. usage: tests/rooms.sh
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tests/common.sh"
cd "$root/compiler" || exit 1
# A room may call those before it. Files beside the folders: driver.c; targets.c, a table over all backends; main.c.
rooms='base ir io ops bounded control strings ml train text onnx loop lower schedule render interp passes emit cuda driver harness targets cli main'
# The only arrows that may run back, each a table of functions: FILE ROOM. Who owns it says what for.
cat >"$work/hooks" <<'END'
ir/build ops
ops/ops control
ops/ops lower
ops/ops strings
ops/ops ml
END
# ir/build names rows of ops.def. ops/ops: a row of ops.def names the functions that lower it, infer its regions or have to do
# with strings or ai.onnx.ml.

# room FILE: the room of a path below compiler/.
objects=$build/CMakeFiles/nncc_core.dir/compiler
[ -d "$objects" ] || { echo "no objects in $objects: build nncc first" >&2; exit 1; }
find . -name '*.c' | sed 's,^\./,,; s,\.c$,,' | while read -r file; do
    [ "$file" = main ] || nm "$objects/$file.c.o" | awk -v f="$file" '$(NF - 1) ~ /^[TDRBV]$/ { print "def", f, $NF } $(NF - 1) == "U" { print "use", f, $NF }'
done >"$work/symbols"
grep -rn '^#include "' --include='*.[ch]' . | sed -n 's,^\./\([^:]*\):[0-9]*:#include "\([^."][^"]*\)"$,\1 \2,p' >"$work/includes"

{
    awk '$1 == "def" { at[$3] = $2 } $1 == "use" { use[++n] = $2 " " $3 } END { for (i = 1; i <= n; i++) { split(use[i], u, " "); if (u[2] in at) print u[1], at[u[2]], u[2] } }' "$work/symbols"
    awk '$2 !~ /pb-c|\.def$/ { print $1, $2, "#include" }' "$work/includes"
} >"$work/arrows"

awk -v rooms="$rooms" -v hooks="$work/hooks" '
    function room(f) { sub(/^\.\//, "", f); if (f ~ /\//) { sub(/\/.*/, "", f); return f } sub(/\..*/, "", f); return f }
    BEGIN { n = split(rooms, name, " "); for (i = 1; i <= n; i++) place[name[i]] = i
            while ((getline line < hooks) > 0) allowed[line] = 1 }
    { a = room($1); b = room($2); f = $1; sub(/\.c$/, "", f)
      if (!(a in place)) { print "FAIL  " $1 " stands in no room of the order"; bad++; next }
      if (!(b in place)) { print "FAIL  " $2 " stands in no room of the order"; bad++; next }
      if (a == b) next
      if (place[b] < place[a]) calls[a, b] = 1
      else if ((f " " b) in allowed) { hooked[f " " b] = 1 }
      else { print "FAIL  " $1 " -> " $2 " (" $3 "): " a " comes before " b; bad++ } }
    END { for (i = 1; i <= n; i++) { line = ""; for (j = 1; j < i; j++) if ((name[i], name[j]) in calls) line = line " " name[j]; printf "%-9s calls%s\n", name[i], line == "" ? " nothing" : line }
          for (h in allowed) if (!(h in hooked)) { print "FAIL  the hook " h " is not needed any more"; bad++ }
          exit bad > 0 }' "$work/arrows" >"$work/report"
order=$?
cat "$work/report"
check "no arrow between rooms runs back" test $order = 0
small_headers() { # a declaration is a line that begins in column 1 and has parentheses, or a macro that stands for one
    local header n bad=0
    for header in *.h */*.h; do
        n=$(grep -cE '^[A-Za-z_].*\(.*\);?( */\*.*)?$' "$header")
        [ "$n" -le 60 ] || { echo "$header declares $n functions"; bad=1; }
    done
    return $bad
}
check "no header declares more than 60 functions" small_headers
small_folders() {
    local folder bad=0
    for folder in */; do
        [ "$(find "$folder" -type f | wc -l)" -le 40 ] || { echo "$folder holds $(find "$folder" -type f | wc -l) files"; bad=1; }
    done
    return $bad
}
check "no folder holds more than 40 files" small_folders
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
