"""What the one look at the test split counts."""

import keras
import numpy as np
import pytest

from hpsearch.worker.judging import predict

IMAGES = np.zeros((6, 4, 4), np.uint8)
IMAGES[3:] = 255


def bright(*layers):
    model = keras.Sequential([keras.Input((4, 4)), keras.layers.Flatten(), *layers])
    model.layers[-1].set_weights([np.full((16, 1), 1.0), np.array([-8.0])])
    return model


def test_one_sigmoid_for_two_classes_is_read_at_one_half():
    model = bright(keras.layers.Dense(1, activation="sigmoid"))

    assert predict(model, IMAGES)[0].tolist() == [0, 0, 0, 1, 1, 1]


def test_a_model_that_takes_any_size_is_given_the_images_with_a_channel():
    pooled = keras.Sequential(
        [keras.Input((None, None, 1)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    )
    pooled.layers[-1].set_weights([np.array([[-1.0, 1.0]]), np.array([0.5, 0.0])])

    assert predict(pooled, IMAGES)[0].tolist() == [0, 0, 0, 1, 1, 1]


def test_logits_are_read_as_probabilities():
    one = bright(keras.layers.Dense(1))
    two = keras.Sequential([keras.Input((4, 4)), keras.layers.Flatten(), keras.layers.Dense(2)])
    two.layers[-1].set_weights([np.stack([np.zeros(16), np.ones(16)], axis=1), np.array([8.0, 0.0])])

    predicted, confidence = predict(one, IMAGES)
    both, sure = predict(two, IMAGES)

    assert predicted.tolist() == both.tolist() == [0, 0, 0, 1, 1, 1]
    assert confidence.tolist() == pytest.approx([1 / (1 + np.exp(-8))] * 6)
    assert sure.tolist() == pytest.approx(confidence.tolist())


def test_the_confidence_is_the_predicted_classs_probability():
    model = bright(keras.layers.Dense(1, activation="sigmoid"))

    _, confidence = predict(model, IMAGES)

    assert confidence.dtype == np.float32
    assert confidence.tolist() == pytest.approx([1 / (1 + np.exp(-8))] * 6)
