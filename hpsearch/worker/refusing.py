"""Says in words why a model cannot be searched: what an error of a sample build means, where it is from, the mend."""

import traceback
from pathlib import Path
from typing import Any

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
OF_ONE_HOT = ("keras.src.metrics.confusion_metrics", "keras.src.metrics.f_score_metrics")  # AUC, Recall, F1Score …
ASKED = ("Boolean", "Choice", "Fixed", "Float", "Int", "conditional_scope", "task")  # of hp, in a build_model

MENDS = {  # of errors that others raise, by words in them
    "multiple values for keyword argument 'epochs'": "hand on those that it gets, once; train.epochs says how many",
    'inside "with strategy.scope()"': "leave tf.distribute out of it: trials train side by side, each on one device",
}


def not_built(error: BaseException, root: Path) -> Mistake:
    """What is wrong with a model that cannot be built, or not be trained: the error is from either."""
    if isinstance(error, LoopUnfit):
        return Mistake("train.loop", str(error))
    if metric := _metric_of_one_hot(error):
        what = f"the metric {metric!r} fails: {_named(error)}"
        return Mistake(WHERE, what, "it takes one-hot labels, which a loss such as 'categorical_crossentropy' gets")
    return Mistake(WHERE, _in_words(error), _lines(error, root))


def not_whole(error: Exception, root: Path) -> Mistake:
    """What is wrong with a HyperModel's own fit that could train, but not on all rows."""
    what = f"fit fails where it has no rows to validate on, as when the last model is trained on all: {_named(error)}"
    return Mistake(WHERE, f"{what}\n  let it do without when validation_data is None", _lines(error, root))


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _metric_of_one_hot(error: BaseException) -> str:
    """The name of the metric that raised this, if it is one of Keras's that want a column for each class; else ""."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        metric: Any = frame.f_locals.get("self")
        if type(metric).__module__ in OF_ONE_HOT:
            return str(metric.name)
    return ""


def _in_words(error: BaseException) -> str:
    if isinstance(error, CLEAR):
        return str(error)
    if isinstance(error, AttributeError) and (words := _no_such_word(error)):
        return words
    mends = [mend for words, mend in MENDS.items() if words in str(error)]
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
