"""Reading the document a command is given: a file, or standard input for ``-``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.cli.client import Refused
from controller.cli.mistakes import WithFile
from inventory.domain.errors import AllotError, NotFound


def read(name: str) -> bytes:
    """Return the bytes of a document.

    Raises:
        NotFound: ``cli.file_unreadable``.
    """
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise NotFound("cli.file_unreadable", file=name, reason=error.strerror or str(error)) from error


@contextmanager
def about(name: str) -> Iterator[None]:
    """Name the document in every error of the block, for ``file:line:column``."""
    try:
        yield
    except (Refused, AllotError) as error:
        raise WithFile("<stdin>" if name == "-" else name, error) from error
