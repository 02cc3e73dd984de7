"""Builds the model a few times before the first trial: finds the space, and what is wrong while it costs seconds."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.errors import ExperimentRefused, HpsearchError, Mistake
from hpsearch.narrowing import narrow
from hpsearch.orders import Loop
from hpsearch.space import Parameter, Wish
from hpsearch.worker import doubting
from hpsearch.worker.task import Task

if TYPE_CHECKING:
    from hpsearch.worker.building import Discovered

WHERE = "model.build"
LEARNING_RATE = "learning_rate"  # among the metrics of an epoch, but nothing to optimise


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
        found = building.discover(
            sample.root, sample.build, sample.task, sample.seed, sample.space, sample.class_weights
        )
        metrics, doubts = _one_epoch(sample, found)
    except HpsearchError:
        raise
    except (Exception, SystemExit) as error:
        from hpsearch.worker.refusing import not_built

        raise ExperimentRefused([not_built(error, sample.root)]) from error
    _refuse_missing_metric(sample.metric, metrics)
    doubts += doubting.of_training(sample.metric, metrics)
    return Preflight(tuple(found.parameters), _modules(sample), tuple(doubts))


def _set_precision(precision: str) -> None:
    import keras

    keras.config.set_dtype_policy(precision)


def _one_epoch(sample: Sample, found: "Discovered") -> tuple[Iterable[str], list[Mistake]]:
    """Train the model of the default values on a few rows; give the names of its metrics, and what to doubt of it."""
    from hpsearch.worker import bright_layers, building, loops, misleading, seeding, trying
    from hpsearch.worker.finding import find_build, own_fit
    from hpsearch.worker.hp import AskingHyperParameters
    from hpsearch.worker.rows import image_shape, output_shape, refuse_other_width

    hp = AskingHyperParameters(lambda parameter: narrow(parameter, sample.space).default, sample.task)
    build = find_build(sample.root, sample.build)
    begun = seeding.Begun(sample.seed)
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
    noise = trying.images_of_noise(sample.task)
    building.refuse_unkept(model, sample.task)
    doubts = [*doubting.one_seed(begun, alike=found.alike), *doubting.scaled_twice(model)]
    if not own:
        doubts += [*doubting.unheeded(found.parameters), *doubting.no_probabilities(model, noise)]
        doubts += misleading.accuracies(model, sample.task, noise)
    doubts += bright_layers.meant_for_bytes(model, noise)
    return metrics, doubts


def _refuse_forgotten_precision(wanted: str) -> None:
    """Refuse a build after which Keras computes in float32 again, as when it clears Keras's session."""
    import keras

    if (found := keras.config.dtype_policy().name) == "float32" != wanted:
        what = f"build_model sets Keras's precision back to {found!r}, where the trials are to have {wanted!r}"
        mend = "take clear_session out of it, each trial has a process of its own; or let train.precision be 'float32'"
        raise ExperimentRefused([Mistake(WHERE, what, mend)])


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


def _refuse_missing_metric(metric: str, given: Iterable[str]) -> None:
    known = sorted(set(given) - {LEARNING_RATE})
    if metric in known:
        return
    alike = [name for name in known if name.startswith("val_") == metric.startswith("val_")]
    near = difflib.get_close_matches(metric, alike, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    what = f"the model does not give {metric!r}; name it in model.compile(metrics=[...]) or optimise another"
    raise ExperimentRefused([Mistake("search.objective", what, f"{hint}it gives: {', '.join(known)}")])


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
