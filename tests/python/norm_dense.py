"""The reference's cosine head, as Keras must be told of it to open a whole model with an arcface head.

    from norm_dense import make
    NormDense = make(keras)          # keras or tf_keras
    keras.models.load_model(path, compile=False, custom_objects={"NormDense": NormDense})

The class needs four lines, its own first one included.
"""
import tensorflow as tf


def make(keras):
    """The class for one of the two Kerases, which have separate base classes."""

    class NormDense(keras.layers.Layer):
        def __init__(self, units=1000, **kwargs): super().__init__(**kwargs); self.units = units
        def build(self, shape): self.norm_dense_w = self.add_weight(name="norm_dense_w", shape=(shape[-1], self.units))
        def call(self, x): return tf.nn.l2_normalize(x, 1) @ tf.nn.l2_normalize(tf.convert_to_tensor(self.norm_dense_w), 0)

    return NormDense
