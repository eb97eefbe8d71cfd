"""Moments as people write them on the command line."""

from datetime import datetime

from controller.cli.mistakes import Usage
from controller.cli.session import Session


def moment_s(session: Session, text: str) -> int:
    """Return a date or time, in the platform's zone where it names none, as epoch seconds.

    Raises:
        Usage: ``cli.moment_unreadable``.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Usage("cli.moment_unreadable", text=text) from None
    return int((found if found.tzinfo else found.replace(tzinfo=session.zone)).timestamp())
