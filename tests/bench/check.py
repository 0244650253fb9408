"""usage: check.py TEST: what the benchmark decides, on figures made up here; check.sh lists the tests."""
import os
import sys
import tempfile

import machine
import table

XEON = {"model name": "Intel(R) Xeon(R) Processor", "cpu family": "6", "model": "207", "flags": "sse2 avx2 fma avx512f avx512vl"}
EPYC = {"model name": "AMD EPYC 7763 64-Core Processor", "cpu family": "25", "model": "1", "flags": "sse2 avx2 fma"}


def kinds():
    assert machine.kind(XEON) == "avx512" and machine.kind(EPYC) == "avx2" and machine.kind({"flags": "sse2 fma"}) == "sse2"
    assert machine.kind({"Features": "fp asimd"}) == "neon"
    assert machine.describe(EPYC).startswith("AMD EPYC (family 25, model 1), ") and machine.describe(EPYC).endswith("; avx2 fma")


def watch(seconds, worked, stolen, own):
    """A watch over so long, in which so much was done."""
    times = iter([100.0, 100.0 + seconds])
    reads = iter([(7.0, 1.0), (7.0 + worked, 1.0 + stolen)])
    owns = iter([3.0, 3.0 + own])
    return machine.Watch(machine=lambda: next(reads), own=lambda: next(owns), clock=lambda: next(times))


def quiet():
    assert watch(10, 10.4, 0.1, 10).fault("then") is None
    assert watch(10, 11, 0.1, 10).fault("then") == "the machine is busy: expected at most 5 % of a core used by others, saw 10 % then"
    assert watch(2, 0, 0.5, 0).fault("then") == "the machine is busy: expected at most 2 % of a core stolen by the hypervisor, saw 25 % then"
    assert machine.unsteady([0.1] * 6 + [0.104] * 4 + [0.3] * 2) is None  # the two longest do not count
    assert machine.unsteady([0.1] * 9 + [0.12] * 3) == "the machine is unsteady: expected 10 of 12 runs of one loop within 5 %, saw 20 %"


def stat():
    with tempfile.NamedTemporaryFile("w") as f:
        f.write("cpu  100 20 30 4000 500 6 7 80 90 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
        f.flush()
        ticks = os.sysconf("SC_CLK_TCK")
        assert machine.machine_seconds(f.name) == (163 / ticks, 80 / ticks)


def waits():
    answers = iter(["busy", "busy", None, "busy"])
    machine.not_quiet, machine.time.sleep = lambda: next(answers), lambda seconds: None
    assert machine.wait_until_quiet(0) == "busy" and machine.wait_until_quiet(1) is None


def figures_of(kind, times, **more):
    columns = [{"id": i, "engine": "nncc", "options": o, "cc": "cc", "flags": f, "compiler": "cc 1"} for i, o, f in (("default", "", "-O2"), ("native", "--target=native", "-O3"))]
    columns += [{"id": i, "engine": e, "threads": 1, "settings": "best"} for i, e in (("ort", "ONNX Runtime 1"), ("openvino", "OpenVINO 1"))]
    networks = {n: {"ms": dict(zip(("default", "native", "ort", "openvino"), ms)), "spread": {"ort": 0.01}, "error": 1e-6} for n, ms in times.items()}
    base = {"kind": kind, "measured": "1 May 2026", "machine": "Made Up (model 1), 2 cores", "commit": "abc", "how": "rounds", "quiet": True}
    return base | more | {"columns": columns, "networks": networks}


def side_by_side():
    """A run on one kind of machine changes that kind's columns alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = lambda kind: os.path.join(folder, kind + ".json")
        table.write_figures(path("avx512"), figures_of("avx512", {"a": (3.0, 1.0, 2.0, 4.0), "b": (3.0, 4.0, 2.0, 1.0)}))
        table.write_figures(path("avx2"), figures_of("avx2", {}, summary={"native": "0.5 to 0.6"}))
        before = table.results(table.read_figures(folder))
        kept = open(path("avx512")).read()
        assert "| a | 1.50 | 0.50 | 0.75 | 0.25 | – | – | – | – |" in before, before
        assert "| geometric mean | 1.500 | 1.000 | 1.500 | 1.000 | – | 0.5 to 0.6 | – | – |" in before, before
        table.write_figures(path("avx2"), figures_of("avx2", {"a": (8.0, 6.0, 2.0, 4.0)}))
        after = table.results(table.read_figures(folder))
        assert open(path("avx512")).read() == kept
        assert "| a | 1.50 | 0.50 | 0.75 | 0.25 | 4.00 | 3.00 | 2.00 | 1.50 |" in after, after
        section = lambda text: text[text.index("## AVX-512") : text.index("## AVX2")]
        assert section(before) == section(after)
        rows = table.readme_rows(table.read_figures(folder))
        assert "| the default, `cc -O2` | 1.500 | 4.000 |" in rows and "| `--target=native`, `cc -O3` | 1.000 | 3.000 |" in rows, rows
        document = f"before\n{table.MARK}| old |\n\nafter\n"
        assert table.with_table(document, rows) == f"before\n{table.MARK}" + "\n".join(rows) + "\n\nafter\n"


def training():
    """Two kinds side by side, of which one measured a network less."""

    def made(kind, **ms):
        columns = [{"id": "nncc", "engine": "nncc", "options": "--train", "cc": "cc", "flags": "-O3", "compiler": "cc 1"}]
        columns += [{"id": i, "engine": "PyTorch 1", "settings": i} for i in ("eager", "compile")]
        networks = {n: {"batch": 8, "ms": dict(zip(("nncc", "eager", "compile"), t))} for n, t in ms.items()}
        return figures_of(kind, {}) | {"columns": columns, "networks": networks}

    both = [made("avx512", a=(1.0, 4.0, 2.0), b=(3.0, 2.0)), made("avx2", a=(1.0, 0.5, 2.0))]
    text = table.train_results(both)
    assert "| a | 8 | 1.00 | 4.00 | 2.00 | 0.50 | 1.00 | 0.50 | 2.00 | 2.00 |" in text, text
    assert "| b | 8 | 3.00 | 2.00 | – | 1.50 | – | – | – | – |" in text, text
    assert table.readme_train_rows(both)[2:] == ["| a | 0.50 | 2.00 |", "| b | 1.50 | – |"]


def products():
    """Rows of one kind of machine are replaced, the others stay."""
    text = "# T\n\n| m | s |\n|---|--:|\n| AVX2: old, 1 | 1 % |\n| AVX2: old, 2 | 2 % |\n"
    both = table.with_gemm_rows(text, ["| AVX-512: new | 3 % |"])
    assert both == "# T\n\n| m | s |\n|---|--:|\n| AVX-512: new | 3 % |\n| AVX2: old, 1 | 1 % |\n| AVX2: old, 2 | 2 % |\n", both
    assert table.with_gemm_rows(both, ["| AVX2: newer | 4 % |"]).endswith("|--:|\n| AVX-512: new | 3 % |\n| AVX2: newer | 4 % |\n")


def wrong_outputs():
    """What is not ONNX Runtime's result is not timed."""
    import numpy as np

    from bench import Failed, disagreement

    want = [np.linspace(-1, 1, 50, dtype=np.float32)]
    assert 0 < disagreement([want[0] + np.float32(1e-5)], want) < 1e-4
    try:
        disagreement([want[0] + np.float32(1e-2)], want)
    except Failed as e:
        assert str(e).startswith("WRONG: off by 1.0e-02"), e
    else:
        raise AssertionError("a wrong output passed")


def measured_again():
    """A network during whose rounds others used the machine is measured again; a machine that stays busy is a fault."""
    import argparse

    import bench

    def attempts(quiet_check, *faults):
        said, tries = iter(faults), []
        machine.Watch = lambda: argparse.Namespace(fault=lambda when: next(said))
        machine.wait_until_quiet = lambda minutes: None
        bench.measure = lambda *_: tries.append(1) or (f"row {len(tries)}", [])
        return bench.measure_quietly("m", {}, [], argparse.Namespace(quiet_check=quiet_check, wait=0))

    assert attempts(True, None) == ("row 1", [])
    assert attempts(True, "busy", "busy", None) == ("row 3", [])
    assert attempts(True, "busy", "busy", "still busy") == ("row 3", ["still busy"])
    assert attempts(False, "busy") == ("row 1", [])


def one_run(path):
    """The figures of a run with --cflags=-Os: each column, and each took time."""
    figures = table.json.load(open(path))
    (ms,) = (n["ms"] for n in figures["networks"].values())
    assert list(ms)[:5] == ["default", "native", "default -Os", "ort", "openvino"], ms
    assert all(t > 0 for t in ms.values()) and [c["id"] for c in figures["columns"]] == list(ms)
    assert figures["columns"][2]["flags"] == "-Os" and not figures["quiet"] and figures["kind"] == machine.kind()


globals()[sys.argv[1]](*sys.argv[2:])
