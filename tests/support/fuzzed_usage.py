"""Usage and price books drawn from a seed: far quicker than hypothesis draws, for the many rows of a comparison."""

import random
from typing import Any

from metering.books import Books, BookVersion, Commitment, Discount, EntryRate, Mode, Rate, Step
from metering.counts import Counted
from metering.entries import Entry
from metering.lines import CHARGED, SHOWN

START_S, END_S = 1_767_196_800, 1_769_875_200
METERS = ("vcpu", "memory_mib", "disk_gib:standard", "address")
#: States with prices, and all there are.
PRICED = ("allocated", "running", "stopped")
STATES = (*PRICED, "lost")
_BYTES = "network_out_bytes:internet"
#: What people enter: done once, by the month, and held.
_ONCE, _MONTHLY, _HELD = ("service:migration", "labour:operator"), "service:guard", ("backup_gib:tape", "load_balancer_unit")
_DAY_S = 86_400
#: So many without commitments, and two more with them.
_DEPARTMENTS = 5


def books_of(source: random.Random, most_micro_yuan: int, *, has_all: bool) -> Books:
    """Return versions that follow each other; with ``has_all``, steps and commitments among them."""
    cuts = sorted(source.sample(range(START_S + 1, END_S), source.randrange(3)))
    starts = [START_S - source.randrange(1, 10**8), *cuts]
    versions = []
    for number, from_s in enumerate(starts):
        to_s = starts[number + 1] if number + 1 < len(starts) else None
        rates = []
        for meter in METERS:
            mode = source.choice(tuple(Mode)) if has_all else Mode.FLAT
            ends = [] if mode is Mode.FLAT else sorted(source.sample(range(1, 10**6), 2))
            steps = tuple(Step(up_to=e, micro_yuan=source.randrange(most_micro_yuan)) for e in (*ends, None))
            rates += [Rate(meter=meter, state=s, mode=mode, steps=steps, code="") for s in PRICED if source.random() < 0.9]
        # Every meter has a price in some state, or its usage would be refused.
        rates += [
            Rate(meter=m, state="allocated", mode=Mode.FLAT, code="", steps=(Step(up_to=None, micro_yuan=1),))
            for m in METERS
            if not any(r.meter == m for r in rates)
        ]
        # What is less of one meter stands before what is less of all.
        less = tuple(
            Discount(
                department_id=f"dept_{n}", meter=source.choice(("", *METERS)), basis_points=source.randrange(10_001),
                from_s=from_s + source.randrange(10**6), to_s=source.choice((to_s, END_S - source.randrange(10**6))),
            )
            for n in range(_DEPARTMENTS - 1) for _ in range(source.randrange(3))
        )  # fmt: skip
        until_s = END_S if to_s is None else to_s
        commitments = tuple(_commitment(source, n, from_s, until_s) for n in range(source.randrange(4) if has_all else 0))
        entered = tuple(
            EntryRate(meter=m, per="month" if m == _MONTHLY else "once", micro_yuan=source.randrange(most_micro_yuan), code="")
            for m in (*_ONCE, _MONTHLY)
        )
        rates += [_rate_by_hand(source, meter, has_all=has_all) for meter in (_BYTES, *_HELD)]
        version = BookVersion(
            id=f"b{number}",
            from_s=from_s,
            to_s=to_s,
            rates=tuple(rates),
            discounts=less,
            commitments=commitments,
            entry_rates=entered,
        )
        versions.append(version)
    return Books(versions)


def _commitment(source: random.Random, number: int, from_s: int, until_s: int) -> Commitment:
    """Return one of a department that has little, so that it is sometimes not used up; some hold at the same time."""
    begins_s = max(from_s, START_S - source.randrange(10**6), until_s - source.randrange(1, 10**7))
    return Commitment(
        name=f"c{number}", department_id=f"dept_{_DEPARTMENTS + number % 2}", meter=source.choice(METERS[:2]),
        amount=source.choice((1, source.randrange(1, 10**6))), micro_yuan_per_unit_hour=source.randrange(100),
        from_s=begins_s, to_s=source.randrange(begins_s + 1, until_s + 1), project_id=source.choice(("", "proj_1")),
    )  # fmt: skip


def _rate_by_hand(source: random.Random, meter: str, *, has_all: bool) -> Rate:
    """Return a price of what is not measured by the hour, or not measured at all."""
    mode = source.choice(tuple(Mode)) if has_all else Mode.FLAT
    ends = () if mode is Mode.FLAT else (1, 30)
    steps = tuple(Step(up_to=e, micro_yuan=source.randrange(10**6)) for e in (*ends, None))
    return Rate(meter=meter, state="running", mode=mode, steps=steps, code="")


def rows_of(source: random.Random, count: int, most_amount: int) -> list[tuple[Any, ...]]:
    """Return rows of the ledger: some begun before the period, some still open, many of one resource that follow each other.

    A resource changes amount and state, and sometimes its owner, between two of them; there may be a time it has nothing in.
    """
    found: list[tuple[Any, ...]] = []
    while len(found) < count:
        resource_id, meter, begins_s = f"inst_{len(found)}", source.choice(METERS), source.randrange(START_S - 10**6, END_S)
        owner, revision = _owner(source, len(found), count), 1
        for _ in range(min(source.choice((1, 1, 2, 6)), count - len(found))):
            ends_s = None if source.random() < 0.1 else begins_s + source.choice((1, source.randrange(1, 10**6)))
            found.append(
                (resource_id, meter, begins_s, ends_s, source.randrange(1, most_amount + 1), source.choice(STATES),
                 revision, None if ends_s is None else revision + 1, "instance", "web", *owner, None)
            )  # fmt: skip
            if ends_s is None:
                break
            begins_s, revision = ends_s + source.choice((0, 0, source.randrange(10**5))), revision + 1
            owner = _owner(source, len(found), count) if source.random() < 0.1 else owner
    # In no order, as the database gives them: what was told late stands anywhere.
    source.shuffle(found)
    return found


def _owner(source: random.Random, number: int, count: int) -> tuple[str, str, str]:
    """Return department, project and system; departments with commitments have a few hundred rows, or every third of few."""
    few = number % max(3, count // 500) == 0
    department = _DEPARTMENTS + source.randrange(2) if few else source.randrange(_DEPARTMENTS)
    return f"dept_{department}", f"proj_{source.randrange(7)}", f"sys_{number % 11}"


def entries_of(source: random.Random, count: int) -> list[Entry | Counted]:
    """Return services, labour, what people say was held, and bytes that machines passed."""
    found: list[Entry | Counted] = []
    for n in range(count):
        department, project, system = _owner(source, n, count)
        first_s = START_S + source.randrange((END_S - START_S) // _DAY_S) * _DAY_S
        if n % 2:
            days = tuple((first_s + d * _DAY_S, first_s + (d + 1) * _DAY_S, source.randrange(1, 1 << 40)) for d in range(3))
            found.append(
                Counted(resource_id=f"inst_{n}", department_id=department, project_id=project, system_id=system, meter=_BYTES,
                        days=tuple(d for d in days if d[1] <= END_S) or days[:1])
            )  # fmt: skip
            continue
        meter = source.choice((*_ONCE, _MONTHLY, *_HELD))
        start_s = first_s + source.randrange(-10 * _DAY_S, _DAY_S)
        end_s = None if meter in _ONCE else start_s + source.randrange(1, 40 * _DAY_S)
        found.append(
            Entry(id=f"entry_{n}", state="approved", department_id=department, project_id=project, meter=meter,
                  amount=source.randrange(1, 1000), start_s=start_s, end_s=end_s, reason="moved", entered_by="wang",
                  entered_at_s=0.0)
        )  # fmt: skip
    return found


def billing_of(source: random.Random) -> dict[str, str]:
    """Return that some departments are only shown what they use."""
    return {f"dept_{n}": source.choice((CHARGED, SHOWN)) for n in range(_DEPARTMENTS)}
