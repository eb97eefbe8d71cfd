"""uvicorn's server, saying when it serves. A module of its own because uvicorn is loaded by ``serve`` alone."""

import socket
from collections.abc import Callable

import uvicorn


class Server(uvicorn.Server):
    """Calls back once it takes requests."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_started()
