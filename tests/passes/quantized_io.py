#!/usr/bin/env python3
"""A network with --io=quantized against the same one without, to the bit: integers in, and the numbers that they stand for in.

usage: quantized_io.py MODEL [OPTION...]   (nncc is on the path)"""
import random
import re
import struct
import subprocess
import sys
import tempfile

LETTERS = {'uint8_t': 'B', 'int8_t': 'b', 'uint16_t': 'H', 'int16_t': 'h', 'int32_t': 'i', 'float': 'f'}
model, options = sys.argv[1], sys.argv[2:]


def nncc(*words):
    return subprocess.run(['nncc', *words, *options], check=True, capture_output=True, text=True).stdout


def ports(*words):
    """Fields of the header: (direction, name in the model, letter of struct, elements, scale, zero point)."""
    text = nncc(model, *words, '--prefix=p', '--emit=h')
    macro = {k: v.rstrip('f') for k, v in re.findall(r'^#define P_(\w+) (\S+)', text, re.M)}
    found = []
    for const, ctype, field, side, name in re.findall(r'^    (const )?(\w+) \*(\w+); /\* (in |out) .*, "(.*)" in the model \*/$', text, re.M):
        key = field.upper()
        scale, zero = macro.get(f'{key}_SCALE'), macro.get(f'{key}_ZERO_POINT')
        found.append((side.strip(), name, LETTERS[ctype], int(macro[f'{key}_LEN']), scale and f32(float(scale)), zero and int(zero)))
    return found


def f32(x):
    return struct.unpack('f', struct.pack('f', x))[0]


def meaning(numbers, scale, zero):
    return [f32((i - zero) * scale) for i in numbers]


def write(path, letter, numbers):
    with open(path, 'wb') as f:
        f.write(struct.pack(f'<{len(numbers)}{letter}', *numbers))


def read(path, letter, n):
    with open(path, 'rb') as f:
        return list(struct.unpack(f'<{n}{letter}', f.read()))


def main():
    integers, floats = ports('--io=quantized'), ports()
    faults = quantized = 0
    random.seed(1)
    with tempfile.TemporaryDirectory() as d:
        for way in ([], ['--interpret']):
            words = {'i': ['--io=quantized'], 'f': []}
            for at, (side, name, letter, n, scale, zero) in enumerate(integers):
                for w in words:
                    words[w].append(f'--{side}put={name}={d}/{w}{at}.raw')
                if side == 'out':
                    continue
                low, high = (0, 255) if letter == 'B' else (-128, 127)
                numbers = [random.randint(low, high) if scale else f32(random.gauss(0, 1)) for _ in range(n)]
                write(f'{d}/i{at}.raw', letter, numbers)
                write(f'{d}/f{at}.raw', floats[at][2], meaning(numbers, scale, zero) if scale else numbers)
            for w in words.values():
                nncc('run', model, *w, *way)
            for at, (side, name, letter, n, scale, zero) in enumerate(integers):
                if side == 'in':
                    continue
                got, want = read(f'{d}/i{at}.raw', letter, n), read(f'{d}/f{at}.raw', floats[at][2], n)
                quantized += bool(scale)
                faults += (meaning(got, scale, zero) if scale else got) != want
                if len(set(want)) == 1 < len(want):
                    print(f'{name}: the same everywhere')
                    faults += n > 1
    print(f'{quantized} quantized outputs, {faults} faults')
    return faults or not quantized


sys.exit(main())
