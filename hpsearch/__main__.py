"""The command line's door; it imports nothing until it is opened, because worker processes import this module too."""

import sys

CTRL_C, BROKEN_PIPE, OUR_MISTAKE = 130, 141, 70  # 128 + SIGINT, 128 + SIGPIPE, sysexits.h's EX_SOFTWARE


def main(words: list[str] | None = None) -> int:
    """Run one command and give back its exit code; every error a person can act on becomes its text."""
    try:
        code = _command(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)  # noqa: T201
        return CTRL_C
    except BrokenPipeError:
        _close_pipe()
        return BROKEN_PIPE
    except Exception:  # noqa: BLE001  # whatever comes here was foreseen nowhere: show all of it
        import traceback

        traceback.print_exc()
        print("hpsearch itself went wrong: please report this with the lines above", file=sys.stderr)  # noqa: T201
        return OUR_MISTAKE
    return code


def _command(words: list[str] | None) -> int:
    import click

    from hpsearch.cli import group
    from hpsearch.cli.output import complain
    from hpsearch.errors import HpsearchError

    out = sys.stdout
    try:
        code = group.main(args=words, prog_name="hpsearch", standalone_mode=False)
    except HpsearchError as error:
        complain(str(error.args[0]) if error.args else type(error).__name__)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except SystemExit:
        if sys.stdout is not out:  # click met a closed pipe, put a quiet stream there, and chose an exit code of ours
            return BROKEN_PIPE
        raise
    return code if isinstance(code, int) else 0


def _close_pipe() -> None:
    """Point standard output at nothing, so that Python does not complain of the closed pipe while it ends."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
