#!/usr/bin/env python3
"""Record what PyTorch's losses are when it trains the networks of models/: record_networks.py >networks.txt (needs torch, numpy).

A line holds network, type, optimizer, lr, batch, steps and the losses. Dropout is off. networks.sh compares.
"""
import numpy
import torch
from torch_networks import batch, cifar_cnn, denoising_autoencoder, fill, loss_of, mlp_mnist, mnist_cnn, resnet20

# network, optimizer, lr, batch, steps in double, steps in single precision
RUNS = [
    (mlp_mnist, "Adadelta", 1.0, 32, 100, 10),
    (mnist_cnn, "Adam", 1e-3, 8, 100, 10),
    (cifar_cnn, "Adam", 1e-3, 8, 100, 10),
    (resnet20, "SGD", 0.01, 4, 40, 0),
    (denoising_autoencoder, "RMSprop", 1e-3, 8, 100, 10),
]
MORE = {"SGD": {"momentum": 0.9, "weight_decay": 1e-4}}


def record(make, optimizer, lr, n, steps):
    net = make(0).to(torch.get_default_dtype())
    fill(net)
    step = getattr(torch.optim, optimizer)(net.parameters(), lr=lr, **MORE.get(optimizer, {}))
    for k in range(steps):
        x, target = batch(make, k, n)
        step.zero_grad()
        loss = loss_of(make)(net(x), target)
        loss.backward()
        step.step()
        yield "%.10g" % loss.item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"# PyTorch {torch.__version__.split('+')[0]}, numpy {numpy.__version__}, one thread. Network, type, optimizer, lr, batch, steps, losses.")
    for make, optimizer, lr, n, *steps in RUNS:
        for dtype, name, count in zip((torch.float64, torch.float32), ("f64", "f32"), steps):
            torch.set_default_dtype(dtype)
            if count:
                print(make.__name__, name, optimizer, lr, n, count, *record(make, optimizer, lr, n, count), flush=True)
