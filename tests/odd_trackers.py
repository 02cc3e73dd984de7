"""Trackers for tests that write down what they hear, each in a process of its own and with a trouble of its own."""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Listener:
    """Makes a tracker that writes each record's number into a file of `folder`.

    It raises as long as `away` lies in the folder, and once for each file named `failure*`.
    """

    folder: Path
    place: str = ""

    def __call__(self, call):
        return self

    @property
    def heard(self):
        return [int(number) for number in read(self.folder / "heard")]

    def hear(self, news):
        if (self.folder / "away").exists():
            message = "nobody is there"
            raise ConnectionError(message)
        take_one(self.folder, "failure", "busy")
        note(self.folder / "heard", news.number)

    def close(self):
        note(self.folder / "closed", "closed")


class Batcher(Listener):
    """Holds back what it hears; a batch is lost on its way for each file named `loss*`."""

    held: list = []  # noqa: RUF012  # one tracker a process

    def hear(self, news):
        self.held.append(news.number)

    def flush(self):
        held, self.held[:] = list(self.held), []
        take_one(self.folder, "loss", "busy")
        note(self.folder / "batches", f"{held[0]}-{held[-1]}")

    @property
    def batches(self):
        return read(self.folder / "batches")


class Keeper(Listener):
    """Knows of the study as long as the file of what it heard lies in the folder."""

    def remembers(self, *, wholly):
        if wholly and (self.folder / "lacking").exists():
            (self.folder / "lacking").unlink()
            return False
        return (self.folder / "heard").exists()

    def lacks(self):
        return "a file" if (self.folder / "lacking").exists() else ""


class Mortal(Listener):
    """Its process is killed once, at the third record."""

    def hear(self, news):
        if news.number == 3 and not (self.folder / "killed").exists():
            (self.folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        super().hear(news)


class Unending(Listener):
    """Hears everything, and fails in the end."""

    def close(self):
        message = "no room for the report"
        raise OSError(message)


class Asking(Listener):
    """Has a function called beside the coordinator for each record, and writes down what came of it."""

    def __call__(self, call):
        object.__setattr__(self, "call", call)
        return self

    def hear(self, news):
        try:
            answer = self.call(divided, news.number)
        except ZeroDivisionError as error:
            answer = error
        note(self.folder / "answers", answer)


class SigningIn(Listener):
    """Writes down its process's number, and which large libraries that process has."""

    def hear(self, news):
        known = [name for name in ("tensorflow", "mlflow") if name in sys.modules]
        note(self.folder / "signed", f"{os.getpid()} {os.getpgrp()} {known}")


def divided(number):
    return 12 / (number - 2)


def take_one(folder, name, message):
    for file in folder.glob(f"{name}*"):
        file.unlink()
        raise TimeoutError(message)


def note(file, word):
    with file.open("a") as out:
        out.write(f"{word}\n")


def read(file):
    return file.read_text().splitlines() if file.exists() else []
