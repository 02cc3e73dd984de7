"""`hpsearch report STUDY`: what is known of a study, how surely, and what to try next."""

from pathlib import Path

import click

from hpsearch import files, paths

EPILOG = """\b
Examples:
  hpsearch report quickstart --open
  hpsearch report quickstart --out /tmp/quickstart.html
  hpsearch report quickstart --markdown > quickstart.md

The page is one file that needs no network. A study that is still running has one, too."""


@click.command(epilog=EPILOG)
@click.argument("study")
@click.option("--open", "opened", is_flag=True, help="Open the page in the browser.")
@click.option("--markdown", is_flag=True, help="Print Markdown, with the words and tables but no charts.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
def report(*, study: str, opened: bool, markdown: bool, out: Path | None) -> None:
    """Write the report of STUDY: one HTML file with its figures, charts, failures and provenance."""
    from hpsearch.cli.output import say

    if markdown and opened:
        message = "--open shows the HTML page: leave out --markdown"
        raise click.UsageError(message)
    project = paths.Project.around(Path.cwd())
    if markdown:
        _markdown(project, study, out)
        return
    file = out.absolute() if out else project.study(study).report
    _write(project, study, file)
    say(f"report: {file}")
    if opened:
        click.launch(str(file))


def _write(project: paths.Project, study: str, file: Path) -> None:
    """Write the page, and once more where a session ended meanwhile: this one may have taken the place of its last."""
    from hpsearch.report.html import write_report
    from hpsearch.report.reading import facts_of
    from hpsearch.study import existing, sessions_ended

    folder, known = existing(project, study), -1
    while (ended := sessions_ended(folder)) != known:
        known = ended
        write_report(facts_of(project, study), file, folder.predictions)


def _markdown(project: paths.Project, study: str, out: Path | None) -> None:
    from hpsearch.cli.output import say
    from hpsearch.report.markdown import page
    from hpsearch.report.reading import facts_of

    text = page(facts_of(project, study))
    if out:
        files.write_text(out.absolute(), text)
        say(f"report: {out.absolute()}")
    else:
        click.echo(text, nl=False)
