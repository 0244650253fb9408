#!/usr/bin/env python3
"""Writes the tests of the installed `onnx` package into a folder in the layout that tests/onnx/run.sh takes.

usage: newest.py FOLDER [--besides ARCHIVE]
Every test has its model, its data and, in data.json, its tolerances. --besides leaves out what ARCHIVE (a .tar.gz of such a
folder) has with the same graph and data: then only what is new, or was changed, is left.
"""
import json
import pathlib
import sys
import tarfile
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests, load_node_model_tests

WRITERS = {
    "map_type": numpy_helper.from_dict,
    "sequence_type": numpy_helper.from_list,
    "optional_type": numpy_helper.from_optional,
    "tensor_type": numpy_helper.from_array,
}


def message(value, port):
    """The protobuf message of a value, of the kind its port is declared to be."""
    if isinstance(value, onnx.TensorProto):
        return value
    return WRITERS[port.type.WhichOneof("value")](value, port.name)


def contents(case):
    """Every file of a test but data.json: path within its folder to bytes."""
    files = {"model.onnx": case.model.SerializeToString()}
    graph = case.model.graph
    for i, (inputs, outputs) in enumerate(case.data_sets):
        for kind, values, ports in ("input", inputs, graph.input), ("output", outputs, graph.output):
            for j, (value, port) in enumerate(zip(values, ports)):
                files[f"test_data_set_{i}/{kind}_{j}.pb"] = message(value, port).SerializeToString()
    return files


def known(archive):
    """What an archive holds: path to bytes."""
    with tarfile.open(archive) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}


def plain(model):
    """A model without what says nothing of its meaning."""
    m = onnx.load_from_string(model)
    m.ClearField("ir_version")
    m.ClearField("producer_version")
    return m.SerializeToString(deterministic=True)


def is_same(case, files, old):
    """Whether an archive has the test, with the same model and as large data: random ones are drawn anew with each release."""
    before = {path: old.get(f"data/{case.kind}/{case.name}/{path}") for path in files}
    if None in before.values():
        return False
    return all(len(before[p]) == len(b) if p.endswith(".pb") else plain(before[p]) == plain(b) for p, b in files.items())


def write(folder, files):
    for path, data in files.items():
        to = folder / path
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(data)


def main():
    folder = pathlib.Path(sys.argv[1])
    old = known(sys.argv[3]) if len(sys.argv) == 4 and sys.argv[2] == "--besides" else {}
    warnings.simplefilter("ignore")
    np.random.seed(0)
    written = 0
    for case in load_node_model_tests():
        files = contents(case)
        if is_same(case, files, old):
            continue
        files["data.json"] = json.dumps({"rtol": case.rtol, "atol": case.atol}).encode()
        write(folder / case.kind / case.name, files)
        written += 1
    for kind in ("simple", "pytorch-converted", "pytorch-operator") if not old else ():
        for case in load_model_tests(kind=kind):
            tolerances = json.dumps({"rtol": case.rtol, "atol": case.atol}).encode()
            origin = pathlib.Path(case.model_dir)
            write(folder / kind / case.name,
                  {**{str(f.relative_to(origin)): f.read_bytes() for f in origin.rglob("*") if f.is_file()}, "data.json": tolerances})
            written += 1
    print(f"{written} tests of onnx {onnx.__version__}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    main()
