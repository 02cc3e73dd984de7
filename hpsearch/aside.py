"""Has something done beside the main work, which does not wait for it at the end."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any


def aside(function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
    """Call a function in a thread of its own, which nobody waits for when the program ends sooner."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function(*arguments))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            future.set_exception(error)

    Thread(target=run, name=getattr(function, "__name__", "aside"), daemon=True).start()
    return future
