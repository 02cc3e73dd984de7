"""What was asked for: the experiment file as a typed, frozen record."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from hpsearch.objective import Objective

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
SPAN = re.compile(r"^(?:(\d+)h)? ?(?:(\d+)m)? ?(?:(\d+)s)?$")
SIZE = re.compile(r"^(\d{1,9}(?:\.\d{1,3})?) ?([KMGT]i?)B$")
RACED = Objective("max", "val_accuracy")  # the one whose differences can be told image by image
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
    """What trains: the beginning of names ("idx"), two arrays ("npz": "x_train, y_train"), a subfolder ("folder")."""
    test: Annotated[float, Field(gt=0, lt=1)] | str | None = None
    """What tests: the same, or a table ("csv"); for a source without a test split, its share (0.2)."""
    size: Annotated[list[Annotated[int, Field(ge=1, le=16_384)]], Field(min_length=2, max_length=2)] | None = None
    """[height, width]: what pictures are scaled to ("folder"), how a row of pixels is cut ("csv", "npz")."""
    transposed: bool = False
    """For sources "idx", "npz" and "csv": the images lie on their side, as EMNIST's official files do."""
    mirror: str | None = None
    """Another address to fetch the source's files from."""
    validation: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The stratified share of the training rows that validates (0.15 unless folds are given)."""
    folds: Annotated[int, Field(ge=2, le=100)] | None = None
    """Stratified cross-validation with so many folds, in place of `validation`."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """How often each trial is trained, on fresh seeds; its score is the mean."""
    allow_empty_class: bool = False
    """Accept a data set in which a class has no rows, or all rows have one class."""

    @property
    def holdout(self) -> float | None:
        """The share that validates, None with folds."""
        return None if self.folds else self.validation or 0.15

    @property
    def several(self) -> bool:
        """Whether a trial is trained more than once."""
        return bool(self.folds) or self.repeats > 1


class Model(Section):
    """[model]: the search space."""

    build: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    """"module:function", a file under the project's root or an installed package; the function is build_model(hp)."""


class Range(Section):
    """A narrowed numeric range in [space]."""

    min: StrictInt | StrictFloat
    max: StrictInt | StrictFloat
    step: StrictInt | StrictFloat | None = None
    sampling: Literal["linear", "log", "reverse_log"] | None = None


class Search(Section):
    """[search]: who chooses the trials, what for, and how many."""

    tuner: str = "keras-tuner.random"
    """The algorithm that chooses the trials."""
    tuner_options: dict[str, Any] = {}
    """Passed to the tuner."""
    pruner: str = "none"
    """The algorithm that stops trials which will not win."""
    pruner_options: dict[str, Any] = {}
    """Passed to the pruner."""
    objective: Annotated[str, AfterValidator(_is_objective)] = "max val_accuracy"
    """"max METRIC" or "min METRIC"."""
    race: StrictBool | None = None
    """Drop a trial when its first folds or repeats, image by image, show that it is worse than the best finished one.

    Unless given, wherever there are several and the objective is "max val_accuracy".
    """
    trials: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """How many trials, over all sessions."""
    start_from: Annotated[str, Field(pattern=NAME)] | None = None
    """A study of the project whose best five trials are tried first, where their values lie inside this space."""
    time: Span | None = None
    """How long to search, over all sessions: "90s", "30m", "1h30m"."""
    max_failures: Annotated[int, Field(ge=1)] = 50
    """Stop when so many trials failed."""
    max_consecutive_failures: Annotated[int, Field(ge=1)] = 20
    """Stop when so many trials failed one after another."""


class Train(Section):
    """[train]: how a trial is trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 20
    """The most epochs a fit runs; learning-rate schedules end there."""
    batch_size: Annotated[int, Field(ge=1)] | Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = 128
    """Rows a step; a list is searched."""
    early_stopping: Annotated[int, Field(ge=0)] = 0
    """Stop after so many epochs without improvement of the objective; 0 never stops."""
    keep: Annotated[int, Field(ge=0)] = 3
    """Of how many best trials the best epoch's weights stay on disk."""
    loop: Literal["auto", "graph", "fit"] = "auto"
    """Train by whole epochs in one graph, by Keras's model.fit, or by what suits the model."""
    compile: StrictBool | Literal["auto"] = "auto"
    """Compile the graph's steps with XLA; "auto" does where a measurement, made once a machine, says that it pays."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16", "auto"] = "float32"
    """Keras's dtype policy; "auto" takes mixed_bfloat16 where that measurement says that it pays."""
    trial_timeout: Span | None = None
    """The most time that one training of a trial may take (of each fold and repeat, and after a kill anew): "2h"."""
    stall_timeout: Span | None = None
    """The most time without a sign of life; give minutes, for a large graph may be silent that long: "10m"."""
    trial_memory: Size | None = None
    """The most memory that a trial's process may hold for itself: "2GB"; what all workers share does not count."""
    class_weight: Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None = None
    """Weights of the classes in the loss: by name (1 where none is given), or "balanced": the rarer, the more."""

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The batch sizes to choose from; one if it is not searched."""
        return tuple(self.batch_size) if isinstance(self.batch_size, list) else (self.batch_size,)


class Final(Section):
    """[final]: who is trained again before the test split is opened."""

    finalists: Annotated[int, Field(ge=1, le=100)] = 3
    """How many of the best trials are trained again."""
    seeds: Annotated[int, Field(ge=1, le=100)] = 3
    """On how many fresh seeds."""
    refit: Literal["all"] | None = None
    """"all": train the exported model anew, on the validation rows too; its figure cannot be compared with others."""
    keep_epochs: StrictBool = False
    """Keep every epoch's weights, and judge these too when the test split is opened: curves, which choose nothing."""


class Workers(Section):
    """[workers]: where trials are trained."""

    kind: str = "local"
    """"local" trains in processes of this machine, "inline" in this process, for a debugger."""
    count: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = "auto"
    """How many at a time; "auto" follows cores and memory, or the cards."""
    gpus: Annotated[int, Field(ge=1, le=64)] | Literal["auto", False] = False
    """For "local": train on NVIDIA cards, on so many of them or ("auto") on all there are, be it none."""
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
    """An experiment file, whole."""

    name: Annotated[str, Field(pattern=NAME), AfterValidator(_names_a_folder)]
    """The study's name: letters, digits, '.', '_' and '-'."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Where all randomness begins."""
    data: Data = Data()
    model: Model
    space: dict[str, Scalar | Range | list[Scalar]] = {}
    """Narrows what build_model asks for: a list of choices, a range, or a plain value that fixes it."""
    search: Search = Search()
    train: Train = Train()
    final: Final = Final()
    workers: Workers = Workers()
    tracking: Tracking = Tracking()

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
