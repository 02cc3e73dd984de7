"""Narrows what `build_model` asks for to what the experiment's [space] wants."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from hpsearch.errors import ExperimentRefused, Mistake
from hpsearch.grid import Number, at, place
from hpsearch.nearest import hint, nearest
from hpsearch.space import Bounds, Parameter, Sampling, Value, Wish, same

BEYOND = 2**63


def narrow(parameter: Parameter, space: Mapping[str, Wish]) -> Parameter:
    """The parameter as [space] wants it: a list chooses, a range (which may also widen) bounds, a value fixes.

    The default moves inside. Raises ExperimentRefused for a wish that the parameter cannot grant.
    """
    wish = space.get(parameter.name)
    if wish is None:
        return parameter
    if parameter.kind == "fixed":
        return _refuse_unless_among(parameter, wish)
    try:
        return _granting(parameter, wish)
    except OverflowError as error:
        raise _refusal(parameter, "that is more than numbers of 64 bits hold", "choose smaller ones") from error


def _granting(parameter: Parameter, wish: Wish) -> Parameter:
    if isinstance(wish, Bounds):
        return _bounded(parameter, wish)
    if isinstance(wish, list):
        return _chosen(parameter, wish)
    return parameter.fixed_to(_granted(parameter, wish))


def never_asked(space: Mapping[str, Wish], parameters: Iterable[Parameter]) -> list[Mistake]:
    """What may be wrong with the names in [space] that no sample build asked for, each with the nearest known one."""
    known = list(dict.fromkeys(parameter.name for parameter in parameters))
    return [
        Mistake(f"space.{name}", f"no sample build asked for {name!r} (a rare branch may)", hint(name, known))
        for name in space
        if name not in known
    ]


def _refuse_unless_among(parameter: Parameter, wish: Wish) -> Parameter:
    """What one branch fixes is granted where it is among what is wished of the name, which others may search."""
    value = parameter.default
    if isinstance(wish, Bounds):
        granted = not isinstance(value, bool | str) and wish.min <= value <= wish.max
    else:
        granted = value in wish if isinstance(wish, list) else value == wish
    if not granted:
        raise _refusal(parameter, f"build_model fixes it to {_written(parameter.default)}", "change it there")
    return parameter


def _chosen(parameter: Parameter, wishes: list[Value]) -> Parameter:
    if not wishes:
        raise _refusal(parameter, "the list is empty", "name at least one value, or leave the line out")
    choices = tuple(dict.fromkeys(_granted(parameter, wish) for wish in wishes))
    if parameter.kind == "boolean":
        return parameter if len(choices) > 1 else parameter.fixed_to(choices[0])
    default = parameter.default if parameter.default in choices else choices[0]
    ordered = parameter.ordered or parameter.kind in {"int", "float"}
    if ordered:  # by build_model or by size, in whatever order they were written
        choices = tuple(sorted(choices, key=parameter.choices.index if parameter.choices else None))
    return replace(parameter.fixed_to(default), kind="choice", default=default, choices=choices, ordered=ordered)


def _granted(parameter: Parameter, wish: Value) -> Value:
    """The wish as one of the parameter's own values: numbers of the same size count as the same."""
    if parameter.kind in {"int", "float"}:
        return _number(parameter, wish)
    alike = [choice for choice in parameter.choices if same(choice, wish)] or [
        choice for choice in parameter.choices if choice == wish and isinstance(choice, bool) == isinstance(wish, bool)
    ]
    if not alike:
        raise _refusal(parameter, f"{_written(wish)} is none of its choices", _nearest_choice(parameter, wish))
    return alike[0]


def _number(parameter: Parameter, wish: Value) -> Number:
    if isinstance(wish, bool | str):
        raise _refusal(parameter, f"{_written(wish)} is not a number", f"build_model asks for {_bounds(parameter)}")
    if parameter.kind == "float":
        return float(wish)
    if wish != int(wish):
        raise _refusal(parameter, f"{wish!r} is not a whole number", f"build_model asks for {_bounds(parameter)}")
    if abs(wish) >= BEYOND:
        raise OverflowError
    return int(wish)


def _bounded(parameter: Parameter, wish: Bounds) -> Parameter:
    if parameter.kind not in {"int", "float"}:
        choices = ", ".join(map(_written, parameter.choices)) or "none"
        raise _refusal(parameter, "it is chosen, not measured", f"give a list out of {choices}")
    low, high = _number(parameter, wish.min), _number(parameter, wish.max)
    sampling = wish.sampling or parameter.sampling
    step = _step(parameter, wish, sampling)
    if low > high:
        raise _refusal(parameter, f"min {low} is above max {high}", "exchange them")
    if sampling != "linear" and low <= 0:
        raise _refusal(parameter, f"{sampling} sampling cannot begin at {low}", "choose a min above 0")
    bounded = replace(parameter, low=low, high=high, step=step, sampling=sampling)
    return replace(bounded, default=_number(parameter, _nearest(bounded, low, high)))


def _step(parameter: Parameter, wish: Bounds, sampling: Sampling) -> Number | None:
    """The wished step, else the old one where it still means the same."""
    if wish.step is not None:
        least = 0 if sampling == "linear" else 1
        if wish.step <= least:
            raise _refusal(parameter, f"step {wish.step} leads nowhere", f"choose one above {least}")
        return _number(parameter, wish.step)
    if sampling == parameter.sampling:
        return parameter.step
    return 1 if sampling == "linear" and parameter.kind == "int" else None


def _nearest(parameter: Parameter, low: Number, high: Number) -> Number:
    """The value nearest to the default that the range and its step allow."""
    value = min(max(_number(parameter, parameter.default), low), high)
    return at(parameter, place(parameter, value)) if parameter.step else value


def _refusal(parameter: Parameter, what: str, mend: str) -> ExperimentRefused:
    return ExperimentRefused([Mistake(f"space.{parameter.name}", what, mend)])


def _bounds(parameter: Parameter) -> str:
    noun = "a whole number" if parameter.kind == "int" else "a number"
    return f"{noun} from {parameter.low} to {parameter.high}"


def _nearest_choice(parameter: Parameter, wish: Value) -> str:
    """The choices, before them the one that was meant: true for "True", 32 for "32"."""
    known = {_bare(choice): _written(choice) for choice in parameter.choices}
    near = [known[name] for name in nearest(_bare(wish), list(known))]
    asked = f"did you mean {' or '.join(near)}? " if near else ""
    return f"{asked}known: {', '.join(known.values()) or 'none'}"


def _written(value: Value) -> str:
    """A value as an experiment file has it."""
    return repr(value) if isinstance(value, str) else _bare(value)


def _bare(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
