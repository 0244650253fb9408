"""Runs the cases in ONNX Runtime, onnx.reference and OpenVINO, those that this Python has, and compares with what cases.py says of
each. Their results may depend on the version and on the processor: what is recorded is of the versions and machine in docs/behaviour.md."""
import logging
import warnings

import cases
import onnx_file


def arrays(np, tensors):
    dtypes = {'f32': 'float32', 'f16': 'float16', 'f64': 'float64', 'i64': 'int64', 'i32': 'int32', 'u8': 'uint8', 'i8': 'int8', 'bool': 'bool'}
    return {name: np.array(t.values, dtype=dtypes[t.dtype]).reshape(t.shape) for name, t in tensors.items()}


def ort_session():
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4

    def run(model, outputs, inputs):
        return onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider']).run(outputs, inputs)
    return 'ONNX Runtime ' + onnxruntime.__version__, run


def reference_evaluator():
    import onnx
    import onnx.reference

    def run(model, outputs, inputs):
        return onnx.reference.ReferenceEvaluator(onnx.load_from_string(model)).run(outputs, inputs)
    return 'onnx.reference ' + onnx.__version__, run


def openvino_core():
    import io
    import openvino
    core = openvino.Core()

    def run(model, outputs, inputs):
        compiled = core.compile_model(core.read_model(io.BytesIO(model)), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
        results = compiled(inputs)
        return [results[i] for i in range(len(outputs))]
    return 'OpenVINO ' + openvino.__version__, run


def agree(np, got, want):
    if got.shape != want.shape:
        return False
    if want.dtype.kind != 'f':
        return bool((got == want).all())
    tolerance = 2e-3 if want.dtype == np.float16 else 1e-5
    return bool(np.allclose(got.astype(float), want.astype(float), rtol=tolerance, atol=1e-6, equal_nan=True))


def fault_of(np, run, who, c):
    """What does not hold; '' if all does."""
    recorded = c.others.get(who, c.want)
    if recorded == cases.UNSTEADY:
        return ''
    model = onnx_file.model(c.nodes, c.inputs, c.constants, c.want, c.opset, c.both)
    try:
        got = run(model, list(c.want), arrays(np, c.inputs))
    except Exception as e:
        return '' if recorded == cases.REFUSES else f'refuses: {str(e)[:200]}'
    if recorded == cases.REFUSES:
        return f'gives {got}, where it is recorded to refuse'
    want = list(arrays(np, recorded if isinstance(recorded, dict) else {'y': recorded}).values())
    return '' if all(agree(np, np.asarray(g), w) for g, w in zip(got, want)) else f'gives {got}, recorded is {want}'


def main(words):
    import numpy as np
    logging.disable(logging.CRITICAL)
    warnings.simplefilter('ignore')
    passed = failed = 0
    for who, make in ('ort', ort_session), ('ref', reference_evaluator), ('ov', openvino_core):
        try:
            name, run = make()
        except ImportError:
            continue
        for c in cases.made:
            if words and not any(w in c.name for w in words):
                continue
            fault = fault_of(np, run, who, c)
            passed, failed = passed + (not fault), failed + bool(fault)
            if fault:
                print(f'FAIL  {c.name}: {name} {fault}'.replace('\n', ' '))
    print(f'{passed} passed, {failed} failed')
    return failed > 0
