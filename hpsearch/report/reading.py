"""Reads all that is known of a study: its own records, and who else in the project looked at its test split."""

from collections.abc import Callable, Iterable

from hpsearch import looks, paths, study
from hpsearch.records import News
from hpsearch.report.facts import Facts, gather


def facts_of(
    project: paths.Project, name: str, read: Callable[[paths.Project, str], Iterable[News]] = study.read
) -> Facts:
    """The facts of a study of this project, under the name of its folder, with the looks of all studies.

    `read` gives its records. Raises ExperimentRefused when there is no such study, StateDamaged when its ledger does
    not hold what was written.
    """
    facts = gather(read(project, name), name)
    facts.looks = looks.of_study(project, name)
    return facts
