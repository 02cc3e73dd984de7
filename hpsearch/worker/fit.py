"""Trains one fit: builds the model, runs its epochs, keeps its checkpoint, and says how it went."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from hpsearch import failpoints, hits, words
from hpsearch.errors import first_line
from hpsearch.files import make, write
from hpsearch.orders import Order, Recipe
from hpsearch.paths import FitFiles
from hpsearch.seeds import derive
from hpsearch.trial import AttemptEnd, Built, Failure, How, Metrics
from hpsearch.worker.epochs import NonFinite
from hpsearch.worker.failing import MetricMissing, ends_session, failed, sound
from hpsearch.worker.progress import Progress, digest
from hpsearch.worker.unchanged import Code, HalfWritten
from hpsearch.worker.wire import Stopped, Wire


def fit(order: Order, recipe: Recipe, wire: Wire) -> AttemptEnd:
    """Make one attempt. Whatever user code raises becomes a Failure; nothing is raised from here."""
    began = time.monotonic()
    progress = Progress()
    how, reason, failure = How.FINISHED, "", None
    try:
        reason = _Run(order, recipe, wire, progress).train()
    except Stopped as stopped:
        how, reason = How.INTERRUPTED, stopped.reason
    except HalfWritten as written:
        how, reason = How.LOST, first_line(str(written))
    except BaseException as error:  # noqa: BLE001 - user code may raise anything; it fails its trial, not the worker
        failure = failed(error)
        if ending := ends_session(error, recipe.fits):  # the trial can go on when that is mended
            how, failure = How.LOST, Failure(type(ending).__name__, str(ending))
    failpoints.reach("fit.ended")
    return AttemptEnd(
        order.attempt, how, progress.seconds or time.monotonic() - began,
        progress.score, progress.best_epoch or None, progress.epoch, progress.metrics, reason, failure,
    )  # fmt: skip


class _Run:
    """One attempt under way."""

    def __init__(self, order: Order, recipe: Recipe, wire: Wire, progress: Progress) -> None:
        self._order, self._recipe, self._wire, self._progress = order, recipe, wire, progress
        self._fit = order.attempt.fit
        self._files = FitFiles(make(recipe.fits / self._fit.name))
        self._validates = self._fit.kind != "whole"
        self._last = order.until or recipe.epochs
        self._train: Callable[[], None] = self._train_by_epochs
        self._unkept, self._since, self._building = "", 0.0, 0.0
        self._hp: Any = None

    def train(self) -> str:
        """Run the epochs that are left; give the reason when they ended before the last."""
        failpoints.reach("fit.begun")
        self._prepare()
        failpoints.reach("fit.built")
        self._since = time.monotonic()
        self._train()
        if self._fit.kind != "search":
            self._save_model()
        elif self._recipe.hits:
            self._keep_hits()
        if self._progress.epoch >= self._last:
            return ""
        return self._out_of_patience() or f"its own fit ended by itself after epoch {self._progress.epoch}"

    def _train_by_epochs(self) -> None:
        while self.more():
            self.ended(self._loop.epoch(self._progress.epoch + 1, tick=self.tick))

    def _prepare(self) -> None:
        import keras

        from hpsearch.worker import building, seeding
        from hpsearch.worker.asking import Asking
        from hpsearch.worker.finding import find_build, own_fit
        from hpsearch.worker.rows import Rows

        keras.config.set_dtype_policy(self._recipe.steps.precision)
        asking = Asking(self._order, self._recipe, self._wire)
        self._rows = Rows.open(self._recipe.data / "train", self._order.split, self._recipe.class_weights)
        hp = self._hp = asking.parameters(self._rows)
        batch_size = hp.task.batch_size
        began = time.monotonic()
        code = Code(self._recipe.root, self._recipe.texts)
        with seeding.imported_under(derive(self._fit.seed, "model")), code.kept():
            build = find_build(self._recipe.root, self._recipe.build)
        with code.kept():  # a branch may import more
            self._model = building.build(build, hp)
        self._building = time.monotonic() - began
        if own := own_fit(build):
            self._train = self._trained_through(own, hp, batch_size)
        else:
            self._make_loop(batch_size)

    def _make_loop(self, batch_size: int) -> None:
        from hpsearch.worker import loops

        began, loop, xla = time.monotonic(), self._recipe.loop, self._recipe.steps.xla
        seed = derive(self._fit.seed, "order")
        self._loop = loops.make_loop(self._model, self._rows, batch_size=batch_size, seed=seed, loop=loop, xla=xla)
        unkept = self._left_out() or self._loop.unkept
        self._begin(self._loop.kind, batch_size, unkept, time.monotonic() - began)

    def _trained_through(self, own: Callable[..., Any], hp: Any, batch_size: int) -> Callable[[], None]:
        from hpsearch.worker import loops, own_fit
        from hpsearch.worker.rows import fitted

        loops.choose(self._model, self._recipe.loop, own_fit=True)
        shaped, seed = fitted(self._rows, self._model), derive(self._fit.seed, "order")
        weights, epochs = self._recipe.class_weights, self._recipe.epochs
        training = own_fit.Training(self._model, shaped, batch_size, epochs, seed, weights)
        return partial(own_fit.train, own, hp, training, self)

    def begun(self, *, exact: bool, batch_size: int, late: bool) -> int:
        """Hear from a HyperModel's own fit that its training begins; see own_fit.Listener."""
        unkept = self._left_out() if exact else "it trains with more than a checkpoint has"
        self._begin("fit: through the HyperModel's own fit", batch_size, unkept)
        if not late:
            self._since = time.monotonic()
        return self._progress.epoch

    def past(self) -> list[dict[str, float]]:
        """Give the metrics of the epochs that are done; see own_fit.Listener."""
        return [metrics for metrics, _ in self._progress.latest]

    def _left_out(self) -> str:
        from hpsearch.worker import checkpoint

        if names := ", ".join(map(repr, checkpoint.left_out(self._model))):
            return f"a checkpoint leaves out the optimizers in {names}"
        return "" if self._model.optimizer.built else "only its first step shows which weights it trains"

    def _begin(self, loop: str, batch_size: int, unkept: str, tracing: float = 0.0) -> None:
        """Tell of the model, and go on where an earlier attempt ended.

        `unkept` says why no checkpoint has all that it trains with, so that none is kept, nor gone on with.
        """
        from hpsearch.worker.warmup import warmup_epochs

        self._hp.begun, self._unkept = True, unkept
        self._progress.made_by = digest(self._hp.used, self._hp.task.batch_size)
        anew = "" if unkept else self._go_on()  # what an earlier attempt left, and does not fit, is replaced
        model, attempt = self._model, self._order.attempt
        warmup = warmup_epochs(model, len(self._rows.train), batch_size) if model.compiled else 0
        loop += f"; after a stop it begins anew, because {unkept}" if unkept else ""
        loop += f"; begun anew after a stop, because {anew}" if anew else ""
        weights, summary = model.count_params(), _summary(model)
        self._wire.tell(Built(attempt, weights, summary, loop, warmup, self._building, tracing, bool(unkept or anew)))
        self._tell_again()

    def _tell_again(self) -> None:
        """Tell of the epochs that are done: the coordinator may have been killed before it had written them down."""
        for measure in self._progress.measures(self._order.attempt):
            self._wire.tell(measure)

    def _go_on(self) -> str:
        """Take up what an earlier attempt has left, if it can be gone on with; say why it is no use to this one."""
        from hpsearch.worker import checkpoint

        if not (saved := checkpoint.load(self._files.checkpoint)):
            return ""
        best = checkpoint.load(self._files.weights)
        if saved.state.get("made_by") != self._progress.made_by:  # a restored ledger may know other values by now
            return ""
        if best is None and self._fit.kind != "search":  # its model is to be kept
            return ""
        if saved.state["epoch"] > self._last:  # of a training on all rows, which was to be longer then
            return ""
        try:
            checkpoint.restore(saved, self._model)
        except ValueError as error:  # how a person's step makes its variables cannot all be foreseen
            return str(error)
        self._progress.take_up(saved.state)
        if best and best.state.get("best_epoch", 0) > self._progress.epoch:
            # It was killed between the two files. Trained again, on a card for example, the epoch may come out a little
            # otherwise; the score has to be that of the weights that are kept.
            self._progress.__dict__.update(best.state)
        return ""

    def ended(self, metrics: Metrics, *, exact: bool = True) -> None:
        """Take in an epoch's metrics; its checkpoint is kept if it is `exact`: has all that the fit trains with."""
        seconds, epoch = time.monotonic() - self._since, self._progress.epoch + 1
        self._check(metrics, epoch)
        self._progress.epoch, self._progress.seconds = epoch, self._progress.seconds + seconds
        self._note_best(metrics, epoch)
        self._progress.note(metrics, seconds)
        failpoints.reach("epoch.trained")
        self._keep_weights(epoch)
        if exact and not self._unkept:
            self._keep()
        self._wire.tell(self._progress.last_measure(self._order.attempt))
        failpoints.reach("epoch.told")
        self._since = time.monotonic()

    def more(self) -> bool:
        """Whether another epoch is wanted; raise Stopped when told to leave before it."""
        wanted = self._progress.epoch < self._last and not self._out_of_patience()
        if wanted and (stop := self._wire.stopped()):
            raise Stopped(stop.reason)
        return wanted

    def tick(self, _step: int, _steps: int) -> None:
        """Give a sign of life in the middle of an epoch; raise Stopped when told to leave at once."""
        if (stop := self._wire.stopped()) and stop.at_once:
            raise Stopped(stop.reason)
        self._wire.beat()

    def _check(self, metrics: Metrics, epoch: int) -> None:
        wrong = [f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)]
        if wrong:
            message = f"{', '.join(wrong)} in epoch {epoch}"
            raise NonFinite(message)
        metric = self._recipe.objective.metric
        if self._validates and metric not in metrics:
            message = f"the objective is {metric!r}, but the model gives only {', '.join(sorted(metrics))}"
            raise MetricMissing(message)

    def _note_best(self, metrics: Metrics, epoch: int) -> None:
        from hpsearch.worker import checkpoint

        score = metrics.get(self._recipe.objective.metric) if self._validates else None
        if score is None or self._recipe.objective.better(score, self._progress.score):
            best = {"score": score, "best_epoch": epoch, "metrics": dict(metrics)}
            self._progress.__dict__.update(best)
            checkpoint.save_weights(self._files.weights, self._model, best)

    def _keep_weights(self, epoch: int) -> None:
        """Before the checkpoint that ends the epoch: after a kill it is trained again, or its weights are there."""
        from hpsearch.worker import checkpoint

        if self._recipe.keep_epochs and self._fit.kind != "search":
            file = self._files.epoch(epoch)
            with suppress(OSError):  # without parents: a study's folder that was removed is not made anew
                for folder in (self._files.folder, file.parent):
                    folder.mkdir(mode=0o700, exist_ok=True)
            checkpoint.save_weights(file, self._model)

    def _keep(self) -> None:
        from hpsearch.worker import checkpoint

        checkpoint.save(self._files.checkpoint, self._model, dict(vars(self._progress)))

    def _out_of_patience(self) -> str:
        patience = self._recipe.early_stopping if self._validates else 0
        waited = self._progress.epoch - self._progress.best_epoch
        in_vain = patience and waited >= patience
        return f"early stopping: {words.count(waited, 'epoch')} without improvement" if in_vain else ""

    def _save_model(self) -> None:
        from hpsearch.worker import checkpoint
        from hpsearch.worker.keeping import keep

        checkpoint.load_weights(self._files.weights, self._model)
        write(self._files.model, lambda file: keep(self._model, file, self._rows.images))

    def _keep_hits(self) -> None:
        from hpsearch.worker import checkpoint
        from hpsearch.worker.hitting import hits_of

        if not (weights := self._files.weights).exists():  # the race can do without, and the score stands
            return
        checkpoint.load_weights(weights, self._model)
        if (found := hits_of(self._model, self._rows, self._progress.score or 0.0)) is not None:
            hits.keep(self._files.hits, found)
            failpoints.reach("hits.kept")


def _summary(model: Any) -> str:
    lines: list[str] = []  # of no more than 80 signs: Keras cuts off what is longer where there is no terminal
    model.summary(line_length=80, print_fn=lambda line, **_: lines.append(line))
    return sound("\n".join(lines))
