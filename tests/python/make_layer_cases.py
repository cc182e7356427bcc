"""Makes the cases of tests/interop/keras_layers.rs: small models, one for each layer or setting, written by real Keras.

    make_layer_cases.py FOLDER tf_keras|keras3

For each case FOLDER holds <keras>_<name>.h5, and one <keras>.npz holds its input `<name>/x` and output `<name>/y`.
"""
import os
import sys

import numpy as np

folder, which = sys.argv[1], sys.argv[2]
if which == "tf_keras":
    import tensorflow as tf
    import tf_keras as keras
else:
    import keras
    from keras import ops
two = which == "tf_keras"
L = keras.layers
os.makedirs(folder, exist_ok=True)
random = np.random.RandomState(7)
arrays = {}


def case(name, build, shape=(6, 5, 4), model=None):
    if model is None:
        inputs = keras.Input(shape)
        model = keras.Model(inputs, build(inputs))
    values = []
    for weight in model.weights:
        size = tuple(weight.shape)
        last = (weight.name if two else weight.path).split("/")[-1]
        positive = last.startswith(("moving_variance", "gamma"))
        value = random.uniform(0.5, 1.5, size) if positive else random.normal(0, 0.4, size)
        values.append(value.astype("float32"))
    model.set_weights(values)
    x = random.normal(0, 2, (3, *shape)).astype("float32")
    y = np.asarray(model(x, training=False))
    assert np.isfinite(y).all(), name
    model.save(os.path.join(folder, f"{which}_{name}.h5"))
    arrays[f"{name}/x"], arrays[f"{name}/y"] = x, y


def chain(*layers):
    def build(x):
        for layer in layers:
            x = layer(x)
        return x

    return build


regularizers = keras.regularizers
# Convolutions.
case("conv_groups", chain(L.Conv2D(6, 3, strides=2, groups=2, padding="same", activation="elu")))
case("conv_dilation", chain(L.Conv2D(3, (3, 2), dilation_rate=(2, 1), use_bias=False)))
case("depthwise", chain(L.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same", activation="relu")))
case("depthwise_dilation", chain(L.DepthwiseConv2D(2, dilation_rate=2, use_bias=False)))
case("separable", chain(L.SeparableConv2D(5, 3, depth_multiplier=2, padding="same", activation="swish")))
case("separable_dilation", chain(L.SeparableConv2D(5, 2, dilation_rate=2, use_bias=False)))
# Dense, also on maps and sequences.
case("dense_map", chain(L.Dense(3, activation="softmax")))
case("dense_sequence", chain(L.Dense(3), L.BatchNormalization(), L.PReLU()), (7, 4))
# Normalisations.
case("batch_norm_bare", chain(L.BatchNormalization(scale=False, center=False, epsilon=2e-5)))
case("batch_norm_half", chain(L.BatchNormalization(scale=False), L.BatchNormalization(center=False, axis=3)))
case("batch_norm_vector", chain(L.BatchNormalization(epsilon=1.001e-5)), (9,))
case("layer_norm", chain(L.LayerNormalization(epsilon=1e-6), L.LayerNormalization(center=False, axis=[3]), L.LayerNormalization(scale=False)))
case("unit_norm", chain(L.UnitNormalization()))
case("normalization", chain(L.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=[0.5, 1.0, 2.0, 3.0])))
# Rectifiers and activations.
case("prelu", chain(L.PReLU(shared_axes=[1, 2]), L.PReLU(shared_axes=[2]), L.PReLU()))
case("relu", chain(L.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.25)))
case("relu_slope", chain(L.ReLU(negative_slope=0.1)))
case("relu6", chain(L.ReLU(6.0)))
case("leaky", chain(L.LeakyReLU(0.2), L.ELU(0.7), L.Softmax()))
names = ["relu", "sigmoid", "hard_sigmoid", "swish", "softmax", "tanh", "gelu", "linear", "elu", "selu", "softplus", "softsign", "exponential", "mish"]
names += ["relu6"] if two else ["relu6", "silu", "hard_silu", "hard_swish", "leaky_relu"]
case("activations", lambda x: L.Concatenate()([L.Activation(name, name=name)(x) for name in names]), (5, 3, 2))
case("fused_hard_sigmoid", chain(L.Conv2D(3, 1, activation="hard_sigmoid")))
case("activation_object", chain(L.Activation(L.ReLU(6.0)), L.Dense(3, activation=L.LeakyReLU(0.3))))
# Combinations.
gate = lambda x: L.GlobalAveragePooling2D(keepdims=True)(x)
case("add", lambda x: L.Add()([x, L.Dense(4)(x), gate(x)]))
case("multiply", lambda x: L.Multiply()([gate(x), x]))
case("subtract", lambda x: L.Subtract()([x, gate(x)]))
case("average", lambda x: L.Average()([x, L.Dense(4)(x), x]))
case("maximum", lambda x: L.Minimum()([L.Maximum()([x, gate(x)]), L.Dense(4)(x)]))
case("concatenate", lambda x: L.Concatenate(axis=1)([L.Concatenate(axis=3)([x, x]), L.Concatenate()([x, L.ReLU()(x)])]))
case("concatenate_axis_2", lambda x: L.Concatenate(axis=-2)([x, x]))
# Shapes.
case("flatten", chain(L.MaxPooling2D(), L.Flatten()))
case("shuffle", chain(L.Reshape((6, 5, 2, 2)), L.Permute((1, 2, 4, 3)), L.Reshape((6, 5, 4))))
case("permute", chain(L.Permute((3, 1, 2)), L.Conv2D(2, 2)))
case("reshape", chain(L.Reshape((-1, 4)), L.Permute((2, 1)), L.Dense(2)))
case("padding", chain(L.ZeroPadding2D(((1, 0), (2, 3))), L.Cropping2D(((2, 1), (0, 1))), L.ZeroPadding2D((1, 2)), L.Cropping2D(1)))
case("upsampling", chain(L.UpSampling2D((2, 3)), L.UpSampling2D(2, interpolation="bilinear")))
# Pooling.
case("pool_max", chain(L.MaxPooling2D(3, strides=2, padding="same"), L.MaxPooling2D((2, 1))))
case("pool_average", chain(L.AveragePooling2D(3, strides=2, padding="same"), L.AveragePooling2D((1, 2))))
case("pool_global", lambda x: L.Concatenate()([L.GlobalMaxPooling2D()(x), L.GlobalAveragePooling2D()(x)]))
case("pool_global_max", chain(L.GlobalMaxPooling2D(keepdims=True)))
# What only trains, and scaling.
case("dropouts", chain(L.Dropout(0.3), L.SpatialDropout2D(0.2), L.GaussianNoise(0.1), L.GaussianDropout(0.2), L.AlphaDropout(0.1)))
case("rescaling", chain(L.Rescaling(1 / 127.5, -1.0), L.Rescaling([1.0, 2.0, 3.0, 4.0], [0.5, 0.25, 0.0, -1.0])))
# Regularisers.
def regularized(x):
    x = L.Conv2D(3, 1, kernel_regularizer=regularizers.L2(5e-4), bias_regularizer=regularizers.L1(1e-3))(x)
    x = L.DepthwiseConv2D(2, depthwise_regularizer="l2")(x)
    x = L.SeparableConv2D(3, 1, depthwise_regularizer="l1", pointwise_regularizer=regularizers.L1L2(1e-3, 2e-3))(x)
    x = L.BatchNormalization(gamma_regularizer="l2", beta_regularizer="l1")(x)
    return L.PReLU(alpha_regularizer=regularizers.L2(1e-4))(x)


inputs = keras.Input((6, 5, 4))
model = keras.Model(inputs, regularized(inputs))
case("regularizers", None, model=model)
arrays["regularizers/loss"] = np.float32(sum(float(loss) for loss in model.losses))
# Layers used more than once, models inside models.
def shared(x):
    dense, norm, act = L.Dense(4, name="twice"), L.BatchNormalization(), L.ReLU()
    return L.Add()([act(norm(dense(x))), act(norm(dense(dense(x))))])


def inner(name, stem="", frozen=False):
    inputs = keras.Input((6, 5, 4))
    x = L.Conv2D(4, 1, name=stem + "conv")(inputs)
    x = L.BatchNormalization(name=stem + "bn")(x)
    if frozen:
        layer = L.BatchNormalization(name="still")
        x = layer(x)
        layer.trainable = False
    return keras.Model(inputs, L.PReLU(name=stem + "act")(x), name=name)


def nested(x):
    first, second = inner("first", "a_", frozen=True), inner("second", "b_")
    inputs = keras.Input((6, 5, 4))
    deep = keras.Model(inputs, second(L.Conv2D(4, 1, name="conv")(first(inputs))), name="deep")
    tail = keras.Sequential([L.Conv2D(4, 1, name="conv"), L.BatchNormalization(name="bn"), L.ReLU()], name="tail")
    third = inner("third")
    third.trainable = False
    return L.Add()([deep(x), tail(x), third(third(x))])


def several(x):
    a, b = keras.Input((6, 5, 4)), keras.Input((6, 5, 4))
    pair = keras.Model([a, b], [L.Subtract()([a, b]), L.Dense(4)(b)], name="pair")
    left, right = pair([x, L.ReLU()(x)])
    return L.Multiply()([right, left])


case("shared", shared)
case("nested", nested)
case("nested_several", several)
if two:
    layers = [L.Conv2D(3, 2, input_shape=(6, 5, 4), name="first"), L.BatchNormalization(), L.Flatten(), L.Dense(5)]
else:
    layers = [L.Input((6, 5, 4)), L.Conv2D(3, 2), L.BatchNormalization(), L.Flatten(), L.Dense(5)]
case("sequential", None, model=keras.Sequential(layers))
# Arithmetic recorded as layers.
if two:
    case("op_gate", lambda x: x * tf.nn.relu6(tf.reduce_mean(x, [1, 2], keepdims=True) + 3.0) * (1 / 6.0))
    case("op_affine", lambda x: (2.0 - x) / 3.0 + tf.constant([1.0, 2.0, 3.0, 4.0]) - 0.5 * x)
    case("op_binary", lambda x: tf.maximum(tf.add(x, L.Dense(4)(x)), tf.minimum(x, 0.5)) - tf.maximum(-x, 0.25))
    case("op_shapes", lambda x: tf.concat([tf.reshape(x, [-1, 5, 6, 4]), tf.transpose(x, [0, 2, 1, 3])], axis=-1))
    case("op_functions", lambda x: tf.nn.silu(tf.nn.sigmoid(tf.tanh(tf.identity(x)))) + tf.nn.relu(x) + tf.nn.leaky_relu(x) + tf.nn.elu(x))
    case("op_gelu", lambda x: keras.activations.gelu(x, approximate=True) + keras.activations.hard_sigmoid(x))
    case("op_reduce", lambda x: tf.squeeze(tf.reduce_max(x, axis=[-3, -2], keepdims=True), [1, 2]) + tf.reduce_sum(tf.square(x), axis=[1, 2]))
    case("op_normalize", lambda x: tf.math.l2_normalize(tf.clip_by_value(tf.cast(x, tf.float32), -1.0, 2.0), axis=-1))
    case("op_pad", lambda x: tf.pad(x, [[0, 0], [1, 0], [0, 2], [0, 0]]))
    case("op_softmax", lambda x: tf.nn.softmax(tf.reduce_mean(tf.reshape(x, [-1, 30, 4]), axis=1)))
else:
    case("op_gate", lambda x: x * ops.relu6(ops.mean(x, [1, 2], keepdims=True) + 3.0) * (1 / 6.0))
    case("op_affine", lambda x: (2.0 - x) / 3.0 + np.array([1.0, 2.0, 3.0, 4.0], "float32") - 0.5 * x)
    case("op_binary", lambda x: ops.maximum(ops.add(x, L.Dense(4)(x)), ops.minimum(x, 0.5)) - ops.maximum(-x, 0.25))
    case("op_shapes", lambda x: ops.concatenate([ops.reshape(x, [-1, 5, 6, 4]), ops.transpose(x, [0, 2, 1, 3])], axis=-1))
    case("op_functions", lambda x: ops.silu(ops.sigmoid(ops.tanh(x))) + ops.relu(x) + ops.leaky_relu(x) + ops.elu(x) + ops.hard_silu(x))
    case("op_gelu", lambda x: keras.activations.gelu(x, approximate=True) + ops.gelu(x, approximate=False) + ops.hard_sigmoid(x))
    case("op_reduce", lambda x: ops.squeeze(ops.max(x, axis=[-3, -2], keepdims=True), [1, 2]) + ops.sum(ops.square(x), axis=[1, 2]))
    case("op_normalize", lambda x: ops.normalize(ops.clip(ops.cast(x, "float32"), -1.0, 2.0), axis=-1))
    case("op_pad", lambda x: ops.pad(x, [[0, 0], [1, 0], [0, 2], [0, 0]]))
    case("op_softmax", lambda x: ops.softmax(ops.mean(ops.reshape(x, [-1, 30, 4]), axis=1)))
np.savez_compressed(os.path.join(folder, f"{which}.npz"), **arrays)
