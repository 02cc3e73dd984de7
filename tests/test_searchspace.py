import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from hpsearch.experiment import Experiment
from hpsearch.narrowing import narrow, never_asked
from hpsearch.space import Parameter, Value
from hpsearch.worker.building import build, discover
from hpsearch.worker.hp import AskingHyperParameters
from hpsearch.worker.task import Task
from searchspace.blocks import ACTIVATIONS
from searchspace.cnn import build_model_cnn
from searchspace.mlp import build_model_mlp
from searchspace.optimizers import LEARNING_RATES

ROOT = Path(__file__).parents[1]
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.toml"))
TASK = Task((28, 28), 10, tuple("0123456789"), rows=1000, epochs=6, batch_size=128)
SMALL = {"layers": 1, "units_0": 32, "blocks": 1, "filters_0": 16, "dense_units": 32}
RATES = {f"{name}_learning_rate" for name in LEARNING_RATES}


@pytest.fixture(autouse=True)
def _clear() -> Iterator[None]:
    yield
    keras.utils.clear_session()


def answering(task: Task = TASK, **values: Value) -> AskingHyperParameters:
    """An hp that answers with these values, else with defaults."""
    known = SMALL | values
    return AskingHyperParameters(lambda parameter: known.get(parameter.name, parameter.default), task)


def rate(model: Any, step: int) -> float:
    """The learning rate of the step, counted from 0."""
    model.optimizer.iterations.assign(step)
    return float(model.optimizer.learning_rate)


def combined() -> list[Any]:
    """Each optimizer with each schedule in each model; of an optimizer's six cases each model has one in every run."""
    found, schedules = [], ["none", "step", "cosine"]
    for (number, optimizer), place in product(enumerate(LEARNING_RATES), range(3)):
        chosen = optimizer, schedules[place], ACTIVATIONS[number % len(ACTIVATIONS)]
        for shift, build_model in enumerate((build_model_mlp, build_model_cnn)):
            rare = (number + shift) % 3 != place
            found.append(pytest.param(build_model, *chosen, marks=[pytest.mark.long] * rare))
    return found


@pytest.mark.parametrize(("build_model", "optimizer", "schedule", "activation"), combined())
def test_every_optimizer_schedule_and_activation_trains(
    build_model: Callable[[Any], Any], optimizer: str, schedule: str, activation: str
) -> None:
    hp = answering(optimizer=optimizer, schedule=schedule, activation=activation)
    images = np.random.default_rng(0).random((8, 28, 28), "float32")

    model = build(build_model, hp)
    model.run_eagerly = True  # to make a graph of a step takes ten times as long as the step
    loss, accuracy = model.train_on_batch(images, np.arange(8))

    assert model.output_shape == (None, 10)
    assert np.isfinite(loss)
    assert 0 <= accuracy <= 1
    assert type(model.optimizer).__name__.lower() == optimizer
    assert hp.get(f"{optimizer}_learning_rate") == pytest.approx(LEARNING_RATES[optimizer][2])


@pytest.mark.parametrize(("optimizer", "schedule"), [("adam", "none"), ("sgd", "cosine"), ("adamw", "step")])
def test_only_what_the_chosen_optimizer_and_schedule_need_is_asked(optimizer: str, schedule: str) -> None:
    hp = answering(optimizer=optimizer, schedule=schedule)

    build_model_mlp(hp)

    asked = set(hp.values)
    assert asked & RATES == {f"{optimizer}_learning_rate"}
    assert ({"momentum", "nesterov"} <= asked) == (optimizer == "sgd")
    assert ("weight_decay" in asked) == (optimizer == "adamw")
    assert ("warmup_epochs" in asked) == (schedule == "cosine")
    assert ("step_factor" in asked) == (schedule == "step")
    assert {"units_0", "units_1"} & asked == {"units_0"}


@pytest.mark.parametrize("warmup_epochs", [0, 2, 3])
def test_the_cosine_ends_with_the_last_step_of_the_last_epoch(warmup_epochs: int) -> None:
    model = build_model_mlp(answering(optimizer="adam", schedule="cosine", warmup_epochs=warmup_epochs))
    horizon = TASK.epochs * TASK.steps_per_epoch

    assert horizon == 48
    assert rate(model, warmup_epochs * TASK.steps_per_epoch) == pytest.approx(1e-3)
    assert rate(model, horizon - 1) > 0
    assert rate(model, horizon) == pytest.approx(0, abs=1e-12)


def test_a_training_of_one_epoch_has_no_warm_up() -> None:
    task = Task((28, 28), 10, TASK.class_names, rows=1000, epochs=1, batch_size=100)

    model = build_model_mlp(answering(task, optimizer="adam", schedule="cosine", warmup_epochs=3))

    assert rate(model, 0) == pytest.approx(1e-3)
    assert rate(model, 10) == pytest.approx(0, abs=1e-12)


def test_the_steps_fall_after_each_third_of_the_training() -> None:
    model = build_model_mlp(answering(optimizer="adam", schedule="step", step_factor=0.1))

    assert [rate(model, step) for step in (0, 15, 16, 31, 32, 47)] == pytest.approx(
        [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5]
    )


def test_deeper_networks_have_more_units_to_ask_for() -> None:
    hp = answering(layers=4, units_3=64)

    model = build_model_mlp(hp)

    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [32, 256, 256, 64, 10]


def test_convolutions_take_images_of_other_sizes() -> None:
    task = Task((5, 8), 5, tuple("abcde"), rows=100, epochs=2, batch_size=10)

    model = build_model_cnn(answering(task, blocks=3))

    assert (model.input_shape, model.output_shape) == ((None, 5, 8), (None, 5))


def layer_kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def until(model: Any, kind: type) -> Any:
    """The part of the network that ends with its one layer of this kind."""
    (last,) = (layer for layer in model.layers if isinstance(layer, kind))
    return keras.Model(model.input, last.output)


def test_images_are_turned_zoomed_and_shifted_anew_at_each_look_but_only_in_training() -> None:
    model = build_model_cnn(answering(augment=True))
    seen = until(model, layers.RandomTranslation)
    images = np.zeros((4, 28, 28), np.float32)
    images[:, 8:20, 10:18] = 1.0

    first, second, judged = (np.asarray(seen(images, training=training)) for training in (True, True, False))
    on_paper = np.asarray(seen(1 - images, training=True))

    assert (first != second).any(axis=(1, 2, 3)).all()  # another look
    assert (first[:1] != first[1:]).any(axis=(1, 2, 3)).all()  # each image in its own way
    for rim in ((0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1)):
        assert not first[:, *rim].any()  # what comes in from outside is as the rim: black, or paper
        np.testing.assert_allclose(on_paper[:, *rim], 1, atol=1e-6)
    np.testing.assert_array_equal(judged[..., 0], images)


def test_only_what_augments_stands_in_the_network() -> None:
    model = build_model_cnn(answering(augment=True, rotation=0, zoom=0.0, shift=2))

    plain = build_model_cnn(answering(augment=False))

    assert [kind for kind in layer_kinds(model) if kind.startswith("Random")] == ["RandomTranslation"]
    assert not [kind for kind in layer_kinds(plain) if kind.startswith("Random")]


@pytest.mark.parametrize("shape", [(28, 28), (20, 24)])
def test_normalized_columns_are_those_of_keras(shape: tuple[int, int]) -> None:
    task = Task(shape, 10, TASK.class_names, rows=1000, epochs=6, batch_size=128)
    model = build_model_cnn(answering(task, preprocess="normalize-columns"))
    normalized = until(model, layers.UnitNormalization)
    images = np.random.default_rng(0).integers(0, 256, (16, *shape), dtype=np.uint8)
    images[:, :, :5] = 0  # black columns
    images[0] = 0

    found = np.asarray(normalized(images.astype("float32") / np.float32(255), training=False))

    expected = keras.utils.normalize(images.astype("float64"), axis=1)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-6, atol=1e-7)


def test_what_happens_to_the_images_stays_in_a_saved_and_in_an_exported_model(tmp_path: Path) -> None:
    model = build_model_cnn(answering(augment=True, preprocess="normalize-columns"))
    images = np.random.default_rng(0).random((3, 28, 28), "float32")
    expected = model.predict(images, verbose=0)

    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "exported", verbose=False)

    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(loaded.predict(images, verbose=0), expected, atol=1e-6)
    np.testing.assert_allclose(exported.serve(images), expected, atol=1e-6)


def test_two_convolutions_a_block_look_twice_before_the_image_shrinks() -> None:
    model = build_model_cnn(answering(convolutions=2))

    assert layer_kinds(model).count("Conv2D") == 2
    assert layer_kinds(model).count("MaxPooling2D") == 1


def test_there_are_experiments() -> None:
    assert [path.stem for path in EXPERIMENTS] == [
        "emnist_cnn", "emnist_cnn_cv", "emnist_mlp", "emnist_mlp_cv", "mnist_ann", "mnist_cnn",
        "mnist_cnn_normalize", "mnist_cnn_reference",
        "mnist_four_mlps", "mnist_mlp", "quickstart",
    ]  # fmt: skip


@cache
def discovered(path: Path) -> tuple[Experiment, Sequence[Parameter]]:
    """An experiment, and what its model asks for."""
    experiment = Experiment.model_validate(tomllib.loads(path.read_text()))
    task = Task((28, 28), 47, tuple(map(str, range(47))), rows=5000, epochs=3, batch_size=128)
    return experiment, discover(ROOT, experiment.model.build, task, experiment.seed, experiment.wishes).parameters


@pytest.mark.parametrize("name", ["emnist_mlp_cv", "emnist_cnn_cv"])
def test_the_experiments_with_folds_search_every_optimizer_schedule_and_regulariser(name: str) -> None:
    experiment, found = discovered(ROOT / "experiments" / f"{name}.toml")

    narrowed = {one.name: narrow(one, experiment.wishes) for one in found}
    assert set(narrowed["optimizer"].choices) == set(LEARNING_RATES)
    assert set(narrowed["schedule"].choices) == {"step", "cosine"}
    assert narrowed["batch_norm"].kind == "boolean"
    assert {narrowed[name].kind for name in ("l1", "l2", "dropout")} == {"choice", "float"}
    assert (experiment.races, experiment.search.trials) == (True, 10)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_is_valid_and_narrows_only_what_its_model_asks_for(path: Path) -> None:
    experiment, parameters = discovered(path)

    assert not never_asked(experiment.wishes, parameters)
    assert all(narrow(parameter, experiment.wishes).kind == parameter.kind for parameter in parameters)
    assert experiment.name == path.stem.replace("_", "-")
