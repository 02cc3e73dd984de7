"""Says in words why a model cannot be searched: what an error of a sample build means, where it is from, the mend."""

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hpsearch.errors import Mistake
from hpsearch.nearest import hint
from hpsearch.worker.building import NotAModel
from hpsearch.worker.epochs import NoNumber
from hpsearch.worker.finding import own_frames
from hpsearch.worker.hp import AskingHyperParameters
from hpsearch.worker.loops import LoopUnfit
from hpsearch.worker.own_fit import NotHeard
from hpsearch.worker.rows import ShapesDisagree
from hpsearch.worker.task import Task

WHERE = "model.build"
CLEAR = (NotAModel, NoNumber, ShapesDisagree, NotHeard)  # errors of our own, whose text says it all
ONE_HOT = "it takes one-hot labels, which a loss such as 'categorical_crossentropy' gets"
NUMBERS = "it takes class numbers, which a loss such as 'sparse_categorical_crossentropy' gets"
AS_THEY_ARE = "it compares labels with outputs as they are; name 'accuracy' in its place, in quotes"
LABELS = {  # that metrics of Keras's take, by how their names begin, the first that fits
    "accuracy_metrics.Accuracy": AS_THEY_ARE,
    "accuracy_metrics.Sparse": NUMBERS,
    "accuracy_metrics.": ONE_HOT,
    "confusion_metrics.": ONE_HOT,  # AUC, Precision, Recall …
    "f_score_metrics.": ONE_HOT,
    "hinge_metrics.": ONE_HOT,
    "probabilistic_metrics.Sparse": NUMBERS,
    "probabilistic_metrics.": ONE_HOT,
    "regression_metrics.": ONE_HOT,
}
ASKED = ("Boolean", "Choice", "Fixed", "Float", "Int", "conditional_scope", "task")  # of hp, in a build_model

MENDS = {  # of errors that others raise, by words in them
    "multiple values for keyword argument 'epochs'": "hand on those that it gets, once; train.epochs says how many",
    'inside "with strategy.scope()"': "leave tf.distribute out of it: trials train side by side, each on one device",
}
NUMBERED = """its labels are class numbers, one for each row, as the model's loss gets them:
  keras.ops.one_hot(y_true, y_pred.shape[-1]) makes one-hot labels of them"""


def not_built(error: BaseException, root: Path) -> Mistake:
    """What is wrong with a model that cannot be built, or not be trained: the error is from either."""
    if isinstance(error, LoopUnfit):
        return Mistake("train.loop", str(error))
    if misfit := _misfit(error):
        return Mistake(WHERE, f"the metric {misfit.metric!r} fails: {_named(error)}", misfit.mend)
    return Mistake(WHERE, _in_words(error), _lines(error, root))


def not_whole(error: Exception, root: Path) -> Mistake:
    """What is wrong with a HyperModel's own fit that could train, but not on all rows."""
    what = f"fit fails where it has no rows to validate on, as when the last model is trained on all: {_named(error)}"
    return Mistake(WHERE, f"{what}\n  let it do without when validation_data is None", _lines(error, root))


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


class _Misfit(NamedTuple):
    """A metric of Keras's that was given labels of a kind it does not take."""

    metric: str
    mend: str


def _misfit(error: BaseException) -> _Misfit | None:
    """The metric that raised this, if it is one of Keras's that take labels of the other kind."""
    for metric, labels, _ in _compared(error):
        kind = f"{type(metric).__module__}.{type(metric).__qualname__}"
        taken = next((words for start, words in LABELS.items() if kind.startswith(f"keras.src.metrics.{start}")), "")
        fits = {ONE_HOT: len(labels) > 1, NUMBERS: len(labels) == 1}
        if taken and not fits.get(taken):
            return _Misfit(str(metric.name), taken)
    return None


def _compared(error: BaseException) -> Iterator[tuple[Any, Any, Any]]:
    """The losses and metrics that led to the error, each with the shapes of the labels and of the outputs it got."""
    import keras

    for frame, _ in traceback.walk_tb(error.__traceback__):
        one = frame.f_locals.get("self")
        labels, outputs = (getattr(frame.f_locals.get(name), "shape", None) for name in ("y_true", "y_pred"))
        if isinstance(one, keras.losses.Loss | keras.metrics.Metric) and labels is not None and outputs is not None:
            yield one, labels, outputs


def _in_words(error: BaseException) -> str:
    if isinstance(error, CLEAR):
        return str(error)
    if isinstance(error, AttributeError) and (words := _no_such_word(error)):
        return words
    mends = [mend for words, mend in MENDS.items() if words in str(error)]
    disagree = any(word in str(error).lower() for word in ("shape", "int64"))
    if disagree and any(len(labels) == 1 < outputs[-1] for _, labels, outputs in _compared(error)):
        mends.append(NUMBERED)
    return "\n  ".join([f"a sample build raised {_named(error)}", *mends])


def _no_such_word(error: AttributeError) -> str:
    """What is wrong with hp.Integer or hp.task.shape, with the nearest known word; "" for what is not asked of hp."""
    if isinstance(error.obj, Task):
        known = [name for name in dir(error.obj) if not name.startswith("_")]
        return f"hp.task has no {error.name!r}; {hint(str(error.name), known)}"
    if isinstance(error.obj, AskingHyperParameters):
        return f"hp has no {error.name!r}; {hint(str(error.name), ASKED)}"
    return ""


def _lines(error: BaseException, root: Path) -> str:
    """The lines of the project's own files that led to the error."""
    root = root.resolve()
    return "\n  ".join(
        f"{Path(frame.filename).relative_to(root)}, line {frame.lineno}, in {frame.name}: {frame.line}"
        for frame in own_frames(root, error)
    )
