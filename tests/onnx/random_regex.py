"""Random regular expressions, and strings that are nearly as they say, against RE2 (PyPI's google-re2).

usage: random_regex.py NNCC [PATTERNS] [SEED]

A model has PER nodes of RegexFullMatch on the same strings; `nncc verify` compares it with RE2, interpreted, every fourth also as C. Then
PATTERNS texts of fragments, most of which are no expressions: what RE2 refuses nncc refuses, and the reverse, but for what `beyond` names.
A text that differs is printed; the same seed gives the same ones. Last line: N passed, N failed.
"""
import concurrent.futures
import os
import random
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import re2
from onnx import TensorProto, helper

from random_forms import telling, verify, write_set

PER, STRINGS, WIDTH = 20, 24, 60
ALPHABET = ["a", "b", "A", "K", "s", "0", "7", "_", " ", "-", ".", "\n", "é", "\u017f", "\u212a", "日", "😀", "\t", "@"]
ATOMS = ["a", "b", "K", "s", "0", "_", "é", "日", "😀", ".", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\.", r"\-", r"\n", r"\x41", r"\x{65E5}", r"\101",
         "[ab]", "[^a]", "[a-c0-9]", "[^\\w@]", "[é-日]", "[[:alpha:]_]", "[[:^digit:]]", "[]a]", "[^]a]", "[a-]", r"[\d\-]", r"[\x{1F600}b]", r"\Qa.b\E", "[[:space:]b]",
         r"[^\x{61}-\x{1F600}]"]
PLACES = ["^", "$", r"\b", r"\B", r"\A", r"\z"]
COUNTS = ["*", "+", "?", "{2}", "{1,}", "{0,3}", "{2,4}", "*?", "+?", "??", "{0}"]
FRAGMENTS = ATOMS + PLACES + COUNTS + ["(", ")", "|", "(?:", "(?i)", "(?s)", "(?m)", "(?i:", "(?P<n>", "(?", "[", "]", "{", "}", "\\", r"\_", r"\1", r"\8", r"\E", r"\Q", r"\C",
                                      "{3,2}", "{1001}", "{01}", "{,2}", "**", "a{2}{3}", "[b-a]", "[a-\\d]", "[[:no:]]", r"\x", r"\x{110000}", "(?z)", "(?-)", "(?=a)", "(?i-s)",
                                      "\\", r"\a", r"\Z", r"\h", "-", ":"]


def pattern(r, depth=3):
    if depth == 0 or r.random() < 0.3:
        return r.choice(PLACES) if r.random() < 0.12 else r.choice(ATOMS)
    if r.random() < 0.35:
        inner = pattern(r, depth - 1)
        head = r.choice(["(", "(?:", "(", "(?:", "(?s:", "(?m:", "(?P<n%d>" % r.getrandbits(30)])
        return head + inner + ")" + (r.choice(COUNTS) if r.random() < 0.6 else "")
    if r.random() < 0.3:
        return "(?:" + "|".join(pattern(r, depth - 1) for _ in range(r.randint(2, 3))) + ")"
    return "".join(pattern(r, depth - 1) for _ in range(r.randint(2, 4)))


def folded(text):
    """Letters of either case are ASCII's alone."""
    return text if any(ord(c) > 127 for c in text) or r"\x{" in text else "(?i)" + text


def compiled(text):
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error:
        return None


def strings(r, expressions):
    """At random, half of them prolonged as long as some expression goes on to like them."""
    found = {""}
    while len(found) < STRINGS:
        s = "".join(r.choice(ALPHABET) for _ in range(r.choice([1, 1, 2, 2, 3, 4, 6])))
        e = r.choice(expressions)
        for _ in range(12):
            if e.fullmatch(s):
                break
            at = r.randint(0, len(s))
            s = s[:at] + r.choice(ALPHABET) + s[at + r.randint(0, 1):]
        if len(s.encode()) < WIDTH:
            found.add(s)
    return np.array(sorted(found), dtype=object)


def model_of(texts, n):
    nodes = [helper.make_node("RegexFullMatch", ["x"], [f"y{i}"], pattern=t) for i, t in enumerate(texts)]
    outs = [helper.make_tensor_value_info(f"y{i}", TensorProto.BOOL, [n]) for i in range(len(texts))]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.STRING, [n])], outs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def differs(nncc, folder, texts, x, options):
    """The report of a model, None if it agrees."""
    expected = [np.array([compiled(t).fullmatch(s) is not None for s in x]) for t in texts]
    write_set(folder, model_of(texts, len(x)), {"x": x}, [f"y{i}" for i in range(len(texts))], expected)
    code, said = verify(nncc, folder, options)
    return said if code else None


def check(nncc, work, number, seed):
    r = random.Random(f"{seed}.{number}")
    texts = []
    while len(texts) < PER:
        t = pattern(r, r.randint(1, 4))
        t = folded(t) if r.random() < 0.3 else t
        if compiled(t):
            texts.append(t)
    x = strings(r, [compiled(t) for t in texts])
    reports = []
    for options in [["--interpret"]] + [["--cc", "cc -O1"]] * (number % 4 == 0):
        if differs(nncc, os.path.join(work, str(number)), texts, x, options) is None:
            continue
        for i, t in enumerate(texts):
            report = differs(nncc, os.path.join(work, f"{number}_{i}"), [t], x, options)
            if report:
                reports.append(f"FAIL  {' '.join(options)}: {t!r}: {telling(report)}")
    return PER - len(reports), reports


# What nncc does not have: classes of Unicode, letters of either case beyond ASCII.
beyond = ["not supported"]


def check_text(nncc, work, number, seed):
    r = random.Random(f"{seed}.text.{number}")
    text = "".join(r.choice(FRAGMENTS) for _ in range(r.randint(1, 6)))
    path = os.path.join(work, f"text{number}.onnx")
    onnx.save(model_of([text], 1), path)
    p = subprocess.run([nncc, path, "-o", os.devnull], capture_output=True, text=True, timeout=60)
    taken = compiled(text) is not None
    if p.returncode not in (0, 3) or (taken != (p.returncode == 0) and not any(b in p.stderr for b in beyond)):
        said = re.sub(r"\s+", " ", p.stderr)[-200:]
        return 0, [f"FAIL  {text!r}: RE2 {'takes' if taken else 'refuses'} it, nncc {p.returncode}: {said}"]
    return 1, []


def main():
    nncc, count = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    passed = failed = 0
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(check, nncc, work, k, seed) for k in range(-(-count // PER))]
        jobs += [pool.submit(check_text, nncc, work, k, seed) for k in range(count)]
        for j in jobs:
            right, reports = j.result()
            passed, failed = passed + right, failed + len(reports)
            for line in reports:
                print(line, flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
