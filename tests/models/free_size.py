#!/usr/bin/env python3
"""A detector that its exporter fixed to one size, without that size: free_size.py yunet_320.onnx OUT.onnx. Height and width
become the dims h and w, and what is resized to sizes that were computed for one picture is resized by 2."""
import sys
import numpy as np
import onnx
from onnx import numpy_helper

model = onnx.load(sys.argv[1])
graph = model.graph
for axis, name in (2, 'h'), (3, 'w'):
    graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
del graph.value_info[:]
for i, output in enumerate(graph.output):
    output.type.tensor_type.shape.dim[1].dim_param = 'places'
graph.initializer.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), 'twice'))
for node in graph.node:
    if node.op_type == 'Resize':
        node.input[:] = [node.input[0], '', 'twice']
onnx.save(model, sys.argv[2])
