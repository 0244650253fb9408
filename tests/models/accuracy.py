"""Labelled test images for accuracy.c, on standard output. usage: accuracy.py DATA KIND

DATA is the shared folder's data; KIND says the preprocessing: mnist (x/255), mnist255 (0..255), mnist32 (x/255, framed with zeros to
32 by 32), cifar_hwc (0..255, channels last), cifar_norm (channels first, normalised as for ImageNet)."""
import array
import gzip
import sys

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def floats(values):
    return array.array("f", values).tobytes()


def mnist(folder, scale, frame):
    images = gzip.open(f"{folder}/mnist/t10k-images-idx3-ubyte.gz").read()[16:]
    labels = gzip.open(f"{folder}/mnist/t10k-labels-idx1-ubyte.gz").read()[8:]
    table = [v * scale for v in range(256)]
    for i, label in enumerate(labels):
        image = images[784 * i:784 * (i + 1)]
        if frame:
            rows = [bytes(2) + image[28 * r:28 * (r + 1)] + bytes(2) for r in range(28)]
            image = bytes(64) + b"".join(rows) + bytes(64)
        yield label, floats(table[v] for v in image)


def cifar(folder, channels_last):
    data = gzip.open(f"{folder}/cifar10/test_761.bin.gz").read()
    for i in range(0, len(data), 3073):
        planes = [data[i + 1 + 1024 * c:i + 1 + 1024 * (c + 1)] for c in range(3)]
        if channels_last:
            yield data[i], floats(planes[c][p] for p in range(1024) for c in range(3))
        else:
            yield data[i], floats((v / 255 - MEAN[c]) / STD[c] for c in range(3) for v in planes[c])


folder, kind = sys.argv[1:]
kinds = {
    "mnist": lambda: mnist(folder, 1 / 255, False),
    "mnist255": lambda: mnist(folder, 1, False),
    "mnist32": lambda: mnist(folder, 1 / 255, True),
    "cifar_hwc": lambda: cifar(folder, True),
    "cifar_norm": lambda: cifar(folder, False),
}
for label, image in kinds[kind]():
    sys.stdout.buffer.write(bytes([label]) + image)
