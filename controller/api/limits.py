"""A bound on every body: beyond it reading stops, whether the sender announced its length or not."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.api.problems import TooLarge


class BodyLimit:
    """ASGI middleware; the error is raised where the body is read, behind the door."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counted body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        is_announced_too_large = announced.isdigit() and int(announced) > self._max_bytes
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            if is_announced_too_large:
                raise TooLarge("request.too_large")
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise TooLarge("request.too_large")
            return message

        await self._app(scope, counted, send)
