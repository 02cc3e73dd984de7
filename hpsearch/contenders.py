"""Finds the models that people name to compare: "study" is its winner, "study:12" its trial 12."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpsearch import paths
from hpsearch.errors import ExperimentRefused, NothingCompleted, first_line
from hpsearch.experiment import Experiment
from hpsearch.records import News, SessionBegan
from hpsearch.space import Values
from hpsearch.state import Course, State
from hpsearch.study import existing, read
from hpsearch.trial import Attempt, AttemptEnd, Fit
from hpsearch.winner import digest, verify

MOST_DIGITS = 20


@dataclass(frozen=True)
class Contender:
    """One model to compare, by the name that a person gave it.

    `file` is its `.keras` file, or that of a search fit's best weights (`weights_of` is that fit then); `sha256` is of
    that file, and `judged` says whether the test split was shown to it before. `end` is that of the very fit which
    made it: of a trial with folds or repeats, the trial's own result is told of all its fits together.
    """

    label: str
    folder: paths.Study
    session: SessionBegan
    trial: int
    fit: str
    file: Path
    sha256: str
    judged: bool
    end: AttemptEnd
    values: Values
    weights_of: Fit | None = None

    @property
    def experiment(self) -> Experiment:
        """The experiment of its study."""
        return Experiment.model_validate(self.session.experiment)

    @property
    def trained_on(self) -> str:
        """Which rows of the training split it learnt from: more of them make a better model, as a rule."""
        if self.end.attempt.fit.kind == "whole":
            return "all rows"
        folds = self.experiment.data.folds
        return f"all but one of {folds} folds" if folds else "all but the validation rows"


@dataclass
class _Told:
    """What a study's ledger tells: its state, and the ends of the fits of the trials that were named."""

    folder: paths.Study
    trials: set[int]
    state: State = field(default_factory=State)
    ends: dict[Fit, AttemptEnd] = field(default_factory=dict)

    def take(self, news: News) -> None:
        self.state.take(news)
        match news.body:
            case AttemptEnd(Attempt(Fit(trial) as fit)) as end if trial in self.trials:
                self.ends[fit] = end


def is_study(project: paths.Project, word: str) -> bool:
    """Whether it names a study, which goes before a folder; raise ExperimentRefused where it names neither."""
    name = word.partition(":")[0]
    if name not in project.studies() and word and Path(word).is_dir():
        return False
    try:
        existing(project, name)
    except ExperimentRefused as error:
        message = f"{error}\n  or name a folder that hpsearch export wrote"
        raise ExperimentRefused(message) from error
    return True


def find(project: paths.Project, word: str) -> Contender:
    """Find a model; raises what `find_all` raises."""
    return find_all(project, [word])[0]


def find_all(project: paths.Project, words: Sequence[str]) -> list[Contender]:
    """Find models, in the order of their words; each study is read once, however many of its trials are named.

    Raises ExperimentRefused where there is no such study or trial, or where nothing of the trial's model was kept,
    NothingCompleted where a study has no winner yet, StateDamaged where a model file is not what was tested.
    """
    named: dict[str, _Told] = {}
    for word in words:
        name, _, number = word.partition(":")
        told = named.setdefault(name, _Told(existing(project, name), set()))
        told.trials |= {wanted} if (wanted := _number(number)) is not None else set()
    for name, told in named.items():
        for news in read(project, name):
            told.take(news)
    return [_find(word, named[word.partition(":")[0]]) for word in words]


def _number(word: str) -> int | None:
    """The number of a trial, which has few digits; Python refuses to read thousands."""
    return int(word) if word.isdecimal() and len(word) <= MOST_DIGITS else None


def _find(word: str, told: _Told) -> Contender:
    name, colon, number = word.partition(":")
    folder, state, wanted = told.folder, told.state, _number(number)
    if not colon:
        return _finalist(word, folder, state, _winner(name, state))
    if wanted is None or wanted not in state.courses:
        message = (
            f"{word!r} names no trial: write STUDY or STUDY:NUMBER, such as {name}:0\n  see them: hpsearch show {name}"
        )
        raise ExperimentRefused(message)
    if final := _final_fit(state, wanted):
        return _finalist(word, folder, state, final)
    return _searched(word, folder, state, state.courses[wanted], told.ends)


def _winner(name: str, state: State) -> Fit:
    if state.verdict is None:
        message = (
            f"the study {name!r} has no winner yet: run its experiment file again to finish it\n"
            f"  or name one of its trials, such as {name}:0"
        )
        raise NothingCompleted(message)
    return _fit_named(state, state.verdict.model_fit)


def _final_fit(state: State, trial: int) -> Fit | None:
    """The finals' model that stands for a trial: that of its median seed; None if it has no judged one."""
    finalists = state.verdict.finalists if state.verdict else ()
    named = next((one.median_fit for one in finalists if one.trial == trial), "")
    return _fit_named(state, named) if named else None


def _fit_named(state: State, name: str) -> Fit:
    return next(fit for fit in state.finals if fit.name == name)


def _finalist(word: str, folder: paths.Study, state: State, fit: Fit) -> Contender:
    file = folder.fit(fit.name).model
    tested = state.opened.models[fit.name] if state.opened else ""
    verify(file, tested)
    return Contender(
        word, folder, _session(state), fit.trial, fit.name, file, tested, judged=True,
        end=state.finals[fit], values=state.courses[fit.trial].values,
    )  # fmt: skip


def _searched(
    word: str, folder: paths.Study, state: State, course: Course, ends: Mapping[Fit, AttemptEnd]
) -> Contender:
    session, trial = _session(state), course.number
    experiment = Experiment.model_validate(session.experiment)
    own = [fit for fit in ends if (fit.trial, fit.kind) == (trial, "search")]
    fits = sorted(own, key=lambda fit: (fit.repeat, fit.fold))
    fit = next((fit for fit in fits if folder.fit(fit.name).weights.exists()), None)
    if fit is None or course.result is None:
        raise ExperimentRefused(_not_kept(word, course, experiment.train.keep))
    file = folder.fit(fit.name).weights
    sha256 = digest(file)
    return Contender(
        word, folder, session, trial, fit.name, file, sha256, judged=sha256 in state.judged,
        end=ends[fit], values=course.values, weights_of=fit,
    )  # fmt: skip


def _not_kept(word: str, course: Course, kept: int) -> str:
    name, trial, result = word.partition(":")[0], course.number, course.result
    if result is None:
        return f"{word}: trial {trial} has not ended yet\n  wait for it: hpsearch show {name}"
    if result.failure:
        why = first_line(f"{result.failure.kind}: {result.failure.message}")
        return f"{word}: trial {trial} failed and left no model ({why})\n  see more: hpsearch trial {name} {trial}"
    return (
        f"{word}: the model of trial {trial} is not kept: weights stay for the best {kept} only\n"
        f"  to have those of more, raise train.keep before they are trained: "
        f"--set train.keep={max(10, 2 * kept)} --name {name}-again"
    )


def _session(state: State) -> SessionBegan:
    if state.session is None:
        message = "the study has not begun yet\n  run its experiment file again"
        raise ExperimentRefused(message)
    return state.session
