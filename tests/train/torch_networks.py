"""The networks of models/ in PyTorch, as nncc trains them: one module for recording losses and for measuring time.

Parameters lie in the order of the .nn file. fill() and batch() follow from formulas that networks.c has too.
"""
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Same(nn.Module):
    """ONNX's SAME_UPPER of a 3x3 convolution that halves an even extent: one row and column behind."""

    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class SameTransposed(nn.Module):
    """… and of its transpose, which doubles: the last row and column go."""

    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        return self.conv(x)[:, :, :-1, :-1]


class Block(nn.Module):
    """Two convolutions and a shortcut; with another number of channels the first halves the picture."""

    def __init__(self, channels, filters):
        super().__init__()
        down = channels != filters
        first = nn.Conv2d(channels, filters, 3, stride=2, bias=False) if down else nn.Conv2d(channels, filters, 3, padding=1, bias=False)
        self.first = nn.Sequential(Same(first) if down else first, nn.BatchNorm2d(filters), nn.ReLU())
        self.short = nn.Sequential(nn.Conv2d(channels, filters, 1, stride=2, bias=False), nn.BatchNorm2d(filters)) if down else nn.Identity()
        self.second = nn.Sequential(nn.Conv2d(filters, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        return F.relu(self.second(self.first(x)) + self.short(x))


def mlp_mnist(drop):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 500), nn.ReLU(), nn.BatchNorm1d(500), nn.Dropout(0.2 * drop), nn.Linear(500, 50),
                         nn.ReLU(), nn.BatchNorm1d(50), nn.Dropout(0.2 * drop), nn.Linear(50, 10))


def mnist_cnn(drop):
    return nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25 * drop), nn.Linear(1568, 10))


def cifar_cnn(drop):
    return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25 * drop),
                         nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4096, 128), nn.ReLU(),
                         nn.Linear(128, 10))


def resnet20(_drop):
    stages = [(16, 16)] * 3 + [(16, 32)] + [(32, 32)] * 2 + [(32, 64)] + [(64, 64)] * 2
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *[Block(*s) for s in stages],
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def denoising_autoencoder(drop):
    return nn.Sequential(nn.Dropout(0.33 * drop), Same(nn.Conv2d(1, 16, 3, stride=2)), nn.ReLU(), Same(nn.Conv2d(16, 32, 3, stride=2)), nn.ReLU(),
                         SameTransposed(nn.ConvTranspose2d(32, 16, 3, stride=2)), nn.ReLU(), SameTransposed(nn.ConvTranspose2d(16, 1, 3, stride=2)))


class Recurrent(nn.Module):
    """One layer, whose gates ONNX has in another order; the step at the end, or all of them."""

    GATES = {nn.RNN: (0,), nn.GRU: (1, 0, 2), nn.LSTM: (0, 2, 3, 1)}

    def __init__(self, kind, features, units, steps=False):
        super().__init__()
        self.cell, self.steps = kind(features, units, batch_first=True), steps
        self.gates, self.units = self.GATES[kind], units

    def forward(self, x):
        y, _ = self.cell(x)
        return y if self.steps else y[:, -1]

    def given(self):
        rows = len(self.gates) * self.units
        for weight in (self.cell.weight_ih_l0, self.cell.weight_hh_l0):
            yield (1, rows, weight.shape[1]), lambda v, weight=weight: self.put(weight, v)
        yield (1, 2 * rows), lambda v: [self.put(b, half) for b, half in zip((self.cell.bias_ih_l0, self.cell.bias_hh_l0), v.reshape(2, rows))]

    def put(self, p, values):
        parts = values.reshape(len(self.gates), self.units, *p.shape[1:])
        p.data = torch.cat([parts[g] for g in self.gates]).to(p.dtype)


class Product(nn.Module):
    """A dense layer over vectors of a sequence: the weights are the transpose of PyTorch's."""

    def __init__(self, features, units):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(features, units)), nn.Parameter(torch.empty(units))

    def forward(self, x):
        return x @ self.weight + self.bias


class Attention(nn.Module):
    def __init__(self, features, heads, causal):
        super().__init__()
        self.query, self.key, self.value, self.output = (Product(features, features) for _ in range(4))
        self.heads, self.causal = heads, causal

    def forward(self, x):
        q, k, v = (f(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
        return self.output(F.scaled_dot_product_attention(q, k, v, is_causal=self.causal).transpose(1, 2).flatten(2))


class Encoder(nn.Module):
    """A block of a transformer."""

    def __init__(self, features, hidden, causal):
        super().__init__()
        self.look = nn.Sequential(nn.LayerNorm(features), Attention(features, 4, causal))
        self.think = nn.Sequential(nn.LayerNorm(features), Product(features, hidden), nn.GELU(), Product(hidden, features))

    def forward(self, x):
        x = x + self.look(x)
        return x + self.think(x)


class Call(nn.Module):
    """A function as a layer."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


class Placed(nn.Module):
    """A transformer, whose first parameter says where things are."""

    def __init__(self, steps, features, before, behind):
        super().__init__()
        self.place, self.before, self.behind = nn.Parameter(torch.empty(steps, features)), before, behind

    def forward(self, x):
        return self.behind(self.before(x) + self.place)


def rows(x):
    return x.reshape(-1, 28, 28)


def lstm(_drop):
    return nn.Sequential(Call(rows), Recurrent(nn.LSTM, 28, 64), nn.Linear(64, 10))


def gru(_drop):
    return nn.Sequential(Call(rows), Recurrent(nn.GRU, 28, 64), nn.Linear(64, 10))


def char_rnn(_drop):
    return nn.Sequential(nn.Embedding(65, 32), Recurrent(nn.RNN, 32, 128, True), Product(128, 65), Call(lambda x: x.transpose(1, 2)))


def transformer_encoder(_drop):
    return Placed(28, 48, nn.Sequential(Call(rows), Product(28, 48)),
                  nn.Sequential(*[Encoder(48, 96, False) for _ in range(2)], nn.LayerNorm(48), Call(lambda x: x.mean(1)), nn.Linear(48, 10)))


def transformer_decoder(_drop):
    return Placed(64, 64, nn.Embedding(65, 64), nn.Sequential(*[Encoder(64, 256, True) for _ in range(2)], nn.LayerNorm(64), Product(64, 65),
                                                              Call(lambda x: x.transpose(1, 2))))


class Up(nn.Module):
    def __init__(self, channels, filters):
        super().__init__()
        self.large, self.pair = nn.ConvTranspose2d(channels, filters, 2, stride=2), pair(2 * filters, filters)

    def forward(self, x, skip):
        return self.pair(torch.cat([self.large(x), skip], 1))


def pair(channels, filters):
    return nn.Sequential(nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.Conv2d(filters, filters, 3, padding=1), nn.ReLU())


class unet(nn.Module):
    def __init__(self, _drop):
        super().__init__()
        self.down = nn.ModuleList([pair(1, 8), pair(8, 16), pair(16, 32), pair(32, 64)])
        self.up = nn.ModuleList([Up(64, 32), Up(32, 16), Up(16, 8)])
        self.score = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        skips = []
        for i, layer in enumerate(self.down):
            x = layer(F.max_pool2d(x, 2) if i else x)
            skips.append(x)
        for i, layer in enumerate(self.up):
            x = layer(x, skips[2 - i])
        return self.score(x)

    @staticmethod
    def loss(score, cells):
        p = torch.sigmoid(score)
        return F.binary_cross_entropy_with_logits(score, cells) + 1 - (2 * (p * cells).sum() + 1) / ((p + cells).sum() + 1)


class vae(nn.Module):
    """Its noise is nncc's: the same generator at the same step."""

    def __init__(self, _drop):
        super().__init__()
        self.hidden, self.mean, self.log_variance = nn.Linear(784, 256), nn.Linear(256, 16), nn.Linear(256, 16)
        self.decoder, self.step = nn.Sequential(nn.Linear(16, 256), nn.ReLU(), nn.Linear(256, 784)), 0

    def forward(self, x):
        h = F.relu(self.hidden(x.flatten(1)))
        mean, log_variance = self.mean(h), self.log_variance(h)
        noise = torch.from_numpy(normal(1, 1, self.step, mean.numel())).to(mean.dtype).reshape(mean.shape)
        self.step += 1
        return self.decoder(mean + torch.exp(0.5 * log_variance) * noise), mean, log_variance

    @staticmethod
    def loss(y, x):
        logits, mean, log_variance = y
        kl = -0.5 * (1 + log_variance - mean * mean - log_variance.exp()).sum(1).mean()
        return F.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="none").sum(1).mean() + kl


def dcgan_generator(_drop=0):
    def up(channels, filters):
        return [nn.ConvTranspose2d(channels, filters, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
    return nn.Sequential(nn.Linear(64, 3136, bias=False), nn.Unflatten(1, (64, 7, 7)), nn.BatchNorm2d(64), nn.ReLU(), *up(64, 32),
                         nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1), nn.Tanh())


def dcgan_discriminator(_drop=0):
    return nn.Sequential(nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, stride=2, padding=1, bias=False),
                         nn.BatchNorm2d(64), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(3136, 1))


TEXTS = {char_rnn: 64, transformer_decoder: 64}
SHAPES = {mlp_mnist: (1, 28, 28), mnist_cnn: (1, 28, 28), cifar_cnn: (3, 32, 32), resnet20: (3, 32, 32), denoising_autoencoder: (1, 28, 28),
          lstm: (1, 28, 28), gru: (1, 28, 28), transformer_encoder: (1, 28, 28), unet: (1, 16, 16), vae: (1, 28, 28)}


def loss_of(make):
    if make is denoising_autoencoder:
        return F.binary_cross_entropy_with_logits
    return getattr(make, "loss", F.cross_entropy)


def uniform(stream, n):
    """n numbers from 0 to 1: the finalizer of SplitMix64 over a counter that starts at stream * 2^32."""
    with np.errstate(over="ignore"):
        z = (np.uint64(stream << 32) + np.arange(n, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def philox(key, step, n):
    """The four words of Philox4x32-10 for counters (i, step) under a key of 64 bits."""
    x, low = np.zeros((4, n), np.uint64), np.uint64(0xFFFFFFFF)
    x[0], x[2], x[3] = np.arange(n, dtype=np.uint64), step & 0xFFFFFFFF, step >> 32
    k = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * x[0], np.uint64(0xCD9E8D57) * x[2]
        x = np.stack([b >> np.uint64(32) ^ x[1] ^ np.uint64(k[0]), b & low, a >> np.uint64(32) ^ x[3] ^ np.uint64(k[1]), a & low])
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return x


def normal(seed, stream, step, n):
    """What nncc draws: uniform numbers of 24 bits, by Box and Muller."""
    x = philox(seed + (stream << 32), step, n)
    u, v = (x[i] >> np.uint64(8) for i in (1, 3))
    return np.sqrt(-2 * np.log(1 - u * 2.0**-24)) * np.cos(2 * np.pi * v * 2.0**-24)


def given(net):
    """The shape of each parameter in nncc, in its order, whether it is a scale, and what puts numbers there."""
    if hasattr(net, "given"):
        for shape, put in net.given():
            yield shape, False, put
        return
    for p in net.parameters(recurse=False):
        def put(values, p=p):
            p.data = values.to(p.dtype)
        yield tuple(p.shape), p is getattr(net, "weight", None) and isinstance(net, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)), put
    for child in net.children():
        yield from given(child)


def fill(net):
    """Weights as He has them, by the product of all dims but the first; scales near 1, biases near 0. Of recurrent layers as PyTorch
    has them: with larger ones the state of 64 steps is chaotic, and rounding decides."""
    for k, (shape, scale, put) in enumerate(given(net)):
        u = 2 * uniform(k, int(np.prod(shape))) - 1
        most = np.sqrt(1 / shape[2] if len(shape) == 3 else 6 / np.prod(shape[1:]))
        put(torch.from_numpy(u * most if len(shape) > 1 else 0.1 * u + scale).reshape(shape))


def text(make, step, n):
    """Characters, and those that are to follow: each is made of the one before."""
    x = np.floor(65 * uniform(2000 + step, n * TEXTS[make])).astype(np.int64).reshape(n, -1)
    return torch.from_numpy(x), torch.from_numpy((7 * x + 3) % 65)


def batch(make, step, n):
    """Pictures around 0, a quarter of each is one of ten patterns and the rest noise, and which pattern; or pictures from 0 to 1, twice;
    or pictures and masks of noise.

    Around 0: else many neurons see one picture of a batch and no other, batch norm makes much of it, and rounding decides which.
    """
    if make in TEXTS:
        return text(make, step, n)
    itself, size = make in (denoising_autoencoder, vae), int(np.prod(SHAPES[make]))
    label = np.floor(10 * uniform(3000 + step, n)).astype(np.int64)
    patterns = uniform(1000, 10 * size).reshape(10, size)
    x = 0.25 * patterns[label] + 0.75 * uniform(2000 + step, n * size).reshape(n, size) - (0 if itself else 0.5)
    x = torch.from_numpy(x).reshape(n, *SHAPES[make]).to(torch.get_default_dtype())
    if make is unet:
        return x, torch.from_numpy(np.floor(2 * uniform(3000 + step, n * size))).reshape(x.shape).to(x.dtype)
    return x, x if itself else torch.from_numpy(label)
