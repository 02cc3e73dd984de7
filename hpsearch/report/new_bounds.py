"""Works out the bounds that a range should have next, by what a study found of it."""

import math

from hpsearch.report.findings import BoundHit, Gathered
from hpsearch.space import Parameter

FURTHER = 0.5  # of a range: by so much it is widened, and what the best trials cover is widened on both sides
FEW, EXACT = 3, 12  # digits of a bound; with more than twelve a step shows how it was added up


def widened(finding: BoundHit) -> tuple[float, float]:
    """The range, moved outwards at one end by half its width; never over 0, and a share never up to 1."""
    parameter = finding.parameter
    low, high = _bounds(parameter)
    linear = parameter.sampling == "linear"
    reach, factor = FURTHER * (high - low), 1.0 if linear else (high / low) ** FURTHER
    if finding.end == "low":
        further = low / factor if not linear else low - reach if low < 0 else max(low - reach, low / 2)
        return _fitted(parameter, further, high)
    further = high + reach if linear else high * factor
    return _fitted(parameter, low, min(further, (1 + high) / 2) if _is_share(parameter) else further)


def narrowed(finding: Gathered) -> tuple[float, float]:
    """What the best trials cover, with half of that on either side, within the old range."""
    parameter = finding.parameter
    low, high = _bounds(parameter)
    if parameter.sampling == "linear":
        reach = max(FURTHER * (finding.high - finding.low), 0.05 * (high - low))
        inner = finding.low - reach, finding.high + reach
    else:
        factor = max(finding.high / finding.low, (high / low) ** 0.1) ** FURTHER
        inner = finding.low / factor, finding.high * factor
    fitted = _fitted(parameter, max(low, inner[0]), min(high, inner[1]))
    return max(low, fitted[0]), min(high, fitted[1])


def _bounds(parameter: Parameter) -> tuple[float, float]:
    return parameter.low or 0, parameter.high or 0


def _is_share(parameter: Parameter) -> bool:
    """Whether a number seems to be one that must stay below 1: a momentum, a dropout, but no learning rate."""
    return parameter.kind == "float" and parameter.sampling != "log" and 0 < _bounds(parameter)[1] < 1


def _fitted(parameter: Parameter, low: float, high: float) -> tuple[float, float]:
    """The bounds as the parameter takes them: on its grid, whole, or in few digits; one that did not move stays."""
    old_low, old_high = _bounds(parameter)
    new_low, new_high = _on_grid(parameter, low, high) if parameter.step else _short(parameter, low, high)
    if parameter.kind == "int":
        new_low, new_high = max(round(new_low), 1) if old_low >= 1 else round(new_low), round(new_high)
    too_high = _is_share(parameter) and new_high >= 1
    return old_low if low == old_low else new_low, old_high if high == old_high or too_high else new_high


def _on_grid(parameter: Parameter, low: float, high: float) -> tuple[float, float]:
    """The bounds, moved outwards to the next steps from the old lower one."""
    old, step = _bounds(parameter)[0], float(parameter.step or 0)
    if parameter.sampling == "linear":
        low, high = (old + step * count((bound - old) / step) for count, bound in ((_down, low), (_up, high)))
        low = low + step if low <= 0 < old else low
    else:
        low, high = (
            old * step ** count(math.log(bound / old) / math.log(step)) for count, bound in ((_down, low), (_up, high))
        )
    return float(f"{low:.{EXACT}g}"), float(f"{high:.{EXACT}g}")


def _short(parameter: Parameter, low: float, high: float) -> tuple[float, float]:
    """The bounds in few digits: three, or as many as it takes to move them by less than a hundredth of the range."""
    if parameter.sampling == "linear":
        rooms = (high - low, high - low)
    else:  # how wide the range is at its two ends, on its own scale; reverse_log is at its finest at the upper one
        rooms = (low * math.log(high / low), (high if parameter.sampling == "log" else low) * math.log(high / low))
    return _rounded(low, rooms[0] / 100), _rounded(high, rooms[1] / 100)


def _rounded(bound: float, tolerance: float) -> float:
    tried = (float(f"{bound:.{digits}g}") for digits in range(FEW, EXACT))
    return next((short for short in tried if abs(short - bound) < tolerance and not bound < 1 <= short), bound)


def _down(steps: float) -> int:
    return math.floor(steps + 1e-9)


def _up(steps: float) -> int:
    return math.ceil(steps - 1e-9)
