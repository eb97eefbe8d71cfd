"""Usage and price books drawn from a seed: far quicker than hypothesis draws, for the many rows of a comparison."""

import random
from typing import Any

from metering.books import Books, BookVersion, Commitment, Discount, Mode, Rate, Step

START_S, END_S = 1_767_196_800, 1_769_875_200
METERS = ("vcpu", "memory_mib", "disk_gib:standard", "address")
STATES = ("allocated", "running", "stopped")
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
            rates += [Rate(meter=meter, state=s, mode=mode, steps=steps, code="") for s in STATES if source.random() < 0.9]
        # Every meter has a price in some state, or its usage would be refused.
        rates += [
            Rate(meter=m, state="allocated", mode=Mode.FLAT, code="", steps=(Step(up_to=None, micro_yuan=1),))
            for m in METERS
            if not any(r.meter == m for r in rates)
        ]
        less = tuple(
            Discount(
                department_id=f"dept_{n}", meter=source.choice(("", "vcpu")), basis_points=source.randrange(10_001),
                from_s=from_s + source.randrange(10**6), to_s=to_s,
            )
            for n in range(_DEPARTMENTS - 1)
        )  # fmt: skip
        owed = Commitment(
            name="c", department_id="dept_1", meter="vcpu", amount=source.randrange(1, 100), micro_yuan_per_unit_hour=9,
            from_s=from_s, to_s=END_S if to_s is None else to_s,
        )  # fmt: skip
        commitments = (owed,) if has_all and source.random() < 0.5 else ()
        versions.append(
            BookVersion(id=f"b{number}", from_s=from_s, to_s=to_s, rates=tuple(rates), discounts=less, commitments=commitments)
        )
    return Books(versions)


def rows_of(source: random.Random, count: int, most_amount: int) -> list[tuple[Any, ...]]:
    """Return rows of the ledger, some begun before the period, some still open."""
    found = []
    for n in range(count):
        start_s = source.randrange(START_S - 10**7, END_S)
        end_s = None if source.random() < 0.1 else start_s + source.randrange(1, 10**6)
        found.append(
            (f"inst_{n}", source.choice(METERS), start_s, end_s, source.randrange(1, most_amount + 1), source.choice(STATES),
             2 * n + 1, None if end_s is None else 2 * n + 2, "instance", "web", f"dept_{n % _DEPARTMENTS}", f"proj_{n % 7}",
             f"sys_{n % 11}", None)
        )  # fmt: skip
    return found
