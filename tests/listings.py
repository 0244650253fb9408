#!/usr/bin/env python3
"""Run the commands shown in Markdown files and compare what they print with what is shown; check the figures in their text.

usage: listings.py [--update] BIN [FILE.md...]      without files: those that CI checks
A block that begins with ```console holds lines "$ command" and their output; a line "…" stands for any lines. Commands run
in the repository's root with BIN first on the PATH. --update writes the files anew with the output as it is.

<!-- figures: COMMAND --> before a paragraph, a list, a table or a block: each line that the command prints stands in it.
Every other figure (a decimal fraction, a percentage, thousands with a comma, a number with a unit; no versions) is under a
heading under which something is "measured on" a date, in the same file.
"""
import glob, os, re, subprocess, sys

DOCUMENTS = ["README.md", "docs/manual.md", "compiler/README.md", "models/README.md", "models/COURSE.md", "tests/README.md", "tests/bench/*.md"]


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


FIGURE = re.compile(r"(?<![\w.^/-])\d[\d,]*(?:\.\d+(?:e-?\d+)?|,\d{3}| ?%| (?:bytes|[kKMG]B|m?s|µs|ulp|minutes|seconds|GFLOP/s)\b)(?![\w.])")
VERSION = re.compile(r"(?:CMake|gcc|clang|Clang|nncc|opset|Runtime|onnx|OpenVINO|PyTorch|NVRTC|CUDA|IR|onnxruntime|openvino|Debian|BY-SA|PyPI)(?: \(.*?\))? [\d.]+\S*")
DATED = re.compile(r"[Mm]easured.*?(?:January|February|March|April|May|June|July|August|September|October|November|December) 20\d\d", re.S)
MARK = re.compile(r"<!-- figures: (.*?) -->\n")


MARKED = re.compile(r"(?:<!-- figures: .*? -->\n)+(```(?:.|\n)*?\n```|(?:.+\n?)+)")  # up to a blank line, or a block's end


def check_marks(name, text, path):
    wrong = []
    for m in MARKED.finditer(text):
        body = m.group(1)
        for command in MARK.findall(m.group(0)):
            for line in run(command, path):
                if not line or line not in body: wrong.append(f"{name}: {line!r}, which `{command}` prints, is not in:\n    " + body[:300])
    return wrong


def check_figures(name, text):
    """Figures that no mark and no date stands for."""
    text = re.sub(r"^```.*?^```", "", MARKED.sub("", text), flags=re.M | re.S)
    wrong = []
    for section in re.split(r"^#+ ", text, flags=re.M):
        if DATED.search(section): continue
        for line in section.split("\n"):
            for figure in FIGURE.findall(VERSION.sub("", line)): wrong.append(f"{name}: {figure!r} is neither checked nor measured on a date: {line[:120]}")
    return wrong


def main():
    args = [a for a in sys.argv[1:] if a != "--update"]
    update, path, passed, failed = "--update" in sys.argv, os.path.abspath(args[0]), 0, 0
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    for name in args[1:] or [f for pattern in DOCUMENTS for f in sorted(glob.glob(pattern))]:
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
        wrong = check_marks(name, text, path) + check_figures(name, text)
        passed, failed = passed + (not wrong), failed + (len(wrong) if not update else 0)
        for line in wrong: print(line)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
