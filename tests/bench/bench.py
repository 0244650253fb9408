"""usage: bench.py NNCC WORKDIR [OPTION...] MODEL.onnx...: median times of one inference; run.sh says what the options are.

Every contender runs in this process, called from the same loop, pinned to one core; those with more threads have another core for each
further one. They take turns: in each round each runs for at least 20 ms. Before that their outputs have to agree with ONNX Runtime's
unoptimised graph.
"""
import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

CORES = sorted(os.sched_getaffinity(0), reverse=True)[:2]

import numpy as np

import machine
import table
from contenders import SHARED, Failed, OnnxRuntime, OpenVino, Peer, Recipe, inputs_of, name_of, nncc_contender, reference

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "zoo"))
from alive import why_dead

ROUNDS, MIN_ROUNDS, ROUND_SECONDS, MAX_SECONDS = 25, 5, 0.02, 10.0
ATTEMPTS = 3
RTOL, ATOL_OF_LARGEST = 1e-3, 1e-4
PLAIN, FAST = "-O2", "-O3 -march=native"


def recipes_of(args):
    """The columns of nncc: what README says to type, first; each compiler compiles all of them."""
    ways = {"default": ("", PLAIN), "native": ("--target=native", FAST)}
    ways |= {f"default {flags}": ("", flags) for flags in args.cflags}
    ways |= {target: ("--target=" + target, FAST) for target in args.target}
    found = {id: Recipe(id, options, os.environ.get("CC") or "cc", flags) for id, (options, flags) in ways.items()}
    found |= {f"{id} {n}": Recipe(f"{id} {n}", *found[id].made_by, CORES[:n]) for n in args.threads for id in ways}
    found |= {f"{id} {cc}": Recipe(f"{id} {cc}", options, cc, flags) for cc in args.cc for id, (options, flags) in ways.items()}
    return list(found.values())


def disagreement(got, want):
    """The largest difference relative to the largest value; fails if it is beyond the tolerance."""
    worst = 0.0
    for g, w in zip(got, want):
        g, w = g.astype(np.float64), w.astype(np.float64)
        largest = np.abs(w).max()
        if not (np.abs(g - w) <= RTOL * np.abs(w) + ATOL_OF_LARGEST * largest).all():
            raise Failed(f"WRONG: off by {np.abs(g - w).max() / largest:.1e} of the largest value")
        worst = max(worst, np.abs(g - w).max() / largest)
    return worst


def seconds_of(call, times):
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def rounds_of(calls):
    """Milliseconds of each in every round; whoever began one is the last in the next."""
    times, spent = {}, 0.0
    for name, call in calls.items():
        once = min(seconds_of(call, 1) for _ in range(3))
        times[name] = max(1, int(np.ceil(ROUND_SECONDS / once)))
        spent += times[name] * once
    took = {name: [] for name in calls}
    order = list(calls)
    for _ in range(int(min(ROUNDS, max(MIN_ROUNDS, MAX_SECONDS / spent)))):
        for name in order:
            took[name].append(seconds_of(calls[name], times[name]) * 1e3)
        order = order[1:] + order[:1]
    return took


def spread(times):
    """How far apart the middle half of them is, over their median."""
    low, middle, high = np.percentile(times, [25, 50, 75])
    return (high - low) / middle


def measure(model, builds, peers):
    """The figures of one network, and what is wrong with whom."""
    feeds, faults = inputs_of(model), []
    want = reference(model, feeds)
    for y in want:
        if why_dead(y):
            raise Failed(why_dead(y))
    makers = {r.id: (lambda r=r, b=b: nncc_contender(b.result(), feeds, want, r.cores)) for r, b in builds.items()}
    for p in sorted(peers, key=lambda p: -len(p.cores)):  # OpenVINO never uses more cores than when it was first called
        makers[p.id] = lambda p=p: p.contender(model, feeds, want)
    calls, error = {}, 0.0
    for label, make in makers.items():
        try:
            call, outputs = make()
            call()
            off = disagreement(outputs(), want)
            calls[label], error = call, max(error, off if label not in {p.id for p in peers} else 0.0)
        except Failed as e:
            faults.append(f"{label}: {e}")
    took = rounds_of(calls)
    took = {k: took[k] for k in [*(r.id for r in builds), *(p.id for p in peers)] if k in took}
    figures = {
        "ms": {k: float(f"{np.median(t):.4g}") for k, t in took.items()},
        "spread": {k: round(float(spread(t)), 3) for k, t in took.items()},
        "error": float(f"{error:.0e}"),
    }
    return figures, faults


def measure_quietly(model, builds, peers, args):
    """The same; again, ATTEMPTS times in all, if others used the machine meanwhile and that is of interest."""
    fault = None
    for _ in range(ATTEMPTS if args.quiet_check else 1):
        if fault:
            machine.wait_until_quiet(args.wait)
        watch = machine.Watch()
        row, wrong = measure(model, builds, peers)
        fault = watch.fault("while it was measured") if args.quiet_check else None
        if not fault:
            break
    return row, wrong + ([fault] if fault else [])


def arguments():
    parse = argparse.ArgumentParser(usage="tests/bench/run.sh [OPTION...] [NAME...]; its first lines say which", add_help=False)
    for name in ("nncc", "work"):
        parse.add_argument(name)
    parse.add_argument("models", nargs="*")
    parse.add_argument("-o", dest="out")
    for name in ("cc", "cflags", "target"):
        parse.add_argument("--" + name, action="append", default=[])
    parse.add_argument("--threads", type=int, action="append", default=[], choices=range(2, len(CORES) + 1))
    parse.add_argument("--quiet-check", action=argparse.BooleanOptionalAction)
    parse.add_argument("--wait", type=float, default=0)
    return parse.parse_intermixed_args()


def build_all(pool, args, recipes):
    """Everything is compiled before anything is timed."""
    builds = {m: {r: pool.submit(r.build, args.nncc, args.work, m) for r in recipes} for m in args.models}
    for of_model in builds.values():
        for b in of_model.values():
            b.exception()
    return builds


def heading(columns, quiet):
    return machine.here_and_now() | {
        "how": f"up to {ROUNDS} interleaved rounds of at least {1e3 * ROUND_SECONDS:.0f} ms each, pinned to one core; {' '.join(SHARED)} besides",
        "quiet": quiet,
        "columns": columns,
    }


def main():
    args = arguments()
    if args.quiet_check and (fault := machine.wait_until_quiet(args.wait)):
        sys.exit(fault)
    recipes = recipes_of(args)
    try:
        columns = [r.column() for r in recipes]
    except Failed as e:
        sys.exit(str(e))
    with ThreadPoolExecutor(len(CORES)) as pool:
        builds = build_all(pool, args, recipes)
    os.sched_setaffinity(0, CORES[:1])
    peers = [Peer(engine, CORES[:n]) for n in (1, 2) if n <= len(CORES) for engine in (OnnxRuntime, OpenVino)]
    figures, faults = heading(columns + [p.column() for p in peers], bool(args.quiet_check)) | {"networks": {}}, []
    print("\n".join(table.described(figures)), "\n\n" + "\n".join(table.head_of_times(figures)), sep="", flush=True)
    for model in args.models:
        try:
            row, wrong = measure_quietly(model, builds[model], peers, args)
            figures["networks"][name_of(model)] = row
            print(table.row_of_times(figures, name_of(model)), flush=True)
        except Failed as e:
            wrong = [str(e)]
        faults += [f"{name_of(model)}: {w}" for w in wrong]
    print(table.last_of_times(figures))
    if faults:
        sys.exit("\n".join(f"FAIL {f}" for f in faults))
    if args.out:
        table.write_figures(args.out, figures)


if __name__ == "__main__":
    main()
