"""Writes tests/cases/losses.json and tests/cases/optimizers.json: what real Keras 2 computes.

    python3 tests/python/make_numbers.py tests/cases

Needs tf_keras and TensorFlow. The reference trainer's losses are written out here in TensorFlow; the optimisers are
Keras's own (`legacy` ones where the name says so) except for SGDW and AdamW of TensorFlow Addons, which are its
few lines over the legacy classes. "nan" and "inf" are strings: facetui stays finite there.
"""

import json
import math
import sys

import numpy as np
import tensorflow as tf
import tf_keras as keras

B, C, E = 6, 5, 8
rng = np.random.default_rng(20240)


def plain(x):
    """Numbers as JSON, no longer than fp32 needs."""
    x = np.asarray(x)
    if x.ndim:
        return [plain(row) for row in x]
    value = float(str(np.float32(x)))
    return value if math.isfinite(value) else str(value)


# Losses


def margins(y_true, cosines, margin1=1.0, margin2=0.5, margin3=0.0, scale=64.0, second=False):
    target = tf.reduce_sum(tf.where(y_true > 0, cosines, tf.zeros_like(cosines)), axis=1, keepdims=True)
    theta = tf.cos(tf.acos(target) * margin1 + margin2) - margin3
    if second:
        changed = tf.where(theta < target, theta, target)
    else:
        border = math.cos((math.pi - margin2) / margin1)
        changed = tf.where(target > border, theta, -2.0 * (1 + margin3) - theta)
    logits = tf.where(y_true > 0, tf.broadcast_to(changed, cosines.shape), cosines) * scale
    return keras.losses.categorical_crossentropy(y_true, logits, from_logits=True)


def margin_softmax(y_true, p, power=2.0, scale=0.4):
    changed = tf.where(y_true > 0, (p**power + p * scale) / 2, p)
    return keras.losses.categorical_crossentropy(y_true, changed)


def scale_softmax(y_true, p, scale=64.0):
    return keras.losses.categorical_crossentropy(y_true, p * scale, from_logits=True)


def similarities(labels, embeddings):
    unit = tf.nn.l2_normalize(embeddings, 1)
    return tf.matmul(unit, unit, transpose_b=True), tf.equal(labels[None, :], labels[:, None])


def batch_hard_triplet_loss(labels, embeddings, alpha=0.35):
    similarity, same = similarities(labels, embeddings)
    positive = tf.reduce_min(tf.where(same, similarity, np.float32(np.inf)), axis=1)
    negative = tf.reduce_max(tf.where(same, np.float32(-np.inf), similarity), axis=1)
    return tf.maximum(negative - positive + alpha, 0.0)


def batch_all_triplet_loss(labels, embeddings, alpha=0.35):
    similarity, same = similarities(labels, embeddings)
    zero = tf.zeros_like(similarity)
    positives = tf.reduce_sum(tf.where(same, 1 - similarity, zero), axis=1)
    positives /= tf.reduce_sum(tf.cast(same, tf.float32), axis=1)
    hardest = tf.reduce_min(tf.where(same, similarity, np.float32(np.inf)), axis=1, keepdims=True)
    close = tf.logical_and(hardest - similarity < alpha, tf.logical_not(same))
    negatives = tf.reduce_sum(tf.where(close, similarity, zero), axis=1)
    return positives + negatives / (tf.reduce_sum(tf.cast(close, tf.float32), axis=1) + 1)


def case(loss, function, y_true, y_pred, note="", config=None):
    x = tf.constant(y_pred, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        each = function(tf.constant(y_true, tf.float32), x)
        mean = tf.reduce_mean(each)
    result = {"loss": loss, "note": note}
    if config:
        result["config"] = config
    return result | {
        "y_true": plain(y_true),
        "y_pred": plain(y_pred),
        "per_sample": plain(each),
        "mean": plain(mean),
        "grad_of_mean_wrt_y_pred": plain(tape.gradient(mean, x)),
    }


def center_case(labels, y_pred, alpha, factor, logits_loss=None, note=""):
    centers = np.zeros((C, E), np.float32)
    one_hot = np.eye(C, dtype=np.float32)[labels]
    calls = []
    for _ in range(3):
        x = tf.constant(y_pred, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(x)
            each = tf.reduce_mean(tf.square(x[:, :E] - centers[labels]), axis=1) * factor
            if logits_loss:
                each += logits_loss(tf.constant(one_hot), x[:, E:])
            mean = tf.reduce_mean(each)
        count = np.array([np.sum(labels == label) for label in labels], np.float32)[:, None]
        away = alpha * (centers[labels] - y_pred[:, :E]) / (1 + count)
        centers = tf.tensor_scatter_nd_sub(tf.constant(centers), labels[:, None], away).numpy()
        calls.append(
            {
                "per_sample": plain(each),
                "mean": plain(mean),
                "grad_of_mean_wrt_y_pred": plain(tape.gradient(mean, x)),
                "centers_after": plain(centers),
            }
        )
    config = {"num_classes": C, "feature_dim": E, "alpha": alpha, "factor": factor}
    return {
        "loss": "Center_loss",
        "note": note,
        "config": config,
        "y_true": plain(one_hot),
        "y_pred": plain(y_pred),
        "calls": calls,
    }


def losses():
    labels = np.array([3, 0, 2, 2, 4, 3])
    one_hot = np.eye(C, dtype=np.float32)[labels]
    z = rng.normal(size=(B, C)).astype(np.float32) * 2
    p = tf.nn.softmax(z).numpy()
    cce = keras.losses.categorical_crossentropy
    result = [
        case("categorical_crossentropy", cce, one_hot, p),
        case("categorical_crossentropy", cce, one_hot, p * 1.7, "rows that do not sum to 1: renormalised"),
        case("scale_softmax", scale_softmax, one_hot, z / 4, "raw"),
        case("scale_softmax", scale_softmax, one_hot, p, "on softmax probabilities"),
        case("margin_softmax", margin_softmax, one_hot, p, "power 2 scale 0.4"),
        case("margin_softmax", lambda y, x: margin_softmax(y, x, 3.0, 0.2), one_hot, p, "power=3 scale=0.2"),
    ]
    for smoothing in [0.0, 0.1, 0.3]:
        name = "from_logits" if smoothing == 0 else f"from_logits,label_smoothing={smoothing}"
        function = lambda y, x: cce(y, x, from_logits=True, label_smoothing=smoothing)
        result.append(case(f"categorical_crossentropy({name})", function, one_hot, z))
        function = lambda y, x: cce(y, x, label_smoothing=smoothing)
        result.append(case(f"categorical_crossentropy(label_smoothing={smoothing})", function, one_hot, p))

    random = rng.uniform(-0.6, 0.6, (B, C)).astype(np.float32)

    def at_label(*cosines):
        x = random.copy()
        x[np.arange(B), labels] = np.array(cosines, np.float32)
        return x

    below = np.nextafter(np.float32(1), np.float32(0))
    configs = [
        {},
        {"scale": 32.0},
        {"margin2": 0.3},
        {"margin1": 0.9, "margin2": 0.4, "margin3": 0.15},
        {"margin2": 0.0, "margin3": 0.35},
        {"margin1": 1.35, "margin2": 0.0, "margin3": 0.0, "scale": 30.0},
    ]
    for config in configs:
        around = -math.cos(config.get("margin2", 0.5))
        inputs = {
            "random": random,
            "cos_just_below_1": at_label(below, -below, 0.9999, -0.9999, 0.99999, -0.99999),
            "cos_around_threshold": at_label(around, around - 1e-3, around + 1e-3, -0.7, -0.95, 0.95),
            "cos_pm1_exact": at_label(1, -1, 0.5, -0.5, 0.0, 0.9),
            "cos_above_1": at_label(1 + 1.2e-7, -1 - 1.2e-7, 0.5, -0.5, 1 + 1e-6, 0.9),
        }
        for note, y_pred in inputs.items():
            full = {"margin1": 1.0, "margin2": 0.5, "margin3": 0.0, "scale": 64.0} | config
            for name, second in [("ArcfaceLoss", False), ("arcface_loss_2", True)]:
                if second and note == "random" and config == {"scale": 32.0}:
                    continue
                function = lambda y, x: margins(y, x, second=second, **full)
                result.append(case(name, function, one_hot, y_pred, note, config))

    embeddings = rng.normal(size=(B, E)).astype(np.float32)
    for alpha, factor in [(0.5, 1.0), (0.2, 0.3)]:
        result.append(center_case(labels, embeddings, alpha, factor))
        both = np.concatenate([embeddings, random], axis=1)
        note = "y_pred=concat(embedding, cosines); logits_loss=arcface_loss"
        result.append(center_case(labels, both, alpha, factor, margins, note))
    both = np.concatenate([embeddings, z], axis=1)
    softmax = lambda y, x: cce(y, x, from_logits=True)
    note = "y_pred=concat(embedding, logits); logits_loss=categorical_crossentropy(from_logits)"
    result.append(center_case(labels, both, 0.5, 1.0, softmax, note))

    groups = rng.normal(size=(12, E)).astype(np.float32)
    twice = embeddings.copy()
    twice[1], twice[5] = twice[0], twice[2]
    for name, function in [
        ("batch_hard_triplet_loss", batch_hard_triplet_loss),
        ("batch_all_triplet_loss", batch_all_triplet_loss),
    ]:
        for note, y_true, y_pred in [
            ("one class has a single sample", [0, 0, 1, 1, 1, 2], embeddings),
            ("3 classes x 4", [0] * 4 + [1] * 4 + [2] * 4, groups),
            ("one class: no negatives", [0] * 6, embeddings),
            ("the same embedding twice", [0, 0, 1, 1, 1, 2], twice),
        ]:
            for alpha in [0.35, 0.6]:
                config = {} if alpha == 0.35 else {"alpha": alpha}
                result.append(case(name, lambda y, x: function(y, x, alpha), np.array(y_true), y_pred, note, config))
    return {"tf": tf.__version__, "keras": keras.__version__, "cases": result}


# Optimisers


def decoupled(base, name):
    """`DecoupledWeightDecayExtension` of TensorFlow Addons, for dense gradients."""

    class Decoupled(base):
        def __init__(self, weight_decay, **rest):
            super().__init__(name=name, **rest)
            self._set_hyper("weight_decay", weight_decay)

        def get_config(self):
            return super().get_config() | {"weight_decay": self._serialize_hyperparameter("weight_decay")}

        def _resource_apply_dense(self, grad, var, apply_state=None):
            var.assign_sub(self._get_hyper("weight_decay", var.dtype) * var)
            return super()._resource_apply_dense(grad, var, apply_state)

    return Decoupled


def optimizers():
    legacy = keras.optimizers.legacy
    sgdw, adamw = decoupled(legacy.SGD, "SGDW"), decoupled(legacy.Adam, "AdamW")
    p0 = rng.normal(size=4).astype(np.float32)
    q0 = rng.normal(size=(2, 3)).astype(np.float32)
    grads_p = (rng.normal(size=(10, 4)) * [1, 30, 0.1, 0.01]).astype(np.float32)
    grads_q = (rng.normal(size=(10, 2, 3)) * 0.05).astype(np.float32)
    makers = {
        "legacy.SGD()": lambda: legacy.SGD(),
        "legacy.SGD(momentum=0.9)": lambda: legacy.SGD(momentum=0.9),
        "legacy.SGD(momentum=0.9, nesterov=True)": lambda: legacy.SGD(momentum=0.9, nesterov=True),
        "legacy.SGD(decay=0.1)": lambda: legacy.SGD(decay=0.1),
        "legacy.SGD(clipnorm=0.5)": lambda: legacy.SGD(clipnorm=0.5),
        "legacy.SGD(clipvalue=0.5, clipnorm=0.8)": lambda: legacy.SGD(clipvalue=0.5, clipnorm=0.8),
        "legacy.SGD(global_clipnorm=2.0)": lambda: legacy.SGD(global_clipnorm=2.0),
        "legacy.Adam()": lambda: legacy.Adam(),
        "legacy.Adam(amsgrad)": lambda: legacy.Adam(amsgrad=True, beta_2=0.5),
        "legacy.Adam(clipnorm=1.0)": lambda: legacy.Adam(0.01, clipnorm=1.0, beta_1=0.8, epsilon=1e-3),
        "legacy.Nadam()": lambda: legacy.Nadam(),
        "legacy.Nadam(beta_1=0.8)": lambda: legacy.Nadam(0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-3),
        "legacy.RMSprop()": lambda: legacy.RMSprop(),
        "legacy.RMSprop(centered)": lambda: legacy.RMSprop(0.01, rho=0.8, epsilon=1e-3, centered=True),
        "legacy.RMSprop(momentum=0.9)": lambda: legacy.RMSprop(momentum=0.9, epsilon=1e-3),
        "legacy.RMSprop(momentum, centered)": lambda: legacy.RMSprop(momentum=0.5, centered=True, epsilon=1e-2),
        "AdamW()": lambda: keras.optimizers.AdamW(),
        "AdamW(weight_decay=0.1)": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1, amsgrad=True),
        "Nadam()": lambda: keras.optimizers.Nadam(),
        "Adam()": lambda: keras.optimizers.Adam(),
        "SGD(momentum=0.9, nesterov=True)": lambda: keras.optimizers.SGD(momentum=0.9, nesterov=True),
        "Addons>AdamW": lambda: adamw(0.01),
        "Addons>SGDW": lambda: sgdw(0.01),
        "Addons>SGDW(momentum=0.9)": lambda: sgdw(0.02, momentum=0.9, nesterov=True, learning_rate=0.1),
    }
    runs = {}
    for name, make in makers.items():
        optimizer = make()
        p, q = tf.Variable(p0, name="p"), tf.Variable(q0, name="q")
        if hasattr(optimizer, "build"):
            optimizer.build([p, q])
        steps = []
        for grad_p, grad_q in zip(grads_p, grads_q):
            optimizer.apply_gradients([(tf.constant(grad_p), p), (tf.constant(grad_q), q)])
            steps.append({"p": plain(p), "q": plain(q)})
        variables = optimizer.variables() if callable(optimizer.variables) else optimizer.variables
        state = {v.name: plain(v) for v in variables if v.dtype == tf.float32 and "learning_rate" not in v.name}
        config = {key: value.item() if hasattr(value, "item") else value for key, value in optimizer.get_config().items()}
        runs[name] = {"config": config, "fixed": steps, "state_after_fixed": state}
    return {
        "tf": tf.__version__,
        "keras": keras.__version__,
        "p0": plain(p0),
        "q0": plain(q0),
        "fixed_grads_p": plain(grads_p),
        "fixed_grads_q": plain(grads_q),
        "runs": runs,
    }


def write(path, content):
    """One case or run a line."""
    text = json.dumps(content, separators=(",", ":"))
    for mark in ['{"loss":"', '"legacy.', '"Addons>', '"AdamW(', '"Nadam(', '"Adam(', '"SGD(']:
        text = text.replace("," + mark, ",\n" + mark)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    folder = sys.argv[1]
    write(f"{folder}/losses.json", losses())
    write(f"{folder}/optimizers.json", optimizers())
