"""operator_lines.py NNCC - how many lines an operator takes, by domain: median, largest, and which that is.

An operator's lines are those of its row of ops.def and of the functions that only this row leads to: those that it names, and what they
call. Functions that several rows lead to count for none. NNCC lists the domains; ctags (Universal) finds functions."""
import collections
import os
import re
import statistics
import subprocess
import sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "compiler")
rows = {}  # name: text
with open(os.path.join(root, "ops", "ops.def")) as f:
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), f.read(), flags=re.S)
for m in re.finditer(r"^(MAP|RED|DEF|OP|NAMED)\((\w+),\s*(\w+)", text, re.M):
    depth, end, quoted = 0, m.start(), False
    while end < len(text):
        c = text[end]
        if c == '"' and text[end - 1] != "\\":
            quoted = not quoted
        elif not quoted and c in "()":
            depth += 1 if c == "(" else -1
            if c == ")" and not depth:
                break
        end += 1
    rows[m[3] if m[1] == "NAMED" else m[2], m[2]] = text[m.start():end + 1]

domain_of, domain = {}, None
for line in subprocess.run([sys.argv[1], "--list-ops=md"], capture_output=True, text=True, check=True).stdout.splitlines():
    if line.startswith("## "):
        domain = line[3:].strip()
    elif line.startswith("| ") and domain and not line.startswith("| operator"):
        domain_of.setdefault(line[2:].split(" | ")[0], []).append(domain)

files = [os.path.join(d, f) for d, _, names in os.walk(root) for f in names if f.endswith(".c")]
tags = subprocess.run(["ctags", "-x", "--c-kinds=f", "--_xformat=%N\t%n\t%e\t%F", *files], capture_output=True, text=True, check=True).stdout
body, by_name = {}, collections.defaultdict(list)
lines = {}
for line in tags.splitlines():
    name, begin, end, path = line.split("\t")
    if path not in lines:
        lines[path] = open(path).read().split("\n")
    if end.isdigit():
        body[name, path] = lines[path][int(begin) - 1:int(end)]
        by_name[name].append(path)


def called(text, path):
    for word in set(re.findall(r"\w+", text)):
        paths = by_name.get(word, [])
        for p in [path] if path in paths else paths:
            yield word, p


reached = {}
for key, row in rows.items():
    todo, seen = list(called(row, None)), set()
    while todo:
        f = todo.pop()
        if f not in seen:
            seen.add(f)
            todo += called("\n".join(body[f][1:]), f[1])
    reached[key] = seen
users = collections.Counter(f for seen in reached.values() for f in seen)
taken = collections.defaultdict(list)
for (name, ident), row in rows.items():
    own = row.count("\n") + 1 + sum(len(body[f]) for f in reached[name, ident] if users[f] == 1)
    of = domain_of.get(name) or domain_of.get(ident) or ["of nncc's own"]
    other = re.match(r"^NAMED", row) and len(of) > 1
    taken[of[-1 if other else 0]].append((own, name))
print("| domain | operators | median | largest |\n|---|--:|--:|---|")
for domain, all_of in taken.items():
    most = max(all_of)
    print(f"| {domain} | {len(all_of)} | {statistics.median(n for n, _ in all_of):g} | {most[0]}, {most[1]} |")
