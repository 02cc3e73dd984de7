"""Four small perceptrons that many introductions to MNIST train side by side."""

import keras
from keras import layers
from keras_tuner import HyperParameters

from searchspace.optimizers import optimizer


def build_model_four_mlps(hp: HyperParameters) -> keras.Model:
    """Build and compile a perceptron of two equal hidden layers: 16 or 64 units, sigmoid or relu.

    Takes images (float32 from 0 to 1) of `hp.task.image_shape`; gives a probability for each class.
    """
    units = hp.Choice("units", [16, 64])
    activation = hp.Choice("activation", ["sigmoid", "relu"])
    model = keras.Sequential(
        [
            keras.Input(hp.task.image_shape),
            layers.Flatten(),
            layers.Dense(units, activation=activation),
            layers.Dense(units, activation=activation),
            layers.Dense(hp.task.classes, activation="softmax"),
        ]
    )
    model.compile(optimizer(hp), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
