"""Checks the names of an experiment's parts, with the options given to each, against what is installed."""

import inspect
import re
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from hpsearch import plugins
from hpsearch.errors import ExperimentRefused, HpsearchError, first_line
from hpsearch.experiment import Data, Experiment
from hpsearch.loading.plain_words import shown
from hpsearch.loading.toml_places import Finding, Place, dotted
from hpsearch.nearest import hint
from hpsearch.protocols import Brief, Forecasting, Guided, Outline

SOURCE_KEYS = ("file", "folder", "train", "test", "size", "transposed", "invert", "mirror", "allow_empty_class")
MINDS = ("tuners", "pruners")
MEANT = {  # words of KerasTuner and Optuna, by what comes nearest here
    "bayesian": "optuna.tpe",
    "gp": "optuna.tpe",
    "bruteforce": "keras-tuner.grid",
    "hyperband": "asha",
    "successivehalving": "asha",
    "nop": "none",
}
KINDS = re.compile("(search|optimization|sampler|pruner|oracle|tuner)$")
PLAIN = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}


def part_findings(experiment: Experiment) -> list[Finding]:
    """Unknown parts, options that a part does not take or lacks, and options of the wrong kind."""
    search = experiment.search
    return [
        *_part("tuners", search.tuner, ("search", "tuner"), search.tuner_options),
        *_part("pruners", search.pruner, ("search", "pruner"), search.pruner_options),
        *_guidance(experiment),
        *_source(experiment.data),
        *_unimportable("executors", experiment.workers.kind, ("workers", "kind")),
    ]


def source_options(data: Data) -> dict[str, Any]:
    """What of [data] the source itself is made with; keys left at their default are left out."""
    return {key: value for key in SOURCE_KEYS if (value := getattr(data, key)) != Data.model_fields[key].default}


def outline_of(data: Data) -> Outline | None:
    """What the source can tell without being read."""
    try:
        return _outline(data)
    except (HpsearchError, ImportError, OSError):  # said elsewhere, or when the data set is prepared
        return None


def unusable(data: Data) -> str:
    """Why the images cannot be used here, as far as that is seen without reading them: no mistake of the experiment."""
    try:
        _outline(data)
    except (HpsearchError, ImportError, OSError) as error:
        return str(error)
    return ""


def is_guided(tuner: str) -> bool:
    """Whether the tuner of this name can be told where to start."""
    return hasattr(plugins.part("tuners", tuner), Guided.note.__name__)


def ends_by_itself(tuner: str) -> bool:
    """Whether the tuner of this name ends a search where it has no further point; not for one that cannot be had."""
    try:
        return bool(getattr(plugins.part("tuners", tuner), "ends", False))
    except ExperimentRefused:  # which is told elsewhere
        return False


def idle_parts(experiment: Experiment) -> Iterator[str]:
    """Warn of a tuner that will learn from no trial, and of a pruner that will stop none, as far as they can tell."""
    wanted = experiment.search
    brief = Brief(experiment.objective, experiment.seed, wanted.trials, experiment.train.epochs)
    for kind, name, options, does in (
        ("tuner", wanted.tuner, wanted.tuner_options, "learn from"),
        ("pruner", wanted.pruner, wanted.pruner_options, "stop"),
    ):
        if hasattr(plugins.part(f"{kind}s", name), Forecasting.idle.__name__):
            part = plugins.make(f"{kind}s", name, options, f"search.{kind}_options")
            with plugins.blaming(f"{kind}s", name, "it was asked whether it is idle"):
                why = part.idle(brief)
            if why:
                yield f"the {kind} {name} will {does} no trial: {why}"


def _outline(data: Data) -> Outline | None:
    source = plugins.make("datasets", data.source, source_options(data))
    with plugins.blaming("datasets", data.source, "it was asked for its outline"):
        outline: Outline | None = source.outline()
    if outline is not None and not isinstance(outline, Outline):
        message = f"the dataset {data.source!r} gave {first_line(repr(outline))} for its outline, which is no Outline"
        raise HpsearchError(message)
    return outline


def _guidance(experiment: Experiment) -> Iterator[Finding]:
    """A tuner that cannot be told where to start."""
    search = experiment.search
    if search.start_from is None or any(_unimportable("tuners", search.tuner, ())):
        return
    if not is_guided(search.tuner):
        what = f"{search.tuner} chooses its points by a plan of its own, and cannot start from those of another study"
        yield Finding(("search", "start_from"), what, "leave the key out, or take a tuner such as optuna.tpe")


def _unimportable(socket: str, name: str, place: Place) -> Iterator[Finding]:
    """A part that is not there, or cannot be imported."""
    if (mistake := plugins.unknown(socket, name, "")) and (near := _meant(socket, name)):
        yield Finding(place, mistake.what, f"{near} known: {', '.join(plugins.known(socket))}")
        return
    try:
        plugins.part(socket, name)
    except ExperimentRefused as refused:
        yield from (Finding(place, mistake.what, mistake.mend) for mistake in refused.mistakes)


def _meant(socket: str, name: str) -> str:
    """The tuner or pruner that a word of another library leads to, such as "RandomSearch"; "" where there is none."""
    word = KINDS.sub("", re.sub("[_-]", "", name.rpartition(".")[2].lower()))
    word = MEANT.get(word, word)
    for other in (socket, *MINDS) if socket in MINDS else ():
        if near := [known for known in plugins.known(other) if word in {known, known.rpartition(".")[2]}]:
            named = " or ".join(map(repr, near))
            kind = other.removesuffix("s")
            return f"did you mean {named}?" if other == socket else f"{named} comes near, a {kind}: set search.{kind};"
    return ""


def _part(socket: str, name: str, place: Place, given: Mapping[str, Any]) -> Iterator[Finding]:
    table = (place[0], f"{place[-1]}_options")
    if found := list(_unimportable(socket, name, place)):
        yield from found
    elif (takes := _options(socket, name)) is not None:
        wrong = [*_strangers(name, table, given, takes), *_wrong_kinds(table, given, takes)]
        yield from wrong
        yield from _missing(name, table, given, takes)
        if given and not wrong:
            yield from _refusals(socket, name, table, given)


def _source(data: Data) -> Iterator[Finding]:
    if found := list(_unimportable("datasets", data.source, ("data", "source"))):
        yield from found
    elif (takes := _options("datasets", data.source)) is not None:
        found = list(_source_keys(data, takes))
        yield from found or _refusals("datasets", data.source, ("data",), source_options(data))


def _source_keys(data: Data, takes: Mapping[str, inspect.Parameter]) -> Iterator[Finding]:
    given = source_options(data)
    for key in given:
        if key not in takes:
            known = [name for name in SOURCE_KEYS if name in takes]
            mend = f"the source {data.source!r} takes: {', '.join(known) or 'none of ' + ', '.join(SOURCE_KEYS)}"
            yield Finding(("data", key), f"the source {data.source!r} takes no {key!r}", mend)
    for key in plugins.required(takes):
        if key in SOURCE_KEYS and key not in given:
            yield Finding(("data",), f"the source {data.source!r} needs the key {key!r}", f'add {key} = "…"')


def _options(socket: str, name: str) -> dict[str, inspect.Parameter] | None:
    """The options a part takes; None where it cannot be told: it has no signature, or it takes any."""
    try:
        part = plugins.part(socket, name)
        return None if plugins.takes_any(part) else plugins.options(part)
    except (TypeError, ValueError):  # making the part will say so; check stays useful without it
        return None


def _strangers(
    name: str, table: Place, given: Mapping[str, Any], takes: Mapping[str, inspect.Parameter]
) -> Iterator[Finding]:
    for key in given:
        if key not in takes:
            kind = str(table[-1]).removesuffix("_options")
            mend = hint(key, list(takes)) if takes else "it takes none at all"
            yield Finding((*table, key), f"the {kind} {name} takes no option {key!r}", mend)


def _wrong_kinds(table: Place, given: Mapping[str, Any], takes: Mapping[str, inspect.Parameter]) -> Iterator[Finding]:
    for key, value in given.items():
        kind = _kind(takes[key].annotation) if key in takes else None
        fits = type(value) is kind or (kind is float and type(value) is int)
        wanted = next((words for plain, words in PLAIN.items() if kind is plain), "")  # others may have no hash
        if wanted and not fits:
            place = (*table, key)
            yield Finding(place, f"{dotted(place)} is {shown(value)}, but must be {wanted}")


def _kind(annotation: Any) -> Any:
    """The type of an option that may also be None, which no TOML can say; any other annotation as it is."""
    if get_origin(annotation) not in {Union, UnionType}:
        return annotation
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 else annotation


def _missing(
    name: str, table: Place, given: Mapping[str, Any], takes: Mapping[str, inspect.Parameter]
) -> Iterator[Finding]:
    for key in plugins.required(takes):
        if key not in given:
            yield Finding(table, f"{name} needs the option {key!r}")


def _refusals(socket: str, name: str, table: Place, given: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        plugins.make(socket, name, given, dotted(table))
    except ExperimentRefused as refused:
        for mistake in refused.mistakes:
            yield Finding(table, mistake.what, mistake.mend)
    except (ImportError, OSError):  # making the part will say so; check stays useful without it
        return
