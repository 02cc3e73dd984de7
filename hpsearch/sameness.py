"""Compares a trial that is trained again with its first training, epoch by epoch and to the last bit."""

from dataclasses import dataclass

from hpsearch.orders import Event, Question
from hpsearch.trial import AttemptEnd, Fit, How, Measure, Metrics
from hpsearch.trial_story import TrialStory


@dataclass(frozen=True)
class Difference:
    """A metric of an epoch that came out otherwise; None where the epoch or the metric was not there."""

    fit: str
    epoch: int
    metric: str
    before: float | None
    now: float | None

    @property
    def by(self) -> float | None:
        """How much more it is now."""
        return None if self.before is None or self.now is None else self.now - self.before


@dataclass(frozen=True)
class Replayed:
    """What a replay came to: `epochs` were trained again, and every metric of them compared.

    `surprises` are differences in words: another failure, another question. `versions` are packages that changed since.
    """

    trial: int
    epochs: int
    differences: tuple[Difference, ...]
    surprises: tuple[str, ...]
    versions: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether all came out as it was."""
        return not self.differences and not self.surprises


class Sameness:
    """Hears what comes of the second training of a trial."""

    def __init__(self, story: TrialStory) -> None:
        """Know what the first one came to."""
        self._story = story
        self._epochs: dict[Fit, set[int]] = {}
        self._differences: list[Difference] = []
        self._surprises: list[str] = []

    def hear(self, event: Event) -> str:
        """Take in an event; say in words how an epoch came out, "" for anything else."""
        fit = event.attempt.fit
        match event:
            case Measure(_, epoch, metrics):
                self._epochs.setdefault(fit, set()).add(epoch)
                found = _differences(fit, epoch, self._story.measures.get(fit, {}).get(epoch, {}), metrics)
                self._differences += found
                return f"{fit.name} epoch {epoch:>3}: {', '.join(map(_words, found)) or 'the same'}"
            case Question(_, parameter):
                self._surprises.append(f"{fit.name}: build_model asks for {parameter.name!r}, as it did not before")
            case AttemptEnd():
                self._compare_end(fit, event)
        return ""

    def _compare_end(self, fit: Fit, now: AttemptEnd) -> None:
        before = self._story.end(fit)
        was, became = _failure(before), _failure(now)
        if was != became:
            self._surprises.append(f"{fit.name}: {became}; before: {was}")
        for epoch, metrics in self._story.measures.get(fit, {}).items():
            if epoch not in self._epochs.get(fit, set()):
                self._differences += _differences(fit, epoch, metrics, {})

    def told(self, versions: list[str]) -> Replayed:
        """What it all came to."""
        epochs = sum(map(len, self._epochs.values()))
        return Replayed(
            self._story.number, epochs, tuple(self._differences), tuple(self._surprises), tuple(versions)
        )  # fmt: skip


def _differences(fit: Fit, epoch: int, before: Metrics, now: Metrics) -> list[Difference]:
    pairs = [(name, before.get(name), now.get(name)) for name in dict.fromkeys((*before, *now))]
    return [Difference(fit.name, epoch, name, was, became) for name, was, became in pairs if was != became]


def _words(found: Difference) -> str:
    by = f" (by {found.by:.2g})" if found.by is not None else ""
    return f"{found.metric} {found.now}, before {found.before}{by}"


def _failure(end: AttemptEnd | None) -> str:
    return f"it failed: {end.failure.kind}" if end and end.failure and failed(end) else "it went through"


def failed(end: AttemptEnd | None) -> bool:
    """Whether a fit ended by a failure of its own; one that was lost did not, though it may say why."""
    return end is not None and end.failure is not None and end.how is not How.LOST
