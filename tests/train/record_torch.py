#!/usr/bin/env python3
"""Record the losses of PyTorch on the network of torch.nn, step by step: record_torch.py >torch.txt (needs torch).

Parameters and data follow from formulas, which torch.c has too.
"""
import math

import torch

STEPS, BATCH = 100, 8
torch.set_default_dtype(torch.float64)


def fill(parameters):
    for k, p in enumerate(parameters):
        values = [0.3 * math.sin(1 + i + 100 * k) for i in range(p.numel())]
        p.data = torch.tensor(values).reshape(p.shape)


def batch(step):
    n = BATCH * 72
    x = torch.tensor([math.sin(0.37 * i + 0.11 * (i % 7) * (step + 1)) for i in range(n)]).reshape(BATCH, 2, 6, 6)
    return x, torch.tensor([(i * i + step) % 3 for i in range(BATCH)])


def network():
    n = torch.nn
    return n.Sequential(n.Conv2d(2, 4, 3, padding=1), n.BatchNorm2d(4), n.ReLU(), n.MaxPool2d(2),
                        n.Conv2d(4, 3, 3, stride=2, padding=1), n.Tanh(), n.Flatten(), n.Linear(12, 3))


OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "Momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "AdamL2": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01),
    "Adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.005),
}

for name, make in OPTIMIZERS.items():
    net = network()
    fill(net.parameters())
    optimizer, losses = make(net.parameters()), []
    for step in range(STEPS):
        x, label = batch(step)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), label)
        loss.backward()
        optimizer.step()
        losses.append("%.10g" % loss.item())
    print(name, *losses)
