"""Makes the cases of src/export/onnx/run/tests.rs and tests/interop/using_exports.rs: ONNX files of other exporters and what
onnxruntime makes of them. Needs torch, onnx, onnxscript and onnxruntime.

    make_onnx_cases.py FOLDER

FOLDER gets operators.npz (`<name>/model` bytes, `<name>/x`, `<name>/y`: an operator in one of its variants each), and
torch_<name>.onnx, small face networks as PyTorch exports them, with torch.npz (`images` uint8 (N, H, W, 3), `<name>`).
"""

import os
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

warnings.simplefilter("ignore")
folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
random = np.random.RandomState(7)
torch.manual_seed(7)
FLOAT = TensorProto.FLOAT


def run(model, x):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def numbers(*shape):
    return random.normal(0, 1, shape).astype("float32")


arrays = {}


def case(name, nodes, opset, weights=(), shape=(2, 3, 9, 8), listed=False):
    """Nodes from `x` to `y`; weights as (name, array or TensorProto)."""
    initializers = [w if isinstance(w, TensorProto) else numpy_helper.from_array(np.asarray(v), w) for w, v in weights]
    x = numbers(*shape)
    inputs = [helper.make_tensor_value_info("x", FLOAT, ["N", *shape[1:]])]
    if listed:
        inputs += [helper.make_tensor_value_info(i.name, i.data_type, i.dims) for i in initializers]
    output = helper.make_tensor_value_info("y", FLOAT, None)
    graph = helper.make_graph(nodes, name, inputs, [output], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=min(8, 3 if listed else 8))
    model = model.SerializeToString()
    y = run(model, x)
    assert np.isfinite(y).all(), name
    arrays.update({f"{name}/model": np.frombuffer(model, np.uint8), f"{name}/x": x, f"{name}/y": y})


def node(kind, inputs="x", output="y", **attributes):
    return helper.make_node(kind, inputs.split(" "), output.split(" "), **attributes)


def ints(*values):
    return np.array(values, np.int64)


kernel = ("w", numbers(4, 3, 3, 3))
for auto in ("SAME_UPPER", "SAME_LOWER", "VALID"):
    case(f"conv_{auto}", [node("Conv", "x w", auto_pad=auto, strides=[2, 2])], 11, [kernel])
    case(f"max_{auto}", [node("MaxPool", auto_pad=auto, kernel_shape=[3, 2], strides=[2, 2])], 11)
    case(f"average_{auto}", [node("AveragePool", auto_pad=auto, kernel_shape=[3, 2], strides=[2, 1])], 11)
case("conv_pads", [node("Conv", "x w b", pads=[1, 0, 2, 1], dilations=[2, 1])], 17, [kernel, ("b", numbers(4))])
case("conv_groups", [node("Conv", "x w", pads=[1, 1, 1, 1], group=3)], 17, [("w", numbers(6, 1, 3, 3))])
case("max_ceil", [node("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)], 12)
case("average_all", [node("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)], 11)
case("average_inside", [node("AveragePool", kernel_shape=[3, 3], pads=[1, 0, 1, 1], strides=[2, 2])], 11)
for kind in ("GlobalAveragePool", "GlobalMaxPool", "Abs", "Neg", "Softsign", "Identity"):
    case(kind, [node(kind)], 13)
case("Mish", [node("Mish")], 18)
case("gelu_exact", [node("Gelu")], 20)
case("gelu_tanh", [node("Gelu", approximate="tanh")], 20)
positive = [node("Abs", "x", "a"), node("Add", "a one", "p")]
one = ("one", np.float32(1.0))
for kind in ("Log", "Sqrt", "Reciprocal"):
    case(kind, [*positive, node(kind, "p")], 13, [one])
case("Pow", [*positive, node("Pow", "p e")], 13, [one, ("e", np.float32(1.5))])
norm = [("s", numbers(3)), ("b", numbers(3)), ("m", numbers(3)), ("v", np.abs(numbers(3)) + 0.5)]
case("batch_norm", [node("BatchNormalization", "x s b m v", epsilon=1e-3)], 15, norm)
case("batch_norm_listed", [node("BatchNormalization", "x s b m v")], 7, norm, listed=True)
case("instance_norm", [node("InstanceNormalization", "x s b")], 9, norm[:2])
case("layer_norm", [node("LayerNormalization", "x s b", axis=2)], 17, [("s", numbers(9, 8)), ("b", numbers(9, 8))])
case("lp_norm", [node("LpNormalization", axis=1, p=2)], 11)
case("lp_norm_1", [node("LpNormalization", axis=-1, p=1)], 11)
case("prelu", [node("PRelu", "x w")], 9, [("w", numbers(3, 1, 1))])
case("clip_6", [node("Clip", min=-0.5, max=0.25)], 10)
case("clip_11", [node("Clip", "x l h")], 11, [("l", np.float32(-0.5)), ("h", np.float32(0.25))])
case("clip_above", [node("Clip", "x  h")], 13, [("h", np.float32(0.25))])
case("dropout", [node("Dropout")], 13)
case("pad_attribute", [node("Pad", pads=[0, 0, 1, 2, 0, 1, 0, 3], value=0.5)], 10)
case("pad_input", [node("Pad", "x p v")], 13, [("p", ints(0, 0, 1, 2, 0, 0, 0, 3)), ("v", np.float32(-1))])
case("pad_axes", [node("Pad", "x p  a")], 18, [("p", ints(1, 2, 0, 3)), ("a", ints(-2, 3))])
case("slice_attribute", [node("Slice", starts=[1, -3], ends=[9, 1000], axes=[2, 3])], 9)
case("slice_steps", [node("Slice", "x s e a t")], 13, [("s", ints(1, 0)), ("e", ints(99, 99)), ("a", ints(2, 3)), ("t", ints(2, 3))])
case("slice_back", [node("Slice", "x s e a t")], 13, [("s", ints(-1)), ("e", ints(-(2**63))), ("a", ints(3)), ("t", ints(-1))])
for axis in (0, 1, 2, -1):
    case(f"flatten_{axis}", [node("Flatten", axis=axis)], 13)
case("softmax_11", [node("Softmax", axis=2)], 11)
case("softmax_13", [node("Softmax", axis=1)], 13)
square = [("w", numbers(5, 8)), ("c", numbers(5))]
flat = (4, 8)
case("gemm", [node("Gemm", "x w c", transB=1)], 13, square, flat)
case("gemm_scaled", [node("Gemm", "x w c", transB=1, alpha=0.5, beta=2.0)], 13, square, flat)
case("gemm_turned", [node("Gemm", "x w", transA=1)], 13, [("w", numbers(4, 5))], flat)
case("matmul", [node("MatMul", "x w")], 13, [("w", numbers(8, 2))])
case("matmul_maps", [node("MatMul", "x w")], 13, [("w", numbers(3, 8, 2))])
for kind in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSumSquare"):
    case(f"{kind}_13", [node(kind, axes=[2, 3], keepdims=0)], 13 if kind != "ReduceSum" else 11)
    case(f"{kind}_18", [node(kind, "x a")], 18, [("a", ints(1, -1))])
case("ReduceSum_11", [node("ReduceSum", axes=[1])], 11)
case("ReduceSum_13", [node("ReduceSum", "x a", keepdims=0)], 13, [("a", ints(1))])
case("ReduceMean_all", [node("ReduceMean", keepdims=0)], 13)
case("squeeze_11", [node("Unsqueeze", "x", "u", axes=[0, 3]), node("Squeeze", "u", "y", axes=[0])], 11)
case("squeeze_13", [node("Unsqueeze", "x a", "u"), node("Squeeze", "u b")], 13, [("a", ints(-1, 1)), ("b", ints(1))])
case("squeeze_all", [node("GlobalAveragePool", "x", "g"), node("Squeeze", "g")], 13)
parts = [node("Concat", "c a b", axis=1)]
case("split_11", [node("Split", "x", "a b c", axis=2), *parts], 11)
case("split_13", [node("Split", "x s", "a b c", axis=3), node("Concat", "c a b", axis=-1)], 13, [("s", ints(1, 3, 4))])
case("split_even", [node("Split", "x", "a b", axis=3), node("Sub", "a b")], 13)
shape_of = [node("Shape", "x", "s"), node("Gather", "s zero", "n", axis=0), node("Unsqueeze", "n zeros", "n1")]
case(
    "view",
    [*shape_of, node("Concat", "n1 rest", "t", axis=0), node("Reshape", "x t")],
    13,
    [("zero", np.int64(0)), ("zeros", ints(0)), ("rest", ints(-1))],
)
case("reshape_keeps", [node("Reshape", "x t")], 13, [("t", ints(0, -1, 4))])
case("gather_rows", [node("Gather", "x i", axis=2)], 13, [("i", np.array([[0, -1], [3, 3]], np.int64))])
case("expand", [node("Mul", "x zeros", "z"), node("Expand", "one t", "e"), node("Add", "x e")], 13, [("zeros", np.float32(0)), ("one", numbers(3, 1, 1)), ("t", ints(1, 3, 9, 8))])
case("filled", [node("Shape", "x", "s"), helper.make_node("ConstantOfShape", ["s"], ["f"], value=helper.make_tensor("v", FLOAT, [1], [0.5])), node("Add", "x f")], 13)
case("constants", [helper.make_node("Constant", [], ["a"], value_float=0.5), helper.make_node("Constant", [], ["b"], value_floats=[0.5] * 8), node("Add", "x a", "c"), node("Mul", "c b")], 13)
case("where", [node("Greater", "x zero", "g"), node("Less", "x one", "l"), node("Where", "g x zero", "a"), node("Where", "l a one")], 13, [("zero", np.float32(0)), one])
case("sums", [node("Sum", "x x w", "s"), node("Max", "s x", "m"), node("Min", "m w")], 13, [("w", numbers(1, 3, 1, 1))])
scales = ("s", np.array([1, 1, 2, 3], np.float32))
case("upsample", [node("Upsample", "x s", mode="nearest")], 9, [scales])
case("resize_10", [node("Resize", "x s", mode="nearest")], 10, [scales])
resize = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
case("resize_nearest", [node("Resize", "x  s", mode="nearest", **resize)], 13, [scales])
case("resize_linear", [node("Resize", "x  s", mode="linear")], 13, [scales])
case("half", [node("Cast", "x", "h", to=TensorProto.FLOAT16), node("Mul", "h w", "p"), node("Cast", "p", "y", to=FLOAT)], 13, [("w", numbers(3, 1, 1).astype(np.float16))])
lists = [
    (helper.make_tensor("f", FLOAT, [3, 1, 1], [0.5, 1.5, -2.0]), None),
    (helper.make_tensor("h", TensorProto.FLOAT16, [1], [0.25]), None),
    (helper.make_tensor("i", TensorProto.INT64, [3], [2, 3, 72]), None),
]
case("lists", [node("Mul", "x f", "m"), node("Cast", "h", "h2", to=FLOAT), node("Add", "m h2", "a"), node("Reshape", "a i")], 13, lists)
np.savez_compressed(os.path.join(folder, "operators.npz"), **arrays)


class Residual(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.way = nn.Sequential(
            nn.BatchNorm2d(inputs, eps=1e-5), nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs),
            nn.PReLU(outputs), nn.Conv2d(outputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs),
        )
        self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return self.way(x) + self.short(x)


class Iresnet(nn.Module):
    """The shape of InsightFace's iresnet."""

    def __init__(self, length=16):
        super().__init__()
        self.begin = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8))
        self.blocks = nn.Sequential(Residual(8, 8), Residual(8, 16), Residual(16, 16))
        self.end = nn.BatchNorm2d(16)
        self.drop = nn.Dropout(0.4)
        self.fc = nn.Linear(16 * 7 * 7, length)
        self.features = nn.BatchNorm1d(length)

    def forward(self, x):
        x = self.drop(torch.flatten(self.end(self.blocks(self.begin(x))), 1))
        return self.features(self.fc(x))


class Mobile(nn.Module):
    """What mobile networks use: hard swish, squeeze and excitation, pooling, a unit embedding."""

    def __init__(self, length=16):
        super().__init__()
        self.begin = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.Hardswish(), nn.Conv2d(8, 8, 3, 2, 1, groups=8), nn.SiLU())
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1), nn.Hardsigmoid())
        self.end = nn.Sequential(nn.Conv2d(8, 16, 1), nn.ReLU6(), nn.MaxPool2d(2))
        self.norm = nn.LayerNorm(16)
        self.fc = nn.Linear(16, length)

    def forward(self, x):
        x = self.begin(x)
        x = self.end(x * self.squeeze(x))
        x = x.mean((2, 3)).view(x.size(0), -1)
        return nn.functional.normalize(self.fc(nn.functional.gelu(self.norm(x))))


def trained(model):
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    return model.eval()


side = 56
images = random.randint(0, 256, (5, side, side, 3)).astype(np.uint8)
x = ((images.astype("float32") / 255 - 0.5) * 2).transpose(0, 3, 1, 2).copy()
found = {"images": images}
for name, model, settings in [
    ("iresnet_11", Iresnet(), {"opset_version": 11, "dynamo": False}),
    ("iresnet_dynamo", Iresnet(), {"dynamo": True, "external_data": True}),
    ("mobile_13", Mobile(), {"opset_version": 13, "dynamo": False, "dynamic_axes": {"input.1": {0: "batch"}}}),
    ("mobile_dynamo", Mobile(), {"dynamo": True, "dynamic_shapes": ({0: torch.export.Dim("batch")},)}),
]:
    model = trained(model)
    path = os.path.join(folder, f"torch_{name}.onnx")
    batch = 2 if "dynam" in name and name != "iresnet_dynamo" else 1
    names = {} if settings["dynamo"] else {"input_names": ["input.1"]}
    torch.onnx.export(model, (torch.from_numpy(x[:batch]),), path, **settings, **names)
    y = np.concatenate([run(path, x[at : at + 1]) for at in range(len(x))])
    with torch.no_grad():
        assert np.allclose(y, model(torch.from_numpy(x)).numpy(), atol=1e-4), name
    found[name] = y
np.savez_compressed(os.path.join(folder, "torch.npz"), **found)
