"""Makes model files that try to run code, read files or take the memory, and opens each of them as the program does."""

import io
import json
import os
import pickle
import resource
import sys
import time
import zipfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hpsearch.errors import StateDamaged
from hpsearch.worker.model_reading import read_model

Config = dict[str, Any]
CANARY = "canary"
KERNEL = "layers/dense/vars/0"


@dataclass(frozen=True)
class Opened:
    """What came of one file: the text of our refusal ("" if it was loaded), and seconds."""

    said: str
    seconds: float


def open_all(folder: Path) -> tuple[dict[str, Opened], int, list[str]]:
    """Make and open every file; give what came of each, the peak memory in MB, and what lies in the folder then."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    found = {}
    for name, file in make(folder).items():
        began = time.monotonic()
        try:
            read_model(file)
            said = ""
        except StateDamaged as damaged:
            said = str(damaged)
        found[name] = Opened(said, time.monotonic() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found, peak, sorted(path.name for path in folder.iterdir())


def make(folder: Path) -> dict[str, Path]:
    """Write every file into the folder's `files`; the bait that they are after lies beside it."""
    files = folder / "files"
    files.mkdir()
    (folder / "evil").mkdir()
    (folder / "evil" / "mod.py").write_text(f"open({CANARY!r}, 'w')\n")
    config, weights = _honest(files / "honest.keras")
    made = {"an honest model": files / "honest.keras"}
    for name, changed in {**_configs(config), **_layers(config)}.items():
        made[name] = _packed(files / f"{len(made)}.keras", json.dumps(changed), weights)
    for name, spoil in _WEIGHTS.items():
        made[name] = _packed(files / f"{len(made)}.keras", json.dumps(config), spoil(weights))
    for name, content in _archives(config, weights, made["an honest model"].read_bytes()).items():
        made[name] = files / f"{len(made)}.keras"
        made[name].write_bytes(content)
    return made | _strangers(files)


def _honest(file: Path) -> tuple[Config, bytes]:
    import keras

    model = keras.Sequential([keras.Input((4, 4)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    model.save(file)
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("config.json")), archive.read("model.weights.h5")


def _packed(file: Path, config: str, weights: bytes) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights)
    return file


def _with_layer(config: Config, layer: Config) -> Config:
    changed = deepcopy(config)
    changed["config"]["layers"].insert(1, layer)
    return changed


def _with_dense(config: Config, **options: Any) -> Config:
    changed = deepcopy(config)
    changed["config"]["layers"][-1]["config"] |= options
    return changed


def _configs(config: Config) -> dict[str, Config]:
    function = {"class_name": "function", "registered_name": "function"}
    loss = {"loss": {**function, "module": "os", "config": "system"}}
    return {
        "an activation that is exec": _with_dense(
            config, activation={**function, "module": "builtins", "config": "exec"}
        ),
        "a loss that is os.system": {**config, "compile_config": loss},
        "a hundred million units": _with_dense(config, units=100_000_000),
        "two thousand million units": _with_dense(config, units=2_000_000_000),
        "a layer's name that climbs": _with_dense(config, name="../../../x"),
        "no model at all": config["config"]["layers"][-1],
        "a number": 7,  # type: ignore[dict-item]
    }


def _layers(config: Config) -> dict[str, Config]:
    calls = {
        "os.system": {"command": "touch canary"},
        "builtins.exec": {"object": "open('canary', 'w')"},
        "subprocess.Popen": {"args": ["touch", "canary"]},
        "pickle.loads": {"data": pickle.dumps(_Payload(), 0).decode()},
        "numpy.load": {"file": "files/objects.npy", "allow_pickle": True},
        "keras.config.enable_unsafe_deserialization": {},
        "keras.utils.get_file": {"fname": "canary", "origin": "file:///etc/passwd"},
        "keras.layers.TFSMLayer": {"filepath": ".", "name": "saved"},
        "keras.layers.StringLookup": {"vocabulary": "/etc/passwd", "name": "lookup"},
        "evil.mod.Layer": {"name": "evil"},
    }
    layers = {}
    for path, given in calls.items():
        module, _, name = path.rpartition(".")
        layer = {"module": module, "class_name": name, "config": given, "registered_name": None}
        layers[f"a layer that is {path}"] = _with_layer(config, layer)
    return layers | {"a layer with code": _with_layer(config, _code())}


def _code() -> Config:
    import keras

    layer = keras.layers.Lambda(lambda images: (open("canary", "w"), images)[1])  # noqa: SIM115, PTH123
    said: Config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    return said


def _rewritten(weights: bytes, change: Callable[[h5py.File], None]) -> bytes:
    content = io.BytesIO(weights)
    with h5py.File(content, "r+") as file:
        del file[KERNEL]
        change(file)
    return content.getvalue()


def _external_link(file: h5py.File) -> None:
    file[KERNEL] = h5py.ExternalLink("/etc/passwd", "/")


def _external_storage(file: h5py.File) -> None:
    file.create_dataset(KERNEL, (16, 3), "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def _million_by_million(file: h5py.File) -> None:
    file.create_dataset(KERNEL, (1_000_000, 1_000_000), "f4", chunks=(1000, 1000))


def _nowhere_stored(file: h5py.File) -> None:
    file.create_dataset(KERNEL, (30_000, 30_000), "f4", chunks=(1000, 1000), compression="gzip")


def _another_shape(file: h5py.File) -> None:
    file[KERNEL] = np.zeros((5, 3), "f4")


_WEIGHTS: dict[str, Callable[[bytes], bytes]] = {
    "weights that link to a file": lambda weights: _rewritten(weights, _external_link),
    "weights that lie in a file": lambda weights: _rewritten(weights, _external_storage),
    "weights of a million by a million": lambda weights: _rewritten(weights, _million_by_million),
    "weights that are nowhere stored": lambda weights: _rewritten(weights, _nowhere_stored),
    "weights of another shape": lambda weights: _rewritten(weights, _another_shape),
    "cut weights": lambda weights: weights[: len(weights) // 2],
    "weights that are text": lambda _: b"weights",
}


def _zipped(members: dict[str, str | bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def _archives(config: Config, weights: bytes, honest: bytes) -> dict[str, bytes]:
    good: dict[str, str | bytes] = {
        "metadata.json": "{}", "config.json": json.dumps(config), "model.weights.h5": weights,
    }  # fmt: skip
    return {
        "members that climb": _zipped({**good, "../canary": "x", "/canary": "x", "a\\..\\canary": "x"}),
        "a member that unpacks to much": _zipped({**good, "metadata.json": bytes(1 << 26)}, zipfile.ZIP_DEFLATED),
        "twenty thousand members": _zipped(good | {f"assets/{number}": "" for number in range(20_000)}),
        "a configuration nested without end": _zipped({**good, "config.json": "[" * 100_000 + "]" * 100_000}),
        "a broken configuration": _zipped({**good, "config.json": "{"}),
        "no configuration": _zipped({name: good[name] for name in ("metadata.json", "model.weights.h5")}),
        "no weights": _zipped({name: good[name] for name in ("metadata.json", "config.json")}),
        "half a file": honest[: len(honest) // 2],
        "an empty file": b"",
        "a text": b"a model",
        "a pickle": pickle.dumps(_Payload()),
    }


class _Payload:
    """What runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch canary",)


def _strangers(files: Path) -> dict[str, Path]:
    """What is no local file whose name ends in .keras."""
    np.save(files / "objects.npy", np.array([_Payload()], object), allow_pickle=True)
    (files / "model.pkl").write_bytes(pickle.dumps(_Payload()))
    (files / "model.joblib").write_bytes(pickle.dumps(_Payload()))
    (files / "legacy.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (files / "folder.keras").mkdir()
    names = ("objects.npy", "model.pkl", "model.joblib", "legacy.h5", "folder.keras", "missing.keras")
    addresses = ("hf://a/b.keras", "gs://a/b.keras", "http://127.0.0.1:9/b.keras")
    return {name: files / name for name in names} | {address: Path(address) for address in addresses}
