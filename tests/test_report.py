import base64
import hashlib
import io
import re
from dataclasses import asdict, replace
from importlib.resources import files

import pytest
from rich.console import Console
from stories import EXPERIMENT, RATE
from test_mlflow import began, pruning, told, trial_story, whole_story

from hpsearch.records import NO_FURTHER, Answered, Asked, Finalist, SessionBegan, SessionEnded
from hpsearch.report import tables
from hpsearch.report.facts import Facts, TrialFacts, gather
from hpsearch.report.html import page, write_report
from hpsearch.report.terminal import show, summary
from hpsearch.trackers import mlflow_verdict
from hpsearch.trial import Failure, How, Status, Trial, TrialResult


def asked_story() -> list:
    """The whole story as a ledger has it, with each trial asked for first."""
    bodies = [news.body for news in whole_story()]
    return told([*bodies[:2], *(Asked(Trial(number)) for number in range(3)), *bodies[2:]])


def without_library(text: str) -> tuple[str, str]:
    """The page without the library of charts, and the library."""
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    return text.replace(scripts[0], ""), scripts[0]


def test_facts_hold_every_trial_best_first_and_the_verdict():
    facts = gather(asked_story())

    assert [trial.number for trial in facts.trials] == [0, 1, 2]
    assert facts.counts == {"completed": 1, "pruned": 1, "failed": 1}
    assert facts.trials[0].curves["val_accuracy"] == [(1, 0.5), (2, 0.8), (3, 0.7)]
    assert facts.best is facts.trials[0]
    assert facts.finished
    assert asdict(facts)["verdict"]["model_accuracy"] == 0.81


def test_finalists_that_failed_under_some_seeds_or_all_are_told_in_summary_page_and_facts():
    facts = gather(asked_story())
    winner, other = facts.verdict.finalists
    fell = (winner, replace(other, failed_seeds=2), Finalist(2, (), (), failed_seeds=3))
    facts.verdict = replace(facts.verdict, finalists=fell)

    lines, rows = summary(facts), list(tables.finalists(facts))

    assert "  finalist 1: val_accuracy 0.7000 over 1 seed, expected accuracy 0.6900, failed under 2 of 3 seeds" in lines
    assert "  finalist 2: failed under all 3 seeds" in lines
    words = "trial 1 failed under 2 of 3 seeds, trial 2 failed under all 3 seeds; who failed under fewer ranks first"
    assert words in lines
    assert [row["beside"] for row in rows] == [
        "the winner",
        "failed under 2 of 3 seeds; a tie",
        "failed under all 3 seeds",
    ]
    assert words in page(facts)
    assert asdict(facts)["verdict"]["finalists"][1]["failed_seeds"] == 2
    assert words in mlflow_verdict.note(EXPERIMENT, facts.verdict, {}, {}, "0.8")


def test_a_story_that_stops_anywhere_gives_a_page_and_a_summary():
    story = asked_story()

    for end in range(len(story) + 1):
        facts = gather(story[:end])
        show(facts, Console(file=io.StringIO(), width=80))

        assert page(facts).endswith("</html>")


def test_the_page_needs_nothing_from_the_network_and_runs_no_script_but_its_own(tmp_path):
    write_report(gather(asked_story()), tmp_path / "report.html")

    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    own, _ = without_library(text)
    assert not re.search(r"(src|href)=(?!\"#)|url\(|@import|https?:|[^\n ]//\w", own.replace("path://", ""))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    for script in re.findall(r"<script>(.*?)</script>", text, re.DOTALL):
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert "0.8100" in own
    assert "rate=0.1" in own
    assert '<td class="name">nought</td><td class="name">one</td><td class="n">10</td>' in own


def test_the_library_of_charts_is_plotlys_own():
    _, library = without_library(page(gather(asked_story())))

    file = files("plotly") / "package_data" / "plotly.min.js"
    assert library == file.read_text(encoding="utf-8").strip()


@pytest.mark.promise("32", "H45")
def test_words_from_outside_are_escaped_on_the_page():
    evil = "<img src=x onerror=alert(1)>"
    values = {f"a{evil}": f"b{evil}{{{{7*7}}}}"}
    result = TrialResult(Trial(0, values), Status.FAILED, failure=Failure("ValueError", evil))
    story = told([*began(), Asked(Trial(0)), result])

    text = page(gather(story))

    assert "<img" not in text
    assert "b&lt;img src=x" in text
    assert "{{7*7}}" in text


def test_passwords_in_addresses_are_not_in_the_report():
    session = SessionBegan("x", {"search": {}, "tracking": {"mlflow": "http://me:S3CRET@host/"}}, {}, (), {})

    text = page(gather(told([session])))

    assert "S3CRET" not in text


def test_the_terminal_shows_the_winner_and_what_failed():
    out = io.StringIO()

    show(gather(asked_story()), Console(file=out, width=100))

    text = " ".join(out.getvalue().split())
    assert (
        "winner: trial 0, expected accuracy 0.8000 over 2 seeds (95 % interval 0.6800 to 0.8700, of their mean" in text
    )
    assert "a tie with trial 1: nothing here says which is better" in text
    assert "0.0100 better than its configuration's mean over fresh seeds; 0.0200 of luck was to be expected" in text
    assert "this test split has judged 1 model" in text
    assert "ValueError: too deep" in out.getvalue()


@pytest.mark.parametrize("width", [40, 60, 79, 80])
def test_a_narrow_terminal_shows_every_trial_whole(width):
    values = {"learning_rate": 0.00123, "activation": "leaky_relu"}
    facts = Facts("s", trials=[TrialFacts(7, "completed", values, 0.98, 12, 3960.0)])
    out = io.StringIO()

    show(facts, Console(file=out, width=width))

    lines = out.getvalue().splitlines()
    assert max(map(len, lines[:-2])) <= width
    whole = " ".join(out.getvalue().split())
    assert all(one in whole for one in ("7 ", "completed", "val_accuracy", "0.9800", "12", "1 h 06 min"))
    assert all(one in whole for one in ("learning_rate=0.00123", "activation=leaky_relu"))


def test_what_pruning_spared_is_told_on_the_terminal_on_the_page_and_to_programs():
    out, pruned = io.StringIO(), trial_story(1, [0.4], Status.PRUNED)
    pruned[-2] = replace(pruned[-2], how=How.INTERRUPTED)
    story = [*began(pruning("asha")), Asked(Trial(0)), Asked(Trial(1)), *trial_story(0, [0.5, 0.6, 0.7]), *pruned]

    facts = gather(told(story))
    show(facts, Console(file=out, width=120))

    words = "1 of 2 trials were stopped early; 2 of 6 epochs were not trained (33 %)"
    assert words in out.getvalue()
    assert words in page(facts)
    assert "<b>33 %</b><span>of the epochs spared by pruning</span>" in page(facts)
    assert asdict(facts)["pruning"] == {
        "stopped_trials": 1, "ended_trials": 2, "spared_epochs": 2, "asked_epochs": 6,
    }  # fmt: skip


def test_where_pruning_spared_nothing_no_box_says_so():
    text = page(gather(told([*began(pruning("median")), Asked(Trial(0)), *trial_story(0, [0.5])])))

    assert "of the epochs spared by pruning" not in text
    assert "<dt>pruning</dt><dd>0 of 1 trials were stopped early" in text


def test_a_study_without_a_pruner_says_nothing_of_pruning():
    facts = gather(asked_story())

    assert facts.pruning is None
    assert "pruning" not in page(facts).partition("Where it comes from")[0]


@pytest.mark.promise("34")
@pytest.mark.parametrize(
    ("reason", "said"), [(f"{NO_FURTHER} after 3 trials", True), ("3 trials", False), ("60s of searching", False)]
)
def test_a_search_that_its_tuner_ended_says_so_on_the_terminal_and_on_the_page(reason, said):
    facts = gather(told([*(news.body for news in asked_story()), SessionEnded(finished=True, reason=reason)]))

    assert (f"the search is over: {reason}" in summary(facts)) is said
    assert (f"the search is over: {reason}" in page(facts)) is said


def test_an_empty_study_has_facts():
    facts = gather([])

    assert facts == Facts()
    assert '<h2 id="trials">Trials</h2>' in page(facts)


def test_a_trial_that_still_runs_shows_how_far_it_came():
    out, (*under_way, _end, _result) = io.StringIO(), trial_story(0, [0.5, 0.7, 0.6])

    show(gather(told([*began(), Asked(Trial(0)), Answered(0, RATE, 0.25), *under_way])), Console(file=out, width=100))

    assert " ".join(out.getvalue().split()).startswith("trial status val_accuracy epoch time values")
    assert " 0 running 0.6000 3 1.5 s rate=0.25 " in " ".join(out.getvalue().split())


def test_a_study_without_finals_names_its_leader():
    out = io.StringIO()

    show(gather(told([*began(), Asked(Trial(0)), *trial_story(0, [0.5])])), Console(file=out, width=100))

    assert "so far trial 0 leads with val_accuracy 0.5000" in out.getvalue()
