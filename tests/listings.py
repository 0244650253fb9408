#!/usr/bin/env python3
"""Run the commands shown in Markdown files and compare what they print with what is shown.

usage: listings.py [--update] BIN FILE.md...
A block that begins with ```console holds lines "$ command" and their output; a line "…" stands for any lines. Commands run
in the repository's root with BIN first on the PATH. --update writes the files anew with the output as it is.
"""
import os, re, subprocess, sys


def run(command, path):
    env = dict(os.environ, PATH=path + os.pathsep + os.environ["PATH"])
    p = subprocess.run(command, shell=True, env=env, capture_output=True, text=True)
    return (p.stdout + p.stderr).rstrip("\n").split("\n")


def matches(shown, got):
    """Whether the lines agree; … stands for any number of them."""
    if not shown: return not got or got == [""]
    if shown[0] == "…": return any(matches(shown[1:], got[i:]) for i in range(len(got) + 1))
    return bool(got) and shown[0].rstrip() == got[0].rstrip() and matches(shown[1:], got[1:])


def commands(block):
    parts = re.split(r"^\$ (.*)$", block, flags=re.M)[1:]
    return [(c, out.strip("\n").split("\n") if out.strip("\n") else []) for c, out in zip(parts[::2], parts[1::2])]


def main():
    args = [a for a in sys.argv[1:] if a != "--update"]
    update, path, passed, failed = "--update" in sys.argv, os.path.abspath(args[0]), 0, 0
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    for name in args[1:]:
        text = open(name).read()
        for block in re.findall(r"^```console\n(.*?)^```", text, flags=re.M | re.S):
            new = ""
            for command, shown in commands(block):
                got = run(command, path)
                ok = matches(shown, got)
                passed, failed = passed + ok, failed + (not ok and not update)
                new += f"$ {command}\n" + "\n".join(shown if ok else got) + "\n"
                if not ok and not update: print(f"{name}: $ {command}\n  shown:\n    " + "\n    ".join(shown) + "\n  got:\n    " + "\n    ".join(got))
            if update: text = text.replace(block, new)
        if update: open(name, "w").write(text)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
