"""usage: denoise.py NNCC MODEL MNIST WORKDIR: what a trained denoising autoencoder leaves of the noise on MNIST's test pictures.

A third of the pixels are set to 0; the others are scaled up, as the network has seen them in training. The noise is measured without that
scale. Fails unless at most half of its squared error is left.
"""
import gzip
import subprocess
import sys

import numpy as np

RATIO = 0.33
nncc, model, folder, work = sys.argv[1:]
raw = np.frombuffer(gzip.open(f"{folder}/t10k-images-idx3-ubyte.gz").read(), np.uint8, offset=16)
whole = (raw.astype(np.float32) / 255).reshape(-1, 1, 28, 28)
spoilt = whole * (np.random.RandomState(1).uniform(size=whole.shape) >= RATIO)
restored = []
for part in np.split(spoilt.astype(np.float32) / np.float32(1 - RATIO), 10):
    np.save(f"{work}/in.npy", part)
    subprocess.run([nncc, "run", model, "--dim", f"batch={len(part)}", "--input", f"image={work}/in.npy", "--output", f"picture={work}/out.npy"], check=True)
    restored.append(np.load(f"{work}/out.npy"))
noise, left = np.mean((spoilt - whole) ** 2), np.mean((np.concatenate(restored) - whole) ** 2)
print(f"squared error of the noise {noise:.5f}, of what is left {left:.5f}: {left / noise:.2f}")
sys.exit(not left <= 0.5 * noise)
