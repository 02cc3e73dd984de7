"""The commands by name; the module of a command is imported only when that command is chosen."""

from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple, cast

import click

from hpsearch import __version__
from hpsearch.nearest import hint


class Entry(NamedTuple):
    """Where a command lives ("module:name"), and what it does in a few words."""

    target: str
    does: str


COMMANDS: Mapping[str, Entry] = {
    "init": Entry("hpsearch.cli.init:init", "Begin a project: experiments to run, models that they search."),
    "run": Entry("hpsearch.cli.run:run", "Search as an experiment file asks, or go on where it stopped."),
    "check": Entry("hpsearch.cli.check:check", "Say everything that is wrong with an experiment file."),
    "schema": Entry("hpsearch.cli.schema:schema", "Print the JSON Schema of experiment files, for editors."),
    "data": Entry("hpsearch.cli.data:data", "List data sets, and fetch and verify them ahead of a run."),
    "stop": Entry("hpsearch.cli.stop:stop", "Stop a study that is running elsewhere, as Ctrl-C does there."),
    "list": Entry("hpsearch.cli.studies:list_studies", "List the project's studies."),
    "show": Entry("hpsearch.cli.show:show", "Show how a study stands, and its trials, best first."),
    "trial": Entry("hpsearch.cli.trial:trial", "Show one trial in full, or train it again and compare."),
    "table": Entry("hpsearch.cli.table:table", "Write a study's trials as CSV or Parquet, or into an Optuna storage."),
    "best": Entry("hpsearch.cli.studies:best", "Show the winner of a finished study: its values and its scores."),
    "compare": Entry("hpsearch.cli.compare:compare", "Compare finished models on their common test split."),
    "explain": Entry("hpsearch.cli.explain:explain", "Say what mattered in a study, and write what to try next."),
    "report": Entry("hpsearch.cli.report:report", "Write the report: what is known, how surely, what to try next."),
    "repair": Entry("hpsearch.cli.repair:repair", "Restore a damaged study from what is sound of it, or its backup."),
    "export": Entry("hpsearch.cli.export:export", "Write the best model in a format for use elsewhere."),
    "predict": Entry("hpsearch.cli.predict:predict", "Say what a finished model reads in pictures."),
    "serve": Entry("hpsearch.cli.serve:serve", "Serve a finished model by HTTP, with MLflow's own server."),
    "play": Entry("hpsearch.cli.play:play", "Draw, and see what a model reads while you do."),
    "sync": Entry("hpsearch.cli.sync:sync", "Send MLflow what it has not heard of a study."),
    "dashboard": Entry("hpsearch.cli.dashboard:dashboard", "Open Optuna's dashboard on a study."),
    "ui": Entry("hpsearch.cli.ui:ui", "Open MLflow's pages on the project's runs."),
}

EPILOG = """\b
Examples:
  hpsearch init
  hpsearch check experiments/mnist_mlp.toml
  hpsearch run experiments/mnist_mlp.toml
  hpsearch run experiments/mnist_mlp.toml --set search.trials=50
  hpsearch show mnist-mlp

Exit codes: 0 done, 1 it came to nothing (the words say why), 2 the experiment or the words
are wrong, 3 every trial fails in one way, 4 a study's files are damaged, or an export does not
hold, 5 the study runs elsewhere, 6 it changed since its last run, 7 a folder cannot be used,
8 a port is taken, 9 data or pictures refused, 70 a mistake of hpsearch's own, 130 stopped by
Ctrl-C, 143 by SIGTERM, 129 because the terminal was closed, 141 because nobody reads on."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and help text, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Name the commands in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # the same
        """Import the command of this name; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].target.partition(":")
        return cast("click.Command", getattr(import_module(module), name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or refuse with the nearest known word."""
        word = args[0]
        if word in COMMANDS or word.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        message = f"there is no command {word!r}\n  {hint(word, list(COMMANDS))}"
        raise click.UsageError(message, ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # the same
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.does) for name, entry in COMMANDS.items()])


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def group() -> None:
    """Search hyperparameters for Keras: one experiment file, any tuner, the whole machine, an honest result."""
