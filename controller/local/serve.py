"""``serve``: the controller itself. One lock, one state, one loop, one port; SIGTERM and SIGINT end it cleanly."""

import errno
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from controller.cli.commands import commands
from controller.cli.session import session_of

if TYPE_CHECKING:
    from controller.settings import Settings
    from controller.wiring import Service

app = commands()
#: How long requests that run may finish when the service stops.
_HTTP_GRACE_S = 10


@app.command()
def serve(
    ctx: typer.Context,
    config: Path | None = typer.Option(None, "--config", envvar="ALLOT_CONFIG"),
    paused: bool = typer.Option(False, "--paused"),
) -> None:
    """Run the controller until it is told to stop."""
    from controller.local.lean_start import loading_lean

    with loading_lean():
        _serve(ctx, config, is_paused=paused)


def _serve(ctx: typer.Context, config: Path | None, *, is_paused: bool) -> None:
    from controller import logs
    from controller.local.memory import giving_back, keep_small, spare_what_stays
    from controller.settings import load_settings
    from controller.state import open_state, sole_controller
    from controller.wiring import build_service

    session_of(ctx)
    keep_small()
    settings = load_settings(config)
    logs.set_up(settings.log.level, settings.log.format)
    with sole_controller(settings), listening(settings) as port, _signals_noted(), giving_back():
        service = build_service(settings, open_state(settings), is_paused=is_paused)
        spare_what_stays()
        service.start()
        try:
            _serve_http(settings, service, port)
        finally:
            service.stop()


@contextmanager
def listening(settings: "Settings") -> Iterator[socket.socket]:
    """Hold the port before anything else is begun.

    Raises:
        Conflict: ``serve.port_in_use``.
        Invalid: ``serve.address_unusable``.
    """
    from inventory.domain.errors import Conflict, Invalid

    host, port = settings.server.host, settings.server.port
    # The protocol is named because asyncio switches Nagle's delay off only where it is: else small answers take 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, port))
            found.listen(2048)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Conflict("serve.port_in_use", host=host, port=port) from error
            raise Invalid("serve.address_unusable", host=host, port=port, reason=error.strerror or str(error)) from error
        yield found
    finally:
        found.close()


@contextmanager
def _signals_noted() -> Iterator[None]:
    """Keep SIGTERM from ending the process on the spot.

    uvicorn stops serving on a signal and raises it again afterwards for whoever stood there before it: that is us, and the
    loop still has to be ended.
    """
    before = {number: signal.signal(number, lambda _number, _frame: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve_http(settings: "Settings", service: "Service", port: socket.socket) -> None:
    import structlog
    import uvicorn

    from controller.local.http_protocol import BoundedHttpProtocol
    from controller.local.http_server import Server

    log = structlog.get_logger("allot.serve")
    tls = settings.server
    config = uvicorn.Config(
        service.app,
        http=BoundedHttpProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=_HTTP_GRACE_S,
        timeout_keep_alive=30,
        ssl_certfile=str(tls.tls_certificate) if tls.tls_certificate else None,
        ssl_keyfile=str(tls.tls_key) if tls.tls_key else None,
    )

    def started() -> None:
        log.info("serving", host=settings.server.host, port=settings.server.port, is_paused=service.reconciler.is_paused)
        tell_systemd("READY=1")

    Server(config, started).run(sockets=[port])
    tell_systemd("STOPPING=1")
    log.info("stopping")


def tell_systemd(message: str) -> None:
    """Tell systemd how the service is; does nothing where no systemd started it.

    Source: sd_notify(3): one datagram to the socket named by ``NOTIFY_SOCKET``.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifier:
        notifier.sendto(message.encode(), "\0" + address[1:] if address.startswith("@") else address)
