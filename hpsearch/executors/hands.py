"""One process that is given one attempt, as the coordinator sees it: what it says, what it takes, and how it ends."""

import pickle
import time
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from hpsearch.executors import deaths
from hpsearch.executors.ear import Ear, TooLong
from hpsearch.executors.limits import Limits, own_bytes
from hpsearch.executors.logs import Log
from hpsearch.orders import Answer, Beat, Event, Order, Question, Slot, Stop
from hpsearch.space import Value
from hpsearch.trial import Attempt, AttemptEnd, Failure, How
from hpsearch.worker import ending

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

GRACE_SECONDS = 8.0
SAMPLE_SECONDS = 0.5
UNSEEN_SECONDS = 1.0  # between two looks; what goes beyond counts for no limit


@dataclass(frozen=True)
class Rules:
    """What all hands of an executor are judged by."""

    limits: Limits
    memory: deaths.OutOfMemory = field(default_factory=deaths.OutOfMemory)


@dataclass
class Hand:
    """A process in a slot: waiting for its attempt, at it, or leaving. Times are seconds of the monotonic clock."""

    slot: Slot
    process: BaseProcess
    line: "Connection[Any, Any]"
    log: Log
    rules: Rules
    attempt: Attempt | None = None
    stop: Stop | None = None
    began: float = 0.0
    heard: float = 0.0
    looked: float = 0.0
    unseen: float = 0.0
    asks: bool = False
    stopped: float = 0.0
    unheeding: bool = False
    left: float = 0.0
    held: int = 0
    sampled: float = 0.0

    def __post_init__(self) -> None:
        """Listen to the line."""
        self._ear = Ear(self.line)

    @property
    def dead(self) -> bool:
        """Whether its process has died, which a copy that this made of itself hides from those who only wait."""
        return not self.process.is_alive()

    def take(self, order: Order, log: Path | None) -> bool:
        """Give it an attempt, whose output is kept in `log`; say False where it has died waiting.

        One whose parent was killed counts as dead, though it may live: nobody would hear how it ends.
        """
        if self.dead or not self._send(order):
            return False
        self.attempt = order.attempt
        self.began = self.heard = self.looked = time.monotonic()
        if log:
            self.log.keep(log)
        return True

    def answer(self, value: Value) -> None:
        """Give it the value it waits for."""
        self.asks, self.heard = False, time.monotonic()
        self._send(Answer(value))

    def ask_to_stop(self, reason: str, *, at_once: bool) -> None:
        """Ask it to end its attempt, once, and once more if it was not to be at once before."""
        if self.stop is None or (at_once and not self.stop.at_once):
            self.stop, self.stopped = Stop(reason, at_once), time.monotonic()
            self._send(self.stop)

    def _send(self, message: object) -> bool:
        try:
            self.line.send(message)
        except OSError:  # it died, which is heard in its turn
            return False
        return True

    def hear(self) -> Event | None:
        """What it says next: None if that is but a sign of life or not whole, an AttemptEnd if its process has died."""
        dead = self.dead  # before it is heard: what it said last counts
        try:
            if (message := self._ear.hear()) is None:  # its line may be held open by what it had started
                return self._died() if dead else None
            event = pickle.loads(message)  # noqa: S301  # a worker of our own
        except TooLong as error:
            return self._fail(Failure("message", str(error)))
        except (EOFError, OSError):
            return self._died()
        except Exception as error:  # noqa: BLE001  # of what user code slipped in, reading may raise anything
            return self._fail(Failure("message", f"it cannot be read: {type(error).__name__}: {error}"))
        if not isinstance(event, Event):
            return self._fail(Failure("message", f"a worker says no such thing as a {type(event).__name__}"))
        self.heard, self.asks = time.monotonic(), isinstance(event, Question)
        return None if isinstance(event, Beat) or event.attempt != self.attempt else event

    def overdue(self) -> AttemptEnd | None:
        """See to it that it heeds a stop and takes no more than it may; if it does, it is killed."""
        now = time.monotonic()
        self._look(now)
        if self.stop and self.stop.at_once:
            if now - self.stopped > GRACE_SECONDS:
                self.unheeding = True
                ending.kill(self.process)
            return None
        if now - self.heard > SAMPLE_SECONDS and self.line.poll():  # said while the coordinator was held up
            return None
        self._sample(now)
        silent = 0.0 if self.asks else now - self.heard
        failure = self.rules.limits.broken(now - self.began - self.unseen, silent, self.held)
        if failure and failure.kind == "stall" and self._paused():
            self.heard = now
            return None
        return self._fail(failure) if failure else None

    def _look(self, now: float) -> None:
        """Leave out of its time that in which nobody looked: what it said then, its end too, is heard word by word.

        A second of it counts, so that a coordinator which is always late has an endless attempt end all the same.
        """
        unseen = max(0.0, now - self.looked - UNSEEN_SECONDS)
        self.looked, self.unseen, self.heard = now, self.unseen + unseen, min(now, self.heard + unseen)

    def _sample(self, now: float) -> None:
        if self.rules.limits.memory is not None and now - self.sampled > SAMPLE_SECONDS and self.process.pid:
            self.held, self.sampled = own_bytes(self.process.pid), now

    def _paused(self) -> bool:
        """Whether somebody stopped its process, to continue it later."""
        try:
            return bool(psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED)
        except psutil.Error:
            return False

    def _died(self) -> AttemptEnd:
        self.process.join(5)
        code = None if ending.nobody_knows(self.process) else self.process.exitcode
        self._end()
        starved = self.rules.memory.explains(code) or (code == deaths.KILLED and self.rules.limits.starved(self.held))
        if self.stop:
            failure = None
        elif starved:
            failure = Failure("oom", "it was killed for want of memory")
        else:
            failure = deaths.fault(code, self.log.fault())
        return self._ended(failure, "" if failure else self._how_it_died())

    def _how_it_died(self) -> str:
        if self.unheeding:
            return f"was killed, since it did not heed its stop for {GRACE_SECONDS:g} s"
        return ending.how_it_died(self.process)

    def _fail(self, failure: Failure) -> AttemptEnd:
        self._end()
        return self._ended(failure)

    def _ended(self, failure: Failure | None, reason: str = "") -> AttemptEnd:
        if self.attempt is None:
            message = "a process without an attempt was waited for"
            raise RuntimeError(message)
        how, lasted = How.FINISHED if failure else How.LOST, time.monotonic() - self.began
        return AttemptEnd(self.attempt, how, lasted, reason=reason, failure=failure)

    def _end(self) -> None:
        ending.kill(self.process)
        self.log.close()

    def bury(self) -> None:
        """End its process, if it has not ended, and all that this has started; let go of it."""
        self._end()
        self.line.close()
