"""A study on disk: its folder, the lock of its one coordinator, its ledger, and those who listen."""

import difflib
import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import get_args

import filelock

from hpsearch import cut_off, files, holding, paths, schema
from hpsearch.errors import ExperimentRefused, FolderUnusable, HpsearchError, RunningElsewhere
from hpsearch.experiment import Experiment
from hpsearch.ledger import Ledger
from hpsearch.ledger_file import refuse_unsound
from hpsearch.protocols import Brief, Past
from hpsearch.records import Answered, Asked, Body, News, SessionBegan
from hpsearch.state import OUT_OF_TIME, State
from hpsearch.trial import Built, Measure, TrialResult

OTHER_NAME = "; or give this run another --name"  # for those who would begin a session
PATIENCE, POLL = 0.1, 0.01  # seconds: who only asks whether a study is held has it for a moment


class Stopwatch:
    """Counts seconds of searching, by the monotonic clock, on top of those of earlier sessions."""

    def __init__(self) -> None:
        self._before = 0.0
        self._since: float | None = None

    def set(self, seconds: float) -> None:
        """Begin from what earlier sessions counted."""
        self._before = seconds

    def start(self) -> None:
        """Count from now on."""
        self._since = time.monotonic()

    def stop(self) -> None:
        """Count no further."""
        self._before, self._since = self.seconds(), None

    def seconds(self) -> float:
        """The seconds counted so far."""
        return self._before + (time.monotonic() - self._since if self._since is not None else 0.0)


class Study:
    """One study, held open by its only coordinator."""

    def __init__(
        self, experiment: Experiment, folder: paths.Study, say: Callable[[str], None] = lambda _text: None
    ) -> None:
        """Open the ledger and add up what it holds; the caller holds the lock, and `say` hears what is to wait for.

        `past` is what it held, but for measures, until it is handed over.
        """
        self.experiment, self.paths = experiment, folder
        self.clock = Stopwatch()
        self.ledger = Ledger(folder.ledger, self.clock.seconds, say=say)
        self.state = State()
        self.past: list[News] = []
        with _no_garbage():
            self._open()
        self.clock.set(self.state.searched)
        self._listeners: list[Callable[[News], None]] = []

    def _open(self) -> None:
        for news in self.ledger.read():
            self.state.take(news)
            if not isinstance(news.body, Measure | Built):  # the most by far, and nobody asks for them again
                self.past.append(news)

    def listen(self, hear: Callable[[News], None]) -> None:
        """Have every further record heard, as soon as it is written."""
        self._listeners.append(hear)

    def record(self, body: Body, *, durable: bool = False) -> None:
        """Write a record, add it to the state, and tell those who listen."""
        news = self.ledger.write(body, durable=durable)
        self.state.take(news)
        for hear in self._listeners:
            hear(news)

    def brief(self, history: tuple[Past, ...]) -> Brief:
        """What a tuner or a pruner is told of this study."""
        asked = self.experiment
        return Brief(asked.objective, asked.seed, asked.search.trials, asked.train.epochs, self.state.space, history)

    def hand_over(self) -> tuple[Past, ...]:
        """What a tuner has to remember of earlier sessions; the past is let go with that.

        It is all that was asked, answered and ended, but not who only ran out of time.
        """
        past, self.past = self.past, []
        return tuple(_of_tuners(past))

    def remembered(self) -> tuple[Past, ...]:
        """The same with all that was recorded since, read once more."""
        return tuple(_of_tuners(self.ledger.recall(get_args(Past))))

    def close(self) -> None:
        """Make everything durable and let go."""
        self.ledger.close()


def _of_tuners(past: Iterable[News]) -> Iterator[Past]:
    """What tuners had a part in; a final that takes a branch of its own is answered though its trial has ended."""
    ended: set[int] = set()
    for news in past:
        match news.body:
            case TrialResult(trial, reason=reason) as result if reason != OUT_OF_TIME:
                ended.add(trial.number)
                yield result
            case Answered(number) as answered if number not in ended:
                yield answered
            case Asked() as asked:
                yield asked


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Within: Python does not look for cycles, over and over, among hundreds of thousands of records that stay."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def held(folder: paths.Study, or_else: str = "", doing: str = holding.RUN) -> Iterator[None]:
    """Hold the study for this process alone; raise RunningElsewhere, naming the holder, when another has it.

    Raises FolderUnusable when its folder cannot be made or written to, or is taken away meanwhile, and HpsearchError,
    before it is made, where Python brings too old an SQLite.
    `doing` is the command that holds it: one that is no run is no session of the study, and nobody takes it for one.
    `or_else` is what a person may do then, beside waiting for that process or stopping it.
    """
    schema.refuse_old_sqlite()
    files.make(folder.folder)
    lock = _lock(folder)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        if isinstance(lock, filelock.SoftFileLock):  # what filelock makes of it where the system has no flock
            or_else += f"; if it was killed, remove {folder.lock}"
        raise _in_use(folder, or_else) from error
    except FileNotFoundError as error:  # by who held it: one that begins it anew, or found nothing to keep of it
        message = f"{folder.folder}: this folder was moved or removed just now\n  give the same command again"
        raise FolderUnusable(message) from error
    try:
        holding.sign(folder.holder, doing)
        yield
    finally:
        holding.withdraw(folder.holder)
        lock.release()


def _in_use(folder: paths.Study, or_else: str) -> RunningElsewhere:
    name, holder = folder.folder.name, holding.read(folder.holder)
    whose = f"{holder} (hpsearch {holder.doing})" if holder else "another process"
    mend = f"wait for it, or stop it with: hpsearch stop {name}{or_else}"
    return RunningElsewhere(f"the study {name!r} is in use by {whose}\n  {mend}")


def refuse_if_held(folder: paths.Study) -> None:
    """Raise RunningElsewhere, naming the holder, when a process holds the study now."""
    if is_held(folder):
        raise _in_use(folder, "")


def is_held(folder: paths.Study) -> bool:
    """Whether a process holds the study now, whatever for."""
    if not folder.lock.exists():
        return False
    try:
        with _lock(folder):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # of another person, or on a disk that is only read
        holder = holding.read(folder.holder)
        return holder is not None and holder.lives


def is_running(folder: paths.Study) -> bool:
    """Whether a session of the study lasts: a process holds it, and does not say that this is for something else."""
    if not is_held(folder):
        return False
    holder = holding.read(folder.holder)
    return holder is None or holder.doing == holding.RUN


def _lock(folder: paths.Study) -> filelock.BaseFileLock:
    return filelock.FileLock(folder.lock, timeout=PATIENCE, poll_interval=POLL, mode=0o600)


def existing(project: paths.Project, name: str) -> paths.Study:
    """The paths of a study that is there; raise ExperimentRefused, with the nearest name, when it is not."""
    known = project.studies()
    if name in known:
        return project.study(name)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none yet'}"
    message = f"there is no study {name!r} in {project.runs}\n  {hint}"
    raise ExperimentRefused(message)


def read(project: paths.Project, name: str) -> Iterator[News]:
    """The records of a study of this project, for reading only; raise ExperimentRefused when there is none.

    A session that was killed ends as `cut_off` tells.
    """
    folder = existing(project, name)
    ledger = Ledger(folder.ledger, writer=False)
    try:
        ledger.check()
        yield from cut_off.ended(ledger.read(), lambda: is_running(folder))
    finally:
        ledger.close()


def last_session(folder: paths.Study) -> SessionBegan:
    """How the study's last session began; raise ExperimentRefused when none has."""
    with closing(Ledger(folder.ledger, writer=False)) as ledger:
        told = [news.body for news in ledger.select("kind = 'SessionBegan'")]
    sessions = [body for body in told if isinstance(body, SessionBegan)]
    if not sessions:
        message = f"the study {folder.folder.name!r} has not begun yet\n  run its experiment file again"
        raise ExperimentRefused(message)
    return sessions[-1]


def sessions_ended(folder: paths.Study) -> int:
    """How many of the study's sessions have told of their end."""
    with closing(Ledger(folder.ledger, writer=False)) as ledger:
        return sum(1 for _ in ledger.select("kind = 'SessionEnded'"))


def is_bare(folder: paths.Study) -> bool:
    """Whether no fit has left anything."""
    return not any(folder.fits.glob("*"))


def is_empty(folder: paths.Study) -> bool:
    """Whether nothing was ever recorded of a study: its session was killed while the data were prepared."""
    if not is_bare(folder) or list(folder.folder.glob(paths.LEDGERS)) != [folder.ledger]:
        return False
    try:
        refuse_unsound(folder.ledger)
        with closing(Ledger(folder.ledger, writer=False)) as ledger:
            return ledger.waiting(0) == 0
    except HpsearchError:
        return False


def set_aside(folder: paths.Study) -> Path:
    """Move the study's folder out of the way, for --fresh, under a name of its own; give that place."""
    aside = folder.folder.with_name(f"{folder.folder.name}.before-{1 + max(_asides(folder), default=0)}")
    folder.folder.rename(aside)
    return aside


def last_aside(folder: paths.Study) -> Path | None:
    """Where the study is that was set aside last, if there is any."""
    asides = _asides(folder)
    return asides[max(asides)] if asides else None


def _asides(folder: paths.Study) -> dict[int, Path]:
    beginning = f"{folder.folder.name}.before-"
    named = ((path.name.removeprefix(beginning), path) for path in folder.folder.parent.glob(f"{beginning}*"))
    return {int(number): path for number, path in named if number.isdecimal()}
