"""The reference's cosine head, as Keras must be told of it to open a whole model with an arcface head.

    from norm_dense import make
    NormDense = make(keras)          # keras or tf_keras
    keras.models.load_model(path, compile=False, custom_objects={"NormDense": NormDense})
"""


def make(keras):
    """The class for one of the two Kerases, which have separate base classes."""
    import tensorflow as tf

    class NormDense(keras.layers.Layer):
        """l2norm(x) @ l2norm(norm_dense_w, axis=0): cosines to the class centres."""

        def __init__(self, units=1000, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape):
            self.norm_dense_w = self.add_weight(
                name="norm_dense_w", shape=(input_shape[-1], self.units), initializer="glorot_normal", trainable=True
            )

        def call(self, inputs):
            weights = tf.nn.l2_normalize(tf.convert_to_tensor(self.norm_dense_w), axis=0)
            return tf.matmul(tf.nn.l2_normalize(inputs, axis=1), weights)

        def compute_output_shape(self, input_shape):
            return (input_shape[0], self.units)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return NormDense
