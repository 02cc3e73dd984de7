"""A convolutional network: small filters look for the same shapes everywhere in the image."""

import keras
from keras import layers
from keras_tuner import HyperParameters

from searchspace.blocks import activated, dropped, from_here, penalty
from searchspace.images import augmented, preprocessed
from searchspace.optimizers import optimizer


def build_model_cnn(hp: HyperParameters) -> keras.Model:
    """Build and compile a convolutional network as `hp` chooses.

    Takes images (float32 from 0 to 1) of `hp.task.image_shape`, which is height and width; gives a probability for
    each class.
    """
    images = keras.Input(hp.task.image_shape)
    x = layers.Reshape((*hp.task.image_shape, 1))(images)  # grey has one channel
    x = preprocessed(hp, augmented(hp, x))
    kernel_size = hp.Choice("kernel_size", [3, 5])
    convolutions = hp.Int("convolutions", 1, 2, default=1)

    for block in range(hp.Int("blocks", 1, 3, default=2)):
        with hp.conditional_scope("blocks", from_here(block)):
            filters = hp.Int(f"filters_{block}", 16, 64, step=16, default=32)
        for _ in range(convolutions):
            x = layers.Conv2D(filters, kernel_size, padding="same", kernel_regularizer=penalty(hp))(x)
            x = activated(hp, x)
        x = layers.MaxPooling2D(padding="same")(x)

    x = layers.Flatten()(x)
    x = layers.Dense(hp.Int("dense_units", 32, 256, step=32, default=128), kernel_regularizer=penalty(hp))(x)
    x = activated(hp, x)
    x = dropped(hp, x)
    classes = layers.Dense(hp.task.classes, activation="softmax")(x)

    model = keras.Model(images, classes)
    model.compile(optimizer(hp), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
