"""Writes what a study came to as a section of Markdown: configurations, epochs, confusions, all from its ledger."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from statistics import fmean
from typing import Any

from hpsearch import words
from hpsearch.class_report import worst_pairs
from hpsearch.records import News, SessionBegan, Verdict
from hpsearch.report.labour import Labour
from hpsearch.space import Value
from hpsearch.state import State
from hpsearch.trial import Fit, Measure

PARTS = {"training": "accuracy", "validation": "val_accuracy"}
MOST_CLASSES = 15  # above which a matrix does not fit on a page
VERSIONS = ("hpsearch", "keras", "tensorflow", "python")


@dataclass(frozen=True)
class Aim:
    """What an experiment is to reach: which `part` of the images ("validation" or "test") read right to which share.

    `figures` has the values that tell a configuration from the others of its study (none, if it is alone), and the
    share.
    """

    part: str
    figures: tuple[tuple[Mapping[str, Value], float], ...]


@dataclass
class Told:
    """A study's records, added up; `curves` holds the metrics of each final fit, epoch by epoch."""

    state: State = field(default_factory=State)
    curves: dict[Fit, list[Mapping[str, float]]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """What the finals found; raise ValueError before them."""
        if self.state.verdict is None:
            message = "this study has not come to its end: run its experiment once more"
            raise ValueError(message)
        return self.state.verdict

    @property
    def began(self) -> SessionBegan:
        """The last session."""
        if self.state.session is None:
            message = "this study has not begun"
            raise ValueError(message)
        return self.state.session


def told(story: Iterable[News]) -> Told:
    """Add up a study's records. Time between sessions does not count."""
    found, labour = Told(), Labour()
    for news in story:
        found.state.take(news)
        labour.take(news)
        match news.body:
            case Measure(attempt, _, metrics) if attempt.fit.kind != "search":
                found.curves.setdefault(attempt.fit, []).append(metrics)
    found.seconds = sum(ended - began for began, ended in labour.spans)
    return found


def section(about: str, command: str, study: Told, aim: Aim | None = None) -> str:
    """One study: what it is, how it is run, and its tables."""
    parts = [
        f"## {words.clean(study.began.name)}",
        about,
        f"    {command}",
        "\n".join(_surroundings(study)),
        "\n".join(_configurations(study, aim)),
        "\n".join(_words(study)),
        "\n".join(_epochs(study)),
        "\n".join(_classes(study.verdict)),
        "\n".join(_confusion(study.verdict)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table in Markdown; a column stands to the left where no cell of it begins with a digit."""
    kept = [[str(cell) for cell in row] for row in rows]
    numbers = [any(row[place][:1].isdigit() for row in kept) for place in range(len(head))]
    lines = [head, ["---:" if one else "---" for one in numbers], *kept]
    return [f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def _surroundings(study: Told) -> Iterator[str]:
    facts = study.began.provenance
    made_of = ", ".join(f"{name} {facts[name]}" for name in VERSIONS if name in facts)
    sessions = words.count(study.state.sessions, "session")
    trials = words.count(len(study.state.results), "trial")
    yield f"{trials} and the finals in {words.span(study.seconds)}, {sessions}, on {facts.get('cpus', '?')} CPUs."
    source = facts.get("hpsearch_source", "")
    yield f"{made_of}{f'; source {source[:12]}' if source else ''}."


def _telling(study: Told) -> list[str]:
    """The names of the values in which the finalists differ."""
    values = [study.state.courses[one.trial].values for one in study.verdict.finalists]
    names = dict.fromkeys(name for given in values for name in given)
    return [name for name in names if len({repr(given.get(name)) for given in values}) > 1]


def _configurations(study: Told, aim: Aim | None) -> Iterator[str]:
    """Each finalist: what it is, and how much it reads right, in the search and, seed by seed, in the finals."""
    telling = _telling(study)
    head = ["trial", *telling, "validation, search", "validation, finals", "test, finals"]
    if aim:
        head.append(f"{aim.part}, aim")
    rows = []
    for one in sorted(study.verdict.finalists, key=lambda finalist: finalist.trial):
        course = study.state.courses[one.trial]
        searched = course.result.metrics.get("val_accuracy") if course.result else None
        star = " ★" if one.trial == study.verdict.winner else ""
        row = [f"{one.trial}{star}", *(_value(course.values, name) for name in telling)]
        row += [_percent(searched), _spread(_best(study, one.trial)), _spread(one.test_accuracies)]
        rows.append([*row, _percent(_aimed_at(aim, course.values))] if aim else row)
    yield from table(head, rows)


def _value(values: Mapping[str, Value], name: str) -> str:
    return words.value(values[name]) if name in values else ""


def _told_apart(study: Told, trial: int, telling: Sequence[str]) -> str:
    """What a configuration is called beside the others: its telling values."""
    values = study.state.courses[trial].values
    return " ".join(_value(values, name) for name in telling) or f"trial {trial}"


def _best(study: Told, trial: int) -> list[float]:
    """The validation accuracies of the epochs that the finals kept, one a seed (and fold)."""
    ends = [end for fit, end in study.state.finals.items() if (fit.trial, fit.kind) == (trial, "final")]
    return [end.metrics["val_accuracy"] for end in ends if "val_accuracy" in end.metrics]


def _spread(shares: Sequence[float]) -> str:
    if not shares:
        return ""
    around = f" ({_percent(min(shares))} … {_percent(max(shares))})" if len(shares) > 1 else ""
    return _percent(fmean(shares)) + around


def _aimed_at(aim: Aim, values: Mapping[str, Value]) -> float | None:
    alike = [share for wanted, share in aim.figures if all(values.get(name) == wanted[name] for name in wanted)]
    return alike[0] if alike else None


def _words(study: Told) -> Iterator[str]:
    verdict, asked = study.verdict, study.began.experiment
    folds = f" of {asked['data']['folds']} folds each" if asked["data"].get("folds") else ""
    over = f"{words.count(asked['final']['seeds'], 'seed')}{folds}"
    yield f"In percent; finals are means over {over}, with the lowest and the highest."
    yield "★ won by its mean validation score."
    yield f"The test split, {verdict.test_rows:,} images, was opened {_often(study.state.openings)}."
    if verdict.interval:
        low, high = map(_percent, verdict.interval)
        whose = "trained anew" if verdict.interval_of == "configuration" else "this one model"
        expected = f"{_percent(verdict.expected_accuracy)} % ({low} … {high}, at 95 %)"
        yield f"On new images ★, {whose}, is expected to reach {expected}."
    if verdict.ties:
        yield f"The data do not tell it apart from trial {', '.join(map(str, verdict.ties))}."


def _often(openings: int) -> str:
    return "once" if openings == 1 else f"{openings} times"


def _epochs(study: Told) -> Iterator[str]:
    """Training, validation and test accuracy after every epoch, where every epoch was judged."""
    fits = sorted((fit for fit in study.curves if fit.name in study.state.test_curves), key=lambda fit: fit.trial)
    by_trial = {trial: list(group) for trial, group in groupby(fits, key=lambda fit: fit.trial)}
    if not by_trial:
        return
    telling = _telling(study)
    names = {trial: _told_apart(study, trial, telling) for trial in by_trial}
    curves = {
        trial: [_mean_curve(study, group, part) for part in (*PARTS, "test")] for trial, group in by_trial.items()
    }
    yield "Epoch by epoch, in percent, means over the seeds."
    yield "Training accuracy is Keras's, gathered while the epoch runs."
    yield ""
    head = ["epoch", *(f"{names[trial]}: {part}" for trial in by_trial for part in (*PARTS, "test"))]
    longest = max(len(curve) for parts in curves.values() for curve in parts)
    rows = [
        [
            epoch + 1,
            *(_percent(curve[epoch]) if epoch < len(curve) else "" for parts in curves.values() for curve in parts),
        ]
        for epoch in range(longest)
    ]
    yield from table(head, rows)


def _mean_curve(study: Told, fits: Sequence[Fit], part: str) -> list[float]:
    """The mean over fits, as far as all of them have an epoch."""
    if part == "test":
        curves: list[Sequence[float]] = [study.state.test_curves[fit.name] for fit in fits]
    else:
        curves = [[metrics[PARTS[part]] for metrics in study.curves[fit]] for fit in fits]
    return [fmean(values) for values in zip(*curves, strict=False)]


def _classes(verdict: Verdict) -> Iterator[str]:
    """How the exported model reads each class."""
    yield f"The exported model reads {_percent(verdict.model_accuracy)} % of the test images right, class by class:"
    yield ""
    rows = []
    for name in (*verdict.class_names, "macro avg"):
        figures = verdict.report[name]
        shares = (_percent(figures[key]) for key in ("precision", "recall", "f1-score"))
        rows.append([words.clean(name, 40), *shares, f"{figures['support']:.0f}"])
    yield from table(["class", "precision", "recall", "F1", "images"], rows)


def _confusion(verdict: Verdict) -> Iterator[str]:
    """True classes in rows; where they are too many for a page, the pairs that are confused most."""
    names = [words.clean(name, 40) for name in verdict.class_names]
    if len(names) > MOST_CLASSES:
        yield "What it confuses most:"
        yield ""
        worst = [(names[row], names[column], count) for row, column, count in worst_pairs(verdict.confusion)]
        yield from table(["true", "read as", "images"], worst)
        return
    yield "What it reads (in columns) where the truth is (in rows):"
    yield ""
    rows: list[list[Any]] = [
        [f"**{name}**", *(count or "·" for count in counts)]
        for name, counts in zip(names, verdict.confusion, strict=True)
    ]
    yield from table(["", *names], rows)
