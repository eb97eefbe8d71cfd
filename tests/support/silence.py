"""A service that accepts every connection and never says a word."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Silence:
    """What is connected to it."""

    url: str
    connections: list[socket.socket] = field(default_factory=list)
    is_asked: threading.Event = field(default_factory=threading.Event)


@contextmanager
def silence() -> Iterator[Silence]:
    """Accept connections until the end; then hang up on all of them."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = Silence(url=f"http://127.0.0.1:{listener.getsockname()[1]}")

    def accept() -> None:
        # The listener is shut under it: that is the end.
        with suppress(OSError):
            while True:
                found.connections.append(listener.accept()[0])
                found.is_asked.set()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield found
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()
        for connection in found.connections:
            connection.close()
