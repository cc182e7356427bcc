"""Goes on with the training of saved models and of facetui's copies of them: keras_continue.py OUT.json ORIGINAL.h5 COPY.h5 ...

The original is loaded by the Keras that wrote it, the copy by tf_keras with compile=True. Both take one step on the same
images. OUT.json: {"<copy>": {"error": largest relative difference of a weight, "moved": how far the step went,
"iterations": of the copy after it, "keras3": what Keras 3 makes of the copy with compile=True}}.
"""
import json
import os
import sys
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import h5py
import keras
import numpy
import tf_keras
from norm_dense import make

RANDOM = numpy.random.default_rng(5)
IMAGES = RANDOM.normal(size=(8, 6, 6, 3)).astype("float32")
LABELS = numpy.eye(3, dtype="float32")[RANDOM.integers(0, 3, size=8)]


def arcface_loss(y_true, y_pred):
    import tensorflow as tf

    return tf.keras.losses.categorical_crossentropy(y_true, y_pred * 16, from_logits=True)


def load(package, path):
    objects = {"NormDense": make(package), "arcface_loss": arcface_loss}
    return package.models.load_model(path, compile=True, custom_objects=objects)


def load_keras_3(path):
    """What compile=True should do: Keras 3 builds the optimiser of an .h5 file for no variables and then cannot train."""
    model = keras.models.load_model(path, compile=False)
    with h5py.File(path) as file:
        config = json.loads(file.attrs["training_config"])
        model.compile(optimizer=keras.optimizers.deserialize(config["optimizer_config"]), loss=config["loss"])
        model.optimizer.build(model.trainable_variables)
        state = file["optimizer_weights"]
        names = list(state.attrs["weight_names"])
        assert len(names) == len(model.optimizer.variables)
        for variable, name in zip(model.optimizer.variables, names):
            variable.assign(state[name][()])
    return model


def weights(model):
    """By layer and name, which Keras 2 and Keras 3 call alike but for a depthwise kernel."""
    found = {}
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found.update(weights(layer))
            continue
        for weight in layer.weights:
            name = getattr(weight, "path", weight.name).split("/")[-1].split(":")[0]
            found[f"{layer.name}/{name}"] = weight.numpy()
    return found


def step(model):
    before = weights(model)
    model.train_on_batch(IMAGES, LABELS)
    return before, weights(model)


def distance(a, b):
    return float(numpy.linalg.norm(a - b) / max(numpy.linalg.norm(a), 1e-6))


def in_keras_3(path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = load(keras, path)
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:300]
    said = "; ".join(str(warning.message) for warning in caught)
    try:
        model.train_on_batch(IMAGES, LABELS)
        said += " trains"
    except Exception as error:
        said += f" cannot train: {type(error).__name__}"
    return f"{type(model.optimizer).__name__}, iterations {int(model.optimizer.iterations.numpy())}; {said}"[:300]


out, *paths = sys.argv[1:]
results = {}
for original, copy in zip(paths[::2], paths[1::2]):
    with h5py.File(original) as file:
        keras3 = str(file.attrs["keras_version"]).startswith("3")
    theirs = load_keras_3(original) if keras3 else load(tf_keras, original)
    ours = load(tf_keras, copy)
    (before, wanted), (same, found) = step(theirs), step(ours)
    assert all(distance(before[name], same[name]) == 0 for name in before), "weights differ before the step"
    results[os.path.basename(copy)] = {
        "error": max(distance(wanted[name], found[name]) for name in wanted),
        "moved": max(distance(before[name], wanted[name]) for name in wanted),
        "iterations": int(ours.optimizer.iterations.numpy()),
        "keras3": in_keras_3(copy),
    }
with open(out, "w") as file:
    json.dump(results, file, indent=1)
