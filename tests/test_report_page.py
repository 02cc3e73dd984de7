"""The pages of whole studies: of large ones, of odd ones, and of hostile ones."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import pytest
from commands import hpsearch
from kept_studies import trial
from markupsafe import escape
from stories import began, large_story, told, trial_story, whole_story
from waiting import wait_until

from hpsearch.ledger import Ledger
from hpsearch.paths import Project
from hpsearch.records import Answered, Asked, SessionBegan, SessionEnded, SpaceFound
from hpsearch.report import head, markdown
from hpsearch.report.facts import Facts, TrialFacts, gather
from hpsearch.report.html import page, write_report
from hpsearch.report.terminal import summary
from hpsearch.space import Parameter
from hpsearch.study import held, read
from hpsearch.trial import Failure, Status, Trial, TrialResult

EVIL = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{7*7}}",
    "a|b\n# c",
    "\x1b[31m",
    "](javascript:x)",
]


def columns_of(text):
    return json.loads(re.search(r'<script type="application/json" id="columns">(.*?)</script>', text, re.DOTALL)[1])


def test_five_thousand_trials_make_a_page_of_a_few_megabytes():
    facts = gather(large_story(5000, epochs=10, classes=47))

    text = page(facts)

    assert len(text) < 7_000_000
    assert len(columns_of(text)["number"]) == 5000
    assert len(re.findall("<tr", text)) < 600


def test_the_page_has_every_part_that_the_study_has_something_for():
    text = page(gather(large_story(40, classes=47)))

    ids = re.findall(r'<h2 id="(\w+)"', text)
    wanted = (
        "winner finals history importance parallel slices pair curves classes confusion time failures trials provenance"
    )
    assert ids == wanted.split()
    assert set(re.findall(r'<a href="#(\w+)"', text)) == set(ids) - {"winner"}
    assert "95 % interval 0.8431 to 0.8589" in text
    beside = (
        "a tie; 0.0030 behind, 95 % interval -0.0020 to 0.0080; 40 images only the winner read right, 31 only this one"
    )
    assert beside in text
    assert "a tie with trial 1 (0.0030 behind, 95 % interval -0.0020 to 0.0080): nothing here says" in text


def test_the_head_says_when_the_study_was():
    once = [*began(), Asked(Trial(0)), *trial_story(0, [0.5, 0.6])]
    over, day = SessionEnded(finished=True, reason="1 trial"), 86_400_000
    stories = [told(once), told([*once, over])]
    for after in (120_000, day):
        more = [replace(news, time_ms=news.time_ms + after) for news in told([*once, over, *began()[:1], over])[-2:]]
        stories.append([*stories[1], *more])

    running, ended, minutes, days = map(gather, stories)

    assert head.when(gather([])) == ""
    assert head.when(running) == "since 14 November 2023, 22:13 UTC"
    assert head.when(ended) == "14 November 2023, 22:13 UTC"
    assert head.when(minutes) == "14 November 2023, 22:13 to 22:15 UTC, in 2 sessions"
    assert head.when(days) == "14 November 2023, 22:13, to 15 November 2023, 22:13 UTC, in 2 sessions"
    assert head.when(ended) in page(ended)
    assert head.when(ended) in markdown.page(ended)


def test_the_answer_comes_first_and_each_other_fact_of_the_summary_has_a_name():
    facts = gather(large_story(40))

    text = page(facts)

    value, what, meaning = head.answer(facts)
    assert value == "0.8515"
    assert what == (
        "expected accuracy of the winner, trial 0 over 2 seeds "
        "(95 % interval 0.8431 to 0.8589, of their mean; seeds differ by 0.0021), on 1,300 test images"
    )
    assert meaning.endswith("a single training may lie outside.")
    assert text.index(f"<b>{value}</b>") < text.index(what) < text.index('<dl class="told">')
    told = dict(head.in_short(facts))
    assert list(told) == ["trials", "pruning", "exported", "other finalists", "luck", "test split"]
    for line in summary(facts):
        assert re.match("[★ ] finalist|winner", line) or any(one in line for one in told.values())
    assert all(escape(line) in text for line in told.values())


def test_a_study_without_finals_has_its_leader_for_an_answer():
    facts = gather(told([*began(), Asked(Trial(0)), *trial_story(0, [0.5])]))

    assert head.answer(facts) == ("0.5000", "val_accuracy of trial 0, which leads so far", "")
    assert "0.5000</b>" in page(facts)


def test_the_score_of_a_leader_says_that_the_best_of_many_is_lucky():
    facts = gather(
        told([*began(), *(Asked(Trial(0)), Asked(Trial(1))), *trial_story(0, [0.5]), *trial_story(1, [0.4])])
    )

    assert head.answer(facts)[2] == "It is the best of 2, and part of that is luck."


def test_the_score_of_a_winner_that_the_race_had_dropped_says_over_how_many_fits_it_is():
    facts = gather(large_story(40))
    facts.experiment = {**facts.experiment, "data": {"folds": 5, "repeats": 1}}
    facts.best.scores = {"fold_1": 0.9, "fold_2": 0.92}

    assert [what for _, what in head.figures(facts) if what.endswith(" in the search, over 2 of 5 fits")]


def ended(trials, status, score=None, failure=None):
    results = [TrialResult(Trial(number, {"rate": 0.1}), status, score, failure=failure) for number in range(trials)]
    return [body for result in results for body in (Asked(Trial(result.trial.number)), result)]


@pytest.mark.parametrize(
    ("bodies", "there", "absent"),
    [
        ([Asked(Trial(0))], ["trials"], ["history", "parallel", "finals"]),
        ([Asked(Trial(0)), *trial_story(0, [0.5, 0.6])], ["history", "curves"], ["parallel", "importance", "finals"]),
        (
            ended(3, Status.FAILED, failure=Failure("oom", "killed")),
            ["failures", "trials"],
            ["history", "winner", "parallel"],
        ),
        (ended(12, Status.COMPLETED, 0.5), ["history", "winner"], ["parallel", "slices", "curves"]),
    ],
    ids=["one that has just begun", "one trial", "all failed", "nothing varies"],
)
def test_a_study_with_little_to_tell_has_a_page_without_the_rest(bodies, there, absent):
    text = page(gather(told([*began(), *bodies])))

    ids = re.findall(r'<h2 id="(\w+)"', text)
    assert set(there) <= set(ids)
    assert not set(absent) & set(ids)


def test_trials_that_are_not_over_have_a_colour_of_their_own_among_the_curves():
    over = [*began(), Asked(Trial(0)), *trial_story(0, [0.5, 0.6])]
    key = '<span class="green">running or interrupted</span>'
    under_way = [Asked(Trial(1)), *trial_story(1, [0.5, 0.6])[:-2]]

    running = page(gather(told([*over, *under_way])))
    left = page(gather(told([*over, *under_way, SessionEnded(finished=False, reason="interrupted")])))

    shown = [
        [columns["statuses"][place] for place in columns["status"]] for columns in map(columns_of, (running, left))
    ]
    assert shown == [["completed", "running"], ["completed", "interrupted"]]
    assert key in running
    assert key in left
    assert key not in page(gather(told(over)))


def test_curves_of_failed_trials_are_in_the_key_where_there_are_some():
    failed = TrialResult(Trial(1), Status.FAILED, failure=Failure("nan", "the loss became NaN in epoch 3"))
    over = [*began(), Asked(Trial(0)), *trial_story(0, [0.5, 0.6]), Asked(Trial(1))]
    key = '<span class="soft">failed</span>'

    assert key in page(gather(told([*over, *trial_story(1, [0.5, 0.6])[:-1], failed])))
    assert key not in page(gather(told([*over, failed])))


def test_a_test_split_that_was_opened_again_is_told_of_beside_the_finals():
    once = gather(large_story(40))

    again = replace(once, openings=2)

    assert "was opened once, after the choice" in page(once)
    assert "was opened 2 times, the last after this choice" in page(again)
    assert "opened once" not in page(again)


def test_what_the_strongest_red_of_the_confusion_matrix_stands_for_is_told():
    facts = gather(large_story(2, classes=2))
    confused, perfect = (
        replace(facts, verdict=replace(facts.verdict, confusion=counts))
        for counts in (((40, 10), (5, 45)), ((9, 0), (0, 9)))
    )

    assert "each on a scale of its own: the strongest red is 20 %." in page(confused)
    assert "the larger the share of the row.</p>" in page(perfect)


@pytest.mark.parametrize(
    ("trials", "said"), [(6, "Two parameters that most"), (60, "The two weightiest parameters that")]
)
def test_two_parameters_are_the_weightiest_only_where_weights_are_known(trials, said):
    assert said in page(gather(large_story(trials)))


@pytest.mark.parametrize(
    ("many", "axes", "slices"), [(6, "all its values", 0), (9, "first of 9 parameters", 0), (17, "first of 17", 1)]
)
def test_what_charts_leave_out_of_many_parameters_is_told(many, axes, slices):
    trials = [
        TrialFacts(number, "completed", {f"unit_{place}": number for place in range(many)}, 0.5) for number in (1, 2)
    ]

    text = page(Facts(trials=trials))

    assert re.search(f"One line a trial through .*{axes}", text)
    assert text.count("Drawn are the first 16 of 17 parameters.") == slices


@pytest.mark.parametrize(("trials", "said"), [(300, 0), (301, 1)])
def test_curves_of_other_metrics_that_are_left_out_are_told_of(trials, said):
    text = page(gather(large_story(trials, epochs=2)))

    assert text.count("Other metrics than val_accuracy are drawn of the best 300 trials.") == said


def test_what_is_not_known_of_where_a_study_comes_from_is_left_out():
    session = replace(began()[0], provenance={"keras": "3.15.1", "git_commit": ""})

    text = page(gather(told([session])))

    assert "3.15.1" in text
    assert "git_commit" not in text


def evil_story():
    """A story in which every word that comes from outside is hostile."""
    named = [Parameter(f"p{number}{word}", "choice", word, choices=(word, "b")) for number, word in enumerate(EVIL)]
    bodies = [SpaceFound(tuple(named))]
    for number in range(14):
        values = {one.name: one.choices[number % 2] for one in named}
        bodies += [Asked(Trial(number)), *(Answered(number, one, values[one.name]) for one in named)]
        bodies += [TrialResult(Trial(number, values), Status.COMPLETED, number / 20)]
    failure = Failure(EVIL[1], EVIL[0], EVIL[0])
    return [*bodies, Asked(Trial(14)), TrialResult(Trial(14), Status.FAILED, failure=failure, reason=EVIL[1])]


@pytest.mark.promise("32", "H45")
def test_hostile_words_are_words_on_the_page_and_in_markdown():
    session = SessionBegan(
        EVIL[0], {"search": {"objective": "max val_accuracy"}, "model": {"build": EVIL[1]}}, {}, (), {"x": EVIL[1]}
    )
    story = told([session, *evil_story()])
    verdict = next(news.body for news in whole_story() if type(news.body).__name__ == "Verdict")
    named = replace(
        verdict, class_names=(EVIL[0], EVIL[1]), report={EVIL[0]: verdict.report["one"], EVIL[1]: verdict.report["one"]}
    )
    facts = gather([*story, *(replace(one, number=one.number + len(story)) for one in told([named]))])

    text, plain = page(facts), markdown.page(facts)

    assert len(re.findall("<script", text)) == 3
    assert "alert(1)</script>" not in text
    assert "<img src=x" not in text
    assert "{{7*7}}" in text
    assert columns_of(text)["parameters"]
    assert "<img" not in plain
    assert "<script" not in plain
    assert not re.search(r"(?<!\\)\]\(javascript", plain)
    assert "\x1b" not in text + plain


def test_markdown_has_the_words_and_the_tables():
    text = markdown.page(gather(large_story(40, classes=47)))

    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert titles == [
        "What to try next", "The winner", "Finals", "What mattered", "Class by class", "Most often confused",
        "Where the time went", "Failures", "Trials, the best first", "Where it comes from",
    ]  # fmt: skip
    for table in re.findall(r"(?:^\|.+\|$\n?)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one study in it, named large, as the working folder."""
    folder = Project(tmp_path).study("large")
    folder.folder.mkdir(parents=True)
    ledger = Ledger(folder.ledger, lambda: 0.0)
    for news in large_story(20):
        ledger.write(news.body)
    ledger.close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_writes_the_page_or_prints_markdown(project):
    made = hpsearch(project, "report", "large", "--out", "page.html")
    printed = hpsearch(project, "report", "large", "--markdown")

    assert made.stdout == f"report: {project / 'page.html'}\n"
    assert (project / "page.html").read_text(encoding="utf-8").endswith("</html>")
    assert printed.stdout.startswith("# large\n")  # the folder's name


def test_a_misspelt_study_and_words_that_do_not_go_together_are_refused(project):
    misspelt = hpsearch(project, "report", "larg", code=2)
    together = hpsearch(project, "report", "large", "--markdown", "--open", code=2)

    assert "did you mean 'large'?" in misspelt.stderr
    assert "leave out --markdown" in together.stderr


def test_a_report_that_was_begun_before_a_study_ended_does_not_take_the_place_of_its_last(project):
    folder = Project(project).study("large")
    with subprocess.Popen(
        [sys.executable, "-m", "hpsearch", "report", "large"],
        env=os.environ | {"HPSEARCH_FAILPOINT": "report.html.filled=sleep:3"}, stdout=subprocess.DEVNULL,
    ) as begun:  # fmt: skip
        wait_until(lambda: any(file.stat().st_size for file in folder.folder.glob(".report.html.*/report.html")))
        begun.send_signal(signal.SIGSTOP)
        with held(folder), closing(Ledger(folder.ledger)) as ledger:
            for body in (*trial(20, 0.5), SessionEnded(finished=True, reason="enough")):
                ledger.write(body, durable=True)
        write_report(gather(read(Project(project), "large"), "large"), folder.report)
        last = folder.report.read_text(encoding="utf-8")
        begun.send_signal(signal.SIGCONT)

    assert begun.returncode == 0
    assert len(columns_of(last)["score"]) == 21
    assert folder.report.read_text(encoding="utf-8") == last
