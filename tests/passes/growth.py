"""growth.py NNCC FAMILY,...|all SIZE... - writes networks of that many nodes and times every pass over them.

Prints a line per family and size: milliseconds of processor time of each pass and of the whole command, the least of three
runs, and how much each grew; a network four times as large may take five times as long. What takes less than FLOOR counts as
much: the caches make small networks faster than four times smaller ones have to be.

growth.py NNCC count FAMILY,...|all SIZE... - the same in millions of instructions, which valgrind counts. They tell work that
grows from waiting for memory, of which a network that no longer fits into the cache does more.

growth.py NNCC check - what CI runs: the families that once were quadratic, 1k and 4k nodes, and whatever recurses by the size
of a network, in a stack of 1 MB. A quadratic pass grows sixteenfold; the limit here is eight, in the best of four runs.
"""
import os
import re
import resource
import subprocess
import sys
import tempfile


def network(inputs, body, results, params=''):
    return f'{params}network @grow({inputs}) {{\n' + '\n'.join('  ' + line for line in body) + f'\n  return {results}\n}}\n'


def names(stem, n):
    return ', '.join(f'%{stem}{i}' for i in range(n))


def chain(n, step, start='%x'):
    """step(previous, i) makes %v<i> from the one before."""
    return [f'%v{i} = {step(f"%v{i - 1}" if i else start, i)}' for i in range(n)]


def concat(n):
    """n values that differ, and their Concat."""
    body = [f'%v{i} = Mul(%x, {i + 1}.5)' for i in range(n)]
    return network('%x: f32[1,4]', body + [f'%y = Concat({names("v", n)}) {{axis = 1}}'], '%y')


def gathers(n):
    """n constant rows of a table, and their sum."""
    table = 'param %table: f32[16,4] = splat(0.5)\n'
    body = [f'%v{i} = Gather(%x, {i % 16}) {{axis = 0}}' if i < 16 else f'%v{i} = Gather(%v{i - 16}, [{i % 4}, 1, 2, {i % 3}]) {{axis = 0}}'
            for i in range(n)]
    return network('%x: f32[16,4]', body + [f'%y = Sum({names("v", n)})'], '%y', table)


def outputs(n):
    """n results of the network."""
    return network('%x: f32[1,4]', [f'%v{i} = Mul(%x, {i + 1}.5)' for i in range(n)], names('v', n))


def lstm(n):
    """A chain of LSTMs of one step each that hand on their state."""
    body = ['%w = Reshape(Mul(Sin(Range(0.0, 32.0, 1.0)), 0.1), [1, 16, 2])', '%r = Reshape(Mul(Sin(Range(0.0, 64.0, 1.0)), 0.1), [1, 16, 4])']
    body += [f'%y{i}, %h{i}, %c{i} = LSTM(%x, %w, %r, _, _, ' + (f'%h{i - 1}, %c{i - 1})' if i else '%h, %c)') + ' {hidden_size = 4}' for i in range(n)]
    return network('%x: f32[1,1,2], %h: f32[1,1,4], %c: f32[1,1,4]', body, f'%y{n - 1}')


def skips(n):
    """Every node reads the last four."""
    return network('%x: f32[1,16]', [f'%v{i} = Sum(' + ', '.join(f'%v{j}' if j >= 0 else '%x' for j in range(i - 4, i)) + ')' for i in range(n)], f'%v{n - 1}')


def dense(n):
    """Blocks as DenseNet's: each product reads the Concat of all before it in its block of 16."""
    body, params = [], ''.join(f'param %w{i}: f32[{4 * (i + 1)},4] = splat(0.125)\n' for i in range(16))
    last = '%x'
    for i in range(0, n, 3):
        k = i // 3 % 16
        if not k:
            block = last
        body += [f'%m{i} = MatMul({block}, %w{k})', f'%a{i} = Relu(%m{i})', f'%c{i} = Concat({block}, %a{i}) {{axis = 1}}']
        block, last = f'%c{i}', f'%a{i}'
    return network('%x: f32[2,4]', body, last, params)


def transposes(n):
    return network('%x: f32[2,3,4]', chain(n, lambda v, i: f'Transpose(Relu({v})) {{perm = [{("1, 2, 0", "2, 1, 0", "0, 2, 1")[i % 3]}]}}'), f'%v{n - 1}')


def slices(n):
    """Slices of one value, added up in a chain."""
    body = ['%v0 = Slice(%x, [0], [4], [1])']
    for i in range(1, n // 2):
        body += [f'%s{i} = Slice(%x, [{i % 60}], [{i % 60 + 4}], [1])', f'%v{i} = Add(%v{i - 1}, %s{i})']
    return network('%x: f32[2,64]', body, f'%v{n // 2 - 1}')


def wheres(n):
    return network('%x: f32[2,16]', chain(n // 2, lambda v, i: f'Where(Less(%x, {i}.5), {v}, Mul(%x, {i % 7}.25))'), f'%v{n // 2 - 1}')


def convs(n):
    params = 'param %k: f32[4,4,3,3] = splat(0.03125)\n'
    return network('%x: f32[1,4,8,8]', chain(n // 2, lambda v, i: f'Relu(Conv({v}, %k) {{pads = [1, 1, 1, 1]}})'), f'%v{n // 2 - 1}', params)


def softmaxes(n):
    return network('%x: f32[4,8]', chain(n // 6, lambda v, i: f'Softmax({v})'), f'%v{n // 6 - 1}')


def relus(n):
    return network('%x: f32[1,4]', chain(n, lambda v, i: f'Relu({v})'), f'%v{n - 1}')


def adds(n):
    return network('%x: f32[1,4]', chain(n, lambda v, i: f'Add({v}, {i + 1}.5)'), f'%v{n - 1}')


def sums(n):
    """One Sum of n inputs."""
    return network('%x: f32[1,4]', [f'%y = Sum({", ".join(["%x"] * n)})'], '%y')


def means(n):
    return network('%x: f32[1,4]', [f'%y = Mean({", ".join(["%x"] * n)})'], '%y')


def maxes(n):
    """A Max of n inputs that differ."""
    return network('%x: f32[1,4]', [f'%v{i} = Mul(%x, {i + 1}.5)' for i in range(n)] + [f'%y = Max({names("v", n)})'], '%y')


def params(n):
    """n parameters, each read once."""
    values = ''.join(f'param %w{i}: f32[4] = [{i}, 1, 2, 3.5]\n' for i in range(n))
    return network('%x: f32[1,4]', chain(n, lambda v, i: f'Relu(Add({v}, %w{i}))'), f'%v{n - 1}', values)


def inputs(n):
    return network(', '.join(f'%x{i}: f32[4]' for i in range(n)), [f'%y = Concat({names("x", n)}) {{axis = 0}}'], '%y')


def splits(n):
    """A Split in n parts, each used."""
    body = [f'{names("p", n)} = Split(%x) {{axis = 0, num_outputs = {n}}}'] + [f'%v{i} = Relu(%p{i})' for i in range(n)]
    return network(f'%x: f32[{n},4]', body + [f'%y = Concat({names("v", n)}) {{axis = 0}}'], '%y')


def reshapes(n):
    return network('%x: f32[2,3,4]', chain(n, lambda v, i: f'Relu(Reshape({v}, [{("6, 4", "2, 12", "24", "2, 3, 4")[i % 4]}]))'), f'%v{n - 1}')


def wide(n):
    """n long lives of several sizes that overlap: what is made first is read last."""
    k = n // 2
    body = [f'%v{i} = Softmax(Slice(%x, [0], [{8 + i % 13 * 4}], [1]))' for i in range(k // 6)]
    k //= 6
    body += [f'%r{i} = ReduceSum(%v{k - 1 - i}, [1])' for i in range(k)]
    return network('%x: f32[2,64]', body + [f'%y = Concat({names("r", k)}) {{axis = 1}}'], '%y')


def branches(n):
    body = []
    for i in range(n // 3):
        v = f'%v{i - 1}' if i else '%x'
        body += [f'%v{i} = If(%c) {{then_branch = {{ %a{i} = Relu({v}) return %a{i} }}, else_branch = {{ %b{i} = Neg({v}) return %b{i} }}}}']
    return network('%x: f32[4], %c: bool[]', body, f'%v{n // 3 - 1}')


def trained(text):
    """The network with a parameter before its first node, and a line that trains it."""
    head, body = text.split(' {\n', 1)
    width = re.search(r'f32\[1,(\d+)\]', head)[1]
    return f'param %w: f32[{width},{width}] = splat(0.5)\n{head} {{\n  %h = MatMul(%x, %w)\n' + body.replace('%x', '%h') + 'train @grow {loss = MeanSquaredError}\n'


def trained_adds(n):
    return trained(adds(n))


def trained_skips(n):
    return trained(skips(n))


FAMILIES = {f.__name__: f for f in (concat, gathers, outputs, lstm, skips, dense, transposes, slices, wheres, convs, softmaxes, relus, adds, sums, means,
                                    maxes, params, inputs, splits, reshapes, wide, branches, trained_adds, trained_skips)}
FLOOR = 25.0  # ms


def options(family):
    return ['--train'] if family.startswith('trained') else []


def measure(nncc, folder, family, n, runs=1, extra=()):
    """{pass: ms}, with 'all' for the CPU time of the whole command: the least of the runs."""
    path = os.path.join(folder, f'{family}{n}.nn')
    with open(path, 'w') as f:
        f.write(FAMILIES[family](n))
    best = {}
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            done = subprocess.run([nncc, path, '-o', f'{folder}/out.c', '--time-passes', *options(family), *extra], capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            return None
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(f'{family} {n}: exit {done.returncode}\n{done.stderr[-600:]}')
        times = {m[0]: float(m[1]) for m in re.findall(r'^(\S+) +([\d.]+) ms$', done.stderr, re.M)}
        times['all'] = 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        times['rest'] = max(0, times['all'] - sum(t for k, t in times.items() if k != 'all'))
        for k, t in times.items():
            best[k] = min(best.get(k, t), t)
    return best


def grown(before, after):
    return after / max(before, FLOOR)


def table(nncc, folder, families, sizes):
    for family in families:
        last, worst = {}, 0
        for n in sizes:
            times = measure(nncc, folder, family, n, 3, ('--max-bytes=8G',))
            if times is None:
                print(f'{family:10} {n:6}  > 300 s', flush=True)
                break
            ratios = {k: grown(last[k], t) for k, t in times.items() if k in last}
            worst = max([worst, *ratios.values()])
            print(f'{family:10} {n:6}  ' + ' '.join(f'{k} {t:.0f}' + (f' (x{ratios[k]:.1f})' if k in ratios and t > FLOOR else '')
                                                  for k, t in times.items() if t >= 1), flush=True)
            last = times
        print(f'{family:10} worst x{worst:.1f}', flush=True)


def instructions(nncc, folder, family, n):
    """{pass: millions of instructions}, with 'all' for the whole command."""
    path = os.path.join(folder, f'{family}{n}.nn')
    with open(path, 'w') as f:
        f.write(FAMILIES[family](n))
    subprocess.run(['valgrind', '--tool=callgrind', f'--callgrind-out-file={folder}/counts', nncc, path, '-o', f'{folder}/out.c', '--max-bytes=8G',
                    *options(family)], capture_output=True, check=True)
    text = subprocess.run(['callgrind_annotate', '--inclusive=yes', '--threshold=100', f'{folder}/counts'], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r'^ *([\d,]+) .*:(?:pass_(\w+)|main) ', text, re.M)
    return {name or 'all': int(count.replace(',', '')) / 1e6 for count, name in rows}


def counts(nncc, folder, families, sizes):
    for family in families:
        last = {}
        for n in sizes:
            now = instructions(nncc, folder, family, n)
            print(f'{family:10} {n:6}  ' + ' '.join(f'{k} {c:.0f}' + (f' (x{c / last[k]:.2f})' if k in last else '') for k, c in now.items() if c >= 10), flush=True)
            last = now


def small_stack():
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))


def deep(nncc, folder, family, n):
    path = os.path.join(folder, 'deep.nn')
    with open(path, 'w') as f:
        f.write(FAMILIES[family](n))
    done = subprocess.run([nncc, path, '-o', f'{path}.{family}.c', '--max-bytes=4G', *options(family)], capture_output=True, text=True, preexec_fn=small_stack)
    return done.returncode == 0, f'{family} of {n}, a stack of 1 MB: exit status {done.returncode} {done.stderr[:200]}'


def slow(nncc, folder, family):
    small, large = (measure(nncc, folder, family, n, 2, ('--max-bytes=4G',)) for n in (1000, 4000))
    if small is None or large is None:
        return ['more than 300 s']
    return [f'{k}: {small[k]:.0f} ms at 1k, {t:.0f} ms at 4k' for k, t in large.items() if k in small and grown(small[k], t) > 8]


def check(nncc, folder):
    """What once was quadratic is not any more, and nothing recurses by the size of a network."""
    results = []
    for family in ('concat', 'gathers', 'outputs', 'lstm', 'skips', 'splits', 'maxes', 'trained_adds'):
        what = slow(nncc, folder, family)
        what = what and slow(nncc, folder, family)
        results.append((not what, f'{family}, 1k to 4k nodes {"; ".join(what)}'))
    for family, n in (('sums', 100000), ('means', 100000), ('relus', 100000), ('adds', 20000)):
        results.append(deep(nncc, folder, family, n))
    for ok, text in results:
        print('ok   ' if ok else 'FAIL ', text)
    failed = sum(not ok for ok, _ in results)
    print(f'{len(results) - failed} passed, {failed} failed')
    return 1 if failed else 0


def main():
    nncc, what, *rest = sys.argv[1:]
    rows = table
    if what == 'count':
        rows, what, *rest = counts, *rest
    with tempfile.TemporaryDirectory() as folder:
        if what == 'check':
            return check(nncc, folder)
        rows(nncc, folder, FAMILIES if what == 'all' else what.split(','), [int(s) for s in rest])
    return 0


if __name__ == '__main__':
    sys.exit(main())
