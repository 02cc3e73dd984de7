"""The command line's door; it imports nothing until it is opened, because worker processes import this module too."""

import sys

CTRL_C, BROKEN_PIPE, OUR_MISTAKE = 130, 141, 70  # 128 + SIGINT, 128 + SIGPIPE, sysexits.h's EX_SOFTWARE
UNWRITABLE = 7  # as FolderUnusable


def main(words: list[str] | None = None) -> int:
    """Run one command and give back its exit code; every error a person can act on becomes its text."""
    from hpsearch.leaving import outlast_readers

    _fill_what_is_closed()
    outlast_readers()
    if words is not None:
        return _answer(words)
    _write_in_any_encoding()
    _keep_to_ourselves()
    code = _answer(words)
    _hear_no_more()
    return code


def _answer(words: list[str] | None) -> int:
    try:
        code = _command(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _close_output("stopped")
        return CTRL_C
    except BrokenPipeError as error:
        _close_output()
        return CTRL_C if isinstance(error.__context__, KeyboardInterrupt) else BROKEN_PIPE  # click breaks its line
    except Exception as error:  # noqa: BLE001  # whatever of it was foreseen nowhere is shown as it is
        from hpsearch.disk import in_a_sentence

        if not (said := in_a_sentence(error)):
            return _show_all(error)
        _close_output(said)
        return UNWRITABLE
    return code


def _fill_what_is_closed() -> None:
    """Put quiet streams where the shell closed them (>&-), before a file of ours gets their number and their text."""
    import os

    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123  # for as long as the program runs


def _write_in_any_encoding() -> None:
    r"""Write ? for a sign that the terminal's encoding lacks, such as ★ in Latin-1.

    In a file or a pipe, where it is data, it is written as Python writes it on stderr: \u2605.
    """
    import io

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace" if sys.stdout.isatty() else "backslashreplace")


def _keep_to_ourselves() -> None:
    """Leave behind what its owner alone can read; have no Python that we start import a `json.py` from this folder."""
    import os

    os.umask(0o077)
    os.environ.setdefault("PYTHONSAFEPATH", "1")


def _hear_no_more() -> None:
    """Let Ctrl-C change nothing of an exit code that stands: Python, while it ends, would die of it."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _show_all(error: Exception) -> int:
    import traceback

    from hpsearch.errors import HpsearchError
    from hpsearch.plugins import foreign_line

    traceback.print_exc()
    if line := foreign_line(error):
        print(f"{line}: a package beside hpsearch went wrong: tell its authors, with the lines above", file=sys.stderr)  # noqa: T201
        return HpsearchError.exit_code
    print("hpsearch itself went wrong: please report this with the lines above", file=sys.stderr)  # noqa: T201
    return OUR_MISTAKE


def _command(words: list[str] | None) -> int:
    import errno

    import click

    from hpsearch.cli import group
    from hpsearch.cli.output import complain
    from hpsearch.errors import ExperimentRefused, HpsearchError, first_line

    out = sys.stdout
    try:
        code = group.main(args=words, prog_name="hpsearch", standalone_mode=False)
    except HpsearchError as error:
        complain(str(error.args[0]) if error.args else type(error).__name__)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        complain(f"{first_line(str(error.filename))}: {error.strerror}\n  name a file, not what is in it, or a study")
        return ExperimentRefused.exit_code
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except SystemExit as error:  # click and rich answer a closed pipe with an exit code that is one of ours
        if sys.stdout is not out or isinstance(error.__context__, BrokenPipeError):
            return BROKEN_PIPE
        raise
    return code if isinstance(code, int) else 0


def _close_output(last_words: str = "") -> None:
    """Point what cannot be written any more at nothing, so that Python does not complain of it while it ends.

    Last words go to standard error, where they can: Ctrl-C, for one, ends who reads a pipe, too.
    """
    import os

    for stream, words in ((sys.stdout, ""), (sys.stderr, last_words)):
        try:
            print(words, end="\n" if words else "", file=stream, flush=True)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
