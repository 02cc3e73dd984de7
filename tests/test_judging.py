"""What the one look at the test split counts."""

import keras
import numpy as np
import pytest

from hpsearch.worker.judging import judgement, outputs, predict, reader
from hpsearch.worker.measuring import so_many, timed_together

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


@keras.saving.register_keras_serializable("judging")
class RowsAtOnce(keras.layers.Layer):
    """Gives for each image how many came with it; counts how often it is called."""

    calls = 0

    def call(self, images):
        self.calls += 1
        rows = keras.ops.cast(keras.ops.shape(images)[0], "float32")
        return keras.ops.zeros_like(images[:, 0, :2]) + rows


@pytest.mark.parametrize(("side", "rows"), [(28, [512] * 512 + [8] * 8), (128, [128] * 512 + [8] * 8)])
def test_small_images_are_judged_512_at_once_and_large_ones_fewer(side, rows):
    model = keras.Sequential([keras.Input((side, side)), RowsAtOnce()])

    found = outputs(model, np.zeros((520, side, side), np.uint8))

    assert found[:, 0].tolist() == rows


@pytest.mark.parametrize(("side", "together"), [(28, 128), (128, 128), (512, 8), (4096, 1)])
def test_no_more_images_are_timed_together_than_are_judged_so(side, together):
    assert timed_together((side, side)) == together


def test_as_many_images_are_timed_as_is_told_though_there_are_fewer():
    timed = so_many(IMAGES, 128)

    assert timed.shape == (128, 4, 4)
    assert timed[::3].reshape(-1).tolist() == ([0] * 16 + [255] * 16) * 21 + [0] * 16


def test_a_model_is_judged_as_one_graph_which_does_not_keep_what_each_layer_gave():
    layer = RowsAtOnce()
    model = keras.Sequential([keras.Input((4, 4)), layer])
    before = layer.calls

    outputs(model, np.zeros((1200, 4, 4), np.uint8))

    assert layer.calls == before + 1


def test_a_reader_made_once_reads_with_the_weights_of_the_moment():
    model = bright(keras.layers.Dense(1))
    read = reader(model, IMAGES)
    model.layers[-1].set_weights([np.full((16, 1), 2.0), np.array([1.0])])

    assert outputs(model, IMAGES, read)[:, 0].tolist() == [1.0] * 3 + [33.0] * 3


def test_a_class_without_test_rows_has_no_figures_and_no_part_in_the_macro_averages():
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])

    report = judgement(labels, predicted, np.ones(4, "float32"), ("a", "b", "gone")).report

    assert report["gone"] == {"precision": None, "recall": None, "f1-score": None, "support": 0}
    assert (report["macro avg"]["precision"], report["macro avg"]["recall"]) == (1, 0.75)
    assert report["macro avg"]["f1-score"] == pytest.approx((1 + 2 / 3) / 2)


def test_a_layer_that_only_runs_eagerly_is_judged_all_the_same():
    class Eager(keras.layers.Layer):
        def call(self, images):
            return keras.ops.convert_to_tensor(images.numpy()[:, :2] - 0.5)

        def compute_output_shape(self, _):
            return (None, 2)

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.flatten, self.eager = keras.layers.Flatten(), Eager()

        def call(self, images):
            return self.eager(self.flatten(images))

    assert outputs(Own(), IMAGES).tolist() == [[-0.5, -0.5]] * 3 + [[0.5, 0.5]] * 3
