"""usage: torch_course.py DATA CUT NETWORK[:SEED]...: what networks of models/COURSE.md reach in PyTorch, one thread, on the same data and epochs.

CUT is what models/course_data.py wrote. Optimizer, rate, batch and schedule are those of the course's commands; weights begin as nncc's layers do: Glorot, or He where the text has it,
recurrent ones orthogonal, biases 0 but an LSTM's forget gate.
"""
import csv
import gzip
import math
import sys
import time

import numpy as np
import torch
import torch_networks as known
from torch import nn
from torch.nn import functional as F

MEAN, STD = np.reshape([0.4914, 0.4822, 0.4465], (3, 1, 1)), np.reshape([0.247, 0.2435, 0.2616], (3, 1, 1))


# ---- data

def idx(path, offset):
    return np.frombuffer(gzip.open(path).read(), np.uint8, offset=offset)


def mnist():
    part = lambda name: (torch.tensor(idx(f"{folder}/mnist/{name}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28) / np.float32(255)),
                         torch.tensor(idx(f"{folder}/mnist/{name}-labels-idx1-ubyte.gz", 8).astype(np.int64)))
    return *part("train"), *part("t10k")


def itself():
    x, _, test, _ = mnist()
    return x, x, test, test


def cifar():
    def part(name):
        r = np.frombuffer(gzip.open(f"{folder}/cifar10/{name}.bin.gz").read(), np.uint8).reshape(-1, 3073)
        return torch.tensor((r[:, 1:].reshape(-1, 3, 32, 32) / 255 - MEAN) / STD, dtype=torch.float32), torch.tensor(r[:, 0], dtype=torch.int64)
    return *part("train_3805"), *part("test_761")


def text(length=64):
    """Pieces of the text and what follows each of their characters; the last tenth is held out."""
    raw = open(f"{folder}/tinyshakespeare.txt").read()
    number = {c: i for i, c in enumerate(sorted(set(raw)))}
    codes = torch.tensor([number[c] for c in raw])
    cut = len(codes) - len(codes) // 10
    pieces = lambda c: (c[:(len(c) - 1) // length * length].reshape(-1, length), c[1:(len(c) - 1) // length * length + 1].reshape(-1, length))
    return *pieces(codes[:cut]), *pieces(codes[cut:])


def membranes():
    image, label = (torch.tensor(np.load(f"{folder}/isbi_membrane/{n}_u8_30x256x256.npy")[:, None] / np.float32(255)) for n in ("images", "labels"))
    return image[:24], label[:24], image[24:], label[24:]


def prepared(name):
    """What models/course_data.py wrote: the input and the target, or an input alone."""
    def read():
        z = np.load(f"{cut}/{name}.npz")
        names = [n[:-6] for n in z if n.endswith("_train")]
        part = lambda which: [torch.tensor(z[f"{n}_{which}"]) for n in (names * 2)[:2]]
        whole = lambda t: t.float() / 255 if t.dtype == torch.uint8 else t if t.is_floating_point() else t.long()
        return [whole(t) for which in ("train", "test") for t in part(which)]
    return read


def banknotes():
    rows = torch.tensor([[float(v) for v in r] for r in csv.reader(open(f"{folder}/tabular/banknote_authentication.csv"))])
    held = torch.arange(len(rows)) % 10 == 0
    return rows[~held, :4], rows[~held, 4:], rows[held, :4], rows[held, 4:]


# ---- networks

class Recurrent(nn.Module):
    """Rows of a digit, or characters by a table, through recurrent layers; a score for each class, of the last step or of all."""

    def __init__(self, make, units, table=0, directions=1, inputs=28, classes=10):
        super().__init__()
        self.table = nn.Embedding(table, inputs) if table else None
        self.layers, self.scores = make, nn.Linear(units * directions, classes)

    def forward(self, x):
        y, state = self.layers(self.table(x) if self.table else x.reshape(len(x), 28, 28))
        if self.table:
            return self.scores(y).transpose(1, 2)
        h = state[0] if isinstance(state, tuple) else state
        return self.scores(torch.cat([h[-2], h[-1]], 1) if self.layers.bidirectional else h[-1])


class Unet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        pair = lambda a, b: nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1), nn.ReLU())
        w = [width << i for i in range(4)]
        self.down = nn.ModuleList(pair(a, b) for a, b in zip([1] + w, w))
        self.large = nn.ModuleList(nn.ConvTranspose2d(2 * a, a, 2, stride=2) for a in w[2::-1])
        self.up = nn.ModuleList(pair(2 * a, a) for a in w[2::-1])
        self.score = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        kept = []
        for i, down in enumerate(self.down):
            x = down(F.max_pool2d(x, 2) if i else x)
            kept.append(x)
        x = F.dropout(x, 0.2, self.training)
        for large, up, skip in zip(self.large, self.up, kept[2::-1]):
            x = up(torch.cat([large(x), skip], 1))
        return self.score(x)


class Vae(nn.Module):
    def __init__(self, size=16):
        super().__init__()
        self.h, self.mean, self.log_variance = nn.Linear(784, 256), nn.Linear(256, size), nn.Linear(256, size)
        self.back = nn.Sequential(nn.Linear(size, 256), nn.ReLU(), nn.Linear(256, 784))

    def forward(self, x):
        h = F.relu(self.h(x.flatten(1)))
        mean, log_variance = self.mean(h), self.log_variance(h)
        return self.back(mean + (log_variance / 2).exp() * torch.randn_like(mean)), mean, log_variance


class Causal(nn.Conv1d):
    def forward(self, x):
        return super().forward(F.pad(x, ((self.kernel_size[0] - 1) * self.dilation[0], 0)))


class Wavenet(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(64, 24)
        self.filters, self.gates = (nn.ModuleList(Causal(24, 24, 2, dilation=1 << i) for i in range(5)) for _ in range(2))
        self.skips, self.nexts = (nn.ModuleList(nn.Conv1d(24, out, 1) for _ in range(n)) for out, n in ((32, 5), (24, 4)))
        self.end = nn.Sequential(nn.ReLU(), nn.Conv1d(32, 32, 1), nn.ReLU(), nn.Conv1d(32, 64, 1))

    def forward(self, x):
        x, total = self.table(x).transpose(1, 2), 0
        for i in range(5):
            y = self.filters[i](x).tanh() * self.gates[i](x).sigmoid()
            total = total + self.skips[i](y)
            x = x + self.nexts[i](y) if i < 4 else x
        return self.end(total)


class Transformer(nn.Module):
    """Of rows of a digit, or with `causal` of characters."""

    def __init__(self, units, hidden, causal):
        super().__init__()
        self.causal, self.place = causal, nn.Parameter(torch.randn(64 if causal else 28, units) * 0.02)
        self.x = nn.Embedding(65, units) if causal else nn.Linear(28, units)
        self.norms = nn.ModuleList(nn.LayerNorm(units) for _ in range(5))
        self.looks = nn.ModuleList(nn.MultiheadAttention(units, 4, batch_first=True) for _ in range(2))
        self.hidden = nn.ModuleList(nn.Sequential(nn.Linear(units, hidden), nn.GELU(), nn.Linear(hidden, units), nn.Dropout(0.1)) for _ in range(2))
        self.scores = nn.Linear(units, 65 if causal else 10)

    def forward(self, x):
        x = self.x(x if self.causal else x.reshape(len(x), 28, 28)) + self.place
        later = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1) if self.causal else None
        for i in range(2):
            n = self.norms[2 * i](x)
            y = self.looks[i](n, n, n, attn_mask=later, need_weights=False)[0]
            x = x + (F.dropout(y, 0.1, self.training) if self.causal else y)
            x = x + self.hidden[i](self.norms[2 * i + 1](x))
        x = self.norms[4](x)
        return self.scores(x).transpose(1, 2) if self.causal else self.scores(x.mean(1))


class Speaker(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(66, 24)
        self.rest = nn.Sequential(nn.Conv1d(24, 64, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(64, 64, 5, padding=2), nn.ReLU(),
                                  nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 6))

    def forward(self, x):
        return self.rest(self.table(x).transpose(1, 2))


class Heads(nn.Module):
    """Several outputs of one hidden layer."""

    def __init__(self, inputs, units, activation, outputs):
        super().__init__()
        self.h, self.activation = nn.Linear(inputs, units), activation
        self.heads = nn.ModuleList(nn.Linear(units, n) for n in outputs)

    def forward(self, x):
        h = self.activation(self.h(x))
        return [head(h) for head in self.heads]


class Flow(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList(Heads2() for _ in range(6))

    def forward(self, z):
        log_det = 0
        for step in self.steps:
            stays, moves = z[:, :1], z[:, 1:]
            log_scale, shift = step(stays)
            z, log_det = torch.cat([moves * log_scale.exp() + shift, stays], 1), log_det + log_scale
        return z, log_det


class Heads2(nn.Module):
    def __init__(self):
        super().__init__()
        self.h = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
        self.scale, self.shift = nn.Linear(32, 1), nn.Linear(32, 1)

    def forward(self, x):
        h = self.h(x)
        return self.scale(h).tanh(), self.shift(h)


def autoencoder():
    same, back = known.Same, known.SameTransposed
    return nn.Sequential(same(nn.Conv2d(1, 16, 3, stride=2)), nn.ReLU(), same(nn.Conv2d(16, 32, 3, stride=2)), nn.ReLU(), nn.Flatten(),
                         nn.Linear(1568, 32), nn.Linear(32, 1568), nn.ReLU(), nn.Unflatten(1, (32, 7, 7)), back(nn.ConvTranspose2d(32, 16, 3, stride=2)),
                         nn.ReLU(), back(nn.ConvTranspose2d(16, 1, 3, stride=2)), nn.Sigmoid())


class Noise(nn.Module):
    def forward(self, x):
        return x + 0.3 * torch.randn_like(x) if self.training else x


def upsampled():
    same = known.Same
    return nn.Sequential(Noise(), same(nn.Conv2d(1, 16, 3, stride=2)), nn.ReLU(), same(nn.Conv2d(16, 32, 3, stride=2)), nn.ReLU(), nn.Upsample(scale_factor=2),
                         nn.Conv2d(32, 16, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(16, 1, 3, padding=1))


def lenet():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
                         nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10))


class Temperatures(nn.Module):
    def __init__(self):
        super().__init__()
        self.change = nn.Sequential(nn.Unflatten(1, (1, 24)), Causal(1, 16, 3), nn.ReLU(), nn.MaxPool1d(2), Causal(16, 32, 3), nn.ReLU(),
                                    nn.MaxPool1d(2), nn.Flatten(), nn.Linear(192, 1))

    def forward(self, x):
        return x[:, -1:] + self.change(x)


# ---- losses and figures

def gaussian(out, y):
    return 0.5 * (out[1] + (y - out[0]) ** 2 * (-out[1]).exp()).mean()


def poisson(out, y):
    return (out[0].exp() - y * out[0]).mean()


def mixture(out, y):
    off = (y - out[1]) * (-out[2]).exp()
    return -torch.logsumexp(out[0].log_softmax(1) - off * off / 2 - out[2], 1).mean()


def flow_loss(out, _):
    return (0.5 * (out[0] ** 2).sum(1, keepdim=True) - out[1]).mean()


def vae_loss(out, x):
    logits, mean, v = out
    return (F.softplus(logits) - logits * x.flatten(1)).sum(1).mean() - 0.5 * (1 + v - mean * mean - v.exp()).sum(1).mean()


def unet_loss(score, y):
    p = score.sigmoid()
    return F.binary_cross_entropy_with_logits(score, y) + 1 - (2 * (p * y).sum() + 1) / ((p + y).sum() + 1)


def mean_of(loss):
    return lambda net, x, y: {"loss": sum(loss(net(a), b).item() * len(a) for a, b in zip(x.split(250), y.split(250))) / len(x)}


def accuracy(net, x, y):
    return {"loss": mean_of(F.cross_entropy)(net, x, y)["loss"],
            "accuracy": sum((net(a).argmax(1) == b).sum().item() for a, b in zip(x.split(250), y.split(250))) / y.numel()}


def yes(net, x, y):
    return {"accuracy": ((net(x) > 0) == (y > 0.5)).float().mean().item()}


def dice(net, x, y):
    p = torch.cat([net(a) > 0 for a in x.split(2)])
    of = lambda p, y: (2 * (p & y).sum() / (p.sum() + y.sum())).item()
    return {"dice of cells": of(p, y > 0.5), "dice of membranes": of(~p, y < 0.5)}


def noise_left(net, x, _):
    spoilt = x * torch.tensor(np.random.RandomState(1).uniform(size=x.shape) >= 0.33)
    left = torch.cat([net(a / (1 - 0.33)).sigmoid() for a in spoilt.split(500)])
    return {"left of the noise": (F.mse_loss(left, x) / F.mse_loss(spoilt, x)).item()}


# ---- training

def shifted(most):
    def change(x, y):
        n, _, h, w = x.shape
        by = torch.randint(0, 2 * most + 1, (2, n, 1))
        rows, columns = by[0] + torch.arange(h), by[1] + torch.arange(w)
        return F.pad(x, (most,) * 4)[torch.arange(n)[:, None, None, None], torch.arange(x.shape[1])[:, None, None], rows[:, None, :, None], columns[:, None, None, :]], y
    return change


def flipped(x, y):
    """Half of the pictures from left to right."""
    which = (torch.rand(len(x)) < 0.5).reshape(-1, 1, 1, 1)
    return torch.where(which, x.flip(3), x), torch.where(which, y.flip(3), y)


def begin(net, which):
    """He's rule is for all layers, for none, or for those that a function chooses."""
    he = set(which(net) if callable(which) else net.modules() if which else ())
    for m in net.modules():
        if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(m.weight, nonlinearity="relu") if m in he else nn.init.xavier_uniform_(m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.Embedding):
            nn.init.uniform_(m.weight, -0.05, 0.05)
        elif isinstance(m, nn.RNNBase):
            for name, p in m.named_parameters():
                units = m.hidden_size
                if "weight_ih" in name:
                    nn.init.xavier_uniform_(p)
                elif "weight_hh" in name:
                    for part in p.data.split(units):
                        nn.init.orthogonal_(part)
                else:
                    nn.init.zeros_(p)
                    if isinstance(m, nn.LSTM) and "bias_ih" in name:
                        p.data[units:2 * units] = 1


adam = lambda lr, **more: lambda p: torch.optim.Adam(p, lr=lr, **more)
adamw = lambda lr: lambda p: torch.optim.AdamW(p, lr=lr)
digits = dict(data=mnist, loss=F.cross_entropy, figures=accuracy, batch=64)
NETWORKS = {
    "mlp_mnist": dict(digits, make=lambda: known.mlp_mnist(1), he=True, optimizer=lambda p: torch.optim.Adadelta(p, lr=1.0), batch=128, epochs=20, cosine=True),
    "mnist_cnn": dict(digits, make=lambda: known.mnist_cnn(1), he=True, optimizer=adam(1e-3), epochs=12, cosine=True, change=shifted(1)),
    "denoising_autoencoder": dict(data=itself, make=lambda: known.denoising_autoencoder(1), optimizer=lambda p: torch.optim.RMSprop(p, lr=1e-3),
                                  loss=F.binary_cross_entropy_with_logits, figures=noise_left, batch=64, epochs=2),
    "vae": dict(data=itself, make=Vae, optimizer=adam(1e-3), loss=vae_loss, figures=mean_of(vae_loss), batch=64, epochs=12, cosine=True),
    "unet": dict(data=membranes, make=Unet, he=lambda net: [m for pair in (*net.down, *net.up) for m in pair], optimizer=adam(1e-3), loss=unet_loss, figures=dice, batch=1, epochs=25, change=flipped),
    "char_lstm": dict(data=text, make=lambda: Recurrent(nn.LSTM(32, 128, 2, batch_first=True, dropout=0.1), 128, 65, inputs=32, classes=65),
                      optimizer=adamw(3e-3), loss=F.cross_entropy, figures=accuracy, batch=32, epochs=8, cosine=True),
    "char_rnn": dict(data=text, make=lambda: Recurrent(nn.RNN(32, 128, batch_first=True), 128, 65, inputs=32, classes=65),
                     optimizer=adamw(2e-3), loss=F.cross_entropy, figures=accuracy, batch=32, epochs=1),
    "simple_rnn": dict(digits, make=lambda: Recurrent(nn.RNN(28, 64, batch_first=True), 64), optimizer=adam(1e-3), epochs=2),
    "gru": dict(digits, make=lambda: Recurrent(nn.GRU(28, 64, batch_first=True), 64), optimizer=adam(1e-3), epochs=2),
    "lstm": dict(digits, make=lambda: Recurrent(nn.LSTM(28, 64, batch_first=True), 64), optimizer=adam(1e-3), epochs=2),
    "lenet": dict(digits, make=lenet, optimizer=lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), epochs=4),
    "resnet20": dict(data=cifar, make=lambda: known.resnet20(1), he=True, optimizer=lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=1e-4),
                     loss=F.cross_entropy, figures=accuracy, batch=128, epochs=6),
    "lstm_deep": dict(digits, make=lambda: Recurrent(nn.LSTM(28, 32, 2, batch_first=True, bidirectional=True, dropout=0.2), 32, directions=2), optimizer=adam(1e-3), epochs=2),
    "transformer_encoder": dict(digits, make=lambda: Transformer(48, 96, False), optimizer=adamw(1e-3), epochs=2),
    "transformer_decoder": dict(data=text, make=lambda: Transformer(64, 256, True), optimizer=adamw(1e-3), loss=F.cross_entropy, figures=accuracy, batch=32, epochs=1),
    "autoencoder": dict(data=itself, make=autoencoder, optimizer=adam(1e-3), loss=F.mse_loss, figures=mean_of(F.mse_loss), batch=64, epochs=2),
    "denoising_upsampled": dict(data=itself, make=upsampled, optimizer=adam(1e-3), loss=F.binary_cross_entropy_with_logits,
                                figures=mean_of(F.binary_cross_entropy_with_logits), batch=64, epochs=2),
    "text_classifier": dict(data=prepared("speakers"), make=Speaker, he=True, optimizer=adam(1e-3), loss=F.cross_entropy, figures=accuracy, batch=64, epochs=8),
    "wavenet": dict(data=prepared("levels"), make=Wavenet, optimizer=adam(2e-3), loss=F.cross_entropy, figures=accuracy, batch=8, epochs=2),
    "conv1d": dict(data=prepared("temperatures"), make=Temperatures, he=True, optimizer=adam(5e-4), loss=F.mse_loss, figures=mean_of(F.mse_loss), batch=32, epochs=30),
    "regression_gaussian": dict(data=prepared("houses"), make=lambda: Heads(13, 32, F.relu, (1, 1)), optimizer=adam(1e-3), loss=gaussian, figures=mean_of(gaussian), batch=32, epochs=60),
    "regression_poisson": dict(data=prepared("sunspots"), make=lambda: Heads(4, 16, torch.tanh, (1,)), optimizer=adam(1e-3), loss=poisson, figures=mean_of(poisson), batch=32, epochs=20),
    "regression_mixture": dict(data=prepared("mixture"), make=lambda: Heads(1, 32, torch.tanh, (5, 5, 5)), optimizer=adam(5e-3), loss=mixture, figures=mean_of(mixture), batch=32, epochs=60),
    "realnvp": dict(data=prepared("moons"), make=Flow, optimizer=adam(1e-3), loss=flow_loss, figures=mean_of(flow_loss), batch=64, epochs=30),
    "banknote": dict(data=banknotes, make=lambda: nn.Linear(4, 1), optimizer=adam(0.02), loss=F.binary_cross_entropy_with_logits, figures=yes, batch=32, epochs=50),
    "banknote_hidden": dict(data=banknotes, make=lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)), optimizer=adam(0.02),
                            loss=F.binary_cross_entropy_with_logits, figures=yes, batch=32, epochs=50),
    "scratch": dict(data=prepared("high"), make=lambda: known.mnist_cnn(1), he=True, optimizer=adam(1e-3), loss=F.cross_entropy, figures=accuracy, batch=64, epochs=20),
}


def train(net, x, y, loss, optimizer, batch, epochs, cosine=False, change=None):
    o, step, steps = optimizer(net.parameters()), 0, epochs * -(-len(x) // batch)
    rate = o.param_groups[0]["lr"]
    net.train()
    for _ in range(epochs):
        for part in torch.randperm(len(x)).split(batch):
            o.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps)) if cosine else rate
            a, b = change(x[part], y[part]) if change else (x[part], y[part])
            o.zero_grad()
            loss(net(a), b).backward()
            o.step()
            step += 1


folder, cut, *names = sys.argv[1:]
torch.set_num_threads(1)
for word in names:
    name, _, seed = word.partition(":")
    torch.manual_seed(int(seed or 1))
    n = dict(NETWORKS[name])
    x, y, test_x, test_y = n.pop("data")()
    net, figures = n.pop("make")(), n.pop("figures")
    begin(net, n.pop("he", False))
    start = time.time()
    train(net, x, y, **n)
    took = time.time() - start
    net.eval()
    with torch.no_grad():
        print(word, f"{took:.0f} s,", ", ".join(f"{k} {v:.4f}" for k, v in figures(net, test_x, test_y).items()), flush=True)
