"""Reads an experiment file, or says everything that is wrong with it at once."""

import json
import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hpsearch.errors import ExperimentRefused, Mistake
from hpsearch.experiment import Experiment
from hpsearch.loading import toml_reading
from hpsearch.loading.build_check import build_findings
from hpsearch.loading.card_check import card_findings
from hpsearch.loading.crosschecks import crosschecks, rows_check
from hpsearch.loading.name_check import name_findings
from hpsearch.loading.part_checks import outline_of, part_findings
from hpsearch.loading.plain_words import findings
from hpsearch.loading.toml_places import Finding, Place, Places, dotted
from hpsearch.paths import Project, expanded, in_address

Settings = dict[Place, Any]
Bases = dict[tuple[str, str], Path]
STAND_INS: dict[Place, Any] = {("name",): "unnamed", ("model",): {"build": "un:named"}, ("model", "build"): "un:named"}
MOST_MISTAKES = 50
BARE = re.compile("[A-Za-z0-9_-]+")  # a key of TOML without quotes
SQLITE = "sqlite:///"


def load(file: Path, project: Project, sets: Sequence[str] = (), cwd: Path | None = None) -> Experiment:
    """Read and check an experiment; raise ExperimentRefused with every mistake, its place and its mend.

    `sets` are "key=value" words that win over the file. Relative paths in the file begin at the project's root,
    those in `sets` at `cwd` (the shell's folder); in the experiment they are absolute.
    """
    shown = show(file)
    text, said = toml_reading.read(file, shown)
    settings = _settings(sets)
    _apply(settings, said)
    bases: Bases = {place: (cwd or Path.cwd()) if _covers(settings, place) else project.root for place in PATHS}
    experiment, found = _checked(said, project, bases)
    if len(found) >= MOST_MISTAKES:
        found.append(Finding((), f"only the first {MOST_MISTAKES} mistakes are told"))
    if found or experiment is None:
        raise ExperimentRefused(Places(shown, text, tuple(settings)).mistakes(found))
    return experiment


def show(file: Path) -> str:
    """A file's name for people: from the shell's folder where it lies below it."""
    try:
        return file.resolve().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError, RuntimeError):  # the last of a link to itself, up to Python 3.12
        return str(file)


def resolve_tracking(address: str, base: Path) -> str:
    """Make the path of an "sqlite:///mlruns/mlflow.db" address absolute; leave every other address as it is."""
    path, mark, query = address.removeprefix(SQLITE).partition("?")
    if not address.startswith(SQLITE) or not path or path.startswith(":memory:"):
        return address
    return f"{SQLITE}{Path(in_address(base)) / path}{mark}{query}"


def resolve_path(path: str, base: Path) -> str:
    """Make the path of a folder or file absolute; "~" is the home folder."""
    return str((base / expanded(path)).absolute())


def resolve_mirror(mirror: str, base: Path) -> str:
    """Make a mirror that is a folder absolute; leave an address as it is."""
    return mirror if "://" in mirror else resolve_path(mirror, base)


PATHS = {
    ("data", "file"): resolve_path,
    ("data", "folder"): resolve_path,
    ("data", "mirror"): resolve_mirror,
    ("tracking", "mlflow"): resolve_tracking,
}


def _covers(settings: Settings, place: Place) -> bool:
    return any(place[: len(given)] == given for given in settings)


def _settings(sets: Sequence[str]) -> Settings:
    """Read "search.trials=20": a TOML value if it is one (dates apart), otherwise text."""
    settings: Settings = {}
    mistakes = []
    for words in sets:
        key, equals, value = words.partition("=")
        place = _key(key) if equals and key.isprintable() else None
        if place and _is_text(value):
            settings.pop(place, None)
            settings[place] = _value(value)
        else:
            mistakes.append(_unread(words))
    if mistakes:
        raise ExperimentRefused(mistakes)
    return settings


def _unread(words: str) -> Mistake:
    """What is wrong with words that set no key."""
    where, (key, equals, value) = f"--set {ascii(words)[1:-1][:80]}", words.partition("=")
    quoted = ".".join(part if BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in key.split("."))
    if equals and all(key.split(".")) and words.isprintable() and _key(quoted):
        what = "a key with other signs than letters, digits, _ and - stands in quotes"
        return Mistake(where, what, f"--set {shlex.quote(f'{quoted}={value}')}")
    return Mistake(where, "this is not KEY=VALUE", "such as search.trials=20")


def _is_text(value: str) -> bool:
    """Whether TOML could say it, as it can every sign; file names that are no UTF-8 come with lone surrogates."""
    return value.encode(errors="ignore").decode() == value


def _key(key: str) -> Place | None:
    try:
        node = tomllib.loads(f"{key} = 0") if key.count(".") < toml_reading.DEEPEST else {}
    except ValueError:
        return None
    place: Place = ()
    while isinstance(node, dict) and len(node) == 1:
        (name, node) = next(iter(node.items()))
        place = (*place, name)
    return place or None


def _value(text: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = read["value"]
    plain = len(read) == 1 and isinstance(value, bool | int | float | str | list | dict)
    return value if plain and not toml_reading.too_deep(value) else text


def _apply(settings: Settings, said: dict[str, Any]) -> None:
    for place, value in settings.items():
        node = said
        for key in place[:-1]:
            node = node.setdefault(str(key), {})
            if not isinstance(node, dict):
                raise ExperimentRefused([Mistake(f"--set {dotted(place)}", f"{key!r} is no table, so it has no keys")])
        node[str(place[-1])] = value


def _checked(said: Mapping[str, Any], project: Project, bases: Bases) -> tuple[Experiment | None, list[Finding]]:
    """The experiment, and all that is wrong; parts that cannot be understood do not hide mistakes in the others."""
    wrong: list[Finding] = []
    experiment: Experiment | None
    try:
        experiment = Experiment.model_validate(said, strict=True)
    except ValidationError as error:
        wrong = findings(error.errors(include_url=False, include_input=False), said, MOST_MISTAKES)
        experiment = _rest(said, wrong)
    if experiment is None:
        return None, wrong
    experiment = _absolute(experiment, bases)
    silent = {finding.place for finding in wrong}
    more = [
        *name_findings(experiment.name, project),
        *part_findings(experiment),
        *crosschecks(experiment),
        *card_findings(experiment.workers),
        *build_findings(experiment.model.build, project.root),
    ]
    if not wrong and not more:
        more = rows_check(experiment, outline_of(experiment.data))
    return experiment, wrong + [finding for finding in more if not _hidden(finding.place, silent)]


def _rest(said: Mapping[str, Any], wrong: Sequence[Finding]) -> Experiment | None:
    """The experiment without what is wrong; None if too little is left."""
    rest = deepcopy(dict(said))
    for finding in wrong:
        place = finding.place[:2]
        node = rest if len(place) == 1 else rest.get(str(place[0]), {})
        if isinstance(node, dict):
            node.pop(str(place[-1]), None)
            if place in STAND_INS:
                node[str(place[-1])] = STAND_INS[place]
    try:
        return Experiment.model_validate(rest, strict=True)
    except ValidationError:
        return None


def _hidden(place: Place, silent: set[Place]) -> bool:
    """Whether a finding only follows from one that is told already: at the same key, above it or below it."""
    return any(other[: len(place)] == place or place[: len(other)] == other for other in silent)


def _absolute(experiment: Experiment, bases: Bases) -> Experiment:
    changed: dict[str, Any] = {}
    for (table, key), resolve in PATHS.items():
        section = changed.get(table, getattr(experiment, table))
        if isinstance(given := getattr(section, key), str):
            changed[table] = section.model_copy(update={key: resolve(given, bases[table, key])})
    return experiment.model_copy(update=changed)
