"""Runs ONNX files with onnxruntime: for each file its path, the .npy of its input, the .npy to write."""

import sys

import numpy
import onnxruntime

onnxruntime.set_default_logger_severity(3)
for model, images, output in zip(*[iter(sys.argv[1:])] * 3):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    numpy.save(output, session.run(None, {name: numpy.load(images)})[0])
