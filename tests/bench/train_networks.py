"""The networks of train/*.nn and of models/ that are measured but not compared loss by loss, in PyTorch: CASES."""
import math
import os
import sys

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train"))
import torch_networks as networks


def conv_norm(channels, filters, kernel, stride=1, groups=1, last=nn.Identity):
    """A convolution of the same extent, or of half of it, batch norm and an activation."""
    conv = nn.Conv2d(channels, filters, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(filters), last())


class Residual(nn.Module):
    """What a block adds to its input, or to what a shortcut makes of it."""

    def __init__(self, block, short=None, last=nn.Identity):
        super().__init__()
        self.block, self.short, self.last = block, short or nn.Identity(), last()

    def forward(self, x):
        return self.last(self.block(x) + self.short(x))


def resnet18():
    def block(channels, filters):
        down = channels != filters
        both = nn.Sequential(conv_norm(channels, filters, 3, 1 + down, last=nn.ReLU), conv_norm(filters, filters, 3))
        return Residual(both, conv_norm(channels, filters, 1, 2) if down else None, nn.ReLU)

    stages = [block(*b) for n in (64, 128, 256, 512) for b in ((max(64, n // 2), n), (n, n))]
    stem = conv_norm(3, 64, 7, 2, last=nn.ReLU)
    return nn.Sequential(stem, nn.MaxPool2d(3, 2, 1), *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def mobilenet():
    def block(channels, wide, filters, stride=1):
        deep = conv_norm(wide, wide, 3, stride, wide, nn.ReLU6)
        parts = nn.Sequential(conv_norm(channels, wide, 1, last=nn.ReLU6), deep, conv_norm(wide, filters, 1))
        return Residual(parts) if channels == filters else parts

    blocks = block(16, 96, 24, 2), block(24, 144, 24), block(24, 144, 32, 2), block(32, 192, 32), block(32, 192, 32)
    stem = conv_norm(3, 16, 3, 2, last=nn.ReLU6)
    return nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


class UNet(nn.Module):
    """Around a smaller one: two convolutions, half the extent and back, two more beside what was before."""

    def __init__(self, channels, filters, depth):
        super().__init__()
        pair = lambda n, m: nn.Sequential(nn.Conv2d(n, m, 3, padding=1), nn.ReLU(), nn.Conv2d(m, m, 3, padding=1), nn.ReLU())
        self.first = pair(channels, filters)
        self.inner = UNet(filters, 2 * filters, depth - 1) if depth else None
        if depth:
            self.up, self.last = nn.ConvTranspose2d(2 * filters, filters, 2, 2), pair(2 * filters, filters)

    def forward(self, x):
        x = self.first(x)
        if not self.inner:
            return F.dropout(x, 0.2, self.training)
        return self.last(torch.cat([self.up(self.inner(F.max_pool2d(x, 2))), x], 1))


def unet():
    return nn.Sequential(UNet(1, 16, 3), nn.Conv2d(16, 1, 1))


class LastStep(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0][:, -1]


def lstm128():
    return nn.Sequential(LastStep(nn.LSTM(128, 128, batch_first=True)), nn.Linear(128, 10))


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


def transformer():
    layer = nn.TransformerEncoderLayer(256, 4, 1024, dropout=0, activation="gelu", batch_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 4), Mean(), nn.Linear(256, 10))


class Case:
    """n examples in a batch; the network; its text, in models/ or train/, and what is another there; the loss."""

    def __init__(self, n, make, batches, of_models=True, edits=(), options=(), pixels=False):
        self.n, self.make, self.batches, self.of_models, self.edits, self.options, self.pixels = n, make, batches, of_models, edits, options, pixels
        self.torch_loss = F.binary_cross_entropy_with_logits if pixels else F.cross_entropy
        self.loss = "BinaryCrossEntropyWithLogits" if pixels else "SoftmaxCrossEntropyLoss"


def known(make):
    """A network whose losses are compared, too, and its batches."""
    return lambda: make(1), lambda n, k: networks.batch(make, k, n)


def noise(*shape, classes=10, pixels=False):
    """Inputs around 0, and a class of each, or of each place whether it is positive."""

    def batch(n, k):
        x = torch.from_numpy(networks.uniform(2000 + k, n * math.prod(shape)) - 0.5).reshape(n, *shape).float()
        return x, (x > 0).float() if pixels else torch.from_numpy(networks.uniform(3000 + k, n) * classes).long()

    return batch


SMALL_WITHOUT_SOFTMAX = ("[1, 3, 224, 224]", "[batch, 3, 64, 64]"), ("return softmax(%scores) as %probabilities", "return %scores")
CASES = {
    "mlp_mnist": Case(64, *known(networks.mlp_mnist)),
    "cifar_cnn": Case(32, *known(networks.cifar_cnn)),
    "resnet20": Case(32, *known(networks.resnet20)),
    "resnet18": Case(8, resnet18, noise(3, 64, 64, classes=1000), edits=SMALL_WITHOUT_SOFTMAX),
    "mobilenet": Case(8, mobilenet, noise(3, 64, 64), of_models=False),
    "unet": Case(2, unet, noise(1, 128, 128, pixels=True), options=("--dim", "h=128", "--dim", "w=128"), pixels=True),
    "lstm128": Case(16, lstm128, noise(100, 128), of_models=False),
    "transformer": Case(4, transformer, noise(128, 256), of_models=False),
}
