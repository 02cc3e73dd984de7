"""Counts the models that a test split was shown to, over all studies of a project.

A split that many models were chosen by, or compared on, is worth less, whichever study they are of. Of each ledger only
the few records are read that speak of it, so that a hundred studies take a second at most.
"""

from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass

from hpsearch import paths
from hpsearch.errors import HpsearchError
from hpsearch.ledger import Ledger
from hpsearch.records import TestLooked, TestOpened
from hpsearch.study import existing

SPOKEN_OF = "kind IN ('TestOpened', 'TestLooked')"


@dataclass(frozen=True)
class Shown:
    """What a study showed its test split to.

    `splits` are digests that the split is known by: its own, that of its images in whatever order, and that of their
    negatives. `models` are SHA-256 of files; where the weights of every epoch were judged, they are among them.
    """

    splits: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()


def of_study(project: paths.Project, name: str) -> dict[str, int | None]:
    """How many models the study's test split has judged: see `of_split`; {} while it was not opened."""
    own = _shown(existing(project, name))
    return of_split(project, own.splits, first=(name,)) if own.models else {}


def of_split(project: paths.Project, splits: Collection[str], first: Collection[str] = ()) -> dict[str, int | None]:
    """How many models a test split has judged, of each study that has it, those named `first` before the others.

    A model that several studies showed it to, as a copied study does, counts for the first of them. None stands at a
    study whose ledger cannot be read.
    """
    names = [*first, *(name for name in project.studies() if name not in first)]
    seen = {name: _shown_or_unknown(project, name) for name in names}
    alike = _alike({name: one for name, one in seen.items() if one}, set(splits))
    counted: set[str] = set()
    found: dict[str, int | None] = {}
    for name, one in seen.items():
        if one is None:
            found[name] = None
        elif name in alike and (new := one.models - counted):
            found[name] = len(new)
            counted |= new
    return found


def _alike(seen: Mapping[str, Shown], splits: set[str]) -> set[str]:
    """The studies whose split is known by one of these digests, or by one of such a study's."""
    alike: set[str] = set()
    while more := {name for name, one in seen.items() if name not in alike and one.splits & splits}:
        alike |= more
        splits = splits.union(*(seen[name].splits for name in more))
    return alike


def _shown_or_unknown(project: paths.Project, name: str) -> Shown | None:
    try:
        return _shown(project.study(name))
    except HpsearchError:  # another study's damage is told where that study is asked for
        return None


def _shown(study: paths.Study) -> Shown:
    splits: set[str] = set()
    models: set[str] = set()
    with closing(Ledger(study.ledger, writer=False)) as ledger:
        for news in ledger.select(SPOKEN_OF):
            match news.body:
                case TestOpened() | TestLooked() as look:
                    splits |= {look.split, look.images, look.negative}
                    models |= look.shown
    return Shown(frozenset(splits - {""}), frozenset(models))
