"""Lets those who only listen hear a study's story: the watcher at the terminal, and MLflow through its outbox."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from hpsearch.errors import HpsearchError, first_line
from hpsearch.outbox import Outbox
from hpsearch.protocols import Calling, Executor, Foreseeing, Made
from hpsearch.records import Answered, Asked, AttemptBegan, News
from hpsearch.study import Study

QUIET_SECONDS, DRAIN_SECONDS, TROUBLED_SECONDS = 3.0, 60.0, 5.0  # how long MLflow may take to catch up at the end


def told_again(study: Study) -> Iterator[News]:
    """What a watcher hears of earlier sessions, and what this one has written.

    Of all that was asked inside trials it hears once of each name that it was searched, or fixed.
    """
    last, asked = study.past[-1].number if study.past else 0, set()
    for news in study.past:
        match news.body:
            case Asked() | AttemptBegan():
                continue
            case Answered(_, parameter):
                way = parameter.name, parameter.kind == "fixed"
                if way in asked:
                    continue
                asked.add(way)
        yield news
    yield from study.ledger.read(last)


def follow(study: Study, executor: Executor, made: Made | None) -> Outbox | None:
    """Begin to carry the ledger to MLflow; None where nobody wants it, or all has been heard of a study that ended."""
    if made is None:
        return None
    outbox = Outbox(study.paths.ledger, study.paths.cursor, made, executor.call)
    if study.state.ended and not outbox.waiting():
        return None
    outbox.start()
    return outbox


def foresee(executor: Executor, made: Made | None) -> None:
    """Have a process ready for what the tracker will have called at the end of the study."""
    if isinstance(executor, Foreseeing) and isinstance(made, Calling):
        with suppress(HpsearchError):  # where no process can be started now, it is tried again when there is a verdict
            executor.foresee(*made.calls)


def drain(outbox: Outbox | None, name: str, say: Callable[[str], None], patience: float = DRAIN_SECONDS) -> None:
    """Let MLflow catch up for at most `patience` seconds, then follow no further; say what it has not."""
    if outbox is None:
        return
    if outbox.drain(QUIET_SECONDS):
        say("waiting for MLflow to take in the last records")
    waiting = outbox.close(min(patience, TROUBLED_SECONDS) if outbox.trouble else patience)
    if not outbox.finished:
        what = f"the last {waiting} records" if waiting else "the end"
        why = first_line(outbox.trouble) or "it was too slow"
        say(
            f"warning: MLflow has not heard {what} of {name}: {why}\n"
            f"  all is in the ledger; send it with: hpsearch sync {name}"
        )
    elif outbox.lacks:
        say(lacking(name, outbox.lacks))


def lacking(name: str, what: str) -> str:
    """What is said of a study of which MLflow, told all, has not taken all."""
    return f"warning: MLflow has not taken all of {name}: {what}\n  once that is mended: hpsearch sync {name}"
