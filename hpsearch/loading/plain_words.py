"""Turns pydantic's errors about an experiment into sentences of the file's own words."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from hpsearch.experiment import Experiment, Range
from hpsearch.loading.toml_places import Finding, Place, dotted
from hpsearch.nearest import hint, nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "list_type": "a list in brackets",
    "dict_type": "a table",
    "model_type": "a table",
}
BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
EITHER: dict[Place, str] = {
    ("data", "test"): "a share between 0 and 1, or the name of what to test on",
    ("data", "size"): "a height and a width in brackets, whole numbers from 1 to 16,384",
    ("train", "batch_size"): "a whole number from 1, or a list of such numbers",
    ("train", "compile"): 'true, false or "auto"',
    ("train", "class_weight"): '"balanced", or a table of weights above 0, by class',
    ("workers", "count"): '"auto" or a whole number from 1 to 1024',
    ("workers", "gpus"): '"auto", false, or a whole number from 1 to 64',
    ("tracking", "mlflow"): "an address in quotes, or false",
}
NAMING = "a name of at most 80 letters, digits, '.', '_' and '-' that begins with a letter or a digit"
SHAPES: dict[Place, str] = {
    ("name",): NAMING,
    ("tracking", "experiment"): NAMING,
    ("model", "build"): '"module:function", such as "searchspace.mlp:build_model_mlp"',
}
BUILD = 'such as [model] build = "searchspace.mlp:build_model_mlp"'
EXAMPLES: dict[Place, str] = {
    ("name",): 'such as name = "my_first_search"',
    ("model",): BUILD,
    ("model", "build"): BUILD,
    ("data", "size"): "such as size = [28, 28]",
    ("data", "validation"): "such as validation = 0.2",
    ("search", "pruner"): 'such as pruner = "median"; "none" stops no trial',
    ("search", "time"): 'such as time = "30m"',
    ("train", "trial_timeout"): 'such as trial_timeout = "2h"',
    ("train", "stall_timeout"): 'such as stall_timeout = "10m"',
    ("train", "trial_memory"): 'such as trial_memory = "2GB"',
    ("search", "objective"): 'such as objective = "max val_accuracy"',
    ("train", "batch_size"): "such as batch_size = 64, or batch_size = [32, 64]",
}
BARE = {"a whole number": r"\d+", "a number": r"\d+(\.\d+)?(e-?\d+)?", "true or false": "true|false"}
IN_BUILD = "build_model says it, in model.compile(…)"
ELSEWHERE = {  # words of KerasTuner, Optuna and Keras for what has another word here, or another place
    "max_trials": "here it is search.trials",
    "n_trials": "here it is search.trials",
    "max_epochs": "here it is train.epochs",
    "executions_per_trial": "here it is data.repeats",
    "validation_split": "here it is data.validation",
    "patience": "here it is train.early_stopping",
    "n_jobs": "here it is workers.count",
    "timeout": "here it is search.time, and for one trial train.trial_timeout",
    "sampler": "here it is search.tuner",
    "oracle": "here it is search.tuner",
    "direction": 'here it is part of search.objective, such as "max val_accuracy"',
    "hypermodel": "here it is model.build",
    "hyperparameters": "here it is the table [space]",
    "tune_new_entries": "leave it out: fix by name in [space] what is not to be searched",
    "num_initial_points": 'here it is startup_trials, in search.tuner_options of "optuna.tpe"',
    "factor": 'here it is reduction_factor, in search.pruner_options of "asha"',
    "project_name": "here it is name, at the top of the file",
    "study_name": "here it is name, at the top of the file",
    "directory": "leave it out: all that runs leave behind is under mlruns/ of the project",
    "overwrite": "leave it out: a run goes on where it stopped, and begins anew with --fresh",
    "callbacks": "train.early_stopping is one; others are for the fit of a HyperModel, see docs/experiment.md",
    "optimizer": IN_BUILD,
    "loss": IN_BUILD,
    "metrics": IN_BUILD,
    "learning_rate": "build_model says it; what it asks hp for, [space] may narrow",
}
PLAIN = "a plain value, a list of plain values, or a range {min = …, max = …}"
FINITE = "a finite number, or a list of such"
LONGEST = 60


def findings(errors: Iterable["ErrorDetails"], said: Mapping[str, Any], most: int) -> list[Finding]:
    """One finding for each key that pydantic complains of, however many complaints it has; at most so many."""
    found: dict[Place, Finding] = {}
    for error in errors:
        place = _whole(_place(error, said), said)
        if place not in found and (finding := _finding(error, place, said)):
            found.setdefault(finding.place, finding)
        if len(found) == most:
            break
    return list(found.values())


def shown(value: Any) -> str:
    """Write a value much as TOML does, but short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, datetime | date | time):
        return f"the date or time {value}"
    text = str(value) if isinstance(value, int) and value.bit_length() < LONGEST else ascii(value)[: LONGEST + 1]
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _place(error: "ErrorDetails", said: Mapping[str, Any]) -> Place:
    """The key an error speaks of: pydantic's location without the names of a union's branches."""
    place: Place = ()
    for key in error["loc"]:
        if isinstance(key, int) or key in _keys(value_at(said, place)):
            place = (*place, key)
    return (*place, error["loc"][-1]) if error["type"] == "missing" else place


def _whole(place: Place, said: Mapping[str, Any]) -> Place:
    """The key itself where it, and not what is inside it, is told to be wrong."""
    if place[:1] == ("space",) and not isinstance(value_at(said, place[:2]), dict):
        return place[:2]
    at = next((either for either in EITHER if place[: len(either)] == either), place)
    return place if isinstance(value_at(said, at), dict) else at


def _keys(node: Any) -> Iterable[str]:
    return node if isinstance(node, dict) else ()


def _finding(error: "ErrorDetails", place: Place, said: Mapping[str, Any]) -> Finding | None:
    kind = error["type"]
    if place in EITHER:
        return _unlike(place, value_at(said, place), EITHER[place])
    if place[:1] == ("space",) and len(place) > 1:
        return _in_space(error, place, said)
    if kind == "missing":
        return Finding(place, f"{dotted(place)} is missing", EXAMPLES.get(place, ""))
    if kind == "extra_forbidden":
        return _unknown_key(place, value_at(said, place))
    if kind == "value_error":
        return Finding(place, str(error["ctx"]["error"]), EXAMPLES.get(place, ""))
    return _unlike(place, value_at(said, place), _wanted(error, place))


def _in_space(error: "ErrorDetails", place: Place, said: Mapping[str, Any]) -> Finding | None:
    whole, value = place[:2], value_at(said, place[:2])
    if not isinstance(value, dict):
        return _unlike(whole, value, FINITE if _endless(value) else PLAIN)
    if "Range" not in error["loc"]:
        return None
    if error["type"] == "missing":
        return Finding(whole, f"the range {dotted(whole)} lacks {place[-1]!r}", "a range has min and max")
    if error["type"] == "extra_forbidden":
        return Finding(place, f"a range has no key {place[-1]!r}", hint(str(place[-1]), list(Range.model_fields)))
    wanted = "a finite number" if place[-1] in {"min", "max", "step"} else _wanted(error, place)
    return _unlike(place, value_at(said, place), wanted)


def _endless(value: Any) -> bool:
    numbers = value if isinstance(value, list) else [value]
    return any(isinstance(number, float) and not math.isfinite(number) for number in numbers)


def _unlike(place: Place, value: Any, wanted: str) -> Finding:
    choices = wanted.split("'")[1::2] if wanted.startswith("one of ") else []
    near = nearest(value, choices) if isinstance(value, str) else []
    mend = f"did you mean {near[0]!r}?" if near else EXAMPLES.get(place, "")
    if isinstance(value, str) and re.fullmatch(BARE.get(wanted, "x^"), value):
        mend = f"without the quotes: {place[-1]} = {value}"
    digits = isinstance(value, int | float) and wanted == TYPES["string_type"]
    kept = f"the shell takes quotes away, but keeps those of --set '{dotted(place)}=\"…\"'" if digits else ""
    return Finding(place, f"{dotted(place)} is {shown(value)}, but must be {wanted}", mend, kept)


def _wanted(error: "ErrorDetails", place: Place) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in BOUNDS:
        name, words = BOUNDS[kind]
        return f"{words} {context[name]:,}"
    if kind == "literal_error":
        return f"one of {context['expected']}"
    if kind == "string_pattern_mismatch" and place in SHAPES:
        return SHAPES[place]
    return TYPES.get(kind, error["msg"])


def _unknown_key(place: Place, value: Any) -> Finding:
    *tables, last = place
    known, word = list(_fields(tables)), str(last)[:LONGEST]
    belongs = [name for name in ("", *Experiment.model_fields) if name not in tables and word in _fields([name])]
    table = f"[{dotted(tuple(tables))}]" if tables else "the file's top"
    what = f"{table} has no key {word!r}"
    if isinstance(value, dict) and not tables:
        what, known = f"there is no table [{word}]", [name for name in known if name == "space" or _fields([name])]
    if belongs:
        return Finding(place, what, f"it belongs {f'in [{belongs[0]}]' if belongs[0] else 'at the top of the file'}")
    if word in ELSEWHERE:
        return Finding(place, what, ELSEWHERE[word])
    return Finding(place, what, hint(word, known))


def _fields(tables: Sequence[str | int]) -> Iterable[str]:
    section: Any = Experiment
    for name in filter(None, tables):
        section = section.model_fields[name].annotation
    return section.model_fields if isinstance(section, type) and issubclass(section, BaseModel) else ()


def value_at(said: Any, place: Place) -> Any:
    """What stands at a place, None if nothing does."""
    for key in place:
        if isinstance(said, dict):
            said = said.get(key)
        else:
            said = said[key] if isinstance(said, list) and isinstance(key, int) else None
    return said
