"""Decides how training steps are computed: as asked for, as the study began, or as a measurement says that it pays."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hpsearch import files, paths, provenance
from hpsearch.errors import FolderUnusable
from hpsearch.experiment import Train
from hpsearch.orders import Steps
from hpsearch.protocols import Call
from hpsearch.worker import speeds

SHORT = 100_000  # images trained on in a fit: XLA's 1.5 s or more for each fit are a good part of what these take
SHARE = re.compile(r" of [\d,]+ MiB")  # of a card's memory: another one whenever others use the card


def settle(train: Train, images: int, before: Mapping[str, str], call: Call, where: str = "") -> Steps:
    """How this study computes its steps, where each of its fits trains on so many images, counted anew each epoch.

    `before` is the provenance of the study's last session: what was measured for the first holds for all.
    `call(function)` runs a module-level function in a fresh process, on the cards that `where` names if it names any.
    """
    asked = ["XLA"] if train.compile == "auto" and images >= SHORT else []
    asked += ["bfloat16"] if train.precision == "auto" else []
    measured = Steps(**json.loads(before["steps"])) if "steps" in before else _measured(asked, call, where)
    xla = measured.xla if train.compile == "auto" else train.compile
    return Steps(xla, measured.precision if train.precision == "auto" else train.precision)


def _measured(asked: Sequence[str], call: Call, where: str) -> Steps:
    try:
        measured = machine_speeds(asked, call, where)
        paying = {variant for variant in asked if speeds.pays(measured[variant])}
    except Exception:  # noqa: BLE001  # plain steps are right on every machine, whatever XLA may raise
        return Steps()
    return Steps("XLA" in paying, "mixed_bfloat16" if "bfloat16" in paying else "float32")


def machine_speeds(asked: Sequence[str], call: Call, where: str) -> speeds.Speeds:
    """How fast steps are in these variants: as measured before on this machine under this TensorFlow, or now.

    Where what is measured cannot be kept for the next study, it is of use to this one all the same.
    """
    file = _file(where)
    known = _kept(file) if file else {}
    if missing := [variant for variant in asked if variant not in known]:
        known |= call(speeds.measure, missing)
        if file:
            with suppress(FolderUnusable):
                files.make(file.parent)
                files.write_text(file, json.dumps(known, indent=2) + "\n")
    return known


def _file(where: str) -> Path | None:
    """Where the speeds of this machine are kept, if anywhere: None where there is neither HPSEARCH_DATA nor a home."""
    cards, tensorflow = SHARE.sub("", where), provenance.versions().get("tensorflow")
    about = [provenance.machine(), provenance.processor(), cards, tensorflow]
    try:
        return paths.cache() / f"speeds-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:12]}.json"
    except FolderUnusable:
        return None


def _kept(file: Path) -> speeds.Speeds:
    try:
        known: speeds.Speeds = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known
