"""Answers that come byte by byte, for whoever must not wait for their end."""

import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler


def trickle(handler: BaseHTTPRequestHandler, content: bytes, pause_s: float) -> None:
    """Send these bytes with a pause after each, until the other side has had enough and hangs up; without one, at once."""
    if not pause_s:
        handler.wfile.write(content)
        return
    handler.close_connection = True
    with suppress(OSError):
        for byte in content:
            handler.wfile.write(bytes([byte]))
            time.sleep(pause_s)
