#!/usr/bin/env python3
"""Export small networks from PyTorch and record how PyTorch trains them: record_exported.py FOLDER (needs torch and onnx).

FOLDER gets NAME.onnx, and exported.txt: for each network how many numbers are trained, the losses of STEPS steps of SGD, the loss in evaluation after
them, and the outputs then, all in double. exported.py does the same with nncc, from the files alone.
"""
import math
import sys
import warnings

import onnx
import torch

nn = torch.nn
STEPS, LR, BATCH = 4, 0.05, 4


class Tokens(nn.Module):
    """What a vision transformer has beside products: a class token, positions, a layer scale, RMS norm, a head of 1."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(1, 6, 2, stride=2)
        self.token = nn.Parameter(torch.randn(1, 1, 6))
        self.position = nn.Parameter(torch.randn(1, 5, 6))
        self.linear = nn.Linear(6, 6)
        self.scale = nn.Parameter(torch.full((6,), 0.1))
        self.weight = nn.Parameter(torch.ones(6))
        self.head = nn.Linear(6, 1)

    def forward(self, x):
        t = self.patch(x).flatten(2).transpose(1, 2)
        t = torch.cat([self.token.expand(x.shape[0], -1, -1), t], 1) + self.position
        t = t + self.scale * torch.tanh(self.linear(t))
        t = t * torch.rsqrt(t.square().mean(-1, keepdim=True) + 1e-6) * self.weight
        return self.head(t).sigmoid()


def dense_norms(*drop):
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), *drop, nn.Linear(4, 4), nn.BatchNorm1d(4))


def main():
    folder = sys.argv[1]
    warnings.simplefilter("ignore")
    training = torch.onnx.TrainingMode.TRAINING
    evaluating = torch.onnx.TrainingMode.EVAL
    networks = [
        ("bn_merged", dense_norms, (3,), evaluating, STEPS),
        ("bn_training", dense_norms, (3,), training, STEPS),
        ("dropout_training", lambda: dense_norms(nn.Dropout(0.5)), (3,), training, 0),
        ("groupnorm", lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.Sigmoid(), nn.InstanceNorm2d(4, affine=True), nn.PReLU(4)), (2, 5, 5),
         evaluating, STEPS),
        ("tokens", Tokens, (1, 4, 4), evaluating, STEPS),
    ]
    lines = []
    for k, (name, make, shape, mode, steps) in enumerate(networks):
        torch.manual_seed(k)
        net = make()
        net.train(mode == training)
        x = torch.tensor([math.sin(0.37 * i + 0.1) for i in range(BATCH * math.prod(shape))], dtype=torch.float64).reshape(BATCH, *shape)
        torch.onnx.export(net, (x.float(),), "%s/%s.onnx" % (folder, name), dynamo=False, training=mode, input_names=["x"], output_names=["y"], opset_version=17)
        net = as_in_file(net, "%s/%s.onnx" % (folder, name))
        optimizer, losses = torch.optim.SGD(net.parameters(), lr=LR), []
        size = net.eval()(x).shape
        target = torch.tensor([math.cos(0.23 * i) for i in range(math.prod(size))], dtype=torch.float64).reshape(size)
        net.train()
        for _ in range(steps):
            optimizer.zero_grad()
            loss = (net(x) - target).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        y = net.eval()(x)
        losses.append((y - target).square().mean().item())
        lines.append(" ".join([name, str(steps), str(sum(p.numel() for p in net.parameters()))] + ["%.10g" % v for v in losses + y.flatten().tolist()]))
    open(folder + "/exported.txt", "w").write("\n".join(lines) + "\n")


def as_in_file(net, path):
    """The network in double, with what the file has: exporting in training mode moves statistics."""
    state = net.state_dict()
    for tensor in onnx.load(path).graph.initializer:
        if tensor.name in state:
            state[tensor.name] = torch.tensor(onnx.numpy_helper.to_array(tensor))
    net.load_state_dict(state)
    return net.double()


if __name__ == "__main__":
    main()
