"""Tests that are more than a model and its outputs. A test is (name, row of behaviour.def, function); that gets Tests and a folder
of its own, and returns what is wrong."""
import os

import onnx_file
from cases import f32, ints
from onnx_file import Node

made = []


def test(row):
    def add(f):
        made.append((f.__name__, row, f))
        return f
    return add


def write_model(folder, *words, **more):
    os.makedirs(folder, exist_ok=True)
    path = f'{folder}/model.onnx'
    with open(path, 'wb') as f:
        f.write(onnx_file.model(*words, **more))
    return path


def run_on(t, folder, model, inputs, *options):
    """The text of `nncc run` on these inputs; its exit status first."""
    words = []
    for name, tensor in inputs.items():
        path = f'{folder}/{name}.pb'
        with open(path, 'wb') as f:
            f.write(onnx_file.tensor(tensor, name))
        words += ['--input', f'{name}={path}']
    r = t.run('run', model, '--interpret', *words, *options)
    return r.returncode, r.stdout, r.stderr


@test('nms_equal')
def nms_refused(t, folder):
    nodes = [Node('NonMaxSuppression', 'b s m i')]
    inputs = {'b': f32(0, 0, 1, 1, 0, 0, 1, .5, shape=[1, 2, 4]), 's': f32(.9, .8, shape=[1, 1, 2])}
    model = write_model(folder, nodes, inputs, {'m': ints('i64', 3), 'i': f32(.5)}, {'y': ints('i64', *[0] * 6, shape=[2, 3])}, 11)
    r = t.run('check', model)
    said = r.stdout + r.stderr
    return [] if r.returncode == 3 and 'NonMaxSuppression' in said and 'depends on data' in said else [f'exit status {r.returncode}: {said}']
