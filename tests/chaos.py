"""Runs studies under a seeded nemesis that kills, stops and corrupts, and checks every promise afterwards.

python tests/chaos.py --kills 200 --seed 1
python tests/chaos.py --seconds 600 --seed 1

The command, the coordinator, the ledger, processes, pipes and checkpoints are the program's own; only the training is
a formula (fake_parts). Every study is run until it ends by itself, the same command again and again, and is compared
with one that nobody disturbed.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import history
import psutil

from hpsearch.errors import FolderUnusable

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TRIALS, EPOCHS = 12, 5
MOST_LOSSES = 2  # of a fit in a session; at the third the program gives its trial up, as it says
MOST_STARTS = 200
DISK_FULL = 7  # the exit code
RUN = ("-m", "hpsearch", "run", "tiny.toml", "--plain")
EXPERIMENT = """
name = "tiny"
data = {{ source = "fake"{folds} }}
model = {{ build = "searchspace.tiny:build" }}
search = {{ trials = {trials}, tuner = "optuna.random" }}
train = {{ epochs = {epochs}, batch_size = 4, compile = false }}
final = {{ finalists = 2, seeds = 1 }}
workers = {{ kind = "fake", count = {workers} }}
tracking = {{ mlflow = {mlflow} }}
"""


@dataclass
class Arena:
    """A project of its own in a folder, and the one command that is run in it."""

    folder: Path
    trials: int = TRIALS
    epochs: int = EPOCHS
    mlflow: bool = False
    folds: int = 0
    workers: int = 2
    more: dict[str, str] = field(default_factory=dict)
    epoch_seconds: float = 0.02

    def __post_init__(self) -> None:
        """Lay the project out."""
        self.lay_out()

    def lay_out(self) -> None:
        """Write the project's files."""
        (self.folder / "searchspace").mkdir(parents=True, exist_ok=True)
        (self.folder / "searchspace" / "tiny.py").write_text("def build(hp):\n    return None\n")
        words = {"trials": self.trials, "epochs": self.epochs, "mlflow": '"sqlite:///mlruns/mlflow.db"'}
        words |= {"folds": f", folds = {self.folds}" if self.folds else "", "workers": self.workers}
        words |= {} if self.mlflow else {"mlflow": "false"}
        (self.folder / "tiny.toml").write_text(EXPERIMENT.format(**words))

    @property
    def ledger(self) -> Path:
        """The study's ledger."""
        return self.folder / "mlruns" / "studies" / "tiny" / "ledger.db"

    @property
    def diary(self) -> Path:
        """The workers' diary; beside the project, whose disk may be full."""
        return self.folder.with_name(f"{self.folder.name}.history.jsonl")

    @property
    def output(self) -> Path:
        """What the command said, beside the project too."""
        return self.folder.with_name(f"{self.folder.name}.output.txt")

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Give the command, or Python other words; what it says goes to a file."""
        surroundings = {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE / 'fake_parts'}", "HPSEARCH_DATA": str(self.folder / "data"),
            "HISTORY": str(self.diary), "FAKE_EPOCH_SECONDS": str(self.epoch_seconds),
        }  # fmt: skip
        with self.output.open("ab") as output:
            output.write(b"---\n")
            output.flush()
            return subprocess.Popen(
                [sys.executable, *(words or RUN)], cwd=self.folder, stdout=output, stderr=output,
                env=os.environ | surroundings | self.more, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def trained(self) -> int:
        """How many epochs the workers have made so far."""
        return sum(entry["what"] == "epoch" for entry in history.diary(self.diary))

    def wait_for(self, epochs: int, seconds: float = 60) -> None:
        """Wait until the workers have made so many epochs."""
        until = time.monotonic() + seconds
        while self.trained() < epochs:
            if time.monotonic() > until:
                raise TimeoutError(self.output.read_text()[-2000:])
            time.sleep(0.01)

    def finish(self, *, starts: int = 10) -> int:
        """Give the command until it ends by itself; its exit code."""
        for _ in range(starts):
            if (code := self.start().wait(120)) >= 0:
                return code
        message = f"the study did not end in {starts} starts"
        raise AssertionError(message)

    def story(self) -> list[history.News]:
        """What the ledger holds, if there is one yet."""
        return history.story(self.ledger) if self.ledger.exists() and self.ledger.stat().st_size else []

    def left_over(self) -> list[str]:
        """The study's processes that have not ended within five seconds, or twenty on a machine with much to do."""
        until = time.monotonic() + 20
        while (left := list(history.left_over(f"HISTORY={self.diary}"))) and time.monotonic() < until:
            time.sleep(0.05)
        return left

    def wrong(self, undisturbed: "Arena") -> list[str]:
        """All that is not as promised once the study has ended."""
        records, entries = self.story(), history.diary(self.diary)
        found = [
            *history.doubled(records), *history.overlapping(entries), *history.unlike(entries, records),
            *history.miscounted(records, self.trials), *history.renumbered(records), *history.damaged(self.ledger),
            *history.reopened(records), *self.left_over(),
        ]  # fmt: skip
        came, straight = history.table(records), history.table(undisturbed.story())
        if came != straight:
            other = ([row for row in one if row not in both] for one, both in ((came, straight), (straight, came)))
            found += ["it came to {}, undisturbed to {}".format(*other), *history.losses(records)]
        found += [
            f"its finals came to {verdict}"
            for verdict in history.verdicts(records)
            if verdict not in history.verdicts(undisturbed.story())
        ]
        if self.mlflow:
            found += history.still_running(self.folder / "mlruns" / "mlflow.db")
        return found


class Nemesis:
    """Does harm to one study until it ends."""

    def __init__(self, arena: Arena, chance: random.Random, *, small_disk: bool = False) -> None:
        self._arena, self._chance, self._small_disk = arena, chance, small_disk
        self.did: Counter[str] = Counter()
        self.found: list[str] = []
        self._roots_killed = 0

    def run(self) -> None:
        """Start, harm and restart; what was found wrong on the way stands in `found`."""
        kept: list[history.News] = []
        for _ in range(MOST_STARTS):
            self._roots_killed = 0
            code = self._disturb(self._arena.start())
            self.did["starts"] += 1
            now = self._arena.story()
            self.found += history.lost(kept, now)
            kept = now
            if code == 0:
                return
            if code == DISK_FULL and self._small_disk:
                self.did["stops by a full disk"] += 1
            elif code != -signal.SIGKILL:
                self.found.append(f"exit code {code}: {self._arena.output.read_text()[-2000:]}")
                return
            self.found += self._arena.left_over()
        self.found.append(f"the study did not end in {MOST_STARTS} starts")

    def _disturb(self, coordinator: subprocess.Popen[bytes]) -> int:
        """Do harm while trials are made; one start in eight is disturbed from its first moment."""
        quiet = 0 if self._chance.random() < 1 / 8 else self._written() + self._chance.randint(1, 20)
        while True:
            try:
                return coordinator.wait(self._chance.uniform(0.02, 0.25))
            except subprocess.TimeoutExpired:
                if self._written() >= quiet:
                    self._harm(coordinator)

    def _written(self) -> int:
        """How much the workers have done."""
        return len(history.diary(self._arena.diary))

    def _harm(self, coordinator: subprocess.Popen[bytes]) -> None:
        fills = 4 if self._small_disk else 0
        match self._chance.choices(("worker", "coordinator", "pause", "flip", "fill"), (12, 2, 2, 2, fills))[0]:
            case "worker" if self._arena.diary.exists():
                with _held_still(coordinator):  # or it might give a fit to the victim while that is chosen
                    self._kill(self._victim(coordinator))
            case "coordinator":
                self.did["coordinators killed"] += 1
                coordinator.kill()
            case "pause" if victim := self._victim(coordinator):
                self.did["pauses"] += 1
                _signal(victim, signal.SIGSTOP)
                time.sleep(self._chance.uniform(0.05, 0.3))
                _signal(victim, signal.SIGCONT)
            case "flip":
                self._flip()
            case "fill":
                self._fill()

    def _kill(self, victim: int | None) -> None:
        if victim:
            self.did["workers killed"] += 1
            _signal(victim, signal.SIGKILL)
            with suppress(psutil.Error):
                while psutil.Process(victim).status() != psutil.STATUS_ZOMBIE:
                    time.sleep(0.001)

    def _victim(self, coordinator: subprocess.Popen[bytes]) -> int | None:
        """A process below the coordinator, unless a fit might be lost with it that was lost too often already.

        Of a process that waits, and of what workers are forked from, any fit may be the next. The latter is spared as
        often: one that never gets to its feet ends the session.
        """
        with suppress(psutil.Error, FolderUnusable):  # the latter where it was held in the middle of opening
            below = psutil.Process(coordinator.pid).children(recursive=True)
            fits = {entry["pid"]: entry["fit"] for entry in history.diary(self._arena.diary)}
            roles = {one.pid: fits.get(one.pid, "root" if one.ppid() == coordinator.pid else "") for one in below}
            victim = self._chance.choice(sorted(roles)) if roles else 0
            spent = {fit for fit, losses in history.lost_now(self._arena.story()).items() if losses >= MOST_LOSSES}
            if not roles or (spent and roles[victim] in spent | {"", "root"}):
                return None
            if roles[victim] == "root":
                self._roots_killed += 1
                return victim if self._roots_killed <= MOST_LOSSES else None
            return victim
        return None

    def _flip(self) -> None:
        """Turn over one bit of a checkpoint."""
        files = sorted((self._arena.ledger.parent / "fits").glob("*/checkpoint.bin"))
        if not files:
            return
        with suppress(FileNotFoundError), self._chance.choice(files).open("r+b") as file:
            content = file.read()
            place = self._chance.randrange(len(content)) if content else 0
            file.seek(place)
            file.write(bytes([content[place] ^ 1 << self._chance.randrange(8)]))
            self.did["bits flipped"] += 1

    def _fill(self) -> None:
        """Leave little room or none on the project's disk for a moment."""
        ballast = self._arena.folder / "ballast"
        room = shutil.disk_usage(self._arena.folder).free - self._chance.randrange(50_000)
        with suppress(OSError):  # others may take the room first
            ballast.write_bytes(bytes(max(0, room)))
        time.sleep(self._chance.uniform(0.05, 0.3))
        ballast.unlink()
        self.did["disks filled"] += 1


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


@contextmanager
def _held_still(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Within, the process is paused."""
    process.send_signal(signal.SIGSTOP)
    try:
        with suppress(psutil.Error):
            while psutil.Process(process.pid).status() not in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}:
                time.sleep(0.001)
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Within, the folder is a disk of a few megabytes, if this user may mount one; say whether it is."""
    folder.mkdir()
    mounted = False
    if mount := shutil.which("mount"):
        words = [mount, "-t", "tmpfs", "-o", "size=14m", "tmpfs", str(folder)]
        mounted = subprocess.run(words, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def studies(folder: Path, seed: int) -> Iterator[tuple[Counter[str], list[str]]]:
    """One disturbed study after another: what was done to it, and what was found wrong.

    Of five, one tells MLflow, and one lies on a disk that is filled at times.
    """
    undisturbed = Arena(folder / "undisturbed")
    if code := undisturbed.finish():
        message = f"the undisturbed study ended with exit code {code}"
        raise AssertionError(message)
    number = 0
    while True:
        chance, place = random.Random(f"{seed} {number}"), folder / f"study-{number}"
        with small_disk(place) if number % 5 == 2 else nullcontext(False) as small:
            arena = Arena(place, mlflow=number % 5 == 4)
            nemesis = Nemesis(arena, chance, small_disk=small)
            nemesis.run()
            did = nemesis.did | {"epochs trained twice": history.wasted(history.diary(arena.diary))}
            found = nemesis.found + arena.wrong(undisturbed)
        yield did, found
        number += 1


def soak(seed: int, kills: int, seconds: float) -> dict[str, object]:
    """Disturb studies until so many kills or so many seconds have passed; give the sums and what was wrong."""
    done: Counter[str] = Counter()
    wrong: list[str] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for did, found in studies(Path(folder), seed):
            done.update(did | {"studies": 1})
            wrong += found
            killed = done["workers killed"] + done["coordinators killed"]
            print(f"{dict(done)}{''.join(f'{chr(10)}  WRONG: {one}' for one in found)}", file=sys.stderr, flush=True)
            if killed >= kills or time.monotonic() - began > seconds or wrong:
                return {"seed": seed, "kills": killed, **done, "wrong": wrong, "seconds": time.monotonic() - began}
    raise AssertionError


def main() -> int:
    """Soak, and print the sums as JSON; 1 when anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=10**9)
    parser.add_argument("--seconds", type=float, default=10**9)
    given = parser.parse_args()
    outcome = soak(given.seed, given.kills, given.seconds)
    print(json.dumps(outcome))
    return int(bool(outcome["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
