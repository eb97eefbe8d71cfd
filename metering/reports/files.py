"""Bytes of a report: written beside their place, hashed on the way, and put there only when all are written."""

import codecs
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from inventory.domain.errors import Unavailable

#: Less than this left on the disk: it is full, whatever the one who failed to write says.
_FULL_BYTES = 1 << 20
_BLOCK = 1 << 20
PARTIAL = ".partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a file."""

    byte_count: int
    sha256: str


@dataclass(slots=True)
class Sink:
    """A file that is being written."""

    stream: BinaryIO
    #: What is done to the bytes before they are written: another encoding, other line ends.
    change: Callable[[bytes], bytes] = field(default=lambda data: data)
    byte_count: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> None:
        """Write bytes as they are to be after the change."""
        self.put(self.change(data))

    def put(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.stream.write(data)
        self.digest.update(data)
        self.byte_count += len(data)

    def take(self, part: Path) -> None:
        """Write another file's bytes, changed."""
        with part.open("rb") as source:
            for block in _lines(source):
                self.write(block)

    def take_whole(self, file: Path) -> None:
        """Write another file's bytes as they are."""
        with file.open("rb") as source:
            while block := source.read(_BLOCK):
                self.put(block)

    @property
    def written(self) -> Written:
        """What was written so far."""
        return Written(byte_count=self.byte_count, sha256=self.digest.hexdigest())


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Return blocks that end where a line ends, so that none of them cuts a character."""
    while block := source.read(_BLOCK):
        yield block + source.readline()


def encoded(encoding: str) -> Callable[[bytes], bytes]:
    """Return what makes lines of UTF-8 those of a CSV file (RFC 4180: CR LF) in an encoding."""

    def change(data: bytes) -> bytes:
        ended = data.replace(b"\n", b"\r\n")
        return ended if encoding == "utf-8" else ended.decode("utf-8").encode(encoding)

    return change


BOM = codecs.BOM_UTF8


@contextmanager
def whole(path: Path) -> Iterator[Sink]:
    """Open a file that appears at ``path`` when the block ends well, and never otherwise.

    Raises:
        Unavailable: ``report.disk_full`` or ``report.not_written``.
    """
    # Its own name for each writer: two that make the same report do not write into each other's.
    partial = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}{PARTIAL}")
    with told(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as stream:
                yield Sink(stream)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Tell what keeps a report from being written.

    Raises:
        Unavailable: ``report.disk_full`` or ``report.not_written``.
    """
    try:
        yield
    except _failures() as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or _is_full(folder):
            raise Unavailable("report.disk_full", folder=str(folder), internal=str(error)) from error
        # DuckDB names the file in quotes and then what the system said.
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0].rpartition('": ')[2]
        raise Unavailable("report.not_written", folder=str(folder), reason=reason, internal=str(error)) from error


def _failures() -> tuple[type[Exception], ...]:
    # Loaded when used: an idle controller does without its 20 MB.
    import duckdb

    return OSError, duckdb.IOException, duckdb.FatalException, duckdb.OutOfMemoryException


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _FULL_BYTES
    except OSError:
        return False
