"""Chooses how a model is trained: in one graph where that is the same, by model.fit where it might not be."""

from typing import Any, Literal

from hpsearch.worker.completing import complete
from hpsearch.worker.epochs import Loop
from hpsearch.worker.rows import Rows, fitted

OWN = (  # where a model with its own version of one of these does something the graph loop would pass by
    "train_step", "test_step", "fit", "evaluate", "make_train_function", "make_test_function",
    "compute_metrics", "reset_metrics", "get_metrics_result",
)  # fmt: skip


class LoopUnfit(ValueError):
    """The experiment asks for the graph loop, and the model is not made for it."""


def make_loop(
    model: Any,
    rows: Rows,
    *,
    batch_size: int,
    seed: int,
    loop: Literal["auto", "graph", "fit"] = "auto",
    xla: bool = False,
) -> Loop:
    """Make the loop that trains a compiled model on these rows; it builds model and optimizer if need be.

    `seed` orders the batches; `xla` compiles the graph loop's steps, and leaves the other as the model has it.
    A model with a layer that says that XLA cannot compile it (Keras's random rotation, say) is trained without;
    where another cannot be compiled, the first epoch raises NotCompiled.
    Raise ShapesDisagree or LoopUnfit, both ValueErrors, when it cannot be.
    """
    name, reason = choose(model, loop)
    shaped = fitted(rows, model)
    unkept = complete(model, shaped.weighed(rows.train[:1]))
    if name == "graph":
        from hpsearch.worker.loop_graph import GraphLoop

        return GraphLoop(model, shaped, batch_size, seed, xla=xla and _compilable(model))
    from hpsearch.worker.loop_fit import FitLoop

    return FitLoop(model, shaped, batch_size, seed, reason, unkept)


def choose(
    model: Any, loop: Literal["auto", "graph", "fit"], *, own_fit: bool = False
) -> tuple[Literal["graph", "fit"], str]:
    """Which loop trains the model, and why; raise LoopUnfit where "graph" is asked for and cannot be.

    With `own_fit` it is the model of a HyperModel that has its own.
    """
    if loop == "fit":
        return "fit", "because the experiment asks for it"
    obstacle = "because its HyperModel has a fit of its own" if own_fit else _obstacle(model)
    if obstacle is None:
        return "graph", "because the model trains by Keras's own step"
    if loop == "graph":
        message = f"the graph loop cannot train this model, {obstacle}\n  set train.loop to 'auto' or 'fit'"
        raise LoopUnfit(message)
    return "fit", obstacle


def own_methods(model: Any) -> list[str]:
    """Those by which Keras trains and measures, and of which the model's class has a version of its own."""
    import keras

    return [name for name in OWN if getattr(type(model), name) is not getattr(keras.Model, name)]


def _compilable(model: Any) -> bool:
    """Whether every layer says of itself that XLA can compile it, as Keras asks before it compiles by itself."""
    return all(layer.supports_jit for layer in model._flatten_layers())  # noqa: SLF001  # which sees nested ones, too


def _obstacle(model: Any) -> str | None:
    import keras

    if keras.backend.backend() != "tensorflow":
        return f"because Keras runs on {keras.backend.backend()}"
    if model.run_eagerly:
        return "because compile asked for run_eagerly"
    if own := own_methods(model):
        return f"because {type(model).__name__} has its own {', '.join(own)}"
    if model.distribute_strategy.num_replicas_in_sync > 1:
        return "because the model is spread over several devices"
    return None
