"""Says what a study was made of: digests of what must not change, and what is good to know of its surroundings."""

import ast
import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hpsearch.experiment import HOLDOUT, Experiment, Final

# What a session may change. Where the data come from is among it, for their bytes have a digest of their own, and
# [final], which `final_differences` watches from the opening of the test split on.
PLACES = ("data.file", "data.folder", "data.mirror")
FREE = (
    *PLACES,
    "search.trials",
    "search.time",
    "search.max_failures",
    "search.max_consecutive_failures",
    "workers",
    "tracking",
    "train.keep",
    "train.trial_timeout",
    "train.stall_timeout",
    "train.trial_memory",
    "final",
    "name",
)
ADDRESSES = (("tracking", "mlflow"), ("data", "mirror"))
SECRET = "***"  # what stands for it  # noqa: S105  # no password
# Databases take passwords that hold "/", "#" and "?" as they are. Where an "@" stands behind a "?" alone, the password
# or the query may hold both, so all is secret.
USER = re.compile(r"(?<=://)(?!/)(?:[^?]*(?=@)|[^?@]*\?.*@.*)", re.DOTALL)
PACKAGES = ("hpsearch", "keras", "keras-tuner", "optuna", "mlflow", "numpy", "scikit-learn")
SHAPING = ("keras", "tensorflow", "keras-tuner", "optuna")
FLAVOURS = ("tensorflow", "tensorflow-cpu")  # one program under two names
SECONDS = 5.0


def code_digest(files: Iterable[Path], root: Path) -> str:
    """SHA-256 over the syntax trees of source files, so that comments, spacing and moved lines do not count.

    A file's name within `root` counts; one that is no Python is taken byte by byte.
    """
    digest = hashlib.sha256()
    for name, file in sorted((_name(file, root), file) for file in set(files)):
        digest.update(f"{name}\0{_source_digest(file.read_bytes())}\n".encode())
    return digest.hexdigest()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Between two experiments as plain data, each changed value that must not change: "search.tuner: 'a' -> 'b'"."""
    return [told for key, told in _changes(_split(old), _split(new)) if not _free(key)]


def final_differences(old: Mapping[str, Any] | None, new: Experiment) -> list[str]:
    """Between a [final] as plain data, None where it is not known, and an experiment's, each change that decides.

    Kept epochs choose nothing, and with folds the exported model is trained on all rows in any case.
    """
    if old is None:
        return []
    idle = {"keep_epochs", "refit"} if new.data.folds else {"keep_epochs"}
    held = Final.model_validate(old)  # with the defaults of keys that an older version did not have
    before, after = (_flat({"final": said.model_dump(mode="json", exclude=idle)}) for said in (held, new.final))
    return [told for _, told in _changes(before, after)]


def redacted(address: str) -> str:
    """An address without the user, password and query that it may carry."""
    address = USER.sub(SECRET, address)
    return re.sub(r"\?.*", f"?{SECRET}", address, flags=re.DOTALL) if "://" in address else address


def public(experiment: Experiment) -> dict[str, Any]:
    """The experiment as plain data that may be shown and kept: addresses are redacted."""
    said = experiment.model_dump(mode="json")
    for table, key in ADDRESSES:
        if isinstance(said[table][key], str):
            said[table][key] = redacted(said[table][key])
    return said


def without_redacted(experiment: Experiment) -> tuple[Experiment, tuple[str, ...]]:
    """A kept experiment without the addresses that are no longer whole, and these keys: "tracking.mlflow"."""
    gone = []
    for table, key in ADDRESSES:
        section = getattr(experiment, table)
        if SECRET in str(getattr(section, key)):
            experiment = experiment.model_copy(update={table: section.model_copy(update={key: None})})
            gone.append(f"{table}.{key}")
    return experiment, tuple(gone)


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that shape a result; nothing is imported for it."""
    found = {package: version for package in PACKAGES if (version := _version(package))}
    tensorflow = next(filter(None, map(_version, FLAVOURS)), "")
    return {"python": platform.python_version(), **found, **({"tensorflow": tensorflow} if tensorflow else {})}


def pinned(packages: Iterable[str]) -> list[str]:
    """Those of these packages that are installed, as pip's requirements: "keras==3.15.1"."""
    return [f"{package}=={version}" for package in packages if (version := _version(package))]


def upgrades(before: Mapping[str, str], now: Mapping[str, str], more: Iterable[str] = ()) -> list[str]:
    """The packages that train or choose whose major or minor version is another: "keras 3.14.1 -> 3.15.0".

    `more` names those that brought parts of the study.
    """
    pairs = {package: (before.get(package, ""), now.get(package, "")) for package in (*SHAPING, *more)}
    return [
        f"{package} {old} -> {new}"
        for package, (old, new) in pairs.items()
        if old and new and old.split(".")[:2] != new.split(".")[:2]
    ]


def source_digest() -> str:
    """SHA-256 of the source of hpsearch itself, as it is installed: a version may have many states between releases."""
    package, digest = Path(__file__).parent, hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{_name(file, package)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def git_commit(root: Path) -> str:
    """The commit of the project, with "+dirty" if a tracked file differs from it; "" outside a repository."""
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    return commit + ("+dirty" if commit and _git(root, "status", "--porcelain", "--untracked-files=no") else "")


def processor() -> str:
    """The processor's model, "" where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def machine() -> dict[str, str]:
    """The machine in a few words; its name, which may be private, is left out."""
    return {"cpus": str(os.cpu_count() or 1), "platform": platform.platform()}


def _name(file: Path, root: Path) -> str:
    whole, base = file.resolve(), root.resolve()
    return whole.relative_to(base).as_posix() if whole.is_relative_to(base) else file.name


def _source_digest(source: bytes) -> str:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return hashlib.sha256(source).hexdigest()
    digest = hashlib.sha256()
    for word in _words(tree):
        digest.update(word.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _words(node: Any) -> Iterator[str]:
    """Name every node and every field that is not empty; newer Pythons add empty fields, which must not count."""
    if isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            if value is not None and value != []:
                yield name
                yield from _words(value)
        yield ")"
    elif isinstance(node, list):
        for item in node:
            yield from _words(item)
    else:
        yield f"{type(node).__name__} {node!r}"


def _split(said: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten an experiment; one that says nothing of its split is the same as one that says the usual share."""
    flat = _flat(said)
    return flat if "data.folds" in flat else flat | {"data.validation": flat.get("data.validation", HOLDOUT)}


def _flat(said: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Write nested tables as one, keyed "search.tuner"; an absent value and an empty table are the same as nothing."""
    flat: dict[str, Any] = {}
    for key, value in said.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{above}{key}.")
        elif value is not None:
            flat[f"{above}{key}"] = list(value) if isinstance(value, tuple) else value
    return flat


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each key whose value is another, and the words for it."""
    for key in dict.fromkeys([*before, *after]):
        if _canonical(before.get(key)) != _canonical(after.get(key)):
            yield key, f"{key}: {_word(before, key)} -> {_word(after, key)}"


def _free(key: str) -> bool:
    return any(key == free or key.startswith(f"{free}.") for free in FREE)


def _word(flat: Mapping[str, Any], key: str) -> str:
    return repr(flat[key]) if key in flat else "nothing"


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _git(root: Path, *words: str) -> str:
    """Ask git; a configured file-system monitor is a program of the repository's choice, so it stays off."""
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *words]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603  # fixed words
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
