"""What a side is told to do, and the diary in which it notes how it goes; nothing heavy is imported here."""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

Entry = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One run of one side.

    `project` is a folder that holds the space, `build` its "module:function". `data` holds images.npy and
    labels.npy, `split` (.npz) says which of them train, so many `rows`, and which validate. With `fixed` the space is
    that many numbered configurations, each to be trained once and to its end; without, the side searches on until it
    is stopped, by `algorithm` and, where the side can, in so many `processes`.
    """

    project: str
    build: str
    data: str
    image_shape: tuple[int, ...]
    rows: int
    split: str
    class_names: tuple[str, ...]
    epochs: int
    batch_size: int
    validation_batch: int
    seed: int
    diary: str
    cores: int
    algorithm: str = ""
    processes: int = 1
    fixed: int = 0

    @property
    def first_rung(self) -> int:
        """The epoch from which a pruner may stop a trial, where the algorithm says one; 0 is as the pruner comes."""
        return -(-self.epochs // 2) if self.algorithm.endswith("-halfway") else 0

    @property
    def defaults_first(self) -> bool:
        """Whether the algorithm begins with the values that the space itself names."""
        return self.algorithm.endswith("-defaults")

    def with_(self, **changes: Any) -> Self:
        """The same job with these changes."""
        return replace(self, **changes)

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: str) -> Self:
        """Read it from JSON."""
        said = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(**said | {key: tuple(said[key]) for key in ("class_names", "image_shape")})


class Diary:
    """A JSON-lines file to which several processes may append entries; `time` is Unix seconds."""

    def __init__(self, path: str) -> None:
        """Nothing is opened yet."""
        self._path, self._read = Path(path), 0

    def note(self, what: str, **facts: Any) -> None:
        """Append an entry in one write, so that two writers do not mix."""
        line = json.dumps({"time": time.time(), "what": what, **facts}) + "\n"
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)

    def news(self) -> list[Entry]:
        """The whole entries since the last time."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]
