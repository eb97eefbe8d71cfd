"""The entry point ``allot``: reads the common options, runs one command, and is the one edge where errors become exit codes."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from controller.cli.exit_codes import INTERRUPTED, OK, REFUSED, USAGE
from controller.cli.help_page import page, wanted_path
from controller.cli.language import CHINESE, ENGLISH, chosen_language, language_named
from controller.cli.lazy import Root, localise
from controller.cli.mistakes import Usage
from controller.cli.session import Format, Session

_WITH_VALUE = ("--server", "--token-file", "--context", "--lang", "--output", "-o")
_FLAGS = ("--debug",)


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    language = chosen_language(arguments, os.environ)
    is_debug = "--debug" in arguments
    try:
        return _call(build(language), hoisted(arguments), language)
    except typer.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (``head``) has seen enough: nothing more may be written, not even at exit.
        _drop_output()
        return OK
    except Exception as error:  # noqa: BLE001  the edge of the process: every error becomes a sentence and an exit code
        return _report(_of_output(error), language, is_debug=is_debug)


def _of_output(error: Exception) -> Exception:
    """Return what is told: that standard output takes nothing, where that is so and the error says no more."""
    try:
        sys.stdout.flush()
        if isinstance(error, OSError) and error.filename is None:
            # Python may have forgotten already what it could not write: the end of a line tells whether more can be.
            os.write(sys.stdout.fileno(), b"\n")
    except OSError as refused:
        _drop_output()
        if isinstance(error, OSError):
            from inventory.domain.errors import Invalid

            told = Invalid("cli.output_unwritable", reason=str(refused.strerror))
            told.__cause__ = refused
            return told
    return error


def _drop_output() -> None:
    """Have what is still to be written, at exit too, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: Exception, language: str, *, is_debug: bool) -> int:
    try:
        from controller.cli.failures import report

        return report(error, language, is_debug=is_debug)
    except Exception as unsaid:
        if is_debug:
            raise
        # A broken installation cannot even load its texts: one line is all that is left to say.
        sys.stderr.write(f"allot: {error!r}; and it could not be put into words: {unsaid!r} (--debug)\n")
        return REFUSED


def _call(command: Root, arguments: Sequence[str], language: str) -> int:
    asked = wanted_path(arguments, _WITH_VALUE)
    if asked is not None or not arguments:
        sys.stdout.write(page(command, asked or [], language))
        sys.stdout.flush()
        return USAGE if asked is None else OK
    result: Any = command.main(args=list(arguments), prog_name="allot", standalone_mode=False)
    sys.stdout.flush()
    return result if isinstance(result, int) else OK


def hoisted(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the common options in front, so that they may be written anywhere.

    Raises:
        Usage: ``cli.option_value``: the last word is one that a value follows.
    """
    common: list[str] = []
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            rest += [argument, *waiting]
            break
        if argument in _FLAGS or argument.partition("=")[0] in _WITH_VALUE:
            common.append(argument)
            if argument in _WITH_VALUE:
                if not waiting:
                    raise Usage("cli.option_value", option=argument, command="allot")
                common.append(waiting.pop(0))
        else:
            rest.append(argument)
    return common + rest


def build(language: str) -> Root:
    """Return the whole command in one language; modules of commands are loaded when they are called."""
    root = typer.Typer(cls=Root, add_completion=False, rich_markup_mode=None)
    root.callback()(_root)
    command = typer.main.get_command(root)
    assert isinstance(command, Root)
    command.language = language
    localise(command, ("root",), language)
    return command


def _root(
    ctx: typer.Context,
    server: str = typer.Option("", envvar="ALLOT_SERVER"),
    token_file: str = typer.Option("", envvar="ALLOT_TOKEN_FILE"),
    context: str = typer.Option("", envvar="ALLOT_CONTEXT"),
    lang: str = typer.Option(""),
    output: Format = typer.Option(Format.TABLE, "--output", "-o"),
    debug: bool = typer.Option(False, "--debug"),
) -> None:
    """Make the session every command works with."""
    if lang and not language_named(lang):
        choices = f"{CHINESE}, {ENGLISH}"
        raise Usage("cli.value_not_a_choice", parameter="--lang", written=lang[:60], choices=choices, command="allot")
    language = chosen_language(["--lang", lang] if lang else [], os.environ)
    session = Session(language=language, format=output, server=server, token_file=token_file, context=context, is_debug=debug)
    ctx.obj = session
    ctx.call_on_close(session.close)
