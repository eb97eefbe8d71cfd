"""Where the service is and what token to show it: options, environment, then the contexts in ``~/.config/allot``.

``contexts.json`` names servers; each token lies in a 0600 file beside it and never on a command line.
"""

import errno
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from inventory.domain.errors import Invalid, NotFound

DEFAULT_SERVER = "http://127.0.0.1:8470"
DEFAULT_ZONE = "Asia/Shanghai"
DEFAULT_CONTEXT = "default"
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_TOKEN = re.compile(rb"[!-~]+")
#: Far more than a token is long.
_TOKEN_FILE_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextEntry:
    """One service as remembered."""

    server: str = DEFAULT_SERVER
    #: File of the token; relative to the directory of contexts.
    token_file: str = ""
    #: PEM file of the authority that signed the service's certificate; empty: the system's.
    ca_file: str = ""
    zone: str = DEFAULT_ZONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """Every service that is remembered."""

    current: str = DEFAULT_CONTEXT
    entries: Mapping[str, ContextEntry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A service to talk to."""

    server: str
    #: Empty: no token is shown.
    token: str = field(repr=False)
    ca_file: str = ""


def context_dir() -> Path:
    """Return the directory of contexts."""
    named = os.environ.get("ALLOT_CONTEXT_DIR")
    return Path(named) if named else Path.home() / ".config" / "allot"


def load_contexts() -> Contexts:
    """Read the contexts, none where there is no file.

    Raises:
        Invalid: ``cli.contexts_unreadable``.
    """
    path = context_dir() / "contexts.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        entries = {str(name): ContextEntry(**entry) for name, entry in data["contexts"].items()}
        return Contexts(current=str(data["current"]), entries=entries)
    except FileNotFoundError:
        return Contexts()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Invalid("cli.contexts_unreadable", path=str(path), reason=str(error)) from error


def remember(name: str, entry: ContextEntry, token: str) -> Path:
    """Keep a service and its token, make it the current one, and return the token's file."""
    directory = context_dir()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    token_path = directory / f"{name}.token"
    write_private(token_path, token + "\n")
    known = load_contexts()
    entries = {**known.entries, name: replace(entry, token_file=token_path.name)}
    body: dict[str, Any] = {"current": name, "contexts": {n: asdict(e) for n, e in entries.items()}}
    write_private(directory / "contexts.json", json.dumps(body, indent=2, ensure_ascii=False) + "\n")
    return token_path


def check_writable(path: Path) -> None:
    """Refuse a place no file can be written to, before anything is made that would be lost.

    Raises:
        NotFound: ``cli.file_unwritable``.
    """
    number = 0
    if path.is_dir():
        number = errno.EISDIR
    elif not path.parent.is_dir():
        number = errno.ENOENT
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        number = errno.EACCES
    if number:
        raise NotFound("cli.file_unwritable", file=str(path), reason=os.strerror(number)) from OSError(number, "")


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner may read, complete or not at all.

    Raises:
        NotFound: ``cli.file_unwritable``.
    """
    check_writable(path)
    draft = path.with_name(path.name + ".part")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def find_target(*, server: str, token_file: str, context: str) -> Target:
    """Return the service to talk to.

    Raises:
        NotFound: ``cli.context_unknown`` or ``cli.token_file_missing``.
        Invalid: ``cli.server_url``, ``cli.plain_http`` or ``cli.token_file_open``.
    """
    entry = _entry(context)
    url = (server or entry.server).rstrip("/")
    check_url(url)
    path = Path(token_file) if token_file else context_dir() / entry.token_file if entry.token_file else None
    return Target(server=url, token=read_token(path) if path else "", ca_file=entry.ca_file)


def find_zone(context: str) -> ZoneInfo:
    """Return the time zone that times are printed in."""
    return ZoneInfo(_entry(context).zone)


def _entry(context: str) -> ContextEntry:
    known = load_contexts()
    name = context or known.current
    if name in known.entries:
        return known.entries[name]
    if context:
        raise NotFound("cli.context_unknown", context=context, known=", ".join(sorted(known.entries)) or "—")
    return ContextEntry()


def check_url(url: str) -> None:
    """Refuse an address that is none, or one a token must not be sent to.

    Raises:
        Invalid: ``cli.server_url``, ``cli.plain_http``.
    """
    try:
        parts = urlsplit(url)
        # What is no port is found when it is asked for.
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise Invalid("cli.server_url", server=url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        # A token on an unencrypted line is everybody's token.
        raise Invalid("cli.plain_http", server=url)


def read_token(path: Path) -> str:
    """Return the token in a file.

    Raises:
        NotFound: ``cli.token_file_missing``.
        Invalid: ``cli.token_file_open``: others may read it; ``cli.token_malformed``.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise Invalid("cli.token_file_open", path=str(path))
            data = file.read(_TOKEN_FILE_MAX)
    except OSError as error:
        raise NotFound("cli.token_file_missing", path=str(path), reason=error.strerror or str(error)) from error
    return as_token(data, str(path))


def as_token(data: bytes, place: str) -> str:
    """Return the token that was read from a place. It becomes part of a header: one word, and what it is is said nowhere.

    Raises:
        Invalid: ``cli.token_malformed``.
    """
    token = data.strip()
    if not _TOKEN.fullmatch(token):
        raise Invalid("cli.token_malformed", path=place)
    return token.decode("ascii")
