"""The HTTP client of the command line: the only way its commands reach the platform.

Built on the standard library: a bigger client costs more start time than the whole command may take.
"""

import http.client
import json
import ssl
import uuid
from collections.abc import Iterator, Mapping
from email.utils import mktime_tz, parsedate_tz
from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from controller.cli.contexts import Target
from controller.cli.mistakes import Usage
from inventory.domain.errors import Invalid, Unavailable

_TIMEOUT_S = 120.0
#: How long an answer is waited for that takes long to make: an image may be fetched for an hour.
LONG_S = 4500.0
PAGE_SIZE = 500
#: Most items of one list.
_LIST_MAX = 100_000
#: Most pages that are read at once: so many items, and the one that tells of more.
PAGES_MAX = _LIST_MAX // PAGE_SIZE + 1
#: Answers of a service that starts or ends or is asked too much, or of a proxy that does not reach it.
_LATER = (429, 502, 503, 504)
Json = dict[str, Any]


class Refused(Exception):
    """The service answered with a problem."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.body = dict(body)
        super().__init__(status, self.body.get("code", ""))

    @property
    def code(self) -> str:
        """Return the dotted code."""
        return str(self.body.get("code", ""))

    @property
    def may_succeed_later(self) -> bool:
        """Tell whether it is a service (or a proxy before it) that cannot answer for the moment."""
        return self.status in _LATER


class Client:
    """One service, one caller. Keeps its connection between calls."""

    def __init__(
        self, target: Target, language: str, *, timeout_s: float = _TIMEOUT_S, headers: Mapping[str, str] | None = None
    ) -> None:
        self._target = target
        self._language = language
        self._timeout_s = timeout_s
        #: Sent with every request.
        self._own_headers = dict(headers or {})
        self._connection: http.client.HTTPConnection | None = None
        #: Entity tag of the last answer: what is replaced is named by it.
        self.tag = ""
        #: The service's clock when it last answered, in whole epoch s; None where it does not say.
        self.answered_at_s: float | None = None

    def beside(self, *, timeout_s: float, headers: Mapping[str, str] | None = None) -> "Client":
        """Return a client of the same service and caller with a connection of its own."""
        return Client(self._target, self._language, timeout_s=timeout_s, headers=headers)

    @property
    def server(self) -> str:
        """Return the address of the service."""
        return self._target.server

    def get(self, path: str, **query: Any) -> Json:
        """Return a JSON answer."""
        answer: Json = json.loads(self.send("GET", path, query=query))
        return answer

    def get_bytes(self, path: str, **query: Any) -> bytes:
        """Return an answer as it came."""
        return self.send("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, revision: int | None = None, **query: Any) -> Json:
        """Send JSON and return the answer; ``revision`` is that of the thing as it was read, where the API asks for it."""
        tag = "" if revision is None else f'"{revision}"'
        return self._write("POST", path, _json(body or {}), "application/json", query, tag)

    def post_once(self, path: str, body: Mapping[str, Any]) -> Json:
        """Send JSON to where answers are not kept for a second asking, because they hold a secret."""
        headers = {"Content-Type": "application/json"}
        answer: Json = json.loads(self.send("POST", path, body=_json(body), headers=headers))
        return answer

    def put(self, path: str, body: Mapping[str, Any], *, tag: str = "", **query: Any) -> Json:
        """Send JSON and return the answer; ``tag`` is that of what is replaced, as it was read."""
        return self._write("PUT", path, _json(body), "application/json", query, tag)

    def delete(self, path: str) -> Json:
        """Delete and return the answer."""
        return self._write("DELETE", path, b"", "", {})

    def post_yaml(self, path: str, data: bytes, *, tag: str = "", **query: Any) -> Json:
        """Send a document byte by byte as it is and return the answer; ``tag`` is that of what is replaced, as it was read."""
        return self._write("POST", path, data, "application/yaml", query, tag)

    def pages(self, path: str, **query: Any) -> Iterator[Json]:
        """Yield the items of a list, page after page; ``after`` in the query says where to begin."""
        after = query.pop("after", "")
        for _ in range(PAGES_MAX):
            page = self.get(path, **query, after=after)
            yield from page["items"]
            after = page["next"] or ""
            if not after:
                return

    def all(self, path: str, **query: Any) -> list[Json]:
        """Return all items of a paged list.

        Raises:
            Invalid: ``cli.list_too_long``.
        """
        found, has_more = self.first(path, _LIST_MAX, **query)
        if has_more:
            raise Invalid("cli.list_too_long", count=_LIST_MAX)
        return found

    def first(self, path: str, most: int, **query: Any) -> tuple[list[Json], bool]:
        """Return the first items of a paged list, and whether there are more."""
        # One more than is wanted tells whether there are more.
        found = list(islice(self.pages(path, limit=min(PAGE_SIZE, most + 1), **query), most + 1))
        return found[:most], len(found) > most

    def _write(self, method: str, path: str, body: bytes, media_type: str, query: Mapping[str, Any], tag: str = "") -> Json:
        headers = {"Content-Type": media_type} if media_type else {}
        if tag:
            headers["If-Match"] = tag
        # A lost answer is asked for again by nobody here, but proxies may: the key makes that harmless.
        headers["Idempotency-Key"] = uuid.uuid4().hex
        answer: Json = json.loads(self.send(method, path, query=query, body=body, headers=headers))
        return answer

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Send a request and return the body of a good answer.

        Raises:
            Refused: the service answered with a problem.
            Unavailable: ``cli.server_away`` or ``cli.tls_failed``.
        """
        asked = {name: _word(value) for name, value in (query or {}).items() if value not in (None, "", False)}
        address = path + (f"?{urlencode(asked)}" if asked else "")
        status, content = self._exchange(method, address, body, {**self._headers(), **(headers or {})})
        if status >= 400:
            raise Refused(status, _problem(status, content))
        return content

    def stream(self, path: str, headers: Mapping[str, str], **query: Any) -> http.client.HTTPResponse:
        """Send a GET and return the answer unread, to be read in pieces and closed.

        Raises:
            Refused: the service answered with a problem.
            Unavailable: ``cli.server_away`` or ``cli.tls_failed``.
        """
        asked = {name: _word(value) for name, value in query.items() if value not in (None, "", False)}
        address = path + (f"?{urlencode(asked)}" if asked else "")
        # A connection of its own: what stood idle while a report was made may be gone.
        self.close()
        try:
            connection = self._open()
            connection.request("GET", address, None, {**self._headers(), **headers})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            self.close()
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unavailable("cli.server_away", server=self.server, reason=reason) from error
        if response.status >= 400:
            raise Refused(response.status, _problem(response.status, response.read()))
        return response

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Language": self._language, "User-Agent": "allot", **self._own_headers}
        if self._target.token:
            headers["Authorization"] = f"Bearer {self._target.token}"
        return headers

    def _exchange(self, method: str, address: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        is_kept = self._connection is not None
        try:
            connection = self._open()
            connection.request(method, address, body, dict(headers))
            response = connection.getresponse()
            self.tag = response.getheader("ETag") or ""
            self.answered_at_s = _moment_s(response.getheader("Date") or "")
            return response.status, response.read()
        except ssl.SSLError as error:
            self.close()
            raise Unavailable("cli.tls_failed", server=self.server, reason=error.reason or str(error)) from error
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            self.close()
            if is_kept and method == "GET":
                # The service closes connections that stood idle: that says nothing about the service.
                return self._exchange(method, address, body, headers)
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unavailable("cli.server_away", server=self.server, reason=reason) from error

    def _open(self) -> http.client.HTTPConnection:
        if self._connection is None:
            parts = urlsplit(self._target.server)
            host = parts.hostname or ""
            if parts.scheme == "https":
                context = ssl.create_default_context(cafile=self._target.ca_file or None)
                self._connection = http.client.HTTPSConnection(host, parts.port, timeout=self._timeout_s, context=context)
            else:
                self._connection = http.client.HTTPConnection(host, parts.port, timeout=self._timeout_s)
        return self._connection

    def close(self) -> None:
        """Drop the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def segment(text: str) -> str:
    """Return a name as one segment of a path; one that is only dots is a name too, and no step up.

    Raises:
        Usage: ``cli.name_empty``: nothing is no name, and the path of something else.
    """
    if not text:
        raise Usage("cli.name_empty")
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def _moment_s(date: str) -> float | None:
    """Return the epoch s of a ``Date`` header, None where it is none."""
    parts = parsedate_tz(date)
    return None if parts is None else float(mktime_tz(parts))


def _word(value: Any) -> str:
    return "true" if value is True else str(value)


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def _problem(status: int, content: bytes) -> Json:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if isinstance(body, dict) and "code" in body:
        return body
    # Not ours: a proxy in between, or another service on that port.
    return {"code": "cli.not_allotment", "detail": f"HTTP {status}", "status": status}
