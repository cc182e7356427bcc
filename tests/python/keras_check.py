"""Opens models with tf_keras and Keras 3 and writes what they make of images: keras_check.py IMAGES.npy OUT.json MODEL.h5...

IMAGES.npy holds uint8 (N, 112, 112, 3). OUT.json: {"<model>|<keras>": [[...], ...]}, the model's outputs.
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import keras
import numpy
import tf_keras
from norm_dense import make

images, out, *models = sys.argv[1:]
pixels = numpy.load(images).astype("float32")
inputs = (pixels / 255.0 - 0.5) * 2
results = {}
for name, package in (("tf_keras", tf_keras), ("keras3", keras)):
    assert package.__version__.startswith({"tf_keras": "2.", "keras3": "3."}[name]), package.__version__
    for path in models:
        extra = {"custom_objects": {"NormDense": make(package)}} if "arcface" in os.path.basename(path) else {}
        model = package.models.load_model(path, compile=False, **extra)
        results[f"{os.path.basename(path)}|{name}"] = numpy.asarray(model(inputs, training=False)).tolist()
with open(out, "w") as file:
    json.dump(results, file)
