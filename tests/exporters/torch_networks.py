"""torch_networks.py - networks of PyTorch and of transformers, each with the inputs it is exported with and the axes that stay open.

networks() gives NAME -> (module, inputs, open axes: {position of an input: {axis: name}}); seeded, small, in inference mode.
"""
import math
import torch
import torch.nn.functional as F
from torch import nn


def seq(*layers):
    return nn.Sequential(*layers)


def conv_bn(i, o, k=3, s=1, g=1):
    return seq(nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o), nn.ReLU())


class Fn(nn.Module):
    """A function of the inputs, with the layers it uses."""

    def __init__(self, f, **layers):
        super().__init__()
        self.f = f
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *x):
        return self.f(self, *x)


class Residual(nn.Module):
    def __init__(self, inner, short=None):
        super().__init__()
        self.inner, self.short = inner, short or nn.Identity()

    def forward(self, x):
        return F.relu(self.inner(x) + self.short(x))


class Scale(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, c):
        super().__init__()
        self.gate = seq(nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, c // 4, 1), nn.SiLU(), nn.Conv2d(c // 4, c, 1), nn.Hardsigmoid())

    def forward(self, x):
        return x * self.gate(x)


class InvertedResidual(nn.Module):
    def __init__(self, c, wide):
        super().__init__()
        self.inner = seq(conv_bn(c, wide, 1), nn.Conv2d(wide, wide, 3, 1, 1, groups=wide), nn.BatchNorm2d(wide), nn.Hardswish(),
                         Scale(wide), nn.Conv2d(wide, c, 1))

    def forward(self, x):
        return x + self.inner(x)


class UNet(nn.Module):
    def __init__(self, up):
        super().__init__()
        self.a, self.b, self.c = conv_bn(1, 8), conv_bn(8, 16), conv_bn(24, 8)
        self.up = nn.ConvTranspose2d(16, 16, 2, 2) if up == "transposed" else nn.Upsample(scale_factor=2, mode=up)
        self.out = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        a = self.a(x)
        return self.out(self.c(torch.cat([a, self.up(self.b(F.max_pool2d(a, 2)))], 1)))


class ConvNeXtBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(c, c, 7, padding=3, groups=c), nn.LayerNorm(c)
        self.mlp, self.gamma = seq(nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, c)), nn.Parameter(torch.full((c,), 0.5))

    def forward(self, x):
        y = self.depthwise(x).permute(0, 2, 3, 1)
        return x + (self.gamma * self.mlp(self.norm(y))).permute(0, 3, 1, 2)


class Causal(nn.Module):
    """A WaveNet block: dilated convolution that sees the past alone, gated."""

    def __init__(self, c, dilation):
        super().__init__()
        self.pad, self.conv, self.mix = dilation, nn.Conv1d(c, 2 * c, 2, dilation=dilation), nn.Conv1d(c, c, 1)

    def forward(self, x):
        a, b = self.conv(F.pad(x, (self.pad, 0))).chunk(2, 1)
        return x + self.mix(torch.tanh(a) * torch.sigmoid(b))


class GptBlock(nn.Module):
    def __init__(self, d=32, heads=4, words=50):
        super().__init__()
        self.words, self.places, self.heads = nn.Embedding(words, d), nn.Embedding(64, d), heads
        self.n1, self.n2, self.qkv, self.out = nn.LayerNorm(d), nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = seq(nn.Linear(d, 4 * d), nn.GELU(approximate="tanh"), nn.Linear(4 * d, d))
        self.head = nn.Linear(d, words, bias=False)

    def forward(self, tokens):
        b, t = tokens.shape
        x = self.words(tokens) + self.places(torch.arange(t, device=tokens.device))
        q, k, v = (y.reshape(b, t, self.heads, -1).transpose(1, 2) for y in self.qkv(self.n1(x)).chunk(3, -1))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, -1))
        return self.head(x + self.mlp(self.n2(x)))


class LlamaBlock(nn.Module):
    """RMS norms, rotary positions, grouped queries, SwiGLU."""

    def __init__(self, d=32, heads=4, groups=2):
        super().__init__()
        self.heads, self.groups, self.size = heads, groups, d // heads
        self.n1, self.n2 = nn.Parameter(torch.ones(d)), nn.Parameter(torch.ones(d))
        self.q, self.kv, self.o = nn.Linear(d, d, bias=False), nn.Linear(d, 2 * groups * self.size, bias=False), nn.Linear(d, d, bias=False)
        self.gate, self.up, self.down = nn.Linear(d, 64, bias=False), nn.Linear(d, 64, bias=False), nn.Linear(64, d, bias=False)

    def norm(self, x, scale):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * scale

    def rotate(self, x, t):
        freq = 10000.0 ** (-torch.arange(0, self.size, 2) / self.size)
        angle = torch.arange(t)[:, None] * freq
        a, b = x.chunk(2, -1)
        return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)

    def forward(self, x):
        b, t, d = x.shape
        y = self.norm(x, self.n1)
        q = self.rotate(self.q(y).view(b, t, self.heads, self.size).transpose(1, 2), t)
        k, v = self.kv(y).view(b, t, 2 * self.groups, self.size).transpose(1, 2).chunk(2, 1)
        k, v = (z.repeat_interleave(self.heads // self.groups, 1) for z in (self.rotate(k, t), v))
        p = (q @ k.transpose(-1, -2) / math.sqrt(self.size) + torch.full((t, t), -1e9).triu(1)).softmax(-1)
        x = x + self.o((p @ v).transpose(1, 2).reshape(b, t, d))
        y = self.norm(x, self.n2)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Vit(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.patch, self.cls, self.place = nn.Conv2d(3, d, 8, 8), nn.Parameter(torch.randn(1, 1, d)), nn.Parameter(torch.randn(1, 17, d))
        self.block, self.head = nn.TransformerEncoderLayer(d, 4, 64, activation="gelu", batch_first=True, norm_first=True), nn.Linear(d, 10)

    def forward(self, x):
        y = self.patch(x).flatten(2).transpose(1, 2)
        return self.head(self.block(torch.cat([self.cls.expand(x.shape[0], -1, -1), y], 1) + self.place)[:, 0])


class Windows(nn.Module):
    """Swin: windows of 4 x 4, shifted by a roll, with a learnt bias of places."""

    def __init__(self, d=16):
        super().__init__()
        self.qkv, self.bias, self.out = nn.Linear(d, 3 * d), nn.Parameter(torch.randn(1, 1, 16, 16)), nn.Linear(d, d)

    def forward(self, x):
        b, h, w, d = x.shape
        y = torch.roll(x, (-2, -2), (1, 2)).view(b, h // 4, 4, w // 4, 4, d).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, d)
        q, k, v = (z.view(-1, 16, 2, d // 2).transpose(1, 2) for z in self.qkv(y).chunk(3, -1))
        y = self.out(((q @ k.transpose(-1, -2) / math.sqrt(d // 2) + self.bias).softmax(-1) @ v).transpose(1, 2).reshape(-1, 16, d))
        y = y.view(b, h // 4, w // 4, 4, 4, d).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, d)
        return x + torch.roll(y, (2, 2), (1, 2))


class Unpooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x):
        y, at = F.max_pool2d(F.relu(self.a(x)), 2, return_indices=True)
        return self.b(F.max_unpool2d(y, at, 2))


class Recurrent(nn.Module):
    def __init__(self, kind, states=False, **more):
        super().__init__()
        self.cell, self.states = getattr(nn, kind)(8, 12, batch_first=True, **more), states
        self.head = nn.Linear(24 if more.get("bidirectional") else 12, 3)

    def forward(self, x, *state):
        y, s = self.cell(x, state if len(state) == 2 else state[0] if state else None)
        return (self.head(y), *(s if isinstance(s, tuple) else (s,))) if self.states else self.head(y[:, -1])


class Cells(nn.Module):
    """An LSTMCell in a loop of Python, which exporters unroll."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(6, 8)

    def forward(self, x):
        h = c = torch.zeros(x.shape[0], 8)
        for t in range(5):
            h, c = self.cell(x[:, t], (h, c))
        return h


def networks():
    r, batch = torch.randn, {0: {0: "batch"}}
    ints = lambda n, *shape: torch.randint(0, n, shape)
    time = {0: {0: "batch", 1: "time"}}
    torch.manual_seed(1)
    nets = {
        "mlp": (seq(nn.Linear(20, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 10), nn.Softmax(-1)), [r(2, 20)], batch),
        "lenet": (seq(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2),
                      nn.Flatten(), nn.Linear(400, 84), nn.Tanh(), nn.Linear(84, 10)), [r(2, 1, 28, 28)], batch),
        "resnet": (seq(conv_bn(3, 8), Residual(seq(conv_bn(8, 8), nn.Conv2d(8, 8, 3, 1, 1), nn.BatchNorm2d(8))),
                       Residual(seq(conv_bn(8, 16, 3, 2), nn.Conv2d(16, 16, 3, 1, 1)), nn.Conv2d(8, 16, 1, 2)),
                       nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)), [r(2, 3, 16, 16)], batch),
        "inverted_residual": (seq(conv_bn(3, 8, 3, 2), InvertedResidual(8, 24), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
                              [r(2, 3, 16, 16)], batch),
        "shuffle": (seq(nn.Conv2d(4, 8, 1, groups=2), nn.Unflatten(1, (2, 4)), Fn(lambda s, x: x.transpose(1, 2)), nn.Flatten(1, 2), nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.ReLU6()),
                    [r(2, 4, 8, 8)], batch),
        "unet_transposed": (UNet("transposed"), [r(1, 1, 16, 16)], batch),
        "unet_bilinear": (UNet("bilinear"), [r(1, 1, 16, 16)], {0: {2: "height", 3: "width"}}),
        "convnext": (seq(nn.Conv2d(3, 8, 4, 4), ConvNeXtBlock(8)), [r(2, 3, 16, 16)], batch),
        "autoencoder": (seq(nn.Conv2d(1, 4, 3, 2, 1), nn.LeakyReLU(0.1), nn.ConvTranspose2d(4, 1, 3, 2, 1, 1), nn.Sigmoid()),
                        [r(2, 1, 12, 12)], batch),
        "unpooling": (Unpooled(), [r(1, 1, 8, 8)], {}),
        "dcgan_generator": (seq(nn.ConvTranspose2d(16, 8, 4, 1, 0, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
                                nn.ConvTranspose2d(8, 1, 4, 2, 1), nn.Tanh()), [r(2, 16, 1, 1)], batch),
        "super_resolution": (seq(nn.Conv2d(1, 8, 3, padding=1), nn.PReLU(8), nn.Conv2d(8, 9, 3, padding=1), nn.PixelShuffle(3)),
                             [r(1, 1, 8, 8)], batch),
        "wavenet": (seq(Causal(6, 1), Causal(6, 2), Causal(6, 4), nn.Conv1d(6, 3, 1)), [r(2, 6, 20)], {0: {0: "batch", 2: "time"}}),
        "conv3d": (seq(nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ELU(), nn.MaxPool3d(2), nn.ConvTranspose3d(4, 1, 2, 2)),
                   [r(1, 1, 6, 8, 8)], batch),
        "deformed_kernels": (seq(nn.Conv2d(2, 4, (1, 5), padding=(0, 2), dilation=(1, 1)), nn.Conv2d(4, 4, (3, 1), stride=(2, 1)), nn.CELU(),
                                 nn.ReflectionPad2d(1), nn.LPPool2d(2, 2)), [r(1, 2, 9, 9)], batch),
        "rms_norm": (seq(nn.Linear(8, 6), nn.RMSNorm(6)), [r(2, 8)], batch),
        "norms": (seq(nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.InstanceNorm2d(8, affine=True), nn.LocalResponseNorm(3),
                      nn.LayerNorm([8, 6, 6])), [r(2, 3, 8, 8)], batch),
        "activations": (Fn(lambda s, x: torch.cat([F.gelu(x), F.silu(x), F.mish(x), F.softplus(x), F.selu(x), F.hardswish(x), F.logsigmoid(x),
                                                   F.softsign(x), F.hardshrink(x), F.softshrink(x), F.threshold(x, 0.1, 2.0), F.glu(x),
                                                   F.tanhshrink(x), F.softmin(x, -1)], -1)), [r(2, 10)], batch),
        "rnn_relu": (Recurrent("RNN", nonlinearity="relu"), [r(2, 7, 8)], time),
        "lstm": (Recurrent("LSTM", num_layers=2), [r(2, 7, 8)], time),
        "lstm_states": (Recurrent("LSTM", True), [r(2, 7, 8), r(1, 2, 12), r(1, 2, 12)], {}),
        "lstm_projection": (Fn(lambda s, x: s.cell(x)[0], cell=nn.LSTM(8, 12, proj_size=5)), [r(7, 2, 8)], {}),
        "gru_bidirectional": (Recurrent("GRU", bidirectional=True, num_layers=2), [r(2, 7, 8)], batch),
        "gru_states": (Recurrent("GRU", True), [r(2, 7, 8), r(1, 2, 12)], {}),
        "cells": (Cells(), [r(2, 5, 6)], batch),
        "text_classifier": (Fn(lambda s, t: s.head(s.words(t).mean(1)), words=nn.Embedding(40, 8, padding_idx=0), head=nn.Linear(8, 6)),
                            [ints(40, 2, 9)], time),
        "embedding_bag": (Fn(lambda s, t: s.words(t), words=nn.EmbeddingBag(40, 8, mode="mean")), [ints(40, 2, 9)], {}),
        "attention": (Fn(lambda s, x: s.layer(x, x, x), layer=nn.MultiheadAttention(16, 4, batch_first=True)), [r(2, 6, 16)], batch),
        "sdpa_mask": (Fn(lambda s, q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m)),
                      [r(1, 2, 5, 8), r(1, 2, 7, 8), r(1, 2, 7, 8), r(5, 7) > 0.3], {}),
        "encoder": (nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), [r(2, 6, 16)], batch),
        "decoder": (nn.TransformerDecoderLayer(16, 4, 32, batch_first=True), [r(2, 5, 16), r(2, 6, 16)], {}),
        "gpt": (GptBlock(), [ints(50, 2, 9)], time),
        "llama": (LlamaBlock(), [r(2, 6, 32)], batch),
        "vit": (Vit(), [r(2, 3, 32, 32)], batch),
        "swin": (Windows(), [r(1, 8, 8, 16)], batch),
        "upsampling": (Fn(lambda s, x: (F.interpolate(x, scale_factor=2), F.interpolate(x, size=(9, 11), mode="bilinear", align_corners=True),
                                        F.interpolate(x, scale_factor=1.5, mode="bicubic"))), [r(1, 2, 6, 6)], {}),
        "grid": (Fn(lambda s, x, g: F.grid_sample(x, g, align_corners=False)), [r(1, 2, 6, 6), r(1, 5, 5, 2).tanh()], {}),
        "spatial_transformer": (Fn(lambda s, x, t: F.grid_sample(x, F.affine_grid(t, [1, 2, 6, 6], align_corners=False), align_corners=False)),
                                [r(1, 2, 6, 6), r(1, 2, 3) / 2], {}),
        "gather_scatter": (Fn(lambda s, x, i: (x.gather(1, i), torch.zeros(3, 8).scatter(1, i, x[:, :4]), x.index_select(0, i[0, :2] % 3),
                                               torch.zeros(3, 8).scatter_add(1, i, x[:, :4]))), [r(3, 8), ints(8, 3, 4)], {}),
        "top": (Fn(lambda s, x: (*x.topk(3), *x.sort(descending=True), x.argmax(-1), x.cumsum(-1))), [r(2, 9)], {}),
        "tensors": (Fn(lambda s, x: (x.flip(1), x.roll(1, 0), x.tril(), x.repeat(2, 1), x.unfold(1, 3, 2), x.std(0), x.norm(dim=1),
                                     x.clamp(-1, 1), torch.where(x > 0, x, -x), x[..., None, :2], x[1:, ::2])), [r(4, 8)], {}),
        "integers": (Fn(lambda s, a, b: (a // b, a % b, a & b, a ^ b, (a << 1), a.float() / b, (a > b).sum(), torch.bitwise_not(a))),
                     [ints(50, 3, 4), ints(7, 3, 4) + 1], {}),
        "einsum": (Fn(lambda s, a, b: (torch.einsum("bij,bjk->bik", a, b), torch.einsum("bij,bjk->bi", a, b), a.mean((1, 2)))),
                   [r(2, 3, 4), r(2, 4, 5)], batch | {1: {0: "batch"}}),
        "spectrum": (Fn(lambda s, x: torch.fft.rfft(x).abs()), [r(2, 16)], {}),
        "many_inputs": (Fn(lambda s, a, b: (s.f1(torch.cat([a, b], -1)), s.f2(a) * s.f3(b)), f1=nn.Linear(9, 4), f2=nn.Linear(4, 3),
                           f3=nn.Linear(5, 3)), [r(2, 4), r(2, 5)], {0: {0: "batch"}, 1: {0: "batch"}}),
        "branches": (Fn(lambda s, x: torch.cond(x.sum() > 0, lambda x: s.a(x), lambda x: s.b(x) * 2, (x,)), a=nn.Linear(4, 3),
                        b=nn.Linear(4, 3)), [r(2, 4)], {}),
        "nonzero": (Fn(lambda s, x: x[x > 0]), [r(3, 5)], {}),
        "half": (seq(nn.Linear(8, 6), nn.GELU(), nn.LayerNorm(6)).half(), [r(2, 8).half()], batch),
        "double": (seq(nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 2)).double(), [r(2, 8).double()], batch),
        "channels_last": (Fn(lambda s, x: s.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), conv=nn.Conv2d(3, 4, 3)), [r(1, 8, 8, 3)], batch),
        "vae": (Fn(lambda s, x, e: (lambda m, v: (s.out(m + e * torch.exp(v / 2)), m, v))(*s.enc(x).chunk(2, -1)), enc=nn.Linear(12, 8),
                   out=nn.Linear(4, 12)), [r(2, 12), r(2, 4)], batch | {1: {0: "batch"}}),
        "flow": (Fn(lambda s, x: (lambda a, b: (torch.cat([a, b * s.s(a).tanh().exp() + s.t(a)], -1), s.s(a).tanh().sum(-1)))(*x.chunk(2, -1)),
                    s=nn.Linear(4, 4), t=nn.Linear(4, 4)), [r(3, 8)], batch),
        "mixture": (Fn(lambda s, x: (lambda p, m, v: (p.log_softmax(-1), m, F.softplus(v)))(*s.head(x).chunk(3, -1)), head=nn.Linear(6, 12)),
                    [r(3, 6)], batch),
    }
    return {name: (net.eval(), x, dims) for name, (net, x, dims) in nets.items()}


def architectures():
    """Networks of transformers with random weights: NAME -> (module, inputs)."""
    import transformers as t
    small = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
    words = torch.randint(0, 99, (1, 9))
    seen = torch.ones_like(words)
    picture = torch.randn(1, 3, 32, 32)

    class First(nn.Module):
        def __init__(self, net, **fixed):
            super().__init__()
            self.net, self.fixed = net, fixed

        def forward(self, *x):
            return self.net(*x, **self.fixed, return_dict=False)[0]

    def text(kind, **more):
        torch.manual_seed(1)
        return getattr(t, kind + "Model")(getattr(t, kind + "Config")(vocab_size=99, **more))

    made = {
        "bert": lambda: (text("Bert", **small), [words, seen]),
        "distilbert": lambda: (text("DistilBert", dim=32, n_layers=2, n_heads=4, hidden_dim=64), [words, seen]),
        "roberta": lambda: (text("Roberta", **small), [words, seen]),
        "gpt2": lambda: (First(text("GPT2", n_embd=32, n_layer=2, n_head=4, n_positions=32), use_cache=False), [words]),
        "llama": lambda: (First(text("Llama", num_key_value_heads=2, **small), use_cache=False), [words]),
        "qwen2": lambda: (First(text("Qwen2", num_key_value_heads=2, **small), use_cache=False), [words]),
        "t5_encoder": lambda: (First(t.T5EncoderModel(t.T5Config(vocab_size=99, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4))),
                               [words]),
        "whisper_encoder": lambda: (First(t.WhisperModel(t.WhisperConfig(
            d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64,
            decoder_ffn_dim=64, max_source_positions=20, vocab_size=99, pad_token_id=0, bos_token_id=1, eos_token_id=2,
            decoder_start_token_id=1)).encoder), [torch.randn(1, 80, 40)]),
        "vit": lambda: (First(t.ViTModel(t.ViTConfig(image_size=32, patch_size=8, **small))), [picture]),
        "convnext": lambda: (First(t.ConvNextModel(t.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2))), [picture]),
        "segformer": lambda: (First(t.SegformerModel(t.SegformerConfig(
            num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], patch_sizes=[7, 3], strides=[4, 2],
            num_attention_heads=[1, 2], mlp_ratios=[2, 2]))), [picture]),
        "mobilenet_v2": lambda: (First(t.MobileNetV2Model(t.MobileNetV2Config(image_size=32, depth_multiplier=0.25))), [picture]),
        "resnet": lambda: (First(t.ResNetModel(t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"))),
                           [picture]),
    }
    out = {}
    for name, make in made.items():
        torch.manual_seed(1)
        net, x = make()
        out["hf_" + name] = (net.eval() if isinstance(net, First) else First(net).eval(), x, {})
    return out
