"""usage: torch_cifar.py CIFAR EPOCHS SEED...: the accuracy on the test pictures that PyTorch's cifar_cnn has when nncc's is trained so long.

The same network, pictures, optimizer, rate and batch as models/cifar_cnn.nn, PyTorch's own initial weights. One line per seed.
"""
import gzip
import sys

import numpy as np
import torch
from torch_networks import cifar_cnn

MEAN, STD, BATCH, LR = [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616], 32, 1e-3


def read(path):
    record = np.frombuffer(gzip.open(path).read(), np.uint8).reshape(-1, 3073)
    x = record[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255
    x = (x - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(record[:, 0], dtype=torch.int64)


def accuracy(epochs, seed, x, y, test_x, test_y):
    torch.manual_seed(seed)
    net = cifar_cnn(1)
    optimizer = torch.optim.Adam(net.parameters(), lr=LR)
    for _ in range(epochs):
        net.train()
        for part in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[part]), y[part]).backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        return (net(test_x).argmax(1) == test_y).float().mean().item()


folder, epochs, *seeds = sys.argv[1:]
data = *read(f"{folder}/train_3805.bin.gz"), *read(f"{folder}/test_761.bin.gz")
for seed in seeds:
    print(f"{accuracy(int(epochs), int(seed), *data):.4f}", flush=True)
