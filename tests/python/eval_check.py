"""Evaluates a Keras model independently of facetui: eval_check.py MODEL.h5 LAYER OUT.json (PIXELS.npy PAIRS.json)...

PIXELS.npy holds the decoded images, float32 (N, H * W * 3) of 0 to 255; PAIRS.json {"size": [H, W], "pairs": [[a, b], ...],
"same": [...]}. The embedding is LAYER's output. OUT.json: for each set accuracy and threshold as the reference finds them,
mean and deviation of ten folds, TAR at FAR 0.1, the embeddings of the first images.
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np
import tf_keras
from norm_dense import make

model_path, layer, out, *sets = sys.argv[1:]
whole = tf_keras.models.load_model(model_path, compile=False, custom_objects={"NormDense": make(tf_keras)})
model = tf_keras.Model(whole.inputs, whole.get_layer(layer).output)
results = []
for pixels, pairs in zip(sets[::2], sets[1::2]):
    facts = json.load(open(pairs))
    images = np.load(pixels).reshape(-1, *facts["size"], 3)
    inputs = ((images / 255.0 - 0.5) * 2).astype("float32")
    embed = lambda batch: np.asarray(model(batch, training=False)).astype("float64")
    raw = embed(inputs)
    mean = (raw + embed(inputs[:, :, ::-1])) / 2
    norms = np.linalg.norm(mean, axis=1, keepdims=True)
    unit = mean / np.where(norms > 0, norms, 1)
    a, b = (unit[[pair[at] for pair in facts["pairs"]]] for at in (0, 1))
    same = np.array(facts["same"])
    dots = (a * b).sum(1)
    positives, negatives = np.sort(dots[same]), np.sort(dots[~same])
    steps = int(0.1 * len(negatives))
    candidates = negatives[-steps:]
    counts = [(positives > v).sum() + (negatives <= v).sum() for v in candidates]
    best = int(np.argmax(counts))
    distances = ((a - b) ** 2).sum(1)
    right = np.array([(distances < t) == same for t in np.arange(0, 4, 0.01)])
    folds = np.array_split(np.arange(len(same)), 10)
    accuracies = []
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(same)), fold)
        accuracies.append(right[np.argmax(right[:, rest].mean(1))][fold].mean())
    at_far = negatives[len(negatives) - 1 - int(0.1 * len(negatives))]
    results.append({
        "accuracy": counts[best] / len(same),
        "threshold": candidates[best],
        "fold_mean": np.mean(accuracies),
        "fold_deviation": np.std(accuracies),
        "tar": (positives > at_far).mean(),
        "tar_threshold": at_far,
        "raw": raw[:4].tolist(),
    })
with open(out, "w") as file:
    json.dump(results, file)
