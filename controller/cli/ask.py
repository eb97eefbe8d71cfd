"""Questions to the person at the terminal. Where nobody can answer, the option that answers beforehand is named."""

import sys

import typer

from controller.cli.mistakes import Usage
from controller.cli.output import Out


def agreed(out: Out, *, is_yes: bool, question: str) -> bool:
    """Tell whether the person says yes.

    Raises:
        Usage: ``cli.nobody_to_ask``.
    """
    if is_yes:
        return True
    if not sys.stdin.isatty():
        raise Usage("cli.nobody_to_ask", option="--yes")
    out.note(question)
    return typer.prompt("[y/N]", default="n", show_default=False, err=True).strip().lower() in ("y", "yes", "是")


def typed_name(out: Out, *, given: str, system: str) -> str:
    """Return the system's name as the person typed it: data will be destroyed.

    Raises:
        Usage: ``cli.nobody_to_ask``.
    """
    if given:
        return given
    if not sys.stdin.isatty():
        raise Usage("cli.nobody_to_ask", option=f"--confirm {system}")
    out.note("cli.say.type_name", system=system)
    return str(typer.prompt(">", err=True)).strip()
