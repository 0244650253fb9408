"""export_torch.py FOLDER - what PyTorch writes: torch_networks.py by each way of torch.onnx.export into FOLDER/WAY/NETWORK."""
import sys
import torch
from cell import export
from torch_networks import architectures, networks

folder = sys.argv[1]


def names(x):
    return [f"x{k}" for k in range(len(x))]


def dynamo(net, x, dims, path, **more):
    torch.onnx.export(net, tuple(x), path, dynamo=True, input_names=names(x), external_data=False, verbose=False, **more)


def plain(net, x, dims, path):
    dynamo(net, x, dims, path)


def dynamic(net, x, dims, path):
    shapes = tuple({axis: torch.export.Dim.DYNAMIC for axis in dims.get(k, {})} or None for k in range(len(x)))
    dynamo(net, x, dims, path, dynamic_shapes={"x": shapes} if is_variadic(net) else shapes)


def newest(net, x, dims, path):
    dynamo(net, x, dims, path, opset_version=23)


def script(net, x, dims, path):
    axes = {f"x{k}": dict(d) for k, d in dims.items()}
    torch.onnx.export(net, tuple(x), path, dynamo=False, input_names=names(x), dynamic_axes=axes, opset_version=17)


def is_variadic(net):
    """torch.export wants the shapes of *x under its name."""
    return net.forward.__code__.co_flags & 4


nets = networks()
for way, how, which in [("torch_dynamo", plain, nets), ("torch_dynamic", dynamic, {n: v for n, v in nets.items() if v[2]}),
                        ("torch_opset23", newest, nets), ("torch_script", script, nets), ("hf_dynamo", plain, architectures()),
                        ("hf_script", script, architectures())]:
    for name, (net, x, dims) in which.items():
        export(folder, way, name, lambda path: how(net, x, dims, path), [v.numpy() for v in x])
