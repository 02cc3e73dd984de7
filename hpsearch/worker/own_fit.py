"""Trains through the `fit` of a person's own HyperModel: one call an attempt, heard by the callback it passes on.

Where it hands plain arrays and no other callback to model.fit, the order of the rows is ours, as in the other loops,
and so an attempt can go on from a checkpoint. What else it may train with is in no checkpoint: it is begun anew.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol

import keras
import numpy as np

from hpsearch.worker.completing import complete
from hpsearch.worker.epochs import learning_rate, numbers, validation_batch
from hpsearch.worker.loop_fit import Batches, Ticking
from hpsearch.worker.rows import Fitted, permutation

PLAIN = {  # what model.fit may be given where its training has no state but the model's
    "x", "y", "batch_size", "epochs", "verbose", "callbacks", "validation_data", "shuffle",
    "class_weight", "sample_weight", "validation_batch_size",
}  # fmt: skip
OTHERS = inspect.signature(keras.Model.fit).parameters.keys() - {"x", "y"}  # of model.fit
LEARNING_RATE = "learning_rate"  # which we add to an epoch's metrics, and Keras does not
QUIET = 0  # of model.fit's `verbose`
LABELLED = 2  # arrays that model.fit is given: images and labels, without weights of the rows
MEND = "pass them on (model.fit(…, callbacks=callbacks)), or call their on_epoch_end(epoch, logs) after each epoch"


class NotHeard(ValueError):
    """The fit trained in a way that its callbacks could not follow; the text says how to mend it."""


class Listener(Protocol):
    """Who follows the training; `exact` says that a checkpoint has all that it trains with."""

    def begun(self, *, exact: bool, batch_size: int, late: bool) -> int:
        """Training begins; give the epochs that are done already, which is 0 unless `exact`.

        It is `late` where that is heard of at the end of the first epoch only.
        """

    def past(self) -> list[dict[str, float]]:
        """The metrics of the epochs that are done already, in order; of very many the latest."""

    def ended(self, metrics: dict[str, float], *, exact: bool) -> None:
        """Take in the metrics of the next epoch."""

    def more(self) -> bool:
        """Whether another epoch is wanted."""

    def tick(self, step: int, steps: int) -> None:
        """Hear about once a second that it trains; see Loop."""


@dataclass(frozen=True)
class Training:
    """What the fit is given: a model with its rows; weights of classes may be none at all; `seed` orders the rows."""

    model: Any
    fitted: Fitted
    batch_size: int
    epochs: int
    seed: int
    class_weights: tuple[float, ...] = ()


def train(own: Callable[..., Any], hp: Any, training: Training, listener: Listener) -> None:
    """Call the fit as KerasTuner does after `tuner.search(x, y, …)`, once; raise NotHeard, and what it raises.

    Images are float32 in 0 … 1, labels int64, or float32 if one-hot; validation_data is None without such rows.
    They come by name where the fit has no places for them, as after `tuner.search(x=x, y=y, …)`.
    It gets `batch_size` and `verbose` only where it names them: it may hand its own on to model.fit beside the rest.
    """
    rows, hearing, takes = training.fitted.rows, _Hearing(training, listener), inspect.signature(own)
    x, y = training.fitted.batch(rows.train)
    in_order, by_name = ([x, y], {}) if _has_places(takes) else ([], {"x": x, "y": y})
    validation = training.fitted.batch(rows.validation) if len(rows.validation) else None
    given: dict[str, Any] = {"validation_data": validation, "epochs": training.epochs, "callbacks": [hearing]}
    if training.class_weights:
        given["class_weight"] = dict(enumerate(training.class_weights))
    unasked = {"batch_size": training.batch_size, "verbose": QUIET}
    given |= {name: value for name, value in unasked.items() if name in takes.parameters}
    with _heard(training.model, hearing), suppress(_Over):
        try:
            own(hp, training.model, *in_order, **by_name, **given)
        finally:
            hearing.raise_again()
    if not hearing.epochs and not hearing.over:
        message = f"fit trained no epoch that the callbacks it was given heard of\n  {MEND}"
        raise NotHeard(message)


def _has_places(takes: inspect.Signature) -> bool:
    """Whether images and labels can follow `hp` and `model`, and neither in the place of something else."""
    try:
        places = takes.bind_partial("hp", "model", "x", "y").arguments
    except TypeError:
        return False
    return OTHERS.isdisjoint(places)


class _Over(Exception):
    """No further epoch is wanted, and the fit began one."""


@contextmanager
def _heard(model: Any, hearing: "_Hearing") -> Iterator[None]:
    """Within: what model.fit is given passes by `hearing`, unless the model has a fit of its own."""
    if type(model).fit is not keras.Model.fit:
        yield
        return
    fit, takes = model.fit, inspect.signature(model.fit)

    @wraps(fit)
    def heard(*given: Any, **named: Any) -> Any:
        call = hearing.completed(takes.bind(*given, **named).arguments)
        return hearing.with_past(fit(**call))

    model.fit = heard
    try:
        yield
    finally:
        del model.fit


def _kept(told: Callable[..., Any]) -> Callable[..., Any]:
    """A method of a _Hearing that keeps what it raises: the fit may catch it, but it counts all the same."""

    @wraps(told)
    def keeping(self: "_Hearing", *given: Any, **named: Any) -> Any:
        try:
            return told(self, *given, **named)
        except Exception as error:
            if not isinstance(error, _Over):
                self.raised = self.raised or error
            raise

    return keeping


class _Hearing(Ticking):
    """Follows the epochs for the listener, in model.fit and in loops that call no more than on_epoch_end."""

    def __init__(self, training: Training, listener: Listener) -> None:
        super().__init__(listener.tick, 1, 0)
        self._training, self._listener = training, listener
        self._batches: Batches | None = None
        self._begun = self._exact = self._by_keras = False
        self.epochs, self._restored, self.over = 0, 0, False
        self._past: list[dict[str, float]] = []
        self.raised: Exception | None = None

    def raise_again(self) -> None:
        """Raise what was raised here before, if anything was: a stop or a failure, which ends the attempt."""
        if self.raised:
            raise self.raised

    on_train_batch_end, on_test_batch_end = _kept(Ticking.on_train_batch_end), _kept(Ticking.on_test_batch_end)

    @_kept
    def completed(self, call: dict[str, Any]) -> dict[str, Any]:
        """The arguments for model.fit with what they lack; its rows in our order where a checkpoint then has all."""
        passed_on = call.get("callbacks")
        call.setdefault("verbose", QUIET)
        if all(map(_is_array, keras.tree.flatten(call.get("x")))):
            call["batch_size"] = call.get("batch_size") or self._training.batch_size
        callbacks = keras.tree.flatten(getattr(passed_on, "callbacks", passed_on))
        self._by_keras = self in callbacks
        if not self._by_keras or not _is_array(call.get("x")):
            return call
        given = [call[name] for name in ("x", "y", "sample_weight") if call.get(name) is not None]
        plain = call.keys() <= PLAIN and len(callbacks) == 1 and isinstance(call.get("shuffle", True), bool)
        plain = plain and all(map(_is_array, given))  # labels of several outputs may come in a dictionary
        arrays = [_array(one) for one in given] if plain else []
        self._exact = plain and not self._begun and len({len(one) for one in arrays}) == 1
        if self._exact:
            weights = [np.ones(1, np.float32)] if call.get("class_weight") and len(arrays) == LABELLED else []
            self._exact = not complete(self._training.model, [*(one[:1] for one in arrays), *weights])
        self._begin(call["batch_size"])
        return self._in_our_order(call, arrays) if self._exact else call

    def _in_our_order(self, call: dict[str, Any], arrays: list[Any]) -> dict[str, Any]:
        size, validation = call["batch_size"], call.get("validation_data")
        batches = Batches(lambda rows: tuple(one[rows] for one in arrays), np.arange(len(arrays[0])), size)
        self._batches = batches if call.get("shuffle", True) else None
        call |= {"x": batches, "y": None, "sample_weight": None, "batch_size": None, "shuffle": False}
        if isinstance(validation, tuple | list):
            at_once = validation_batch(size, self._training.fitted.shape)
            call["validation_batch_size"] = call.get("validation_batch_size") or at_once
        self._past = self._listener.past()
        return {**call, "initial_epoch": self.epochs}

    def with_past(self, history: Any) -> Any:
        """What a call of model.fit gave, with the epochs in front that an earlier attempt has made of it."""
        past, self._past = self._past, []
        if past:
            names = list(history.history) or [name for name in past[0] if name != LEARNING_RATE]
            history.history = {
                name: [*(one[name] for one in past if name in one), *history.history.get(name, [])] for name in names
            }
            history.epoch = [*range(self._restored - len(past), self._restored), *history.epoch]
        return history

    def _begin(self, batch_size: int, *, late: bool = False) -> None:
        if not self._begun:
            self._begun = True
            self.epochs = self._restored = self._listener.begun(exact=self._exact, batch_size=batch_size, late=late)
            self.over = not self._listener.more()
            self._refuse_unless_due(self.epochs)

    def _refuse_unless_due(self, epoch: int) -> None:
        self.raise_again()
        if self.over:
            raise _Over
        if epoch != self.epochs:
            message = (
                f"fit tells its callbacks of epoch {epoch} where {self.epochs} is due\n"
                "  let it train all epochs in one go, and count them from 0"
            )
            raise NotHeard(message)

    @_kept
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002  Keras's signature
        """Order the rows for the epoch."""
        self._begin(self._training.batch_size)
        self._refuse_unless_due(epoch)
        self._epoch, self._done, self._steps = epoch + 1, 0, (self.params or {}).get("steps") or 0
        if self._batches:
            self._batches.order = permutation(self._training.seed, epoch + 1, len(self._batches.order))

    @_kept
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Tell the listener, and the model when it is enough."""
        self._begin(self._training.batch_size, late=True)
        self._refuse_unless_due(epoch)
        self.epochs += 1
        rate = learning_rate(self._training.model) if self._by_keras else {}
        self._listener.ended(numbers(logs or {}) | rate, exact=self._exact)
        self.over = not self._listener.more()
        if self.over:  # else the wish of another callback, which may be earlier in the list, stands
            self._training.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002  Keras's signature
        """Forget what held for this call of model.fit: another way of training may follow."""
        self._exact, self._by_keras, self._batches = False, False, None


def _is_array(given: Any) -> bool:
    return isinstance(given, np.ndarray) or keras.ops.is_tensor(given)


def _array(given: Any) -> Any:
    """As Keras takes arrays: floating point in the precision that it computes in."""
    found = np.asarray(given)
    return found.astype(keras.config.floatx(), copy=False) if found.dtype.kind == "f" else found
