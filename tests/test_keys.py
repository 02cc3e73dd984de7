"""The page about an experiment's keys says what the program takes, all of it, and its examples are taken."""

import inspect
import re
from pathlib import Path

import pytest

from hpsearch import plugins
from hpsearch.__main__ import main
from hpsearch.experiment import Experiment
from hpsearch.keys.page import page
from hpsearch.loading import load
from hpsearch.paths import Project

ROOT = Path(__file__).parents[1]
DEFINED = Experiment.model_json_schema()["$defs"] | {"Experiment": Experiment.model_json_schema()}
EXAMPLES = re.findall(r"```toml\n(.*?)```", page(), re.DOTALL)
OPTIONS = [
    (socket, name, option)
    for socket in ("tuners", "pruners")
    for name in plugins.known(socket)
    for option in plugins.options(plugins.part(socket, name))
]


def test_the_page_in_docs_is_that_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["schema", "--markdown"])

    kept = (ROOT / "docs" / "experiment.md").read_text(encoding="utf-8")
    assert code == 0
    assert capsys.readouterr().out == kept, "write it anew: hpsearch schema --markdown > docs/experiment.md"


@pytest.mark.parametrize("section", DEFINED)
def test_every_key_has_its_sentence_on_the_page(section: str) -> None:
    words = page()

    for key, field in DEFINED[section]["properties"].items():
        if "$ref" in field or key == "space":
            assert f"## `[{key}]`" in words
        else:
            sentence = re.escape(" ".join(field["description"].split()))
            assert re.search(rf"^\| `{key}` \| .* \| {sentence} \|$", words, re.MULTILINE), key


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_page_has_no_mistakes(example: str, tmp_path: Path) -> None:
    file = tmp_path / "shown.toml"
    rest = [
        text
        for name, text in {"model": 'build = "searchspace.mlp:build_model_mlp"', "search": "trials = 5"}.items()
        for text in (f"[{name}]", text)
        if f"[{name}]\n" not in example
    ]
    file.write_text("\n".join(['name = "shown"', example, *rest]), encoding="utf-8")

    assert load(file, Project(ROOT)).name == "shown"


@pytest.mark.parametrize(("socket", "name", "option"), OPTIONS)
def test_every_option_is_explained_where_its_part_is(socket: str, name: str, option: str) -> None:
    explained = inspect.getdoc(plugins.part(socket, name)) or ""

    assert f"`{option}`" in explained
    assert re.search(rf"^\| `{re.escape(name)}` \| .*`{option}\b.*$", page(), re.MULTILINE)
