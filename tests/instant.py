"""A small real executor for tests: makes fits in no time, by a given formula, in this process."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from hpsearch.orders import Event, Order, Question, Recipe
from hpsearch.space import Parameter, Value, Values
from hpsearch.trial import Attempt, AttemptEnd, Built, Failure, How, Measure

X = Parameter("x", "float", 0.5, low=0.0, high=1.0)
KIND = Parameter("kind", "choice", "a", choices=("a", "b"))


@dataclass
class Fitting:
    order: Order
    values: Values = field(default_factory=dict)
    epoch: int = 0
    stop: str = ""


class Instant:
    """`score(values, epoch)` is the validation accuracy; `fate(attempt)` may say 'lose' or raise to fail."""

    def __init__(
        self,
        score: Callable[[Values, int], float] = lambda values, epoch: float(values["x"]) * epoch,
        *,
        count: int = 1,
        epochs: int = 4,
        fate: Callable[[Attempt], str] = lambda attempt: "",
        space: tuple[Parameter, ...] = (X, KIND),
        dies_of_stop: bool = False,
        tells: int = 1,
        warmup: int = 0,
    ) -> None:
        self._dies_of_stop, self._tells, self._warmup = dies_of_stop, tells, warmup
        self.count, self._score, self._epochs, self._fate, self._space = count, score, epochs, fate, space
        self._running: dict[Attempt, Fitting] = {}
        self._news: deque[Event] = deque()
        self.orders: list[Order] = []

    def start(self) -> None: ...

    def call(self, function: Callable[..., Any], *arguments: Any, patience: float | None = None) -> Any:
        return function(*arguments)

    def open(self, recipe: Recipe) -> None: ...

    def free(self) -> int:
        return self.count - len(self._running)

    def submit(self, order: Order) -> None:
        self.orders.append(order)
        self._running[order.attempt] = fitting = Fitting(order, dict(order.values))
        self._step(fitting)

    def events(self, timeout: float) -> Iterable[Event]:
        for _ in range(len(self._news)):
            event = self._news.popleft()
            if isinstance(event, AttemptEnd):
                del self._running[event.attempt]
            for _ in range(self._tells if isinstance(event, Measure) else 1):
                yield event
            if isinstance(event, Measure | Built) and event.attempt in self._running:
                self._step(self._running[event.attempt])

    def answer(self, attempt: Attempt, value: Value) -> None:
        fitting = self._running[attempt]
        fitting.values[self._unknown(fitting)[0].name] = value
        self._step(fitting)

    def stop(self, attempt: Attempt, reason: str, *, at_once: bool = False) -> None:
        fitting = self._running[attempt]
        asked = any(isinstance(event, Question) and event.attempt == attempt for event in self._news)
        if self._unknown(fitting) and not asked and not fitting.stop:  # it waits for an answer that will not come
            self._end(fitting, How.INTERRUPTED, reason)
        fitting.stop = reason

    def close(self) -> None: ...

    def _unknown(self, fitting: Fitting) -> list[Parameter]:
        return [one for one in self._space if one.name not in fitting.values and one.active(fitting.values)]

    def _step(self, fitting: Fitting) -> None:
        attempt = fitting.order.attempt
        if unknown := self._unknown(fitting):
            self._news.append(Question(attempt, unknown[0]))
        elif fitting.stop:
            self._end(fitting, How.LOST if self._dies_of_stop else How.INTERRUPTED, fitting.stop)
        elif fitting.epoch == 0:
            self._begin(fitting)
        elif fitting.epoch > (fitting.order.until or self._epochs):
            self._end(fitting, How.FINISHED)
        else:
            metrics = {"val_accuracy": self._score(fitting.values, fitting.epoch), "loss": 1.0 / fitting.epoch}
            self._news.append(Measure(attempt, fitting.epoch, metrics, 0.01))
            fitting.epoch += 1

    def _begin(self, fitting: Fitting) -> None:
        attempt = fitting.order.attempt
        try:
            if self._fate(attempt) == "lose":
                self._end(fitting, How.LOST, "killed by signal 9")
                return
        except ValueError as error:
            failure = Failure(type(error).__name__, str(error))
            self._news.append(AttemptEnd(attempt, How.FINISHED, 0.0, failure=failure))
            return
        fitting.epoch = 1
        self._news.append(Built(attempt, 100, "a model", "instant", self._warmup))

    def _end(self, fitting: Fitting, how: How, reason: str = "") -> None:
        if how is How.LOST:
            self._news.append(AttemptEnd(fitting.order.attempt, how, 0.1, reason=reason))
            return
        scores = {epoch: self._score(fitting.values, epoch) for epoch in range(1, fitting.epoch)}
        best = max(scores, key=lambda epoch: scores[epoch], default=None)
        score = scores[best] if best else None
        metrics = {"val_accuracy": score} if score is not None else {}
        end = AttemptEnd(fitting.order.attempt, how, 0.1, score, best, len(scores), metrics, reason)
        self._news.append(end)
