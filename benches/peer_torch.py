#!/usr/bin/env python3
"""The same training step in PyTorch, written as fast as PyTorch goes: what `cargo xtask gpu-check` races facetui against.

MobileFaceNet or ResNet50V2 (as Keras pads them, 112x112 images), an ArcFace head and SGD with momentum, channels-last, autocast where
the precision is bf16, the fused optimiser on a GPU; synthetic images that lie on the device. A JSON line a variant.

On a CPU the allocator's settings matter; facetui sets them for itself:
    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=68719476736 MALLOC_TOP_PAD_=1073741824 benches/peer_torch.py --device cpu
"""
import argparse
import json
import math
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn


def padded(inputs, outputs, kernel, stride, groups=1, bias=False):
    """A convolution with TensorFlow's `same` padding of an even size: with a stride the odd pixel goes to the end."""
    if stride == 1 or kernel == 1:
        return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=bias)
    low = (kernel - stride) // 2
    high = kernel - stride - low
    return nn.Sequential(nn.ZeroPad2d((low, high, low, high)), nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=bias))


def norm(channels, eps=1e-3):
    return nn.BatchNorm2d(channels, eps=eps, momentum=0.01)


class Residual(nn.Module):
    """`before` a block and beside it: x + body(x)."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return x + self.body(x)


def mobilefacenet(embedding):
    def block(inputs, outputs, factor, stride):
        wide = inputs * factor
        return nn.Sequential(
            nn.Conv2d(inputs, wide, 1, bias=False), norm(wide), nn.PReLU(wide),
            padded(wide, wide, 3, stride, groups=wide), norm(wide), nn.PReLU(wide),
            nn.Conv2d(wide, outputs, 1, bias=False), norm(outputs),
        )

    layers = [padded(3, 64, 3, 2), norm(64), nn.PReLU(64), padded(64, 64, 3, 1, groups=64), nn.Conv2d(64, 64, 1, bias=False), norm(64), nn.PReLU(64)]
    inputs = 64
    for outputs, factor, stride, times in [(64, 2, 2, 5), (128, 4, 2, 1), (128, 2, 1, 6), (128, 4, 2, 1), (128, 2, 1, 2)]:
        for turn in range(times):
            body = block(inputs, outputs, factor, stride if turn == 0 else 1)
            layers.append(Residual(body) if turn else body)
            inputs = outputs
    layers += [nn.Conv2d(128, 512, 1, bias=False), norm(512), nn.PReLU(512), nn.Conv2d(512, 512, 7, groups=512, bias=False), norm(512)]
    return layers + [nn.Conv2d(512, embedding, 1, bias=False), norm(embedding), nn.PReLU(embedding)]


class PreActivated(nn.Module):
    """A block of keras.applications' ResNetV2: the last of a stack has the stride."""

    def __init__(self, inputs, filters, stride, first):
        super().__init__()
        self.before = nn.Sequential(norm(inputs, 1.001e-5), nn.ReLU())
        self.body = nn.Sequential(
            nn.Conv2d(inputs, filters, 1, bias=False), norm(filters, 1.001e-5), nn.ReLU(),
            nn.Conv2d(filters, filters, 3, stride, 1, bias=False), norm(filters, 1.001e-5), nn.ReLU(),
            nn.Conv2d(filters, 4 * filters, 1),
        )
        self.first = first
        self.beside = nn.Conv2d(inputs, 4 * filters, 1) if first else (nn.MaxPool2d(1, stride) if stride > 1 else nn.Identity())

    def forward(self, x):
        active = self.before(x)
        return self.body(active) + self.beside(active if self.first else x)


def resnet50v2(embedding):
    layers = [nn.Conv2d(3, 64, 7, 2, 3), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for filters, times, stride in [(64, 3, 2), (128, 4, 2), (256, 6, 2), (512, 3, 1)]:
        for turn in range(times):
            layers.append(PreActivated(inputs, filters, stride if turn == times - 1 else 1, turn == 0))
            inputs = 4 * filters
    layers += [norm(inputs, 1.001e-5), nn.ReLU(), nn.Conv2d(inputs, embedding, 4, bias=False)]
    return layers + [norm(embedding), nn.PReLU(embedding)]


class Step(nn.Module):
    def __init__(self, network, embedding, classes):
        super().__init__()
        maps = {"mobilefacenet": mobilefacenet, "resnet50v2": resnet50v2}[network](embedding)
        self.network = nn.Sequential(
            *maps, nn.Dropout(0.4), nn.Flatten(), nn.Linear(embedding, embedding, bias=False), nn.BatchNorm1d(embedding, eps=1e-3, momentum=0.01)
        )
        self.weights = nn.Parameter(torch.randn(classes, embedding) * 0.01)

    def forward(self, images, labels, scale=64.0, margin=0.5):
        embeddings = self.network(images.float().sub_(127.5).mul_(1 / 127.5))
        cosines = F.linear(F.normalize(embeddings.float()), F.normalize(self.weights)).float()
        column = labels[:, None]
        own = cosines.gather(1, column).clamp(-1 + 1e-7, 1 - 1e-7)
        turned = torch.cos(torch.acos(own) + margin)
        turned = torch.where(own > math.cos(math.pi - margin), turned, -2 - turned)
        return F.cross_entropy(cosines.scatter(1, column, turned) * scale, labels)


def measure(options, variant):
    device = torch.device(options.device)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    step = Step(options.net, options.embedding, options.classes).to(device)
    step.network.to(memory_format=torch.channels_last)
    fast = {"fused": True} if device.type == "cuda" else {"foreach": True}
    optimizer = torch.optim.SGD(step.parameters(), 0.1, momentum=0.9, **fast)
    shape = (options.batch, 3, 112, 112)
    images = [torch.randint(0, 256, shape, dtype=torch.uint8, device=device).contiguous(memory_format=torch.channels_last) for _ in range(4)]
    labels = [torch.randint(0, options.classes, (options.batch,), device=device) for _ in range(4)]
    forward = torch.compile(step) if variant == "compile" else step
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None

    def once(turn):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=options.precision == "bf16"):
            loss = forward(images[turn % 4], labels[turn % 4])
        loss.backward()
        optimizer.step()
        return loss

    for turn in range(3):
        loss = once(turn)
    wait()
    times, began = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - began < options.seconds:
        start = time.perf_counter()
        # Queued without a wait in between, as training does; a few steps a measurement.
        many = 10 if device.type == "cuda" else 1
        for turn in range(many):
            loss = once(turn)
        wait()
        times.append((time.perf_counter() - start) / many)
    assert math.isfinite(loss.item()), "the loss is not finite"
    seconds = statistics.median(times)
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    print(json.dumps({
        "peer": f"torch {variant}", "torch": torch.__version__, "net": options.net, "batch": options.batch, "classes": options.classes,
        "precision": options.precision, "milliseconds": round(seconds * 1e3, 2), "images_per_second": round(options.batch / seconds, 1),
        "peak_memory": peak,
    }), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="mobilefacenet", choices=["mobilefacenet", "resnet50v2"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--classes", type=int, default=85742)
    parser.add_argument("--embedding", type=int, default=256)
    parser.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--variants", default="eager,compile")
    arguments = parser.parse_args()
    for name in arguments.variants.split(","):
        measure(arguments, name)
