"""usage: course_data.py DATA TO: cuts the course's data to what networks of models/ take, as npz files in the folder TO. Needs numpy.

Arrays are named after inputs and targets; NAME_train is trained on, NAME_test is not.
"""
import gzip
import os
import re
import sys
from collections import Counter

import numpy as np

data, to = sys.argv[1:]
draw = np.random.RandomState(1)


def write(name, test, **arrays):
    """Examples where `test` is true are for tests."""
    parts = {f"{n}_{part}": a[which] for n, a in arrays.items() for part, which in (("train", ~test), ("test", test))}
    np.savez_compressed(f"{to}/{name}.npz", **parts)
    print(f"{name}.npz: {(~test).sum()} examples and {test.sum()} for tests")


def every(n, tenth=10):
    return np.arange(n) % tenth == 0


def last(n, part):
    return np.arange(n) >= n - int(n * part)


def column(path, column):
    return np.array([float(line.split(",")[column].strip('"')) for line in open(f"{data}/tabular/{path}").read().split("\n")[1:] if line])


def windows(series, length):
    return np.lib.stride_tricks.sliding_window_view(series, length)


def floats(x):
    return np.ascontiguousarray(x, dtype=np.float32)


def digits():
    """Digits below five in plenty, and 500 of the others, for what one network can pass on to another."""
    read = lambda name, head: np.frombuffer(gzip.open(f"{data}/mnist/{name}-ubyte.gz").read(), np.uint8, offset=head)
    image = np.concatenate([read(f"{p}-images-idx3", 16) for p in ("train", "t10k")]).reshape(-1, 1, 28, 28)
    label = np.concatenate([read(f"{p}-labels-idx1", 8) for p in ("train", "t10k")]).astype(np.int32)
    test = last(len(label), 1 / 7)
    low = label < 5
    write("low", test[low], image=image[low], label=label[low])
    high = np.flatnonzero(~low & ~test)[:500].tolist() + np.flatnonzero(~low & test).tolist()
    write("high", test[high], image=image[high], label=label[high])


def membranes():
    image, label = (np.load(f"{data}/isbi_membrane/{n}_u8_30x256x256.npy")[:, None] for n in ("images", "labels"))
    write("membranes", last(30, 0.2), image=image, cells=label // 255)  # 0 and 255


def speakers():
    """Lines of the six who speak most, their first 64 characters."""
    said = re.findall(r"^([A-Z][\w ']*):\n(.+?)(?:\n\n|\Z)", open(f"{data}/tinyshakespeare.txt").read(), re.M | re.S)
    lines = [(name, line) for name, words in said for line in words.split("\n")]
    most = [name for name, _ in Counter(name for name, _ in lines).most_common(6)]
    print("speakers:", ", ".join(most))
    lines = [(most.index(name), line) for name, line in lines if name in most]
    number = {c: i for i, c in enumerate(sorted({c for _, line in lines for c in line}), 1)}
    rows = np.zeros((len(lines), 64), np.int32)
    for row, (_, line) in zip(rows, lines):
        row[:len(line[:64])] = [number[c] for c in line[:64]]
    write("speakers", every(len(lines)), line=rows, label=np.array([s for s, _ in lines], np.int32))


def series():
    """Temperatures of 24 days and that of the next, in deviations from the mean; and in 64 levels, 128 days with the next one of each."""
    t = column("daily-min-temperatures.csv", 1)
    t = (t - t.mean()) / t.std()
    w = windows(t, 25)
    write("temperatures", last(len(w), 0.2), past=floats(w[:, :24]), target=floats(w[:, 24:]))
    w = windows(np.clip(np.round(t * 10 + 32), 0, 63).astype(np.int32), 129)[::4]
    write("levels", last(len(w), 0.2), sound=w[:, :128].copy(), label=w[:, 1:].copy())


def counts():
    """Sunspots of four months, over 100, and those of the next."""
    w = windows(column("monthly-sunspots.csv", 1), 5)
    write("sunspots", last(len(w), 0.2), x=floats(w[:, :4] / 100), count=floats(np.round(w[:, 4:])))


def houses():
    rows = np.array([line.split(",") for line in open(f"{data}/tabular/housing.csv").read().split()], float)
    rows = (rows - rows.mean(0)) / rows.std(0)
    write("houses", every(len(rows), 5), x=floats(rows[:, :13]), wanted=floats(rows[:, 13:]))


def made():
    """Points that are drawn here: one x with up to three y, two moons, a sine with a gap."""
    y = draw.uniform(size=(2000, 1))
    write("mixture", every(2000), x=floats(y + 0.3 * np.sin(2 * np.pi * y) + draw.uniform(-0.1, 0.1, y.shape)), wanted=floats(y))
    angle, upper = draw.uniform(0, np.pi, 4000), np.arange(4000) % 2
    x = np.stack([np.cos(angle) + (1 - upper), (2 * upper - 1) * np.sin(angle) + 0.5 * (1 - upper)], 1) + draw.normal(0, 0.1, (4000, 2))
    write("moons", every(4000), point=floats(x - x.mean(0)))
    x = draw.uniform(-1, 1, (2000, 1))
    x = x[np.abs(x[:, 0]) > 0.3]
    write("gap", every(len(x)), x=floats(x), target=floats(np.sin(4 * x) + draw.normal(0, 0.1, x.shape)))


os.makedirs(to, exist_ok=True)
for cut in (digits, membranes, speakers, series, counts, houses, made):
    cut()
