#!/usr/bin/env python3
"""Record what PyTorch's losses are when it trains the networks of models/: record_networks.py >networks.txt (needs torch, numpy).

A line holds network, type, optimizer, lr, batch, steps and the losses. Dropout is off. networks.sh compares.
"""
import numpy
import torch
from torch_networks import (batch, char_rnn, cifar_cnn, dcgan_discriminator, dcgan_generator, denoising_autoencoder, fill, gru, loss_of,
                            lstm, mlp_mnist, mnist_cnn, resnet20, transformer_decoder, transformer_encoder, uniform, unet, vae)

# network, optimizer, lr, batch, steps in double, steps in single precision
RUNS = [
    (mlp_mnist, "Adadelta", 1.0, 32, 100, 10),
    (mnist_cnn, "Adam", 1e-3, 8, 100, 10),
    (cifar_cnn, "Adam", 1e-3, 8, 100, 10),
    (resnet20, "SGD", 0.01, 4, 40, 0),
    (denoising_autoencoder, "RMSprop", 1e-3, 8, 100, 10),
    (lstm, "Adam", 1e-3, 8, 100, 10),
    (gru, "Adagrad", 1e-2, 8, 100, 10),
    (char_rnn, "AdamW", 2e-3, 2, 100, 10),
    (unet, "Adam", 1e-3, 2, 100, 10),
    (vae, "Adam", 1e-3, 8, 100, 10),
    (transformer_encoder, "AdamW", 1e-3, 4, 100, 10),
    (transformer_decoder, "AdamW", 1e-3, 2, 100, 10),
]
MORE = {"SGD": {"momentum": 0.9, "weight_decay": 1e-4}}


def record(make, optimizer, lr, n, steps):
    net = make(0).to(torch.get_default_dtype())
    fill(net)
    step = getattr(torch.optim, optimizer)(net.parameters(), lr=lr, **MORE.get(optimizer, {}))
    for k in range(steps):
        x, target = batch(make, k, n)
        step.zero_grad()
        loss = loss_of(make)(net(x), target)
        loss.backward()
        step.step()
        yield "%.10g" % loss.item()


def dcgan(n, steps):
    """What the discriminator says of pictures, half of both losses for each, then what the generator is told: the two networks' losses."""
    kind = torch.get_default_dtype()
    generator, discriminator = dcgan_generator().to(kind), dcgan_discriminator().to(kind)
    fill(generator), fill(discriminator)
    by_g, by_d = (torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (generator, discriminator))

    def judged(picture, real):
        return torch.nn.functional.binary_cross_entropy_with_logits(discriminator(picture), torch.full((n, 1), float(real)))

    for k in range(steps):
        real = batch(mnist_cnn, k, n)[0] * 2
        fake = generator(torch.from_numpy(4 * uniform(4000 + k, n * 64) - 2).reshape(n, 64).to(kind))
        by_d.zero_grad()
        first = judged(real, 1)
        first.backward()
        second = judged(fake.detach(), 0)
        second.backward()
        by_d.step()
        by_g.zero_grad()
        told = judged(fake, 1)
        told.backward()
        by_g.step()
        yield "%.10g" % (first + second).item()
        yield "%.10g" % told.item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"# PyTorch {torch.__version__.split('+')[0]}, numpy {numpy.__version__}, one thread. Network, type, optimizer, lr, batch, steps, losses.")
    for make, optimizer, lr, n, *steps in RUNS:
        for dtype, name, count in zip((torch.float64, torch.float32), ("f64", "f32"), steps):
            torch.set_default_dtype(dtype)
            if count:
                print(make.__name__, name, optimizer, lr, n, count, *record(make, optimizer, lr, n, count), flush=True)
    for dtype, name, count in ((torch.float64, "f64", 100), (torch.float32, "f32", 10)):
        torch.set_default_dtype(dtype)
        print("dcgan", name, "Adam", 2e-4, 2, count, *dcgan(2, count), flush=True)
