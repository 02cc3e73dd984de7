"""What was asked for: the experiment file as a typed, frozen record."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from hpsearch.objective import Objective
from hpsearch.space import Bounds, Sampling, Wish

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
SPAN = re.compile(r"^(?:(\d{1,9})h)? ?(?:(\d{1,9})m)? ?(?:(\d{1,9})s)?$")
SIZE = re.compile(r"^(\d{1,9}(?:\.\d{1,3})?) ?([KMGT]i?)B$")
RACED = Objective("max", "val_accuracy")  # the one whose differences can be told image by image
HOLDOUT = 0.15  # of the training rows
POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}


def seconds(span: str) -> float:
    """Turn a span of time such as "90s", "30m" or "1h30m" into seconds; raise ValueError on anything else."""
    if not span or not (match := SPAN.match(span)):
        message = f"a span of time reads '90s', '30m' or '1h30m', not {span!r}"
        raise ValueError(message)
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return float(hours * 3600 + minutes * 60 + rest)


def size(text: str) -> int:
    """Turn an amount of memory such as "500MB" (10**6 bytes), "1.5GB" or "2GiB" (2**30) into bytes.

    Raise ValueError on anything else.
    """
    if not (match := SIZE.match(text)):
        message = f"an amount of memory reads '500MB', '1.5GB' or '2GiB', not {text!r}"
        raise ValueError(message)
    number, unit = match.groups()
    base = 1024 if unit.endswith("i") else 1000
    return int(float(number) * base ** POWERS[unit[0]])


def _is_size(text: str) -> str:
    if size(text) <= 0:
        message = "an amount of memory is more than nothing"
        raise ValueError(message)
    return text


def _spans_time(span: str) -> str:
    if seconds(span) <= 0:
        message = "a span of time is longer than nothing"
        raise ValueError(message)
    return span


def _names_a_folder(name: str) -> str:
    if name.partition(".")[0].lower() in DEVICES or name.endswith("."):
        message = f"{name!r} can be the name of no folder on Windows"
        raise ValueError(message)
    return name


def _only_if_true(given: bool | None) -> bool | None:
    return given or None


def _is_objective(text: str) -> str:
    Objective.parse(text)
    return text


Span = Annotated[str, AfterValidator(_spans_time)]
Size = Annotated[str, AfterValidator(_is_size)]
Scalar = StrictBool | StrictInt | StrictFloat | StrictStr


class Section(BaseModel):
    """A table of the file: unknown keys are mistakes, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Data(Section):
    """[data]: which images, and how they are divided."""

    source: str = "mnist-5k"
    """The data set's name; see `hpsearch data list`."""
    file: str | None = None
    """For sources "npz" and "csv": the archive or table."""
    folder: str | None = None
    """For sources "idx" and "folder": the folder that holds the files, or the folders of the classes."""
    train: str | None = None
    """What trains, unless it has a usual name: how the files begin ("idx"), two arrays ("npz": "x, y"), a subfolder."""
    test: Annotated[float, Field(gt=0, lt=1)] | str | None = None
    """What tests, said as in `train`, or a second table ("csv"); a number is the share to hold out (else 0.2)."""
    size: Annotated[list[Annotated[int, Field(ge=1, le=16_384)]], Field(min_length=2, max_length=2)] | None = None
    """[height, width]: what pictures are scaled to ("folder"), or how the pixels of a row lie ("csv", "npz").

    Pictures of other proportions are squeezed into it.
    """
    transposed: bool = False
    """For sources "idx", "npz" and "csv": the images lie on their side, as EMNIST's official files do.

    They are stood up when they are read, after `size` cut them: those of [20, 30] come out 30 high and 20 wide.
    """
    invert: Annotated[StrictBool | None, AfterValidator(_only_if_true)] = None
    """For one's own images of dark ink on bright: turn them into bright on dark while they are prepared."""
    mirror: str | None = None
    """An address, or a folder, to fetch the source's files from in place of the well-known one."""
    validation: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The share of the training rows, stratified, that validates: 0.15 unless this or `folds` is given."""
    folds: Annotated[int, Field(ge=2, le=100)] | None = None
    """Stratified cross-validation with so many folds, in place of `validation`."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """How often each trial is trained (on each fold), on fresh seeds; its score is the mean."""
    allow_empty_class: bool = False
    """Accept a data set in which a class has no rows."""

    @property
    def holdout(self) -> float | None:
        """The share that validates, None with folds."""
        return None if self.folds else self.validation or HOLDOUT

    @property
    def several(self) -> bool:
        """Whether a trial is trained more than once."""
        return bool(self.folds) or self.repeats > 1


class Model(Section):
    """[model]: the search space."""

    build: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    """"module:function": a file under the project's root or an installed package; a build_model(hp) or a HyperModel."""


class Range(Section):
    """A narrowed numeric range in [space]."""

    min: StrictInt | StrictFloat
    """The least value; it may lie below that of build_model."""
    max: StrictInt | StrictFloat
    """The greatest value; it may lie above that of build_model."""
    step: StrictInt | StrictFloat | None = None
    """The distance between values, or their ratio where sampling is by logarithm; build_model's unless given."""
    sampling: Sampling | None = None
    """How values are spread: evenly, denser towards `min`, or denser towards `max`; build_model's unless given."""


class Search(Section):
    """[search]: who chooses the trials, what for, and how many."""

    tuner: str = "keras-tuner.random"
    """The algorithm that chooses the trials, such as "optuna.tpe"."""
    tuner_options: dict[str, Any] = {}
    """A table of the tuner's own options."""
    pruner: str = "none"
    """The algorithm that stops trials which will not win, such as "asha"."""
    pruner_options: dict[str, Any] = {}
    """A table of the pruner's own options."""
    objective: Annotated[str, AfterValidator(_is_objective)] = "max val_accuracy"
    """What is best, and which way: "max METRIC" or "min METRIC", such as "min val_loss"."""
    race: StrictBool | None = None
    """Drop a trial when its first folds or repeats, image by image, show that it is worse than the best finished one.

    Unless given, that is done wherever there are several and the objective is "max val_accuracy".
    """
    trials: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """How many trials, over all sessions; this or `time` is needed, unless the tuner ends by itself, as a grid does."""
    start_from: Annotated[str, Field(pattern=NAME)] | None = None
    """A study of the project whose best five trials are tried first, where their values lie inside this space."""
    time: Span | None = None
    """How long to search, over all sessions: "90s", "30m", "1h30m"; with `trials`, whichever comes first ends it."""
    max_failures: Annotated[int, Field(ge=1)] = 50
    """Stop the search when so many trials have failed in all."""
    max_consecutive_failures: Annotated[int, Field(ge=1)] = 20
    """Stop the search when so many trials have failed one after another."""


class Train(Section):
    """[train]: how a trial is trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 20
    """The most epochs a fit runs; learning-rate schedules end there."""
    batch_size: Annotated[int, Field(ge=1)] | Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = 128
    """Training rows a step; a list of them is searched as a hyperparameter."""
    early_stopping: Annotated[int, Field(ge=0)] = 0
    """End a fit after so many epochs without improvement of the objective; 0 never does."""
    keep: Annotated[int, Field(ge=0)] = 3
    """Of how many best trials the best epoch's weights stay on disk."""
    loop: Literal["auto", "graph", "fit"] = "auto"
    """Train by whole epochs in one graph, by Keras's model.fit ("fit"), or by what suits the model ("auto")."""
    compile: StrictBool | Literal["auto"] = "auto"
    """Compile training steps with XLA; "auto" does in long fits, if a measurement, made once a machine, favours it."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16", "auto"] = "float32"
    """Keras's dtype policy; "auto" takes mixed_bfloat16 where a measurement, made once a machine, favours it."""
    trial_timeout: Span | None = None
    """The most time that one training of a trial may take (of each fold and repeat, and after a kill anew): "2h"."""
    stall_timeout: Span | None = None
    """The most time without a sign of life; give minutes, for a large graph may be silent that long: "10m"."""
    trial_memory: Size | None = None
    """The most memory that a trial's process may hold for itself: "2GB"; what all workers share does not count."""
    class_weight: Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None = None
    """Weights of the classes in the loss: a table by name (1 for the rest), or "balanced": the rarer, the more."""

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The batch sizes to choose from; one if it is not searched."""
        return tuple(self.batch_size) if isinstance(self.batch_size, list) else (self.batch_size,)


class Final(Section):
    """[final]: who is trained again before the test split is opened."""

    finalists: Annotated[int, Field(ge=1, le=100)] = 3
    """How many of the best trials are trained again, each with values of its own."""
    seeds: Annotated[int, Field(ge=1, le=100)] = 3
    """On how many fresh seeds each of them is trained."""
    refit: Literal["all"] | None = None
    """With "all" the exported model is trained anew, on the validation rows too; its figure compares with no other.

    With `data.folds` it is trained on all rows in any case, and this changes nothing.
    """
    keep_epochs: StrictBool = False
    """Keep every epoch's weights, and judge these too when the test split is opened: curves, which choose nothing."""


class Workers(Section):
    """[workers]: where trials are trained."""

    kind: str = "local"
    """Where: "local" is in processes of this machine, "inline" in the program's own, one at a time, for a debugger."""
    count: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = "auto"
    """How many at a time; "auto" follows cores and memory, or the cards."""
    gpus: Annotated[int, Field(ge=1, le=64)] | Literal["auto", False] = False
    """For "local": train on so many NVIDIA cards, or with "auto" on all there are, be it none; false hides them."""
    per_gpu: Annotated[int, Field(ge=1, le=64)] = 1
    """How many trials at a time share a card, and its memory in equal parts."""


class Tracking(Section):
    """[tracking]: where MLflow keeps the runs."""

    mlflow: str | Literal[False] | None = None
    """MLflow's tracking address (else MLFLOW_TRACKING_URI, else the project's own mlruns/mlflow.db); false is off."""
    experiment: Annotated[str, Field(pattern=NAME)] | None = None
    """MLflow's experiment; unless given, the project's name, so that studies compare side by side."""
    register_as: Annotated[str, Field(pattern=NAME)] | None = None
    """A model in MLflow's registry: the winner becomes its newest version, and that is its `champion`."""


class Experiment(Section):
    """The study's name and its seed; all else stands in tables."""

    name: Annotated[str, Field(pattern=NAME), AfterValidator(_names_a_folder)]
    """The study's name, and that of its folder: letters, digits, '.', '_' and '-', 80 at most."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Where all randomness begins: of the splits, the tuner, the first weights and the order of the images."""
    data: Data = Data()
    model: Model
    space: dict[str, Scalar | Range | list[Scalar]] = {}
    """Narrows what build_model asks for, by its names: a list of choices, a range, or a plain value that fixes it."""
    search: Search = Search()
    train: Train = Train()
    final: Final = Final()
    workers: Workers = Workers()
    tracking: Tracking = Tracking()

    @property
    def wishes(self) -> dict[str, Wish]:
        """[space] as plain data, so that workers need not import what checks an experiment."""
        return {name: Bounds(**dict(one)) if isinstance(one, Range) else one for name, one in self.space.items()}

    @property
    def objective(self) -> Objective:
        """What the search looks for."""
        return Objective.parse(self.search.objective)

    @property
    def races(self) -> bool:
        """Whether trials are dropped that the folds they have had show to be worse."""
        return self.search.race is not False and self.data.several and self.objective == RACED

    @property
    def seconds(self) -> float | None:
        """The time budget in seconds of searching."""
        return seconds(self.search.time) if self.search.time else None

    def renamed(self, name: str) -> Self:
        """The same experiment under another name."""
        return self.model_copy(update={"name": name})
