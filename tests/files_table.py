#!/usr/bin/env python3
"""Write the table of files in compiler/README.md from the first sentence of each file: rooms in the order that rooms.sh checks.

usage: files_table.py [--check]      --check: only say what differs
"""
import os, re, sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
compiler = os.path.join(root, "compiler")
readme = os.path.join(compiler, "README.md")
with open(os.path.join(root, "tests", "rooms.sh")) as file: order = re.search(r"^rooms='(.*)'$", file.read(), re.M).group(1).split()
ROOMS = [""] + [room for room in order if os.path.isdir(os.path.join(compiler, room))]
BEGIN, END = "<!-- files: python3 tests/files_table.py writes what follows -->\n", "<!-- end of files -->\n"
faults = []


def sentence(path):
    """What the comment on top of a file says behind `name - `, to the end of its first sentence."""
    with open(os.path.join(compiler, path)) as file: text = file.read(2000)
    name = os.path.basename(path)
    found = re.match(r"/\* (\S+) - (.*?)(?:\*/|\.\s|\.?\n \*\n)", text, re.S)
    if not found or found.group(1) not in (name, os.path.splitext(name)[0]):
        faults.append(f"compiler/{path}: its first line is not '/* {name} - what the file does'")
        return ""
    said = re.sub(r"\s*\n \*?\s*", " ", found.group(2)).strip().rstrip(".:")
    return re.sub(r"([|*<]|_(?=_)|(?<=_)_)", r"\\\1", said)


def rows(room):
    """A row for NAME.c and NAME.h, told by the former but for the room's own header, and one for each table; the room's own file first."""
    own, files = room or "main", {}
    for name in os.listdir(os.path.join(compiler, room)):
        stem, ending = os.path.splitext(name)
        if ending in (".c", ".h", ".def"): files.setdefault((stem != own, stem, ending == ".def"), []).append(name)
    for (other, *_), names in sorted(files.items()):
        names.sort(reverse=not other)
        said = [sentence(os.path.join(room, name)) for name in names]
        yield f"| {' '.join(f'`{name}`' for name in names)} | {said[0]} |"


def table():
    unknown = {d for d in os.listdir(compiler) if os.path.isdir(os.path.join(compiler, d))} - set(ROOMS)
    faults.extend(f"compiler/{d}/ has no place in the order of tests/rooms.sh" for d in sorted(unknown))
    lines = []
    for room in ROOMS:
        lines += ["", f"### {room}/" if room else "### The command", "", "| file | what it does |", "|---|---|", *rows(room)]
    return "\n".join(lines[1:]) + "\n"


with open(readme) as file: text = file.read()
if text.count(BEGIN) != 1 or text.count(END) != 1: sys.exit(f"{readme}: the table stands between {BEGIN.strip()} and {END.strip()}")
before, rest = text.split(BEGIN)
old, after = rest.split(END)
new = table()
if faults: sys.exit("\n".join(faults))
if "--check" not in sys.argv:
    with open(readme, "w") as file: file.write(before + BEGIN + new + END + after)
elif old != new:
    differ = [line for line in set(old.split("\n")) ^ set(new.split("\n"))]
    sys.exit("compiler/README.md: the table of files is not what their first lines say (python3 tests/files_table.py writes it):\n" + "\n".join(sorted(differ)))
