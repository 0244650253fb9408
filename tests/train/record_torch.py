#!/usr/bin/env python3
"""Record the losses of PyTorch on the network of torch.nn, step by step: record_torch.py >torch.txt (needs torch and keras).

Parameters and data follow from formulas, which torch.c has too. Keras' optimizers are its own, in double; those that PyTorch lacks, Lion
and LAMB, are written out here. "Average" has one number more: the loss of the first batch by the running averages of the parameters.
"""
import math
import os

import torch

os.environ["KERAS_BACKEND"] = "torch"
import keras  # noqa: E402

keras.config.set_floatx("float64")
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
    "RMSpropMomentum": lambda p: torch.optim.RMSprop(p, lr=0.001, momentum=0.8, weight_decay=0.01),
    "AMSGrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "Adamax": lambda p: torch.optim.Adamax(p, lr=0.01, weight_decay=0.01),
    "Nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "Adafactor": lambda p: torch.optim.Adafactor(p, lr=0.02, eps=(1.1920929e-07, 1e-3), weight_decay=0.05),
    "Muon": lambda p: muon_and_adamw(p, 0.02),
}


def muon_and_adamw(parameters, lr):
    """Of convolutions as matrices; in double, which PyTorch's own does in bfloat16."""
    return Own(parameters, lr, muon_torch)


class Own:
    """f(w, g, state, t, lr) gives the new w; state is a dict for each parameter, t counts from 1."""

    def __init__(self, parameters, lr, f):
        self.parameters, self.lr, self.f, self.t = list(parameters), lr, f, 0
        self.states = [{} for _ in self.parameters]

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None

    def step(self):
        self.t += 1
        for p, state in zip(self.parameters, self.states):
            p.data = self.f(p.data, p.grad, state, self.t, self.lr)


def slot(state, name, like, first=0.0):
    return state.setdefault(name, torch.full_like(like, first))


def moments(g, s, beta1=0.9, beta2=0.999):
    s["m"] = slot(s, "m", g) + (g - s["m"]) * (1 - beta1)
    s["v"] = slot(s, "v", g) + (g * g - s["v"]) * (1 - beta2)
    return s["m"], s["v"]


def lion(decay):
    def update(w, g, s, t, lr):
        m = slot(s, "m", g)
        step = torch.sign(0.9 * m + 0.1 * g)
        s["m"] = 0.99 * m + 0.01 * g
        return w - lr * decay * w - lr * step
    return update


def trusted(w, step):
    a, b = w.norm(), step.norm()
    return a / b if a > 0 and b > 0 else 1.0


def lamb(w, g, s, t, lr):
    m, v = moments(g, s)
    step = m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-6) + 0.01 * w
    return w - lr * trusted(w, step) * step


def orthogonal(x, steps, floor):
    shape, x = x.shape, x.reshape(x.shape[0], -1)
    tall = x.shape[0] > x.shape[1]
    ratio = max(1.0, x.shape[0] / x.shape[1]) ** 0.5
    if tall:
        x = x.T
    x = x / (x.norm().clamp(min=1e-7) if floor else x.norm() + 1e-7)
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
    return ratio * (x.T if tall else x).reshape(shape)


def muon_torch(w, g, s, t, lr):
    if w.dim() < 2:
        m, v = moments(g, s)
        return w * (1 - lr * 0.1) - lr * m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-7)
    s["b"] = slot(s, "b", g) + (g - s["b"]) * 0.05
    return w * (1 - lr * 0.1) - lr * orthogonal(g + (s["b"] - g) * 0.95, 5, True)


# ---- Keras ----

class Keras:
    """Keras' own optimizer, on variables in the layout that PyTorch has them in."""

    def __init__(self, parameters, name, **settings):
        self.parameters, self.optimizer = list(parameters), getattr(keras.optimizers, name)(**settings)
        self.variables = [keras.Variable(p.detach().clone(), dtype="float64") for p in self.parameters]

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None

    def step(self):
        self.optimizer.apply([p.grad for p in self.parameters], self.variables)
        for p, v in zip(self.parameters, self.variables):
            p.data = v.value.detach().clone()


KERAS = {
    "SGD": ("SGD", 0.1, {}), "Momentum": ("SGD", 0.05, {"momentum": 0.9}), "Nesterov": ("SGD", 0.05, {"momentum": 0.9, "nesterov": True}),
    "Adam": ("Adam", 0.01, {}), "AdamW": ("AdamW", 0.01, {}), "AMSGrad": ("Adam", 0.01, {"amsgrad": True}), "Adamax": ("Adamax", 0.01, {}),
    "Nadam": ("Nadam", 0.01, {}), "Adadelta": ("Adadelta", 1.0, {}), "Adagrad": ("Adagrad", 0.05, {}), "RMSprop": ("RMSprop", 0.005, {}),
    "RMSpropMomentum": ("RMSprop", 0.001, {"momentum": 0.8}), "Lion": ("Lion", 0.002, {"weight_decay": 0.05}), "LAMB": ("Lamb", 0.02, {}),
    "Adafactor": ("Adafactor", 0.02, {}), "Muon": ("Muon", 0.02, {}),
}

OWN = {"Lion": (0.002, lion(0.1)), "LAMB": (0.02, lamb)}
for own in OWN:
    OPTIMIZERS[own] = lambda p, own=own: Own(p, *OWN[own])
for of, (called, rate, more) in KERAS.items():
    OPTIMIZERS["Keras" + of] = lambda p, called=called, rate=rate, more=more: Keras(p, called, learning_rate=rate, **more)


# ---- what is done around a step ----

def clip_each(net):
    for p in net.parameters():
        torch.nn.utils.clip_grad_norm_([p], 0.05)


def sgd(p):
    return torch.optim.SGD(p, lr=0.1, momentum=0.9)


def groups(p):
    p = list(p)
    return torch.optim.AdamW([{"params": p[-2:], "lr": 0.001, "weight_decay": 0.5}, {"params": p[:-2]}], lr=0.01)


CLIPS = {
    "ClipValue": (sgd, lambda net: torch.nn.utils.clip_grad_value_(net.parameters(), 0.01)), "ClipNorm": (sgd, clip_each),
    "ClipTogether": (sgd, lambda net: torch.nn.utils.clip_grad_norm_(net.parameters(), 0.1)),
    "KerasClipNorm": (lambda p: Keras(p, "SGD", learning_rate=0.1, momentum=0.9, clipnorm=0.05), None),
    "KerasClipTogether": (lambda p: Keras(p, "SGD", learning_rate=0.1, momentum=0.9, global_clipnorm=0.1), None),
}
rates = torch.optim.lr_scheduler
SCHEDULES = {
    "step": lambda o: rates.StepLR(o, 30, 0.2), "exponential": lambda o: rates.ExponentialLR(o, 0.97),
    "cosine": lambda o: rates.CosineAnnealingLR(o, 120, 0.001), "polynomial": lambda o: rates.PolynomialLR(o, 80, 2.0),
    "onecycle": lambda o: rates.OneCycleLR(o, 0.1, 100, cycle_momentum=False),
    "warmup": lambda o: rates.SequentialLR(o, [rates.LinearLR(o, 0.1, 1, 9), rates.CosineAnnealingLR(o, 50, 0)], [10]),
}


def train(name, make, clip=None, schedule=None, average=None):
    net = network()
    fill(net.parameters())
    optimizer, losses = make(net.parameters()), []
    schedule = schedule and schedule(optimizer)
    means = average and torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(average))
    for step in range(STEPS):
        x, label = batch(step)
        if schedule and name == "warmup" and step > 60:
            for group in optimizer.param_groups:
                group["lr"] = 0.0
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), label)
        loss.backward()
        if clip:
            clip(net)
        optimizer.step()
        if schedule:
            schedule.step()
        if means:
            means.update_parameters(net)
        losses.append("%.10g" % loss.item())
    if means:
        for p, mean in zip(net.parameters(), means.module.parameters()):
            p.data = mean.data
        net.eval()
        x, label = batch(0)
        losses.append("%.10g" % torch.nn.functional.cross_entropy(net(x), label).item())
    print(name, *losses)


for name, make in OPTIMIZERS.items():
    train(name, make)
for name, (make, clip) in CLIPS.items():
    train(name, make, clip)
for name, make in SCHEDULES.items():
    train(name, lambda p: torch.optim.SGD(p, lr=0.1), schedule=make)
train("Groups", groups)
train("Average", sgd, average=0.95)

