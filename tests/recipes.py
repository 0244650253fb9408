#!/usr/bin/env python3
"""Apply the recipes of CONTRIBUTING.md to a copy of the repository. usage: recipes.py CONTRIBUTING.md TREE

A recipe is a section whose heading ends in ": N files"; it has N of these, each with the text of the block behind it:

    `FILE`, a new file:
    `FILE`, at the end:
    `FILE`, behind `TEXT`:          behind the row, or the line, that begins so (but for blanks)
    `FILE`, in place of `TEXT`:     which stands there once
    `FILE`, written by:             a command for the shell, run when all are applied and built

Prints the files; TREE/commands holds the commands. Fails if anything does not fit.
"""
import os, re, sys

STEP = re.compile(r"^`([^`]+)`, (a new file|at the end|behind|in place of|written by)(?: `([^`]+)`)?:\n\n```\w*\n(.*?)^```$", re.M | re.S)


def behind(path, text, anchor, block):
    """Rows of tables go on in lines that are indented."""
    lines = text.splitlines(True)
    at = [i for i, line in enumerate(lines) if line.lstrip().startswith(anchor)]
    if len(at) != 1: sys.exit(f"{path}: {len(at)} lines begin with {anchor!r}")
    indent = lambda line: len(line) - len(line.lstrip())
    end = at[0] + 1
    while end < len(lines) and lines[end].strip() and indent(lines[end]) > indent(lines[at[0]]): end += 1
    return "".join(lines[:end]) + block + "".join(lines[end:])


def apply(tree, path, how, anchor, block):
    full = os.path.join(tree, path)
    if how == "a new file":
        if os.path.exists(full): sys.exit(f"{path} is there already")
        text = block
    else:
        with open(full) as file: text = file.read()
        if how == "at the end": text += block
        elif how == "behind": text = behind(path, text, anchor, block)
        elif text.count(anchor) != 1: sys.exit(f"{path}: {anchor!r} stands there {text.count(anchor)} times")
        else: text = text.replace(anchor, block.rstrip("\n"))
    with open(full, "w") as file: file.write(text)


def main(document, tree):
    with open(document) as file: sections = re.split(r"^## ", file.read(), flags=re.M)[1:]
    commands, touched = [], set()
    for section in sections:
        title, stated = re.match(r"(.*?)(?:: (\d+) files?)?$", section, re.M).groups()
        steps = STEP.findall(section)
        files = {path for path, *_ in steps}
        if section.count("```") != 2 * len(steps): sys.exit(f"{title}: a block without a line that says where it belongs")
        if len(files) != int(stated or 0): sys.exit(f"{title}: states {stated} files, touches {len(files)}")
        for path, how, anchor, block in steps:
            if how == "written by": commands += [block] if block not in commands else []
            else: apply(tree, path, how, anchor, block)
        touched |= files
        print(f"{title}: {len(files)} files", file=sys.stderr)
    with open(os.path.join(tree, "commands"), "w") as file: file.write("".join(commands))
    print("\n".join(sorted(touched)))


main(*sys.argv[1:])
