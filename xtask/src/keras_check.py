"""Checks an installation of Keras 2 and Keras 3: each writes a small .h5 model and reads it back. The runtimes load."""

import os
import tempfile

import ai_edge_litert.interpreter  # noqa: F401
import h5py  # noqa: F401
import keras
import numpy
import onnx  # noqa: F401
import onnxruntime  # noqa: F401
import tf_keras

for api in (tf_keras, keras):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.h5")
        model = api.Sequential([api.layers.Input((4,)), api.layers.Dense(2)])
        model.save(path)
        loaded = api.models.load_model(path, compile=False)
        batch = numpy.ones((3, 4), "float32")
        numpy.testing.assert_allclose(model.predict(batch, verbose=0), loaded.predict(batch, verbose=0), rtol=1e-6)
