"""Every reader of bytes from outside answers anything with a value or with one of our own errors.

The suite tries a few dozen inputs each, always the same; `make fuzz` tries many, other ones every time.
"""

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import odd_trackers
import psutil
import pytest
from data_makers import drawings, idx_bytes, table_text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from test_mlflow import whole_story
from written import file_of, seven

from hpsearch import holding
from hpsearch.datasets import idx_format
from hpsearch.datasets.archive import take_out
from hpsearch.datasets.mapping import read_mapping
from hpsearch.datasets.npz import Npz
from hpsearch.datasets.pictures import FORMATS, NotRead, grey
from hpsearch.datasets.prepared import whole
from hpsearch.datasets.table import Csv
from hpsearch.errors import HpsearchError
from hpsearch.ledger import Ledger
from hpsearch.loading import load
from hpsearch.outbox import Outbox
from hpsearch.paths import Project
from hpsearch.predict.framing import Framing
from hpsearch.predict.looking import look
from hpsearch.predict.sights import Picture, Unread
from hpsearch.worker import checkpoint

EXAMPLES = os.environ.get("HPSEARCH_FUZZ")
MOST_MEMORY = 300_000_000  # bytes that one reader may add
TOML = """\
name = "small"
[model]
build = "mine:build"
[space]
units = { min = 1, max = 3, step = 1 }
kind = ["a", "b"]
[search]
trials = 3
[train]
batch_size = [32, 64]
"""


def fuzzed(test: Callable[..., None]) -> Callable[..., None]:
    return settings(
        max_examples=int(EXAMPLES or 50),
        derandomize=not EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )(test)


@st.composite
def spoilt(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with some bytes changed, a piece cut out, or strange bytes put in; or none of it at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    raw = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(raw)))
        strange = draw(st.binary(max_size=8))
        raw[place : place + draw(st.sampled_from([0, 1, len(strange), len(strange), 100]))] = strange
    return bytes(raw)


def answered(read: Callable[[], object]) -> None:
    """Read; fail unless it comes to an end, or to an error of ours in words, without much memory."""
    before = psutil.Process().memory_info().rss
    with suppress(HpsearchError):
        read()
    assert psutil.Process().memory_info().rss - before < MOST_MEMORY


IMAGES = idx_bytes(drawings()[0])


@pytest.mark.promise("P19", "62", "H41")
@fuzzed
@given(content=spoilt(IMAGES) | spoilt(gzip.compress(IMAGES)))
def test_idx_files(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "images"
    file.write_bytes(content)

    answered(lambda: idx_format.read(file, 3))


@cache
def archived() -> bytes:
    content = io.BytesIO()
    images, labels = drawings()
    np.savez_compressed(content, x_train=np.asfortranarray(images), y_train=labels)
    return content.getvalue()


@pytest.mark.promise("P19", "62", "H28")
@fuzzed
@given(content=st.deferred(lambda: spoilt(archived())))
def test_numpy_archives(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path / "cache"))
    file = tmp_path / "own.npz"
    file.write_bytes(content)

    answered(lambda: Npz(file).prepare(lambda *_: None))


TABLE = table_text(*drawings(rows=12, width=6), header=True).encode()


@pytest.mark.promise("P19", "63", "H40")
@fuzzed
@given(
    content=spoilt(TABLE) | spoilt(gzip.compress(TABLE)) | st.text('0123456789,\n\r" .-', max_size=60).map(str.encode)
)
def test_tables(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path / "cache"))
    file = tmp_path / "own.csv"
    file.write_bytes(content)

    answered(lambda: Csv(file).prepare(lambda *_: None))


@cache
def picture(kind: str) -> bytes:
    content = io.BytesIO()
    Image.fromarray(drawings()[0][0]).save(content, kind)
    return content.getvalue()


@pytest.mark.promise("P19", "62")
@fuzzed
@given(content=st.sampled_from(FORMATS).flatmap(lambda kind: spoilt(picture(kind))))
def test_pictures(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(content)

    with suppress(NotRead):
        answered(lambda: grey(file, None))


@pytest.mark.promise("P19", "H46")
@fuzzed
@given(content=st.sampled_from(FORMATS).flatmap(lambda kind: spoilt(file_of(seven(size=(40, 48), pen=3), kind))))
def test_pictures_to_be_read(content: bytes) -> None:
    found: list[Picture | Unread] = []

    answered(lambda: found.append(look("upload", content, Framing.MNIST)))

    assert [type(one) for one in found] in ([Picture], [Unread])


@pytest.mark.promise("P19")
@fuzzed
@given(content=spoilt(b"0 65\n1 66 98\n2 8364\n10 65\n") | st.text(max_size=60).map(str.encode))
def test_mapping_files(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "mapping.txt"
    file.write_bytes(content)

    answered(lambda: read_mapping(file))


@cache
def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/wanted.txt", "wanted" * 50)
        archive.writestr("../other.txt", "other")
    return content.getvalue()


@pytest.mark.promise("P23", "62")
@fuzzed
@given(content=st.deferred(lambda: spoilt(zipped())))
def test_archives(content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    (folder / "wanted.txt").unlink(missing_ok=True)
    (tmp_path / "a.zip").write_bytes(content)

    answered(lambda: take_out(tmp_path / "a.zip", ["a/wanted.txt"], folder, 1000))

    assert {path.name for path in tmp_path.rglob("*")} <= {"a.zip", "out", "wanted.txt"}


@pytest.mark.promise("P23", "H42", "H43", "H44")
@fuzzed
@given(content=spoilt(TOML.encode()))
def test_experiment_files(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(content)
    (tmp_path / "mine.py").write_text("def build(hp): ...\n")

    answered(lambda: load(file, Project(tmp_path)))


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
NESTED = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner))
KEYS = st.sampled_from(
    ["name", "seed", "data.folder", "data.test", "data.folds", "model.build", "search.time", "search.objective",
     "search.pruner_options", "train.batch_size", "train.class_weight", "space.x", "workers.gpus", "tracking.mlflow"]
)  # fmt: skip


@pytest.mark.promise("P23", "H42")
@fuzzed
@given(key=KEYS, value=NESTED)
def test_values_of_every_kind_in_an_experiment(key: str, value: Any, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(TOML)
    (tmp_path / "mine.py").write_text("def build(hp): ...\n")
    word = f"{key}={json.dumps(value)}"

    answered(lambda: load(tmp_path / "x.toml", Project(tmp_path), [word]))


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files of ours, as they were written."""
    folder = tmp_path_factory.mktemp("ours")
    checkpoint._write(folder / "checkpoint", [np.arange(6.0).reshape(2, 3), np.arange(2)], {"epoch": 3})
    ledger = Ledger(folder / "ledger")
    for news in whole_story():
        ledger.write(news.body)
    ledger.close()
    return {name: (folder / name).read_bytes() for name in ("checkpoint", "ledger")}


@fuzzed
@given(choice=st.data())
def test_checkpoints(choice: st.DataObject, ours: dict[str, bytes], tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    file.write_bytes(choice.draw(spoilt(ours["checkpoint"])))

    answered(lambda: checkpoint.load(file))


@pytest.mark.promise("P12", "37")
@fuzzed
@given(choice=st.data())
@pytest.mark.parametrize("writer", [False, True])
def test_ledgers(writer: bool, choice: st.DataObject, ours: dict[str, bytes], tmp_path: Path) -> None:
    for left in tmp_path.iterdir():
        left.unlink(missing_ok=True)  # a connection that failed takes its own away when it is forgotten
    file = tmp_path / "ledger.db"
    file.write_bytes(choice.draw(spoilt(ours["ledger"])))

    def read() -> None:
        with closing(Ledger(file, writer=writer)) as ledger:
            list(ledger.read())

    answered(read)


JSON = NESTED.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=50) | st.just(b"[" * 100_000)


@fuzzed
@given(content=JSON | spoilt(b'{"pid": 7, "host": "here"}'))
def test_notes_of_who_holds_a_study(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "holder.json").write_bytes(content)

    holder = holding.read(tmp_path / "holder.json")

    assert holder is None or str(holder).startswith("process ")


@fuzzed
@given(content=JSON | st.integers().map(lambda number: str(number).encode()))
def test_cursors(content: bytes, ours: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(ours["ledger"])
    (tmp_path / "cursor").write_bytes(content)

    answered(Outbox(tmp_path / "ledger.db", tmp_path / "cursor", odd_trackers.Listener(tmp_path)).waiting)


@fuzzed
@given(content=JSON | spoilt(b'{"version": 1, "bytes": {}, "class_names": ["a"], "shape": [1]}'))
def test_manifests_of_prepared_data(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(content)

    assert whole(tmp_path) is None
