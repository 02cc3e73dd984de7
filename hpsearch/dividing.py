"""Says whether training rows can be divided into those that train and those that validate, as [data] wants it.

The rules are scikit-learn's: with `data.validation` (train_test_split, stratified) each class has two rows at least,
and either side as many rows as there are classes; with `data.folds` (StratifiedKFold) some class has a row for each
fold. A rarer class is not refused: some folds then do not validate it.
"""

import math
from dataclasses import dataclass

from hpsearch import words
from hpsearch.errors import Mistake
from hpsearch.experiment import Data

PAIR = 2  # rows that a class has at least: one trains, one validates


@dataclass(frozen=True)
class Strata:
    """How many training rows there are, of how many classes, how many the smallest of these has, and the largest.

    `most` is None where it is not known: then nothing is said of folds.
    """

    total: int
    classes: int
    smallest: str
    fewest: int
    most: int | None = None


def hindrance(data: Data, rows: Strata) -> Mistake | None:
    """What stands in the way of dividing the rows, and what would do; None where nothing does."""
    if data.folds:
        return _of_folds(data.folds, rows)
    return _of_validation(data.holdout or 0, rows)


def rarity(data: Data, rows: Strata) -> str:
    """What is to be said of a class with fewer rows than there are folds; "" where each has enough."""
    if not data.folds or rows.fewest >= data.folds:
        return ""
    has = f"the class {rows.smallest!r} has {words.count(rows.fewest, 'training row')}"
    return f"{has}, fewer than data.folds = {data.folds}: some folds validate without it"


def _of_folds(folds: int, rows: Strata) -> Mistake | None:
    if rows.most is None or rows.most >= folds:
        return None
    what = f"data.folds = {folds} wants as many training rows of a class, and the largest has {rows.most}"
    fewer = f"set data.folds = {rows.most} or less, or " if rows.most >= PAIR else ""
    return Mistake("data.folds", what, f"{fewer}take more rows")


def _of_validation(share: float, rows: Strata) -> Mistake | None:
    if rows.fewest < PAIR:
        what = f"the class {rows.smallest!r} has {rows.fewest} training row, which cannot both train and validate"
        return Mistake("data.validation", what, f"give it {PAIR} rows that train, or leave the class out")
    validating = math.ceil(share * rows.total)
    training = rows.total - validating
    if min(validating, training) >= rows.classes:
        return None
    side, least = f"{rows.total:,} training rows, fewer than the {rows.classes} classes", rows.classes / rows.total
    smallest = f"the smallest, {rows.smallest!r}, has {rows.fewest}"
    if validating < rows.classes:
        what = f"data.validation = {share:g} validates on {validating} of {side}; {smallest}"
        bound, needed = f"{math.ceil(100 * least) / 100:g} or more", math.floor((rows.classes - 1) / share) + 1
    else:
        what = f"data.validation = {share:g} trains on {training} of {side}; {smallest}"
        bound, needed = f"{math.floor(100 * (1 - least)) / 100:g} or less", math.ceil(rows.classes / (1 - share))
    return Mistake("data.validation", what, f"set data.validation = {bound}, or take {needed:,} training rows or more")
