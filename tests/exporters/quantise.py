"""quantise.py FOLDER - what ONNX Runtime's quantisers and its own optimiser write of the cells that PyTorch's exporters made."""
import os
import sys
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process
from cell import export, inputs_of

folder = sys.argv[1]
pictures = ["lenet", "resnet", "inverted_residual", "unet_transposed", "convnext", "autoencoder", "super_resolution", "dcgan_generator"]
matrices = ["mlp", "encoder", "gpt", "llama", "vit", "attention"]
recurrent = ["lstm", "gru_bidirectional", "lstm_states"]
levels = ort.GraphOptimizationLevel


class Reader(CalibrationDataReader):
    def __init__(self, cell):
        self.rows = iter([inputs_of(cell)])

    def get_next(self):
        return next(self.rows, None)


def static(fmt, a, w, **more):
    def write(source, path):
        ready = path + ".ready"
        quant_pre_process(os.path.join(source, "model.onnx"), ready, skip_symbolic_shape=True)
        quantize_static(ready, path, Reader(source), quant_format=fmt, activation_type=a, weight_type=w, **more)
        os.remove(ready)
    return write


def dynamic(w):
    return lambda source, path: quantize_dynamic(os.path.join(source, "model.onnx"), path, weight_type=w)


def few_bits(**more):
    def write(source, path):
        q = MatMulNBitsQuantizer(onnx.load(os.path.join(source, "model.onnx")), block_size=16, **more)
        q.process()
        onnx.save(q.model.model, path)
    return write


def optimised(level):
    def write(source, path):
        options = ort.SessionOptions()
        options.graph_optimization_level, options.optimized_model_filepath, options.log_severity_level = level, path, 4
        ort.InferenceSession(os.path.join(source, "model.onnx"), options, providers=["CPUExecutionProvider"])
    return write


T, QDQ, QOP = QuantType, QuantFormat.QDQ, QuantFormat.QOperator
ways = {
    "qdq_u8s8": (static(QDQ, T.QUInt8, T.QInt8), pictures + matrices),
    "qdq_s8s8_channels": (static(QDQ, T.QInt8, T.QInt8, per_channel=True), pictures),
    "qdq_u16s8": (static(QDQ, T.QUInt16, T.QInt8), pictures[:4] + matrices[:2]),
    "qdq_s4": (static(QDQ, T.QUInt8, T.QInt4), pictures[:4] + matrices[:2]),
    "qoperator_u8s8": (static(QOP, T.QUInt8, T.QInt8), pictures + matrices),
    "qoperator_s8s8_channels": (static(QOP, T.QInt8, T.QInt8, per_channel=True), pictures),
    "dynamic_u8": (dynamic(T.QUInt8), matrices + recurrent + pictures[:3]),
    "dynamic_s8": (dynamic(T.QInt8), matrices + recurrent),
    "matmul_4bits": (few_bits(), matrices),
    "matmul_4bits_symmetric": (few_bits(is_symmetric=True), matrices),
    "optimised_basic": (optimised(levels.ORT_ENABLE_BASIC), pictures[:4] + matrices + recurrent),
    "optimised_extended": (optimised(levels.ORT_ENABLE_EXTENDED), pictures[:4] + matrices + recurrent),
    "optimised_all": (optimised(levels.ORT_ENABLE_ALL), pictures + matrices + recurrent),
}
for way, (write, names) in ways.items():
    for name in names:
        source = os.path.join(folder, "torch_script", name)
        if not os.path.exists(os.path.join(source, "test_data_set_0")):
            continue
        export(folder, "ort_" + way, name, lambda path: write(source, path), inputs_of(source))
