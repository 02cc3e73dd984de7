"""Tells a misspelt or wrongly directed objective from one that a model of its own may well report."""

import re
from collections.abc import Iterator

from hpsearch.loading.toml_places import Finding
from hpsearch.objective import FALLING, RISING, Objective

KNOWN = FALLING | RISING
ABBREVIATED = {"mse", "mae", "mape", "msle", "acc", "auc"}  # too short for a slip to be told from another name
LONGEST_SLIP = 2  # signs
PLACE = ("search", "objective")


def metric_findings(objective: Objective) -> Iterator[Finding]:
    """A metric that is nearly a standard one, or that is sought in the wrong direction."""
    near = nearest(objective.metric)
    if near:
        what = f"there is no metric {objective.metric!r}"
        yield Finding(PLACE, what, f"did you mean {near!r}? known: val_accuracy, val_loss, accuracy, loss")
        return
    wanted = {"max": RISING, "min": FALLING}[objective.goal]
    if (plain := objective.metric.removeprefix("val_")) in KNOWN and plain not in wanted:
        turned = "min" if objective.goal == "max" else "max"
        what = f"{str(objective)!r} looks for the worst {objective.metric}"
        yield Finding(PLACE, what, f"did you mean '{turned} {objective.metric}'?")


def nearest(metric: str) -> str | None:
    """The standard metric that a name is a slip of; None for a standard name and for one unlike all of them."""
    names = {prefix + name: name for name in KNOWN for prefix in ("", "val_")}
    if metric in names:
        return None
    alike = re.sub(r"^(validation|valid)_", "val_", metric.lower().replace("-", "_"))
    if metric.startswith("val_") and alike in names:  # Keras tells a metric of one's own by the name that it was given
        return None
    alike = re.sub(r"^(.+)_(?:val|valid|validation)$", r"val_\1", alike)
    slips = [(distance(alike, name), name) for name, plain in names.items() if _comparable(alike, name, plain)]
    allowed = [(far, name) for far, name in slips if far <= min(LONGEST_SLIP, len(names[name]) // 4)]
    return min(allowed)[1] if allowed else None


def _comparable(alike: str, name: str, plain: str) -> bool:
    if alike == name:
        return True
    numbered = re.search(r"\d", alike + plain)  # f2_score is no slip of f1_score, nor precision_2 of precision
    return plain not in ABBREVIATED and not numbered and abs(len(alike) - len(name)) <= LONGEST_SLIP


def distance(one: str, other: str) -> int:
    """How many signs were left out, added, exchanged or swapped with their neighbour (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, sign in enumerate(one, start=1):
        current = [i]
        for j, wanted in enumerate(other, start=1):
            cost = min(current[-1] + 1, row[j] + 1, row[j - 1] + (sign != wanted))
            if i > 1 and j > 1 and sign == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, row = row, current
    return row[-1]
