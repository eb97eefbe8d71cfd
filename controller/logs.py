"""Log set-up: one line per event on standard error, a constant message first, keys after it, secrets never.

Called by ``allot serve`` once. Whatever looks like a token or a password of ours is blanked before a line is rendered,
in our own lines and in those of the libraries below us.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

BLANK = "[hidden]"
_SECRETS = re.compile(
    r"allot_[A-Za-z0-9_-]{40,}"  # our tokens
    r"|(?<=[Bb]earer )[^\s,;\"']+"  # what a caller sent as one
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user and password of a URL
)
_SECRET_KEYS = re.compile(r"(?i)(token|password|passwd|secret|authorization|private_key)$")
#: Deeper values are written by nobody here; the bound keeps a cycle from hanging the log.
_DEPTH_MAX = 6


def set_up(level: str, form: Literal["json", "text"], stream: TextIO | None = None) -> None:
    """Send every log line of the process to ``stream`` (standard error by default)."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(form)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("alembic", "sqlalchemy", "urllib3", "httpx", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _renderer(form: Literal["json", "text"]) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    return structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank what must not be written down."""
    return {key: _hidden(key, value, 0) for key, value in event.items()}


def _hidden(key: str, value: Any, depth: int) -> Any:
    # Names that begin so are the library's own notes about a line: never rendered.
    if key.startswith("_") or value is None or isinstance(value, int | float):
        return value
    if depth >= _DEPTH_MAX or _SECRET_KEYS.search(key):
        return BLANK
    if isinstance(value, Mapping):
        return {k: _hidden(str(k), v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_hidden("", v, depth + 1) for v in value]
    return _SECRETS.sub(BLANK, str(value))
