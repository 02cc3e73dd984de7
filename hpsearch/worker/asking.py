"""Makes the `hp` of one attempt: what it does not know yet is asked for, and what must not be asked is refused."""

from hpsearch.orders import Order, Recipe
from hpsearch.space import BATCH_SIZE, Parameter, Value, Values, searched_batch_size
from hpsearch.worker.failing import Drifted
from hpsearch.worker.hp import AskingHyperParameters
from hpsearch.worker.rows import Rows
from hpsearch.worker.task import Task
from hpsearch.worker.wire import Wire


class Asking:
    """Asks the coordinator for the values of a fit."""

    def __init__(self, order: Order, recipe: Recipe, wire: Wire) -> None:
        self._order, self._recipe, self._wire = order, recipe, wire
        self._searches_batch_size = len(recipe.batch_sizes) > 1

    def parameters(self, rows: Rows) -> AskingHyperParameters:
        """The `hp` for the build, its task told; the batch size is asked for now, if it is searched."""
        known: Values = dict(self._order.values)
        batch_size = self._batch_size(known)
        names, epochs = self._recipe.class_names, self._recipe.epochs
        task = Task(rows.images.shape[1:], len(names), names, len(rows.train), epochs, batch_size)
        return AskingHyperParameters(self._ask, task, known)

    def _batch_size(self, known: Values) -> int:
        """Take it out of what is known: the model asks for it by no name."""
        sizes = self._recipe.batch_sizes
        if not self._searches_batch_size:
            return sizes[0]
        answered = known.pop(BATCH_SIZE, None)
        return int(self._wire.ask(searched_batch_size(sizes)) if answered is None else answered)

    def _ask(self, parameter: Parameter) -> Value:
        if self._searches_batch_size and parameter.name == BATCH_SIZE:
            message = (
                "build_model asks for 'batch_size', which train.batch_size searches already; use hp.task.batch_size"
            )
            raise ValueError(message)
        if self._order.complete:
            message = f"a build with the same values asked for {parameter.name!r} too; it did not before"
            raise Drifted(message)
        return self._wire.ask(parameter)
