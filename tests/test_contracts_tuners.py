"""Every registered tuner and pruner keeps the promises of its socket."""

from typing import Any

import pytest

from hpsearch import plugins
from hpsearch.testing.pruners import PrunerContract
from hpsearch.testing.tuners import TunerContract


@pytest.mark.promise("40")
class TestKerasTunerRandom(TunerContract):
    ends = True

    @pytest.fixture
    def make(self) -> Any:
        return plugins.part("tuners", "keras-tuner.random")


@pytest.mark.promise("40")
class TestKerasTunerGrid(TunerContract):
    ends = True
    repeats = True

    @pytest.fixture
    def make(self) -> Any:
        return plugins.part("tuners", "keras-tuner.grid")


@pytest.mark.promise("40")
class TestOptunaRandom(TunerContract):
    @pytest.fixture
    def make(self) -> Any:
        return plugins.part("tuners", "optuna.random")


@pytest.mark.promise("40")
class TestOptunaTPE(TunerContract):
    @pytest.fixture
    def make(self) -> Any:
        return plugins.part("tuners", "optuna.tpe")


class TestNoPruner(PrunerContract):
    prunes = False

    @pytest.fixture
    def make(self) -> Any:
        return plugins.part("pruners", "none")


class TestMedian(PrunerContract):
    @pytest.fixture
    def make(self) -> Any:
        return plugins.part("pruners", "median")


class TestASHA(PrunerContract):
    @pytest.fixture
    def make(self) -> Any:
        return plugins.part("pruners", "asha")


@pytest.mark.parametrize("socket", ["tuners", "pruners"])
def test_every_registered_part_runs_its_contract(socket: str) -> None:
    ours = {part for part in plugins.known(socket) if plugins.part(socket, part).__module__.startswith("hpsearch.")}

    assert (
        ours
        == {
            "tuners": {"keras-tuner.grid", "keras-tuner.random", "optuna.random", "optuna.tpe"},
            "pruners": {"asha", "median", "none"},
        }[socket]
    )
