#!/usr/bin/env python3
"""Record losses and their gradients as PyTorch has them: record_losses.py >losses.txt (needs torch).

"= CALL" is of the train line, its arguments are tensors: lines "in NAME TYPE DIMS : numbers"; "loss" is the value, "grad NAME" the
gradient. Scores go up to 1000 and lie where slopes jump, probabilities are 0 and 1, too. torch_losses.py compares.
"""
import math

import torch

F = torch.nn.functional
torch.set_default_dtype(torch.float64)
SCORES = [0.0, 0.5, -0.25, 1000.0, -1000.0, 0.0, 2.0, 2.0, 2.0, -3.5, 0.125, 88.0, 1e-30, -1e-30, 1.0, 40.0, -40.0, 0.0]
NUMBERS = [0.0, 1.0, -1.0, 0.5, 2.0, -0.25, 3.0, 0.0, 1e-20, 1.5, -7.0, 60.0]
WANTED = [0.0, 0.0, 0.0, 0.25, 1.0, 0.25, 3.0, 1e-20, 0.0, 0.5, -7.5, 59.0]
COUNTS = [0.0, 1.0, 2.0, 5.0, 0.0, 1.0, 3.0, 10.0, 0.0, 2.0, 1.0, 4.0]
UNIT = [0.0, 1.0, 0.5, 0.25, 1.0, 0.0, 1e-12, 1 - 1e-7, 0.125, 0.75, 0.5, 0.999]
BITS = [0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.5, 0.25]
ROWS = [[1.0, 0, 0], [0.25, 0.5, 0.25], [0, 0, 1], [0.1, 0.2, 0.7], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]]
CLASSES = [2, 0, 1, 2, 1, 0]


def floats(values, *dims):
    return torch.tensor([v for _, v in zip(range(math.prod(dims)), values * 10)]).reshape(dims)


def classes(values, *dims):
    return torch.tensor(values[:math.prod(dims)], dtype=torch.int64).reshape(dims)


def scores(*dims):
    return floats(SCORES, *dims)


def huber(delta):
    return lambda y, t: F.huber_loss(y, t, delta=delta)


def mixture(y, m, s, t):
    parts = torch.distributions.Normal(m, s)
    if m.dim() > 2:
        parts = torch.distributions.Independent(parts, m.dim() - 2)
    return -torch.distributions.MixtureSameFamily(torch.distributions.Categorical(logits=y), parts).log_prob(t).mean()


def dice(y, t, smooth=1):
    over = tuple(range(2 if y.dim() > 2 else 1, y.dim()))
    return (1 - (2 * (y * t).sum(over) + smooth) / (y.sum(over) + t.sum(over) + smooth)).mean()


def weighted(*values):
    return torch.tensor(values)


def ctc(blank=0, zero_infinity=False, reduction="mean"):
    def loss(y, t, steps, length):
        p = F.log_softmax(y, 1).permute(2, 0, 1)
        return F.ctc_loss(p, t, steps, length, blank=blank, zero_infinity=zero_infinity, reduction=reduction).mean()
    return loss


def spoken(n, classes_, steps, labels, steps_of, length, scale=2.0):
    """Scores of every size, labels padded with 0, how many steps and labels count."""
    scores_ = [scale * math.sin(1.7 * i * i + 0.3) for i in range(n * classes_ * steps)]
    return dict(y=floats(scores_, n, classes_, steps), t=torch.tensor(labels), steps=torch.tensor(steps_of), length=torch.tensor(length))


S = "SoftmaxCrossEntropyLoss(y, t"
CASES = [
    (S + ")", lambda y, t: F.cross_entropy(y, t), dict(y=scores(6, 3), t=classes(CLASSES, 6))),
    (S + ", smoothing = 0.1)", lambda y, t: F.cross_entropy(y, t, label_smoothing=0.1), dict(y=scores(6, 3), t=classes(CLASSES, 6))),
    (S + ", weights = [1, 0.3, 2])", lambda y, t: F.cross_entropy(y, t, weighted(1, 0.3, 2)), dict(y=scores(6, 3), t=classes(CLASSES, 6))),
    (S + ", ignore_index = 1)", lambda y, t: F.cross_entropy(y, t, ignore_index=1), dict(y=scores(6, 3), t=classes(CLASSES, 6))),
    (S + ", smoothing = 0.2, weights = [1, 0.3, 2], ignore_index = -1)",
     lambda y, t: F.cross_entropy(y, t, weighted(1, 0.3, 2), label_smoothing=0.2, ignore_index=-1), dict(y=scores(6, 3), t=classes([2, -1, 1, -1, 0, 0], 6))),
    (S + ", smoothing = 0.1, ignore_index = 255)", lambda y, t: F.cross_entropy(y, t, label_smoothing=0.1, ignore_index=255),
     dict(y=scores(2, 3, 2, 2), t=classes([2, 255, 1, 0, 255, 1, 1, 2], 2, 2, 2))),
    ("NegativeLogLikelihoodLoss(y, t, weights = [1, 0.3, 2], ignore_index = 0)", lambda y, t: F.nll_loss(y, t, weighted(1, 0.3, 2), ignore_index=0),
     dict(y=scores(2, 3, 3), t=classes(CLASSES, 2, 3))),
    ("CategoricalCrossEntropy(y, t)", lambda y, t: F.cross_entropy(y, t), dict(y=scores(6, 3), t=torch.tensor(ROWS))),
    ("CategoricalCrossEntropy(y, t, smoothing = 0.1, weights = [1, 0.3, 2])", lambda y, t: F.cross_entropy(y, t, weighted(1, 0.3, 2), label_smoothing=0.1),
     dict(y=scores(6, 3), t=torch.tensor(ROWS))),
    ("CategoricalCrossEntropy(y, t, smoothing = 0.3)", lambda y, t: F.cross_entropy(y, t, label_smoothing=0.3),
     dict(y=scores(2, 3, 3), t=torch.tensor(ROWS).reshape(2, 3, 3).transpose(1, 2).contiguous())),
    ("BinaryCrossEntropy(y, t)", lambda y, t: F.binary_cross_entropy(y, t), dict(y=floats(UNIT, 4, 3), t=floats(BITS, 4, 3))),
    ("BinaryCrossEntropyWithLogits(y, t)", lambda y, t: F.binary_cross_entropy_with_logits(y, t), dict(y=scores(4, 3), t=floats(BITS, 4, 3))),
    ("BinaryCrossEntropyWithLogits(y, t, positive_weight = 2.5)", lambda y, t: F.binary_cross_entropy_with_logits(y, t, pos_weight=torch.tensor(2.5)),
     dict(y=scores(4, 3), t=floats(BITS, 4, 3))),
    ("BinaryCrossEntropyWithLogits(y, t, smoothing = 0.1)", lambda y, t: F.binary_cross_entropy_with_logits(y, t * 0.9 + 0.05), dict(y=scores(4, 3), t=floats(BITS, 4, 3))),
    ("HingeLoss(y, t)", lambda y, t: F.relu(1 - y * t).mean(), dict(y=floats(NUMBERS, 4, 3), t=floats([1.0, -1.0], 4, 3))),
    ("HingeLoss(y, t, margin = 0.5, power = 2)", lambda y, t: F.relu(0.5 - y * t).square().mean(), dict(y=floats(NUMBERS, 4, 3), t=floats([1.0, -1.0], 4, 3))),
    ("DiceLoss(y, t)", dice, dict(y=floats(UNIT, 3, 4), t=floats(BITS, 3, 4))),
    ("DiceLoss(y, t, smooth = 0.01)", lambda y, t: dice(y, t, 0.01), dict(y=floats(UNIT, 2, 3, 2, 2), t=floats(BITS, 2, 3, 2, 2))),
    ("MeanSquaredError(y, t)", lambda y, t: F.mse_loss(y, t), dict(y=floats(NUMBERS, 4, 3), t=floats(WANTED, 4, 3))),
    ("MeanAbsoluteError(y, t)", lambda y, t: F.l1_loss(y, t), dict(y=floats(NUMBERS, 4, 3), t=floats(WANTED, 4, 3))),
    ("HuberLoss(y, t)", huber(1), dict(y=floats(NUMBERS, 4, 3), t=floats(WANTED, 4, 3))),
    ("HuberLoss(y, t, delta = 0.25)", huber(0.25), dict(y=floats(NUMBERS, 4, 3), t=floats(WANTED, 4, 3))),
    ("HuberLoss(y, t, delta = 0.3)", huber(0.3), dict(y=floats(NUMBERS, 4, 3), t=floats(WANTED, 4, 3))),
    ("SmoothL1Loss(y, t, beta = 0.5)", lambda y, t: F.smooth_l1_loss(y, t, beta=0.5), dict(y=floats(NUMBERS, 4, 3), t=floats(WANTED, 4, 3))),
    ("CosineDistance(y, t)", lambda y, t: (1 - F.cosine_similarity(y, t)).mean(), dict(y=floats([0.0] * 3 + NUMBERS[:9], 4, 3), t=floats(WANTED[3:] + [0.0] * 3, 4, 3))),
    ("CosineDistance(y, t, epsilon = 0.1)", lambda y, t: (1 - F.cosine_similarity(y, t, eps=0.1)).mean(),
     dict(y=floats([0.0] * 3 + NUMBERS[:9], 4, 3), t=floats(WANTED[3:] + [0.0] * 3, 4, 3))),
    ("TripletLoss(y, p, n)", lambda y, p, n: F.triplet_margin_loss(y, p, n), dict(y=floats(NUMBERS, 4, 3), p=floats(WANTED, 4, 3), n=floats(NUMBERS[3:], 4, 3))),
    ("TripletLoss(y, p, n, margin = 0.2)", lambda y, p, n: F.triplet_margin_loss(y, p, n, margin=0.2),
     dict(y=floats(NUMBERS, 4, 3), p=floats(NUMBERS, 4, 3), n=floats(WANTED, 4, 3))),
    ("PoissonLoss(y, t)", lambda y, t: F.poisson_nll_loss(y, t), dict(y=floats(NUMBERS, 4, 3), t=floats(COUNTS, 4, 3))),
    ("PoissonLoss(y, t, full = 1)", lambda y, t: F.poisson_nll_loss(y, t, full=True), dict(y=floats(NUMBERS, 4, 3), t=floats(COUNTS, 4, 3))),
    ("PoissonLoss(y, t, log_input = 0)", lambda y, t: F.poisson_nll_loss(y, t, log_input=False), dict(y=floats(UNIT, 4, 3), t=floats(COUNTS, 4, 3))),
    ("GaussianLoss(y, v, t)", lambda y, v, t: F.gaussian_nll_loss(y, t, v), dict(y=floats(NUMBERS, 4, 3), v=floats(UNIT, 4, 3), t=floats(WANTED, 4, 3))),
    ("GaussianLoss(y, v, t, full = 1, epsilon = 0.01)", lambda y, v, t: F.gaussian_nll_loss(y, t, v, full=True, eps=0.01),
     dict(y=floats(NUMBERS, 4, 3), v=floats(UNIT, 4, 3), t=floats(WANTED, 4, 3))),
    ("MixtureLoss(y, m, s, t)", mixture, dict(y=scores(4, 3), m=floats(NUMBERS, 4, 3), s=floats([0.5, 1.0, 0.01, 2.0], 4, 3), t=floats(WANTED, 4))),
    ("MixtureLoss(y, m, s, t)", mixture, dict(y=scores(4, 3), m=floats(NUMBERS, 4, 3, 2), s=floats([0.5, 1.0, 0.1, 2.0, 5.0], 4, 3, 2), t=floats(WANTED, 4, 2))),
    ("KullbackLeiblerDivergence(y, t)", lambda y, t: F.kl_div(y, t, reduction="batchmean"), dict(y=floats([-0.5, -2.0, 0.0, -30.0], 6, 3), t=torch.tensor(ROWS))),
    ("CTCLoss(y, t, steps, length, room = 3)", ctc(), spoken(4, 5, 7, [[1, 2, 3], [2, 2, 0], [0, 0, 0], [4, 4, 4]], [7, 6, 3, 5], [3, 2, 0, 3])),
    ("CTCLoss(y, t, steps, length, room = 3, zero_infinity = 1)", ctc(zero_infinity=True),
     spoken(4, 5, 7, [[1, 1, 1], [2, 3, 2], [4, 3, 0], [4, 4, 0]], [4, 2, 2, 2], [3, 3, 2, 2])),
    ("CTCLoss(y, t, steps, length, room = 2, blank = 2, per_label = 0)", ctc(2, reduction="none"),
     spoken(3, 4, 6, [[1, 0], [3, 3], [0, 0]], [6, 5, 1], [2, 2, 1], 40.0)),
    ("CTCLoss(y, t, steps, length)", ctc(), spoken(2, 3, 4, [[1, 2, 1, 2], [2, 0, 0, 0]], [4, 4], [4, 1], 1000.0)),
    ("CTCLoss(y, t, steps, length)", ctc(), spoken(1, 2, 1, [[1]], [1], [1])),
    ("CTCLoss(y, t, steps, length, room = 12)", ctc(), spoken(2, 6, 40, [[1, 2, 3, 4, 5, 1, 1, 2, 5, 5, 3, 3], [5, 4, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0]], [40, 33], [12, 6], 5.0)),
    ("L1(y)", lambda y: y.abs().sum(), dict(y=floats(NUMBERS, 4, 3))),
    ("L2(y)", lambda y: y.square().sum(), dict(y=floats(NUMBERS, 4, 3))),
    ("ActivityL1(y)", lambda y: y.abs().sum() / 4, dict(y=floats(NUMBERS, 4, 3))),
    ("ActivityL2(y)", lambda y: y.square().sum() / 4, dict(y=floats(NUMBERS, 4, 3))),
]


def text(t):
    return " ".join("%.17g" % v for v in t.reshape(-1).tolist())


def main():
    for call, f, given in CASES:
        print("=", call)
        for name, t in given.items():
            kind = "f32" if t.is_floating_point() else "i32"
            print("in", name, kind, ",".join(map(str, t.shape)), ":", text(t))
            if t.is_floating_point() and name != "t":
                t.requires_grad_()
        loss = f(*given.values())
        loss.backward()
        print("loss %.17g" % loss.item())
        for name, t in given.items():
            if t.requires_grad:
                print("grad", name, text(t.grad))


if __name__ == "__main__":
    main()
