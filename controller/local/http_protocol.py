"""The connection of one client: uvicorn's fast parser, with a bound on heads and trailers of requests that the parser lacks."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from controller.api.problems import DEFAULT_LANGUAGE, MEDIA_TYPE, HeadTooLarge, body_of, dump, status_of

#: Longest head of a request, request line and headers together. The read that goes beyond it is still taken.
HEAD_BYTES = 64 * 1024


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request head does not end: it would grow in memory before anybody asks who sends it."""

    #: Bytes since the last head or piece of a body ended: all of them are kept by the parser.
    _kept_bytes = 0
    _is_in_request = False

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        if self._kept_bytes > HEAD_BYTES:
            self._refuse()
            return
        self._kept_bytes += len(data)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Begin the request."""
        self._is_in_request, self._kept_bytes = True, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand a piece of the body on, which has a bound of its own."""
        self._kept_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request, its trailers included: what comes next is the head of another."""
        self._is_in_request, self._kept_bytes = False, 0
        super().on_message_complete()

    def _refuse(self) -> None:
        """Answer without a request: nobody knows yet what it asks for, or in which language."""
        if not self._is_in_request:
            error = HeadTooLarge("request.head_too_large", max_bytes=HEAD_BYTES)
            status = status_of(error)
            body = dump(body_of(error, DEFAULT_LANGUAGE, status))
            head = f"HTTP/1.1 {status} \r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode("ascii") + body)
        # Within a request an answer may be under way already, and is the last.
        self.transport.close()
