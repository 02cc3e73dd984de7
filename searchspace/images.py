"""What happens to the images inside the network, before its first filters look at them.

All of it is layers of Keras's own, so it goes with the model wherever that is saved or exported to.
"""

import keras
from keras import layers
from keras_tuner import HyperParameters

FULL_TURN = 360

# Keras takes these layers to be training unless it is told: `fit` and `evaluate` tell, an exported graph does not.
UNLESS_TOLD = {"training": False}


def augmented(hp: HyperParameters, x: keras.KerasTensor) -> keras.KerasTensor:
    """Turn, shift and zoom every image by chance, anew in each epoch, if `hp` says so; only while training.

    The network never sees the same image twice, so it can learn longer before it knows them by heart.
    What comes in from beyond the edge is as the edge is there: black round MNIST's digits, white round ink on paper.
    `x` has the shape (rows, height, width, channels).
    """
    if not hp.Boolean("augment", default=False):
        return x
    with hp.conditional_scope("augment", [True]):
        degrees = hp.Int("rotation", 0, 15, step=5, default=10)
        pixels = hp.Int("shift", 0, 3, default=2)
        zoom = hp.Choice("zoom", [0.0, 0.05, 0.1], default=0.1)
    height, width = x.shape[1:3]
    if degrees:
        x = layers.RandomRotation(degrees / FULL_TURN, fill_mode="nearest")(x, **UNLESS_TOLD)
    if zoom:
        x = layers.RandomZoom(zoom, fill_mode="nearest")(x, **UNLESS_TOLD)
    if pixels:
        x = layers.RandomTranslation(pixels / height, pixels / width, fill_mode="nearest")(x, **UNLESS_TOLD)
    return x


def preprocessed(hp: HyperParameters, x: keras.KerasTensor) -> keras.KerasTensor:
    """Leave the pixels from 0 to 1, or scale each column of pixels of an image to unit length.

    The latter is what `keras.utils.normalize(images, axis=1)` does, which many tutorials on MNIST begin with: it
    takes out how thick and how dark the strokes are, and nothing is divided where a column is black.
    `x` has the shape (rows, height, width, channels).
    """
    if hp.Choice("preprocess", ["none", "normalize-columns"]) == "normalize-columns":
        x = layers.UnitNormalization(axis=1)(x)
    return x
