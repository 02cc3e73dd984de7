"""A multilayer perceptron: every pixel goes to every unit."""

import keras
from keras import layers
from keras_tuner import HyperParameters

from searchspace.blocks import activated, dropped, from_here, penalty
from searchspace.optimizers import optimizer


def build_model_mlp(hp: HyperParameters) -> keras.Model:
    """Build and compile a perceptron as `hp` chooses.

    Takes images (float32 from 0 to 1) of `hp.task.image_shape`; gives a probability for each class.
    """
    images = keras.Input(hp.task.image_shape)
    x = layers.Flatten()(images)

    for layer in range(hp.Int("layers", 1, 3, default=2)):
        # Says to the tuner that these units matter only in a network deep enough to have them.
        with hp.conditional_scope("layers", from_here(layer)):
            units = hp.Int(f"units_{layer}", 32, 512, step=32, default=256)
        x = layers.Dense(units, kernel_regularizer=penalty(hp))(x)
        x = activated(hp, x)
        x = dropped(hp, x)

    classes = layers.Dense(hp.task.classes, activation="softmax")(x)

    model = keras.Model(images, classes)
    model.compile(optimizer(hp), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
