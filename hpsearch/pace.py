"""Decides how training steps are computed: as asked for, as the study began, or as a measurement says that it pays."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_cache_path

from hpsearch import files, provenance
from hpsearch.experiment import Train
from hpsearch.orders import Steps
from hpsearch.protocols import Call
from hpsearch.worker import speeds

WORTH = 0.9  # of the time without; what gains less than a tenth is not worth another rounding
NETWORKS = ("dense", "convolutional")
SHARE = re.compile(r" of [\d,]+ MiB")  # of a card's memory: another one whenever others use the card


def settle(train: Train, before: Mapping[str, str], call: Call, where: str = "") -> Steps:
    """How this study computes its steps.

    `before` is the provenance of the study's last session: what was measured for the first holds for all.
    `call(function)` runs a module-level function in a fresh process, on the cards that `where` names if it names any.
    """
    if "auto" not in {train.compile, train.precision}:
        measured = Steps()
    elif "steps" in before:
        measured = Steps(**json.loads(before["steps"]))
    else:
        measured = _measured(call, where)
    xla = measured.xla if train.compile == "auto" else train.compile
    return Steps(xla, measured.precision if train.precision == "auto" else train.precision)


def _measured(call: Call, where: str) -> Steps:
    try:
        return paying(machine_speeds(call, where))
    except Exception:  # noqa: BLE001  # plain steps are right on every machine, whatever XLA or a full disk may raise
        return Steps()


def paying(milliseconds: Mapping[str, float]) -> Steps:
    """What makes every kind of network faster by a tenth or more."""

    def pays(variant: str) -> bool:
        return all(milliseconds[f"{kind} {variant}"] < WORTH * milliseconds[f"{kind} float32"] for kind in NETWORKS)

    return Steps(pays("XLA"), "mixed_bfloat16" if pays("bfloat16") else "float32")


def machine_speeds(call: Call, where: str) -> dict[str, float]:
    """Milliseconds a step in every variant: as measured before on this machine under this TensorFlow, or now."""
    file = _file(where)
    try:
        known: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = call(speeds.measure)
        files.make(file.parent)
        files.write_text(file, json.dumps(known, indent=2) + "\n")
    return known


def _file(where: str) -> Path:
    cards, tensorflow = SHARE.sub("", where), provenance.versions().get("tensorflow")
    about = [provenance.machine(), provenance.processor(), cards, tensorflow]
    return user_cache_path("hpsearch") / f"speeds-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:12]}.json"
