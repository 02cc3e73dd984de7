"""KerasTuner's oracles as tuners; each lives in a process of its own, so that TensorFlow stays out of this one."""

import pickle
from typing import Any

from hpsearch.protocols import Brief, Turn
from hpsearch.space import Parameter, Value
from hpsearch.trial import Trial, TrialResult
from hpsearch.worker import ending, process, starting


class _Remote:
    """A tuner whose work is done by `kind` in hpsearch.tuners.oracles, in another process.

    `begin` returns at once; what goes wrong there is raised by the next call. A process that died raises ChildDied.
    """

    kind: str

    def begin(self, brief: Brief) -> None:
        """Start the process and hand it the brief."""
        self._process, self._line = starting.fresh(serve, self.kind, brief)

    def ask(self, number: int) -> Trial | Turn:
        """Hand out a trial, whose values the oracle plans now and tells as they are asked for."""
        answer: Trial | Turn = self._request("ask", number)
        return answer

    def suggest(self, number: int, parameter: Parameter) -> Value:
        """Answer as planned where that lies inside the parameter, else by the oracle's own rule."""
        if parameter.kind == "fixed":
            return parameter.default
        answer: Value = self._request("suggest", number, parameter)
        return answer

    def tell(self, result: TrialResult) -> None:
        """Tell the oracle how a trial ended."""
        self._request("tell", result)

    def _request(self, what: str, *arguments: Any) -> Any:
        try:
            self._line.send((what, arguments))
            returned, answer, text = pickle.loads(self._line.recv_bytes())  # noqa: S301 - our own process wrote it
        except (EOFError, OSError) as error:
            self._process.join(5)
            message = f"keras-tuner.{self.kind} is gone: its process {ending.how_it_died(self._process)}"
            raise ending.ChildDied(message) from error
        if returned:
            return answer
        answer.add_note(text)
        raise answer

    def close(self) -> None:
        """End the process."""
        if hasattr(self, "_process"):
            self._line.close()
            ending.kill(self._process)


class Random(_Remote):
    """KerasTuner's RandomSearch: never the same values twice; done after 21 collisions in a row.

    What a plain `if` or loop leaves unasked counts among the values all the same, so that whole models come again;
    under `with hp.conditional_scope("layers", [2, 3]):` it does not. Where one name has other ranges on plain branches,
    a few points of a small space may come twice.
    """

    kind = "random"

    def note(self, number: int, parameter: Parameter, value: Value) -> None:
        """Tell the oracle, which may not know of the parameter yet."""
        self._request("note", number, parameter, value)


class Grid(_Remote):
    """KerasTuner's GridSearch: every combination, defaults first.

    A range without steps counts as eleven values: its default, and ten spread over it. What a plain `if` or loop leaves
    unasked is combined all the same, so that whole models come again; under
    `with hp.conditional_scope("layers", [2, 3]):` it is not. Where one name has other ranges on plain branches, it
    takes as many values in each as in the one met first. A parameter of more than 100,000 values is refused.
    """

    kind = "grid"
    ends = True


def serve(line: Any, kind: str, brief: Brief) -> None:
    """Be the oracle's process: replay the history at once, then answer requests until the line is closed."""
    mind, trouble = _mind(kind, brief)

    def do(what: str, *arguments: Any) -> Any:
        if trouble:
            raise trouble
        return getattr(mind, what)(*arguments)

    while True:
        try:
            what, arguments = line.recv()
        except (EOFError, OSError):
            return
        line.send_bytes(process.attempt(do, what, *arguments))


def _mind(kind: str, brief: Brief) -> tuple[Any, Exception | None]:
    """The oracle, or what kept it from coming to be."""
    try:
        from hpsearch.tuners import oracles

        return oracles.Mind(kind, brief), None
    except Exception as error:  # noqa: BLE001 - it is raised on the other side, by the first request
        return None, error
