"""Runs a PyTorch state dict that `facetui export --pytorch` wrote, with PyTorch's own operations, as its `model_config`
says: argv are the .safetensors file, the .npy of images (N, C, H, W) in -1 to 1, and the .npy to write.
"""

import json
import sys

import numpy
import torch
from safetensors import safe_open
from torch.nn import functional as F

path, images, output = sys.argv[1:]
with safe_open(path, "pt") as file:
    state = {name: file.get_tensor(name) for name in file.keys()}
    layers = json.loads(file.metadata()["model_config"])["config"]["layers"]


def pair(value):
    return tuple(value) if isinstance(value, (list, tuple)) else (value, value)


def padded(x, settings, kernel):
    if settings["padding"] != "same":
        return x
    sizes = []
    for axis in (3, 2):
        size, k, s, d = x.shape[axis], kernel[axis - 2], pair(settings["strides"])[axis - 2], pair(settings["dilation_rate"])[axis - 2]
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        sizes += [total // 2, total - total // 2]
    return F.pad(x, sizes)


def activated(x, settings):
    name = settings.get("activation", "linear")
    return x if name == "linear" else {"relu": F.relu, "relu6": F.relu6, "softmax": lambda x: x.softmax(-1)}[name](x)


def norm(x, name, settings):
    shape = (1, -1) + (1,) * (x.dim() - 2)
    get = lambda what, none: state.get(f"{name}.{what}", none).reshape(shape)
    mean, variance = get("running_mean", None), get("running_var", None)
    scale, offset = get("weight", torch.ones_like(mean)), get("bias", torch.zeros_like(mean))
    return (x - mean) / torch.sqrt(variance + settings["epsilon"]) * scale + offset


def run(kind, name, settings, inputs):
    x = inputs[0]
    weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
    if kind in ("Conv2D", "DepthwiseConv2D"):
        groups = x.shape[1] if kind == "DepthwiseConv2D" else settings.get("groups", 1)
        x = padded(x, settings, weight.shape[2:])
        x = F.conv2d(x, weight, bias, pair(settings["strides"]), 0, pair(settings["dilation_rate"]), groups)
        return activated(x, settings)
    if kind == "SeparableConv2D":
        depth = state[f"{name}.depthwise.weight"]
        x = F.conv2d(padded(x, settings, depth.shape[2:]), depth, None, pair(settings["strides"]), groups=x.shape[1])
        return activated(F.conv2d(x, state[f"{name}.pointwise.weight"], state.get(f"{name}.pointwise.bias")), settings)
    if kind == "Dense":
        return activated(F.linear(x, weight, bias), settings)
    if kind == "BatchNormalization":
        return norm(x, name, settings)
    if kind == "PReLU":
        slope = weight.reshape(1, -1, 1, 1) if weight.dim() == 1 else weight[None]
        return F.relu(x) - slope * F.relu(-x)
    simple = {
        "Flatten": lambda: x.flatten(1),
        "Add": lambda: sum(inputs),
        "Dropout": lambda: x,
        "Activation": lambda: activated(x, settings),
        "ZeroPadding2D": lambda: F.pad(x, [*settings["padding"][1], *settings["padding"][0]]),
        "MaxPooling2D": lambda: F.max_pool2d(x, pair(settings["pool_size"]), pair(settings["strides"])),
        "ReLU": lambda: x.clamp(0, settings.get("max_value") or float("inf")),
    }
    return simple[kind]()


values = {}
x = torch.from_numpy(numpy.load(images))
with torch.no_grad():
    for layer in layers:
        name, settings = layer["config"]["name"], layer["config"]
        if layer["class_name"] == "InputLayer":
            values[name] = x
            continue
        inputs = [values[entry[0]] for entry in layer["inbound_nodes"][0]]
        values[name] = last = run(layer["class_name"], name, settings, inputs)
numpy.save(output, last.numpy())
