"""Studies whose ledgers are written from a story, for tests of the commands that read them."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from stories import told, whole_story

from hpsearch import files, paths
from hpsearch.ledger import Ledger
from hpsearch.records import Answered, Asked, SessionEnded
from hpsearch.space import Parameter
from hpsearch.trial import Failure, Status, Trial, TrialResult

KIND = Parameter("kind", "choice", "a", choices=("a", "b"))
UNITS = Parameter("units", "int", 8, low=8, high=64, step=8)
WIDE = Parameter("wide", "boolean", default=False)


def asked_bodies() -> list[Any]:
    """The whole story as a ledger has it, with each trial asked for first."""
    bodies = [news.body for news in whole_story()]
    return [*bodies[:2], *(Asked(Trial(number)) for number in range(3)), *bodies[2:]]


def trial(number: int, score: float | None, status: Status = Status.COMPLETED, **values: Any) -> list[Any]:
    """A trial that ended as told, with a text, a whole number (for kind "b" only) and a truth among its values."""
    failure = Failure("ValueError", "too deep", "Traceback: here") if status is Status.FAILED else None
    metrics = {"val_accuracy": score, "val_loss": 1 - score} if score is not None else {}
    parameters = {"kind": KIND, "units": UNITS, "wide": WIDE}
    answers = [Answered(number, parameters[name], value) for name, value in values.items()]
    result = TrialResult(Trial(number, values), status, score, 2 if score else None, 1.5 + number, metrics, "", failure)
    return [Asked(Trial(number)), *answers, result]


def keep(root: Path, bodies: list[Any], name: str = "tiny") -> paths.Study:
    """Write a study's ledger in a project; give the study's paths."""
    (root / "experiments").mkdir(exist_ok=True)
    folder = paths.Project(root).study(name)
    files.make(folder.folder)
    with closing(Ledger(folder.ledger)) as ledger:
        for news in told(bodies):
            ledger.write(news.body)
    return folder


def rewrite(ledger: Path, change: Callable[[Any], Any]) -> None:
    """Write a ledger anew, with what each of its records is changed into."""
    with closing(Ledger(ledger, writer=False)) as old:
        bodies = [change(news.body) for news in old.read()]
    for file in ledger.parent.glob("ledger*"):
        file.unlink()
    with closing(Ledger(ledger)) as new:
        for body in bodies:
            new.write(body)


def four_trials() -> list[Any]:
    """The beginning of a study, with three trials that came to something and one that failed."""
    from stories import began

    return [
        *began(),
        *trial(0, 0.5, kind="a", wide=True),
        *trial(1, 0.9, kind="b", wide=False, units=16),
        *trial(2, 0.7, Status.PRUNED, kind="b", wide=True, units=64),
        *trial(3, None, Status.FAILED, kind="=1+1", wide=False),
        SessionEnded(finished=False, reason="interrupted"),
    ]
