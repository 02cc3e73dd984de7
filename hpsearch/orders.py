"""What the coordinator and a worker say to each other: small plain records that cross a process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hpsearch.errors import DataRefused, FolderUnusable, StudyChanged
from hpsearch.objective import Objective
from hpsearch.space import Parameter, Value, Values
from hpsearch.trial import Attempt, AttemptEnd, Built, Measure

Loop = Literal["auto", "graph", "fit"]
ENDS_SESSION = (FolderUnusable, DataRefused, StudyChanged)  # what an attempt may be lost for by no fault of its trial


@dataclass(frozen=True)
class Steps:
    """How training steps are computed: compiled by XLA or not, and in which of Keras's dtype policies."""

    xla: bool = False
    precision: str = "float32"


@dataclass(frozen=True)
class Recipe:
    """What every fit of a study has in common. All paths are absolute.

    `data` holds the prepared training arrays (and never the test split), `fits` the folder of each fit;
    several batch sizes mean that the batch size is searched; `early_stopping` counts epochs, 0 is off;
    `class_weights`, one a class or none at all, weigh the loss in training; `steps` is how steps are computed;
    with `keep_epochs` the finals keep the weights of every epoch;
    with `hits` a search fit leaves behind which validation rows its best epoch got right (`hpsearch.hits`);
    `texts` is what the modules under `root` said when the session began (`hpsearch.worker.unchanged`).
    """

    root: Path
    build: str
    data: Path
    fits: Path
    class_names: tuple[str, ...]
    objective: Objective
    epochs: int
    batch_sizes: tuple[int, ...]
    early_stopping: int = 0
    loop: Loop = "auto"
    class_weights: tuple[float, ...] = ()
    steps: Steps = Steps()
    keep_epochs: bool = False
    hits: bool = False
    texts: Mapping[str, bytes | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Slot:
    """Where one attempt at a time is made: on so many threads (0 is all that may be had), and on a card or none.

    `card` is what CUDA_VISIBLE_DEVICES calls the card, `model` what people do; TensorFlow may take `memory` MiB
    (2**20 bytes) of it, None is as much as it likes.
    """

    card: str = ""
    model: str = ""
    memory: int | None = None
    threads: int = 1


@dataclass(frozen=True)
class Order:
    """One attempt to make: the values known so far and the rows to train and validate on.

    `split` is an .npz file with int64 arrays `train` and `validation` (the latter may be empty);
    `until` ends the fit after that epoch, while schedules keep the horizon of the recipe's epochs.
    `complete` says that a model was built with these values before, so that no other can be asked for.
    """

    attempt: Attempt
    split: Path
    values: Values = field(default_factory=dict)
    until: int | None = None
    complete: bool = False


@dataclass(frozen=True)
class Question:
    """A worker's `build_model` asks for the value of a parameter, and waits."""

    attempt: Attempt
    parameter: Parameter


@dataclass(frozen=True)
class Beat:
    """An attempt is alive and at work, though it has no news; an executor may keep this to itself."""

    attempt: Attempt


Event = Question | Beat | Built | Measure | AttemptEnd


@dataclass(frozen=True)
class Answer:
    """The value a worker waits for."""

    value: Value


@dataclass(frozen=True)
class Stop:
    """Ask a worker to end its fit after the current epoch (pruned, out of time) or, at once, before it."""

    reason: str
    at_once: bool = False
