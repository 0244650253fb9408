"""Tests that are more than a model and its outputs. A test is (name, row of harness/behaviour.def, function); that gets Tests and a folder
of its own, and returns what is wrong."""
import json
import os
import shlex
import subprocess

import onnx_file
from cases import f32, ints
from onnx_file import Node

made = []
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


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
def nms_equal(t, folder):
    nodes = [Node('NonMaxSuppression', 'b s m i')]
    inputs = {'b': f32(0, 0, 1, 1, 0, 0, 1, .5, shape=[1, 2, 4]), 's': f32(.9, .8, shape=[1, 1, 2])}
    model = write_model(folder, nodes, inputs, {'m': ints('i64', 3), 'i': f32(.5)}, {'y': ints('i64', *[0] * 6, shape=[2, 3])}, 11)
    code, out, err = run_on(t, folder, model, inputs)
    return [] if code == 0 and '[2,3]: 0 0 0 0 0 1' in out else [f'exit status {code}: {out} {err}']


def expect(faults, ok, what, *shown):
    if not ok:
        faults.append(what + ': ' + ' '.join(str(s) for s in shown))
    return ok


@test('initializer_input')
def initializer_input(t, folder):
    faults, sum_of = [], ([Node('Add', 'x w')], {'x': f32(1, 2)}, {'w': f32(10, 20)}, {'y': f32(0, 0)}, 13)
    model, given = write_model(folder, *sum_of, both=['w']), '--input-initializers'
    code, out, err = run_on(t, folder, model, {'x': f32(1, 2)})
    expect(faults, code == 0 and '11 22' in out, 'the default counts', code, out, err)
    expect(faults, "initializer 'w' is also an input" in err and given in err and err.count('warning') == 1, 'one warning', err)
    code, out, err = run_on(t, folder, model, {'x': f32(1, 2), 'w': f32(3, 4)}, given, 'w')
    expect(faults, code == 0 and '4 6' in out and not err, 'the caller overrides', code, out, err)
    code, out, err = run_on(t, folder, model, {'x': f32(1, 2)}, given, 'v*')
    expect(faults, code == 1 and "'v*'" in err, 'a pattern that nothing meets', code, out, err)
    old = write_model(folder + '/ir3', *sum_of, both=['w'], ir=3)  # every initializer had to be an input
    code, out, err = run_on(t, folder + '/ir3', old, {'x': f32(1, 2)})
    expect(faults, code == 0 and '11 22' in out and not err, 'IR version 3 has no defaults', code, out, err)
    return faults


@test('node_order')
def node_order(t, folder):
    model = write_model(folder, [Node('Relu', 't'), Node('Neg', 'x', 't')], {'x': f32(1, -2)}, {}, {'y': f32(0, 0)}, 13)
    code, out, err = run_on(t, folder, model, {'x': f32(1, -2)})
    faults = []
    expect(faults, code == 0 and '0 2' in out, 'nodes out of order', code, out, err)
    circle = write_model(folder + '/circle', [Node('Relu', 't'), Node('Add', 'x y', 't')], {'x': f32(1)}, {}, {'y': f32(0)}, 13)
    code, out, err = run_on(t, folder + '/circle', circle, {'x': f32(1)})
    expect(faults, code == 1, 'a circle is refused', code, out, err)
    return faults


@test('training_export')
def training_export(t, folder):
    norm = Node('BatchNormalization', 'x s b m v', 'n')
    one = {name: f32(1) for name in 'sbmv'}
    x, y = {'x': f32(1, 2, shape=[2, 1])}, {'y': f32(0, 0, shape=[2, 1])}
    faults = []
    for active in True, False:
        where = f'{folder}/{active}'
        drop = {'r': f32(.5, shape=[]), 't': ints('bool', active, shape=[])}
        model = write_model(where, [norm, Node('Dropout', 'n r t')], x, {**one, **drop}, y, 15)
        code, out, err = run_on(t, where, model, x)
        warned = "Dropout 'y' drops elements in every call" in err and 'model.eval()' in err
        expect(faults, code == 0 and warned == active, f'Dropout with training_mode {active}', code, out, err)
    return faults


GRADIENT = '''#include "m.h"
#include <stdio.h>
M_PARAMS(params);
M_GRADS(grads);
M_ARENA(arena);
#ifdef M_OPT /* plain SGD has no state */
M_OPT(opt);
#else
static unsigned char opt[64];
#endif
int main(void) {
    static float x[M_X_LEN] = {-1, 0, 3, 6, 7}, target[M_TARGET_LEN], y[M_Y_LEN], loss, x_grad[M_X_LEN];
    for (int i = 0; i < M_TARGET_LEN; i++) target[i] = -1;
    m_net net = {.x = x, .target = target, .y = y, .loss = &loss, .x_grad = x_grad, .params = params, .grads = grads, .opt = opt, .arena = arena};
    if (m_init(&net, 1) || m_forward_backward(&net) || m_input_grad(&net)) return 1;
    for (int i = 0; i < M_X_LEN; i++) printf("%g ", 5 * (double)x_grad[i]);
    return 0;
}
'''


@test('clamp_gradient')
def clamp_gradient(t, folder):
    """5 times the gradient of the mean of |clip(x) + p + 1| at x = -1, 0, 3, 6, 7. PyTorch 2.15: x.clamp(0, 6), relu6, hardtanh."""
    os.makedirs(folder, exist_ok=True)
    with open(f'{folder}/m.nn', 'w') as f:
        f.write('param %p: f32[5] = [1, 1, 1, 1, 1]\nnetwork @m(%x: f32[5]) {\n  %y = Add(Clip(%x, 0.0, 6.0), %p)\n  return %y\n}\n'
                'train @m {loss = MeanAbsoluteError, optimizer = SGD}\n')
    with open(f'{folder}/g.c', 'w') as f:
        f.write(GRADIENT)
    r = t.run('m.nn', '--train', '--prefix', 'm', '-o', 'm.c', cwd=folder)
    if r.returncode:
        return [r.stderr]
    cc = shlex.split(os.environ.get('CC', 'cc'))
    r = subprocess.run([*cc, '-std=c11', '-O0', 'g.c', 'm.c', '-lm', '-o', 'g'], cwd=folder, capture_output=True, text=True)
    if r.returncode:
        return [r.stderr]
    got = subprocess.run(['./g'], cwd=folder, capture_output=True, text=True).stdout.split()
    return [] if got == ['0', '0', '1', '0', '0'] else [f'gradients {got}']


def read_checkpoint(path):
    with open(path, 'rb') as f:
        data = f.read()
    n = int.from_bytes(data[:8], 'little')
    header = json.loads(data[8:8 + n])
    return header, data[8 + n:]


def write_checkpoint(path, header, data):
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(len(text).to_bytes(8, 'little') + text + data)


def reordered(header, data, gap=0):
    """The same tensors from the last to the first, with a gap behind the first. What is said of the whole is left out."""
    metadata = {k: v for k, v in header['__metadata__'].items() if k != 'sha256'}
    new, parts, at = {'__metadata__': metadata}, [], 0
    for name, t in reversed([(k, v) for k, v in header.items() if k != '__metadata__']):
        begin, end = t['data_offsets']
        new[name] = {**t, 'data_offsets': [at, at + end - begin]}
        parts.append(data[begin:end] + bytes(gap))
        at, gap = at + end - begin + gap, 0
    return new, b''.join(parts)


@test('safetensors_order')
def safetensors_order(t, folder):
    os.makedirs(folder, exist_ok=True)
    with open(f'{folder}/points.csv', 'w') as f:
        for i in range(60):
            x, y = i % 10 / 10, i // 10 / 6
            f.write(f'{x:g},{y:g},{x * x:g},{y * y:g},{int(x + y > 1) + int(x > y)}\n')

    def train(epochs, name, *words):
        return t.run('train', f'{root}/tests/train/fit.nn', '--data', 'points.csv', '--epochs', str(epochs), '--checkpoint', name, *t.cc, *words, cwd=folder)
    r = train(1, 'one')
    if r.returncode:
        return [r.stdout + r.stderr]
    header, data = read_checkpoint(f'{folder}/one')
    places = sorted(v['data_offsets'] for k, v in header.items() if k != '__metadata__')
    faults = []
    expect(faults, [b for b, _ in places] == [0, *(e for _, e in places[:-1])] and places[-1][1] == len(data), 'tensors fill the file', places)
    good = {'same': (header, data), 'reordered': reordered(header, data)}
    bad = {'trailing': (header, data + b'\0' * 4), 'short': (header, data[:-4]), 'gap': reordered(header, data, gap=4)}
    for name, contents in {**good, **bad}.items():
        write_checkpoint(f'{folder}/{name}', *contents)
        r = train(2, name, '--resume')
        expect(faults, (r.returncode == 0) == (name in good), f'{name}: exit status {r.returncode}', r.stdout[-500:], r.stderr)
    if not faults:
        same, other = (read_checkpoint(f'{folder}/{name}')[1] for name in good)
        expect(faults, same == other, 'training goes on from a reordered file as from its own')
    return faults
