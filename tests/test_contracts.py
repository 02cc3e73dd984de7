"""Every data set, executor, tracker and exporter keeps the promises of its socket."""

import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import odd_jobs
import pytest
from data_makers import at_hand, drawings, write_pair, write_pictures, write_table
from rich.console import Console
from test_mlflow import everything, no_model

from hpsearch import plugins
from hpsearch.testing.datasets import DatasetContract
from hpsearch.testing.executors import ExecutorContract
from hpsearch.testing.exporters import ExporterContract
from hpsearch.testing.trackers import EXPERIMENT, TrackerContract
from hpsearch.trackers.board import Board
from hpsearch.trackers.mlflow_store import client, experiment_id
from hpsearch.trackers.plain_lines import PlainLines
from hpsearch.trackers.via_mlflow import Place, ViaMLflow


class TestMNIST5k(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Any:
        return plugins.part("datasets", "mnist-5k")


class TestIdxWithTestFiles(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, tmp_path_factory: pytest.TempPathFactory) -> Any:
        folder = write_pair(tmp_path_factory.mktemp("own"), "train", *drawings())
        write_pair(folder, "test", *drawings(rows=12, seed=1))
        (folder / "own-mapping.txt").write_text("".join(f"{label} {ord('a') + label}\n" for label in range(4)))
        return partial(plugins.part("datasets", "idx"), folder, transposed=True)


class TestIdxHeldOut(DatasetContract):
    approximate = 0.1  # its outline has not seen that some images occur twice

    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, tmp_path_factory: pytest.TempPathFactory) -> Any:
        images, labels = drawings(rows=120)
        images[100:] = images[:20]
        folder = write_pair(tmp_path_factory.mktemp("own"), "train", np.asarray(images), labels, suffix="")
        return partial(plugins.part("datasets", "idx"), folder, test=0.25)


class TestNpzWithTestArrays(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, tmp_path_factory: pytest.TempPathFactory) -> Any:
        file = tmp_path_factory.mktemp("own") / "own.npz"
        images, labels = drawings()
        np.savez(file, x_train=images / 255, y_train=labels, x_test=images[:8], y_test=labels[:8, None])
        return partial(plugins.part("datasets", "npz"), file, transposed=True)


class TestNpzHeldOut(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, tmp_path_factory: pytest.TempPathFactory) -> Any:
        file = tmp_path_factory.mktemp("own") / "own.npz"
        images, labels = drawings(rows=120)
        np.savez_compressed(file, images=images.reshape(len(images), -1), labels=labels)
        return partial(plugins.part("datasets", "npz"), file, test=0.25, size=[6, 5])


class TestCsvWithTestTable(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, tmp_path_factory: pytest.TempPathFactory) -> Any:
        folder = tmp_path_factory.mktemp("own")
        write_table(folder / "train.csv", *drawings(width=6), header=True)
        write_table(folder / "test.csv.gz", *drawings(rows=12, width=6, seed=1))
        return partial(plugins.part("datasets", "csv"), folder / "train.csv", "test.csv.gz", transposed=True)


class TestCsvHeldOut(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, tmp_path_factory: pytest.TempPathFactory) -> Any:
        file = write_table(tmp_path_factory.mktemp("own") / "own.csv", *drawings(rows=120))
        return partial(plugins.part("datasets", "csv"), file, test=0.25, size=[6, 5])


class TestFolderWithTestPictures(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, tmp_path_factory: pytest.TempPathFactory) -> Any:
        folder = tmp_path_factory.mktemp("own")
        write_pictures(folder / "train", *drawings())
        write_pictures(folder / "test", *drawings(rows=12, seed=1))
        return partial(plugins.part("datasets", "folder"), folder)


class TestFolderHeldOut(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls, tmp_path_factory: pytest.TempPathFactory) -> Any:
        folder = write_pictures(tmp_path_factory.mktemp("own"), *drawings(rows=120))
        return partial(plugins.part("datasets", "folder"), folder, test=0.25, size=[8, 8])


class TestMNIST(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Any:
        folder = at_hand("mnist/train-images-idx3-ubyte.gz") / "mnist"
        return partial(plugins.part("datasets", "mnist"), mirror=str(folder))

    @pytest.mark.parametrize(("file", "left"), [("train/images.npy", None), ("test/labels.npy", 0.5)])
    def test_a_cut_or_missing_array_is_not_taken_for_whole(
        self, make: Any, copied: Any, file: str, left: float | None
    ) -> None:
        """Of every array on smaller sets, whose preparing takes less."""
        super().test_a_cut_or_missing_array_is_not_taken_for_whole(make, copied, file, left)


class TestEMNISTBalanced(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Any:
        folder = at_hand("emnist/gzip.zip") / "emnist"  # NIST's archive, 561 MB
        return partial(plugins.part("datasets", "emnist-balanced"), mirror=str(folder))


class TestLocal(ExecutorContract):
    @pytest.fixture
    def make(self) -> Any:
        return lambda task: plugins.part("executors", "local")(2, odd_jobs.rated)

    @pytest.fixture
    def recipe(self) -> Any:
        return {"brief": 3, "endless": 100_000, "deadly": None}.__getitem__


class TestInline(ExecutorContract):
    apart = False

    @pytest.fixture
    def make(self) -> Any:
        return lambda task: plugins.part("executors", "inline")()


class TestPlainLines(TrackerContract):
    @pytest.fixture
    def streams(self) -> dict[Path, io.StringIO]:
        return {}

    @pytest.fixture
    def make(self, streams: dict[Path, io.StringIO]) -> Any:
        return lambda place: PlainLines(EXPERIMENT.objective, streams.setdefault(place, io.StringIO()))

    @pytest.fixture
    def seen(self, streams: dict[Path, io.StringIO]) -> Any:
        return lambda place: streams[place].getvalue()


class TestBoard(TrackerContract):
    @pytest.fixture
    def streams(self) -> dict[Path, io.StringIO]:
        return {}

    @pytest.fixture
    def make(self, streams: dict[Path, io.StringIO]) -> Any:
        def make(place: Path) -> Board:
            out = streams.setdefault(place, io.StringIO())
            return Board(EXPERIMENT, 2, Console(file=out, width=100, height=60, force_terminal=False))

        return make

    @pytest.fixture
    def seen(self, streams: dict[Path, io.StringIO]) -> Any:
        return lambda place: streams[place].getvalue()


class TestViaMLflow(TrackerContract):
    remembers = True

    @pytest.fixture(scope="class")
    @classmethod
    def store(cls, tmp_path_factory: pytest.TempPathFactory, empty_store: bytes) -> str:
        file = tmp_path_factory.mktemp("store") / "mlflow.db"
        file.write_bytes(empty_store)
        return f"sqlite:///{file}"

    @pytest.fixture
    def make(self, store: str) -> Any:
        def make(place: Path) -> ViaMLflow:
            experiment_id(client(store), place.name, (place / "artifacts").as_uri())
            return ViaMLflow(EXPERIMENT, Place(store, place.name, place.name, place / "fits"), no_model)

        return make

    @pytest.fixture
    def seen(self, store: str) -> Any:
        def seen(place: Path) -> Any:
            found = everything(Place(store, place.name, place.name, place / "fits"))
            files = sorted(file.name for file in place.rglob("*") if file.is_file())
            return {key: without_ids(*entry) for key, entry in sorted(found.items())}, files

        return seen


def without_ids(_run: str, status: str, start: int, end: int, params: Any, tags: dict[str, str], metrics: Any) -> Any:
    own = {"hpsearch.study_id", "mlflow.parentRunId"}
    asked = {"hpsearch.asked"}  # which a second tracker reads from the ledger, and there is none here
    told = {name: text for name, text in sorted(tags.items()) if name not in own | asked}
    return status, start, end, sorted(params.items()), told, own & set(tags), sorted(metrics.items())


class TestKerasFile(ExporterContract):
    tolerance = 1e-6

    @pytest.fixture
    def make(self) -> Any:
        return plugins.part("exporters", "keras")


class TestSavedModel(ExporterContract):
    tolerance = 1e-6

    @pytest.fixture
    def make(self) -> Any:
        return plugins.part("exporters", "saved-model")


class TestOnnxFile(ExporterContract):
    @pytest.fixture
    def make(self) -> Any:
        pytest.importorskip("onnxruntime", reason="the extra export is not installed")
        return plugins.part("exporters", "onnx")


class TestLiteRT(ExporterContract):
    @pytest.fixture
    def make(self) -> Any:
        pytest.importorskip("ai_edge_litert", reason="the extra export is not installed")
        return plugins.part("exporters", "litert")


class TestLiteRTInt8(ExporterContract):
    tolerance = 0.05

    @pytest.fixture
    def make(self) -> Any:
        pytest.importorskip("ai_edge_litert", reason="the extra export is not installed")
        return plugins.part("exporters", "litert-int8")


class TestMLflowFolder(ExporterContract):
    tolerance = 1e-6

    @pytest.fixture
    def make(self) -> Any:
        return plugins.part("exporters", "mlflow")


@pytest.mark.parametrize(
    ("socket", "proven"),
    [
        ("datasets", {"csv", "emnist-balanced", "folder", "idx", "mnist", "mnist-5k", "npz"}),
        ("executors", {"inline", "local"}),
        ("exporters", {"keras", "litert", "litert-int8", "mlflow", "onnx", "saved-model"}),
    ],
)
def test_every_registered_part_runs_its_contract(socket: str, proven: set[str]) -> None:
    ours = {part for part in plugins.known(socket) if plugins.part(socket, part).__module__.startswith("hpsearch.")}

    assert ours == proven
