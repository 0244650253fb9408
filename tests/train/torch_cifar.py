"""usage: torch_cifar.py CIFAR EPOCHS DIR SEED...: the accuracy on the test pictures of PyTorch's cifar_cnn, trained as long as nncc's.

The same network, pictures, optimizer, rate and batch as models/cifar_cnn.nn has. The weights that it begins with are left in
DIR/SEED.safetensors, for nncc to begin with; the order of the pictures is its own. One line per seed.
"""
import gzip
import json
import struct
import sys

import numpy as np
import torch
import torch_networks

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]
NAMES = [f"{layer}.{kind}" for layer in ("a", "c", "e", "scores") for kind in ("weight", "bias")]


def save(net, path):
    header, data = {}, b""
    for name, p in zip(NAMES, net.parameters()):
        bytes_ = p.detach().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(p.shape), "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header).encode()
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)


def read(path):
    record = np.frombuffer(gzip.open(path).read(), np.uint8).reshape(-1, 3073)
    x = record[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255
    x = (x - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(record[:, 0], dtype=torch.int64)


def accuracy(epochs, seed, where, x, y, test_x, test_y):
    torch.manual_seed(seed)
    net = torch_networks.cifar_cnn(1)
    save(net, f"{where}/{seed}.safetensors")
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(epochs):
        net.train()
        for part in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[part]), y[part]).backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        return (net(test_x).argmax(1) == test_y).float().mean().item()


folder, epochs, where, *seeds = sys.argv[1:]
torch.set_num_threads(1)
data = *read(f"{folder}/train_3805.bin.gz"), *read(f"{folder}/test_761.bin.gz")
for seed in seeds:
    print(f"{accuracy(int(epochs), int(seed), where, *data):.4f}", flush=True)
