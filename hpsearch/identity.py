"""What must stay the same between the sessions of a study, and the words for it when it did not."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hpsearch import provenance
from hpsearch.datasets.held_out import RULE
from hpsearch.errors import StudyChanged
from hpsearch.experiment import Experiment, seconds
from hpsearch.protocols import Prepared
from hpsearch.records import SessionBegan
from hpsearch.state import State
from hpsearch.trial import Status

DIGITS = 12  # of a digest, for people


@dataclass(frozen=True)
class Identity:
    """What a study searches: an experiment, over data, with code under the project's root."""

    experiment: Experiment
    data: Prepared
    root: Path

    def digests(self, modules: Iterable[str]) -> dict[str, str]:
        """SHA-256 of the data and of the code; `modules` are the code's files, relative to the root."""
        files = [self.root / module for module in modules]
        code = provenance.code_digest([file for file in files if file.exists()], self.root)
        return {"data": self.data.digest, "code": code}

    def refuse_if_changed(self, state: State) -> None:
        """Raise StudyChanged, with every difference to the last session, if there is one."""
        if state.session is None or not (differences := self._differences(state.session)):
            return
        lines = [f"the study {self.experiment.name!r} changed since its last run:"]
        lines += [f"  {difference}" for difference in differences]
        fresh = "to begin anew and set the old study aside: --fresh"
        if state.with_status(Status.COMPLETED):
            lines.append(f"to keep both: --name ANOTHER; {fresh}")
        else:
            lines.append(f"no trial of it completed, so nothing is lost when you begin anew; {fresh}")
        raise StudyChanged("\n".join(lines))

    def _differences(self, before: SessionBegan) -> list[str]:
        now = self.digests(before.modules)
        found = provenance.differences(before.experiment, provenance.public(self.experiment))
        if now["data"] != before.identity["data"]:
            found.append(f"the data: {other_data(before, self.data)}")
        if now["code"] != before.identity["code"]:
            found.append(_other_code(before))
        return found

    def refuse_other_code(self, session: SessionBegan, model: str) -> None:
        """Raise StudyChanged unless the code is still that of the session: what it kept of a model are weights alone.

        In the graph of other code they may well fit, and give another model, of which nobody would know.
        """
        if self.digests(session.modules)["code"] != session.identity["code"]:
            message = (
                f"{model}: only weights are kept of this model, and what builds it changed since they were trained:\n"
                f"  {_other_code(session)}\n  {bring_back(session)}"
            )
            raise StudyChanged(message)


def other_data(before: SessionBegan, now: Prepared) -> str:
    """Words for data that are not those of a session; they may come of the same files where rows are held out."""
    words = f"SHA-256 {before.identity['data'][:DIGITS]} -> {now.digest[:DIGITS]}"
    if now.test_from == "content-hash" and before.provenance.get("held_out_by") != str(RULE):
        words += "; of images that repeat, this hpsearch holds out others than the one before, even of the same files"
    return words


def _other_code(before: SessionBegan) -> str:
    return f"the code of the search space, in {', '.join(before.modules)}"


def bring_back(session: SessionBegan) -> str:
    """How a person has the code again that a session ran with."""
    commit = session.provenance.get("git_commit", "")
    return f"the study's commit was {commit}" if commit else "bring back what was there"


def refuse_if_opened(state: State, wanted: Experiment) -> None:
    """Raise StudyChanged when a study whose test split was opened is to search more, or to hold other finals."""
    if state.spent is None or not (state.opened or state.verdict):
        return
    more = _grew(state.spent["trials"], wanted.search.trials)
    longer = _grew(state.spent["time"] and seconds(state.spent["time"]), wanted.seconds)
    if more or longer:
        message = (
            f"the test split of {wanted.name!r} has been opened; more trials now would be chosen in its light\n"
            "  go on all the same with --reopen (the report will say so), or use another --name"
        )
        raise StudyChanged(message)
    if changed := provenance.final_differences(state.chosen_by, wanted):
        lines = [f"the test split of {wanted.name!r} has been opened for the finals, whose table changed since:"]
        lines += [f"  {difference}" for difference in changed]
        lines.append(
            "hold them again, and open it once more, with --reopen (the report will say so); or use another --name"
        )
        raise StudyChanged("\n".join(lines))


def _grew(before: float | None, now: float | None) -> bool:
    """Whether a budget is larger than it was; none at all is the largest."""
    return before is not None and (now is None or now > before)
