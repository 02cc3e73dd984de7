"""Says where parameters were weighed in vain, so that a report without weights tells why."""

from collections import Counter
from collections.abc import Sequence

from hpsearch.report.facts import Facts
from hpsearch.report.findings import FEWEST_TRIALS, completed, took_several
from hpsearch.report.importance import Weight

UNTOLD = "No parameter can be told from chance yet."


def untold(facts: Facts, weights: Sequence[Weight]) -> str:
    """The sentence for two parameters or more that have no weights; "" where there was nothing to weigh."""
    return UNTOLD if not weights and len(often_varied(facts)) > 1 else ""


def often_varied(facts: Facts) -> list[str]:
    """The names of the parameters that took several values, and that ten completed trials had."""
    rows = [trial.values for trial in completed(facts)]
    held, several = Counter(name for values in rows for name in values), took_several(rows)
    return [name for name, many in held.items() if name in several and many >= FEWEST_TRIALS]
