"""Makes the project's own reference cases with real Keras: make_cases.py models|trace|lr|eval|augment|recordio|all

Run it with the Keras environment of `cargo xtask test` (`FACETUI_KERAS_PYTHONPATH` as PYTHONPATH). It writes tests/cases,
in the formats that tests/reference_cases.rs reads. Models and traces come from tf_keras and Keras 3, augmentation from
tf.image; evaluation figures, learning rates and RecordIO files are written here from their definitions, in NumPy.
"""
import gzip
import hashlib
import json
import os
import struct
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from norm_dense import make

CASES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cases")
SIDE, EMBEDDING, CLASSES, BATCH, STEPS = 28, 16, 6, 12, 10


def place(*names):
    path = os.path.join(CASES, *names)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def write_json(value, *names):
    with open(place(*names), "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


def save(model, *names, weights_only=False):
    """Writes a model as a gzipped .h5 file, the same bytes for the same model."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.h5")
        model.save_weights(path) if weights_only else model.save(path)
        with open(path, "rb") as file, gzip.GzipFile(place(*names) + ".gz", "wb", mtime=0) as packed:
            packed.write(file.read())


def basic_model(package):
    """A tiny MobileFaceNet: every kind of layer that it has, one of each."""
    layers = package.layers

    def conv_block(x, layer, activate=True):
        x = layers.BatchNormalization()(layer(x))
        return layers.PReLU(shared_axes=[1, 2])(x) if activate else x

    same = {"padding": "same", "use_bias": False}
    inputs = layers.Input((SIDE, SIDE, 3))
    x = conv_block(inputs, layers.Conv2D(8, 3, strides=2, **same))
    x = conv_block(x, layers.SeparableConv2D(8, 3, **same))
    x = conv_block(x, layers.DepthwiseConv2D(3, strides=2, **same))
    x = conv_block(x, layers.Conv2D(8, 1, **same), activate=False)
    y = conv_block(x, layers.Conv2D(16, 1, **same))
    y = conv_block(y, layers.DepthwiseConv2D(3, **same))
    y = conv_block(y, layers.Conv2D(8, 1, **same), activate=False)
    x = layers.Add()([x, y])
    x = conv_block(x, layers.Conv2D(24, 1, **same))
    x = conv_block(x, layers.DepthwiseConv2D(7, use_bias=False), activate=False)
    x = layers.Dropout(0.0)(conv_block(x, layers.Conv2D(EMBEDDING, 1, use_bias=False)))
    x = layers.Dense(EMBEDDING, use_bias=False, kernel_initializer="glorot_normal")(layers.Flatten()(x))
    return package.Model(inputs, layers.BatchNormalization(name="embedding")(x))


def with_head(package, basic, head):
    layer = {
        "softmax": lambda: package.layers.Dense(CLASSES, activation="softmax", name="softmax"),
        "arcface": lambda: make(package)(units=CLASSES, name="arcface"),
    }[head]()
    return package.Model(basic.input, layer(basic.output))


def like_trained(model, seed, statistics=True):
    """Random weights; batch norms as training leaves them, or (without statistics) fresh moving ones."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        weights = [np.asarray(weight) for weight in layer.get_weights()]
        kind = type(layer).__name__
        for at, weight in enumerate(weights):
            if kind == "BatchNormalization":
                low, high = [(0.7, 1.3), (-0.3, 0.3), (-0.4, 0.4), (0.5, 1.6)][at]
                if at < 2 or statistics:
                    weights[at] = random.uniform(low, high, weight.shape)
            elif kind == "PReLU":
                weights[at] = random.uniform(0.05, 0.4, weight.shape)
            else:
                fan = max(1, int(np.prod(weight.shape[:-1])))
                weights[at] = random.normal(0, 1.4 / fan**0.5, weight.shape)
        layer.set_weights([weight.astype("float32") for weight in weights])


def double(build, weights):
    """A model built anew in float64 (its batch norms are then not fused), with these weights."""
    tf_keras.backend.set_floatx("float64")
    try:
        model = build()
        model.set_weights([weight.astype("float64") for weight in weights])
        return model
    finally:
        tf_keras.backend.set_floatx("float32")


def pictures(count, seed):
    """Smooth coloured patterns, uint8 (count, SIDE, SIDE, 3): they compress, and differ enough to be told apart."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    images = []
    for _ in range(count):
        channels = [
            np.sin(2 * np.pi * (random.uniform(0.5, 3) * x + random.uniform(0.5, 3) * y + random.uniform(0, 1)))
            for _ in range(3)
        ]
        images.append(np.stack(channels, -1) * random.uniform(30, 110) + random.uniform(100, 150))
    return (np.clip(np.stack(images), 0, 255) // 8 * 8).astype("uint8")


def normalise(images, kind="float32"):
    return (images.astype(kind) / 255 - 0.5) * 2


def models():
    images = pictures(4, 1)
    np.savez_compressed(place("models", "inputs.npz"), images=images)
    x = normalise(images)
    index = {}
    for tag, package, head in [
        ("tfk", tf_keras, None), ("k3", keras, None), ("tfk", tf_keras, "softmax"), ("tfk", tf_keras, "arcface"),
        ("k3", keras, "softmax"), ("k3", keras, "arcface"),
    ]:
        package.backend.clear_session()
        basic = basic_model(package)
        model = with_head(package, basic, head) if head else basic
        like_trained(model, 2)
        name = f"tiny_{head or 'basic'}.{tag}"
        if head and package is tf_keras:
            # With an optimiser that has state.
            rule = tf_keras.optimizers.legacy.Adam(1e-3) if head == "arcface" else tf_keras.optimizers.legacy.Nadam(1e-3)
            model.compile(rule, loss=arcface_loss if head == "arcface" else "categorical_crossentropy")
            model.train_on_batch(x, tf.one_hot([0, 1, 2, 3], CLASSES))
        save(model, "models", f"{name}.h5")
        arrays = {"emb": np.asarray(basic(x, training=False))}
        if head:
            arrays["head_output"] = np.asarray(model(x, training=False))
        if package is tf_keras and not head:
            arrays["emb_f64"] = np.asarray(double(lambda: basic_model(tf_keras), model.get_weights())(normalise(images, "float64")))
            save(model, "models", f"{name}.weights.h5", weights_only=True)
            write_json([[layer.name, type(layer).__name__, [[weight.name, list(weight.shape)] for weight in layer.weights]]
                        for layer in model.layers], "models", f"{name}.layers.json")
        np.savez_compressed(place("models", f"{name}.expected.npz"), **arrays)
        index[f"{name}.h5.gz"] = {
            "package": f"{package.__name__} {package.__version__}",
            "params": model.count_params(),
            "layer_types": sorted({type(layer).__name__ for layer in model.layers}),
        }
    write_json(index, "models", "index.json")


def arcface_loss(y_true, y_pred, margin2=0.5, scale=64.0):
    """The reference's, at margin1 = 1 and margin3 = 0."""
    theta = tf.cos(tf.acos(y_pred) + margin2)
    target = tf.where(y_pred > tf.cos(tf.cast(np.pi - margin2, y_pred.dtype)), theta, -2.0 - theta)
    logits = tf.where(tf.cast(y_true, tf.bool), target, y_pred) * scale
    return tf_keras.losses.categorical_crossentropy(y_true, logits, from_logits=True)


def trace():
    images, labels = pictures(24, 3), np.arange(24) % CLASSES
    random = np.random.default_rng(4)
    batches = np.stack([random.permutation(24)[:BATCH] for _ in range(STEPS)])
    np.savez_compressed(place("trace", "data.npz"), images=images, labels=labels, batches=batches)
    runs = []
    for head, kind, rate in [("softmax", "Nadam", 2e-4), ("arcface", "Adam", 2e-4)]:
        tf_keras.backend.clear_session()
        tag = f"{head}_legacy{kind.lower()}"
        rule = getattr(tf_keras.optimizers.legacy, kind)(rate)
        loss = arcface_loss if head == "arcface" else "categorical_crossentropy"
        basic = basic_model(tf_keras)
        model = with_head(tf_keras, basic, head)
        like_trained(model, 5, statistics=False)
        save(model, "trace", f"{head}.initial.h5")
        initial = model.get_weights()
        model.compile(rule, loss=loss, metrics=["accuracy"])

        def batch(step, kind="float32"):
            rows = batches[step]
            return normalise(images[rows], kind), np.eye(CLASSES, dtype=kind)[labels[rows]]

        arrays, losses = {}, []
        for step in range(STEPS):
            losses.append([float(value) for value in model.train_on_batch(*batch(step), reset_metrics=True)])
            if step == 0:
                for layer in model.layers:
                    for weight in layer.weights:
                        name = weight.name if "/" in weight.name else f"{layer.name}/{weight.name}"
                        arrays[f"after_step1|{name}"] = weight.numpy()
        arrays["emb_first8_after"] = basic(normalise(images[:8]), training=False).numpy()
        arrays["loss_acc"] = np.array(losses)
        save(model, "trace", f"{tag}.final.h5")
        resumed = [float(model.train_on_batch(*batch(step), reset_metrics=True)[0]) for step in range(4)]
        np.savez_compressed(place("trace", f"{tag}.npz"), **arrays)

        gradients, exact = {}, []

        def build():
            return with_head(tf_keras, basic_model(tf_keras), head)

        tf_keras.backend.clear_session()
        twin = double(build, initial)
        rule = getattr(tf_keras.optimizers.legacy, kind)(rate)
        function = arcface_loss if head == "arcface" else tf_keras.losses.categorical_crossentropy
        for step in range(STEPS):
            x, y = batch(step, "float64")
            with tf.GradientTape() as tape:
                value = tf.reduce_mean(function(y, twin(x, training=True)))
            found = tape.gradient(value, twin.trainable_weights)
            exact.append(float(value))
            if step == 0:
                for weight, gradient in zip(twin.trainable_weights, found):
                    owner = next(layer.name for layer in twin.layers if any(weight is one for one in layer.weights))
                    name = weight.name if "/" in weight.name else f"{owner}/{weight.name}"
                    gradients[name] = gradient.numpy().astype("float32")
            rule.apply_gradients(zip(found, twin.trainable_weights))
        np.savez_compressed(place("trace", f"{tag}.grads_step1_f64.npz"), **gradients)
        config = {key: float(value) if isinstance(value, (float, np.floating)) else value for key, value in rule.get_config().items()}
        runs.append({
            "tag": tag, "head": head, "loss": "ArcfaceLoss" if head == "arcface" else "categorical_crossentropy",
            "loss_config": {"margin1": 1.0, "margin2": 0.5, "margin3": 0.0, "scale": 64.0} if head == "arcface" else None,
            "optimizer": f"tf_keras.optimizers.legacy.{kind}", "optimizer_config": config, "basic_trainable": True,
            "loss_acc_per_step": losses, "loss_per_step_f64": exact, "resume_losses_steps11_14_on_batches_0_3": resumed,
        })
    write_json({"tf_keras": tf_keras.__version__, "n_classes": CLASSES, "batch": BATCH, "runs": runs}, "trace", "trace.json")


def lr():
    table = []
    for base, decay in [(0.001, 0.05), (0.1, 0.1), (0.01, 0.0)]:
        rates = [float(base if epoch < 10 else base * np.exp(decay * (10 - epoch))) for epoch in range(30)]
        table.append({"lr_base": base, "decay": decay, "epoch": list(range(30)), "lr": rates})
    write_json({"seed_scheduler": table}, "lr.json")


def evaluation():
    """Straight from behaviour.md, by loops that share nothing with the Rust code."""
    arrays, cases = {}, []
    random = np.random.default_rng(6)
    for name, pairs, noise, negatives, zeros in [
        ("blocks100", 100, 0.9, 0.5, False), ("uneven53", 53, 1.2, 0.4, False), ("few_negatives", 14, 0.8, 0.3, False),
        ("zeros30", 30, 1.0, 0.5, True),
    ]:
        same = random.uniform(size=pairs) > negatives
        first = random.normal(size=(pairs, 8))
        second = np.where(same[:, None], first + noise * random.normal(size=first.shape), random.normal(size=first.shape))
        embeddings = np.stack([first, second], 1).reshape(-1, 8) * random.uniform(0.5, 20, (2 * pairs, 1))
        if zeros:
            embeddings[::7] = 0
        embeddings = embeddings.astype("float32")
        arrays[f"{name}__emb"], arrays[f"{name}__issame"] = embeddings, same
        wide = embeddings.astype("float64")
        norms = np.sqrt((wide**2).sum(1, keepdims=True))
        unit = wide / np.where(norms == 0, 1, norms)
        a, b = unit[0::2], unit[1::2]
        dots = (a * b).sum(1)
        positives, negative = np.sort(dots[same]), np.sort(dots[~same])
        tenth = int(0.1 * len(negative))
        candidates = negative[-tenth:] if tenth else negative
        counts = [int((positives > value).sum() + (negative <= value).sum()) for value in candidates]
        best = int(np.argmax(counts))
        case = {"name": name, "pairs": pairs, "callback": {"max_acc": counts[best] / pairs, "acc_thresh": float(candidates[best])}}
        cases.append(case)
        if zeros:
            # Distances of 1, which rounding puts on one side or the other of the threshold 1.
            continue
        distances = ((a - b) ** 2).sum(1)
        sizes = [pairs // 10 + (fold < pairs % 10) for fold in range(10)]
        starts = np.cumsum([0] + sizes)
        folds = []
        for fold in range(10):
            test = np.zeros(pairs, bool)
            test[starts[fold]:starts[fold + 1]] = True
            scores = [((distances < step)[~test] == same[~test]).mean() for step in np.arange(0, 4, 0.01)]
            threshold = np.arange(0, 4, 0.01)[int(np.argmax(scores))]
            folds.append(float(((distances < threshold)[test] == same[test]).mean()))
        case["evaluate"] = {"accuracy_per_fold": folds, "mean": float(np.mean(folds)), "std": float(np.std(folds))}
    np.savez_compressed(place("eval.npz"), **arrays)
    write_json({"numpy": np.__version__, "cases": cases}, "eval.json")


def augment():
    image = pictures(1, 7)[0]
    random = np.random.default_rng(8)
    image = np.clip(image + random.integers(-40, 40, image.shape), 0, 255).astype("uint8")
    x = image.astype("float32") / 255

    def brightness(x, delta):
        return tf.image.adjust_brightness(x, delta)

    changed = {
        "brightness+0.15": brightness(x, 0.15),
        "brightness-0.2": brightness(x, -0.2),
        "contrast1.17": tf.image.adjust_contrast(x, 1.17),
        "contrast0.83": tf.image.adjust_contrast(x, 0.83),
        "saturation1.19": tf.image.adjust_saturation(x, 1.19),
        "saturation0.81": tf.image.adjust_saturation(x, 0.81),
        "saturation1.19_after_brightness+0.2_contrast1.2":
            tf.image.adjust_saturation(tf.image.adjust_contrast(brightness(x, 0.2), 1.2), 1.19),
        "saturation0.85_after_brightness-0.2_contrast1.2":
            tf.image.adjust_saturation(tf.image.adjust_contrast(brightness(x, -0.2), 1.2), 0.85),
        "crop25_at_1_2_resize28": tf.image.resize(x[1:26, 2:27], (SIDE, SIDE)),
        "flip": tf.image.flip_left_right(x),
    }
    np.savez_compressed(place("eval_e2e", "augment_ops.npz"), input_u8=image, float01=x,
                        **{name: np.asarray(value) for name, value in changed.items()})


def recordio():
    """The two kinds of labels, and a record that the magic number splits, in dmlc's format."""
    magic = struct.pack("<I", 0xCED7230A)

    def record(payload):
        places, at = [], payload.find(magic)
        while at >= 0:
            if at % 4 == 0:
                places.append(at)
                at += 3
            at = payload.find(magic, at + 1)
        starts, ends = [0] + [at + 4 for at in places], places + [len(payload)]
        out = b""
        for number, (start, end) in enumerate(zip(starts, ends)):
            kind = 0 if not places else 1 if number == 0 else 3 if number == len(places) else 2
            part = payload[start:end]
            out += magic + struct.pack("<I", kind << 29 | len(part)) + part + b"\0" * (-len(part) % 4)
        return out

    def packed(labels, number, image=b""):
        if isinstance(labels, float):
            return struct.pack("<IfQQ", 0, labels, number, 0) + image
        return struct.pack("<IfQQ", len(labels), 0.0, number, 0) + struct.pack(f"<{len(labels)}f", *labels) + image

    images = [tf.io.encode_jpeg(picture, quality=70).numpy() for picture in pictures(8, 9)]
    # A comment segment that holds the magic number at a multiple of four in its record (24 bytes of header, 2 labels).
    images[5] = images[5][:2] + b"\xff\xfe" + struct.pack(">H", 12) + b"ab" + magic + magic + images[5][2:]
    for folder, kind in [("scalar", lambda c: float(c)), ("array", lambda c: [float(c), 0.0])]:
        classes = [0, 0, 1, 1, 1, 2, 2, 3]
        records = [packed([len(images) + 1.0, len(images) + 5.0], 0)]
        records += [packed(kind(c), number + 1, image) for number, (c, image) in enumerate(zip(classes, images))]
        spans = [[1.0, 3.0], [3.0, 6.0], [6.0, 8.0], [8.0, 9.0]]
        records += [packed(span, len(images) + 1 + number) for number, span in enumerate(spans)]
        whole, index = b"", ""
        for number, one in enumerate(records):
            index += f"{number}\t{len(whole)}\n"
            whole += record(one)
        for name, content in [("train.rec", whole), ("train.idx", index.encode()), ("property", b"4,28,28\n")]:
            with open(place("recordio", f"{folder}_label", name), "wb") as file:
                file.write(content)
        facts = [{"idx": number + 1, "label": c, "bytes": len(image), "sha256": hashlib.sha256(image).hexdigest()}
                 for number, (c, image) in enumerate(zip(classes, images))]
        write_json({"image_label_kind": folder, "n_images": len(images), "n_identities": 4, "images": facts},
                   "recordio", f"{folder}_label", "expected.json")


COMMANDS = {"models": models, "trace": trace, "lr": lr, "eval": evaluation, "augment": augment, "recordio": recordio}

if __name__ == "__main__":
    wanted = sys.argv[1:]
    if not wanted or any(name not in [*COMMANDS, "all"] for name in wanted):
        sys.exit(__doc__)
    for name, command in COMMANDS.items():
        if name in wanted or "all" in wanted:
            command()
