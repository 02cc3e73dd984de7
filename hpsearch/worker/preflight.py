"""Builds the model a few times before the first trial: finds the space, and what is wrong while it costs seconds."""

import difflib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.errors import ExperimentRefused, HpsearchError, Mistake
from hpsearch.narrowing import narrow
from hpsearch.orders import Loop
from hpsearch.space import Parameter, Wish
from hpsearch.worker.task import Task

WHERE = "model.build"
LEAST_SCALE = 0.01  # of a Rescaling layer; 1 / 127.5 and 1 / 255 are less
LEARNING_RATE = "learning_rate"  # among the metrics of an epoch, but nothing to optimise
UNHEEDED = {  # what build_model can ask hp for, but not decide
    "batch_size": "leave it out, and search it by train.batch_size = [32, 64]",
    "epochs": "leave it out: train.epochs says them, and of every trial the best epoch counts",
}


@dataclass(frozen=True)
class Sample:
    """What sample builds are made of; `metric` is what the search will optimise.

    `loop` and `precision` (one of Keras's dtype policies) are those that the trials will train by.
    With `whole` a model will be trained on all rows in the end, with none to validate on.
    `class_weights` has one for each class, or none.
    """

    root: Path
    build: str
    task: Task
    seed: int
    space: Mapping[str, Wish]
    metric: str
    loop: Loop = "auto"
    precision: str = "float32"
    whole: bool = False
    class_weights: tuple[float, ...] = ()


@dataclass(frozen=True)
class Preflight:
    """What the sample builds showed: the parameters asked for, and the project's own modules, relative to its root.

    `doubts` are of a model that can be trained, but to little use.
    """

    parameters: tuple[Parameter, ...]
    modules: tuple[str, ...]
    doubts: tuple[Mistake, ...] = ()


def fly(sample: Sample) -> Preflight:
    """Make sample builds and train one on a few rows; raise ExperimentRefused with what is wrong."""
    from hpsearch.worker import building

    try:
        _set_precision(sample.precision)
        parameters = building.discover(
            sample.root, sample.build, sample.task, sample.seed, sample.space, sample.class_weights
        )
        metrics, doubts = _one_epoch(sample, parameters)
    except HpsearchError:
        raise
    except (Exception, SystemExit) as error:
        from hpsearch.worker.refusing import not_built

        raise ExperimentRefused([not_built(error, sample.root)]) from error
    _refuse_missing_metric(sample.metric, metrics)
    doubts += _of_training(sample.metric, metrics)
    return Preflight(tuple(parameters), _modules(sample), tuple(doubts))


def _modules(sample: Sample) -> tuple[str, ...]:
    """The project's modules; raise ExperimentRefused if the build's own is not among them: its changes count, too."""
    from hpsearch.worker import serving
    from hpsearch.worker.finding import project_modules

    root, module = sample.root.resolve(), sample.build.partition(":")[0]
    files, own = project_modules(root), serving.place(root, module)
    if own and own.resolve() not in files:
        what = f"changes of {own.relative_to(root)} could not be seen: it is not among the modules that Python holds"
        raise ExperimentRefused([Mistake(WHERE, what, "see that it stays in sys.modules, as a plain file does")])
    return tuple(file.relative_to(root).as_posix() for file in files)


def _set_precision(precision: str) -> None:
    import keras

    keras.config.set_dtype_policy(precision)


def _one_epoch(sample: Sample, parameters: Iterable[Parameter]) -> tuple[Iterable[str], list[Mistake]]:
    """Train the model of the default values on a few rows; give the names of its metrics, and what to doubt of it."""
    from hpsearch.worker import building, loops, trying
    from hpsearch.worker.finding import find_build, own_fit
    from hpsearch.worker.hp import AskingHyperParameters
    from hpsearch.worker.rows import image_shape, output_shape, refuse_other_width

    hp = AskingHyperParameters(lambda parameter: narrow(parameter, sample.space).default, sample.task)
    build = find_build(sample.root, sample.build)
    model, own = building.build(build, hp), own_fit(build) is not None
    _refuse_forgotten_precision(sample.precision)
    loops.choose(model, sample.loop, own_fit=own)  # before it runs eagerly, which no graph does
    with _whole_tracebacks():
        metrics = trying.one_epoch(build, hp, model, weights=sample.class_weights)
    if own and sample.whole:
        try:
            hp.begun = False
            trying.one_epoch(build, hp, building.build(build, hp), weights=sample.class_weights, validates=False)
        except Exception as error:
            from hpsearch.worker.refusing import not_whole

            raise ExperimentRefused([not_whole(error, sample.root)]) from error
    refuse_other_width(output_shape(model, image_shape(sample.task.image_shape, model)), sample.task.classes)
    noise = trying.images_of_noise(sample.task, sample.task.classes)
    _judge_copy(model, noise)
    if own:
        return metrics, list(_scaled_twice(model))
    return metrics, [*_scaled_twice(model), *_unheeded(parameters), *_no_probabilities(model, noise)]


def _unheeded(parameters: Iterable[Parameter]) -> Iterator[Mistake]:
    """What build_model asks for as if it were trained by it, as scripts do whose tuner hands it on to model.fit."""
    for name in dict.fromkeys(parameter.name for parameter in parameters if parameter.name in UNHEEDED):
        what = f"build_model asks hp for {name!r}, and is trained with that of [train] whatever it gets"
        yield Mistake(WHERE, what, UNHEEDED[name])


@contextmanager
def _whole_tracebacks() -> Iterator[None]:
    """Have Keras leave its own lines in tracebacks, so that an error tells which metric it came from."""
    import keras

    filtered = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        yield
    finally:
        if filtered:
            keras.config.enable_traceback_filtering()


def _scaled_twice(model: Any) -> Iterator[Mistake]:
    """A model that divides by 255 (or half of it) what comes to it from 0 to 1, as a tutorial's does."""
    import keras
    import numpy as np

    scales = [float(np.max(layer.scale)) for layer in _layers(model) if isinstance(layer, keras.layers.Rescaling)]
    if scales and min(scales) < LEAST_SCALE and max(scales) <= 1:
        what = "the model's Rescaling layer divides images that come to it from 0 to 1 already"
        yield Mistake(WHERE, what, "leave that layer out: so dark, all images look alike")


def _no_probabilities(model: Any, images: Any) -> Iterator[Mistake]:
    """A model that ends in numbers of any size, as a plain Dense layer does, with a loss that takes probabilities."""
    from hpsearch.worker import judging
    from hpsearch.worker.rows import keras_loss

    given_several = isinstance(model.loss, dict | list | tuple)
    if given_several or "crossentropy" not in str(keras_loss(model.loss)) or getattr(model.loss, "from_logits", False):
        return
    if judging.are_logits(judging.outputs(model, images)):
        what = "the model's loss takes probabilities, but its last layer gives numbers of any size: so it learns badly"
        yield Mistake(WHERE, what, "let it end in softmax (or sigmoid), or give the loss from_logits=True")


def _layers(outer: Any) -> Iterator[Any]:
    for layer in getattr(outer, "layers", ()):
        yield layer
        yield from _layers(layer)


def _refuse_forgotten_precision(wanted: str) -> None:
    """Refuse a build after which Keras computes in float32 again, as when it clears Keras's session."""
    import keras

    if (found := keras.config.dtype_policy().name) == "float32" != wanted:
        what = f"build_model sets Keras's precision back to {found!r}, where the trials are to have {wanted!r}"
        mend = "take clear_session out of it, each trial has a process of its own; or let train.precision be 'float32'"
        raise ExperimentRefused([Mistake(WHERE, what, mend)])


def _judge_copy(model: Any, images: Any) -> None:
    """Save the model and judge with what is loaded again, as the finals will; raise ExperimentRefused."""
    from hpsearch.worker import judging
    from hpsearch.worker.model_reading import read_model

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        try:
            model.save(file)
            judging.predict(read_model(file), images)
        except Exception as error:
            from hpsearch.worker.refusing import not_kept

            raise ExperimentRefused([not_kept(error)]) from error


def _refuse_missing_metric(metric: str, given: Iterable[str]) -> None:
    known = sorted(set(given) - {LEARNING_RATE})
    if metric in known:
        return
    alike = [name for name in known if name.startswith("val_") == metric.startswith("val_")]
    near = difflib.get_close_matches(metric, alike, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    what = f"the model does not give {metric!r}; name it in model.compile(metrics=[...]) or optimise another"
    raise ExperimentRefused([Mistake("search.objective", what, f"{hint}it gives: {', '.join(known)}")])


def _of_training(metric: str, given: Iterable[str]) -> Iterator[Mistake]:
    """An objective that is measured on the rows that train, where there is the same of those that validate."""
    if (validated := f"val_{metric}") in given:
        what = f"{metric!r} is measured on the images that train, so the trial that learns them by heart is best"
        yield Mistake("search.objective", what, f"{validated!r} is the same on images that do not")
