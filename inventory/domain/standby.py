"""N+1: which failure domains of a pool stand by so that the loss of any others is survived. Pure.

A domain *stands by* when its whole capacity is held. It *covers* another one when every host of that one has a host of its
own here that is at least as large in every dimension and storage pool and runs the same machines: then everything on the lost
domain fits host for host, whatever it is, with its networks, its NUMA layout and its spread. A pool with ``Reserve(level, n)``
is safe when each of its working domains is covered by ``n`` stand-by domains that are ready and empty, and in which hard rules
of groups would hold (``mates``): of any ``n`` lost domains those that stood by are no loss, and the others find as many that
still do.

Source: VMware vSphere's dedicated failover hosts (admission control by host), carried over to racks and unequal hosts.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from inventory.domain.host import Reserve
from inventory.domain.ids import HostId
from inventory.domain.mates import Place

#: What tells hosts apart that cannot run each other's machines: architecture, virtualisation, NUMA nodes.
Kind = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a host offers: equal shapes cover and are covered alike."""

    kind: Kind
    #: Amount by dimension, sorted.
    amounts: tuple[tuple[str, int], ...]
    #: (disk class, GiB) of its storage pools, largest first within a class.
    storage: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolHost:
    """A host of a pool, as far as the reserve is concerned."""

    id: HostId
    #: Name of its failure domain at the level of the reserve.
    domain: str
    #: All it may ever have promised: what another host must be able to take.
    load: Shape
    #: What it could take as a stand-by: capacity without what foreign guests use.
    room: Shape
    #: It would take machines now: active and reachable.
    is_ready: bool
    #: Nothing is promised or reserved on it.
    is_empty: bool
    #: It stands by already.
    is_standby: bool
    #: Racks, rooms and sites it is in; where machines of its domain may not be put after a loss, and what they may not leave.
    places: frozenset[Place] = frozenset()
    shuns: frozenset[Place] = frozenset()
    needs: frozenset[Place] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Domain:
    name: str
    loads: tuple[Shape, ...]
    rooms: tuple[Shape, ...]
    is_empty: bool
    is_standby: bool
    places: frozenset[Place]
    shuns: frozenset[Place]
    needs: frozenset[Place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """Which domains stand by, and which working ones are not covered as often as the reserve asks."""

    domains: frozenset[str] = frozenset()
    #: Empty when the reserve is whole. Nothing makes them worse: domains nobody can cover stand by themselves.
    uncovered: tuple[str, ...] = ()


def shape(kind: Kind, amounts: Mapping[str, int], storage: Iterable[tuple[str, int]]) -> Shape:
    """Return a shape in its one form."""
    return Shape(kind=kind, amounts=tuple(sorted(amounts.items())), storage=tuple(sorted(storage, key=lambda s: (s[0], -s[1]))))


def choose_standby(hosts: Sequence[PoolHost], reserve: Reserve) -> Standby:
    """Return the domains that shall stand by: few, empty ones first, where rules of groups hold, and those that do already.

    Greedy cover: each step takes the domain that covers most of what is not covered yet; what became needless is let go.
    """
    domains = _domains(hosts)
    chosen: list[_Domain] = []
    while short := _short(domains, chosen, reserve.count):
        chosen.append(_next(domains, chosen, short))
    for done in list(reversed(chosen)):
        rest = [d for d in chosen if d is not done]
        if not _short(domains, rest, reserve.count):
            chosen = rest
    names = frozenset(d.name for d in chosen)
    return Standby(domains=names, uncovered=uncovered(hosts, names, reserve))


def uncovered(hosts: Sequence[PoolHost], standby: Collection[str], reserve: Reserve) -> tuple[str, ...]:
    """Return the domains with something on them whose loss the pool may not survive, given those that stand by."""
    domains = _domains(hosts)
    empty = [d for d in domains if d.name in standby and d.is_empty]
    exposed = [d for d in domains if d.name not in standby or not d.is_empty]
    return tuple(d.name for d in exposed if _covers_count(d, empty) < reserve.count)


def is_enough(hosts: Sequence[PoolHost], standby: Collection[str], reserve: Reserve) -> bool:
    """Tell whether these stand-by domains cover every other one; if they are empty too, the reserve is whole."""
    domains = _domains(hosts)
    return not _short(domains, [d for d in domains if d.name in standby], reserve.count)


def _domains(hosts: Sequence[PoolHost]) -> list[_Domain]:
    members: dict[str, list[PoolHost]] = {}
    for host in hosts:
        members.setdefault(host.domain, []).append(host)
    return [
        _Domain(
            name=name,
            loads=_sorted(h.load for h in own),
            rooms=_sorted(h.room for h in own if h.is_ready),
            is_empty=all(h.is_empty for h in own),
            is_standby=any(h.is_standby for h in own),
            places=frozenset().union(*(h.places for h in own)),
            shuns=frozenset().union(*(h.shuns for h in own)),
            needs=frozenset().union(*(h.needs for h in own)),
        )
        for name, own in sorted(members.items())
    ]


def _sorted(shapes: Iterable[Shape]) -> tuple[Shape, ...]:
    return tuple(sorted(shapes, key=lambda s: (s.kind, s.amounts, s.storage)))


def _short(domains: Sequence[_Domain], chosen: Sequence[_Domain], count: int) -> list[_Domain]:
    names = {d.name for d in chosen}
    # Equal domains are covered alike.
    covered = {loads: _covers(loads, chosen) for loads in {d.loads for d in domains}}
    return [d for d in domains if d.name not in names and covered[d.loads] < count]


def _next(domains: Sequence[_Domain], chosen: Sequence[_Domain], short: Sequence[_Domain]) -> _Domain:
    taken = {d.name for d in chosen}
    is_short = {d.name for d in short}
    wanted: dict[tuple[Shape, ...], int] = {}
    for domain in short:
        wanted[domain.loads] = wanted.get(domain.loads, 0) + 1

    shunned = Counter(where for d in domains for where in d.shuns)
    needed = Counter(where for d in domains for where in d.needs)

    def breaks(domain: _Domain) -> int:
        kept = sum(needed[where] for where in domain.places)
        return sum(shunned[where] for where in domain.places) + needed.total() - kept

    def rank(domain: _Domain) -> tuple[bool, int, int, bool, str]:
        helped = sum(n for loads, n in wanted.items() if _takes(domain.rooms, loads))
        # It need not cover itself once it stands by.
        helped += domain.name in is_short and not _takes(domain.rooms, domain.loads)
        is_good = domain.is_empty and helped > 0
        # Of those that serve the ones where fewest rules of groups would break come first.
        return not is_good, breaks(domain) if is_good else 0, -helped, not domain.is_standby, domain.name

    return min((d for d in domains if d.name not in taken), key=rank)


def _covers_count(domain: _Domain, standby: Iterable[_Domain]) -> int:
    return _covers(domain.loads, (s for s in standby if s.name != domain.name and _keeps_rules(s, domain)))


def _keeps_rules(standby: _Domain, lost: _Domain) -> bool:
    """Tell whether hard rules of groups would hold with the machines of the lost domain on that one."""
    return not lost.shuns & standby.places and lost.needs <= standby.places


def _covers(loads: tuple[Shape, ...], standby: Iterable[_Domain]) -> int:
    return sum(_takes(s.rooms, loads) for s in standby)


@lru_cache(maxsize=4096)
def _takes(rooms: tuple[Shape, ...], loads: tuple[Shape, ...]) -> bool:
    """Tell whether every load finds a room of its own (maximum bipartite matching by augmenting paths)."""
    if len(rooms) < len(loads):
        return False
    taken_by: dict[int, int] = {}

    def seat(load: int, tried: set[int]) -> bool:
        for room, offered in enumerate(rooms):
            if room not in tried and _is_at_least(offered, loads[load]):
                tried.add(room)
                if room not in taken_by or seat(taken_by[room], tried):
                    taken_by[room] = load
                    return True
        return False

    return all(seat(load, set()) for load in range(len(loads)))


@lru_cache(maxsize=4096)
def _is_at_least(room: Shape, load: Shape) -> bool:
    if room.kind != load.kind:
        return False
    offered = dict(room.amounts)
    if any(amount > offered.get(dimension, 0) for dimension, amount in load.amounts):
        return False
    # Largest against largest: if that fails for one pool, no other pairing succeeds.
    for disk_class in {c for c, _ in load.storage}:
        rooms = [gib for c, gib in room.storage if c == disk_class]
        sizes = [gib for c, gib in load.storage if c == disk_class]
        if len(rooms) < len(sizes) or any(r < s for r, s in zip(rooms, sizes, strict=False)):
            return False
    return True
