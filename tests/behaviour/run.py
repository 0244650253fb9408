#!/usr/bin/env python3
"""Where runtimes disagree: nncc gives the recorded values, and says so beside other ones. usage: run.py [NNCC] [--judges] [NAME...]

For every case of cases.py: `nncc verify` accepts what it records; it rejects another runtime's value (or a changed one, so that no
recorded value is one that cannot fail) and prints the row of compiler/harness/behaviour.def that explains it; and it does not print the row
for a mismatch of the same operator that the row does not explain. Every row has a test, every test a row.
--judges: nothing of nncc; ONNX Runtime, onnx.reference and OpenVINO, those that this Python has, give what the cases record."""
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases
import more
import onnx_file

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(data)


def write_case(folder, c, want, nodes=None, inputs=None, constants=None, opset=None):
    """The model, and the data with these outputs. An output that is not `want`'s keeps the shape it was declared with."""
    nodes = c.nodes if nodes is None else nodes if isinstance(nodes, list) else [nodes]
    inputs = {**c.inputs, **(inputs or {})}
    used = {name for n in nodes for name in n.inputs}
    inputs = {name: t for name, t in inputs.items() if name in used}
    constants = {name: t for name, t in {**c.constants, **(constants or {})}.items() if name in used}
    write(f'{folder}/model.onnx', onnx_file.model(nodes, inputs, constants, c.want, opset or c.opset, c.both))
    for kind, tensors in ('input', inputs), ('output', want):
        for i, (name, t) in enumerate(tensors.items()):
            write(f'{folder}/data/test_data_set_0/{kind}_{i}.pb', onnx_file.tensor(t, name))


def changed(t):
    """The same tensor with another first element."""
    v = t.values[0] if t.values else 0
    other = not v if t.dtype == 'bool' else 7 if v != v or v in (cases.INF, -cases.INF) else v + 1 if v < 1 else v - 1
    return onnx_file.Tensor(t.dtype, t.shape, [other, *t.values[1:]])


def wrong_outputs(c):
    """Somebody else's outputs, if any are recorded."""
    for v in c.others.values():
        if v not in (cases.REFUSES, cases.UNSTEADY):
            return v if isinstance(v, dict) else {'y': v}
    return {name: changed(t) for name, t in c.want.items()}


def told(output, row):
    return f'(docs/behaviour.md: {row})' in output


class Tests:
    def __init__(self, nncc, work):
        self.nncc, self.work = nncc, work
        cc = os.environ.get('CC', 'cc')
        self.cc = ['--cc', f'{cc} -O0 -Wno-unused']

    def run(self, *words, **more_):
        return subprocess.run([self.nncc, *words], capture_output=True, text=True, timeout=120, **more_)

    def verify(self, folder, *options):
        r = self.run('verify', f'{folder}/model.onnx', f'{folder}/data', '--rtol', '1e-5', *options)
        return r.returncode, r.stdout + r.stderr

    def test_case(self, c):
        """What is wrong; an empty list if nothing is."""
        folder, faults = f'{self.work}/{c.name}', []
        tolerance = ['--rtol', '1e-3'] if any(t.dtype == 'f16' for t in c.want.values()) else []
        write_case(folder, c, c.want)
        code, said = self.verify(folder, *self.cc, *tolerance)
        if code:
            faults.append(f'the recorded value is not what nncc gives:\n{said}')
        write_case(folder + '.other', c, wrong_outputs(c))
        code, said = self.verify(folder + '.other', '--interpret')
        if code != 1:
            faults.append(f'another value passes (exit status {code}):\n{said}')
        if told(said, c.row) != c.known:
            faults.append(f'verify {"does not print" if c.known else "prints"} the row beside another value:\n{said}')
        if c.near:
            write_case(folder + '.near', c, {name: onnx_file.Tensor(t.dtype, t.shape, [1] * len(t.values)) for name, t in c.want.items()}, **c.near)
            code, said = self.verify(folder + '.near', '--interpret')
            if code != 1 or told(said, c.row):
                faults.append(f'a mismatch that the row does not explain (exit status {code}):\n{said}')
        return faults

    def test_rows(self, names):
        listed = [line.split('\t')[0] for line in self.run('--list-behaviour').stdout.splitlines()]
        faults = [f'row {row} of harness/behaviour.def has no test' for row in listed if row not in names]
        faults += [f'tests name a row {row} that harness/behaviour.def has not' for row in sorted(names) if row not in listed]
        with open(f'{root}/docs/behaviour.md') as f:
            if f.read() != self.run('--list-behaviour=md').stdout:
                faults.append('docs/behaviour.md is not what --list-behaviour=md prints')
        return faults


def main():
    words = [w for w in sys.argv[1:] if w != '--judges']
    if '--judges' in sys.argv[1:]:
        import judges
        sys.exit(judges.main(words))
    nncc = os.path.abspath(words.pop(0)) if words and os.access(words[0], os.X_OK) else f'{root}/build/release/bin/nncc'
    chosen = lambda name: not words or any(w in name for w in words)
    with tempfile.TemporaryDirectory() as work:
        t = Tests(nncc, work)
        tests = [(c.name, lambda c=c: t.test_case(c)) for c in cases.made]
        tests += [(name, lambda f=f, name=name: f(t, f'{work}/{name}')) for name, _, f in more.made]
        tests.append(('rows', lambda: t.test_rows({c.row for c in cases.made} | {row for _, row, _ in more.made})))
        assert len({name for name, _ in tests}) == len(tests), 'two tests of one name'
        tests = [x for x in tests if chosen(x[0])]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda x: x[1](), tests))
    for (name, _), faults in zip(tests, results):
        print(f'FAIL  {name}' if faults else f'ok    {name}')
        for fault in faults:
            print('      ' + fault.strip().replace('\n', '\n      '))
    failed = sum(bool(f) for f in results)
    print(f'{len(results) - failed} passed, {failed} failed')
    sys.exit(failed > 0)


main()
