"""Says everything that is wrong with an experiment file, or prints what it comes to; nothing of it is run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpsearch.cli.output import complain, print_json, say

if TYPE_CHECKING:
    from hpsearch.experiment import Experiment

EPILOG = """\b
Examples:
  hpsearch check experiments/mnist_mlp.toml
  hpsearch check experiments/mnist_mlp.toml --set search.tuner=optuna.tpe --json"""


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change a key, such as search.trials=50.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, mistakes too.")
@click.pass_context
def check(ctx: click.Context, file: Path, sets: tuple[str, ...], *, as_json: bool) -> None:
    """Say everything that is wrong with the experiment FILE, or print it with every default filled in."""
    from hpsearch.errors import ExperimentRefused
    from hpsearch.loading import load, show
    from hpsearch.loading.part_checks import idle_parts, unusable
    from hpsearch.paths import Project

    try:
        experiment = load(file, Project.around(file.absolute().parent), sets)
    except ExperimentRefused as refused:
        if not as_json:
            raise
        mistakes = [{"where": one.where, "what": one.what, "mend": one.mend} for one in refused.mistakes]
        print_json({"ok": False, "mistakes": mistakes})
        ctx.exit(refused.exit_code)
    said, warnings = resolved(experiment), [*filter(None, (unusable(experiment.data), *idle_parts(experiment)))]
    if as_json:
        print_json({"ok": True, "warnings": warnings, "experiment": said})
        return
    say(f"# {show(file)}: no mistakes; with every default filled in it reads\n\n{toml(said)}")
    for warning in warnings:
        complain(f"warning: {warning}")


def resolved(experiment: "Experiment") -> dict[str, Any]:
    """The experiment with every default filled in, as plain data that may be shown (addresses are redacted)."""
    from hpsearch.provenance import public

    said = public(experiment)
    said["data"]["validation"] = experiment.data.holdout
    return said


def toml(said: dict[str, Any]) -> str:
    """Write an experiment as TOML; keys without a value are left out."""
    top = [_pair(key, value) for key, value in said.items() if not isinstance(value, dict) and value is not None]
    parts = ["\n".join(top)]
    for name, section in said.items():
        if isinstance(section, dict) and section:
            pairs = [_pair(key, value) for key, value in section.items() if value is not None and value != {}]
            parts.append("\n".join([f"[{name}]", *pairs]))
    return "\n\n".join(parts)


def _pair(key: str, value: Any) -> str:
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return f"{key if bare else _text(key)} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(_pair(key, inner) for key, inner in value.items() if inner is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    """A basic string of TOML; it reads the escapes of JSON, and wants DEL escaped as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
