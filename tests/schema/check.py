#!/usr/bin/env python3
"""Compares the rows of ops/ops.def with ONNX's own schemas: versions, arity, attributes, their kinds and defaults.

usage: check.py NNCC    where NNCC prints the rows with --list-ops; needs the Python package onnx.
Rows newer than the installed onnx, and domains it lacks, are counted and left out. Exit status 1 if anything differs."""
import re
import struct
import subprocess
import sys

import onnx
import onnx.defs
import onnx.helper

ANY = 2**31 - 1
KINDS = {"INT": "int", "FLOAT": "float", "STRING": "string", "INTS": "ints", "FLOATS": "floats", "STRINGS": "strings",
         "TENSOR": "tensor", "GRAPH": "graph"}

# What differs on purpose: (operator, what) and why.
ACCEPTED = {
    ("RNN", "default of activations"): "the default for each direction is a matter of the lowering, as for LSTM and GRU",
    ("MeanVarianceNormalization", "default of axes"): "lists are not printed",
    ("SequenceEmpty", "default of dtype"): "the schema's prose has it alone: 'Default to FLOAT'",
    ("LabelEncoder", "attribute classes_strings is not ONNX's"): "version 1's, which keys and values took the place of",
    ("TreeEnsembleClassifier", "since 3, ONNX 5"): "5 says that it is deprecated, and nothing else",
    ("TreeEnsembleRegressor", "since 3, ONNX 5"): "5 says that it is deprecated, and nothing else",
    ("Optional", "attribute type is missing"): "a TypeProto, which an empty optional's readers tell as well",
}


def rows(nncc):
    """Each row as a dictionary, from the tab-separated listing."""
    text = subprocess.run([nncc, "--list-ops"], check=True, capture_output=True, text=True).stdout
    for line in text.splitlines():
        domain, name, since, _, least, most, out, outs, attrs, status, _ = line.split("\t")
        row = dict(domain=domain, name=name, since=int(since), ins=(int(least), int(most)), outs=(int(out), int(outs)), status=status)
        row["attrs"] = {}
        for text in filter(None, attrs.split(", ")):
            key, kind, _, required, default = re.match(r"(\w+): (\w+)(( \(required\))| = (.*))?$", text).groups()
            row["attrs"][key] = (kind, bool(required), default)
        yield row


def newest():
    """The latest schema of every operator by (domain, name)."""
    found = {}
    for s in onnx.defs.get_all_schemas_with_history():
        key = (s.domain, s.name)
        if key not in found or s.since_version > found[key].since_version:
            found[key] = s
    return found


def as_f32(x):
    return struct.unpack("f", struct.pack("f", float(x)))[0]


def same_default(kind, ours, schema_attr):
    """ONNX tells "no default" from 0; a row does not, unless the kind is a string."""
    given = schema_attr.default_value
    theirs = onnx.helper.get_attribute_value(given) if given.name else None
    if isinstance(theirs, bytes):
        theirs = theirs.decode()
    if kind == "int":
        return int(ours or 0) == (theirs or 0)
    if kind == "float":
        return as_f32(ours or 0) == as_f32(theirs or 0)
    if kind == "string":
        return (ours.strip('"') if ours else None) == theirs
    return theirs is None


def differences(row, s):
    """What of a row differs from its schema, in words."""
    if row["since"] != s.since_version:
        yield f"since {row['since']}, ONNX {s.since_version}"
    least = 1 if row["ins"][1] == ANY else row["ins"][0]
    if (least, row["ins"][1]) != (s.min_input, s.max_input) and not (row["ins"][1] == ANY and s.max_input == ANY):
        yield f"inputs {row['ins']}, ONNX {(s.min_input, s.max_input)}"
    if (row["outs"][0], row["outs"][1]) != (max(s.min_output, 1), s.max_output):
        yield f"outputs {row['outs']}, ONNX {(s.min_output, s.max_output)}"
    for name in sorted(set(row["attrs"]) ^ set(s.attributes)):
        yield f"attribute {name} " + ("is not ONNX's" if name in row["attrs"] else "is missing")
    for name in sorted(set(row["attrs"]) & set(s.attributes)):
        kind, required, default = row["attrs"][name]
        theirs = s.attributes[name]
        if kind != KINDS.get(str(theirs.type).split(".")[-1]):
            yield f"kind of {name}: {kind}"
        if required != theirs.required:
            yield f"{name} is {'' if required else 'not '}required here"
        elif not required and not same_default(kind, default, theirs):
            yield f"default of {name}: {default}"


def main():
    schemas, compared, skipped, faults = newest(), 0, 0, 0
    for row in rows(sys.argv[1]):
        s = schemas.get((row["domain"], row["name"]))
        if row["since"] and (not s or s.since_version < row["since"]):
            skipped += 1
            continue
        if not row["since"]:
            if s:
                faults += 1
                print(f"{row['name']}: internal to nncc, but ONNX has an operator of that name")
            continue
        compared += 1
        for what in differences(row, s):
            if (row["name"], what.split(":")[0]) in ACCEPTED:
                continue
            faults += 1
            print(f"{row['name']}: {what}")
    print(f"{compared} rows compared with onnx {onnx.__version__}, {skipped} left out, {faults} differences")
    return faults > 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main())
