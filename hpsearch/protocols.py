"""The sockets: what a tuner, pruner, data set, executor, tracker or exporter must do to be one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from hpsearch.objective import Objective
from hpsearch.orders import Event, Order, Recipe
from hpsearch.records import Answered, Asked, News
from hpsearch.space import Parameter, Value
from hpsearch.trial import Attempt, Trial, TrialResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]
    Probabilities = NDArray[np.float32]
    Reader = Callable[[Images], Probabilities]  # raw images (rows × height × width) to rows × classes

Past = Asked | Answered | TrialResult
Call = Callable[..., Any]  # call(function, *arguments) runs a module-level function in a fresh process


class Turn(Enum):
    """What a tuner says when it has no trial to give."""

    WAIT = "wait"
    DONE = "done"


@dataclass(frozen=True)
class Brief:
    """What a tuner or pruner is told before its first trial.

    `history` is everything that was asked, answered and ended before, in its order: from it the tuner
    comes to the state in which an undisturbed one would be. `space` is what sample builds asked for,
    narrowed; a running trial may still ask for more.
    """

    objective: Objective
    seed: int
    trials: int | None
    epochs: int
    space: tuple[Parameter, ...] = ()
    history: tuple[Past, ...] = ()


class Tuner(Protocol):
    """Chooses the points of the space.

    One that comes to an end in whatever space, as a grid does, has `ends = True` in its class: an experiment may name
    it without saying how many trials there are.
    """

    def begin(self, brief: Brief) -> None:
        """Take in the space and the history; called before anything else, and again after a call raised ChildDied."""

    def ask(self, number: int) -> Trial | Turn:
        """Begin trial `number` (0, 1, 2, … without a gap), or not yet; only `suggest` says which values it has."""

    def suggest(self, number: int, parameter: Parameter) -> Value:
        """Answer for an asked trial, by a value inside the parameter: on its grid, or its default.

        Each name is asked for once.
        """

    def tell(self, result: TrialResult) -> None:
        """Hear how a trial ended; a failed one has no score."""

    def close(self) -> None:
        """Let go of whatever is held (processes, files)."""


@runtime_checkable
class Guided(Tuner, Protocol):
    """A tuner that may be told a value where it is else asked for one, so that a search can start from known points.

    Replayed, it finds the value in the history as Answered, and comes to the same state.
    """

    def note(self, number: int, parameter: Parameter, value: Value) -> None:
        """Hear that an asked trial takes this value, which lies inside the parameter; it is not asked for then."""


@dataclass(frozen=True)
class Pruning:
    """A pruner's wish to stop a trial, with the reason in words."""

    reason: str


class Pruner(Protocol):
    """Stops trials that will not win."""

    def begin(self, brief: Brief) -> None:
        """Take in the objective; called once, before anything else."""

    def hear(self, trial: int, epoch: int, score: float) -> Pruning | None:
        """Hear the objective's metric after an epoch (of the first fit, if it has several) and say whether to stop.

        Nothing is stopped before its third epoch, nor while no other trial was heard. An epoch may be heard again. A
        trial whose scores are NaN or infinite is worse than all others, whichever way is up, and is stopped in time.
        """


class Forecasting(Protocol):
    """A pruner or tuner that knows of some studies beforehand that it will stop no trial, or learn from none."""

    def idle(self, brief: Brief) -> str:
        """Why it is of no use in such a study; "" where it may be. Called before `begin`, or without it."""


class Progress(Protocol):
    """Hears how far a long piece of work has come."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Say what is being done and how many bytes or steps of how many are done."""


def unheard(what: str, done: int, total: int | None) -> None:
    """A Progress that nobody hears: for logs, and for data that a study has seen, which are prepared."""


@dataclass(frozen=True)
class Outline:
    """What is known of a data set without reading it.

    `smallest` names the class of the fewest training rows, and says how many: None where that is not known.
    """

    train_rows: int
    classes: int
    shape: tuple[int, ...]
    smallest: tuple[str, int] | None = None


@dataclass(frozen=True)
class Prepared:
    """A data set on disk, ready to be memory-mapped.

    `folder`/train/ holds images.npy (uint8, rows × height × width) and labels.npy (int64, rows);
    `folder`/test/ the same for the test split. `digest` is a SHA-256 over arrays and class names.
    `name` is that of the source's entry point, by which `hpsearch data` finds what is prepared.
    `test_from` says where the test split is from: "official" or "content-hash".
    """

    folder: Path
    name: str
    digest: str
    class_names: tuple[str, ...]
    shape: tuple[int, ...]
    train_rows: int
    test_rows: int
    test_from: Literal["official", "content-hash"]
    licence: str = ""


class Dataset(Protocol):
    """A named source of images with labels.

    `hpsearch data list` tells what its class has for `about`, an `hpsearch.datasets.content.About`, if it has one.
    """

    def outline(self) -> Outline | None:
        """Tell what is known without reading or fetching the images; None if nothing is."""

    def prepare(self, progress: Progress) -> Prepared:
        """Fetch, verify and unpack what is missing; twice is as good as once. Raise DataRefused."""


@runtime_checkable
class Selective(Dataset, Protocol):
    """A source that may let lie some of what it finds."""

    def left_out(self) -> str:
        """A warning of what prepare() does not read, though a person may think so; "" where there is nothing."""


class Executor(Protocol):
    """Many hands: makes attempts, each in a place where it can hurt nobody."""

    @property
    def where(self) -> str:
        """The cards that attempts are made on, in words; "" where there are none."""

    def start(self) -> None:
        """Begin to get ready, without waiting for it."""

    def call(self, function: Callable[..., Any], *arguments: Any, patience: float | None = None) -> Any:
        """Run a module-level function in a fresh process; give back what it returns, raise what it raises.

        Raises an HpsearchError when the process dies, or is not done in `patience` seconds.
        """

    def open(self, recipe: Recipe) -> None:
        """Learn the study's recipe; attempts can be submitted from now on."""

    def free(self) -> int:
        """How many more attempts could be submitted now."""

    def submit(self, order: Order) -> None:
        """Have an attempt made; it ends exactly once, by an AttemptEnd among the events."""

    def events(self, timeout: float) -> Iterable[Event]:
        """What came from the workers, waiting at most `timeout` seconds for the first."""

    def answer(self, attempt: Attempt, value: Value) -> None:
        """Answer an attempt's Question."""

    def stop(self, attempt: Attempt, reason: str, *, at_once: bool = False) -> None:
        """Have an attempt end after its current epoch, or at once; it still ends by an AttemptEnd.

        One that does not heed an `at_once` within some seconds may be killed, and ends as lost.
        """

    def close(self) -> None:
        """End every process; attempts under way end without an event."""


@runtime_checkable
class Foreseeing(Executor, Protocol):
    """An executor that can get ready for a call."""

    def foresee(self, function: Callable[..., Any], ahead: Callable[[], object]) -> None:
        """Have a process ready for the next call of this module-level function, and `ahead` called there meanwhile.

        Asked for again before that call, it changes nothing.
        """


class Tracker(Protocol):
    """Listens to the story of a study; the search goes on whether it hears or not."""

    def hear(self, news: News) -> None:
        """Take in the next record. Hearing one twice is as good as once; kinds it does not know are let pass."""

    def close(self) -> None:
        """Write out what is still in hand."""


@runtime_checkable
class Batching(Tracker, Protocol):
    """A tracker that may hold back what it hears, to write much of it at once."""

    def flush(self) -> None:
        """Write out what is held back. If this raises, everything heard since the last flush is told again."""


@runtime_checkable
class Remembering(Tracker, Protocol):
    """A tracker whose memory is elsewhere, where it may be lost."""

    def remembers(self, *, wholly: bool) -> bool:
        """Whether anything of the study is there, or `wholly` all that was told; if not, all is told from the first."""

    def lacks(self) -> str:
        """What was told and not taken, in words for a person and on one line; "" where all was. Asked once closed."""


class Made(Protocol):
    """Makes a tracker, in whatever process it is sent to."""

    @property
    def place(self) -> str:
        """Where its tracker's memory is, in words without secrets: what was heard there was not heard elsewhere."""

    def __call__(self, call: Call) -> Tracker:
        """Make it; `call(function, *arguments)` is what it may have called in a fresh process."""


@runtime_checkable
class Calling(Made, Protocol):
    """One whose tracker will have something called once there is a verdict, and knows already what.

    `calls` is that function, and what it takes long to import, as a function without arguments.
    """

    @property
    def calls(self) -> tuple[Callable[..., Any], Callable[[], object]]:
        """Both at the top of a module, as `call` wants them."""


class Exporter(Protocol):
    """Writes a model in one format, and reads it back by that format's own runtime.

    `artefact` names the file or folder that it writes, `needs` the modules that it takes beyond what hpsearch needs;
    `tolerance` is by how much a probability may differ from Keras's own. `holds_code` says whether layers of the
    project's own go along, as they do in a graph; where they do not, a model that has some cannot have this format.
    `usage` is Python that leaves the `probabilities` of `images` for somebody who stands in the folder: its imports,
    an empty line, its steps.
    """

    artefact: str
    needs: tuple[str, ...]
    tolerance: float
    holds_code: bool
    usage: str

    def write(self, model: Path, folder: Path, samples: "Images") -> Sequence[Path]:
        """Export the `.keras` file into the folder, and name the files and folders written; the folder is there.

        The model takes raw images (uint8, rows × height × width) and gives probabilities (float32, rows × classes),
        and so does the exported thing alone. `samples` are raw training images, for formats that have to see some.
        Called in a fresh process with TensorFlow.
        """

    def load(self, folder: Path) -> "Reader":
        """What gives the probabilities of raw images; called in a process that knows only the folder."""
