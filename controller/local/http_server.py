"""uvicorn's server, saying when it serves. A module of its own because uvicorn is loaded by ``serve`` alone."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn

#: How often the date of answers is told anew.
_DATE_S = 1.0


class Server(uvicorn.Server):
    """Calls back once it takes requests, and sleeps while nobody asks: uvicorn's own wakes ten times a second."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._loop: asyncio.AbstractEventLoop | None = None
        self._signalled = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_started()

    async def main_loop(self) -> None:
        """Wait until a signal asks for the end."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(counter=0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._signalled.wait(), _DATE_S)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal and wake the loop."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._signalled.set)
