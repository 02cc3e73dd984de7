"""What a study's ledger holds: the whole story of a search, one record after another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from hpsearch.space import Parameter, Value, Values
from hpsearch.trial import STRICT, Attempt, AttemptEnd, Built, Measure, Trial, TrialResult

LEFT = "interrupted"  # how the reasons of sessions begin that were left or killed
NO_FURTHER = "the tuner found no further point"  # how they begin where the tuner ended the search


@dataclass(frozen=True)
class SessionBegan:
    """The study was started or taken up again; `experiment` is the resolved experiment as plain data.

    `identity` holds digests of what must not change between sessions beside the experiment (code, data);
    `modules` are the project's files that the search space is made of, relative to the project's root;
    `provenance` is what is good to know (package versions, git commit, Python, machine).
    """

    name: str
    experiment: Mapping[str, Any]
    identity: Mapping[str, str]
    modules: tuple[str, ...]
    provenance: Mapping[str, str]


@dataclass(frozen=True)
class SpaceFound:
    """What a few sample builds asked for, already narrowed by the experiment's [space]."""

    parameters: tuple[Parameter, ...]


@dataclass(frozen=True)
class Planned:
    """The first trials take these values, of the best trials of another study, where they lie inside the space."""

    study: str
    points: tuple[Values, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The tuner handed out a trial."""

    trial: Trial


@dataclass(frozen=True, slots=True)
class Answered:
    """A parameter of a trial got its value; a fixed parameter's is not the tuner's."""

    trial: int
    parameter: Parameter
    value: Value


@dataclass(frozen=True, slots=True)
class AttemptBegan:
    """A worker was given a fit."""

    attempt: Attempt


@dataclass(frozen=True)
class FinalistsChosen:
    """The search is over; these trials are trained again on fresh seeds, best first."""

    trials: tuple[int, ...]


@dataclass(frozen=True)
class TestOpened:
    """The test split is opened, once, for exactly these models (SHA-256 of each model file, by fit name).

    `epochs` lists the weights that some of them had after each epoch (SHA-256 of each file, from the first epoch):
    they are judged in the same opening, for a curve, and choose nothing. `split` is the test split's own digest, by
    which other studies know that theirs is the same, `images` that of its labelled images in whatever order, and
    `negative` that of the split with all images' negatives.
    """

    models: Mapping[str, str]
    epochs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    split: str = ""
    images: str = ""
    negative: str = ""

    @property
    def shown(self) -> frozenset[str]:
        """All that the split is shown to: the models, and the weights of epochs."""
        return frozenset(self.models.values()).union(*self.epochs.values())


@dataclass(frozen=True)
class TestCurve:
    """The test accuracies of one final fit after each of its epochs, from the weights listed at the opening."""

    __pydantic_config__ = STRICT

    fit: str
    accuracies: tuple[float, ...]


@dataclass(frozen=True)
class Finalist:
    """A configuration trained again on fresh seeds: its validation scores and test accuracies, seed by seed.

    `median_fit` names the fit that stands for it where one model is wanted; "" when none of its models was judged.
    `failed_seeds` counts those under which it failed, and which have no score.
    """

    __pydantic_config__ = STRICT

    trial: int
    scores: tuple[float, ...]
    test_accuracies: tuple[float, ...]
    median_fit: str = ""
    failed_seeds: int = 0


@dataclass(frozen=True)
class Comparison:
    """The winner beside another finalist on the test split.

    The counts and `p` (exact McNemar test) compare two models, the median seed's of each: images that only one of
    them reads right. `difference` and `interval` compare the two configurations: how much more accurate the winner
    is, over all seeds of each, and between which bounds; the bounds of all comparisons hold together 95 times in 100.
    """

    __pydantic_config__ = STRICT

    trial: int
    only_winner_right: int
    only_other_right: int
    p: float
    difference: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class FoldComparison:
    """The winner beside another finalist on the validation rows of the same folds, where the winner alone was judged.

    `difference` says how much better the winner scores, in the mean, and `interval` between which bounds; the bounds of
    all comparisons hold together 95 times in 100.
    """

    __pydantic_config__ = STRICT

    trial: int
    difference: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class TestLooked:
    """Models beside those of the finals were shown the test split (SHA-256 of each model file, by fit name)."""

    models: Mapping[str, str]
    why: str = ""
    split: str = ""  # as in TestOpened
    images: str = ""
    negative: str = ""

    @property
    def shown(self) -> frozenset[str]:
        """All that the split is shown to."""
        return frozenset(self.models.values())


@dataclass(frozen=True)
class Verdict:
    """What the finals found: the winner, its exported model, and what the one look at the test split showed.

    `report` is scikit-learn's classification report as plain data (precision, recall, f1-score, support
    for every class, None for one without rows, and averages over the others); `confusion` counts true classes in rows,
    predicted ones in columns; both, and `model_accuracy`, are of the one exported model. What the chosen configuration
    is expected to reach on new images, in the mean over trainings under new seeds, is `expected_accuracy`, and
    `interval` holds that mean 95 times in 100; a single training may lie outside. Where only one of its models was
    judged, or by one image, `interval_of` is "model": the interval then says nothing of other seeds.
    `ties` are the finalists that the data do not tell apart from the winner.
    `optimism` is how much better the search's best trial scored there than, on average, in the finals;
    `bootstrap_optimism` how much of the best score of the completed trials was luck, by bootstrap over these.
    Both are in the units of the objective, and positive when the search was too hopeful. `left_out` trials were dropped
    on the way by their scores, of whose luck the bootstrap knows nothing, so that it tells too little.
    `refit` says that the exported model was trained on the validation rows too (`final.refit`): its accuracy
    stands beside no validation score, and may be compared with no other model's here.
    """

    __pydantic_config__ = STRICT

    winner: int
    model_fit: str
    finalists: tuple[Finalist, ...]
    test_rows: int
    model_accuracy: float
    report: Mapping[str, Any]
    confusion: tuple[tuple[int, ...], ...]
    class_names: tuple[str, ...]
    interval: tuple[float, float] | None = None
    interval_of: Literal["configuration", "model"] = "configuration"
    comparisons: tuple[Comparison, ...] = ()
    ties: tuple[int, ...] = ()
    optimism: float | None = None
    bootstrap_optimism: float | None = None
    left_out: int = 0
    refit: bool = False
    fold_comparisons: tuple[FoldComparison, ...] = ()

    @property
    def expected_accuracy(self) -> float:
        """The winner's mean test accuracy over its judged models: one a seed, or just the exported one."""
        return fmean(self.won.test_accuracies) if self.won and self.won.test_accuracies else self.model_accuracy

    @property
    def won(self) -> Finalist | None:
        """The winner among the finalists."""
        return next((one for one in self.finalists if one.trial == self.winner), None)


@dataclass(frozen=True)
class SessionEnded:
    """The session is over: `finished` when the budget is spent and the finals are done."""

    finished: bool
    reason: str

    @property
    def state(self) -> str:
        """How the study stands since: "completed", "interrupted" where it was left or killed, else "failed"."""
        return "completed" if self.finished else "interrupted" if self.reason.startswith(LEFT) else "failed"


Body = (
    SessionBegan
    | SpaceFound
    | Planned
    | Asked
    | Answered
    | AttemptBegan
    | Built
    | Measure
    | AttemptEnd
    | TrialResult
    | FinalistsChosen
    | TestOpened
    | TestCurve
    | TestLooked
    | Verdict
    | SessionEnded
)


@dataclass(frozen=True, slots=True)
class News:
    """A record as the ledger keeps it: its place in the order, when (Unix milliseconds), seconds searched so far."""

    number: int
    time_ms: int
    searched: float
    body: Body = field(repr=False)
