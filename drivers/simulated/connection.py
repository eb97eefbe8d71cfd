"""The connection string of a simulated host: ``simulated://<world>/<host>?cpus=64&memory_mib=262144&disk_gib=4000``."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from drivers.protocol import Capability
from drivers.simulated.records import HostSpec, PoolSpec
from inventory.domain.errors import Invalid

KEYS = frozenset(
    {
        "cpus",
        "memory_mib",
        "disk_gib",
        "arch",
        "pools",
        "without",
        "delay_ms",
        "cells",
        "threads",
        "huge",
        "foreign",
        "scope",
        "disks",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A read connection string."""

    world: str
    host: str
    spec: HostSpec
    #: Powers this host is to lack.
    without: Capability
    #: What every verb takes, or None to leave the world's delays.
    delay_ms: int | None


def read_connection(text: str) -> Connection:
    """Read a connection string.

    ``pools=default:4000,fast:800`` names storage pools with their GiB, ``without=stats,events`` takes powers away,
    ``delay_ms`` slows every verb of the world down, ``cells=2&threads=2&huge=2048:512`` shows NUMA cells, threads of a core and
    huge pages (KiB: pages in each cell), ``foreign=mail:civil-it,files`` two machines somebody else made (name:owner),
    ``scope=north`` the network fabric it shares with all hosts of the world that name it, ``disks=north`` the storage.

    Raises:
        Invalid: ``simulated.connection_bad``.
    """
    parts = urlsplit(text)
    host = parts.path.strip("/")
    if parts.scheme != "simulated" or not parts.netloc or not host or "/" in host:
        raise _bad(text, "scheme, world or host")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - KEYS)
    if unknown:
        raise _bad(text, ", ".join(unknown))
    try:
        return Connection(
            world=parts.netloc,
            host=host,
            spec=_spec(options),
            without=_powers(options.get("without", "")),
            delay_ms=_count(options["delay_ms"], least=0) if "delay_ms" in options else None,
        )
    except (ValueError, KeyError) as error:
        raise _bad(text, str(error)) from error


def _spec(options: dict[str, str]) -> HostSpec:
    return HostSpec(
        cpu_count=_count(options.get("cpus", "64")),
        memory_mib=_count(options.get("memory_mib", "262144")),
        arch=options.get("arch", "x86_64"),
        pools=_pools(options.get("pools") or f"default:{options.get('disk_gib', '4000')}"),
        cells=_count(options.get("cells", "0"), least=0),
        threads=_count(options.get("threads", "1")),
        scope=options.get("scope", ""),
        disks=options.get("disks", ""),
        foreign=tuple((name, owner) for name, _, owner in _parts(options.get("foreign", ""))),
        huge_pages=tuple((_count(kib), _count(count)) for kib, _, count in _parts(options.get("huge", ""))),
    )


def _pools(text: str) -> tuple[PoolSpec, ...]:
    return tuple(PoolSpec(name=name, capacity_gib=_count(gib)) for name, _, gib in _parts(text))


def _parts(text: str) -> list[tuple[str, str, str]]:
    return [entry.partition(":") for entry in text.split(",") if text]


def _count(text: str, *, least: int = 1) -> int:
    value = int(text)
    if value < least:
        raise ValueError(f"{text} < {least}")
    return value


def _powers(text: str) -> Capability:
    powers = Capability.NONE
    for name in filter(None, text.split(",")):
        powers |= Capability[name.upper()]
    return powers


def _bad(text: str, reason: str) -> Invalid:
    return Invalid("simulated.connection_bad", connection=text, reason=reason)
