# Terms in generated code that were renamed: with this, tests/same_output.sh BASE --substitute tests/same_output.sed finds
# what nncc writes today in what it wrote before this file was added (BASE: the commit before that).
s/\bteam_\(sum\|prod\|max\|min\)_/group_\1_/g
s/\bteams_\(sum\|prod\|max\|min\)_/groups_\1_/g
s/ of every thread of a team\b/ of every thread of a group/
s/\bparts \[/partials [/g
/^ \*\|^\/\*/!{
s/\bpart\([0-9]*\)\b/partial\1/g
s/\bparts\([0-9]*\)\b/partials\1/g
/nncc_philox\|uint64_t k = /!s/\bplace\([0-9]*\)\b/index\1/g
/nncc_philox\|uint64_t k = /s/\bplace\b/counter/g
}
