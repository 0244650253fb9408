#!/usr/bin/env python3
"""Record the losses of PyTorch on the network of torch.nn, step by step: record_torch.py >torch.txt (needs torch).

Parameters and data follow from formulas, which torch.c has too. What PyTorch lacks is written out here: Keras' updates, in double, and
those of Lion and LAMB. "Average" has one number more: the loss of the first batch by the running averages of the parameters.
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

def keras_momentum(nesterov):
    def update(w, g, s, t, lr):
        s["m"] = 0.9 * slot(s, "m", g) - lr * g
        return w + (0.9 * s["m"] - lr * g if nesterov else s["m"])
    return update


def keras_adam(decay=0.0, largest=False):
    def update(w, g, s, t, lr):
        w = w - w * decay * lr
        alpha = lr * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m, v = moments(g, s)
        if largest:
            s["h"] = v = torch.maximum(slot(s, "h", g), v)
        return w - m * alpha / (v.sqrt() + 1e-7)
    return update


def keras_adamax(w, g, s, t, lr):
    m, _ = moments(g, s)
    s["u"] = torch.maximum(0.999 * slot(s, "u", g), g.abs())
    return w - lr * m / ((1 - 0.9**t) * (s["u"] + 1e-7))


def keras_nadam(w, g, s, t, lr):
    u, then = 0.9 * (1 - 0.5 * 0.96**t), 0.9 * (1 - 0.5 * 0.96 ** (t + 1))
    s["product"] = s.get("product", 1.0) * u
    m, v = moments(g, s)
    m_hat = then * m / (1 - s["product"] * then) + (1 - u) * g / (1 - s["product"])
    return w - lr * m_hat / ((v / (1 - 0.999**t)).sqrt() + 1e-7)


def keras_adadelta(w, g, s, t, lr):
    s["v"] = 0.95 * slot(s, "v", g) + 0.05 * g * g
    delta = -(slot(s, "u", g) + 1e-7).sqrt() * g / (s["v"] + 1e-7).sqrt()
    s["u"] = 0.95 * s["u"] + 0.05 * delta * delta
    return w + lr * delta


def keras_adagrad(w, g, s, t, lr):
    s["a"] = slot(s, "a", g, 0.1) + g * g
    return w - lr * g / (s["a"] + 1e-7).sqrt()


def keras_rmsprop(momentum):
    def update(w, g, s, t, lr):
        s["v"] = 0.9 * slot(s, "v", g) + 0.1 * g * g
        step = lr * g / (s["v"] + 1e-7).sqrt()
        if momentum:
            s["m"] = step = momentum * slot(s, "m", g) + step
        return w - step
    return update


def keras_lamb(w, g, s, t, lr):
    m, v = moments(g, s)
    step = m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-7)
    return w - trusted(w, step) * lr * step


def keras_adafactor(w, g, s, t, lr):
    rate, beta = min(lr, 1 / math.sqrt(t)), 1 - t**-0.8
    alpha = max(1e-3, w.square().mean().sqrt().item()) * rate
    square = g * g + 1e-30
    if w.dim() > 1:
        s["r"] = beta * slot(s, "r", square.mean(-1)) + (1 - beta) * square.mean(-1)
        s["c"] = beta * slot(s, "c", square.mean(-2)) + (1 - beta) * square.mean(-2)
        v = (s["r"] / s["r"].mean(-1, keepdim=True)).unsqueeze(-1) * s["c"].unsqueeze(-2)
    else:
        v = s["v"] = beta * slot(s, "v", g) + (1 - beta) * square
    u = g / v.sqrt()
    return w - alpha * u / max(1.0, u.square().mean().sqrt().item())


def keras_muon(w, g, s, t, lr):
    w = w - w * 4e-3 * lr
    if w.dim() < 2:
        m, v = moments(g, s)
        return w - lr * m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-7)
    s["b"] = 0.95 * slot(s, "b", g) + g
    return w - lr * orthogonal(g + 0.95 * s["b"], 6, False)


OWN = {
    "Lion": (0.002, lion(0.1)), "LAMB": (0.02, lamb), "KerasSGD": (0.1, lambda w, g, s, t, lr: w - lr * g),
    "KerasMomentum": (0.05, keras_momentum(False)), "KerasNesterov": (0.05, keras_momentum(True)), "KerasAdam": (0.01, keras_adam()),
    "KerasAdamW": (0.01, keras_adam(4e-3)), "KerasAMSGrad": (0.01, keras_adam(largest=True)), "KerasAdamax": (0.01, keras_adamax),
    "KerasNadam": (0.01, keras_nadam), "KerasAdadelta": (1.0, keras_adadelta), "KerasAdagrad": (0.05, keras_adagrad),
    "KerasRMSprop": (0.005, keras_rmsprop(0)), "KerasRMSpropMomentum": (0.001, keras_rmsprop(0.8)), "KerasLion": (0.002, lion(0.05)),
    "KerasLAMB": (0.02, keras_lamb), "KerasAdafactor": (0.02, keras_adafactor), "KerasMuon": (0.02, keras_muon),
}
for own in OWN:
    OPTIMIZERS[own] = lambda p, own=own: Own(p, *OWN[own])


# ---- what is done around a step ----

def clip_keras_norm(net):
    for p in net.parameters():
        p.grad = p.grad * 0.05 / max(p.grad.norm().item(), 0.05)


def clip_keras_together(net):
    norm = math.sqrt(sum(p.grad.square().sum().item() for p in net.parameters()))
    for p in net.parameters():
        p.grad = p.grad * 0.1 / max(norm, 0.1)


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
    "KerasClipNorm": (lambda p: Own(p, 0.1, keras_momentum(False)), clip_keras_norm),
    "KerasClipTogether": (lambda p: Own(p, 0.1, keras_momentum(False)), clip_keras_together),
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

