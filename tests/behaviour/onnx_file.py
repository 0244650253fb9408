"""Writes ONNX models and tensors with Python alone, so that these tests need no package and may use any opset."""
import math
import struct

# name: (TensorProto.DataType, struct's letter)
TYPES = {'f32': (1, 'f'), 'u8': (2, 'B'), 'i8': (3, 'b'), 'u16': (4, 'H'), 'i16': (5, 'h'), 'i32': (6, 'i'),
         'i64': (7, 'q'), 'bool': (9, '?'), 'f16': (10, 'e'), 'f64': (11, 'd'), 'u32': (12, 'I'), 'u64': (13, 'Q'),
         'bf16': (16, 'H'), 'i4': (22, 'B'), 'u4': (21, 'B')}


class Tensor:
    """Contents of a tensor. Bits: the elements are given as the integers they are stored as, in int32_data."""

    def __init__(self, dtype, shape, values, bits=False):
        self.dtype, self.shape, self.values, self.bits = dtype, list(shape), list(values), bits
        assert math.prod(self.shape) == len(self.values), (shape, values)

    def packed(self):
        if self.dtype in ('i4', 'u4'):
            v = [x & 15 for x in self.values] + [0]
            return bytes(v[i] | v[i + 1] << 4 for i in range(0, len(self.values), 2))
        if self.dtype == 'bf16':
            words = [struct.unpack('<I', struct.pack('<f', v))[0] >> 16 for v in self.values]
            return struct.pack(f'<{len(words)}H', *words)
        return struct.pack(f'<{len(self.values)}{TYPES[self.dtype][1]}', *self.values)


def varint(n):
    n &= (1 << 64) - 1
    out = b''
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, value):
    """A field: integers as varints, floats as 32 bits, everything else with its length."""
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack('<f', value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(t, name=''):
    out = b''.join(field(1, d) for d in t.shape) + field(2, TYPES[t.dtype][0])
    if t.bits:
        out += b''.join(field(5, v) for v in t.values)
    else:
        out += field(9, t.packed())
    return out + (field(8, name) if name else b'')


def attribute(name, value):
    out = field(1, name)
    if isinstance(value, Tensor):
        return out + field(5, tensor(value)) + field(20, 4)
    if isinstance(value, str):
        return out + field(4, value) + field(20, 3)
    if isinstance(value, float):
        return out + field(2, value) + field(20, 1)
    if isinstance(value, int):
        return out + field(3, value) + field(20, 2)
    number, kind = {str: (9, 8), float: (7, 6), int: (8, 7)}[type(value[0])]
    return out + b''.join(field(number, v) for v in value) + field(20, kind)


class Node:
    def __init__(self, op, inputs, outputs='y', domain='', **attributes):
        self.op, self.domain, self.attributes = op, domain, attributes
        self.inputs, self.outputs = (['' if n == '-' else n for n in s.split()] for s in (inputs, outputs))

    def message(self):
        out = b''.join(field(1, n) for n in self.inputs) + b''.join(field(2, n) for n in self.outputs)
        out += field(4, self.op) + b''.join(field(5, attribute(k, v)) for k, v in self.attributes.items())
        return out + (field(7, self.domain) if self.domain else b'')


def port(name, dtype, shape):
    dims = b''.join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in shape)
    return field(1, name) + field(2, field(1, field(1, TYPES[dtype][0]) + field(2, dims)))


def model(nodes, inputs, constants, outputs, opset, both=(), ir=8):
    """inputs, constants, outputs: names to tensors. both: constants that are declared as inputs too."""
    graph = b''.join(field(1, n.message()) for n in nodes) + field(2, 'g')
    graph += b''.join(field(5, tensor(t, name)) for name, t in constants.items())
    declared = {**inputs, **{name: constants[name] for name in both}}
    graph += b''.join(field(11, port(name, t.dtype, t.shape)) for name, t in declared.items())
    graph += b''.join(field(12, port(name, t.dtype, t.shape)) for name, t in outputs.items())
    imports = field(8, field(1, '') + field(2, opset))
    if any(n.domain for n in nodes):
        imports += field(8, field(1, 'com.microsoft') + field(2, 1))
    return field(1, ir) + field(7, graph) + imports
