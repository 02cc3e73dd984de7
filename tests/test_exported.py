"""What reading an exported folder believes: nothing that its bytes do not bear out."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from hpsearch.errors import ExperimentRefused, NeedsNewer, StateDamaged
from hpsearch.exported import LARGEST_MANIFEST, read_export, refuse_unreadable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An export of a file and a folder; what they hold is nobody's business here."""
    folder = tmp_path / "model"
    for name in ("model.keras", "saved_model/saved_model.pb", "saved_model/variables/variables.index"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    write(folder, manifest(folder))
    return folder


def manifest(folder: Path) -> dict[str, Any]:
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "manifest.json"]
    return {
        "version": 1,
        "class_names": ["0", "1"],
        "input": {"shape": [28, 24], "dtype": "uint8", "range": [0, 255], "ink": "bright on dark"},
        "framing": {"kind": "emnist"},
        "files": {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        "formats": {"keras": {"path": "model.keras"}, "saved-model": {"path": "saved_model"}},
    }


def write(folder: Path, said: object) -> None:
    (folder / "manifest.json").write_text(json.dumps(said))


def test_a_sound_folder_is_read_from_wherever_it_was_moved_to(folder: Path, tmp_path: Path) -> None:
    moved = folder.rename(tmp_path / "moved")

    read = read_export(moved)

    assert (read.class_names, read.shape, read.framing) == (("0", "1"), (28, 24), "emnist")
    assert read.formats == {"keras": moved / "model.keras", "saved-model": moved / "saved_model"}
    assert read.manifest["input"]["range"] == [0, 255]


@pytest.mark.parametrize("name", ["model.keras", "saved_model/variables/variables.index"])
def test_a_file_that_is_another_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"another")

    with pytest.raises(StateDamaged, match=f"{name}: this is not the file that was written"):
        read_export(folder)


def test_a_file_that_is_gone_is_named(folder: Path) -> None:
    (folder / "saved_model" / "saved_model.pb").unlink()

    with pytest.raises(StateDamaged, match=r"saved_model\.pb: this file of the export is missing"):
        read_export(folder)


def test_a_file_that_was_put_into_a_format_is_named(folder: Path) -> None:
    (folder / "saved_model" / "fingerprint.pb").write_bytes(b"put there")

    with pytest.raises(StateDamaged, match=r"fingerprint\.pb: this file is not of the export"):
        read_export(folder)


def test_a_format_that_is_nowhere_is_refused(folder: Path) -> None:
    write(folder, manifest(folder) | {"formats": {"onnx": {"path": "model.onnx"}}})

    with pytest.raises(StateDamaged, match=r"model\.onnx: this part of the export is missing"):
        read_export(folder)


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/hostname", "saved_model/../../outside", "a\\..\\b", "C:x", ".", ""]
)
def test_a_path_that_leaves_the_folder_is_refused(folder: Path, name: str) -> None:
    (folder.parent / "outside").write_bytes(b"secret")
    said = manifest(folder)

    write(folder, said | {"files": said["files"] | {name: hashlib.sha256(b"secret").hexdigest()}})
    with pytest.raises(StateDamaged, match=r"manifest\.json: "):
        read_export(folder)

    write(folder, said | {"formats": {"keras": {"path": name}}})
    with pytest.raises(StateDamaged, match=r"manifest\.json: "):
        read_export(folder)


@pytest.mark.parametrize("name", ["model.keras", "saved_model"])
def test_a_link_is_refused_even_to_the_same_bytes(folder: Path, name: str) -> None:
    (folder / name).rename(folder.parent / "elsewhere")
    (folder / name).symlink_to(folder.parent / "elsewhere")

    with pytest.raises(StateDamaged, match="this is a link"):
        read_export(folder)


def test_a_newer_export_asks_for_a_newer_hpsearch(folder: Path) -> None:
    write(folder, manifest(folder) | {"version": 2})

    with pytest.raises(NeedsNewer, match="this export is of version 2"):
        read_export(folder)


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "[1]", "{}", '{"version": true}', '{"version": 0}', '{"version": "1"}', "\0", "[" * 100_000,
        '{"version": 1, "files": ' + '{"a":' * 50_000,
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)

    with pytest.raises(StateDamaged, match=r"manifest\.json: "):
        read_export(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("class_names", ["0"]), ("class_names", "01"), ("class_names", [0, 1]), ("framing", {"kind": "photograph"}),
        ("framing", None), ("input", {"shape": [28], "dtype": "uint8"}), ("files", {"model.keras": "short"}),
        ("input", {"shape": [28, 100_000], "dtype": "uint8"}), ("input", {"shape": [28, 28], "dtype": "float32"}),
        ("input", {"shape": [28, 2.5], "dtype": "uint8"}),
        ("input", {"shape": [28, 28], "dtype": "uint8", "ink": "red"}),
        ("input", {"shape": [28, 28], "dtype": "uint8"}),
        ("formats", {}), ("formats", {"keras": "model.keras"}),
        ("files", ["model.keras"]), ("files", {}),
    ],
)  # fmt: skip
def test_a_manifest_that_says_strange_things_is_refused(folder: Path, key: str, value: object) -> None:
    write(folder, manifest(folder) | {key: value})

    with pytest.raises(StateDamaged, match=rf"manifest\.json: {key}|does not name it"):
        read_export(folder)


def test_a_manifest_too_large_to_be_one_is_not_read(folder: Path) -> None:
    (folder / "manifest.json").write_text(" " * LARGEST_MANIFEST + json.dumps(manifest(folder)))

    with pytest.raises(StateDamaged, match="larger than"):
        read_export(folder)


def test_what_could_not_be_read_again_is_refused_before_it_is_exported() -> None:
    refuse_unreadable(["a", "b"], (16_384, 16_384))

    with pytest.raises(ExperimentRefused, match=r"cannot hold models of these data \(input\.shape\.1: "):
        refuse_unreadable(["a", "b"], (1, 16_385))
    with pytest.raises(ExperimentRefused, match=r"cannot hold models of these data \(class_names: "):
        refuse_unreadable(["a"], (28, 28))


@pytest.mark.parametrize("place", ["nowhere", "empty", "file"])
def test_where_there_is_no_export_a_person_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")

    with pytest.raises(StateDamaged, match="there is no manifest here"):
        read_export(tmp_path / place)
