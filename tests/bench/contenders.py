"""contenders.py - a network in each of what bench.py compares: calls without arguments that run it once, all in this process.

nncc's C is a shared object, ONNX Runtime has inputs and outputs bound, OpenVINO has its tensors set.
"""
import ctypes
import os
import re
import shlex
import subprocess

import numpy as np
import onnx
import onnxruntime as ort
import openvino as ov

# What the C compiler is told besides: generated code is called from this process.
SHARED = ["-shared", "-fPIC"]

# Memory and the weights are the program's own; what is timed is one call of run() without arguments.
SHIM = """
#define _POSIX_C_SOURCE 200809L
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static net_net net;
static void *memory(size_t bytes) {
    void *p;
    return posix_memalign(&p, 64, bytes + 64) ? NULL : memset(p, 0, bytes + 64);
}
int bench_open(void) {
%s
    return net_open(&net);
}
int bench_run(void) { return net_run(&net); }
%s
"""
LOAD = """    FILE *f = fopen("%s", "rb");
    void *weights = memory(NET_WEIGHTS_BYTES);
    if (!f || !weights || fread(weights, 1, NET_WEIGHTS_BYTES, f) != NET_WEIGHTS_BYTES) return 90;
    fclose(f);
    net.weights = weights;"""


POOL = """    net.threads = NET_MAX_THREADS;
    net.pool = nncc_pool_open(NET_MAX_THREADS);"""


class Failed(Exception):
    pass


def run(*words, **more):
    try:
        done = subprocess.run(words, capture_output=True, text=True, **more)
    except OSError as e:
        raise Failed(f"{words[0]} cannot be run: {e.strerror}") from e
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or f"{words[0]} ended with {done.returncode}"
        raise Failed(said.splitlines()[0][:160])
    return done.stdout


RUNTIME = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "runtime")


class Recipe:
    """A column of nncc: how the C is made, and how it is compiled; with more cores than one a thread for each."""

    def __init__(self, id, options, cc, flags, cores=()):
        self.id, self.options, self.cc, self.flags, self.cores = id, options, cc, flags, list(cores)
        self.made_by = options, cc, flags
        if self.cores:
            self.options = f"{options} --threads={len(self.cores)}".strip()
            self.flags = f"{flags} -pthread"

    def column(self):
        version = run(*shlex.split(self.cc), "--version").splitlines()[0]
        return {"id": self.id, "engine": "nncc", "options": self.options, "cc": self.cc, "flags": self.flags, "compiler": version} | ({"threads": len(self.cores)} if self.cores else {})

    def build(self, nncc, work, model):
        """Compiles a network; the shared object and its ports."""
        directory = os.path.join(work, re.sub(r"\W+", "_", f"{name_of(model)}-{self.id}"))
        os.makedirs(directory)
        run(nncc, model, *shlex.split(self.options), "--prefix=net", "-o", os.path.join(directory, "net.c"))
        with open(os.path.join(directory, "net.h")) as f:
            shim, ports = shim_of(f.read(), directory)
        with open(os.path.join(directory, "shim.c"), "w") as f:
            f.write(shim)
        pool = ["-I", RUNTIME, os.path.join(RUNTIME, "nncc_threads.c")] if self.cores else []
        run(*shlex.split(self.cc), *shlex.split(self.flags), *SHARED, "-o", "net.so", "net.c", "shim.c", *pool, "-lm", cwd=directory)
        return os.path.join(directory, "net.so"), ports


def name_of(model):
    return os.path.basename(model)[: -len(".onnx")]


def fields_of(header):
    """The struct's fields by kind: inputs and outputs as (C type, name, in or out), and which others there are."""
    struct = re.search(r"typedef struct \{(.*?)\} net_net;", header, re.S).group(1)
    ports = re.findall(r"(?:const )?(\w+) \*(\w+); /\* (in |out)", struct)
    return ports, set(re.findall(r"\*(\w+);", struct))


def shim_of(header, directory):
    ports, fields = fields_of(header)
    lines, access = [], []
    for i, (ctype, name, kind) in enumerate(ports):
        lines.append(f"    void *p{i} = memory(NET_{name.upper()}_LEN * sizeof({ctype}));\n    net.{name} = p{i};")
        access.append(f"const void *bench_port_{i}(void) {{ return net.{name}; }}")
    if "arena" in fields:
        lines.append("    net.arena = memory(NET_ARENA_BYTES);")
    if "weights" in fields:
        lines.append(LOAD % os.path.join(directory, "net.weights"))
    if "pool" in fields:
        lines.append(POOL)
    include = '#include "nncc_threads.h"\n' if "pool" in fields else ""
    return include + SHIM % ("\n".join(lines), "\n".join(access)), ports


def nncc_contender(built, feeds, want, cores=()):
    """Threads that it starts may use all of its cores; this one goes back to the first."""
    path, ports = built
    lib = ctypes.CDLL(path)
    here = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or here)
    code = lib.bench_open()
    os.sched_setaffinity(0, here)
    if code:
        raise Failed(f"open returned {code}")
    address = []
    for i in range(len(ports)):
        port = getattr(lib, f"bench_port_{i}")
        port.restype = ctypes.c_void_p
        address.append(port())
    for at, v in zip(address, feeds.values()):
        ctypes.memmove(at, np.ascontiguousarray(v).ctypes.data, v.nbytes)
    call = lib.bench_run

    def outputs():
        if call():
            raise Failed("run returned an error")
        found = [np.empty_like(y) for y in want]
        for at, y in zip(address[len(feeds) :], found):
            ctypes.memmove(y.ctypes.data, at, y.nbytes)
        return found

    return call, outputs


def inputs_of(model):
    graph = onnx.load(model).graph
    known = {t.name for t in graph.initializer}
    rng = np.random.RandomState(0)

    def contents(v):
        kind = onnx.helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type)
        shape = [d.dim_value or 1 for d in v.type.tensor_type.shape.dim]
        return (rng.standard_normal(shape) if kind.kind == "f" else rng.randint(0, 8, shape)).astype(kind)

    return {v.name: contents(v) for v in graph.input if v.name not in known}


def loaded(model, level, threads=1):
    """In ONNX Runtime."""
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def reference(model, feeds):
    return loaded(model, ort.GraphOptimizationLevel.ORT_DISABLE_ALL).run(None, feeds)


class OnnxRuntime:
    name, title, version = "ort", "ONNX Runtime", ort.__version__
    settings = "ORT_ENABLE_ALL, ORT_SEQUENTIAL, inputs and outputs bound"

    @staticmethod
    def contender(model, feeds, want, threads):
        s = loaded(model, ort.GraphOptimizationLevel.ORT_ENABLE_ALL, threads)
        binding = s.io_binding()
        held = [ort.OrtValue.ortvalue_from_numpy(v) for v in feeds.values()]
        for name, value in zip(feeds, held):
            binding.bind_ortvalue_input(name, value)
        results = [ort.OrtValue.ortvalue_from_shape_and_type(list(y.shape), y.dtype.type) for y in want]
        for o, value in zip(s.get_outputs(), results):
            binding.bind_ortvalue_output(o.name, value)
        return (lambda: s.run_with_iobinding(binding)), lambda: [v.numpy() for v in results]


class OpenVino:
    name, title, version = "openvino", "OpenVINO", ov.__version__.split("-")[0]
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}
    settings = ", ".join(f"{k}={v}" for k, v in config.items()) + ", tensors set"

    @staticmethod
    def contender(model, feeds, want, threads):
        core = ov.Core()
        m = core.read_model(model)
        m.reshape({k: list(v.shape) for k, v in feeds.items()})
        config = {"INFERENCE_NUM_THREADS": threads, **OpenVino.config}
        request = core.compile_model(m, "CPU", config).create_infer_request()
        for k, v in feeds.items():
            request.set_tensor(k, ov.Tensor(v, shared_memory=True))
        return request.infer, lambda: [np.array(request.get_output_tensor(i).data) for i in range(len(want))]


class Peer:
    """A column of another engine, with a thread for each core."""

    def __init__(self, engine, cores):
        self.engine, self.cores = engine, cores
        self.id = engine.name + (str(len(cores)) if len(cores) > 1 else "")

    def column(self):
        n, e = len(self.cores), self.engine
        return {"id": self.id, "engine": f"{e.title} {e.version}", "threads": n, "settings": e.settings}

    def contender(self, model, feeds, want):
        """Threads that it starts may use all of its cores; this one goes back to the first."""
        os.sched_setaffinity(0, self.cores)
        try:
            call, outputs = self.engine.contender(model, feeds, want, len(self.cores))
            call()
        finally:
            os.sched_setaffinity(0, self.cores[:1])
        return call, outputs
