#!/usr/bin/env python3
"""Record the losses of PyTorch on the networks of this folder, step by step: record_torch.py >torch.txt (needs torch).

Parameters and data follow from formulas, which recorded.h and the programs have too.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

STEPS = 20
torch.set_default_dtype(torch.float64)


def fill(parameters):
    for k, p in enumerate(parameters):
        p.data = torch.tensor([0.3 * math.sin(1 + i + 100 * k) for i in range(p.numel())]).reshape(p.shape)


def drawn(stream, step, *shape):
    return torch.tensor([math.sin(0.37 * i + 0.11 * (i % 7) * (step + 1) + stream) for i in range(math.prod(shape))]).reshape(shape)


def update(optimizer, losses):
    """One step by a sum of losses."""
    optimizer.zero_grad()
    sum(losses).backward()
    optimizer.step()


def two_losses():
    stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
    early = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    late = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(96, 5))
    net = nn.ModuleList([stem, early, late])
    fill(net.parameters())
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def losses(step):
        h, label = stem(drawn(0, step, 8, 1, 8, 8)), torch.tensor([(i * i + step) % 5 for i in range(8)])
        main, aux = F.cross_entropy(late(h), label), F.cross_entropy(early(h), label)
        return main + 0.3 * aux, main, aux

    for step in range(STEPS):
        found = losses(step)
        yield from found
        update(optimizer, found[:1])
    net.eval()
    yield losses(STEPS - 1)[0]


def dice():
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1), nn.Sigmoid())
    fill(net.parameters())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
    for step in range(STEPS):
        x = drawn(0, step, 4, 1, 8, 8)
        p, t = net(x), (x > 0.2).double()
        loss = 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
        yield loss
        update(optimizer, [loss])


def vae():
    hidden, mean, log_variance, first, last = nn.Linear(12, 10), nn.Linear(10, 3), nn.Linear(10, 3), nn.Linear(3, 10), nn.Linear(10, 12)
    net = nn.ModuleList([hidden, mean, log_variance, first, last])
    fill(net.parameters())
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for step in range(STEPS):
        x, noise = 0.5 + 0.5 * drawn(0, step, 8, 12), 2 * drawn(1, step, 8, 3)
        h = torch.tanh(hidden(x))
        m, v = mean(h), log_variance(h)
        logits = last(torch.tanh(first(m + torch.exp(0.5 * v) * noise)))
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / 8
        kl = -0.5 * (1 + v - m * m - v.exp()).sum() / 8
        yield from (reconstruction + kl, reconstruction, kl)
        update(optimizer, [reconstruction, kl])


def clipping():
    net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
    fill(net.parameters())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    for step in range(STEPS):
        optimizer.zero_grad()
        losses = [F.mse_loss(net(drawn(b, step, 4, 6)), 3 * drawn(b, 2 * step, 4, 2)) / 4 for b in range(4)]
        for loss in losses:
            loss.backward()
        yield from (sum(losses), nn.utils.clip_grad_norm_(net.parameters(), 0.5))
        optimizer.step()


def gan():
    generator = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 12), nn.Tanh())
    discriminator = nn.Sequential(nn.Linear(12, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    fill(generator.parameters())
    fill(discriminator.parameters())
    by_g, by_d = (torch.optim.Adam(n.parameters(), lr=0.01, betas=(0.5, 0.999)) for n in (generator, discriminator))

    def judged(sample, should):
        return F.binary_cross_entropy_with_logits(discriminator(sample), torch.full((8, 1), should))

    for step in range(STEPS):
        real, fake = 0.5 + 0.3 * drawn(1, step, 8, 12), generator(2 * drawn(0, step, 8, 4))
        losses = judged(real, 1.0), judged(fake.detach(), 0.0)
        yield from losses
        update(by_d, losses)
        loss = judged(fake, 1.0)
        yield loss
        update(by_g, [loss])


def lstm():
    """ONNX has the gates in the order input, output, forget, cell; PyTorch input, forget, cell, output."""
    net, order = nn.LSTM(3, 4), (0, 2, 3, 1)

    def gates(k, n):
        values = torch.tensor([0.3 * math.sin(1 + i + 100 * k) for i in range(16 * n)]).reshape(4, 4, n)
        return torch.cat([values[g] for g in order])

    both = torch.tensor([0.3 * math.sin(1 + i + 200) for i in range(32)]).reshape(2, 4, 4)
    net.weight_ih_l0.data, net.weight_hh_l0.data = gates(0, 3), gates(1, 4)
    net.bias_ih_l0.data, net.bias_hh_l0.data = (torch.cat([b[g] for g in order]) for b in both)
    y, _ = net(torch.stack([drawn(0, t, 2, 3) for t in range(STEPS)]))
    yield from y.flatten()


for record in (two_losses, dice, vae, clipping, gan, lstm):
    print(record.__name__, *("%.17g" % v.item() for v in record()))
