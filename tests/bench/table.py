"""usage: table.py [--check | --readme | --readme-train | --gemm ROWS]: writes RESULTS.md, RESULTS-train.md and the tables in README.md from
figures/KIND.json and figures/train/KIND.json, a file for each kind of machine.

--check only says what is not current; --readme and --readme-train print the rows of a table of README, for its mark. --gemm puts rows of
gemm.sh into RESULTS-gemm.md, in place of those of the same kind of machine.
A file: `kind`, `measured` (a day), `machine`, `commit`, `how`, `quiet` (whether the machine was found quiet), `columns`, and `networks` by
name: `ms` and `spread` by column, `error`; of training `batch`. `summary` by column is for figures of which no more was kept than what it
says.
"""
import json
import math
import os
import re
import sys

import machine

HERE = os.path.dirname(os.path.abspath(__file__))
FIGURES, TRAINING = os.path.join(HERE, "figures"), os.path.join(HERE, "figures", "train")
README = os.path.join(HERE, "..", "..", "README.md")
MARK, TRAIN_MARK = (f"<!-- figures: python3 tests/bench/table.py {option} -->\n" for option in ("--readme", "--readme-train"))
RATIOS = [("default", "ort"), ("native", "ort"), ("default", "openvino"), ("native", "openvino")]
SHORT = {"default": "default", "native": "native", "ort": "ONNX Runtime", "openvino": "OpenVINO"}


def write_figures(path, figures):
    """One line for each column and each network, so that a new run is a small difference."""
    lines = lambda items: ",\n".join("  " + item for item in items)
    head = {k: v for k, v in figures.items() if k not in ("columns", "networks")}
    parts = [f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in head.items()]
    parts.append('"columns": [\n' + lines(json.dumps(c, ensure_ascii=False) for c in figures["columns"]) + "\n]")
    parts.append('"networks": {\n' + lines(f"{json.dumps(n)}: {json.dumps(v)}" for n, v in figures["networks"].items()) + "\n}")
    with open(path, "w") as f:
        f.write("{\n" + ",\n".join(parts) + "\n}\n")


def read_figures(folder=FIGURES):
    """Those of all kinds, the widest instruction set first."""
    found = []
    for name in filter(lambda name: name.endswith(".json"), os.listdir(folder)):
        with open(os.path.join(folder, name)) as f:
            found.append(json.load(f))
        if found[-1]["kind"] + ".json" != name:
            sys.exit(f"{name} holds figures of {found[-1]['kind']}: expected a file of that name")
    order = list(machine.KINDS)
    return sorted(found, key=lambda f: (order.index(f["kind"]) if f["kind"] in order else len(order), f["kind"]))


def ratio(figures, name, ours, theirs):
    ms = figures["networks"].get(name, {}).get("ms", {})
    return ms[ours] / ms[theirs] if ours in ms and theirs in ms else None


def mean_ratio(figures, ours, theirs):
    """As text: the geometric mean over all networks that both ran, or what was kept in its place."""
    found = [r for name in figures["networks"] if (r := ratio(figures, name, ours, theirs))]
    kept = figures.get("summary", {}).get(ours) if theirs == "ort" else None
    return f"{math.exp(sum(map(math.log, found)) / len(found)):.3f}" if found else kept or "–"


def title_of(kind):
    return machine.TITLES.get(kind, kind)


def short_name(figures):
    return figures["machine"].split(" (")[0]


def ours(figures):
    return [c for c in figures["columns"] if c["engine"] == "nncc"]


def column_title(c):
    if c["engine"] == "nncc":
        return " ".join(filter(None, ["nncc", c["options"]])) + f", {c['cc']} {c['flags']}"
    name = c["engine"].rsplit(" ", 1)[0]
    return name + (f", {c['threads']} threads" if c["threads"] > 1 else "")


def described(figures):
    """What was measured, and how: lines of a list."""
    lines = [f"- measured on {figures['measured']}, nncc {figures['commit']}: {figures['how']}"]
    lines.append(f"- machine: {figures['machine']}" + ("" if figures["quiet"] else "; nothing checked whether others used it"))
    lines += [f"- `{column_title(c)}`: {c['compiler']}" for c in ours(figures)]
    lines += [f"- {c['engine']}: {c['settings']}" for c in figures["columns"] if c.get("threads") == 1]
    return lines


def row(cells):
    return "| " + " | ".join(cells) + " |"


def head(cells):
    return [row(cells), "|---|" + "--:|" * (len(cells) - 1)]


def head_of_times(figures):
    return head(["network"] + [column_title(c) for c in figures["columns"]] + ["spread", "error"])


def row_of_times(figures, name):
    net = figures["networks"][name]
    times = [f"{net['ms'][c['id']]:.4g}" if c["id"] in net["ms"] else "–" for c in figures["columns"]]
    spread = f"{100 * max(net['spread'].values()):.0f} %" if net.get("spread") else "–"
    return row([name] + times + [spread, f"{net['error']:.0e}"])


def last_of_times(figures):
    means = [mean_ratio(figures, c["id"], "ort") for c in figures["columns"]]
    return row(["over ONNX Runtime's, geometric mean"] + means + ["", ""])


def ratios_table(all_figures):
    names = sorted({n for f in all_figures for n in f["networks"]})
    short = [f"{title_of(f['kind'])}: {SHORT[a]} / {SHORT[b]}" for f in all_figures for a, b in RATIOS]
    lines = head(["network"] + short)
    for n in names:
        found = [ratio(f, n, a, b) for f in all_figures for a, b in RATIOS]
        lines.append(row([n] + [f"{r:.2f}" if r else "–" for r in found]))
    return lines + [row(["geometric mean"] + [mean_ratio(f, a, b) for f in all_figures for a, b in RATIOS])]


INTRODUCTION = """# One inference beside ONNX Runtime and OpenVINO

Written by `tests/bench/table.py` from `tests/bench/figures/`, which holds a file for each kind of machine; `tests/bench/run.sh` measures
on the machine that it runs on, replaces that kind's file, and leaves the others as they are. Everything runs on one core, batch and
lengths as in the model, all called from the same Python loop in turns, and times are medians. *default* is the file that nncc writes
without `--target`, compiled with `cc -O2`; *native* that of `--target=native`, with `-O3 -march=native`. Ratios are nncc's time over
that of the other with one thread: below 1 nncc is faster.
"""
TIMES = """Milliseconds. *spread*: between the quartiles of a column's rounds, over its median, the largest of all columns. *error*: nncc's largest
difference from ONNX Runtime's unoptimised graph, relative to the largest value."""


def results(all_figures):
    lines = [INTRODUCTION]
    lines += [f"- {title_of(f['kind'])}: {short_name(f)}, measured on {f['measured']}" for f in all_figures]
    lines += ["", *ratios_table(all_figures)]
    for f in all_figures:
        lines += ["", f"## {title_of(f['kind'])}", "", *described(f)]
        lines += ["", TIMES, "", *head_of_times(f), *(row_of_times(f, n) for n in f["networks"]), last_of_times(f)]
    return "\n".join(lines) + "\n"


def readme_rows(all_figures):
    """A row for each way to compile, a column for each kind."""
    count = max(len(f["networks"]) for f in all_figures)
    heads = [f"{title_of(f['kind'])}: {short_name(f)}, {f['measured']}" for f in all_figures]
    lines = head([f"geometric mean of [{count} networks](tests/bench/RESULTS.md)"] + heads)
    ways = {c["id"]: c for f in reversed(all_figures) for c in reversed(ours(f))}
    for id, c in sorted(ways.items(), key=lambda w: (w[0] != "default", w[0] != "native")):
        made = f"`{c['options']}`" if c["options"] else "the default"
        lines.append(row([f"{made}, `{c['cc']} {c['flags']}`"] + [mean_ratio(f, id, "ort") for f in all_figures]))
    return lines


# ---- training ----

TRAIN_INTRODUCTION = """# One training step beside PyTorch

Written by `tests/bench/table.py` from `tests/bench/figures/train/`, a file for each kind of machine, which `tests/bench/train.sh` measures:
forward, backward and Adam on one core, dropout on, all in one process in turns; milliseconds are medians. PyTorch has its fused Adam. The
last column of each kind is nncc's time over the shortest of PyTorch's.
"""


def step_ratio(figures, name):
    ms = figures["networks"].get(name, {}).get("ms")
    return f"{ms['nncc'] / min(t for c, t in ms.items() if c != 'nncc'):.2f}" if ms else "–"


def step_titles(figures):
    return ["nncc"] + [f"PyTorch {c['settings']}" for c in figures["columns"] if c["id"] != "nncc"] + ["nncc / PyTorch"]


def step_cells(figures, name):
    ms = figures["networks"].get(name, {}).get("ms", {})
    return [f"{ms[c['id']]:.2f}" if c["id"] in ms else "–" for c in figures["columns"]] + [step_ratio(figures, name)]


def steps_described(figures):
    """What was measured, and how: one line of a list."""
    c, quiet = ours(figures)[0], "" if figures["quiet"] else "; nothing checked whether others used it"
    torch = next(c["engine"] for c in figures["columns"] if c["id"] != "nncc")
    made = f"`{column_title(c)}`, {c['compiler']}"
    return f"- {title_of(figures['kind'])}: measured on {figures['measured']}, nncc {figures['commit']}, {figures['how']}: {made}, {torch}; {figures['machine']}{quiet}"


def train_results(all_figures):
    """One table with a group of columns for each kind."""
    batch = {n: net["batch"] for f in reversed(all_figures) for n, net in f["networks"].items()}
    lines = [TRAIN_INTRODUCTION, *map(steps_described, all_figures), ""]
    lines += head(["network", "batch"] + [f"{title_of(f['kind'])}: {t}" for f in all_figures for t in step_titles(f)])
    lines += [row([n, str(batch[n])] + [cell for f in all_figures for cell in step_cells(f, n)]) for n in batch]
    return "\n".join(lines) + "\n"


def readme_train_rows(all_figures):
    names = list({n: 0 for f in all_figures for n in f["networks"]})
    lines = head(["[one training step](tests/bench/RESULTS-train.md)"] + [f"{title_of(f['kind'])}: {short_name(f)}, {f['measured']}" for f in all_figures])
    return lines + [row([n] + [step_ratio(f, n) for f in all_figures]) for n in names]


# ---- documents ----


def with_table(text, rows, mark=MARK):
    """The document with these rows behind its mark, up to the next blank line."""
    return re.sub(re.escape(mark) + r"(?:\|.*\n)*", lambda _: mark + "\n".join(rows) + "\n", text)


def with_gemm_rows(text, rows):
    """The document with these rows in place of those of their kind, the widest instruction set first."""
    kind = lambda line: line[2:].split(":")[0]
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|--")) + 1
    order = list(machine.TITLES.values())
    kept = [line for line in lines[first:] if kind(line) not in map(kind, rows)] + rows
    return "\n".join(lines[:first] + sorted(kept, key=lambda line: order.index(kind(line)) if kind(line) in order else len(order))) + "\n"


def read(path):
    with open(path) as f:
        return f.read()


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def main(words):
    if words[:1] == ["--gemm"] and len(words) == 2:
        path = os.path.join(HERE, "RESULTS-gemm.md")
        return write(path, with_gemm_rows(read(path), read(words[1]).splitlines()))
    inference, training = read_figures(), read_figures(TRAINING)
    rows, train_rows = readme_rows(inference), readme_train_rows(training)
    printed = {"--readme": rows, "--readme-train": train_rows}
    if len(words) == 1 and words[0] in printed:
        return print("\n".join(printed[words[0]]))
    if words not in ([], ["--check"]):
        sys.exit(__doc__)
    documents = {
        os.path.join(HERE, "RESULTS.md"): results(inference),
        os.path.join(HERE, "RESULTS-train.md"): train_results(training),
        README: with_table(with_table(read(README), rows), train_rows, TRAIN_MARK),
    }
    for path, text in documents.items():
        if words and read(path) != text:
            sys.exit(f"{os.path.relpath(path)} is not what table.py writes: run python3 tests/bench/table.py")
        if not words:
            write(path, text)


if __name__ == "__main__":
    main(sys.argv[1:])
