"""usage: bench_json.py NNCC ROOT: `nncc bench --json` has the fields that docs/manual.md lists, of their types, and they fit each other."""
import json
import os
import re
import subprocess
import sys
import tempfile

nncc, root = sys.argv[1:]
TYPES = {"number": (int, float), "string": str, "object": dict, "array": list}


def documented():
    """Paths of the manual's table with their types; `total` has a step's fields, which are said once."""
    with open(os.path.join(root, "docs", "manual.md")) as f:
        table = f.read().split("| field | type | meaning |\n")[1].split("\n\n")[0]
    rows = [line.split(" | ") for line in table.split("\n")[1:]]
    found = {path: TYPES[kind] for paths, kind, _ in rows for path in re.findall(r"`([^`]+)`", paths)}
    step = {path: kind for path, kind in found.items() if path.startswith("steps[].")}
    return found | {path.replace("steps[]", "total"): kind for path, kind in list(step.items())[3:]}


def paths_of(value, at=""):
    """Each path in it, with its type."""
    if isinstance(value, dict):
        for key, inner in value.items():
            path = f"{at}.{key}" if at else key
            yield path, type(inner)
            yield from paths_of(inner, path)
    elif isinstance(value, list):
        for inner in value:
            yield from paths_of(inner, at + "[]")


def bench(model, *options):
    done = subprocess.run([nncc, "bench", model, "--json", *options], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return json.loads(done.stdout)


def near(a, b, part=1e-3):
    return abs(a - b) <= part * max(abs(a), abs(b), 1e-3)


def check_fields(got):
    want, seen = documented(), {}
    for path, kind in paths_of(got):
        seen[path] = kind
        assert path in want, f"{path} is not in the manual"
        assert issubclass(kind, want[path]), f"{path} is {kind}, expected {want[path]}"
    missing = want.keys() - seen.keys()
    assert not missing, f"the manual lists what is not printed: {missing}"


def check_rates(got):
    peak = got["peak"]
    assert peak["gflops"] > 0.1 and peak["gbytes"] > 0.1, peak
    for row in got["steps"] + [got["total"]]:
        assert row["us"] > 0 and row["spread"] >= 0, row
        assert near(row["gflops"], 2e-3 * row["macs"] / row["us"]) and near(row["gbytes"], 1e-3 * row["bytes"] / row["us"]), row
        assert near(row["of_flops"], row["gflops"] / peak["gflops"], 1e-2) or row["of_flops"] < 0.01, row
        assert near(row["of_bytes"], row["gbytes"] / peak["gbytes"], 1e-2) or row["of_bytes"] < 0.01, row
    for field in "macs", "bytes":
        assert sum(row[field] for row in got["steps"]) == got["total"][field]


def written(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write(text)
    return path


with tempfile.TemporaryDirectory() as folder:
    mnist = bench(os.path.join(root, "models", "mnist.onnx"), "--runs=5", "--target=sse2" if os.uname().machine == "x86_64" else "--target=c", "--cc", "cc -O1 -DUNUSED")
    check_fields(mnist), check_rates(mnist)
    assert mnist["runs"] == 5 and mnist["total"]["macs"] == 1031744 and [s["step"] for s in mnist["steps"]] == list(range(7))
    assert mnist["compiler"] == "cc" and mnist["flags"].startswith("-std=gnu11 -O3 ") and mnist["flags"].endswith(" -O1 -DUNUSED"), mnist["flags"]
    assert mnist["compiler_version"], mnist

    # A tensor of which a few rows are read counts by its rows: 3 of 4 floats, read and written, and 3 indices of 8 bytes.
    gather = "param %t: f32[1000,4] = he_normal\nnetwork @f(%i: i64[3]) { %y = Gather(%t, %i) return %y }\n"
    (step,) = bench(written(folder, 'with "quotes" \\ and ä.nn', gather), "--runs=1")["steps"]
    assert step["bytes"] == 2 * 3 * 4 * 4 + 3 * 8 and step["macs"] == 0 and step["gflops"] == 0, step
    # One that is read again and again counts once: x and w of a product, and its result.
    product = "network @f(%x: f32[8,16], %w: f32[16,32]) { %y = MatMul(%x, %w) return %y }\n"
    (step,) = bench(written(folder, "product.nn", product), "--runs=1")["steps"]
    assert step["bytes"] == 4 * (8 * 16 + 16 * 32 + 8 * 32) and step["macs"] == 8 * 16 * 32, step

    nothing = bench(written(folder, "nothing.nn", "network @f(%x: f32[0]) { return %x }\n"))
    assert nothing["runs"] == 0 and nothing["steps"] == [] and nothing["total"]["us"] == 0
