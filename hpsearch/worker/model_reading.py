"""Reads a `.keras` file that may be anything: what it claims is believed only where its bytes bear it out.

Keras's safe mode keeps foreign code out, but a file of some kilobytes could still take gigabytes: by the shape of an
array that is nowhere stored, or by a layer of a billion units. So nothing is built that has more values than the file,
but in `read_tested`.
"""

import json
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from hpsearch.errors import StateDamaged, first_line
from hpsearch.worker.bounded import limited_time
from hpsearch.zips import open_zip

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = {"metadata.json", CONFIG, WEIGHTS}
LARGEST_CONFIG = 10_000_000  # bytes
SPARE = 1_000_000  # values that a model may have beyond those of its file, such as constants of its own layers
SECONDS = 60  # of processor time


def read_model(file: Path) -> Any:
    """Load a model for prediction, running no code from the file; raise StateDamaged if it is not whole and honest.

    For processes of their own: Keras forgets its state, and who computes for more than a minute is ended.
    """
    with _in_words(file):
        config, values = _looked_into(file)
        with limited_time(SECONDS):
            _refuse_larger(config, values)
            return _loaded(file)


def read_tested(file: Path) -> Any:
    """Load a model whose SHA-256 the ledger has, in whatever process: Keras forgets nothing, and no limit is set.

    No code from the file is run. Raises StateDamaged if it is not whole.
    """
    with _in_words(file):
        _looked_into(file)
        return _loaded(file)


def _loaded(file: Path) -> Any:
    import keras

    return keras.models.load_model(file, compile=False, safe_mode=True)


@contextmanager
def _in_words(file: Path) -> Iterator[None]:
    if file.suffix != ".keras" or not file.is_file():
        message = f"{file}: there is no model file here\n  it is a local file whose name ends in .keras"
        raise StateDamaged(message)
    try:
        yield
    except Exception as error:  # a file can make Keras stumble over anything
        mend = "make or export it again; layers of your own are registered with Keras by importing their module first"
        message = f"{file}: the model cannot be loaded ({_reason(error)})\n  {mend}"
        raise StateDamaged(message) from error


def _reason(error: BaseException) -> str:
    """What Keras stumbled over first, without the pages that it wraps around it and its advice to switch safety off."""
    while inner := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = inner
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    line = lines[1] if lines[0].endswith(":") and len(lines) > 1 else lines[0]
    return f"{type(error).__name__}: {first_line(line.partition('. ')[0])}"


def configuration(file: Path) -> dict[str, Any]:
    """The configuration of a model file that was just written."""
    with open_zip(file) as archive:
        found: dict[str, Any] = json.loads(archive.read(CONFIG))
        return found


def _looked_into(file: Path) -> tuple[dict[str, Any], int]:
    """The configuration, and how many values the file holds; nothing is unpacked to more than the file's own size."""
    size = file.stat().st_size
    with open_zip(file) as archive:
        entries = archive.infolist()
        if sorted(entry.filename for entry in entries) != sorted(MEMBERS):
            message = f"it holds other members than {', '.join(sorted(MEMBERS))}"
            raise zipfile.BadZipFile(message)
        if max(entry.file_size for entry in entries) > size or archive.getinfo(CONFIG).file_size > LARGEST_CONFIG:
            message = "it unpacks to more than a model does"
            raise zipfile.BadZipFile(message)
        config: dict[str, Any] = json.loads(archive.read(CONFIG))
        return config, _values(archive.read(WEIGHTS))


def _values(content: bytes) -> int:
    import h5py

    found = 0

    def count(name: str, item: Any) -> None:
        nonlocal found
        if isinstance(item, h5py.Dataset):
            if item.nbytes > item.id.get_storage_size():
                message = f"{name} says that it has {item.nbytes:,} bytes, and they are not there"
                raise ValueError(message)
            found += item.size

    with h5py.File(BytesIO(content)) as weights:
        weights.visititems(count)
    return found


def _refuse_larger(config: dict[str, Any], values: int) -> None:
    """Build the model without giving its weights memory, and count them; raise ValueError if they are too many."""
    import keras

    own = own_parts(config)
    try:
        with keras.StatelessScope(initialize_variables=False):
            model = keras.saving.deserialize_keras_object(_uncompiled(config), safe_mode=True)
            needed = sum(math.prod(weight.shape) for weight in model.weights)
    except (TypeError, ValueError):
        if own:  # a layer of the project may make a variable from a value, which takes memory at once
            return
        raise
    finally:
        keras.utils.clear_session(free_memory=False)  # else Keras would give the weights memory at the next occasion
    if needed > values + SPARE:
        message = f"it describes {needed:,} weights and holds {values:,} values"
        raise ValueError(message)


def _uncompiled(config: Any) -> Any:
    """The configuration without optimizers, which are of no use here and cannot be made without memory."""
    if isinstance(config, dict):
        return {key: _uncompiled(value) for key, value in config.items() if key != "compile_config"}
    return [_uncompiled(value) for value in config] if isinstance(config, list) else config


def own_parts(config: Any) -> set[str]:
    """The registered names of the model's parts whose classes the project has registered with Keras.

    `config` is that of a model, as its file holds it.
    """
    import keras

    if isinstance(config, dict):
        name = config.get("registered_name")
        known = isinstance(name, str) and keras.saving.get_registered_object(name) is not None
        return set().union({str(name)} if known else set(), *map(own_parts, config.values()))
    return set().union(*map(own_parts, config)) if isinstance(config, list) else set()
