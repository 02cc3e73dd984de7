"""The pieces that networks are made of here."""

import keras
from keras import layers
from keras_tuner import HyperParameters

ACTIVATIONS = ["relu", "leaky_relu", "elu", "tanh", "sigmoid"]


def activated(hp: HyperParameters, x: keras.KerasTensor) -> keras.KerasTensor:
    """Normalise the outputs of a layer, if `hp` says so, then bend them."""
    if hp.Boolean("batch_norm", default=True):
        # Keras averages over some hundred batches (0.99); over ten, a small data set is known after one epoch, too.
        x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation(hp.Choice("activation", ACTIVATIONS))(x)


def dropped(hp: HyperParameters, x: keras.KerasTensor) -> keras.KerasTensor:
    """Switch off a random share of the units in each training step, so that none can rely on another."""
    return layers.Dropout(hp.Float("dropout", 0.0, 0.4, step=0.1, default=0.2))(x)


def penalty(hp: HyperParameters) -> keras.regularizers.Regularizer:
    """Make large weights cost something: L1 pushes them to zero, L2 keeps them small."""
    l1 = hp.Choice("l1", [0.0, 1e-7, 1e-6, 1e-5])
    l2 = hp.Choice("l2", [0.0, 1e-6, 1e-5, 1e-4])
    return keras.regularizers.L1L2(l1, l2)


def from_here(number: int) -> list[int]:
    """The depths at which a network has a layer (or block) of this number, counted from 0.

    Reaches further than our own searches go, so that [space] may ask for deeper networks.
    """
    return list(range(number + 1, 21))
