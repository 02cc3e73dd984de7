"""Text that is no honest text: experiment files, names and values that mean harm."""

import io
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console
from test_mlflow import EXPERIMENT, began, fit_story, told

from hpsearch import records
from hpsearch.__main__ import main
from hpsearch.class_report import report_text
from hpsearch.experiment import Experiment
from hpsearch.objective import Objective
from hpsearch.paths import Project
from hpsearch.records import Answered, Asked, Finalist, FinalistsChosen, SpaceFound, Verdict
from hpsearch.report.facts import gather
from hpsearch.report.html import page
from hpsearch.report.terminal import show
from hpsearch.space import Parameter
from hpsearch.trackers.board import Board
from hpsearch.trackers.mlflow_runs import _cut, name_of, names_of
from hpsearch.trackers.plain_lines import PlainLines
from hpsearch.trial import Failure, Fit, Status, Trial, TrialResult

GOOD = """\
name = "small"
[model]
build = "mine:build"
[search]
trials = 3
"""
HUGE = {
    "50 MB": b"# " + b"x" * 50_000_000,
    "a hundred thousand nested lists": GOOD + "x = " + "[" * 100_000 + "]" * 100_000,
    "a hundred thousand nested tables": GOOD + "x = " + "{a=" * 100_000 + "1" + "}" * 100_000,
    "a hundred thousand dots": GOOD + "x." * 100_000 + "x = 1",
    "twenty thousand unknown keys": "".join(f"unknown_{number} = 1\n" for number in range(20_000)) + GOOD,
    "ten thousand unknown tables": GOOD + "".join(f"[unknown_{number}]\n" for number in range(10_000)),
    "a list of thirty thousand wrong items": GOOD + "[train]\nbatch_size = [" + "'a'," * 30_000 + "]",
    "a key of nearly a megabyte": "k" * 900_000 + " = 1\n" + GOOD,
    "a name of nearly a megabyte": GOOD.replace("small", "n" * 900_000),
    "a number of a hundred thousand digits": "seed = " + "9" * 100_000 + "\n" + GOOD,
    "a string without an end": GOOD + 'x = """' + "x" * 900_000,
    "nothing but brackets": "[" * 900_000,
    "nothing but quotes": '"' * 900_000,
    "zeros": bytes(900_000),
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "mine.py").write_text("def build(hp): ...\n")
    return tmp_path


def check(project: Path, text: str | bytes) -> int:
    file = project / "experiments" / "x.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return main(["check", str(file)])


@pytest.mark.promise("P23", "H42")
@pytest.mark.parametrize("name", HUGE)
def test_an_enormous_file_is_refused_at_once_in_few_words(
    project: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    began_at = time.monotonic()

    code = check(project, HUGE[name])

    said = capfd.readouterr().err
    assert code == 2
    assert time.monotonic() - began_at < 10  # a second or two where nothing else is at work
    assert len(said) < 30_000
    assert "Traceback" not in said


@pytest.mark.promise("P23", "H43", "H2", "H27")
@pytest.mark.parametrize(
    "line",
    [
        'build = "../../x.py"',
        'build = "../../x:build"',
        'build = "/etc/x.py"',
        'build = "/etc/x:build"',
        'build = "os"',
        'build = "os:system"',
        'build = "a;b"',
        'build = "mine:build;import os"',
        'build = "mine:build\\n"',
        'build = "linked:build"',
        'build = "hf://a/b"',
        'build = "http://host/x:build"',
        'build = "mine:build"\nsafe_mode = false',
        'build = "mine:build"\nmodel = "hf://a/b"',
    ],
)
def test_a_search_space_is_named_by_nothing_but_a_module_of_the_project(
    project: Path, tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str], line: str
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "linked.py"
    outside.write_text("def build(hp): ...\n")
    (project / "linked.py").symlink_to(outside)

    code = check(project, GOOD.replace('build = "mine:build"', line))

    assert code == 2
    assert "x.toml, line " in capfd.readouterr().err


@pytest.mark.promise("P23", "H44")
@pytest.mark.parametrize(
    "name",
    [
        "../x", "a/b", "a\\\\b", "/etc/x", ".", "..", ".hidden", "CON", "con", "nul.txt", "LPT1", "a.", "-rf", "~root",
        "<script>alert(1)</script>", "n" * 300, "\\u202egnp.exe", "\\U0001f600", "small\\n", "small\\u0000", "$(id)",
        "%00", "a b", "",
    ],
)  # fmt: skip
def test_a_name_is_never_a_path(project: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    code = check(project, GOOD.replace("small", name))

    said = capfd.readouterr().err
    assert code == 2
    assert "x.toml, line 1: name" in said or f"x.toml, line 1: '{name}'" in said
    assert "\u202e" not in said
    assert not (project / "mlruns").exists()


def test_a_name_that_only_begins_like_a_device_is_a_name(project: Path) -> None:
    assert check(project, GOOD.replace("small", "console-1.5")) == 0


# --- names and values that come back in reports -------------------------------------------------------

EVIL = {
    "an image": '<img src=x onerror="alert(1)">',
    "a script": "</td></svg></title></style><script>alert(1)</script>",
    "a line end": "one\ntwo\r\nthree",
    "a template": "{{7*7}}{{'ran' ~ 'code'}}{% for x in y %}",
    "colours": "\x1b[31mred\x1b]0;title\x07\x9b2J",
    "markup": "[/][bold red]x[/",
    "a turned line": "\u202egnp\u2066",
    "very much": "x" * 10_000,
}


class Scripts(HTMLParser):
    """Gathers what a browser would run or load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "img", "iframe", "object", "embed", "link", "base", "form"}:
            self.found.append(tag)
        self.found += [
            name
            for name, value in attrs
            if name.startswith("on") or name == "src" or (name == "href" and not (value or "").startswith("#"))
        ]


def run_or_loaded(text: str) -> list[str]:
    scripts = Scripts()
    scripts.feed(text)
    return scripts.found


def evil_story(word: str) -> list:
    """A study in which everything that a search space or a data set names is this word."""
    parameter = Parameter(f"hp{word}", "choice", word, choices=(word, "other"))
    fixed = Parameter(f"fixed{word}", "fixed", word)
    values = {parameter.name: word, fixed.name: word}
    row = {"precision": 0.9, "recall": 0.8, "f1-score": 0.85, "support": 50.0}
    names = (f"class{word}", "b")
    report = dict.fromkeys((*names, "macro avg", "weighted avg"), row)
    fit = Fit(0, 7, "final")
    verdict = Verdict(0, fit.name, (Finalist(0, (0.8,), (0.8,)),), 100, 0.8, report, ((40, 10), (5, 45)), names)
    failed = TrialResult(Trial(1, values), Status.FAILED, reason=word, failure=Failure(f"Kind{word}", word, word))
    result = TrialResult(Trial(0, values), Status.COMPLETED, 0.6, 2, 1.0, {"val_accuracy": 0.6, f"m{word}": 0.5})
    return told([
        *began()[:1], SpaceFound((parameter, fixed)), Asked(Trial(0)), Answered(0, parameter, word),
        *fit_story(Fit(0, 0), [0.5, 0.6]), result, Asked(Trial(1)), failed, FinalistsChosen((0,)),
        *fit_story(fit, [0.7, 0.8]), records.TestOpened({fit.name: "0" * 64}), verdict,
    ])  # fmt: skip


@pytest.mark.promise("P23", "H45")
@pytest.mark.parametrize("kind", EVIL)
def test_evil_words_run_nothing_on_the_page(kind: str) -> None:
    text, harmless = page(gather(evil_story(EVIL[kind]))), page(gather(evil_story("word")))

    assert run_or_loaded(text) == run_or_loaded(harmless) == ["script"] * 3  # the data, the library, the page's own
    assert "rancode" not in text
    assert "\x1b" not in text
    assert len(text) < len(harmless) + 300_000


@pytest.mark.promise("P23", "H45")
@pytest.mark.parametrize("kind", EVIL)
def test_evil_words_never_drive_the_terminal(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    from hpsearch.cli.output import say

    story, out = evil_story(EVIL[kind]), io.StringIO()
    board = Board(EXPERIMENT, 1, Console(file=out, width=120))
    lines = PlainLines(EXPERIMENT.objective, out)

    for news in story:
        board.hear(news)
        lines.hear(news)
    board.close()
    show(gather(story), Console(file=out, width=120))
    say(report_text(gather(story).verdict))

    shown = out.getvalue() + capsys.readouterr().out
    assert "trial" in shown
    assert [sign for sign in shown if not (sign.isprintable() or sign == "\n")] == []
    assert max(map(len, out.getvalue().splitlines())) < 1000


@pytest.mark.promise("H45")
@pytest.mark.parametrize("kind", EVIL)
def test_evil_words_are_keys_that_mlflow_takes(kind: str) -> None:
    from mlflow.utils.validation import _validate_metric_name, _validate_param_name, _validate_tag_name

    name = name_of(f"hp{EVIL[kind]}")

    for validate in (_validate_metric_name, _validate_param_name, _validate_tag_name):
        validate(name)
    assert len(name) <= 250
    assert len(_cut(EVIL[kind] * 10, "param")) <= 6000


def test_keys_that_differ_in_signs_that_mlflow_does_not_take_keep_names_of_their_own() -> None:
    keys = ["a*", "a+", "a_", "b*", *(f"{'c' * 300}{last}" for last in "xy")]

    names = names_of(keys)

    assert len(set(names)) == len(keys)
    assert names[2:4] == ["a_", "b_"]
    assert {len(name) for name in names[4:]} == {250}


@pytest.mark.promise("H45")
@pytest.mark.parametrize("metric", ["\x1b[31m", "a\x00", "val_\u202eacc"])
def test_a_metric_that_cannot_be_shown_is_refused(metric: str) -> None:
    with pytest.raises(ValueError, match="an objective reads"):
        Objective.parse(f"max {metric}")


def test_a_metric_with_the_signs_of_markup_is_shown_as_it_is() -> None:
    objective = "max val_[/x]"
    experiment = Experiment.model_validate(
        {**EXPERIMENT.model_dump(exclude_none=True), "search": {"trials": 3, "objective": objective}}
    )
    out = io.StringIO()
    board = Board(experiment, 1, Console(file=out, width=120))
    story = told(
        [
            *began(experiment),
            Asked(Trial(0)),
            *fit_story(Fit(0, 0), [0.5]),
            TrialResult(Trial(0), Status.COMPLETED, 0.5, 1),
        ]
    )

    for news in story:
        board.hear(news)
    board.close()
    show(gather(story), Console(file=out, width=120))

    assert out.getvalue().count("val_[/x]") >= 2


def test_what_is_said_while_a_study_runs_never_drives_the_terminal(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from hpsearch.cli.run import _Place

    _Place(Project(tmp_path), plain=True).say("warning: \x1b[31mred")

    assert "\x1b" not in capfd.readouterr().err
