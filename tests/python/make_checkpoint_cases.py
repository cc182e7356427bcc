"""Makes tests/cases/checkpoint with real tf_keras and Keras 3: make_checkpoint_cases.py FOLDER

Small models, trained for three steps and saved in the many ways of Keras, then gzipped. expected.json says for each file
what its layers and its optimiser hold: shapes and the fingerprints sum(value[i] * (1 + i % 7)) of the arrays. Two files
are real ones changed by h5py: `imitated_keras21_adam` has the names and attributes of Keras 2.1, `half` float16 and float64.
"""
import copy
import gzip
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import h5py
import keras
import numpy
import tf_keras
from norm_dense import make

FOLDER = sys.argv[1]
RANDOM = numpy.random.default_rng(3)
IMAGES = RANDOM.normal(size=(3, 8, 6, 6, 3)).astype("float32")
LABELS = numpy.eye(3, dtype="float32")[RANDOM.integers(0, 3, size=(3, 8))]
LONG = "long_" + 6000 * "n"


def body(package, inputs, long_name="wide"):
    layers = package.layers
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.BatchNormalization(scale=False, name="stem_bn")(x)
    # Made first, but nearer to the output than `wide`: Keras lists it after `wide`.
    short = layers.Conv2D(4, 1, name="short")(x)
    wide = layers.SeparableConv2D(4, 3, padding="same", use_bias=False, name=long_name)(x)
    wide = layers.PReLU(shared_axes=[1, 2], name="bend")(wide)
    x = layers.Add(name="add")([short, wide])
    return layers.GlobalAveragePooling2D(name="pool")(x)


def tiny(package, head="softmax", **options):
    inputs = package.layers.Input((6, 6, 3), name="images")
    x = body(package, inputs, **options)
    if head == "softmax":
        output = package.layers.Dense(3, activation="softmax", name="softmax")(x)
    else:
        output = make(package)(3, name="arcface")(x)
    return package.Model(inputs, output, name="tiny")


def nested(package):
    """A frozen convolution and batch norms inside a model inside a model."""
    inner_input = package.layers.Input((6, 6, 3), name="inner_images")
    x = package.layers.Conv2D(2, 1, name="fixed", trainable=False)(inner_input)
    x = package.layers.BatchNormalization(name="inner_bn")(x)
    x = package.layers.DepthwiseConv2D(3, name="inner_dw")(x)
    inner = package.Model(inner_input, x, name="inner")
    inputs = package.layers.Input((6, 6, 3), name="images")
    x = inner(inputs)
    x = package.layers.BatchNormalization(name="outer_bn")(x)
    x = package.layers.GlobalAveragePooling2D(name="pool")(x)
    output = package.layers.Dense(3, activation="softmax", name="softmax")(x)
    return package.Model(inputs, output, name="outer")


def arcface_loss(y_true, y_pred):
    import tensorflow as tf

    return tf.keras.losses.categorical_crossentropy(y_true, y_pred * 16, from_logits=True)


def fingerprint(array):
    array = numpy.asarray(array, dtype="float64")
    return [list(array.shape), float((array.ravel() * (1 + numpy.arange(array.size) % 7)).sum())]


def leaf(variable):
    return getattr(variable, "path", variable.name).split("/")[-1].split(":")[0]


def layers_of(model, prefix=""):
    """Fingerprints by layer and weight; those of layers in a nested model below the model's name."""
    found = {}
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found.update(layers_of(layer, f"{prefix}{layer.name}/"))
        elif layer.weights:
            found[prefix + layer.name] = {leaf(w): fingerprint(w.numpy()) for w in layer.weights}
    return found


def owners(model):
    found = {}
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found.update(owners(layer))
        else:
            found.update({id(weight): f"{layer.name}/{leaf(weight)}" for weight in layer.weights})
    return found


SLOTS = {"_momentums": "m", "_velocities": "v", "_velocity_hats": "vhat", "momentums": "momentum", "_average_gradients": "mg"}


def optimizer_of(model):
    """Iterations, Nadam's product and the slots, in facetui's vocabulary."""
    optimizer, names = model.optimizer, owners(model)
    variables = model.trainable_variables
    kind = type(optimizer).__name__
    slots = {}
    if hasattr(optimizer, "get_slot"):
        for slot in optimizer.get_slot_names():
            for variable in variables:
                slots[f"{slot}/{names[id(variable)]}"] = fingerprint(optimizer.get_slot(variable, slot).numpy())
        product = optimizer._m_cache.numpy() if kind == "Nadam" else None
    else:
        for attribute, slot in SLOTS.items():
            if kind == "RMSprop":
                slot = {"_velocities": "rms", "_momentums": "momentum"}.get(attribute, slot)
            for variable, state in zip(variables, getattr(optimizer, attribute, None) or []):
                slots[f"{slot}/{names[id(variable)]}"] = fingerprint(state.numpy())
        product = optimizer._u_product.numpy() if kind == "Nadam" else None
        if kind == "Nadam" and not hasattr(variables[0], "path"):
            # tf_keras multiplies it once for every variable, not for every step, and does not save it.
            product = numpy.prod([0.9 * (1 - 0.5 * 0.96**step) for step in (1, 2, 3)])
    return {
        "class": kind,
        "iterations": int(optimizer.iterations.numpy()),
        "product": None if product is None else float(product),
        "rate": float(optimizer.learning_rate.numpy()),
        "slots": slots,
    }


def train(model, optimizer, loss="categorical_crossentropy"):
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    for images, labels in zip(IMAGES, LABELS):
        model.train_on_batch(images, labels)
    return model


EXPECTED = {}


def note(name, model, optimizer=True):
    EXPECTED[name] = {"layers": layers_of(model), "order": [layer.name for layer in model.layers]}
    if optimizer:
        EXPECTED[name]["optimizer"] = optimizer_of(model)
    print(name, os.path.getsize(os.path.join(FOLDER, name)))


def save(name, model, **options):
    model.save(os.path.join(FOLDER, name), **options)
    note(name, model)


os.makedirs(FOLDER, exist_ok=True)
old, new, newest = tf_keras.optimizers.legacy, tf_keras.optimizers, keras.optimizers
for name, package, optimizer in [
    ("legacy_adam.h5", tf_keras, old.Adam(0.01)),
    ("legacy_nadam.h5", tf_keras, old.Nadam(0.01)),
    ("legacy_rmsprop.h5", tf_keras, old.RMSprop(0.01, momentum=0.5, centered=True)),
    ("legacy_sgd.h5", tf_keras, old.SGD(0.1, momentum=0.9, nesterov=True)),
    ("new_adam.h5", tf_keras, new.Adam(0.01, amsgrad=True)),
    ("new_adamw.h5", tf_keras, new.AdamW(0.01, weight_decay=0.1)),
    ("new_nadam.h5", tf_keras, new.Nadam(0.01)),
    ("new_rmsprop.h5", tf_keras, new.RMSprop(0.01, momentum=0.5, centered=True)),
    ("new_sgd.h5", tf_keras, new.SGD(0.1, momentum=0.9)),
    ("keras3_adam.h5", keras, newest.Adam(0.01, amsgrad=True)),
    ("keras3_nadam.h5", keras, newest.Nadam(0.01)),
    ("keras3_rmsprop.h5", keras, newest.RMSprop(0.01, momentum=0.5, centered=True)),
    ("keras3_sgd.h5", keras, newest.SGD(0.1, momentum=0.9)),
]:
    save(name, train(tiny(package), optimizer))

# Attributes that outgrow an object header are cut into chunks: layer_names, and the optimiser's weight_names.
save("chunked.h5", train(tiny(tf_keras, long_name=LONG), old.SGD(0.1, momentum=0.9)))

# Only the head is trained, by a loss and a layer that Keras does not have.
model = tiny(tf_keras, head="arcface")
for layer in model.layers[:-1]:
    layer.trainable = False
save("head_only.h5", train(model, new.Adam(0.01), arcface_loss))

for package, name in [(tf_keras, "nested.h5"), (keras, "nested_keras3.h5")]:
    save(name, train(nested(package), package.optimizers.SGD(0.1, momentum=0.9)))

# Weights alone: the old layout, and the two of `.weights.h5`.
model = tiny(tf_keras)
for name in ("only.h5", "only_tf_keras.weights.h5"):
    model.save_weights(os.path.join(FOLDER, name))
    note(name, model, optimizer=False)
model = tiny(keras)
model.save_weights(os.path.join(FOLDER, "only_keras3.weights.h5"))
note("only_keras3.weights.h5", model, optimizer=False)


def changed(source, name):
    shutil.copy(os.path.join(FOLDER, source), os.path.join(FOLDER, name))
    EXPECTED[name] = copy.deepcopy(EXPECTED[source])
    return h5py.File(os.path.join(FOLDER, name), "r+")


with changed("legacy_adam.h5", "imitated_keras21_adam.h5") as file:
    config = json.loads(file.attrs["training_config"])
    settings = config["optimizer_config"]["config"]
    settings["lr"] = settings.pop("learning_rate")
    settings.pop("name")
    file.attrs["training_config"] = numpy.bytes_(json.dumps(config))
    file.attrs["model_config"] = numpy.bytes_(file.attrs["model_config"])
    for group in [file["model_weights"], *file["model_weights"].values()]:
        for key in ("layer_names", "weight_names"):
            if len(group.attrs.get(key, [])):
                group.attrs[key] = numpy.array([name.encode() for name in group.attrs[key]])
    state = file["optimizer_weights"]
    values = [state[name][()] for name in state.attrs["weight_names"]]
    del file["optimizer_weights"]
    state = file.create_group("optimizer_weights")
    names = ["Adam/iterations:0"] + [f"training/Adam/Variable_{at}:0" for at in range(len(values) - 1)]
    # Its Adam kept a placeholder for each weight's vhat.
    count = len(values) // 2
    names += [f"training/Adam/Variable_{2 * count + at}:0" for at in range(count)]
    values += [numpy.zeros(1, "float32")] * count
    for name, value in zip(names, values):
        state[name] = value
    state.attrs["weight_names"] = numpy.array([name.encode() for name in names])

with changed("only.h5", "half.h5") as file:
    for layer in ("stem", "wide"):
        group = file[layer]
        for name in group.attrs["weight_names"]:
            value = group[name][()]
            del group[name]
            group[name] = value.astype("float16" if layer == "stem" else "float64")
            EXPECTED["half.h5"]["layers"][layer][name.split("/")[-1].split(":")[0]] = fingerprint(group[name][()])

for name in EXPECTED:
    path = os.path.join(FOLDER, name)
    with open(path, "rb") as file, gzip.GzipFile(path + ".gz", "wb", mtime=0) as packed:
        packed.write(file.read())
    os.remove(path)
with open(os.path.join(FOLDER, "expected.json"), "w") as file:
    json.dump(EXPECTED, file, indent=None, separators=(",", ":"))
