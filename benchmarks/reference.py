"""Runs the reference experiments and writes their tables to docs/experiments/README.md.

python benchmarks/reference.py                          those that take minutes (NAMES below; LONG take longer)
python benchmarks/reference.py mnist_ann                one of them, or any other file of experiments/
python benchmarks/reference.py mnist_cnn --tables-only  only the table, of a study that has been run

Every number comes from the study's ledger. A section stands until its experiment is named again.
--data is a folder with MNIST's four files, as they are fetched otherwise; --set goes to `hpsearch run` as it is, and
stands in the section's command, folders as FOLDER: so the tables say that they were made on other images.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpsearch.errors import HpsearchError
from hpsearch.files import write_text
from hpsearch.paths import Project
from hpsearch.study import read
from reference_tables import Aim, section, table, told

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "experiments" / "README.md"
NAMES = ("mnist_four_mlps", "mnist_ann", "mnist_cnn_reference", "mnist_cnn_normalize")
LONG = ("mnist_cnn", "emnist_mlp_cv", "emnist_cnn_cv")
AIMS = {
    "mnist_four_mlps": Aim(
        "validation",
        (
            ({"units": 16, "activation": "sigmoid"}, 0.9479),
            ({"units": 16, "activation": "relu"}, 0.9514),
            ({"units": 64, "activation": "sigmoid"}, 0.9729),
            ({"units": 64, "activation": "relu"}, 0.9747),
        ),
    ),
    "mnist_ann": Aim("test", (({}, 0.9787),)),
}
HEAD = """# Reference experiments

Written by `benchmarks/reference.py` from the studies' ledgers; no number is copied by hand.
`make reference` runs the first four of the table below again, in some twenty minutes.
The others are run by name, such as `python benchmarks/reference.py mnist_cnn`.
An experiment's file says what is searched and how; on MNIST, its command makes its section's figures again.
Seeds are fixed, but another machine may add in another order, so last digits differ.
Times are of a machine that did other work, too, except for mnist-cnn's.
*Aim* is the accuracy that an experiment was made to reach.

Where a command has `data.folder=FOLDER`, its images are a selection of EMNIST of our own, which is not published:
780 of each of the 47 classes to train on and 130 to test on, none in both, from the official training and test images.
So do not compare its figures with published ones.
Without its settings the command searches the official balanced split, and comes to other figures.
"""
PLACES = {"data.folder": "FOLDER", "data.file": "FILE", "data.mirror": "FOLDER"}  # where they lie is this machine's own
NOT_YET = "not run yet"


def main() -> int:
    """Run what was asked for and write its sections; give the exit code of the first run that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="files of experiments/, without .toml")
    parser.add_argument("--data", type=Path, help="a folder with MNIST's four files")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--tables-only", action="store_true", help="run nothing")
    options = parser.parse_args()
    for name in options.names or NAMES:
        settings = [word for setting in options.settings for word in ("--set", setting)]
        if not options.tables_only and (code := run(name, options.data, settings)):
            return code
        old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        try:
            write_text(PAGE, page(old, written(name, settings)))
        except (HpsearchError, ValueError) as error:
            write_text(PAGE, page(old))
            print(f"{name}: its section of {PAGE.relative_to(ROOT)} stays as it was: {error}", flush=True)
    return 0


def run(name: str, data: Path | None, settings: Sequence[str]) -> int:
    """Run an experiment, or go on with it, in the project; give its exit code."""
    mirror = ["--set", f"data.mirror={data.resolve()}"] if data else []
    command = [sys.executable, "-m", "hpsearch", "run", f"experiments/{name}.toml", *mirror, *settings]
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603  # our own command


def written(name: str, settings: Sequence[str]) -> str:
    """The section of an experiment whose study has come to its end, run with these settings."""
    text = (ROOT / "experiments" / f"{name}.toml").read_text(encoding="utf-8")
    study = told(read(Project(ROOT), tomllib.loads(text)["name"]))
    return section(about(text), command(name, settings), study, AIMS.get(name))


def command(name: str, settings: Sequence[str] = ()) -> str:
    """The command that makes an experiment's figures again, for the page."""
    return " ".join(["hpsearch", "run", f"experiments/{name}.toml", *map(_without_place, settings)])


def _without_place(setting: str) -> str:
    """The setting, without the name of a file or folder."""
    key, equals, value = setting.partition("=")
    return key + equals + PLACES.get(key, value)


def about(text: str) -> str:
    """The comment that an experiment file begins with."""
    lines = [line.removeprefix("#").strip() for line in text.partition("\n\n")[0].splitlines()]
    return "\n".join(line for line in lines if line)


def page(old: str, new: str = "") -> str:
    """The old page with the new section in the place of the one of its name, else behind the others."""
    sections = {_name(one): one for one in re.split(r"^(?=## )", old, flags=re.MULTILINE)[1:]}
    if new:
        sections[_name(new)] = new
    return "\n".join([HEAD, *_overview(sections), *_spaced(sections)])


def _overview(sections: Mapping[str, str]) -> list[str]:
    """What there is, each with its command; a link where there is a section."""
    rows = []
    for stem in (*NAMES, *LONG):
        if not (file := ROOT / "experiments" / f"{stem}.toml").exists():
            continue
        text = file.read_text(encoding="utf-8")
        name = tomllib.loads(text)["name"]
        done = f"## {name}" in sections
        what = about(text).partition("\n")[0]
        rows.append([f"[{name}](#{name})" if done else name, what, f"`hpsearch run experiments/{stem}.toml`"])
        rows[-1].append("" if done else NOT_YET)
    return [*table(["experiment", "what it is", "command", ""], rows), ""]


def _name(one: str) -> str:
    return one.partition("\n")[0]


def _spaced(sections: Mapping[str, str]) -> Sequence[str]:
    return [one.rstrip("\n") + "\n" for one in sections.values()]


if __name__ == "__main__":
    sys.exit(main())
