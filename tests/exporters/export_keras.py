"""export_keras.py FOLDER - what model.export(format="onnx") of Keras writes with TensorFlow behind it (through tf2onnx)."""
import os
import sys

os.environ["KERAS_BACKEND"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "tensorflow", "3"
import numpy as np
import keras
from keras import layers as l
from cell import export

folder = sys.argv[1]
rng = np.random.default_rng(1)


def write_onnx(inputs, outputs, path):
    model = keras.Model(inputs, outputs)
    model(inputs)  # one that was never called is not exported
    model.export(path, format="onnx", verbose=False)


def chain(*layers):
    def net(x):
        for layer in layers:
            x = layer(x)
        return x
    return net


def residual(x):
    y = l.Conv2D(8, 3, padding="same", use_bias=False)(x)
    y = l.ReLU()(l.BatchNormalization()(y))
    y = l.BatchNormalization()(l.Conv2D(8, 3, padding="same")(y))
    return l.ReLU()(l.Add()([x, y]))


def squeeze(x):
    s = l.Dense(x.shape[-1], "hard_sigmoid")(l.Dense(2, "relu")(l.GlobalAveragePooling2D()(x)))
    return l.Multiply()([x, l.Reshape((1, 1, x.shape[-1]))(s)])


def unet(x):
    a = l.Conv2D(8, 3, padding="same", activation="relu")(x)
    b = l.Conv2D(16, 3, padding="same", activation="relu")(l.MaxPooling2D(2)(a))
    u = l.Concatenate()([a, l.UpSampling2D(interpolation="bilinear")(b)])
    return l.Conv2D(1, 1, activation="sigmoid")(l.Conv2DTranspose(4, 3, padding="same")(u))


def transformer(x):
    y = l.LayerNormalization()(x)
    x = l.Add()([x, l.MultiHeadAttention(4, 8)(y, y)])
    return l.Add()([x, chain(l.LayerNormalization(), l.Dense(32, "gelu"), l.Dense(16))(x)])


def wavenet(x):
    x = l.Conv1D(8, 2, padding="causal")(x)
    for d in (1, 2, 4):
        y = l.Multiply()([l.Conv1D(8, 2, dilation_rate=d, padding="causal", activation=a)(x) for a in ("tanh", "sigmoid")])
        x = l.Add()([x, l.Conv1D(8, 1)(y)])
    return l.Conv1D(4, 1, activation="softmax")(x)


picture, series = (16, 16, 3), (7, 5)
nets = {
    "mlp": (chain(l.Dense(16, "relu"), l.Dropout(0.5), l.Dense(4, "softmax")), (10,)),
    "lenet": (chain(l.Conv2D(6, 5, activation="relu"), l.MaxPooling2D(2), l.Conv2D(8, 3, activation="tanh"), l.AveragePooling2D(2), l.Flatten(),
                    l.Dense(10, "softmax")), picture),
    "resnet": (chain(l.Conv2D(8, 3, padding="same"), residual, residual, l.GlobalAveragePooling2D(), l.Dense(5)), picture),
    "mobilenet": (chain(l.Conv2D(8, 3, 2, padding="same"), l.DepthwiseConv2D(3, padding="same"), l.BatchNormalization(), l.ReLU(6.0), squeeze,
                        l.SeparableConv2D(6, 3, padding="same")), picture),
    "unet": (unet, picture),
    "autoencoder": (chain(l.Conv2D(4, 3, 2, padding="same", activation="elu"), l.Conv2DTranspose(3, 3, 2, padding="same")), picture),
    "conv1d": (chain(l.Conv1D(8, 3, activation="relu"), l.MaxPooling1D(2), l.SpatialDropout1D(0.2), l.GlobalMaxPooling1D(), l.Dense(3)), (12, 5)),
    "conv3d": (chain(l.Conv3D(4, 3, padding="same"), l.MaxPooling3D(2), l.GlobalAveragePooling3D()), (4, 8, 8, 1)),
    "wavenet": (wavenet, (16, 3)),
    "simple_rnn": (chain(l.SimpleRNN(6), l.Dense(2)), series),
    "gru": (chain(l.GRU(6, return_sequences=True), l.Dense(2)), series),
    "gru_before": (chain(l.GRU(6, reset_after=False), l.Dense(2)), series),
    "lstm": (chain(l.LSTM(6, return_sequences=True), l.LSTM(4), l.Dense(2)), series),
    "lstm_bidirectional": (chain(l.Bidirectional(l.LSTM(6)), l.Dense(2)), series),
    "lstm_masked": (chain(l.Masking(), l.LSTM(6), l.Dense(2)), series),
    "conv_lstm": (chain(l.ConvLSTM2D(4, 3, padding="same"), l.Flatten()), (3, 6, 6, 2)),
    "time_distributed": (chain(l.TimeDistributed(l.Conv2D(2, 3)), l.Reshape((3, -1)), l.LSTM(4)), (3, 6, 6, 2)),
    "norms": (chain(l.LayerNormalization(), l.GroupNormalization(1), l.UnitNormalization(), l.RMSNormalization()), (6, 8)),
    "activations": (lambda x: l.Concatenate()([l.Activation(a)(x) for a in (
        "elu", "selu", "gelu", "silu", "softplus", "softsign", "mish", "leaky_relu", "relu6", "exponential", "hard_silu", "log_softmax",
        "tanh_shrink", "celu", "glu", "sparse_plus", "squareplus")]), (10,)),
    "attention": (transformer, (6, 16)),
    "grouped_queries": (lambda x: l.GroupQueryAttention(8, 4, 2)(x, x), (6, 16)),
    "padding": (chain(l.ZeroPadding2D(1), l.Cropping2D(((1, 0), (0, 2))), l.Permute((2, 1, 3)), l.UpSampling2D(2)), picture),
    "resizing": (chain(l.Rescaling(1 / 255.0, -1), l.Resizing(9, 12), l.CenterCrop(6, 6)), picture),
    "prelu": (chain(l.Conv2D(4, 3), l.PReLU(shared_axes=[1, 2]), l.LeakyReLU(0.2), l.ReLU(threshold=0.3)),
              picture),
    "merges": (lambda x: l.Concatenate()([l.Average()([x, x * 2]), l.Maximum()([x, 1 - x]), l.Dot(-1)([x, x]), l.Subtract()([x, x * x])]), (8,)),
    "einsum": (chain(l.EinsumDense("abc,cd->abd", (6, 4), bias_axes="d"), l.Flatten()), (6, 8)),
    "repeated": (chain(l.RepeatVector(4), l.LSTM(5, return_sequences=True), l.TimeDistributed(l.Dense(2))), (5,)),
    "operations": (lambda x: keras.ops.cumsum(keras.ops.sort(keras.ops.where(x > 0, x, -x)), -1), (8,)),
}
for name, (net, shape) in nets.items():
    keras.utils.set_random_seed(1)

    def write(path):
        x = keras.Input(shape)
        write_onnx(x, net(x), path)

    export(folder, "keras", name, write, [rng.normal(size=(2, *shape)).astype(np.float32)])


def many(path):
    a, b = keras.Input((4,)), keras.Input((5,))
    y = l.Dense(6, "relu")(l.Concatenate()([a, b]))
    write_onnx([a, b], [l.Dense(2)(y), l.Dense(1, "sigmoid")(y)], path)


def text(path):
    t = keras.Input((9,), dtype="int32")
    y = l.Embedding(30, 8, mask_zero=True)(t)
    write_onnx(t, l.Dense(4, "softmax")(l.GRU(6)(y)), path)


export(folder, "keras", "many", many, [rng.normal(size=(2, n)).astype(np.float32) for n in (4, 5)])
export(folder, "keras", "text", text, [rng.integers(1, 30, (2, 9)).astype(np.int32)])
