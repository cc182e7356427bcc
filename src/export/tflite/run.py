"""Runs TFLite files with LiteRT or TensorFlow: for each file its path, the .npy of its input, the .npy to write.

What is written: the output for the whole input, then the output for its first row alone.
"""

import sys

import numpy

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    import tensorflow

    Interpreter = tensorflow.lite.Interpreter


def run(path, images):
    interpreter = Interpreter(model_path=path)
    place = interpreter.get_input_details()[0]["index"]
    if list(interpreter.get_input_details()[0]["shape"]) != list(images.shape):
        interpreter.resize_tensor_input(place, images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, images)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


for model, images, output in zip(*[iter(sys.argv[1:])] * 3):
    images = numpy.load(images)
    numpy.save(output, numpy.concatenate([run(model, images), run(model, images[:1])]))
