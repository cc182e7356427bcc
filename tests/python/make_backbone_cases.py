"""Writes tests/cases/backbones/layers.json: the layers of real keras.applications models (tf_keras, include_top=False,
112x112) with the reference's embedding head, for tests/interop/backbones.rs to compare with what facetui builds.

    PYTHONPATH=<Keras of `cargo xtask setup`> python tests/python/make_backbone_cases.py [FOLDER OF THE SHARED CASES]

The two MobileFaceNets are not in keras.applications: theirs are the configurations of the reference's own files.
"""

import gzip
import io
import json
import pathlib
import sys

import h5py
import keras as keras3
import tf_keras as keras
from tf_keras import applications, layers

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "cases" / "backbones" / "layers.json"
SHAPE = (112, 112, 3)
DROPOUT = 0.4
# What a layer computes; initialisers, regularisers and number formats are left out.
SETTINGS = [
    "filters", "kernel_size", "strides", "padding", "dilation_rate", "groups", "depth_multiplier", "use_bias", "units",
    "activation", "momentum", "epsilon", "center", "scale", "shared_axes", "max_value", "negative_slope", "threshold",
    "keepdims", "pool_size", "rate", "function",
]  # fmt: skip
MODELS = [
    ("mobilenet", 1.0, "MobileNet", {"alpha": 1.0}),
    ("mobilenet", 0.25, "MobileNet", {"alpha": 0.25}),
    ("mobilenetv2", 1.0, "MobileNetV2", {"alpha": 1.0}),
    ("mobilenetv2", 0.35, "MobileNetV2", {"alpha": 0.35}),
    ("mobilenetv2", 1.4, "MobileNetV2", {"alpha": 1.4}),
    ("mobilenetv3_large", 1.0, "MobileNetV3Large", {"alpha": 1.0}),
    ("mobilenetv3_large", 0.75, "MobileNetV3Large", {"alpha": 0.75}),
    ("mobilenetv3_large_minimalistic", 1.0, "MobileNetV3Large", {"alpha": 1.0, "minimalistic": True}),
    ("mobilenetv3_small", 1.0, "MobileNetV3Small", {"alpha": 1.0}),
    ("mobilenetv3_small", 0.75, "MobileNetV3Small", {"alpha": 0.75}),
    ("mobilenetv3_small_minimalistic", 1.0, "MobileNetV3Small", {"alpha": 1.0, "minimalistic": True}),
    ("resnet50v2", 1.0, "ResNet50V2", {}),
    ("resnet101v2", 1.0, "ResNet101V2", {}),
    ("resnet152v2", 1.0, "ResNet152V2", {}),
]
FILES = [
    ("mobilefacenet", 128, 0.4, "mobile_facenet_128_basic.k212.h5"),
    ("se_mobilefacenet", 64, 0.2, "head_se_mobilefacenet_GDC_emb64.k212.h5.gz"),
]


def with_head(basic, embedding):
    """The reference's `buildin_models`."""
    x = basic.outputs[0]
    x = layers.Conv2D(embedding, x.shape[1], use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.Dropout(DROPOUT)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(embedding, activation=None, use_bias=False, kernel_initializer="glorot_normal")(x)
    x = layers.BatchNormalization(name="embedding")(x)
    return keras.models.Model(basic.inputs[0], x)


def case(backbone, width, embedding, dropout, model, keras3_names):
    """Rows of [name, kind, inputs, shape]; equal kinds (class, settings, weights) are written once."""
    kinds, shapes, rows = [], [], []
    config = json.loads(model.to_json())["config"]["layers"]
    places = {entry["name"]: at for at, entry in enumerate(config)}

    def place(table, value):
        if value not in table:
            table.append(value)
        return table.index(value)

    for layer, entry in zip(model.layers, config):
        assert layer.name == entry["name"]
        settings = {key: entry["config"][key] for key in SETTINGS if key in entry["config"]}
        inbound = entry["inbound_nodes"]
        if entry["class_name"] == "TFOpLambda":
            name, _, _, arguments = inbound[0]
            inputs, settings["y"] = [name], arguments["y"]
        else:
            inputs = [source[0] for source in inbound[0]] if inbound else []
        weights = [
            [weight.name.split("/")[-1].split(":")[0], list(weight.shape)] for weight in layer.weights
        ]
        shape = layer.output_shape[0] if isinstance(layer.output_shape, list) else layer.output_shape
        kind = place(kinds, [entry["class_name"], settings, weights])
        rows.append([layer.name, kind, [places[name] for name in inputs], place(shapes, list(shape[1:]))])
    return {
        "backbone": backbone,
        "width": width,
        "embedding": embedding,
        "dropout": dropout,
        "parameters": model.count_params(),
        "trainable": sum(int(keras.backend.count_params(weight)) for weight in model.trainable_weights),
        "kinds": kinds,
        "shapes": shapes,
        "rows": rows,
        "keras3": keras3_names,
    }


def main():
    shared = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[2] / "shared" / "cases"
    cases = []
    for backbone, width, name, arguments in MODELS:
        v3 = {"include_preprocessing": False} if "V3" in name else {}
        arguments = {**arguments, **v3, "include_top": False, "weights": None, "input_shape": SHAPE}
        keras.backend.clear_session()
        # The reference's lengths.
        embedding = 512 if name.startswith("ResNet") else 256
        model = with_head(getattr(applications, name)(**arguments), embedding)
        keras3.backend.clear_session()
        newer = getattr(keras3.applications, name)(**arguments)
        names = [layer.name for layer in newer.layers if layer.weights]
        cases.append(case(backbone, width, embedding, DROPOUT, model, names))
    for backbone, embedding, dropout, name in FILES:
        content = (shared / "models" / name).read_bytes()
        content = gzip.decompress(content) if name.endswith(".gz") else content
        with h5py.File(io.BytesIO(content), "r") as file:
            config = file.attrs["model_config"]
        keras.backend.clear_session()
        model = keras.models.model_from_json(config)
        cases.append(case(backbone, 1.0, embedding, dropout, model, None))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in cases)
    OUT.write_text(f"[\n{lines}\n]\n")
    for entry in cases:
        print(entry["backbone"], entry["width"], len(entry["rows"]), entry["parameters"])


main()
