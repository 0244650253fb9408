"""Small transformers with seeded weights, as PyTorch exports them and as ONNX Runtime's tools rewrite them, against ONNX Runtime.

usage: transformer_forms.py NNCC DIR [TEXT]

BERT, GPT-2, ViT, the encoder of Whisper and Llama, two layers each, of the package transformers; TEXT: those rows whose name contains it.
Of each: what torch.onnx writes (dynamo; older: without), what ONNX Runtime's own optimizer saves (extended, all), what its optimizer for transformers
makes of it; of Llama with matrices of 4 bits, and a block of it with a cache as onnxruntime-genai builds it. ONNX Runtime runs the network as exported, without optimizations; `nncc verify` compares,
and the C of nncc is compiled by gcc and clang with warnings as errors. Weights of 4 bits are judged by the quantised
network itself, for the quantiser changes what is computed. Last line: N passed, N failed.
"""
import os
import subprocess
import sys
import logging
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
import transformers
from onnx import helper, numpy_helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

HEADS, WIDTH, LAYERS = 4, 64, 2
FLAGS = "-std=c99 -O1 -Wall -Wextra -Wpedantic -Wshadow -Werror -c -o /dev/null".split()


def words(n=2, steps=7, most=99):
    return torch.randint(0, most, (n, steps))


class First(torch.nn.Module):
    """Of a model's results the first; inputs by position."""

    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs):
        return self.model(**dict(zip(self.names, inputs)), return_dict=True)[0]


def bert():
    c = transformers.BertConfig(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=128, vocab_size=99,
                                max_position_embeddings=32, attn_implementation="eager")
    mask = torch.ones(2, 7, dtype=torch.int64)
    mask[1, 5:] = 0
    return transformers.BertModel(c), {"input_ids": words(), "attention_mask": mask, "token_type_ids": words(most=2)}


def gpt2():
    c = transformers.GPT2Config(n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=32, vocab_size=99, use_cache=False, attn_implementation="eager")
    return transformers.GPT2LMHeadModel(c), {"input_ids": words()}


def vit():
    c = transformers.ViTConfig(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=128, image_size=32, patch_size=8,
                               attn_implementation="eager")
    return transformers.ViTModel(c), {"pixel_values": torch.randn(2, 3, 32, 32)}


def whisper():
    c = transformers.WhisperConfig(d_model=WIDTH, encoder_layers=LAYERS, encoder_attention_heads=HEADS, encoder_ffn_dim=128, num_mel_bins=16,
                                   max_source_positions=20, decoder_layers=1, decoder_attention_heads=HEADS, vocab_size=99, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
                                   attn_implementation="eager")
    return transformers.WhisperModel(c).get_encoder(), {"input_features": torch.randn(1, 16, 40)}


def llama():
    c = transformers.LlamaConfig(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=2, intermediate_size=128,
                                 vocab_size=99, max_position_embeddings=32, use_cache=False, attn_implementation="eager")
    return transformers.LlamaForCausalLM(c), {"input_ids": words()}


# What ONNX Runtime's optimizer for transformers is told that they are, and whether PyTorch's older exporter, whose files it knows better, takes them.
NETWORKS = {"bert": (bert, "bert", True), "gpt2": (gpt2, "bert", False), "vit": (vit, "vit", True), "whisper": (whisper, "bart", True),
            "llama": (llama, "bert", False)}


def exported(make, path, dynamo=True):
    torch.manual_seed(3)
    model, inputs = make()
    net = First(model.eval(), list(inputs))
    options = {"external_data": False, "verbose": False} if dynamo else {"opset_version": 17}
    torch.onnx.export(net, tuple(inputs.values()), path, input_names=list(inputs), output_names=["y"], dynamo=dynamo, **options)
    return {k: v.numpy() for k, v in inputs.items()}


def saved(source, path, level):
    o = onnxruntime.SessionOptions()
    o.graph_optimization_level, o.optimized_model_filepath, o.log_severity_level = level, path, 4
    onnxruntime.InferenceSession(source, o, providers=["CPUExecutionProvider"])


def fused(source, path, kind):
    options = FusionOptions(kind)
    optimizer.optimize_model(source, model_type=kind, num_heads=HEADS, hidden_size=WIDTH, optimization_options=options, opt_level=0,
                             only_onnxruntime=False).save_model_to_file(path)


def bits(source, path):
    q = MatMulNBitsQuantizer(onnx.load(source), block_size=16, is_symmetric=False, accuracy_level=0)
    q.process()
    onnx.save(q.model.model, path)


def run(path, feeds):
    o = onnxruntime.SessionOptions()
    o.graph_optimization_level, o.log_severity_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, 4
    return onnxruntime.InferenceSession(path, o, providers=["CPUExecutionProvider"]).run(None, feeds)


def write_set(folder, feeds, results):
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    graph = onnx.load(os.path.join(folder, "model.onnx")).graph
    for i, v in enumerate(graph.input):
        onnx.save_tensor(numpy_helper.from_array(feeds[v.name], v.name), f"{data}/input_{i}.pb")
    for i, (v, x) in enumerate(zip(graph.output, results)):
        onnx.save_tensor(numpy_helper.from_array(x, v.name), f"{data}/output_{i}.pb")


def foreign(path):
    """How often the file has which operator that is not ONNX's."""
    count = {}
    for n in onnx.load(path).graph.node:
        if n.domain not in ("", "ai.onnx"):
            count[n.op_type] = count.get(n.op_type, 0) + 1
    return " ".join(f"{k} {v}" for k, v in sorted(count.items()))


def fault(nncc, folder):
    """What goes wrong with a network; None if nothing does."""
    model = os.path.join(folder, "model.onnx")
    blocks = f"--channel-blocks={16 if ' avx512f ' in open('/proc/cpuinfo').read() else 8}"
    said = subprocess.run([nncc, "verify", model, folder, blocks], capture_output=True, text=True)
    if said.returncode:
        return [line for line in (said.stdout + said.stderr).splitlines() if line.strip()][-1]
    said = subprocess.run([nncc, model, blocks, "-o", os.path.join(folder, "m.c")], capture_output=True, text=True)
    if said.returncode or said.stderr.strip():
        return said.stderr.strip() or "nncc fails"
    for cc in ("gcc", "clang"):
        said = subprocess.run([cc, *FLAGS, "-I", folder, os.path.join(folder, "m.c")], capture_output=True, text=True)
        if said.returncode:
            return f"{cc}: {said.stderr.splitlines()[0]}"
    return None


def llama_block(path):
    """A block of Llama as onnxruntime-genai writes it, with 4 bits a weight: four tokens behind a cache of three. Its inputs."""
    r, nodes, inits, shared, size = np.random.default_rng(4), [], [], 2, WIDTH // HEADS

    def node(op, inputs, outputs, domain="com.microsoft", **attributes):
        nodes.append(helper.make_node(op, inputs, outputs, domain=domain, **attributes))
        return outputs[0]

    def constant(name, x):
        inits.append(numpy_helper.from_array(x, name))
        return name

    def linear(x, name, k, n):
        b = constant(name + ".b", r.integers(0, 256, (n, k // 16, 8)).astype(np.uint8))
        scale = constant(name + ".scale", r.uniform(0.005, 0.05, n * k // 16).astype(np.float32))
        return node("MatMulNBits", [x, b, scale], [name], K=k, N=n, bits=4, block_size=16)

    angle = np.arange(16)[:, None] / 10000 ** (np.arange(size // 2) / (size // 2))
    cos, sin = constant("cos", np.cos(angle).astype(np.float32)), constant("sin", np.sin(angle).astype(np.float32))
    scales = [constant(f"norm{i}", r.uniform(0.5, 1.5, WIDTH).astype(np.float32)) for i in range(3)]
    h = node("SimplifiedLayerNormalization", ["x", scales[0]], ["h"], "", epsilon=1e-5, axis=-1, stash_type=1)
    q, k, v = linear(h, "q", WIDTH, WIDTH), linear(h, "k", WIDTH, shared * size), linear(h, "v", WIDTH, shared * size)
    attended = node("GroupQueryAttention", [q, k, v, "past_key", "past_value", "seqlens_k", "total", cos, sin], ["attended", "present_key", "present_value"],
                    num_heads=HEADS, kv_num_heads=shared, do_rotary=1)
    node("SkipSimplifiedLayerNormalization", ["x", linear(attended, "o", WIDTH, WIDTH), scales[1]], ["n", "", "", "r"], epsilon=1e-5)
    gate, up = linear("n", "gate", WIDTH, 128), linear("n", "up", WIDTH, 128)
    gated = node("Mul", [node("Mul", [gate, node("Sigmoid", [gate], ["s"], "")], ["silu"], ""), up], ["gated"], "")
    node("SkipSimplifiedLayerNormalization", ["r", linear(gated, "down", 128, WIDTH), scales[2]], ["y"], epsilon=1e-5)
    feeds = {"x": r.normal(size=(1, 4, WIDTH)).astype(np.float32), "past_key": r.normal(size=(1, shared, 3, size)).astype(np.float32),
             "past_value": r.normal(size=(1, shared, 3, size)).astype(np.float32), "seqlens_k": np.array([6], np.int32), "total": np.array(7, np.int32)}
    ins = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for n, x in feeds.items()]
    outs = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in ("y", "present_key", "present_value")]
    onnx.save(helper.make_model(helper.make_graph(nodes, "block", ins, outs, inits), ir_version=8,
                                opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]), path)
    return feeds


def forms(name, make, kind, older, place):
    """The folders of a network's forms; a form that a tool does not make is told."""
    base = place("exported")
    feeds = exported(make, base)
    level = onnxruntime.GraphOptimizationLevel
    makers = {"extended": lambda to: saved(base, to, level.ORT_ENABLE_EXTENDED), "all": lambda to: saved(base, to, level.ORT_ENABLE_ALL),
              "transformers": lambda to: fused(base, to, kind)}
    if older:
        exported(make, place("older"), False)
        makers["older-transformers"] = lambda to: fused(place("older"), to, kind)
    if name == "llama":
        makers["bits"] = lambda to: bits(base, to)
        makers["bits-all"] = lambda to: saved(place("bits"), to, level.ORT_ENABLE_ALL)
        block = place("block")
        feeds_of_block = llama_block(block)
        yield "block", feeds_of_block, run(block, feeds_of_block)
    yield "exported", feeds, run(base, feeds)
    for form, maker in makers.items():
        to = place(form)
        maker(to)
        yield form, feeds, run(to if form == "bits" else place("bits") if form == "bits-all" else base, feeds)


def main():
    nncc, work, text = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else ""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(4)
    passed = failed = 0
    for name, (make, kind, older) in NETWORKS.items():
        if text not in name:
            continue

        def place(form):
            os.makedirs(os.path.join(work, f"{name}-{form}"), exist_ok=True)
            return os.path.join(work, f"{name}-{form}", "model.onnx")

        for form, feeds, results in forms(name, make, kind, older, place):
            folder = os.path.dirname(place(form))
            write_set(folder, feeds, results)
            wrong = fault(nncc, folder)
            passed, failed = passed + (wrong is None), failed + (wrong is not None)
            print(f"{'ok   ' if wrong is None else 'FAIL '} {name} {form}: {wrong or foreign(place(form)) or 'operators of ONNX'}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
