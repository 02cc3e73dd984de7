"""Says what was measured on which machine, in the one form that results.py turns into RESULTS.md."""

import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from hpsearch import provenance

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
PEERS = ("ray",)  # beside what provenance.versions() names already
SIDE, TRIES = 1024, 15
Cell = str | float | int | None


@dataclass(frozen=True)
class Result:
    """One table of measurements; on disk the same keys as JSON.

    `command` makes it again. `predicted` says what was hoped for before measuring. A cell that is a number is
    shown with three digits, None as a dash. `plot` is the name of a picture beside the JSON file. `words` say
    what the numbers mean, and where they fall short.
    """

    title: str
    command: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    predicted: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)
    plot: str = ""
    words: Sequence[str] = ()

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def command(*without: str) -> str:
    """The command of this program, as a person would type it, without these options and what follows them.

    What was measured in pieces (--sides ray) is made again by the command that asks for all of it.
    """
    program = Path(sys.argv[0]).absolute()
    shown = program.relative_to(ROOT) if program.is_relative_to(ROOT) else Path(program.name)
    return shlex.join(["python", shown.as_posix(), *_words(without)])


def _words(without: Sequence[str]) -> Iterator[str]:
    kept = True
    for word in chain.from_iterable(word.split("=", 1) if word.startswith("--") else [word] for word in sys.argv[1:]):
        kept = word not in without if word.startswith("--") else kept
        if kept:
            yield _without_place(word)


def _without_place(word: str) -> str:
    """The folder of a person's data is their own affair."""
    return f"…/{Path(word).name}" if Path(word).is_absolute() else word


def machine() -> dict[str, Any]:
    """The machine and the versions that a figure depends on, and when it was taken; no names of hosts or folders."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": provenance.processor() or "unknown",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        **provenance.versions(),
        **{package: found for package in PEERS if (found := _version(package))},
        "source": provenance.source_digest()[:12],
        "gflops": round(speed()),
    }


def speed() -> float:
    """What all cores together do of NumPy's matrix products, in 10⁹ operations a second; it takes some tenths of one.

    Two machines of one name may differ by half, and one that is busy with other things tells by it.
    """
    one = np.ones((SIDE, SIDE), np.float32)
    taken = [seconds(lambda: one @ one) for _ in range(TRIES)]
    return 2 * SIDE**3 / min(taken) / 1e9


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def load() -> float:
    """How many processes wanted a core over the last minute: about 0 on a quiet machine."""
    return os.getloadavg()[0]


def picture(path: Path, draw: Any, *, size: tuple[float, float] = (8, 4.5)) -> str:
    """Have `draw` fill a figure's axes, save them as a PNG and give the file's name."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=size, layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    draw(axes)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path.name
