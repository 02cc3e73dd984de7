"""`hpsearch predict STUDY_OR_FOLDER PICTURE…`: what a finished model reads in pictures."""

import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from hpsearch import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpsearch.predict.pipeline import Answer
    from hpsearch.predict.showing import Drawings
    from hpsearch.predict.sources import Source

EPILOG = """\b
Examples:
  hpsearch predict emnist-mlp photo.jpg
  hpsearch predict emnist-mlp:7 scans/ --top 5
  hpsearch predict model/ scans/ --json > answers.jsonl
  cat photo.jpg | hpsearch predict emnist-mlp - --show seen/

The model is STUDY (its winner), STUDY:12 (its trial 12), or a FOLDER that hpsearch
export wrote. A folder of pictures is read to its depths, - is a picture on standard
input. PNG, JPEG, WebP, BMP and TIFF are read: dark ink on light or the reverse,
one character or lines of them. A picture that cannot be read is named, the others
are answered, and the exit code is 9."""


@click.command(epilog=EPILOG)
@click.argument("model", metavar="STUDY_OR_FOLDER")
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="Show so many classes of each.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each picture.")
@click.option("--one", is_flag=True, help="Each picture is one character, whatever gaps it has.")
@click.option(
    "--show", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help="Draw what the model saw."
)
@click.option(
    "--batch", type=click.IntRange(1, 100_000), default=256, show_default=True, help="Characters asked at a time."
)
def predict(
    *, model: str, pictures: tuple[str, ...], top: int, as_json: bool, one: bool, show: Path | None, batch: int
) -> None:
    """Say what a finished model reads in pictures, how surely, and what to doubt."""
    from hpsearch.cli.answers import AsJson, AsRows, Pace
    from hpsearch.cli.output import complain
    from hpsearch.cli.serving import terminated_as_interrupted
    from hpsearch.errors import DataRefused
    from hpsearch.predict.answerer import answering
    from hpsearch.predict.pipeline import read_all
    from hpsearch.predict.showing import Drawings
    from hpsearch.predict.sights import Unread
    from hpsearch.predict.sources import refuse_strangers, sources

    refuse_strangers(pictures)
    project, writer = paths.Project.around(Path.cwd()), AsJson() if as_json else AsRows(top)
    drawings = Drawings(show) if show else None
    with terminated_as_interrupted(), answering(project, model) as answerer, TemporaryDirectory() as scratch:
        if warning := answerer.warning():
            complain(warning)
        pace, files = Pace(), _Files(sources(pictures, Path(scratch), sys.stdin.buffer), wanted=drawings is not None)
        try:
            with closing(read_all(answerer, files, one=one, batch=batch)) as answers:
                for answer in answers:
                    writer.show(answer)
                    pace.count(unread=isinstance(answer, Unread))
                    files.draw(answer, drawings)
        finally:
            writer.flush()
            pace.end()
    if pace.unread:
        raise DataRefused(pace.unread)


class _Files:
    """The pictures as they are handed on; the files of those that wait for their answers are known, if wanted."""

    def __init__(self, found: "Iterator[Source]", *, wanted: bool) -> None:
        self._found, self._wanted = found, wanted
        self._waiting: list[Path] = []

    def __iter__(self) -> "Iterator[Source]":
        for source in self._found:
            if self._wanted:
                self._waiting.append(source.file)
            yield source

    def draw(self, answer: "Answer", drawings: "Drawings | None") -> None:
        """Draw what was seen of the next picture in line."""
        from hpsearch.predict.reading import Reading

        if drawings is None:
            return
        file = self._waiting.pop(0)
        if isinstance(answer, Reading):
            drawings.draw(answer, file)
