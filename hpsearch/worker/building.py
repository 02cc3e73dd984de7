"""Builds models: the one of a trial, and the samples that show what a search space asks for."""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from hpsearch import disk
from hpsearch.errors import ExperimentRefused, FolderUnusable, Mistake
from hpsearch.narrowing import narrow
from hpsearch.space import Condition, Parameter, Value, Wish
from hpsearch.worker import trying
from hpsearch.worker.doubting import first_weights
from hpsearch.worker.finding import Build, find_build, own_fit
from hpsearch.worker.stepping import Stepping
from hpsearch.worker.task import Task

MOST_BUILDS = 32
QUIET_BUILDS = 3

Found = dict[tuple[str, tuple[Condition, ...]], Parameter]


class Discovered(NamedTuple):
    """What sample builds showed: the parameters, and whether two models of the default values began alike."""

    parameters: list[Parameter]
    alike: bool


class NotAModel(ValueError):
    """What the build function returned cannot be trained."""


class SpaceDrift(ExperimentRefused):
    """Two builds with the same values asked for different things: no search of such a space means anything."""


def build(function: Build, hp: Any) -> Any:
    """Call the build function; raise NotAModel unless it returns a Keras model, compiled if hpsearch is to train it."""
    import keras

    model = function(hp)
    name = getattr(function, "__qualname__", repr(function))
    if model is None:
        message = f"{name} returned nothing; does it end with `return model`?"
    elif not isinstance(model, keras.Model):
        message = f"{name} returned a {type(model).__module__}.{type(model).__qualname__}, not a keras.Model"
    elif not (model.compiled or own_fit(function)):
        message = f"{name} returned a model that is not compiled; call model.compile(…) before `return model`"
    else:
        return model
    raise NotAModel(message)


def discover(
    root: Path, spec: str, task: Task, seed: int, space: Mapping[str, Wish] | None = None,
    class_weights: tuple[float, ...] = (),
) -> Discovered:  # fmt: skip
    """Find what the build function asks for by sample builds: two with defaults, then with other values.

    The parameters are as `space` narrows them, those of inactive scopes included, each (name, conditions)
    once, in the order found. Small choices are stepped through, so that every branch of them is seen; all else is
    random. Ends when that is done and three builds in a row show nothing new, at the latest after 32.
    Raises ExperimentRefused for wishes that cannot be granted, SpaceDrift, and what a build with defaults raises.
    """
    samples = _Samples(find_build(root, spec), task, space or {}, class_weights)
    found = samples.by_default()
    _refuse_drift(found, samples.by_default())
    samples.refuse_mistakes()
    quiet = 0
    for number in range(2, MOST_BUILDS):
        fresh = {key: parameter for key, parameter in samples.stepping(f"{seed}/{number}").items() if key not in found}
        found |= fresh
        quiet = 0 if fresh else quiet + 1
        if quiet >= QUIET_BUILDS and samples.steps.done:
            break
    samples.refuse_mistakes()
    return Discovered(list(found.values()), samples.began_alike)


def refuse_unkept(model: Any, task: Task) -> None:
    """Save the model and ask what is loaded again, as the finals will.

    Raises NotKept if it is another, FolderUnusable where the folder for temporary files has no room for it.
    """
    from hpsearch.worker.keeping import keep

    with tempfile.TemporaryDirectory() as folder:
        try:
            keep(model, Path(folder) / "model.keras", trying.images_of_noise(task), wary=True)
        except Exception as error:
            if not disk.of_full_disk(error):
                raise
            message = f"{disk.disk_full(Path(folder).parent)}\n  or set TMPDIR to a folder on another disk"
            raise FolderUnusable(message) from error


class _Samples:
    """Builds models to see what they ask for, inside one narrowed space."""

    def __init__(
        self, function: Build, task: Task, space: Mapping[str, Wish], class_weights: tuple[float, ...]
    ) -> None:
        self._function, self._task, self._space, self._weights = function, task, space, class_weights
        self._mistakes: dict[Mistake, None] = {}
        self._starts: list[bytes] = []
        self._kinds: set[str] = set()
        self.steps = Stepping()

    @property
    def began_alike(self) -> bool:
        """Whether the models of the default values began with the same weights, and these were drawn."""
        return len(set(self._starts)) == 1 and any(self._starts)

    def by_default(self) -> Found:
        """Build with every default; raise what the build raises."""
        self.steps.begin()
        hp = self._hp(lambda parameter: self.steps.note(parameter, parameter.default))
        self._build(hp)
        return self._found(hp)

    def stepping(self, seed: str) -> Found:
        """Build with other values. A point that cannot be built would fail its trial, so it does not fail here."""
        from hpsearch.worker.hp import to_keras_tuner

        def drawn(parameter: Parameter) -> Value:
            value: Value = to_keras_tuner(parameter).random_sample(f"{seed}/{parameter.name}")
            return value

        self.steps.set_out()
        hp = self._hp(lambda parameter: self.steps.step(parameter, drawn))
        with suppress(Exception):
            self._build(hp, few=True)
        return self._found(hp)

    def refuse_mistakes(self) -> None:
        """Raise ExperimentRefused with every wish that could not be granted so far."""
        if self._mistakes:
            raise ExperimentRefused(list(self._mistakes))

    def _hp(self, answer: Callable[[Parameter], Value]) -> Any:
        from hpsearch.worker.hp import AskingHyperParameters

        return AskingHyperParameters(lambda parameter: answer(self._narrowed(parameter)), self._task)

    def _build(self, hp: Any, *, few: bool = False) -> None:
        import keras

        precision = keras.config.dtype_policy()
        try:
            model = build(self._function, hp)
            self._look_at_parts(model, few=few)
            if not few:
                self._starts.append(first_weights(model))
            trying.begin_fit(self._function, hp, model, self._weights, few=few)
        finally:
            keras.utils.clear_session()  # which forgets the precision, too
            keras.config.set_dtype_policy(precision)

    def _look_at_parts(self, model: Any, *, few: bool) -> None:
        """Look whether parts that are not Keras's own come back from a file, once for each that the default lacks."""
        from hpsearch.worker.keeping import NotKept, own_kinds

        try:
            fresh = own_kinds(model) - self._kinds
            self._kinds |= fresh
            if fresh and few:
                refuse_unkept(model, self._task)
        except NotKept as refused:
            self._mistakes |= dict.fromkeys(refused.mistakes)

    def _found(self, hp: Any) -> Found:
        from hpsearch.worker.hp import to_parameter

        parameters = [self._narrowed(to_parameter(one)) for one in hp.space]
        return {(parameter.name, parameter.conditions): parameter for parameter in parameters}

    def _narrowed(self, parameter: Parameter) -> Parameter:
        try:
            return narrow(parameter, self._space)
        except ExperimentRefused as refused:
            self._mistakes |= dict.fromkeys(refused.mistakes)
            return parameter


def _refuse_drift(one: Found, other: Found) -> None:
    """Raise SpaceDrift unless two builds with equal values asked for equal things."""
    drifting = dict.fromkeys(key[0] for key in one | other if one.get(key) != other.get(key))
    if drifting:
        what = f"two builds with the same values asked differently for {', '.join(map(repr, drifting))}"
        raise SpaceDrift([Mistake("model.build", what, "let nothing but hp and its task decide what is asked for")])
