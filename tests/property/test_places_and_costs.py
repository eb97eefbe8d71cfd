"""Conservation by place and of money: everything a host has is somewhere, and every split adds up to what was split."""

from hypothesis import given, settings
from hypothesis import strategies as st

from metering.costs import PLATFORM_ROWS, CostPool, Policy, shared, split
from metering.ledger import LedgerInterval
from metering.places import Room, where_it_went

END_S = 60
HOSTS = ("host_a", "host_b")


@st.composite
def rooms(draw: st.DrawFn) -> list[Room]:
    found = []
    for host in HOSTS:
        cuts = sorted(draw(st.sets(st.integers(-5, END_S + 5), max_size=3)))
        for start_s, end_s in zip(cuts, [*cuts[1:], None], strict=False):
            capacity = draw(st.integers(0, 40))
            held = [draw(st.integers(0, 8)) for _ in range(4)]
            found.append(
                Room(host_id=host, host=host[-1], meter="vcpu", start_s=start_s, end_s=end_s, capacity=capacity,
                     foreign=held[0], reserve=held[1], reserved=held[2], transfer=held[3])
            )  # fmt: skip
    return found


@st.composite
def usages(draw: st.DrawFn) -> list[LedgerInterval]:
    found = []
    for number in range(draw(st.integers(0, 7))):
        start_s = draw(st.integers(-5, END_S + 5))
        end_s = draw(st.none() | st.integers(start_s + 1, END_S + 20))
        found.append(
            LedgerInterval(
                resource_id=f"inst_{number}", meter="vcpu", start_s=start_s, end_s=end_s, amount=draw(st.integers(1, 9)),
                state=draw(st.sampled_from(("allocated", "running", "stopped", "lost"))), opened_by=1, closed_by=None,
                resource_kind="instance", resource_name="w", department_id=draw(st.sampled_from(("dept_a", "dept_b"))),
                project_id="p", system_id="s", host_id=draw(st.sampled_from((*HOSTS, None))),
            )
        )  # fmt: skip
    return found


def at(rows: list[Room], usage: list[LedgerInterval], host: str, second: int) -> dict[str, int] | None:
    """One second of one host, counted by hand."""
    here = [r for r in rows if r.host_id == host and r.start_s <= second and (r.end_s is None or second < r.end_s)]
    if not here:
        return None
    [room] = here
    now = [i for i in usage if i.host_id == host and i.start_s <= second and (i.end_s is None or second < i.end_s)]
    found = {"capacity": room.capacity, "foreign": room.foreign, "reserve": room.reserve, "reserved": room.reserved}
    found["building"] = sum(i.amount for i in now if i.state in ("allocated", "lost"))
    for department in ("dept_a", "dept_b"):
        found[department] = sum(i.amount for i in now if i.department_id == department and i.state not in ("allocated", "lost"))
    # Of what is left: what has arrived is its department's already.
    left = room.capacity - sum(n for name, n in found.items() if name != "capacity")
    found["transfer"] = min(room.transfer, max(0, left))
    return found


@settings(max_examples=150, deadline=None)
@given(rooms(), usages())
def test_at_every_second_of_every_host_the_parts_are_its_capacity(rows: list[Room], usage: list[LedgerInterval]) -> None:
    whole = where_it_went(rows, usage, 0, END_S)
    places = {p.host_id: p for p in whole.places}
    for host in HOSTS:
        seconds = [found for second in range(END_S) if (found := at(rows, usage, host, second)) is not None]
        if not seconds:
            assert host not in places
            continue
        place = places[host]
        for name in ("capacity", "foreign", "reserve", "reserved", "transfer", "building"):
            assert getattr(place, name) == sum(s[name] for s in seconds)
        for department in ("dept_a", "dept_b"):
            assert place.departments.get(department, 0) == sum(s[department] for s in seconds)
        parts = sum(place.departments.values()) + sum(getattr(place, row) for row in PLATFORM_ROWS)
        assert parts == place.capacity
    missing = {
        (host, second): -free
        for host in HOSTS
        for second in range(END_S)
        if (s := at(rows, usage, host, second)) is not None
        and (free := s["capacity"] - sum(n for name, n in s.items() if name != "capacity")) < 0
    }
    told = {(o.host_id, second): o.missing for o in whole.overfull for second in range(o.start_s, o.end_s)}
    assert told == missing, "nothing is clamped away"
    placed = sum(sum(p.departments.values()) + p.building for p in whole.places)
    used = sum(
        i.amount * max(0, min(END_S, END_S if i.end_s is None else i.end_s) - max(0, i.start_s))
        for i in usage
        if i.host_id is not None
    )
    assert placed + sum(whole.unplaced.values()) == used, "departments + building on hosts = the ledger"


@settings(deadline=None)
@given(rooms(), usages(), st.integers(0, 10**15), st.integers(1, 200), st.sampled_from(tuple(Policy)), st.integers(1, END_S - 1))
def test_every_policy_keeps_the_total_and_parts_of_a_time_keep_the_whole(
    rows: list[Room], usage: list[LedgerInterval], amount: int, length: int, policy: Policy, cut: int
) -> None:
    pool = CostPool(
        name="x", kind="hardware", micro_yuan=amount, from_s=-10, to_s=-10 + length, meter="vcpu", hosts=(), policy=policy
    )
    assert pool.share(0, cut) + pool.share(cut, END_S) == pool.share(0, END_S)
    assert pool.share(-10, -10 + length) == amount
    found = shared(pool, where_it_went(rows, usage, 0, END_S).places, 0, END_S)
    parts = sum(found.departments.values()) + sum(found.platform.values())
    assert parts + found.unallocated == found.micro_yuan == pool.share(0, END_S)
    assert min([*found.departments.values(), *found.platform.values(), found.unallocated]) >= 0
    if parts:
        assert found.unallocated == 0
    if policy is not Policy.SHOW and found.departments:
        assert not any(found.platform.values())


@given(st.integers(-(10**12), 10**12), st.dictionaries(st.text("abcdef", min_size=1), st.integers(0, 10**9)))
def test_a_split_adds_up_and_no_part_is_more_than_one_away(total: int, weights: dict[str, int]) -> None:
    parts = split(total, weights)
    whole = sum(weights.values())
    assert sum(parts.values()) == (total if whole else 0)
    for name, part in parts.items():
        assert abs(part * whole - total * weights[name]) < whole
