import json
import os
import shutil
from pathlib import Path

import pytest

from hpsearch.__main__ import main
from hpsearch.errors import ExperimentRefused
from hpsearch.experiment import Experiment
from hpsearch.loading import load, resolve_tracking
from hpsearch.loading.metric_names import nearest
from hpsearch.loading.toml_places import lines
from hpsearch.paths import Project, cache
from hpsearch.trackers.mlflow_store import database, resolve

GOOD = """\
name = "small"
[data]
source = "mnist-5k"
[model]
build = "searchspace.mlp:build_model_mlp"
[search]
trials = 3
[train]
batch_size = 64
"""
SPACE = "def build_model_mlp(hp):\n    return None\n\n\ndef build_wide(hp):\n    return None\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "searchspace").mkdir()
    (tmp_path / "searchspace" / "mlp.py").write_text(SPACE)
    (tmp_path / "searchspace" / "own.py").write_text("import json\ndef _part(hp): ...\ndef model(hp): ...\n")
    (tmp_path / "searchspace" / "broken.py").write_text("import os\ndef build(hp:\n")
    return Project(tmp_path)


def written(project: Project, text: str | bytes) -> Path:
    file = project.root / "experiments" / "x.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def loaded(project: Project, text: str = GOOD, *sets: str) -> Experiment:
    return load(written(project, text), project, sets, project.root / "elsewhere")


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


BATCH, TRIALS, SOURCE = "batch_size = 64", "trials = 3", 'source = "mnist-5k"'
BUILD, NAME = 'build = "searchspace.mlp:build_model_mlp"', 'name = "small"'
BAD = [
    (changed(NAME, 'name = "a b"'), 1, "name is 'a b', but must be a name of at most 80 letters"),
    (changed(NAME, 'nam = "a"'), 1, "the file's top has no key 'nam'|did you mean 'name'?"),
    (changed(NAME, NAME + "\nseed = -1"), 2, "seed is -1, but must be at least 0"),
    (changed(NAME, NAME + "\nseed = 2020-01-01"), 2, "the date or time 2020-01-01, but must be a whole number"),
    (changed(NAME, NAME + "\ntrials = 3"), 2, "has no key 'trials'|it belongs in [search]"),
    (changed(SOURCE, SOURCE + "\nseed = 3"), 4, "[data] has no key 'seed'|it belongs at the top of the file"),
    (changed(SOURCE, "source = 3"), 3, "data.source is 3, but must be text in quotes"),
    (changed(SOURCE, 'source = "mnst"'), 3, "there is no dataset 'mnst'|did you mean 'mnist'?"),
    (changed(SOURCE, SOURCE + "\nvalidation = nan"), 4, "data.validation is nan, but must be a finite number"),
    (changed(SOURCE, SOURCE + "\nvalidation = 1.5"), 4, "data.validation is 1.5, but must be less than 1"),
    (changed(SOURCE, SOURCE + "\nfolds = 3\nvalidation = 0.1"), 4, "folds and validation exclude each other"),
    (changed(SOURCE, SOURCE + "\nfolds = 2.5"), 4, "data.folds is 2.5, but must be a whole number"),
    (changed(SOURCE, SOURCE + "\ntest = 2"), 4, "data.test is 2, but must be a share between 0 and 1"),
    (changed(SOURCE, SOURCE + '\nfolder = "x"'), 4, "the source 'mnist-5k' takes no 'folder'"),
    (changed(SOURCE, SOURCE + '\nallow_empty_class = "no"'), 4, "is 'no', but must be true or false"),
    (changed(BUILD, ""), 4, "model.build is missing"),
    (changed(BUILD, 'build = "os"'), 5, 'but must be "module:function"'),
    (changed(BUILD, 'build = "a;b:c"'), 5, 'but must be "module:function"'),
    (changed(BUILD, 'build = "json:loads"'), 5, "'json' is a module of Python itself"),
    (
        changed(BUILD, 'build = "searchspace.mpl:build"'),
        5,
        "neither a file searchspace/mpl.py|did you mean 'searchspace.mlp'",
    ),
    (changed(BUILD, 'build = "searchspace.mlp:build_model_mpl"'), 5, "defines no 'build_model_mpl'|did you mean"),
    (changed(BUILD, 'build = "searchspace.own:modle"'), 5, "defines no 'modle'|known: searchspace.own:model\n"),
    (changed(BUILD, 'build = "searchspace.broken:build"'), 5, "searchspace/broken.py, line 2: this is not Python"),
    (changed(BUILD, 'build = "click.nosuch:build"'), 5, "neither a file click/nosuch.py"),
    (changed("[search]", "[serach]"), 6, "there is no table [serach]|did you mean 'search'?"),
    (changed("[search]", "[[search]]"), 6, "search is [{'trials': 3}], but must be a table"),
    (changed(TRIALS, ""), 6, "the search has no end"),
    (changed(TRIALS, "trials = 0"), 7, "search.trials is 0, but must be at least 1"),
    (
        changed(TRIALS, 'trials = "3"'),
        7,
        "search.trials is '3', but must be a whole number|without the quotes: trials = 3",
    ),
    (changed(TRIALS, "trials = true"), 7, "search.trials is true, but must be a whole number"),
    (changed(TRIALS, "tirals = 3"), 7, "[search] has no key 'tirals'|did you mean 'trials'?"),
    (changed(TRIALS, "max_trials = 3"), 7, "[search] has no key 'max_trials'|here it is search.trials"),
    (changed(TRIALS, "factor = 3"), 7, "[search] has no key 'factor'|here it is reduction_factor, in search.pruner_op"),
    (changed(NAME, 'name = "."'), 1, "begins with a letter or a digit|such as name ="),
    (changed(NAME, NAME + '\ndirectory = "out"'), 2, "has no key 'directory'|leave it out"),
    (changed(BATCH, 'optimizer = "adam"'), 9, "[train] has no key 'optimizer'|build_model says it"),
    (changed("batch_size = 64", 'trial_memory = "2 gigs"'), 9, "reads '500MB', '1.5GB' or '2GiB', not '2 gigs'"),
    (changed(TRIALS, TRIALS + "\nrace = true"), 8, "there is one fit a trial|set data.folds = 5, or race = false"),
    (
        changed(TRIALS, TRIALS + '\nrace = true\nobjective = "min val_loss"').replace(SOURCE, SOURCE + "\nfolds = 3"),
        9,
        "the objective is min val_loss, which no single image has",
    ),
    (changed(TRIALS, TRIALS + '\nstart_from = "small"'), 8, "a study cannot start from itself|or leave the key out"),
    (changed(TRIALS, f'time = "{"9" * 400}s"'), 7, "a span of time reads '90s', '30m' or '1h30m'"),
    (changed(TRIALS, 'time = "3x"'), 7, "a span of time reads '90s', '30m' or '1h30m', not '3x'"),
    (
        changed(TRIALS, TRIALS + '\ntuner = "optuna.tpee"'),
        8,
        "there is no tuner 'optuna.tpee'|did you mean 'optuna.tpe'?",
    ),
    (
        changed(TRIALS, TRIALS + '\ntuner = "hyperband"'),
        8,
        "'asha' comes near, a pruner: set search.pruner; known: keras-tuner.grid,",
    ),
    (changed(TRIALS, TRIALS + '\ntuner = "asha"'), 8, "'asha' comes near, a pruner"),
    (changed(TRIALS, TRIALS + '\ntuner = "keras-tuner.bayesian"'), 8, "did you mean 'optuna.tpe'?"),
    (changed(TRIALS, TRIALS + '\ntuner = "BayesianOptimization"'), 8, "did you mean 'optuna.tpe'?"),
    (
        changed(TRIALS, TRIALS + '\ntuner = "kt.RandomSearch"'),
        8,
        "did you mean 'keras-tuner.random' or 'optuna.random'?",
    ),
    (changed(TRIALS, TRIALS + '\ntuner = "grid_search"'), 8, "did you mean 'keras-tuner.grid'?"),
    (changed(TRIALS, TRIALS + '\ntuner = "optuna.samplers.TPESampler"'), 8, "did you mean 'optuna.tpe'?"),
    (changed(TRIALS, TRIALS + '\npruner = "HyperbandPruner"'), 8, "did you mean 'asha'?"),
    (changed(TRIALS, TRIALS + '\npruner = "tpe"'), 8, "'optuna.tpe' comes near, a tuner: set search.tuner;"),
    (changed(TRIALS, TRIALS + '\npruner = "medain"'), 8, "there is no pruner 'medain'|did you mean 'median'?"),
    (changed(TRIALS, TRIALS + '\nobjective = "up val_loss"'), 8, "an objective reads 'max METRIC' or 'min METRIC'"),
    (changed(TRIALS, TRIALS + '\nobjective = "max val_acuracy"'), 8, "did you mean 'val_accuracy'?"),
    (changed(TRIALS, TRIALS + '\nobjective = "min val_accuracy"'), 8, "did you mean 'max val_accuracy'?"),
    (changed(TRIALS, TRIALS + '\nobjective = "max val_loss"'), 8, "did you mean 'min val_loss'?"),
    (changed(TRIALS, TRIALS + "\ntuner_options = 3"), 8, "search.tuner_options is 3, but must be a table"),
    (
        changed(TRIALS, TRIALS + '\npruner = "median"\n[search.pruner_options]\nstart = 3'),
        10,
        "median takes no option 'start'",
    ),
    (changed(TRIALS, TRIALS + '\npruner = "median"\npruner_options = {warmup_epochs = -3}'), 9, "median: "),
    (changed(TRIALS, TRIALS + '\npruner = "asha"\npruner_options = {min_epochs = 1.5}'), 9, "must be a whole number"),
    (changed(TRIALS, TRIALS + "\npruner_options = {x = nan}"), 8, "options are text, finite numbers or booleans"),
    (
        changed(BATCH, "batch_size = 8192"),
        9,
        "batch_size 8,192 is more than the 3,400 rows that train|choose 256 or less",
    ),
    (changed(BATCH, "batch_size = [64,\n8192]"), 10, "batch_size 8,192 is more than the 3,400 rows"),
    (changed(BATCH, "batch_size = []"), 9, "must be a whole number from 1, or a list of such numbers"),
    (changed(BATCH, 'loop = "grahp"'), 9, "must be one of 'auto', 'graph' or 'fit'|did you mean 'graph'?"),
    (changed(BATCH, 'precision = "float16"'), 9, "train.precision is 'float16'|did you mean 'mixed_float16'?"),
    (changed(BATCH, 'compile = "yes"'), 9, "train.compile is 'yes', but must be true, false or \"auto\""),
    (changed(BATCH, "class_weight = {a = 0}"), 9, 'must be "balanced", or a table of weights above 0'),
    (changed(BATCH, "epochs = 1e3"), 9, "train.epochs is 1000.0, but must be a whole number"),
    (GOOD + '[workers]\ncount = "many"\n', 11, 'but must be "auto" or a whole number from 1 to 1024'),
    (GOOD + "[workers]\ngpu = 1\n", 11, "[workers] has no key 'gpu'|did you mean 'gpus'?"),
    (GOOD + '[workers]\nkind = "locl"\n', 11, "there is no executor 'locl'|did you mean 'local'?"),
    (GOOD + "[tracking]\nmlflow = true\n", 11, "must be an address in quotes, or false"),
    (GOOD + '[tracking]\nmlflow = "mlruns"\n', 11, "tracking.mlflow is a plain folder"),
    (GOOD + "final = 3\n", 10, "[train] has no key 'final'"),
    (GOOD + "[space]\nlr = {min = 1e-4}\n", 11, "the range space.lr lacks 'max'"),
    (GOOD + "[space]\nlr = {min = 3, max = 1}\n", 11, "min 3 is more than max 1"),
    (GOOD + '[space]\nlr = {min = 0.0, max = 1.0, sampling = "log"}\n', 11, "log sampling cannot begin at 0.0"),
    (GOOD + "[space]\nlr = {min = nan, max = inf}\n", 11, "space.lr.min is nan, but must be a finite number"),
    *(
        (GOOD + f"[space]\nlr = {wish}\n", 11, f"space.lr is {wish}, but must be a finite number, or a list of such")
        for wish in ("nan", "[0.1, inf]")
    ),
    (GOOD + "[space]\n\nlr = {min = 1, max = 2, stepp = 1}\n", 12, "a range has no key 'stepp'|did you mean 'step'?"),
    (GOOD + "[space]\nlr = 2020-01-01\n", 11, "space.lr is the date or time 2020-01-01"),
    (GOOD + "[space]\nlr = []\n", 11, "space.lr is an empty list"),
    (changed(BATCH, "batch_size = [8, 16]") + "[space]\nbatch_size = 9\n", 11, "9 is none of its choices|known: 8, 16"),
    (GOOD + "[space]\nlr = [[1]]\n", 11, "must be a plain value, a list of plain values, or a range"),
    (GOOD + "time = 30m\n", 10, "this is not TOML|text stands in quotes"),
    (GOOD + "batch_size = 32\n", 10, "this is not TOML: Cannot overwrite a value"),
    (GOOD + "[train]\n", 10, "this is not TOML"),
    (GOOD + 'x = "\\ud800"\n', 10, "this is not TOML"),
    (GOOD + "x = " + "[" * 20 + "]" * 20 + "\n", 10, "nested too deeply"),
    (GOOD + "x = " + "[" * 100_000 + "]" * 100_000 + "\n", 10, "nested too deeply"),
    (GOOD + "x." * 100_000 + "x = 1\n", 10, "nested too deeply"),
    (b"\xef\xbb\xbf" + GOOD.encode(), 1, "byte-order mark"),
    (GOOD.encode() + b"# \xed\xa0\x80\n", 10, "byte 0xed is not UTF-8"),
    (GOOD.encode("utf-16"), 1, "byte 0xff is not UTF-8"),
]


@pytest.mark.promise("P23", "H42", "H43")
@pytest.mark.parametrize(("text", "line", "words"), BAD, ids=[words[:40] for _, _, words in BAD])
def test_a_mistake_is_told_with_its_line_its_mend_and_exit_code_2(
    project: Project, capfd: pytest.CaptureFixture[str], text: str | bytes, line: int, words: str
) -> None:
    file = written(project, text)

    code = main(["check", str(file)])

    said = capfd.readouterr().err
    assert code == 2
    assert f"x.toml, line {line}: " in said
    for wanted in words.split("|"):
        assert wanted in said
    assert "Traceback" not in said


def test_all_mistakes_of_a_file_are_told_at_once_in_its_order(project: Project) -> None:
    text = GOOD.replace(SOURCE, 'source = "mnst"').replace(TRIALS, "trials = 0").replace(BATCH, 'epoch = "x"')

    with pytest.raises(ExperimentRefused) as refused:
        loaded(project, text)

    assert [mistake.where.rpartition(" ")[2] for mistake in refused.value.mistakes] == ["3", "7", "9"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("search.tirals=3", "--set search.tirals: [search] has no key 'tirals'\n  did you mean 'trials'?"),
        ("search.trials=0", "--set search.trials: search.trials is 0"),
        ("search.trials.x=0", "--set search.trials.x: 'trials' is no table"),
        ("search.trials", "--set search.trials: this is not KEY=VALUE"),
        ("space.cnn/units=3", "stands in quotes\n  --set 'space.\"cnn/units\"=3'"),
        ("train.class_weight.Café=2", "stands in quotes\n  --set 'train.class_weight.\"Café\"=2'"),
        ("a..b=3", "--set a..b=3: this is not KEY=VALUE"),
        (
            "data.folder=2024",
            "text in quotes\n  the shell takes quotes away, but keeps those of --set 'data.folder=\"…\"'",
        ),
        ("search.tuner=optuna.tpee", "did you mean 'optuna.tpe'?"),
        ("name=\udcff", "this is not KEY=VALUE"),
        ("\x1b[2J=3", "--set \\x1b[2J=3: this is not KEY=VALUE"),
        ("search.tuner=\x1b[2J", "--set search.tuner: there is no tuner '\\x1b[2J'"),
    ],
)
def test_a_mistake_in_a_set_is_shown_there(project: Project, word: str, said: str) -> None:
    with pytest.raises(ExperimentRefused) as refused:
        loaded(project, GOOD, word)

    assert said in str(refused.value)


@pytest.mark.parametrize("folder", ["写真\u30002026", "a\u00a0b", "Screenshots 10.04\u202fPM", "👩\u200d🚀", "a\tb"])
def test_a_set_takes_every_folder_that_the_file_takes(project: Project, folder: str) -> None:
    source = changed(SOURCE, f'source = "idx"\nfolder = {json.dumps(folder, ensure_ascii=False)}')

    in_file = loaded(project, source)
    in_set = loaded(project, source, f"data.folder={folder}")

    assert Path(in_file.data.folder or "").name == Path(in_set.data.folder or "").name == folder


def test_a_set_wins_over_the_file_as_a_toml_value_or_else_as_text(project: Project) -> None:
    words = (
        "search.trials=7",
        "search.time=30m",
        "train.batch_size=[32, 64]",
        'space."a.b"={min=1, max=3}',
        "seed=1",
        "seed=2",
    )

    experiment = loaded(project, GOOD, *words)

    assert (experiment.search.trials, experiment.search.time, experiment.seed) == (7, "30m", 2)
    assert experiment.train.batch_sizes == (32, 64)
    assert list(experiment.space) == ["a.b"]


def test_relative_paths_begin_at_the_project_in_the_file_and_at_the_shell_in_a_set(project: Project) -> None:
    text = GOOD.replace(SOURCE, 'source = "idx"\nfolder = "images"') + '[tracking]\nmlflow = "sqlite:///runs/a.db"\n'

    in_file = loaded(project, text)
    in_set = loaded(project, text, "data.folder=images", "tracking.mlflow=sqlite:///runs/a.db")

    assert in_file.data.folder == str(project.root / "images")
    assert in_file.tracking.mlflow == f"sqlite:///{project.root}/runs/a.db"
    assert in_set.data.folder == str(project.root / "elsewhere" / "images")
    assert in_set.tracking.mlflow == f"sqlite:///{project.root}/elsewhere/runs/a.db"


@pytest.mark.promise("58")
@pytest.mark.parametrize("name", ["Why?", "50%20off", "#tag", "it's"])
def test_a_relative_database_lies_in_a_project_of_any_name(project: Project, name: str) -> None:
    project = Project(shutil.copytree(project.root, project.root / name))

    experiment = loaded(project, GOOD + '[tracking]\nmlflow = "sqlite:///runs/a.db?timeout=9"\n')

    address = resolve(project, experiment.tracking.mlflow or "")
    assert database(address) == project.root / "runs" / "a.db"
    assert address.endswith("?timeout=9")


@pytest.mark.parametrize("address", ["http://host:5000", "sqlite:////abs/a.db", "sqlite:///:memory:", "databricks"])
def test_an_address_that_is_not_relative_stays_as_it_is(address: str, tmp_path: Path) -> None:
    assert resolve_tracking(address, tmp_path) == address


def test_a_file_that_is_missing_huge_or_no_file_is_refused(project: Project) -> None:
    big = written(project, b"# " + b"x" * 50_000_000)
    pipe = project.root / "experiments" / "pipe.toml"
    os.mkfifo(pipe)
    ring = pipe.with_name("ring.toml")
    ring.symlink_to(ring)

    said = {}
    for file in (big, pipe, ring, project.root, big.with_name("y.toml")):
        with pytest.raises(ExperimentRefused) as refused:
            load(file, project)
        said[file.name] = str(refused.value)

    assert "larger than 1,000,000 bytes" in said["x.toml"]
    assert "this is not a file" in said["pipe.toml"]
    assert "there is no such file" in said["ring.toml"]
    assert "this is not a file" in said[project.root.name]
    assert "did you mean" in said["y.toml"]


@pytest.mark.promise("H43")
def test_a_search_space_that_leads_out_of_the_project_is_refused(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "evil.py"
    outside.write_text("def build(hp): ...\n")
    (project.root / "searchspace" / "evil.py").symlink_to(outside)

    with pytest.raises(ExperimentRefused, match="leads out of the project"):
        loaded(project, GOOD.replace(BUILD, 'build = "searchspace.evil:build"'))


@pytest.mark.promise("P23")
def test_checking_runs_none_of_the_search_space(project: Project) -> None:
    (project.root / "searchspace" / "mlp.py").write_text(f"{SPACE}\nraise SystemExit(77)\n")

    experiment = loaded(project)

    assert experiment.model.build == "searchspace.mlp:build_model_mlp"


@pytest.mark.promise("26", "P20")
@pytest.mark.parametrize(
    ("imports", "words"),
    [
        (
            "import kerass\n",
            "searchspace/mlp.py, line 1: there is no module 'kerass'.*did you mean 'keras'\\? mend the name there$",
        ),
        (
            "import os\nfrom nosuch.layers import More\n",
            "mlp.py, line 2: .*'nosuch'(.|\n)*the package that has it \\(often called nosuch",
        ),
        ("from searchspace import shared\n", "searchspace/shared.py, line 3: there is no module 'nosuch'"),
        ("import searchspace.shared as more\n", "searchspace/shared.py, line 3: there is no module 'nosuch'"),
    ],
)
def test_a_module_that_a_search_space_wants_in_vain_is_named_before_anything_runs(
    project: Project, imports: str, words: str
) -> None:
    (project.root / "searchspace" / "shared.py").write_text("import json\n\nimport nosuch\n")
    (project.root / "searchspace" / "mlp.py").write_text(imports + SPACE)

    with pytest.raises(ExperimentRefused, match=f"(?s){words}"):
        loaded(project)


@pytest.mark.parametrize(
    "imports",
    [
        "try:\n    import nosuch\nexcept ImportError:\n    nosuch = None\n",
        "import sys\nsys.path.append('elsewhere')\nimport nosuch\n",
        "import beside\n",
        "from . import shared\n",
        "import keras, numpy as np, tensorflow.keras.layers, xml.etree.ElementTree\nfrom google import protobuf\n",
        "def later():\n    import nosuch\n",
    ],
)
def test_what_might_be_imported_all_the_same_is_left_to_the_sample_builds(project: Project, imports: str) -> None:
    (project.root / "searchspace" / "shared.py").write_text("")
    (project.root / "beside.py").write_text("import sys; sys.path += ['there']; import nosuch\n")
    (project.root / "searchspace" / "mlp.py").write_text(imports + SPACE)

    assert loaded(project).model.build == "searchspace.mlp:build_model_mlp"


@pytest.mark.parametrize(
    ("written_as", "meant"),
    [
        ("val_acuracy", "val_accuracy"),
        ("vla_loss", "val_loss"),
        ("Val_Accuracy", "val_accuracy"),
        ("validation_accuracy", "val_accuracy"),
        ("val-loss", "val_loss"),
        ("val_accuracy", None),
        ("val_map", None),
        ("val_f2_score", None),
        ("val_precision_2", None),
        ("val_AUC", None),
        ("val_Precision", None),
        ("val_f1-score", None),
        ("dice", None),
    ],
)
def test_a_slip_is_told_from_a_metric_of_ones_own(written_as: str, meant: str | None) -> None:
    assert nearest(written_as) == meant


def test_every_table_key_and_item_has_its_line() -> None:
    text = '# c\na = 1\n["b c".d]\ne.f = {g = [1,\n# c\n2]}\n'

    found = lines(text)

    assert found[("a",)] == 2
    assert found["b c", "d"] == 3
    assert found["b c", "d", "e", "f", "g"] == 4
    assert found["b c", "d", "e", "f", "g", 1] == 6


def test_a_sign_for_home_that_is_nobodys_belongs_to_the_name(project: Project) -> None:
    experiment = loaded(project, changed('"mnist-5k"', '"folder"\nfolder = "~scans/2026"'))

    assert experiment.data.folder == str(project.root / "~scans" / "2026")


def test_a_cache_whose_name_begins_with_the_sign_for_home_is_where_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HPSEARCH_DATA", "~nosuchuser/data")

    assert cache() == tmp_path / "~nosuchuser" / "data"
