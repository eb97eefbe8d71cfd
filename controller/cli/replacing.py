"""Writes that replace only what this command read: what somebody else changed meanwhile is kept, and said with what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from controller.cli import documents
from controller.cli.client import Json, Refused
from controller.cli.session import Session

_CHANGED = ("request.if_match_stale", "request.if_match_failed")


def replace(session: Session, path: str, file: str, *, look: str) -> Json:
    """Send a document that replaces what stands at ``path``; ``look`` is the command that shows it.

    Raises:
        WithFile: what is wrong with the document, or ``cli.changed_meanwhile``.
    """
    # Before the document: what comes through a pipe may be made from what stands there now.
    session.api.get(path)
    tag = session.api.tag
    data = documents.read(file)
    with documents.about(file), changes_told(look):
        return session.api.post_yaml(path, data, tag=tag)


@contextmanager
def changes_told(look: str) -> Iterator[None]:
    """Say for people what a refusal means that says that something was changed since it was read.

    Raises:
        Refused: ``cli.changed_meanwhile`` in place of it.
    """
    try:
        yield
    except Refused as refused:
        if refused.code not in _CHANGED:
            raise
        raise Refused(refused.status, {"code": "cli.changed_meanwhile", "params": {"look": look}}) from refused
