"""Says what a graph of training steps goes by that no checkpoint has, so that a fit cannot go on exactly as it was."""

from collections.abc import Iterable
from itertools import chain
from typing import Any


def unkept(graph: Any, kept: Iterable[Any]) -> str:
    """Why a fit by this graph of TensorFlow's has to be begun anew after a stop; "" where it can go on.

    TensorFlow's own random numbers (`tf.random`, `tf.image.random_…`) hang on how many an operation has given since
    it was made: it is known by the seeds among its attributes. Keras's are made of the states of SeedGenerators.
    `kept` has the variables that a checkpoint has, and those that no epoch takes over from another.
    """
    if others := _other_variables(graph, kept):
        return f"a checkpoint leaves out the variables {', '.join(others)}, which Keras does not know"
    if drawing := _drawing(graph):
        return f"a checkpoint leaves out how far TensorFlow's own random numbers are ({', '.join(drawing)})"
    return ""


def _other_variables(graph: Any, kept: Iterable[Any]) -> list[str]:
    known = {id(getattr(variable, "value", variable)) for variable in kept}
    return sorted(repr(variable.name) for variable in graph.variables if id(variable) not in known)


def _drawing(graph: Any) -> list[str]:
    found = graph.as_graph_def()
    nodes = chain(found.node, *(function.node_def for function in found.library.function))
    return sorted({node.op for node in nodes if "seed2" in node.attr and not node.op.startswith("Cudnn")})
