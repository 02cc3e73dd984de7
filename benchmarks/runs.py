"""Keeps measured runs in a JSON-lines file, so that a long benchmark can be made in pieces and none is made twice."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import reporting

Run = dict[str, Any]
FASTER = 1.25  # by so much two measurements of one quiet machine do not differ


class Broken(RuntimeError):
    """A run came to nothing; the text says why."""


class Runs:
    """All runs in a file; those whose values under `key` agree are the same run."""

    def __init__(self, path: Path, key: Sequence[str]) -> None:
        """Read what is there; the file is made with the first run."""
        self._path, self._key = path, tuple(key)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._runs: list[Run] = [json.loads(line) for line in lines]
        self._known = {self._name(run) for run in self._runs}
        self.broken = 0
        self._looked = False

    def __contains__(self, run: Mapping[str, Any]) -> bool:
        """Whether a run with this key was made already."""
        return self._name(run) in self._known

    def __iter__(self) -> Iterator[Run]:
        """All runs, oldest first."""
        return iter(self._runs)

    def among(self, asked: Sequence[Mapping[str, Any]]) -> list[Run]:
        """Those of the runs asked for that were made, oldest first."""
        names = {self._name(run) for run in asked}
        return [run for run in self._runs if self._name(run) in names]

    def make(self, run: Run, measure: Callable[[], Run], beside: Sequence[Run] = ()) -> Run | None:
        """Add what `measure` gives to a run that is missing; None if it was there already or broke, which is told.

        Before the first that is missing, `refuse_other_machine` looks at the runs that it will stand beside.
        """
        if run in self:
            return None
        if not self._looked:
            refuse_other_machine(beside)
            self._looked = True
        try:
            began = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
            self.add(run | {"began": began} | measure())
        except Broken as broken:  # the others are still worth measuring, and this one is tried again the next time
            print(f"{run}: {broken}", file=sys.stderr, flush=True)
            self.broken += 1
            return None
        return self._runs[-1]

    def add(self, run: Run) -> None:
        """Append a run; it is on disk when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(run, ensure_ascii=False) + "\n")
        self._runs.append(run)
        self._known.add(self._name(run))

    def _name(self, run: Mapping[str, Any]) -> str:
        return json.dumps([run[key] for key in self._key], sort_keys=True)


def refuse_other_machine(runs: Sequence[Run]) -> None:
    """Raise SystemExit, before hours are spent, where this machine's runs could not stand in one table with these.

    One of another speed could not, whatever its name: it is another, or busy with other things.
    """
    here = reporting.machine()
    one_machine([*runs, {"machine": here}])
    speeds = [run["machine"]["gflops"] for run in runs if "gflops" in run["machine"]]
    if speeds and not 1 / FASTER < here["gflops"] / median(speeds) < FASTER:
        message = (
            f"this machine does {here['gflops']} GFLOP/s of matrix products, where these runs were made it did "
            f"{median(speeds):.0f}\n  wait until it is quiet, or keep machines apart: --out FOLDER (make: OUT=FOLDER)"
        )
        raise SystemExit(message)


def one_machine(runs: Sequence[Run]) -> dict[str, Any]:
    """The facts of the runs' machine; raise SystemExit where some come from another processor.

    What may differ between them, day, hpsearch's source and speed, is told of all, the rest of the newest.
    """
    kinds = {(run["machine"]["processor"], run["machine"]["cores"]) for run in runs}
    if len(kinds) > 1:
        told = " and ".join(f"{processor}, {cores} cores" for processor, cores in sorted(kinds))
        message = f"these runs come from different machines: {told}\n  keep them apart: --out FOLDER (make: OUT=FOLDER)"
        raise SystemExit(message)
    facts: dict[str, Any] = dict(runs[-1]["machine"])
    for key in ("date", "gflops", "source"):
        values = sorted({run["machine"][key] for run in runs if key in run["machine"]})
        if len(values) > 1:
            facts[key] = ", ".join(values) if key == "source" else f"{values[0]} to {values[-1]}"
    return facts
