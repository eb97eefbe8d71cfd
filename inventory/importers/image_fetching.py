"""Read an image from a web address that an operator allowed, and from nowhere else.

The host must be listed; its name is looked up once and the connection goes to one of those addresses, so a second answer of the
name server changes nothing; addresses that are not public are refused unless their network is listed; redirects are not followed;
environment proxies are not used. Size and time are bounded.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING

from inventory.domain.errors import Invalid, Unavailable
from inventory.domain.progress import UNSEEN, Progress, WorkPhase

if TYPE_CHECKING:
    import httpx

_CHUNK_BYTES = 1 << 20
#: IPv6 that carries an IPv4 address inside, which a gateway may unpack to anything.
_TUNNELS = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"), ipaddress.IPv6Network("2002::/16"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """From where, how long. Nothing is allowed until it is listed."""

    #: Host names (or literal addresses) a URL may name.
    allowed_hosts: frozenset[str] = frozenset()
    #: Networks that may be fetched from though they are not public, for example ``10.8.0.0/16``.
    allowed_networks: tuple[str, ...] = ()
    connect_timeout_s: float = 10.0
    #: Longest silence.
    read_timeout_s: float = 30.0
    #: For the whole transfer.
    total_timeout_s: float = 3600.0
    #: A certificate authority of one's own, in PEM; the system's otherwise.
    ca_file: Path | None = None


def fetch(
    url: str,
    options: FetchOptions,
    monotonic: Callable[[], float] = time.monotonic,
    progress: Progress = UNSEEN,
) -> Generator[bytes, None, None]:
    """Yield the bytes behind ``url``; how many there are to be is told, where the server says so.

    Raises:
        Invalid: ``image.url_*`` the address is not one we may read from; ``image.fetch_refused`` the server said no.
        Unavailable: ``image.fetch_failed``, ``image.fetch_timeout``.
    """
    import httpx  # takes a quarter of a second to load and is needed here only

    deadline_s = monotonic() + options.total_timeout_s
    target = _checked_url(url, options)
    addresses = _resolve(target.host, target.port or (443 if target.scheme == "https" else 80), options)
    timeout = httpx.Timeout(options.read_timeout_s, connect=options.connect_timeout_s)
    try:
        with (
            httpx.Client(verify=_tls(options), trust_env=False, follow_redirects=False, timeout=timeout) as client,
            closing(_asked(client, target, addresses)) as response,
        ):
            _check_answer(response)
            # Said by others: it is shown, and nothing follows from it. The client refuses what is no number.
            size = response.headers.get("Content-Length")
            progress.phase(WorkPhase.COPYING, (lambda: int(size)) if size else None)
            for chunk in response.iter_raw(_CHUNK_BYTES):
                if monotonic() > deadline_s:
                    raise Unavailable("image.fetch_timeout", host=target.host, seconds=options.total_timeout_s)
                yield chunk
    except httpx.TimeoutException as error:
        raise Unavailable(
            "image.fetch_timeout", host=target.host, seconds=options.read_timeout_s, internal=repr(error)
        ) from error
    except httpx.HTTPError as error:
        raise Unavailable("image.fetch_failed", host=target.host, internal=repr(error)) from error


def _asked(client: "httpx.Client", target: "httpx.URL", addresses: Sequence[IPv4Address | IPv6Address]) -> "httpx.Response":
    """Ask the first address that can be connected to: of a name with two kinds, often only one is served or has a route."""
    import httpx

    for address in addresses:
        request = client.build_request(
            "GET",
            target.copy_with(host=str(address)),
            headers={"Host": target.netloc.decode("ascii"), "Accept-Encoding": "identity"},
            extensions={"sni_hostname": target.host},
        )
        try:
            return client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if address == addresses[-1]:
                raise
    raise AssertionError("a name that was found has an address")


def _tls(options: FetchOptions) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=options.ca_file)
    except OSError as error:
        raise Unavailable("image.fetch_failed", host=str(options.ca_file), internal=repr(error)) from error


def _checked_url(url: str, options: FetchOptions) -> "httpx.URL":
    """Parse with the very parser that will connect, so that both read the same host."""
    import httpx

    try:
        target = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise Invalid("image.url_malformed", internal=str(error)) from error
    if target.scheme not in {"http", "https"}:
        raise Invalid("image.url_scheme", scheme=target.scheme)
    if not target.host or target.userinfo or not 0 < (target.port or 80) < 65536:
        raise Invalid("image.url_malformed")
    if target.host.lower() not in {host.lower() for host in options.allowed_hosts}:
        raise Invalid("image.url_host_not_allowed", host=target.host)
    return target


def _resolve(host: str, port: int, options: FetchOptions) -> list[IPv4Address | IPv6Address]:
    """Look the name up once; every address it has must be allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable("image.fetch_failed", host=host, internal=repr(error)) from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not is_allowed_address(address, options.allowed_networks):
            raise Invalid("image.url_address_not_allowed", host=host, address=str(address))
    return addresses


def is_allowed_address(address: IPv4Address | IPv6Address, allowed_networks: tuple[str, ...]) -> bool:
    """Tell whether an address is public or listed; IPv4 in IPv6 clothes is judged as IPv4."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address in ipaddress.ip_network(network) for network in allowed_networks):
        return True
    if isinstance(address, IPv6Address) and any(address in tunnel for tunnel in _TUNNELS):
        return False
    return address.is_global and not address.is_multicast


def _check_answer(response: "httpx.Response") -> None:
    if response.is_redirect or 300 <= response.status_code < 400:
        raise Invalid("image.url_redirected", status=response.status_code)
    if response.status_code >= 500:
        raise Unavailable("image.fetch_failed", host=response.request.headers["Host"], internal=f"HTTP {response.status_code}")
    if response.status_code != 200:
        raise Invalid("image.fetch_refused", status=response.status_code)
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Invalid("image.fetch_refused", status="Content-Encoding")
