"""Real keras.applications networks for tests/interop/backbones.rs: backbone_check.py FOLDER.

FOLDER/images.npy holds uint8 (N, 112, 112, 3). Writes, for each network, its weights as Keras leaves them (NAME.h5), and
FOLDER/maps.json: {"<NAME>": the last map for the images}.
"""

import json
import pathlib
import sys

import keras as keras3
import numpy
import tf_keras

folder = pathlib.Path(sys.argv[1])
inputs = (numpy.load(folder / "images.npy").astype("float32") / 255.0 - 0.5) * 2
random = numpy.random.default_rng(5)
V3 = {"include_preprocessing": False}
maps = {}
for name, package, model, arguments, save in [
    ("mobilenet-0.25", tf_keras, "MobileNet", {"alpha": 0.25}, "save_weights"),
    ("mobilenetv2-0.35", tf_keras, "MobileNetV2", {"alpha": 0.35}, "save_weights"),
    ("mobilenetv3_small-0.75", tf_keras, "MobileNetV3Small", {"alpha": 0.75, **V3}, "save_weights"),
    ("mobilenetv3_large-0.75", keras3, "MobileNetV3Large", {"alpha": 0.75, **V3}, "save"),
    ("resnet50v2-1.0", tf_keras, "ResNet50V2", {}, "save_weights"),
]:
    build = getattr(package.applications, model)
    network = build(include_top=False, weights=None, input_shape=(112, 112, 3), **arguments)
    # As different from fresh weights as training makes them, so that no layer can be taken for another.
    for layer in network.layers:
        if layer.__class__.__name__ == "BatchNormalization":
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([
                random.uniform(0.8, 1.2, gamma.shape),
                random.uniform(-0.2, 0.2, beta.shape),
                random.uniform(-0.1, 0.1, mean.shape),
                random.uniform(0.5, 1.5, variance.shape),
            ])  # fmt: skip
    getattr(network, save)(folder / f"{name}.h5")
    maps[name] = numpy.asarray(network(inputs, training=False)).tolist()
(folder / "maps.json").write_text(json.dumps(maps))
