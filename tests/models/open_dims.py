#!/usr/bin/env python3
"""Networks whose extents a call gives, beside builds for those extents alone: open_dims.py NNCC [--all] [--time]
[--asan] [NAME|FILE.onnx:dim=LO..HI[:STEP]:...[:~OUTPUT,...]].

For each network of open_dims/ one function is built for all extents, and one for each of some sizes (20 with --all, else
3: the least, the greatest and others). Both get the same inputs, packed at the extents of the call. They have to give the
same bytes; outputs that sum over an extent of the call (SUMS; of a file those behind ~) may differ by 1e-6 of the largest element. The arena must not be
larger than that of the build for the greatest extents. --time compares the times of both at each size: the least time of the
processor over many turns, one after the other, each of as many calls as take 20 us, so that what else the machine does
shows little. --asan builds the open one with sanitizers and every buffer poisoned outside its life."""
import os, random, re, subprocess, sys, tempfile

here = os.path.dirname(os.path.abspath(__file__))
args = sys.argv[1:]
flags = {a for a in args if a.startswith('--')}
nncc, *names = [a for a in args if not a.startswith('--')]
nncc = os.path.abspath(nncc)
SIZES = 20 if '--all' in flags else 3
SUMS = {'attention': {'y'}, 'cnn': {'y'}, 'convnext': {'logits'}, 'heads': {'a_2', 'a', 'c'}, 'transformer': {'y'}}
# Sums of products outside of tiles: where multiply-add is one instruction, gcc makes an ordered sum of vectors of one such loop and
# contracts another, and which it does depends on the extents that it knows. To the bit with -DNNCC_ISA=sse2.
CONTRACTED = {'attention': {'scores'}, 'resize': {'d'}, 'yunet': {'conf', 'iou', 'loc'}}
# What tests the order of sums alone is built without multiply-add.
ORDER = {'products'}
# Where a height or width is open, convolutions of 3x3 are direct; a build for one size may take Winograd, unless it is told not to.
DIRECT = {'unet', 'yunet'}
CC = os.environ.get('CC', 'cc')
TARGET = os.environ.get('NNCC_TARGET', 'auto')
CFLAGS = os.environ.get('NNCC_CFLAGS', '').split()

MAIN = r'''
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
static uint64_t seed = 1;
static double next(void) { seed = seed * 6364136223846793005u + 1442695040888963407u; return (double)(seed >> 40) / 16777216.0; }
static void fill_float(void *p, long n) { float *x = p; for (long i = 0; i < n; i++) x[i] = (float)(2 * next() - 1); }
static void fill_int64_t(void *p, long n) { int64_t *x = p; for (long i = 0; i < n; i++) x[i] = (int64_t)(next() * 5); }
static double now(void) { struct timespec t; clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); return t.tv_sec * 1e6 + t.tv_nsec * 1e-3; }
static double apart_float(const void *a, const void *b, long n) {
    const float *x = a, *y = b; double most = 1e-30, d = 0;
    for (long i = 0; i < n; i++) {
        if (!(fabs(x[i]) <= most)) most = fabs(x[i]);
        if (memcmp(x + i, y + i, 4) && !(fabs(x[i] - y[i]) <= d)) d = fabs(x[i] - y[i]);
    }
    return d / most;
}
static double apart_int64_t(const void *a, const void *b, long n) { return memcmp(a, b, n * 8) != 0; }
static void *room(long n) { void *p = malloc(n ? n : 1); memset(p, 0x7f, n); return p; }
static void *block(long n) { void *p; if (posix_memalign(&p, 64, n ? n : 64)) abort(); memset(p, 0x7f, n); return p; }
'''


def run(*cmd, **kw):
    r = subprocess.run([str(c) for c in cmd], capture_output=True, text=True, **kw)
    if r.returncode:
        sys.exit('%s\n%s%s' % (' '.join(map(str, cmd)), r.stdout[-3000:], r.stderr[-3000:]))
    return r.stdout


def dims_of(text):
    return [(m[1], int(m[2]), int(m[3]), int(m[4] or 1)) for m in
            re.finditer(r'^dim (\w+) = (\d+)\.\.(\d+)(?::(\d+))?', text, re.M)]


def sizes(dims, count, rng):
    """The least and the greatest extents, then others."""
    yield tuple(d[1] for d in dims)
    yield tuple(d[2] for d in dims)
    seen = {tuple(d[1] for d in dims), tuple(d[2] for d in dims)}
    total = 1
    for d in dims:
        total *= (d[2] - d[1]) // d[3] + 1
    while len(seen) < min(count, total):
        s = tuple(rng.randrange(d[1], d[2] + 1, d[3]) for d in dims)
        if s not in seen:
            seen.add(s)
            yield s


def ports(header):
    struct = header[header.index('typedef struct {\n'):]
    struct = struct[:struct.index('} ')]
    ins = re.findall(r'^    const (\w+) \*(\w+);', struct, re.M)
    outs = [p for p in re.findall(r'^    (\w+) \*(\w+);', struct, re.M) if p[0] != 'void']
    return [p for p in ins if p[0] != 'void'], outs


def macro(header, name):
    m = re.search(r'^#define %s (\d+)' % name, header, re.M)
    return int(m[1]) if m else 0


def build(dir, model, prefix, options, cflags):
    flags = [f for f in CFLAGS if not f.startswith('-DNNCC_ISA=')] + ['-DNNCC_ISA=plain'] if os.path.basename(model)[:-3] in ORDER else CFLAGS
    run(nncc, model, '--prefix', prefix, '--target=' + TARGET, '--weights=embed', '-o', prefix + '.c', *options, cwd=dir)
    run(CC, '-O2', '-std=gnu11', *flags, '-c', prefix + '.c', *cflags, cwd=dir)
    return open(os.path.join(dir, prefix + '.h')).read()


def call(prefix, header, ins, outs, dims, size, at):
    up = prefix.upper()
    arena = macro(header, up + '_ARENA_BYTES')
    s = ''.join('.%s = in[%d], ' % (n, i) for i, (t, n) in enumerate(ins))
    s += ''.join('.%s = %s[%d], ' % (n, at, i) for i, (t, n) in enumerate(outs))
    s += ''.join('.%s = %d, ' % (d[0], v) for d, v in zip(dims, size)) if prefix == 'o' else ''
    return s + ('.arena = arena' if arena else '')


def test(name):
    model, *given = name.split('.onnx:')
    if given: # of a file
        name, model = os.path.basename(model), os.path.abspath(model) + '.onnx'
        dims = dims_of(re.sub(r'(\w+)=', r'\ndim \1 = ', given[0]))
    else:
        model = os.path.join(here, 'open_dims', name + '.nn')
        dims = dims_of(open(model).read())
    ranges = ['--dim=%s=%d..%d:%d' % d for d in dims if given]
    sums = SUMS.get(name, set()) | set(''.join(given).partition(':~')[2].split(',')) - {''}
    rng = random.Random(name)
    asan = '--asan' in flags
    with tempfile.TemporaryDirectory() as dir:
        extra = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'] if asan else []
        oh = build(dir, model, 'o', ranges + (['--poison'] if asan else []), extra)
        ins, outs = ports(oh)
        body, heads, objects, arena = [], ['#include "o.h"'], ['o.o'], 0
        for k, size in enumerate(sizes(dims, SIZES, rng)):
            p = 's%d' % k
            static = ['--dim=%s=%d' % (d[0], v) for d, v in zip(dims, size)] + (['--no-winograd'] if name in DIRECT else [])
            sh = build(dir, model, p, static, [])
            heads.append('#include "%s.h"' % p)
            objects.append(p + '.o')
            if k == 1:
                arena = macro(sh, 'S1_ARENA_BYTES')
            length = lambda p, h, n: macro(h, '%s_%s_LEN' % (p.upper(), n.upper()))
            lengths = [length(p, sh, n) for t, n in ins + outs]
            names = [n for t, n in outs] # one whose size the data tells has all of its room in every call
            rooms = [length('o', oh, n) if n + '_extent' in names else length(p, sh, n) for n in names]
            b = 'static void case%d(int timed) {\n    void *in[9], *a[32], *b[32]; double ta = 1e30, tb = 1e30;\n    printf("%s");\n' % (
                k, 'x'.join(map(str, size)))
            for i, (t, n) in enumerate(ins):
                b += '    in[%d] = room(%dL * sizeof(%s)); fill_%s(in[%d], %d);\n' % (i, lengths[i], t, t, i, lengths[i])
            for i, (t, n) in enumerate(outs):
                for side, most in (('a', lengths[len(ins) + i]), ('b', rooms[i])):
                    b += '    %s[%d] = room(%dL * sizeof(%s));\n' % (side, i, most, t)
            b += '    { void *arena = block(O_ARENA_BYTES); (void)arena; o_net o = {%s};\n' % call('o', oh, ins, outs, dims, size, 'b')
            b += '    void *other = arena; { void *arena = block(%s_ARENA_BYTES); (void)arena; (void)other; %s_net s = {%s};\n' % (
                p.upper(), p, call(p, sh, ins, outs, dims, size, 'a'))
            b += '    int e = o_run(&o) * 100 + %s_run(&s); if (e) printf(" error%%d=9", e);\n' % p
            b += '''    int calls = 1;
    for (double t = 0; timed && t < 20 && calls < 4096; calls *= 2) {
        t = now(); for (int i = 0; i < calls; i++) o_run(&o);
        t = now() - t; }
    for (int r = 0; timed && r < 1000 && (r < 12 || r * (ta + tb) * calls < 3e5); r++) {
        double t0 = now(); for (int i = 0; i < calls; i++) o_run(&o);
        double t1 = now(); for (int i = 0; i < calls; i++) %s_run(&s);
        double t2 = now();
        if ((t1 - t0) / calls < tb) tb = (t1 - t0) / calls;
        if ((t2 - t1) / calls < ta) ta = (t2 - t1) / calls; }
''' % p
            for i, (t, n) in enumerate(outs):
                b += '    printf(" %s=%%g", apart_%s(a[%d], b[%d], %d));\n' % (n, t, i, i, lengths[len(ins) + i])
            b += '    free(arena); } free(other); }\n'
            b += ''.join('    free(in[%d]);\n' % i for i in range(len(ins)))
            b += ''.join('    free(a[%d]), free(b[%d]);\n' % (i, i) for i in range(len(outs)))
            b += '    printf(" %g %g\\n", ta, tb);\n}\n'
            body.append(b)
        beyond = ''
        for i, d in enumerate(dims):
            for v in (d[1] - 1, d[2] + 1) + ((d[1] + 1,) if d[3] > 1 else ()):
                s = [e[2] for e in dims]
                s[i] = v
                beyond += '    { void *arena = block(O_ARENA_BYTES), *in[9] = {0}, *b[32] = {0}; char one; (void)arena;\n' \
                          '      for (int i = 0; i < 9; i++) in[i] = &one; for (int i = 0; i < 32; i++) b[i] = &one;\n' \
                          '      o_net o = {%s};\n      if (o_run(&o) != O_E_DIM) printf("beyond error=9 0 0\\n"); free(arena); }\n' % call(
                              'o', oh, ins, outs, dims, s, 'b')
        with open(os.path.join(dir, 'main.c'), 'w') as f:
            f.write(MAIN + '\n'.join(heads) + '\n' + ''.join(body) + 'int main(int n, char **v) { (void)v;\n' + ''.join(
                '    case%d(n > 1);\n' % k for k in range(len(body))) + beyond + '    return 0;\n}\n')
        run(CC, '-O1', '-w', 'main.c', *objects, '-o', 'main', '-lm', *extra, cwd=dir)
        timed = ['time'] if '--time' in flags else []
        lines = [l.split() for l in run('./main', *timed, cwd=dir).splitlines()]
    apart = [(l[0], *f.split('=')) for l in lines for f in l[1:-2]]
    loose = sums | (set() if '-DNNCC_ISA=sse2' in CFLAGS else CONTRACTED.get(name, set()))
    bad = ['%s (%s, %s)' % a for a in apart if not float(a[2]) <= (1e-6 if a[1] in loose else 0)]
    mine = macro(oh, 'O_ARENA_BYTES')
    s = '%-12s %2d sizes, ' % (name, len(body))
    s += '%s within %.1e' % (' '.join(sorted(loose)), max(float(a[2]) for a in apart)) if loose else 'to the bit'
    s += '; arena %d of %d' % (mine, arena)
    if timed:
        ratios = sorted((float(l[-1]) / float(l[-2]), l[0]) for l in lines if float(l[-2]) > 0)
        s += '; time %.2f to %.2f (%s), median %.2f' % (ratios[0][0], ratios[-1][0], ratios[-1][1], ratios[len(ratios) // 2][0])
    fine = not bad and mine <= arena
    print('%s %s%s' % ('ok  ' if fine else 'FAIL', s, ' bad at ' + ' '.join(bad[:6]) if bad else ''), flush=True)
    return fine


every = sorted(f[:-3] for f in os.listdir(os.path.join(here, 'open_dims')) if f.endswith('.nn'))
# A file, which open_dims.sh --all adds, is tested beside the texts.
files = [n for n in names if '.onnx:' in n]
results = [test(n) for n in ([n for n in names if n not in files] or every) + files]
print('%d passed, %d failed' % (sum(results), len(results) - sum(results)))
sys.exit(not all(results))
