"""The examples of README, docs/results.md, docs/python.md and the help texts, run on a small real study."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

import hpsearch
from hpsearch.__main__ import main
from hpsearch.cli import group
from hpsearch.errors import StudyChanged

ROOT = Path(__file__).parents[1]
READERS = ("list", "show", "trial", "compare", "explain", "table", "best", "report")  # others serve, or need pictures
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/results.md", "docs/python.md")}
TEXTS |= {f"hpsearch {name} --help": group.get_command(None, name).epilog for name in ("show", "table", "explain")}
COMMAND = re.compile(r"^ *hpsearch (.+?)(?:  .*| *#.*| *> .*)?$", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
STAND_INS = {"emnist-mlp": "quickstart", "mnist-mlp": "quickstart", "mnist-cnn": "quickstart:2"}
SMALL = (
    "train.epochs=1", "train.batch_size=1000", "train.keep=10", "train.compile=false", "search.tuner=optuna.random",
    "space.layers=1", "space.batch_norm=false", "space.optimizer=adam", "space.schedule=none",
    "final.finalists=1", "final.seeds=1", "workers.kind=inline", "tracking.mlflow=false",
)  # fmt: skip
TRIALS = 10  # with fewer there is nothing to conclude for a next experiment


def run(*words, trials=TRIALS):
    settings = [word for setting in (*SMALL, f"search.trials={trials}") for word in ("--set", setting)]
    return main(["run", "experiments/quickstart.toml", "--plain", *words, *settings])


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with the shipped experiments, in which `quickstart` has run: ten trials of one epoch."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("experiments", "searchspace"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPSEARCH_DATA", str(folder / "cache"))
        patch.setenv("MPLBACKEND", "agg")
        patch.chdir(folder)
        assert run() == 0
        yield folder


def files(project):
    """What an example may have written."""
    return {*project.glob("*"), *project.glob("experiments/*")}


def shown(text, *names):
    """The words of each command of these names that a text shows, in their order."""
    commands = [shlex.split(line) for line in COMMAND.findall(TEXTS[text])]
    return [words for words in commands if words[0] in names]


def here(words):
    """An example with the study that is here in place of those that it names, and without a browser."""
    named = [word.partition(":") for word in words if word != "--open"]
    return [STAND_INS.get(study, study) + colon + trial for study, colon, trial in named]


def test_the_examples_that_read_a_study_do_so(project, capsys):
    refused = []
    for text in TEXTS:
        before = files(project)
        refused += [(text, words) for words in shown(text, *READERS) if main(here(words))]
        for file in files(project) - before:  # what one text's examples wrote is not in the way of the next's
            file.unlink()

    assert refused == [], capsys.readouterr().err


def test_the_trials_that_an_example_wants_are_some_and_not_all(project, capsys):
    """As they are not where a column is named that says something else."""
    wishes = [words for text in TEXTS for words in shown(text, "show") if "--where" in words]
    all_trials = len(hpsearch.open_study("quickstart").trials)

    for words in wishes:
        capsys.readouterr()
        main(["show", "quickstart", "--json", "--where", words[words.index("--where") + 1]])
        assert 0 < len(json.loads(capsys.readouterr().out)["trials"]) < all_trials, words
    assert len(wishes) > 3


def test_the_python_shown_runs(project):
    text = TEXTS["docs/python.md"].replace("path/to/project", project.as_posix())
    names = {}

    for code in PYTHON.findall(text):
        exec(compile(code, "docs/python.md", "exec"), names)  # noqa: S102  # our own page

    assert len(names["study"].trials) >= TRIALS
    assert names["study"].winner_model().count_params() > 0


def test_a_study_that_is_over_goes_on_by_the_words_that_the_readme_shows(project):
    (words,) = [words for words in shown("README.md", "run") if "search.trials=40" in words]

    without = run(trials=TRIALS + 1)
    code = run(*words[2:], trials=TRIALS + 1)

    assert (without, code) == (StudyChanged.exit_code, 0)
    assert len(hpsearch.open_study("quickstart").trials) == TRIALS + 1
