"""``allot check --fix``: shows how a ticket would be spelt, asks, and writes it; called by ``check`` before the check itself."""

import os
import tempfile
from datetime import datetime
from difflib import unified_diff
from pathlib import Path

import typer

from controller.cli.ask import agreed
from controller.cli.exit_codes import REFUSED
from controller.cli.mistakes import Usage
from controller.cli.session import Session
from controller.tickets.language import parse_ticket
from inventory.domain.errors import NotFound
from inventory.importers.mending import Mended, mend, problems_of_reader, shown


def mended(session: Session, file: str, data: bytes, *, is_yes: bool) -> bytes:
    """Return the document as it is after mending: written to its file if the person agreed, else as it was.

    Raises:
        Usage: ``cli.fix_needs_file``, ``cli.nobody_to_ask``.
        NotFound: ``cli.file_unwritable``.
        Invalid: the bytes are no text.
    """
    if file == "-":
        raise Usage("cli.fix_needs_file")
    today = datetime.now(session.zone).date()
    found = mend(data, problems_of_reader(lambda written: parse_ticket(written, today=today)))
    if not found.is_changed:
        session.out.note("cli.say.fix_nothing")
        return data
    _show(session, file, found)
    if not agreed(session.out, is_yes=is_yes, question="cli.say.fix_these"):
        session.out.note("cli.say.not_applied")
        raise typer.Exit(REFUSED)
    _write(Path(file), found.data)
    session.out.note("cli.say.fixed", file=file, count=len(found.mends))
    return found.data


def _show(session: Session, file: str, found: Mended) -> None:
    if found.is_encoded_anew:
        session.out.note("cli.say.fix_encoding")
    lines = unified_diff(_lines(found.before), _lines(found.after), fromfile=file, tofile=file, lineterm="", n=1)
    typer.echo("\n".join(lines), err=True)


def _lines(text: str) -> list[str]:
    return [shown(line) for line in text.splitlines()]


def _write(path: Path, data: bytes) -> None:
    """Replace the file whole or not at all, with its own permissions; a link stays a link."""
    target = path.resolve()
    try:
        mode = target.stat().st_mode & 0o7777
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=".allot-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(draft).chmod(mode)
            Path(draft).replace(target)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise NotFound("cli.file_unwritable", file=str(path), reason=error.strerror or str(error)) from error
