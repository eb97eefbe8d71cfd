"""From a request to the units that are placed: checks it, joins machines that must share a host, and finds equal ones.

A *unit* is what goes to one host as a whole: one machine, or all machines that hang together by shared networks (a
network lives on one host, unless hosts of the zone share a home: see ``reach``). A *need* is what a unit asks of a host;
units with equal needs are ranked once.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from controller.scheduling.cells import SeatAsk
from controller.scheduling.reach import Reach, cards, joined
from inventory.domain.errors import Invalid
from inventory.domain.ids import HostId, ZoneId
from inventory.domain.placement import GroupRule, Level, MemberRequest, NetworkLevel, PlacementRequest
from inventory.domain.resources import DISK_PREFIX, disk_dimension
from inventory.domain.system import SpreadLevel

#: A gang larger than this is refused at the door: no ticket of a department is, and the answer must come fast.
MEMBERS_MAX = 10_000
ANY_ARCH = ("", "any")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a unit asks of a host. Equal needs have equal answers."""

    zone_id: ZoneId
    mlps_level: int
    #: Growth by dimension, sorted.
    ask: tuple[tuple[str, int], ...]
    #: (class, GiB still to find) per disk, in the order of members and their disks.
    disks: tuple[tuple[str, int], ...]
    #: Architectures asked for by new machines; more than one fits nowhere.
    archs: tuple[str, ...]
    #: Hosts that machines of the unit are pinned to; more than one fits nowhere.
    pins: tuple[HostId, ...]
    #: Hosts where networks of the unit live already; where hosts share homes, only if these are several (``reach``).
    reach: tuple[HostId, ...]
    #: (group, level) of hard and soft rules of machines that are new.
    hard: tuple[tuple[str, Level], ...]
    #: Levels above the host of hard rules that tear apart, and that keep together.
    apart: tuple[Level, ...]
    together: tuple[Level, ...]
    soft: tuple[tuple[str, Level], ...]
    #: Group whose hard rule two machines of the unit cannot keep; empty if there is none.
    conflict: str
    #: Traits that new and growing machines ask for.
    traits: tuple[str, ...]
    #: New machines by group, for groups with a rule.
    counts: tuple[tuple[str, int], ...]
    #: All machines exist, and none grows: they stay, whatever the state of their host.
    is_staying: bool
    #: What machines ask of the cells of their host, in the order of members: those without a layout ask nothing.
    seats: tuple[SeatAsk, ...] = ()
    #: (network, cards) of new machines, where addresses are short: of all that hang together, for they share the segments.
    cards: tuple[tuple[str, int], ...] = ()
    #: Worked out once: a need is looked up several times for every machine.
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = tuple(getattr(self, f.name) for f in fields(self) if f.compare)
        object.__setattr__(self, "_hash", hash(values))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Machines (indices into the request) that go to one host together."""

    need: Need
    members: tuple[int, ...]


def check_request(request: PlacementRequest) -> None:
    """Refuse a request that makes no sense.

    Raises:
        Invalid: too many machines, a name twice, a negative amount, a disk of no size, two rules for one group, a rule for
            fewer than one machine in a domain.
    """
    if len(request.members) > MEMBERS_MAX:
        raise Invalid("placement.too_many_members", count=len(request.members), highest=MEMBERS_MAX)
    _refuse_twice("placement.member_twice", [m.name for m in request.members])
    _refuse_twice("placement.rule_twice", [r.group for r in request.rules])
    for rule in request.rules:
        if rule.max_per_domain < 1:
            raise Invalid("placement.max_per_domain_too_small", group=rule.group, count=rule.max_per_domain)
    checked: set[tuple[object, object]] = set()
    for member in request.members:
        shape = (member.compute.amounts, member.disks)
        if shape not in checked:
            checked.add(shape)
            _check_amounts(member)


def _refuse_twice(code: str, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise Invalid(code, name=min(name for name, count in Counter(names).items() if count > 1))


def _check_amounts(member: MemberRequest) -> None:
    for dimension, amount in member.compute.amounts:
        if amount < 0:
            raise Invalid("placement.amount_negative", member=member.name, dimension=dimension, amount=amount)
        if dimension.startswith(DISK_PREFIX):
            raise Invalid("placement.disk_in_compute", member=member.name, dimension=dimension)
    for disk_class, size_gib in member.disks:
        if size_gib <= 0:
            raise Invalid("placement.disk_size_not_positive", member=member.name, disk_class=disk_class, size_gib=size_gib)


def units_of(request: PlacementRequest, reach: Reach | None = None) -> list[Unit]:
    """Return the units of a checked request, in the order of their first member."""
    rules = {r.group: r for r in request.rules if r.spread is not SpreadLevel.NONE}
    if reach is not None:
        return _units_within(request, reach, rules)
    units = []
    for members in joined(request.members):
        if len(members) > 1:
            need = _need(request, [request.members[m] for m in members], rules)
        else:
            need = _need_of_one(request, request.members[members[0]], rules)
        units.append(Unit(need=need, members=members))
    return units


def _units_within(request: PlacementRequest, reach: Reach, rules: Mapping[str, GroupRule]) -> list[Unit]:
    """Return a unit for each machine: those that share a network are held to one home by a rule."""
    alone, known = replace(request, network_hosts={}, addresses=None), dict[object, Need]()
    units = []
    for m, member in enumerate(request.members):
        terms = reach.group_of.get(m, ""), reach.torn.get(m, ()), reach.cards_of.get(m, ())
        key = (_likeness(member, alone, rules), terms)
        if key not in known:
            known[key] = _held(_need_of_one(alone, member, rules), *terms, is_short=request.addresses is not None)
        units.append(Unit(need=known[key], members=(m,)))
    return units


def _held(need: Need, group: str, torn: tuple[HostId, ...], all_cards: tuple[tuple[str, int], ...], *, is_short: bool) -> Need:
    """Return a need with what shared networks ask of it."""
    if group:
        need = replace(need, hard=(*need.hard, (group, NetworkLevel.HOME)), counts=(*need.counts, (group, 1)))
    return replace(need, reach=torn, cards=all_cards if is_short and not need.is_staying else ())


#: Needs of single machines by what they are made of: the same sizes are asked for again and again.
_KNOWN: dict[object, Need] = {}
_KNOWN_MAX = 4096


def _need_of_one(request: PlacementRequest, member: MemberRequest, rules: Mapping[str, GroupRule]) -> Need:
    rule = rules.get(member.group)
    terms = None if rule is None else (rule.spread, rule.is_hard, rule.is_affinity, rule.max_per_domain)
    key = request.zone_id, request.mlps_level, terms, _likeness(member, request, rules)
    need = _KNOWN.get(key)
    if need is None:
        if len(_KNOWN) >= _KNOWN_MAX:
            _KNOWN.clear()
        need = _KNOWN[key] = _need(request, [member], rules)
    return need


def _likeness(member: MemberRequest, request: PlacementRequest, rules: Mapping[str, GroupRule]) -> object:
    reach = tuple(request.network_hosts[n] for n in member.networks if n in request.network_hosts)
    group = member.group if member.group in rules else ""
    shape = (member.compute.amounts, member.disks, member.arch, member.traits, member.layout, member.seat)
    cards = member.networks if request.addresses is not None else ()
    return shape, member.pinned_host_id, member.held.amounts, reach, group, cards


def _need(request: PlacementRequest, members: Sequence[MemberRequest], rules: Mapping[str, GroupRule]) -> Need:
    counts = Counter(m.group for m in members if m.group in rules and not m.is_existing)
    ask, disks = _asked(members)
    seats = tuple(seat_ask(m) for m in members if m.layout)
    return Need(
        zone_id=request.zone_id,
        mlps_level=request.mlps_level,
        ask=ask,
        disks=disks,
        archs=tuple(sorted({m.arch for m in members if not m.is_existing} - set(ANY_ARCH))),
        pins=tuple(sorted({m.pinned_host_id for m in members if m.pinned_host_id is not None})),
        reach=tuple(sorted({request.network_hosts[n] for m in members for n in m.networks if n in request.network_hosts})),
        hard=tuple((g, rules[g].spread) for g in sorted(counts) if rules[g].is_hard),
        apart=_levels(rules[g] for g in counts if rules[g].is_hard and not rules[g].is_affinity),
        together=_levels(rules[g] for g in counts if rules[g].is_hard and rules[g].is_affinity),
        soft=tuple((g, rules[g].spread) for g in sorted(counts) if not rules[g].is_hard),
        conflict=min((g for g, count in counts.items() if _tears_apart(rules[g], count)), default=""),
        traits=tuple(sorted({trait for m in members if not _stays(m) for trait in m.traits})),
        counts=tuple(sorted(counts.items())),
        is_staying=all(m.is_existing for m in members) and not ask and not any(size for _, size in disks) and not seats,
        seats=seats,
        cards=cards(members) if request.addresses is not None else (),
    )


def _stays(member: MemberRequest) -> bool:
    """Tell whether a machine exists and asks for nothing more."""
    held = dict(member.held.amounts)
    grows = any(amount > held.get(dimension, 0) for dimension, amount in member.compute.amounts)
    return member.is_existing and not (grows or member.disks or member.layout)


def seat_ask(member: MemberRequest) -> SeatAsk:
    """Return what a machine that asks how it lies asks of the cells of a host."""
    layout, amounts = member.layout, dict(member.compute.amounts)
    return SeatAsk(
        layout=layout,
        vcpu_count=amounts.get(layout.processor_dimension, 0),
        memory_mib=amounts.get(layout.memory_dimension, 0),
        held=member.seat,
    )


def _levels(rules: Iterable[GroupRule]) -> tuple[Level, ...]:
    return tuple(sorted({rule.spread for rule in rules} - {SpreadLevel.HOST}))


def _tears_apart(rule: GroupRule, count: int) -> bool:
    return rule.is_hard and not rule.is_affinity and count > rule.max_per_domain


def _asked(members: Sequence[MemberRequest]) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]]:
    ask: Counter[str] = Counter()
    disks: list[tuple[str, int]] = []
    for member in members:
        held = dict(member.held.amounts) if member.pinned_host_id is not None else {}
        for dimension, amount in member.compute.amounts:
            ask[dimension] += max(0, amount - held.get(dimension, 0))
        disks += _disk_growth(member.disks, held)
    return tuple(sorted((d, a) for d, a in ask.items() if a)), tuple(disks)


def _disk_growth(disks: Sequence[tuple[str, int]], held: dict[str, int]) -> list[tuple[str, int]]:
    """Return the GiB still to find per disk: what is held of a class covers its disks in their order."""
    growth = []
    for disk_class, size_gib in disks:
        dimension = disk_dimension(disk_class)
        covered = min(size_gib, held.get(dimension, 0))
        held[dimension] = held.get(dimension, 0) - covered
        growth.append((disk_class, size_gib - covered))
    return growth
