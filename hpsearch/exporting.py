"""Exports a model in several formats as one folder: written, tried out beside Keras's own, and only then named."""

import json
import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hpsearch import artefacts, failpoints, files, looks, paths
from hpsearch.artefacts import Checked
from hpsearch.contender_files import model_file, note_looks
from hpsearch.contenders import Contender
from hpsearch.datasets.prepared import test_digests
from hpsearch.errors import ExperimentRefused, FormatUnusable, NotExported, first_line
from hpsearch.export_place import refuse_place
from hpsearch.exported import MANIFEST, VERSION, Exported, digest, files_in, read_export, refuse_unreadable
from hpsearch.formats import Formats, exporter
from hpsearch.model_card.facts import Case, gather, test_figures
from hpsearch.model_card.page import page
from hpsearch.orders import Slot
from hpsearch.predict.training_images import LIKENESS, of_study
from hpsearch.protocols import Prepared, unheard
from hpsearch.state import State
from hpsearch.study import read as study_news
from hpsearch.winner import described
from hpsearch.worker import process
from hpsearch.worker.ending import ChildDied
from hpsearch.worker.judging import Judgement
from hpsearch.worker.raw_model import Wrapped, wrap
from hpsearch.worker.rows import open_arrays

if TYPE_CHECKING:
    from hpsearch.protocols import Images

CARD, PAGE = "model_card.json", "README.md"
SAMPLES = 500  # training images by which formats learn their scales, and which show whether a model gives logits
SAMPLE_BYTES = 256_000_000  # that they take together, where one alone does not take more
MOST_LOST = 0.01  # of accuracy, that a format may read worse than Keras's own model; one image of few at least
Say = Callable[[str], None]


@dataclass(frozen=True)
class Subject:
    """What is exported: a model of a project, the data it is for, and in which formats."""

    project: paths.Project
    contender: Contender
    data: Prepared
    formats: Formats


def export(subject: Subject, out: Path, say: Say, warn: Say) -> Exported:
    """Write the folder; `say` hears what is being done, `warn` which formats are left out, and why.

    Raises ExperimentRefused when the model cannot have a format, NotExported when a format does not give what the
    model gives, StateDamaged when a file is not what it was, DataRefused when the data are gone, FolderUnusable when a
    disk is full, and what rebuilding a model and noting a look raise.
    Whatever is raised, what was at `out` is there as it was.
    """
    folder = out.absolute()
    refuse_place(folder)
    refuse_unreadable(subject.data.class_names, subject.data.shape)
    with TemporaryDirectory(prefix="hpsearch-export-") as scratch:
        files.write_folder(folder, lambda place: _Work(subject, Path(scratch), place, say, warn).do(), refuse_place)
    return read_export(folder)


@dataclass
class _Work:
    """One export under way, in a folder that has not got its name yet."""

    subject: Subject
    scratch: Path
    folder: Path
    say: Say
    warn: Say

    def do(self) -> None:
        """Wrap the model, write it in every format, try each out, and say in the folder what was found."""
        raw, wanted = self.scratch / "raw.keras", self.scratch / "wanted.npy"
        contender, data = self.subject.contender, self.subject.data
        self.say("loading the model")
        samples = _samples(data)
        model = model_file(self.subject.project, contender, data, self.scratch / "model.keras")
        wrapped = self._call(wrap, model, samples, len(data.class_names), raw)
        names = list(self._each(self._possible(wrapped), lambda name: self._written(name, raw, samples)))
        described = self._described(names)
        self._write(described)
        failpoints.reach("export.written")
        note_looks([(contender, test_digests(data))], "export")
        self.say(f"reading the {data.test_rows:,} images of the test split")
        read = self._call(artefacts.reference, model, data.folder / "test", data.class_names, wanted)
        checked = self._each(names, lambda name: self._checked(name, wanted, read))
        self._conclude(described, wrapped, read, checked)

    def _conclude(
        self, described: Mapping[str, Any], wrapped: Wrapped, read: Judgement, checked: Mapping[str, Checked]
    ) -> None:
        """Write the card, and the manifest once more: with what was found, and with the digests of all files."""
        formats = {name: {**described["formats"][name], **asdict(found)} for name, found in checked.items()}
        contender, data, project = self.subject.contender, self.subject.data, self.subject.project
        judged = looks.of_split(project, test_digests(data))
        state = State()
        for news in study_news(project, contender.folder.folder.name):
            state.take(news)
        case = Case({**described, "formats": formats}, read, contender, data, state, wrapped.parameters, judged)
        card = gather(case)
        files.write_text(self.folder / CARD, _json(card))
        files.write_text(self.folder / PAGE, page(card))
        self._write({**described, "test": test_figures(case), "formats": formats})
        read_export(self.folder)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call it in a fresh process with TensorFlow, which knows the project."""
        build = self.subject.contender.experiment.model.build
        return process.call(function, self.subject.project.root, build, *arguments, slot=Slot(threads=0))

    def _possible(self, wrapped: Wrapped) -> tuple[str, ...]:
        names = self.subject.formats.names
        without = [name for name in names if wrapped.own and not exporter(name).holds_code]
        if not without or self.subject.formats.as_can_be:
            for name in without:
                self.warn(f"leaving out {name}: it would need the project's code of {', '.join(wrapped.own)}")
            return tuple(name for name in names if name not in without)
        message = (
            f"{', '.join(without)}: the model has layers of the project's own ({', '.join(wrapped.own)}), "
            "whose code this format does not hold\n  choose another, such as --format saved-model"
        )
        raise ExperimentRefused(message)

    def _each(self, names: Iterable[str], attempt: Callable[[str], Any]) -> dict[str, Any]:
        """What the attempt at each format gives; of "all", one that cannot be had is left out, with the reason."""
        found: dict[str, Any] = {}
        without = []
        for name in names:
            try:
                found[name] = attempt(name)
            except (FormatUnusable, ChildDied) as error:
                if not self.subject.formats.as_can_be:
                    raise
                self.warn(f"leaving out {name}: {first_line(str(error)).removeprefix(f'{name}: ')}")
                without.append(name)
        if not found:
            message = "no format is left that could be had of this model"
            raise NotExported(message)
        for name in without:  # not before: while others are tried out, the manifest names their files
            _remove(self.folder / exporter(name).artefact)
        return found

    def _written(self, name: str, raw: Path, samples: "Images") -> None:
        self.say(f"writing {name}")
        self._call(artefacts.write, name, raw, self.folder, samples)

    def _checked(self, name: str, wanted: Path, read: Judgement) -> Checked:
        self.say(f"trying out {name}")
        found: Checked = process.call(
            artefacts.check, self.folder, name, self.subject.data.folder / "test", wanted, slot=Slot(threads=0)
        )
        refuse_unlike(name, found, read.accuracy)
        return found

    def _described(self, names: Sequence[str]) -> dict[str, Any]:
        """The manifest, but for figures and digests."""
        contender, data = self.subject.contender, self.subject.data
        seen = of_study(contender, unheard)
        if seen.likeness:
            seen.likeness.save(self.folder / LIKENESS)
        return {
            "version": VERSION,
            **described(contender.folder.folder.name, contender.trial, contender.values, data),
            "model": {"file": contender.file.name, "sha256": contender.sha256},
            "input": {"shape": list(data.shape), "dtype": "uint8", "range": [0, 255], "ink": seen.polarity.value},
            "framing": {"kind": seen.framing.value, "otherwise": seen.framed_otherwise},
            "formats": {name: {"path": exporter(name).artefact} for name in names},
        }

    def _write(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, with the digests of all that is in the folder."""
        there = (file for file in files_in(self.folder) if file != self.folder / MANIFEST)
        digests = {file.relative_to(self.folder).as_posix(): digest(file) for file in there}
        files.write_text(self.folder / MANIFEST, _json({**manifest, "files": digests}))


def _samples(data: Prepared) -> "Images":
    """Training images, spread evenly over the data: fewer of large ones."""
    import numpy as np

    images, _ = open_arrays(data.folder / "train", "r")
    most = max(1, min(SAMPLES, SAMPLE_BYTES // math.prod(images.shape[1:])))
    places = np.unique(np.linspace(0, len(images) - 1, most).astype(int))
    return np.array(images[places])


def _remove(artefact: Path) -> None:
    if artefact.is_dir():
        shutil.rmtree(artefact)
    else:
        artefact.unlink(missing_ok=True)


def refuse_unlike(name: str, found: Checked, accuracy: float) -> None:
    """Raise NotExported when what a format showed is not what Keras's own model does, whose accuracy this is."""
    allowed, difference = exporter(name).tolerance, found.largest_difference
    most_lost = max(MOST_LOST, 1.5 / found.test_rows)
    if difference <= allowed and found.accuracy >= accuracy - most_lost:
        return
    message = (
        f"{name}: the exported model does not give what Keras's own gives: a probability differs by {difference:.2g} "
        f"({allowed:g} is allowed), accuracy is {found.accuracy:.4f} and not {accuracy:.4f}\n  leave this format out"
    )
    raise NotExported(message)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, default=float) + "\n"
