"""usage: overlap.py NNCC CHECKPOINT MEMBRANES.npz WORK: the Dice coefficients of cells and of membranes, of U-Net's test pictures."""
import os
import subprocess
import sys

import numpy as np

nncc, checkpoint, data, work = sys.argv[1:]
z = np.load(data)
np.save(f"{work}/image.npy", z["image_test"])
model = os.path.join(os.path.dirname(__file__), "unet.nn")
subprocess.run([nncc, "predict", model, "--start-from", checkpoint, "--data", f"image={work}/image.npy", "--output", f"score={work}/score.npy"], check=True)
cells, drawn = np.load(f"{work}/score.npy") > 0, z["cells_test"] > 0
dice = lambda a, b: 2 * (a & b).sum() / (a.sum() + b.sum())
print(f"Dice of cells {dice(cells, drawn):.4f}, of membranes {dice(~cells, ~drawn):.4f}")
