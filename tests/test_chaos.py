"""Studies that are killed at named places and at random moments come to what undisturbed ones come to."""

import chaos
import pytest

from hpsearch.ledger import KINDS

DURABLE = ("SpaceFound", "TrialResult", "FinalistsChosen", "TestOpened", "Verdict", "SessionEnded")
LATER = {"TestLooked"}  # no run writes it, but a command after the end
WRITTEN = [f"{kind}.written" for kind in KINDS if kind not in LATER] + [f"{kind}.durable" for kind in DURABLE]
FILES = ("holder.json", "holdout.npz", "experiment.json", "classification_report.txt", "manifest.json", "report.html")
COORDINATOR = [*WRITTEN, *(f"{file}.{moment}" for file in FILES for moment in ("filled", "renamed"))]
WORKER = {  # each place at another time, so that no trial is lost three times and given up
    "fit.begun": 1, "checkpoint.bin.filled": 8, "fit.built": 5, "epoch.trained": 22, "epoch.told": 30,
    "checkpoint.bin.renamed": 38, "fit.ended": 8, "best.bin.filled": 46, "best.bin.renamed": 54,
}  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    arena = chaos.Arena(tmp_path_factory.mktemp("chaos") / "undisturbed")
    assert arena.finish() == 0
    return arena


def failing(folder, failpoints):
    (folder / "counts").mkdir(parents=True)
    more = {"HPSEARCH_FAILPOINT": ",".join(failpoints), "HPSEARCH_FAILPOINT_COUNTS": str(folder / "counts")}
    return chaos.Arena(folder / "project", more=more)


@pytest.mark.promise("1", "2", "3", "4", "5", "7", "9", "P2")
@pytest.mark.timeout(600)
def test_a_coordinator_killed_at_each_place_of_its_way_comes_to_the_same_end(tmp_path, undisturbed):
    arena = failing(tmp_path, [f"{place}=kill" for place in COORDINATOR])

    code = arena.finish(starts=2 * len(COORDINATOR))

    assert code == 0
    assert arena.wrong(undisturbed) == []
    assert sorted(file.name for file in (tmp_path / "counts").iterdir()) == sorted(COORDINATOR)


@pytest.mark.promise("2", "3", "4", "5", "10", "P2")
@pytest.mark.parametrize("later", [0, 1])
def test_workers_killed_at_each_place_of_their_way_are_replaced(tmp_path, undisturbed, later):
    arena = failing(tmp_path, [f"{place}=kill@{number + later}" for place, number in WORKER.items()])

    assert arena.finish() == 0

    assert arena.wrong(undisturbed) == []
    assert sorted(file.name for file in (tmp_path / "counts").iterdir()) == sorted(WORKER)


@pytest.mark.long
@pytest.mark.promise("6", "P6")
def test_runs_that_a_killed_coordinator_left_open_in_mlflow_are_closed_by_the_next(tmp_path, undisturbed):
    places = (
        "outbox.heard=kill@2",
        "AttemptEnd.written=kill@3",
        "TrialResult.durable=kill@5",
        "mlflow.cursor.filled=kill@2",
    )
    arena = failing(tmp_path, places)
    arena.mlflow = True
    arena.lay_out()

    assert arena.finish() == 0

    assert arena.wrong(undisturbed) == []


@pytest.mark.promise("8", "10", "16", "P1", "P4")
@pytest.mark.timeout(600)
def test_random_kills_lose_and_double_nothing():
    outcome = chaos.soak(seed=7, kills=20, seconds=300)

    assert outcome["wrong"] == []
    assert outcome["epochs trained twice"] <= outcome["kills"] * 2 + outcome["bits flipped"] * chaos.EPOCHS


def test_the_nemesis_sees_a_result_that_was_changed(tmp_path, undisturbed):
    other = chaos.Arena(tmp_path / "other", epochs=chaos.EPOCHS - 1)

    assert other.finish() == 0

    assert any(found.startswith("it came to") for found in other.wrong(undisturbed))
