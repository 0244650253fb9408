"""usage: torch_cifar.py NETWORK CIFAR EPOCHS SEED...: the accuracy on the test pictures of PyTorch's network, trained as long as nncc's.

The same network, pictures, optimizer, rate and batch as accuracy.sh has; initial weights drawn as models/NETWORK.nn says, where it says so,
else as PyTorch does. One line per seed.
"""
import gzip
import sys

import numpy as np
import torch
import torch_networks

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]


def he_normal(net):
    for m in net.modules():
        if isinstance(m, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(m.weight, nonlinearity="relu")


def read(path):
    record = np.frombuffer(gzip.open(path).read(), np.uint8).reshape(-1, 3073)
    x = record[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255
    x = (x - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(record[:, 0], dtype=torch.int64)


TRAINED = {  # batch, initial weights, optimizer
    "cifar_cnn": (32, None, lambda p: torch.optim.Adam(p, lr=1e-3)),
    "resnet20": (128, he_normal, lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=1e-4)),
}


def accuracy(name, epochs, seed, x, y, test_x, test_y):
    torch.manual_seed(seed)
    net, (batch, draw, make) = getattr(torch_networks, name)(1), TRAINED[name]
    if draw:
        draw(net)
    optimizer = make(net.parameters())
    for _ in range(epochs):
        net.train()
        for part in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[part]), y[part]).backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        return (net(test_x).argmax(1) == test_y).float().mean().item()


name, folder, epochs, *seeds = sys.argv[1:]
data = *read(f"{folder}/train_3805.bin.gz"), *read(f"{folder}/test_761.bin.gz")
for seed in seeds:
    print(f"{accuracy(name, int(epochs), int(seed), *data):.4f}", flush=True)
