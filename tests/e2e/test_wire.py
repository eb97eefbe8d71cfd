"""What is no request at all: a real service answers bytes that are not HTTP and goes on serving."""

import json
import select
import socket

import pytest

from controller.local.http_protocol import HEAD_BYTES
from tests.support.service import ServiceUnderTest

#: One read of the server may take so much beyond the bound.
_READ_BYTES = 256 * 1024


def _answer(running: ServiceUnderTest, data: bytes) -> bytes:
    """Send bytes as they are; returns all that comes back until the service closes, or has sent one answer."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        try:
            connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return b""
        connection.shutdown(socket.SHUT_WR)
        parts = []
        try:
            while part := connection.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            # It closed with bytes of ours unread.
            pass
        return b"".join(parts)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nno colon here\r\n\r\n",
        b"POST /v1/tickets HTTP/1.1\r\nHost: a\r\nContent-Length: minus one\r\n\r\n",
        b"POST /v1/tickets HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nabcd",
    ],
    ids=["TLS", "header without colon", "length is no number", "two lengths"],
)
def test_what_is_no_http_is_refused_and_the_service_goes_on(running: ServiceUnderTest, data: bytes) -> None:
    assert _answer(running, data).startswith(b"HTTP/1.1 400 ")
    assert _healthy(running)


_CHUNKED = b"POST /v1/tickets HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "address": (b"GET /", b"a" * 16384),
    "header": (b"GET /healthz HTTP/1.1\r\nX-Long: ", b"a" * 16384),
    "headers": (b"GET /healthz HTTP/1.1\r\n", b"X-A: b\r\n" * 2048),
    "trailer": (_CHUNKED + b"0\r\nX-Long: ", b"a" * 16384),
    "trailers": (_CHUNKED + b"0\r\n", b"X-A: b\r\n" * 2048),
    "chunk extension": (_CHUNKED + b"1;", b"a" * 16384),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_is_kept_of_a_request_is_bounded(running: ServiceUnderTest, name: str) -> None:
    begin, piece = ENDLESS[name]
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        connection.sendall(begin)
        # What lies in buffers on the way counts as sent.
        assert _sent_until_closed(connection, piece) < 64 * (HEAD_BYTES + _READ_BYTES)
    assert _healthy(running)


def test_who_sends_a_head_without_end_is_told_so(running: ServiceUnderTest) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"a" * HEAD_BYTES)
        # In pieces that are read before the next is sent: a reset would take the answer away.
        while not select.select([connection], [], [], 0.05)[0]:
            connection.sendall(b"a")
        head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    problem = json.loads(body)
    assert (problem["code"], problem["status"]) == ("request.head_too_large", 431)
    assert problem["detail_zh"]
    assert problem["detail_en"]


def _sent_until_closed(connection: socket.socket, piece: bytes) -> int:
    """Send the same again and again; returns the bytes that were taken before the connection was closed, or 64 MiB."""
    sent = 0
    while sent < 64 << 20:
        try:
            connection.sendall(piece)
            sent += len(piece)
        except (BrokenPipeError, ConnectionResetError):
            break
    return sent


def test_a_head_within_the_bound_is_read_however_small_its_pieces(running: ServiceUnderTest) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Long: " + b"a" * (HEAD_BYTES - 1024) + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        for place in range(0, len(head), 1000):
            connection.sendall(head[place : place + 1000])
        assert _one_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_requests_that_follow_each_other_on_one_connection_are_counted_one_by_one(running: ServiceUnderTest) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * (HEAD_BYTES // 2) + b"\r\n\r\n"
    last = one.replace(b"Host: a", b"Host: a\r\nConnection: close")
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        for _ in range(4):
            connection.sendall(one)
            assert _one_answer(connection).startswith(b"HTTP/1.1 200 ")
        connection.sendall(last)
        assert _one_answer(connection).startswith(b"HTTP/1.1 200 ")


def _one_answer(connection: socket.socket) -> bytes:
    """Read one answer with a JSON object, head and body; the head may come by itself."""
    data = b""
    while not data.endswith(b"}"):
        part = connection.recv(65536)
        assert part, f"closed after {data!r}"
        data += part
    return data


def _healthy(running: ServiceUnderTest) -> bool:
    return _answer(running, b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
