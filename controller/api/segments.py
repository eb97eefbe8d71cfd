"""An escaped slash stays inside the segment it was written in: a name never becomes a longer path, and so another route."""

from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = (b"%2f", b"%2F")


class WholeSegments:
    """ASGI middleware: what is between two slashes of the address as it was sent is one segment, its own slashes escaped."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; all but an address with an escaped slash as it is."""
        raw: bytes = scope.get("raw_path") or b""
        if scope["type"] == "http" and any(slash in raw for slash in _SLASHES):
            scope = {**scope, "path": path_of(raw.partition(b"?")[0])}
        await self._app(scope, receive, send)


def path_of(raw: bytes) -> str:
    """Return the path routes are matched with."""
    parts = raw.decode("latin-1").split("/")
    return "/".join(unquote(part).replace("/", "%2F") for part in parts)
