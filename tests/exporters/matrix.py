"""matrix.py NNCC FOLDER [JOBS] - what nncc makes of the cells in FOLDER/cells, as Markdown; counts go to stderr."""
import collections
import concurrent.futures
import os
import re
import subprocess
import sys

nncc, folder, jobs = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 2
cells = os.path.join(folder, "cells")
# Exporters whose networks have the same names stand side by side; a heading, the columns and what they are.
tables = [
    ("PyTorch", {"torch_dynamo": "torch.onnx.export(dynamo=True)", "torch_dynamic": "with dynamic shapes", "torch_opset23": "for opset 23",
                 "torch_script": "dynamo=False, dynamic axes, opset 17"}),
    ("transformers, random weights", {"hf_dynamo": "torch.onnx.export(dynamo=True)", "hf_script": "dynamo=False"}),
    ("Keras on TensorFlow", {"keras": 'model.export(format="onnx")'}),
    ("JAX", {"jax2onnx": "jax2onnx, opset 23"}),
    ("scikit-learn: classifiers", {"skl2onnx": "skl2onnx, with ZipMap", "skl2onnx_matrix": "zipmap=False"}),
    ("scikit-learn: regressors and transformers", {"skl2onnx_regressors": "regressors", "skl2onnx_transformers": "transformers"}),
    ("LightGBM and XGBoost", {"onnxmltools": "onnxmltools"}),
    ("ONNX Runtime's static quantisation of the dynamo=False files", {
        "ort_qdq_u8s8": "QDQ, u8 and s8", "ort_qdq_s8s8_channels": "QDQ, s8 per channel", "ort_qdq_u16s8": "QDQ, u16 and s8",
        "ort_qdq_s4": "QDQ, 4-bit weights", "ort_qoperator_u8s8": "QOperator", "ort_qoperator_s8s8_channels": "QOperator, s8 per channel"}),
    ("ONNX Runtime's dynamic and 4-bit quantisation", {
        "ort_dynamic_u8": "dynamic u8", "ort_dynamic_s8": "dynamic s8", "ort_matmul_4bits": "MatMulNBits",
        "ort_matmul_4bits_symmetric": "MatMulNBits, symmetric"}),
    ("Graphs that ONNX Runtime saved after its optimisation", {
        "ort_optimised_basic": "basic", "ort_optimised_extended": "extended", "ort_optimised_all": "all"}),
]
packages = ["torch", "transformers", "onnxruntime", "keras", "tensorflow", "tf2onnx", "jax", "jax2onnx", "scikit-learn", "skl2onnx", "lightgbm",
            "xgboost", "onnxmltools"]


def reasons(text):
    """The lines of nncc's summary: operator and reason, without nodes."""
    found = re.findall(r"^ *\d+ x  (\S+) +node '.*?'(?: and \d+ more)?: (?:input '.*?': )?([^;\n]*)", text, re.M)
    return sorted({f"{op}: {why}" for op, why in found}) or [line[:160] for line in text.splitlines() if "error" in line][:1] or [text[-160:]]


def judge(cell):
    path = os.path.join(cells, *cell)
    if os.path.exists(os.path.join(path, "failed")):
        stage, _, why = open(os.path.join(path, "failed")).read().partition(": ")
        return ("not exported" if stage == "export" else "not run", why.strip())
    try:
        p = subprocess.run([nncc, "verify", os.path.join(path, "model.onnx"), path], capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return "differs", "no answer in 300 s"
    said = p.stdout + p.stderr
    if p.returncode == 0:
        return "agrees", ""
    if p.returncode == 3:
        return "refused", "; ".join(reasons(said))
    return "differs", next((s.strip() for s in said.splitlines() if "WRONG" in s or "error: " in s), said[-160:])


def version(name):
    for f in sorted(os.listdir(folder)):
        if f.startswith("versions-"):
            for line in open(os.path.join(folder, f)):
                if line.lower().startswith(name + "=="):
                    return line.split("==")[1].strip()
    return None


def plain(text):
    return re.sub(r"[|`<>\x00-\x1f]", " ", text.replace(os.path.abspath(cells) + "/", ""))


todo = [(e, n) for _, columns in tables for e in columns if os.path.isdir(os.path.join(cells, e))
        for n in sorted(os.listdir(os.path.join(cells, e))) if not n.endswith(".new")]
with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
    results = dict(zip(todo, pool.map(judge, todo)))

kinds = ["agrees", "differs", "refused", "not run", "not exported"]
count = collections.Counter(kind for kind, _ in results.values())
runs = len(results) - count["not run"] - count["not exported"]
print("# What exporters write\n")
print("Written by `tests/exporters/run.sh`, which lets each exporter write the same small networks and compares what nncc makes of them with\n"
      "ONNX Runtime's outputs of the file as it is, without optimisation.\n")
print("Versions: " + ", ".join(f"{p} {version(p)}" for p in packages if version(p)) + ".\n")
print(f"{len(results)} cells: {count['not exported']} that the exporter refuses, {count['not run']} that ONNX Runtime does not run. "
      f"Of the other {runs}, **{count['agrees']} agree**\n({100 * count['agrees'] / max(1, runs):.1f} %), {count['differs']} differ, "
      f"{count['refused']} are refused.\n")
print("`=` agrees; `≠` differs; `r` refused by nncc; `.` ONNX Runtime does not run the file; `x` the exporter does not write it; "
      "a blank: not tried.")
sign = dict(zip(kinds, "=≠r.x"))
for title, columns in tables:
    names = sorted({n for e, n in results if e in columns})
    if not names:
        continue
    print(f"\n## {title}\n\n| network | {' | '.join(columns.values())} |\n|---|{':-:|' * len(columns)}")
    for n in names:
        print(f"| {n} | {' | '.join(sign[results[e, n][0]] if (e, n) in results else ' ' for e in columns)} |")
for kind, title in [("differs", "What differs"), ("refused", "What nncc refuses"), ("not run", "What ONNX Runtime does not run"),
                    ("not exported", "What is not exported")]:
    rows = [(f"{e}/{n}", why) for (e, n), (k, why) in sorted(results.items()) if k == kind]
    if rows:
        print(f"\n## {title}\n\n| file | why |\n|---|---|")
        for name, why in rows:
            print(f"| {name} | {plain(why)[:200]} |")
print(f"{count['agrees']} agree, {count['differs']} differ, {count['refused']} refused", file=sys.stderr)
