"""``Idempotency-Key``: the same key and the same request get the same answer, whatever happened to the first one."""

import hashlib
import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from controller.identity import keys
from controller.identity.keys import Key, Stored
from inventory.domain.errors import Invalid
from inventory.domain.ids import TokenId
from inventory.store.engine import Database

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
#: What of an answer is remembered beside its body.
_HEADERS = ("content-type", "location", "etag")


def key_of(request: Request, token_id: TokenId, body: bytes) -> Key | None:
    """Return the key of a request, None where it has none.

    Raises:
        Invalid: ``idempotency.key_malformed``.
    """
    text = request.headers.get(HEADER)
    if text is None:
        return None
    if not _KEY.fullmatch(text):
        raise Invalid("idempotency.key_malformed")
    parts = (request.method, request.url.path, request.url.query, request.headers.get("if-match", ""))
    digest = hashlib.sha256("\n".join(parts).encode() + b"\n" + body).hexdigest()
    return Key(token_id=token_id, key=text, request_sha256=digest)


def begin(database: Database, key: Key, now_s: float) -> Response | None:
    """Take the key; returns the remembered answer where there is one."""
    stored = database.run(lambda connection: keys.begin(connection, key, now_s))
    if stored is None:
        return None
    headers = {**_named(stored.headers), "Idempotency-Replayed": "true"}
    return Response(stored.body, status_code=stored.status, headers=headers)


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.title() if name != "etag" else "ETag": value for name, value in headers.items()}


def finish(database: Database, key: Key, response: Response) -> None:
    """Remember a good answer."""
    headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
    stored = Stored(status=response.status_code, headers=headers, body=bytes(response.body))
    database.run(lambda connection: keys.finish(connection, key, stored))


def drop(database: Database, key: Key) -> None:
    """Forget the key of a request that did nothing."""
    database.run(lambda connection: keys.drop(connection, key))
