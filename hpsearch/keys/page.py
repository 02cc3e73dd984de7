"""Writes the page that explains an experiment file: what `hpsearch schema --markdown` prints is docs/experiment.md."""

from importlib.resources import files
from string import Template

from hpsearch.keys import tables


def page() -> str:
    """The page as Markdown: page.md with the tables in their places."""
    text = (files("hpsearch.keys") / "page.md").read_text(encoding="utf-8")
    sections = {section.name or "top": f"{section.about}\n\n{section.keys}" for section in tables.sections()}
    return Template(text).substitute(
        sections, sources=tables.sources(), tuners=tables.parts("tuners"), pruners=tables.parts("pruners")
    )
