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


SHAPES = {mlp_mnist: (1, 28, 28), mnist_cnn: (1, 28, 28), cifar_cnn: (3, 32, 32), resnet20: (3, 32, 32), denoising_autoencoder: (1, 28, 28)}


def loss_of(make):
    return F.binary_cross_entropy_with_logits if make is denoising_autoencoder else F.cross_entropy


def uniform(stream, n):
    """n numbers from 0 to 1: the finalizer of SplitMix64 over a counter that starts at stream * 2^32."""
    with np.errstate(over="ignore"):
        z = (np.uint64(stream << 32) + np.arange(n, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def fill(net):
    """Weights as He has them, by the product of all dims but the first; scales near 1, biases near 0."""
    scales = {id(m.weight) for m in net.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))}
    for k, p in enumerate(net.parameters()):
        u = 2 * uniform(k, p.numel()) - 1
        values = u * np.sqrt(6 / p[0].numel()) if p.dim() > 1 else 0.1 * u + (id(p) in scales)
        p.data = torch.from_numpy(values).reshape(p.shape).to(p.dtype)


def batch(make, step, n):
    """Pictures around 0, a quarter of each is one of ten patterns and the rest noise, and which pattern; or pictures from 0 to 1, twice.

    Around 0: else many neurons see one picture of a batch and no other, batch norm makes much of it, and rounding decides which.
    """
    itself, size = make is denoising_autoencoder, int(np.prod(SHAPES[make]))
    label = np.floor(10 * uniform(3000 + step, n)).astype(np.int64)
    patterns = uniform(1000, 10 * size).reshape(10, size)
    x = 0.25 * patterns[label] + 0.75 * uniform(2000 + step, n * size).reshape(n, size) - (0 if itself else 0.5)
    x = torch.from_numpy(x).reshape(n, *SHAPES[make]).to(torch.get_default_dtype())
    return x, x if itself else torch.from_numpy(label)
