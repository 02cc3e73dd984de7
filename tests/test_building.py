import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.errors import ExperimentRefused
from hpsearch.space import Bounds
from hpsearch.worker import bright_layers, doubting, misleading, trying
from hpsearch.worker.building import MOST_BUILDS, NotAModel, SpaceDrift, build, discover
from hpsearch.worker.finding import find_build, own_fit, project_modules
from hpsearch.worker.hp import AskingHyperParameters
from hpsearch.worker.preflight import Sample, fly
from hpsearch.worker.task import Task

TASK = Task((4, 4), 3, ("a", "b", "c"), rows=60, epochs=2, batch_size=20)
MODEL = """
import keras

def made(hp, units):
    model = keras.Sequential([keras.Input(hp.task.image_shape), keras.layers.Flatten(), keras.layers.Dense(units)])
    model.compile("sgd", "mse")
    return model
"""


@pytest.fixture(autouse=True)
def _no_module_stays() -> Iterator[None]:
    path = list(sys.meta_path)
    modules = set(sys.modules)
    yield
    sys.meta_path[:] = path
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] in {"mine", "beside", "flat"}:
            del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Writes files of a project, with one module that makes models; gives its root."""

    def write(**files: str) -> Path:
        for name, text in {"mine__models": MODEL, **files}.items():
            file = tmp_path / (name.replace("__", "/") + ".py")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def refusal(root: Path, spec: str) -> str:
    with pytest.raises(ExperimentRefused) as caught:
        find_build(root, spec)
    return str(caught.value)


def test_a_file_of_the_project_is_found_with_its_neighbours(project: Callable[..., Path]) -> None:
    root = project(
        mine__space="from beside import UNITS\nfrom mine.models import made\n\n"
        "def build_model(hp):\n    return made(hp, UNITS)\n",
        beside="UNITS = 5\n",
        unused="UNITS = 6\n",
    )

    model = build(find_build(root, "mine.space:build_model"), AskingHyperParameters(lambda p: p.default, TASK))

    assert model.output_shape == (None, 5)
    assert project_modules(root) == [root / "beside.py", root / "mine/models.py", root / "mine/space.py"]
    assert not list(root.rglob("__pycache__"))


@pytest.mark.parametrize("prefix", [".", ".."])
def test_a_project_that_lies_where_python_is_installed_has_its_modules_seen(
    project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    root = project(mine__space="from mine.models import made\n\ndef build(hp):\n    return made(hp, 3)\n")
    monkeypatch.setattr(sys, "prefix", str(root / prefix))  # `python -m venv .`, /usr/local/app

    find_build(root, "mine.space:build")

    assert project_modules(root) == [root / "mine/models.py", root / "mine/space.py"]


def test_a_build_whose_own_file_would_not_be_seen_to_change_is_refused(project: Callable[..., Path]) -> None:
    root = project(
        mine__space="import sys\nfrom mine.models import made\n\ndef build(hp):\n    sys.modules.pop(__name__, None)\n"
        "    return made(hp, 3)\n"
    )

    with pytest.raises(ExperimentRefused, match=r"changes of mine.space.py could not be seen"):
        fly(Sample(root, "mine.space:build", TASK, 1, {}, "loss"))


@pytest.mark.parametrize(("file", "spec"), [("mine__space__init__", "mine.space:build"), ("flat", "flat:build")])
def test_packages_and_single_files_will_do(tmp_path: Path, file: str, spec: str) -> None:
    path = tmp_path / "flat.py" if file == "flat" else tmp_path / "mine" / "space" / "__init__.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("def build(hp):\n    return 'this one'\n")

    assert find_build(tmp_path, spec)(None) == "this one"


def test_an_edit_is_seen_at_once_and_another_project_is_another(tmp_path: Path) -> None:
    for root, word in [(tmp_path / "one", "1"), (tmp_path / "two", "2"), (tmp_path / "one", "3")]:
        (root / "mine").mkdir(parents=True, exist_ok=True)
        (root / "mine" / "words.py").write_text(f"WORD = '{word}'\n")
        (root / "mine" / "space.py").write_text("from mine.words import WORD\n\ndef build(hp):\n    return WORD\n")

        assert find_build(root, "mine.space:build")(None) == word


@pytest.mark.promise("P23", "H25")
def test_files_of_the_project_shadow_neither_the_standard_library_nor_installed_packages(
    project: Callable[..., Path],
) -> None:
    root = project(
        json="raise SystemExit\n",
        colorsys="raise SystemExit\n",
        numpy="raise SystemExit\n",
        mine__space="import json, colorsys, numpy\n\ndef build(hp):\n    return json.loads('1'), numpy.float32\n",
    )
    sys.modules.pop("colorsys", None)

    assert find_build(root, "mine.space:build")(None)[0] == 1
    assert "has the name of an installed module" in refusal(root, "json:build")
    assert "has the name of an installed module" in refusal(root, "numpy:build")


def test_an_installed_package_serves_where_the_project_has_no_such_file(tmp_path: Path) -> None:
    assert find_build(tmp_path, "textwrap:dedent")("  a") == "a"


def test_links_that_lead_out_of_the_project_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("def build(hp):\n    return 1\n")
    (tmp_path / "root" / "mine").mkdir(parents=True)
    (tmp_path / "root" / "mine" / "space.py").symlink_to(outside)

    assert "mine/space.py is a link that leads out of the project" in refusal(tmp_path / "root", "mine.space:build")


UNKEPT = """
import keras
import tensorflow as tf

class Mine(keras.layers.Layer):
    def call(self, images):
        return 2 * images

class Times(Mine):
    def __init__(self, factor):
        super().__init__()

def build(hp):
    model = keras.Sequential([keras.Input(hp.task.image_shape), {}, keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model
"""


@pytest.mark.parametrize(
    ("layer", "told", "mend"),
    [
        (
            "keras.layers.Lambda(lambda images: 2 * images)",
            "a Lambda layer holds code, which is never run from a file",
            "register",
        ),
        ("Mine()", "Could not locate class 'Mine'. Make sure custom classes and functions are decorated", "register"),
        ("Times([keras])", "Object Times was created by passing non-serializable argument values", "need a get_config"),
        ("keras.layers.Activation(tf.nn.softmax)", "Could not locate function 'softmax_v2'", 'activation="softmax"'),
    ],
)
def test_a_model_that_cannot_be_kept_is_refused_in_few_words(
    project: Callable[..., Path], layer: str, told: str, mend: str
) -> None:
    root = project(mine__space=UNKEPT.format(layer))

    with pytest.raises(ExperimentRefused) as refused:
        fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_loss"))

    assert str(refused.value).startswith(f"model.build: the model cannot be saved and loaded again: {told}")
    assert mend in str(refused.value)
    assert len(str(refused.value)) < 600


BRANCHED = UNKEPT.replace("{}, ", "*branch, ").replace(
    "    model =", "    branch = [{}] if hp.Boolean('other') else []\n    model ="
)


@pytest.mark.parametrize(
    ("layer", "told"),
    [("Mine()", "Could not locate class 'Mine'"), ("Times([keras])", "Object Times was created by passing")],
)
def test_a_model_of_another_branch_that_cannot_be_kept_is_refused_before_the_first_trial(
    project: Callable[..., Path], layer: str, told: str
) -> None:
    root = project(mine__space=BRANCHED.format(layer))

    with pytest.raises(ExperimentRefused) as refused:
        fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_loss"))

    (mistake,) = refused.value.mistakes
    assert mistake.what.startswith(f"the model cannot be saved and loaded again: {told}")
    fly(Sample(root, "mine.space:build", TASK, 1, {"other": False}, "val_loss"))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("mine.spaces:build_model", "did you mean 'space'?"),
        ("nowhere.at_all:build", "there is no nowhere/at_all.py under"),
        ("mine.space:build_modle", "did you mean 'build_model'?"),
        ("mine.broken:build", "mine/broken.py, line 2: ZeroDivisionError"),
        ("mine.leaving:build", "mine/leaving.py, line 3: SystemExit: bye"),
        ("mine.unreadable:build", "mine/unreadable.py, line 1: SyntaxError"),
        ("mine.needy:build", "mine/needy.py, line 1: ModuleNotFoundError: No module named 'not_there'"),
        ("mine.script:build", "mine/script.py, line 3: KerasTuner would begin to tune here whenever this is imported"),
        ("mine.space:nothing", "cannot be called with 'hp' alone"),
        ("mine.space:NUMBER", "cannot be called with 'hp' alone"),
        ("mine.space:Demanding", "cannot be made without arguments"),
        ("mine..space:build", "not the name of a module"),
    ],
)
def test_what_is_missing_is_said_with_file_and_nearest_name(project: Callable[..., Path], spec: str, says: str) -> None:
    root = project(
        mine__space="import keras_tuner\nNUMBER = 3\n\ndef build_model(hp):\n    pass\n\ndef nothing():\n    pass\n\n"
        "class Demanding(keras_tuner.HyperModel):\n    def __init__(self, depth):\n        super().__init__()\n",
        mine__broken="x = 1\n1 / 0\n",
        mine__leaving="import sys\n\nsys.exit('bye')\n",
        mine__unreadable="def build(hp:\n",
        mine__needy="import not_there\n",
        mine__script="import keras_tuner\n\n"
        "keras_tuner.RandomSearch(lambda hp: None, 'loss', max_trials=1, directory=__file__ + '_kept')\n",
    )

    assert says in refusal(root, spec)


@pytest.mark.parametrize("name", ["Wide", "wide"])
def test_a_hyper_model_works_as_a_class_and_as_an_instance(project: Callable[..., Path], name: str) -> None:
    root = project(
        mine__space="import keras_tuner\nfrom mine.models import made\n\nclass Wide(keras_tuner.HyperModel):\n"
        "    def build(self, hp):\n        return made(hp, hp.Int('units', 3, 9))\n\nwide = Wide()\n"
    )

    model = build(find_build(root, f"mine.space:{name}"), AskingHyperParameters(lambda _: 7, TASK))

    assert model.output_shape == (None, 7)


@pytest.mark.parametrize(("name", "its"), [("Trainer", True), ("trainer", True), ("Wide", False), ("plain", False)])
def test_the_fit_of_a_hyper_model_is_found_where_it_is_its_own(
    project: Callable[..., Path], name: str, its: bool
) -> None:
    root = project(
        mine__space="import keras_tuner\n\nclass Wide(keras_tuner.HyperModel):\n"
        "    def build(self, hp):\n        pass\n\n"
        "class Trainer(Wide):\n    def fit(self, hp, model, *args, **kwargs):\n        return 'its own'\n\n"
        "trainer = Trainer()\n\ndef plain(hp):\n    pass\n"
    )

    fit = own_fit(find_build(root, f"mine.space:{name}"))

    assert (fit is not None and fit(None, None) == "its own") == its


def test_a_model_that_divides_by_the_brightest_pixel_can_be_searched(project: Callable[..., Path]) -> None:
    root = project(
        mine__space="import keras\nimport tensorflow as tf\n\n\n@keras.saving.register_keras_serializable('mine')\n"
        "class Brightest(keras.layers.Layer):\n    def call(self, images):\n"
        "        brightest = keras.ops.max(images, axis=(1, 2), keepdims=True)\n"
        "        return tf.debugging.check_numerics(images / brightest, 'no number')\n\n\n"
        "def build(hp):\n"
        "    body = [keras.Input(hp.task.image_shape), Brightest(), keras.layers.Flatten(), keras.layers.Dense(3)]\n"
        "    model = keras.Sequential(body)\n    model.compile('sgd', 'mse')\n    return model\n"
    )

    found = fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_loss"))

    assert found.modules == ("mine/space.py",)


@pytest.mark.parametrize(
    ("page", "metric", "asked"),
    [("README.md", "val_accuracy", "layers"), ("docs/experiment.md", "val_f1", "filters")],
)
def test_a_model_that_a_page_shows_can_be_searched_as_it_stands(
    project: Callable[..., Path], page: str, metric: str, asked: str
) -> None:
    text = (Path(__file__).parents[1] / page).read_text(encoding="utf-8")
    shown = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def build_model" in block)

    found = fly(Sample(project(mine__shown=shown), "mine.shown:build_model", TASK, 1, {}, metric))

    assert found.parameters[0].name == asked
    assert found.doubts == ()


@pytest.mark.parametrize("units", [5, 2])
def test_a_model_that_does_not_end_in_a_value_for_each_class_is_refused(
    project: Callable[..., Path], units: int
) -> None:
    root = project(mine__space=f"from mine.models import made\n\ndef build(hp):\n    return made(hp, {units})\n")

    with pytest.raises(ExperimentRefused, match=rf"the model ends in shape \(None, {units}\)(.|\n)*have 3 units"):
        fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_loss"))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            "Integer('units', 1, 3)",
            "hp has no 'Integer'; did you mean 'Int'? known: Boolean, Choice, Fixed, Float, Int",
        ),
        ("choice('units', [1, 3])", "hp has no 'choice'; did you mean 'Choice'?"),
        (
            "Range('units', 1, 3)",
            "hp has no 'Range'; known: Boolean, Choice, Fixed, Float, Int, conditional_scope, task",
        ),
        ("task.shape", "hp.task has no 'shape'; did you mean 'image_shape'? known: batch_size, class_names, classes,"),
    ],
)
def test_a_misspelt_word_of_hp_is_told_with_the_nearest_one(
    project: Callable[..., Path], asked: str, told: str
) -> None:
    root = project(mine__space=f"from mine.models import made\n\ndef build(hp):\n    return made(hp, hp.{asked})\n")

    with pytest.raises(ExperimentRefused) as refused:
        fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_loss"))

    assert str(refused.value).startswith(f"model.build: {told}")
    assert f"mine/space.py, line 4, in build: return made(hp, hp.{asked})" in str(refused.value)


def test_a_refusal_in_a_clone_has_no_lines_of_hpsearchs_own() -> None:
    clone = Path(__file__).parents[1]

    with pytest.raises(ExperimentRefused, match=r"not a keras\.Model") as refused:
        fly(Sample(clone, "searchspace.optimizers:optimizer", TASK, 1, {}, "val_loss"))

    assert "hpsearch/" not in str(refused.value)


def test_a_model_that_is_to_train_on_several_devices_is_refused_with_the_mend(project: Callable[..., Path]) -> None:
    root = project(
        mine__space="import tensorflow as tf\nfrom mine.models import made\n\ndef build(hp):\n"
        "    with tf.distribute.MirroredStrategy().scope():\n        return made(hp, 3)\n",
        mine__models=MODEL.replace("sgd", "adam"),
    )

    with pytest.raises(ExperimentRefused, match=r"leave tf\.distribute out of it"):
        fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_loss"))


def compiled(end: str, loss: str, metrics: str = "[]") -> str:
    """A module whose model ends in such an activation, and is compiled so."""
    return (
        f"import keras\n\ndef build(hp):\n    last = keras.layers.Dense(hp.task.classes, activation={end!r})\n"
        "    model = keras.Sequential([keras.Input(hp.task.image_shape), keras.layers.Flatten(), last])\n"
        f"    model.compile('sgd', {loss}, metrics={metrics})\n    return model\n"
    )


def test_a_missing_objective_leads_to_a_metric_of_the_same_rows(project: Callable[..., Path]) -> None:
    metric = "[keras.metrics.SparseCategoricalAccuracy()]"
    root = project(mine__space=compiled("softmax", "'sparse_categorical_crossentropy'", metric))

    with pytest.raises(ExperimentRefused, match="did you mean 'val_sparse_categorical_accuracy'"):
        fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_accuracy"))


OF_NUMBERS, OF_ONE_HOT = "sparse_categorical_crossentropy", "categorical_crossentropy"


@pytest.mark.parametrize(
    ("metric", "loss", "other"),
    [
        ("Precision(name='mine')", OF_NUMBERS, OF_ONE_HOT),
        ("F1Score(name='mine')", OF_NUMBERS, OF_ONE_HOT),
        ("MeanAbsoluteError(name='mine')", OF_NUMBERS, OF_ONE_HOT),
        ("TopKCategoricalAccuracy(2, name='mine')", OF_NUMBERS, OF_ONE_HOT),
        ("SparseCategoricalAccuracy(name='mine')", OF_ONE_HOT, OF_NUMBERS),
        ("SparseTopKCategoricalAccuracy(2, name='mine')", OF_ONE_HOT, OF_NUMBERS),
    ],
)
def test_a_metric_that_wants_other_labels_is_refused_with_the_loss_that_gets_them(
    project: Callable[..., Path], metric: str, loss: str, other: str
) -> None:
    root = project(mine__space=compiled("softmax", repr(loss), f"[keras.metrics.{metric}]"))

    with pytest.raises(ExperimentRefused, match=rf"the metric 'mine' fails: (.|\n)*such as '{other}'"):
        fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_loss"))


OVERLAP = """
import keras

def overlap(y_true, y_pred):
    return -keras.ops.sum(y_true * y_pred, axis=-1)

"""


@pytest.mark.parametrize(
    ("loss", "metrics"), [("overlap", "[]"), ("'sparse_categorical_crossentropy'", "[overlap]")], ids=["loss", "metric"]
)
def test_a_loss_or_metric_of_ones_own_that_wants_one_hot_labels_is_refused_with_the_way_to_them(
    project: Callable[..., Path], loss: str, metrics: str
) -> None:
    root = project(mine__space=OVERLAP + compiled("softmax", loss, metrics))

    with pytest.raises(ExperimentRefused, match=r"its labels are class numbers(.|\n)*keras\.ops\.one_hot") as refused:
        fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_loss"))

    assert "mine/space.py, line 5, in overlap: return -keras.ops.sum(y_true * y_pred, axis=-1)" in str(refused.value)


@pytest.mark.parametrize(
    ("end", "loss", "metric", "doubts"),
    [
        ("linear", "'sparse_categorical_crossentropy'", "val_loss", ["takes probabilities"]),
        ("linear", "keras.losses.SparseCategoricalCrossentropy(from_logits=True)", "val_loss", []),
        ("linear", "[keras.losses.SparseCategoricalCrossentropy(from_logits=True)]", "val_loss", []),
        ("softmax", "'categorical_crossentropy'", "loss", ["'loss' is measured on the images that train"]),
    ],
)
def test_a_search_that_comes_to_little_is_doubted(
    project: Callable[..., Path], end: str, loss: str, metric: str, doubts: list[str]
) -> None:
    root = project(mine__space=compiled(end, loss))

    found = fly(Sample(root, "mine.space:build", TASK, 1, {}, metric))

    assert len(found.doubts) == len(doubts)
    assert all(words in doubt.what for words, doubt in zip(doubts, found.doubts, strict=True))


@pytest.mark.parametrize(
    ("line", "doubted"),
    [
        ("keras.utils.set_random_seed(42)", True),
        ("__import__('random').seed(42)", True),
        ("__import__('tensorflow').random.set_seed(42)", True),
        ("keras.utils.clear_session(), __import__('random').gauss(), keras.initializers.HeNormal(seed=1)", False),
    ],
    ids=["keras", "python", "tensorflow", "none"],
)
def test_a_seed_that_a_build_sets_for_all_trainings_is_doubted(
    project: Callable[..., Path], line: str, doubted: bool
) -> None:
    space = compiled("softmax", "'sparse_categorical_crossentropy'")
    root = project(mine__space=space.replace("(hp):\n", f"(hp):\n    {line}\n"))

    found = fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_loss"))

    assert ["sets a seed" in doubt.what for doubt in found.doubts] == [True] * doubted


def test_a_model_whose_initializers_have_a_seed_of_their_own_is_doubted(project: Callable[..., Path]) -> None:
    start = "kernel_initializer=keras.initializers.HeNormal(seed=1), activation"
    space = compiled("softmax", "'sparse_categorical_crossentropy'").replace("activation", start)
    root = project(mine__space=space)

    found = fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_loss"))

    assert ["begin with the same weights" in doubt.what for doubt in found.doubts] == [True]


def test_values_that_would_be_searched_in_vain_are_doubted(project: Callable[..., Path]) -> None:
    asked = "    hp.Choice('batch_size', [8, 16])\n    hp.Int('epochs', 1, 9)\n    return"
    space = compiled("softmax", "'sparse_categorical_crossentropy'")
    root = project(mine__space=space.replace("    return", asked))

    found = fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_loss"))

    assert [doubt.what.split()[4] for doubt in found.doubts] == ["'batch_size',", "'epochs',"]
    assert "train.batch_size" in str(found.doubts[0].mend)


def test_a_model_that_scales_images_a_second_time_is_doubted_before_the_first_trial(
    project: Callable[..., Path],
) -> None:
    space = compiled("softmax", "'sparse_categorical_crossentropy'")
    root = project(
        mine__space=space.replace("keras.layers.Flatten()", "keras.layers.Rescaling(1 / 255), keras.layers.Flatten()")
    )

    found = fly(Sample(root, "mine.space:build", TASK, 1, {}, "val_loss"))

    assert ["Rescaling layer divides images" in doubt.what for doubt in found.doubts] == [True]


@pytest.mark.parametrize(
    ("scales", "doubted"), [([1 / 255], True), ([[1 / 127.5]], True), ([2], False), ([255, 1 / 255], False)]
)
def test_a_model_scales_images_a_second_time_where_all_its_layers_make_them_darker(
    scales: list[Any], doubted: bool
) -> None:
    import keras

    def scaling(scale: Any) -> Any:
        return keras.Sequential(map(scaling, scale)) if isinstance(scale, list) else keras.layers.Rescaling(scale, -1)

    model = keras.Sequential([keras.Input((4, 4)), *map(scaling, scales)])

    assert bool([*doubting.scaled_twice(model)]) == doubted


def test_a_layer_of_ones_own_that_scales_images_a_second_time_is_doubted() -> None:
    import keras

    class Scaled(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.scaling = keras.layers.Rescaling(1 / 255)

        def call(self, images: Any) -> Any:
            return self.scaling(images)

    model = keras.Sequential([keras.Input((4, 4)), Scaled()])

    assert [*doubting.scaled_twice(model)]


def test_layers_that_would_ruin_images_from_0_to_1_are_doubted_before_the_first_trial(
    project: Callable[..., Path],
) -> None:
    layers = "keras.layers.RandomBrightness(0.2), keras.layers.RandomInvert(0.5), keras.layers.Flatten()"
    space = compiled("softmax", "'sparse_categorical_crossentropy'").replace("keras.layers.Flatten()", layers)

    found = fly(Sample(project(mine__space=space), "mine.space:build", TASK, 1, {}, "val_loss"))

    assert [doubt.what.split()[2] for doubt in found.doubts] == ["RandomBrightness", "RandomInvert"]
    assert all(doubt.mend == "give it value_range=(0, 1)" for doubt in found.doubts)


def test_layers_that_are_told_the_range_of_their_images_or_get_brighter_ones_are_not_doubted() -> None:
    import keras

    told = [keras.layers.RandomBrightness(0.2, value_range=(0, 1)), keras.layers.RandomErasing(fill_value=0.0)]
    brighter = [keras.layers.Rescaling(255), keras.layers.RandomBrightness(0.2), keras.layers.Rescaling(1 / 255)]
    model = keras.Sequential([keras.Input((4, 4)), *told, *brighter])

    assert [*bright_layers.meant_for_bytes(model, trying.images_of_noise(TASK, 3))] == []


def tried(classes: int, end: str, loss: Any, metric: Any, kind: Any = None) -> tuple[Any, Task, Any]:
    """A model that was trained on a few rows as a sample is, the task, and images of noise."""
    import keras

    task = replace(TASK, classes=classes, class_names=TASK.class_names[:classes])
    last = keras.layers.Dense(classes if classes > 2 else 1, activation=end)
    model = (kind or keras.Sequential)([keras.Input((4, 4)), keras.layers.Flatten(), last])
    model.compile("sgd", loss, metrics=[metric])
    trying.one_epoch(lambda _: model, AskingHyperParameters(lambda _: 1, task), model)
    return model, task, trying.images_of_noise(task, classes)


@pytest.mark.parametrize(
    ("metric", "loss", "doubted"),
    [
        ("CategoricalAccuracy", "sparse_categorical_crossentropy", True),
        ("categorical_accuracy", "sparse_categorical_crossentropy", True),
        ("CategoricalAccuracy", "categorical_crossentropy", False),
    ],
)
def test_an_accuracy_that_takes_class_numbers_for_one_hot_labels_is_doubted(
    metric: str, loss: str, doubted: bool
) -> None:
    import keras

    made = getattr(keras.metrics, metric)

    found = [*misleading.accuracies(*tried(3, "softmax", loss, made() if isinstance(made, type) else made))]

    assert ["'categorical_accuracy' takes one-hot labels" in doubt.what for doubt in found] == [True] * doubted


def test_an_accuracy_is_not_doubted_whose_labels_a_step_of_the_models_own_may_make() -> None:
    import keras

    class Mixing(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            return super().train_step((data[0], keras.ops.one_hot(data[1], 3)))

        def test_step(self, data: Any) -> Any:
            return super().test_step((data[0], keras.ops.one_hot(data[1], 3)))

    def of_one_hot(y_true: Any, y_pred: Any) -> Any:
        return keras.losses.categorical_crossentropy(y_true, y_pred)

    model = tried(3, "softmax", of_one_hot, keras.metrics.CategoricalAccuracy(), Mixing)

    assert [*misleading.accuracies(*model)] == []


@pytest.mark.parametrize(
    ("end", "logits", "threshold", "doubted"),
    [("linear", True, None, True), ("linear", True, 0.0, False), ("sigmoid", False, None, False)],
)
def test_an_accuracy_that_parts_logits_of_two_classes_at_a_half_is_doubted(
    end: str, logits: bool, threshold: float | None, doubted: bool
) -> None:
    import keras

    loss = keras.losses.BinaryCrossentropy(from_logits=logits)
    metric = "accuracy" if threshold is None else keras.metrics.BinaryAccuracy("accuracy", threshold=threshold)

    found = [*misleading.accuracies(*tried(2, end, loss, metric))]

    assert ["'accuracy' parts the two classes at 0.5" in doubt.what for doubt in found] == [True] * doubted


def test_weights_that_are_true_or_false_are_looked_at_like_others() -> None:
    import keras

    class Masked(keras.layers.Dense):
        def build(self, input_shape: Any) -> None:
            super().build(input_shape)
            self.kept = self.add_weight(shape=(3,), dtype="bool", initializer="zeros", trainable=False)

    models = [keras.Sequential([keras.Input((4,)), Masked(3)]) for _ in range(2)]

    assert len({doubting.first_weights(model) for model in models}) == 2


COUNTED = """
import keras

@keras.saving.register_keras_serializable("mine")
class Few(keras.Sequential):
    def train_step(self, data):
        assert len(data[0]) <= 20
        return super().train_step(data)

def build(hp):
    model = Few([keras.Input(hp.task.image_shape), keras.layers.Flatten(), keras.layers.Dense(hp.task.classes)])
    model.compile("sgd", "mse")
    return model
"""


def test_a_sample_trains_on_no_more_images_at_once_than_its_trials_will(project: Callable[..., Path]) -> None:
    task = replace(TASK, classes=50, class_names=tuple(map(str, range(50))))

    assert fly(Sample(project(mine__space=COUNTED), "mine.space:build", task, 1, {}, "val_loss")).parameters == ()


@pytest.mark.parametrize(("classes", "rows"), [(3, 5), (32, 34), (33, 32), (1000, 32)])
def test_a_sample_of_many_classes_trains_on_a_few_images_and_the_last_class_is_among_them(
    classes: int, rows: int
) -> None:
    import keras

    trained: list[int] = []

    class Noting(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            trained.extend(data[1].numpy().tolist())
            return super().train_step(data)

    task = replace(TASK, classes=classes, class_names=tuple(map(str, range(classes))))
    model = Noting([keras.Input((4, 4)), keras.layers.Flatten(), keras.layers.Dense(classes, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")

    trying.one_epoch(lambda _: model, AskingHyperParameters(lambda _: 1, task), model)

    assert len(trained) == rows
    assert max(trained) == classes - 1


EAGER = """
import keras

def build(hp):
    model = keras.Sequential([keras.Input(hp.task.image_shape), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", "mse", run_eagerly=True)
    return model
"""


def test_a_model_that_the_loop_asked_for_cannot_train_is_refused_before_the_first_trial(
    project: Callable[..., Path],
) -> None:
    sample = Sample(project(mine__space=EAGER), "mine.space:build", TASK, 1, {}, "val_loss", loop="graph")

    with pytest.raises(ExperimentRefused, match=r"train.loop: the graph loop .* run_eagerly") as caught:
        fly(sample)

    assert [mistake.where for mistake in caught.value.mistakes] == ["train.loop"]
    assert fly(replace(sample, loop="auto")).modules == ("mine/space.py",)


HALF = """
import keras

def build(hp):
    images = keras.Input(hp.task.image_shape)
    flat = keras.layers.Flatten()(images)
    model = keras.Model(images, keras.layers.Dense(3)(flat))
    if flat.dtype != "float32":
        raise TypeError(f"of {flat.dtype}")
    model.compile("sgd", "mse")
    return model
"""


def test_sample_builds_are_made_in_the_precision_of_the_trials(project: Callable[..., Path]) -> None:
    import keras

    sample = Sample(project(mine__space=HALF), "mine.space:build", TASK, 1, {}, "val_loss")

    fly(sample)
    try:
        with pytest.raises(ExperimentRefused, match="of bfloat16"):
            fly(replace(sample, precision="mixed_bfloat16"))
    finally:
        keras.config.set_dtype_policy("float32")


TRAINED = """
import keras

class Plain(keras.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if y_pred.dtype != "float32":
            raise TypeError(f"of {y_pred.dtype.name}")
        return super().compute_loss(x, y, y_pred, sample_weight, training)

def build(hp):
    model = Plain([keras.Input(hp.task.image_shape), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    return model
"""


def test_the_sample_that_trains_does_so_in_the_precision_of_the_trials(project: Callable[..., Path]) -> None:
    import keras

    sample = Sample(project(mine__space=TRAINED), "mine.space:build", TASK, 1, {}, "val_loss")

    try:
        with pytest.raises(ExperimentRefused, match="of bfloat16"):
            fly(replace(sample, precision="mixed_bfloat16"))
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_build_that_forgets_the_precision_of_the_trials_is_refused_with_the_mend(
    project: Callable[..., Path],
) -> None:
    import keras

    clearing = "import keras\nfrom mine.models import made\n\ndef build(hp):\n    keras.backend.clear_session()\n"
    root = project(mine__space=f"{clearing}    return made(hp, 3)\n")
    sample = Sample(root, "mine.space:build", TASK, 1, {}, "val_loss")

    fly(sample)
    try:
        with pytest.raises(ExperimentRefused, match=r"back to 'float32'.*\n.*take clear_session out"):
            fly(replace(sample, precision="mixed_bfloat16"))
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.promise("29")
def test_what_is_no_compiled_model_is_said_clearly() -> None:
    import keras

    with pytest.raises(NotAModel, match="returned nothing; does it end with `return model`"):
        build(lambda _: None, None)
    with pytest.raises(NotAModel, match=r"returned a builtins.int, not a keras.Model"):
        build(lambda _: 3, None)
    with pytest.raises(NotAModel, match="not compiled"):
        build(lambda _: keras.Sequential([keras.layers.Dense(1)]), None)


SPACE = """
from mine.models import made

def build_model(hp):
    for layer in range(hp.Int("layers", 1, 3)):
        units = hp.Int(f"units_{layer}", 1, 9)
    if hp.Choice("kind", ["plain", "odd"]) == "odd":
        hp.Float("oddness", 0, 1)
        raise ValueError("cannot be built")
    with hp.conditional_scope("kind", ["odd"]):
        hp.Int("scoped", 1, 4)
    return made(hp, units)
"""


def test_sample_builds_find_what_only_other_values_show(project: Callable[..., Path]) -> None:
    found = discover(project(mine__space=SPACE), "mine.space:build_model", TASK, seed=1).parameters

    assert [parameter.name for parameter in found[:4]] == ["layers", "units_0", "kind", "scoped"]
    assert {parameter.name for parameter in found[4:]} == {"units_1", "units_2", "oddness"}
    assert found == discover(project(), "mine.space:build_model", TASK, seed=1).parameters


RARE = """
from mine.models import made

OPTIMIZERS = ["sgd", "adam", "adamw", "nadam", "adamax", "lion", "ftrl", "adagrad"]

def build_model(hp):
    for layer in range(hp.Int("layers", 1, 5)):
        hp.Int(f"units_{layer}", 1, 900)
    optimizer = hp.Choice("optimizer", OPTIMIZERS)
    if optimizer == "sgd":
        hp.Float("sgd_momentum", 0, 0.9)
    elif optimizer == "ftrl":
        hp.Float("ftrl_power", -0.9, -0.1)
        if hp.Choice("ftrl_kind", ["a", "b", "c", "d", "e", "f"]) == "f":
            hp.Boolean("ftrl_rare")
    return made(hp, 3)
"""


@pytest.mark.parametrize("seed", range(2))
def test_sample_builds_come_to_every_branch_of_small_choices(project: Callable[..., Path], seed: int) -> None:
    found = discover(project(mine__space=RARE), "mine.space:build_model", TASK, seed).parameters

    common = {"layers", "optimizer", *map("units_{}".format, range(5))}
    assert {one.name for one in found} == common | {"sgd_momentum", "ftrl_power", "ftrl_kind", "ftrl_rare"}


def test_a_wish_that_only_a_rare_branch_shows_to_be_impossible_is_refused(project: Callable[..., Path]) -> None:
    with pytest.raises(ExperimentRefused, match="'yes' is none of its choices"):
        discover(project(mine__space=RARE), "mine.space:build_model", TASK, 1, {"ftrl_rare": "yes"})


def test_sample_builds_end_though_there_are_more_branches_than_builds(project: Callable[..., Path]) -> None:
    root = project(
        mine__space="from mine.models import made\ncalls = []\n\ndef build_model(hp):\n    calls.append(1)\n"
        "    name = ''\n    for _ in range(9):\n        name += hp.Choice(f'next{name}', list('abcdefgh'))\n"
        "    return made(hp, 3)\n"
    )

    discover(root, "mine.space:build_model", TASK, seed=1)

    assert len(sys.modules["mine.space"].calls) == MOST_BUILDS


def test_sample_builds_follow_the_narrowed_space(project: Callable[..., Path]) -> None:
    space = {"layers": Bounds(min=2, max=2), "kind": "plain", "units_1": [4, 5]}

    found = {one.name: one for one in discover(project(mine__space=SPACE), "mine.space:build_model", TASK, 1, space)[0]}

    assert set(found) == {"layers", "units_0", "units_1", "kind", "scoped"}
    assert (found["kind"].kind, found["units_1"].choices, found["layers"].default) == ("fixed", (4, 5), 2)


def test_all_wishes_that_cannot_be_granted_are_told_at_once(project: Callable[..., Path]) -> None:
    with pytest.raises(ExperimentRefused) as caught:
        discover(project(mine__space=SPACE), "mine.space:build_model", TASK, 1, {"kind": "plane", "layers": "many"})

    assert [mistake.where for mistake in caught.value.mistakes] == ["space.layers", "space.kind"]


@pytest.mark.promise("36")
def test_a_build_that_asks_differently_each_time_is_refused(project: Callable[..., Path]) -> None:
    root = project(
        mine__space="from mine.models import made\ncalls = []\n\ndef build_model(hp):\n    calls.append(1)\n"
        "    hp.Int('steady', 1, 2)\n    return made(hp, hp.Int(f'units_{len(calls)}', 1, 9))\n"
    )

    with pytest.raises(SpaceDrift, match="'units_1', 'units_2'"):
        discover(root, "mine.space:build_model", TASK, seed=1)


def test_a_build_that_fails_with_its_defaults_is_raised(project: Callable[..., Path]) -> None:
    root = project(mine__space="def build_model(hp):\n    raise ValueError('my own words')\n")

    with pytest.raises(ValueError, match="my own words"):
        discover(root, "mine.space:build_model", TASK, seed=1)
