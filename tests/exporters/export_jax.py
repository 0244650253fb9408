"""export_jax.py FOLDER - what jax2onnx writes of functions of JAX."""
import sys
import jax
import jax.numpy as jnp
import numpy as np
import onnx
from jax import lax
from jax2onnx import to_onnx
from cell import export

folder = sys.argv[1]
rng = np.random.default_rng(1)


def w(*shape):
    return jnp.asarray(rng.normal(size=shape) / max(1, shape[0]) ** 0.5, jnp.float32)


A, B, C, K = w(8, 16), w(16, 4), w(6, 6), w(3, 3, 2, 4)
Q = w(16, 48)


def conv(x):
    y = lax.conv_general_dilated(x, K, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return lax.reduce_window(jax.nn.relu(y), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def rnn(x):
    def step(h, v):
        h = jnp.tanh(v @ C + h @ C.T)
        return h, h
    return lax.scan(step, jnp.zeros((x.shape[0], 6)), x.swapaxes(0, 1))[1]


def attention(x):
    q, k, v = jnp.split(x @ Q, 3, -1)
    return jax.nn.softmax(q @ k.swapaxes(-1, -2) / 4.0) @ v


def norm(x):
    m = x.mean(-1, keepdims=True)
    return (x - m) * lax.rsqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-5)


functions = {
    "mlp": (lambda x: jax.nn.softmax(jax.nn.relu(x @ A) @ B), (2, 8)),
    "activations": (lambda x: jnp.concatenate([jax.nn.gelu(x), jax.nn.silu(x), jax.nn.elu(x), jax.nn.softplus(x), jnp.tanh(x)], -1), (2, 6)),
    "conv": (conv, (1, 8, 8, 2)),
    "rnn": (rnn, (2, 5, 6)),
    "attention": (attention, (2, 5, 16)),
    "norm": (norm, (3, 8)),
    "branches": (lambda x: lax.cond(x.sum() > 0, lambda x: x * 2, lambda x: x - 1, x), (3, 4)),
    "fori": (lambda x: lax.fori_loop(0, 4, lambda i, v: jnp.sin(v) + i, x), (3, 4)),
    "while": (lambda x: lax.while_loop(lambda v: v.sum() < 50, lambda v: v * 2 + 1, jnp.abs(x)), (3, 4)),
    "indices": (lambda x: (x[::-1, 1:3], x[jnp.array([2, 0])], jnp.sort(x, -1), jnp.argmax(x, -1), x.at[0].set(1.0)), (3, 4)),
    "reductions": (lambda x: (x.sum(0), x.max(-1), x.prod(-1), lax.cumsum(x, 1), jnp.var(x, 0), jax.nn.logsumexp(x, -1)), (3, 4)),
    "einsum": (lambda x: jnp.einsum("bij,bkj->bik", x, x), (2, 3, 4)),
    "shapes": (lambda x: (jnp.tile(x, (2, 1)), jnp.pad(x, 1), jnp.stack([x, x], 1), x.reshape(-1, 2).T, jnp.roll(x, 1, 0)), (4, 4)),
    "comparisons": (lambda x: (jnp.where(x > 0, x, 0.0), jnp.clip(x, -1, 1), jnp.sign(x), jnp.floor(x), jnp.isnan(x)), (3, 4)),
}
for name, (f, shape) in functions.items():
    def write(path):
        onnx.save(to_onnx(f, [shape], opset=23), path)

    export(folder, "jax2onnx", name, write, [rng.normal(size=shape).astype(np.float32)])
