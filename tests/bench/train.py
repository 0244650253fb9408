"""usage: train.py NNCC MODELS WORKDIR FIGURES.json [NAME...]: median times of one training step; train.sh says what for.

A step is forward, backward and Adam. All contenders run in this process, pinned to one core, and take turns: in each round each runs for
at least 50 ms. They see the same batches, with dropout on, and a learning rate too small for the weights to go anywhere.
"""
import ctypes
import os
import re
import shlex
import subprocess
import sys
import time

CORE = max(os.sched_getaffinity(0))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

import machine
import table

import train_networks as networks

ROUNDS, MIN_ROUNDS, ROUND_SECONDS, MAX_SECONDS = 25, 5, 0.05, 60.0
BATCHES, LR = 8, 1e-6
FLAGS, SHARED = ["-O3", "-march=native"], ["-shared", "-fPIC"]
CC = shlex.split(os.environ.get("CC") or "cc")
NNCC_FLAGS = shlex.split(os.environ.get("NNCC_FLAGS", "--target=native"))


def run(*words, **more):
    done = subprocess.run(words, capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit((done.stderr or done.stdout).strip())
    return done.stdout


def data_of(case):
    x, label = zip(*(case.batches(case.n, k) for k in range(BATCHES)))
    return torch.stack(x).contiguous(), torch.stack(label)


def text_of(models, name, case):
    """The network as a text whose training is what all contenders do."""
    folder = models if case.of_models else os.path.join(os.path.dirname(os.path.abspath(__file__)), "train")
    with open(os.path.join(folder, name + ".nn")) as f:
        text = f.read()
    for there, here in case.edits:
        text = text.replace(there, here)
    text = re.sub(r"^train .*(?:\n .*)*\n", "", text, flags=re.M)
    return text + f"train @{name} {{loss = {case.loss}, optimizer = Adam, lr = {LR}, batch = {case.n}, metrics = [accuracy]}}\n"


def nncc_step(nncc, models, work, name, case, x, label):
    directory = os.path.join(work, name)
    os.makedirs(directory)
    text = os.path.join(directory, name + ".nn")
    with open(text, "w") as f:
        f.write(text_of(models, name, case))
    run(nncc, text, "--train", *case.options, *NNCC_FLAGS, "--prefix=net", "-o", os.path.join(directory, "net.c"))
    shim = os.path.join(os.path.dirname(os.path.abspath(__file__)), "train_step.c")
    run(*CC, *FLAGS, *SHARED, "-I.", "-o", "net.so", "net.c", shim, "-lm", cwd=directory)
    lib = ctypes.CDLL(os.path.join(directory, "net.so"))
    lib.bench_loss.restype = ctypes.c_double
    held = np.ascontiguousarray(x.numpy()), np.ascontiguousarray(label.numpy().astype(np.float32 if case.pixels else np.int32))
    address = [ctypes.c_void_p(v.ctypes.data) for v in held]
    if lib.bench_open(BATCHES, *address, ctypes.c_double(LR)):
        sys.exit(f"{name}: init failed")
    lib.held = held
    return (lambda: lib.bench_run() and sys.exit(f"{name}: a step failed")), lib.bench_loss


def torch_step(case, x, label, mode):
    net = case.make()
    net.train()
    pictures = [v.clone() for v in x]
    if mode == "channels_last":
        net = net.to(memory_format=torch.channels_last)
        pictures = [v.to(memory_format=torch.channels_last) for v in pictures]
    optimizer = torch.optim.Adam(net.parameters(), lr=LR, fused=True)

    def loss_of(x, t):
        return case.torch_loss(net(x), t)

    forward = torch.compile(loss_of) if mode == "compile" else loss_of
    last, turn = [None], [0]

    def step():
        k = turn[0] = (turn[0] + 1) % BATCHES
        optimizer.zero_grad(set_to_none=True)
        last[0] = forward(pictures[k], label[k])
        last[0].backward()
        optimizer.step()

    return step, lambda: last[0].item()


def seconds_of(call, times):
    start = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - start) / times


def measure(calls):
    """Median seconds of the process's own time of each: others may use the core too."""
    times, samples, begun = [], [[] for _ in calls], time.perf_counter()
    for call in calls:
        seconds_of(call, 2)
        times.append(max(1, int(ROUND_SECONDS / seconds_of(call, 2))))
    for k in range(ROUNDS):
        if k >= MIN_ROUNDS and time.perf_counter() - begun > MAX_SECONDS:
            break
        for call, n, s in zip(calls, times, samples):
            s.append(seconds_of(call, n))
    return [float(np.median(s)) for s in samples]


MODES = ["eager", "channels_last", "compile"]


def heading():
    nncc = {"id": "nncc", "engine": "nncc", "options": " ".join(["--train"] + NNCC_FLAGS), "cc": " ".join(CC), "flags": " ".join(FLAGS)}
    nncc["compiler"] = run(*CC, "--version").splitlines()[0]
    torchs = [{"id": mode, "engine": "PyTorch " + torch.__version__.split("+")[0], "settings": mode} for mode in MODES]
    return machine.here_and_now() | {
        "how": f"up to {ROUNDS} interleaved rounds of at least {1e3 * ROUND_SECONDS:.0f} ms of the process's own time each, {' '.join(SHARED)} besides",
        "quiet": os.environ.get("NNCC_QUIET") == "yes",
        "columns": [nncc] + torchs,
        "networks": {},
    }


def figures_of(nncc, models, work, name):
    case = networks.CASES[name]
    x, label = data_of(case)
    steps = {"nncc": nncc_step(nncc, models, work, name, case, x, label)}
    for mode in MODES:
        try:
            step = torch_step(case, x, label, mode)
            step[0]()
            steps[mode] = step
        except Exception as error:
            print(f"{name}: {mode} does not work here: {str(error).splitlines()[0][:200]}", file=sys.stderr)
    times = measure([call for call, _ in steps.values()])
    if not all(0 < loss() < 100 for _, loss in steps.values()):
        sys.exit(f"{name}: a loss is out of range: {[loss() for _, loss in steps.values()]}")
    return {"batch": case.n, "ms": {label: float(f"{1e3 * t:.4g}") for label, t in zip(steps, times)}}


def main(nncc, models, work, out, *names):
    os.sched_setaffinity(0, {CORE})
    torch.set_num_threads(1)
    figures = heading()
    print(table.steps_described(figures), "", *table.head(["network"] + table.step_titles(figures)), sep="\n", flush=True)
    watch = machine.Watch()
    for name in names or networks.CASES:
        figures["networks"][name] = figures_of(nncc, models, work, name)
        print(table.row([name] + table.step_cells(figures, name)), flush=True)
    if figures["quiet"] and (fault := watch.fault("while it was measured")):
        sys.exit(fault)
    table.write_figures(out, figures)


main(*sys.argv[1:])
