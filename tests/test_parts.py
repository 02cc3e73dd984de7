"""A part of somebody else's, as docs/parts.md shows it: it is found, tried out by its suite, and searches."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path

import pytest
from chaos import HERE, ROOT, RUN, Arena
from instant import X

from hpsearch import paths, plugins
from hpsearch.__main__ import main
from hpsearch.consulting import Consulted
from hpsearch.errors import DataRefused, ExperimentRefused, HpsearchError
from hpsearch.experiment import Experiment
from hpsearch.parts import make_dataset
from hpsearch.study import Study

DOCS = (ROOT / "docs" / "parts.md").read_text(encoding="utf-8")
NEAR, SUITE = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
(PACKAGE,) = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the tuner of the page, as pip would have installed it."""
    folder = tmp_path / "site"
    metadata = folder / "near-1.dist-info"
    metadata.mkdir(parents=True)
    (folder / "near.py").write_text(NEAR)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: near\nVersion: 1\n")
    ((group, parts),) = tomllib.loads(PACKAGE)["project"]["entry-points"].items()
    (metadata / "entry_points.txt").write_text(
        "\n".join([f"[{group}]", *(f"{key} = {at}" for key, at in parts.items())])
    )
    return folder


@pytest.fixture
def bring(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has this process find a part of that code, `Near` in a module `near`, as a part of a socket."""

    def bring(code: str, socket: str = "tuners") -> None:
        (installed / "near.py").write_text(code)
        (installed / "near-1.dist-info" / "entry_points.txt").write_text(f"[hpsearch.{socket}]\nnear = near:Near\n")
        monkeypatch.delitem(sys.modules, "near", raising=False)
        monkeypatch.syspath_prepend(installed)
        monkeypatch.setattr(plugins, "_parts", getattr(plugins._parts, "__wrapped__", plugins._parts))

    return bring


def experiment(folder: Path, words: str) -> Path:
    """A file of an experiment, with these lines in its [search] or, behind a heading, elsewhere."""
    (folder / "space.py").write_text("def build(hp):\n    return None\n")
    file = folder / "x.toml"
    file.write_text(f'name = "x"\nmodel.build = "space:build"\n[search]\n{words}\n')
    return file


def test_the_tuner_of_the_page_passes_the_suite_as_the_page_has_it(installed: Path) -> None:
    (installed / "test_near.py").write_text(SUITE)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_near.py"]

    done = subprocess.run(words, cwd=installed, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_a_study_searches_by_a_tuner_that_another_package_brings(installed: Path, tmp_path: Path) -> None:
    paths = os.pathsep.join(map(str, (ROOT, HERE / "fake_parts", installed)))
    arena = Arena(tmp_path / "project", trials=8, more={"PYTHONPATH": paths})
    words = [*RUN, "--json", "--set", "search.tuner=near", "--set", "search.pruner=median"]
    words += ["--set", "search.pruner_options={warmup_epochs = 4}"]  # of 5

    refused = arena.start(*words, "--set", "search.tuner_options={keep = 2.0}").wait(60)
    ended = arena.start(*words, "--set", "search.tuner_options={keep = 0.8}").wait(60)

    said = arena.output.read_text()
    assert (refused, ended) == (2, 0), said
    assert "near: keep is a probability below 1" in said
    assert len(json.loads(said[said.index("{\n") :])["trials"]) == 8
    assert said.count("warning: the pruner median will stop no trial: it judges after epoch 4") == 1


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import nosuch", "ModuleNotFoundError: No module named 'nosuch'"),
        ("def (:", "SyntaxError: invalid syntax"),
        ("far = 1 / 0", "ZeroDivisionError: division by zero"),
        ("class Far: ...", "AttributeError: module 'near' has no attribute 'Near'"),
    ],
)
def test_a_part_that_cannot_be_imported_is_refused_with_the_reason(
    installed: Path, tmp_path: Path, code: str, told: str
) -> None:
    (installed / "near.py").write_text(code)
    (tmp_path / "space.py").write_text("def build(hp):\n    return None\n")
    file = tmp_path / "x.toml"
    file.write_text('name = "x"\nmodel.build = "space:build"\n[search]\ntrials = 2\ntuner = "near"\n')
    around = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, installed)))}

    done = subprocess.run(
        [sys.executable, "-m", "hpsearch", "check", file], env=around, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2, done.stderr
    assert f"x.toml, line 5: the tuner 'near' cannot be imported: {told}" in done.stderr
    assert "mend near:Near, or install what it needs" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("broken", ["import nosuch", "Near = __builtins__"])
def test_a_part_that_is_broken_takes_no_list_of_others_away(installed: Path, tmp_path: Path, broken: str) -> None:
    (installed / "near.py").write_text(broken)
    groups = ("tuners", "datasets", "exporters")
    entries = "\n".join(f"[hpsearch.{group}]\nnear = near:Near" for group in groups)
    (installed / "near-1.dist-info" / "entry_points.txt").write_text(entries)
    program = (
        "from hpsearch.__main__ import main\nfrom hpsearch.formats import chosen\n"
        "codes = main(['data', 'list', '--json']), main(['schema', '--markdown'])\n"
        "print(codes, *chosen('all').names)"
    )
    around = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, installed))), "HPSEARCH_DATA": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | around, capture_output=True, text=True, check=False
    )

    assert "warning: installed parts: the dataset 'near' cannot be " in done.stderr
    assert '"name": "mnist-5k"' in done.stdout
    assert re.search(r"\n\| `near` \| the tuner 'near' cannot be .* \| – \|\n", done.stdout)
    assert re.search(r"\(0, 0\) keras", done.stdout)


def test_a_part_that_takes_any_option_is_given_it(bring: Callable[..., None]) -> None:
    bring("class Near:\n    def __init__(self, **options): self.options = options\n")

    assert plugins.make("tuners", "near", {"keep": 0.8}).options == {"keep": 0.8}
    assert plugins.options(plugins.part("tuners", "near")) == {}


def test_a_data_set_that_takes_any_option_is_made_with_what_was_said_by_kept_experiments_too(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (installed / "far.py").write_text("class Far:\n    def __init__(self, **options): self.options = options\n")
    (installed / "near-1.dist-info" / "entry_points.txt").write_text("[hpsearch.datasets]\nfar = far:Far\n")
    monkeypatch.syspath_prepend(installed)
    monkeypatch.setattr(plugins, "_parts", plugins._parts.__wrapped__)
    said = {"source": "far", "folder": "here", "size": [8, 6], "folds": 3}
    experiment = Experiment.model_validate({"name": "a", "model": {"build": "m:b"}, "data": said})
    kept = Experiment.model_validate(experiment.model_dump())

    assert make_dataset(experiment).options == make_dataset(kept).options == {"folder": "here", "size": [8, 6]}


def test_a_part_that_no_experiment_names_is_told_of_as_an_installed_one() -> None:
    with pytest.raises(ExperimentRefused, match=r"^installed parts: there is no dataset 'mnst'"):
        plugins.part("datasets", "mnst")


FAILING = "class Near:\n    def {}(self, near=1):\n        return {{}}['lr']\n"


def test_what_a_part_raises_is_told_with_its_name_and_its_lines(bring: Callable[..., None], installed: Path) -> None:
    bring(FAILING.format("suggest"))
    near = plugins.make("tuners", "near", {})

    with pytest.raises(HpsearchError) as told, plugins.blaming("tuners", "near", "it was asked for 'lr'"):
        near.suggest()

    first, *_, last = str(told.value).splitlines()
    assert first == "the tuner 'near' went wrong when it was asked for 'lr': KeyError: 'lr'"
    assert last == f"  {installed / 'near.py'}, line 3, in suggest: return {{}}['lr']"


def test_what_is_meant_for_a_person_or_comes_from_our_own_part_is_told_as_it_is(bring: Callable[..., None]) -> None:
    bring(FAILING.format("suggest"))

    for name, error in (
        ("near", DataRefused("no images")), ("near", OSError(ENOSPC, "No space left")), ("optuna.tpe", KeyError("lr")),
    ):  # fmt: skip
        with pytest.raises(type(error)) as told, plugins.blaming("tuners", name, "it was asked for 'lr'"):
            raise error
        assert told.value is error


@pytest.mark.parametrize(
    ("method", "socket", "words", "code", "says"),
    [
        ("__init__", "tuners", 'tuner = "near"', 2, "the tuner 'near' cannot be made: KeyError: 'lr'"),
        ("idle", "pruners", 'pruner = "near"', 1, "the pruner 'near' went wrong when it was asked whether it is idle"),
        ("outline", "datasets", '[data]\nsource = "near"', 0, "the dataset 'near' went wrong when it was asked"),
    ],
)
def test_a_check_names_the_part_that_went_wrong(
    bring: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    method: str, socket: str, words: str, code: int, says: str,
) -> None:  # fmt: skip
    bring(FAILING.format(method), socket)
    given = "\ntuner_options = { near = 1 }" if method == "__init__" else ""

    ended = main(["check", str(experiment(tmp_path, f"trials = 2\n{words}{given}"))])

    said = capsys.readouterr().err
    assert ended == code
    assert says in said
    assert f"near.py, line 3, in {method}" in said
    assert "Traceback" not in said


def test_what_went_wrong_in_a_package_beside_hpsearch_is_not_told_as_hpsearchs_mistake(
    bring: Callable[..., None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bring("class Near:\n    def __class_getitem__(cls, key):\n        return {}[key]\n", "executors")
    near = plugins.part("executors", "near")
    monkeypatch.setattr(plugins, "known", lambda socket: near["lr"])

    ended = main(["data", "list"])

    said = capsys.readouterr().err
    assert ended == 1
    assert re.search(r"near\.py, line 3: a package beside hpsearch went wrong: tell its authors", said)
    assert "hpsearch itself" not in said


def test_a_tuner_that_goes_wrong_while_a_trial_asks_it_is_named(bring: Callable[..., None], tmp_path: Path) -> None:
    bring(NEAR.replace("dice = random", "raise KeyError(parameter.name)\n        dice = random"))
    near = plugins.make("tuners", "near", {})
    wanted = Experiment.model_validate({"name": "a", "model": {"build": "m:b"}, "search": {"tuner": "near"}})
    study = Study(wanted, paths.Study(tmp_path))

    near.begin(study.brief(()))

    with pytest.raises(HpsearchError, match=r"^the tuner 'near' went wrong when it was asked for 'x': KeyError: 'x'\n"):
        Consulted(study, near).suggest(0, X)


def test_a_tuner_that_ends_by_itself_needs_no_number_of_trials(bring: Callable[..., None], tmp_path: Path) -> None:
    bring(f"{NEAR}\n    ends = True\n")

    assert main(["check", str(experiment(tmp_path, 'tuner = "near"'))]) == 0


ANNOTATED = """
from __future__ import annotations
from typing import Optional

class Near:
    def __init__(self, a: float = 1, b: float | None = None, c: Optional[float] = None): pass
"""


def test_options_of_the_wrong_kind_are_refused_though_annotations_are_text(
    bring: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring(ANNOTATED)
    words = 'trials = 2\ntuner = "near"\ntuner_options = { a = "1", b = true, c = "0.8" }'

    ended = main(["check", str(experiment(tmp_path, words))])

    said = capsys.readouterr().err
    assert ended == 2
    assert re.findall(r"search\.tuner_options\.(.) is .*, but must be a number", said) == ["a", "b", "c"]


def test_annotations_that_nobody_can_read_are_no_hindrance(bring: Callable[..., None]) -> None:
    bring("class Near:\n    def __init__(self, keep: 'Nowhere' = 1): self.keep = keep\n")

    assert plugins.make("tuners", "near", {"keep": 0.8}).keep == 0.8
