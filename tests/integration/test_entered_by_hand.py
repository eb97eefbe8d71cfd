"""What a project holds where the platform does not see it: entered with a reason, agreed to, priced by the second."""

from pathlib import Path
from typing import Any

import pytest

from controller.workflows import corrections, periods, price_books
from inventory.domain.errors import Forbidden, Invalid
from inventory.domain.scope import PLATFORM
from inventory.store.engine import Database
from metering import period_store
from metering.lines import Kind, Line
from metering.meters import METERS, Counting
from tests.support.billing import BOOK, JUNE_S, MAY_S, Billing, billing, finance

DAY, HOUR = 86_400, 3600
HELD = """\
  - {meter: "snapshot_gib:standard", unit: GiB-hour, price: "0.0003"}
  - {meter: "backup_gib:tape", unit: GiB-hour, price: "0.000213", free: 10000}
  - {meter: image_gib, unit: GiB-hour, tiers: {mode: volume, steps: [{up-to: 1000, price: "0.002"}, {price: "0.001"}]}}
  - {meter: load_balancer_unit, unit: unit-hour, price: "0.117"}
discounts:
  - {department: civil-it, meter: load_balancer_unit, percent: "50", from: 2026-05-03}
"""


@pytest.fixture
def city(database: Database, tmp_path: Path) -> Billing:
    found = billing(database, tmp_path)
    found.price(BOOK.replace("discounts:\n", HELD))
    return found


def enter(city: Billing, meter: str, amount: int, start_s: int, end_s: int | None) -> str:
    entry = price_books.enter(
        city.platform, finance("wang"), project="P-portal", meter=meter, amount=amount, start_s=start_s, end_s=end_s,
        reason="told by the keeper",
    )  # fmt: skip
    return entry.id


def agreed(city: Billing, meter: str, amount: int, start_s: int, end_s: int) -> None:
    price_books.decide_entry(city.platform, enter(city, meter, amount, start_s, end_s), finance("li"), "approved")


def entered(city: Billing, month: str) -> list[tuple[bytes, Line]]:
    with city.platform.db.read() as connection:
        return [(id_, line) for id_, line in period_store.lines(connection, month) if line.kind == Kind.ENTRY]


def test_what_is_held_elsewhere_is_priced_by_the_second_closed_proven_and_traced(city: Billing) -> None:
    agreed(city, "snapshot_gib:standard", 100, MAY_S, MAY_S + 10 * HOUR)
    agreed(city, "backup_gib:tape", 1000, MAY_S + 31 * DAY - 20 * HOUR, JUNE_S + 5 * HOUR)
    agreed(city, "image_gib", 10, MAY_S, MAY_S + 100 * HOUR)
    agreed(city, "image_gib", 1, MAY_S, MAY_S + HOUR)
    agreed(city, "load_balancer_unit", 2, MAY_S + DAY, MAY_S + 3 * DAY)
    city.at(JUNE_S + 60)
    open_rows = {r["meter"]: r for r in told_rows(city)}
    city.closed("2026-05")
    costs: dict[str, list[tuple[int, int]]] = {}
    for _, line in sorted(entered(city, "2026-05"), key=lambda found: (found[1].start_s, -found[1].amount)):
        costs.setdefault(line.meter, []).append((line.list_micro_yuan, line.micro_yuan))
    assert costs == {
        # 100 GiB x 10 h x 300.
        "snapshot_gib:standard": [(300_000, 300_000)],
        # 20,000 GiB-hours of May, of which 10,000 are free; what is of June stands in June.
        "backup_gib:tape": [(2_130_000, 2_130_000)],
        # 1,001 GiB-hours reach the step at which all of them cost 1,000.
        "image_gib": [(1_000_000, 1_000_000), (1_000, 1_000)],
        # 2 x 24 h, the second day at half the price.
        "load_balancer_unit": [(5_616_000, 5_616_000), (5_616_000, 2_808_000)],
    }
    assert periods.verify(city.platform, "2026-05")["is_proven"]
    rows = {r["meter"]: r for r in told_rows(city)}
    assert rows["backup_gib:tape"]["quantity"] == str(1000 * 20 * HOUR)
    assert {m: r["micro_yuan"] for m, r in open_rows.items()} == {m: r["micro_yuan"] for m, r in rows.items()}
    for line_id, line in entered(city, "2026-05"):
        by_hand = corrections.trace(city.platform, line_id.hex(), PLATFORM)["by_hand"]
        assert (by_hand["id"], by_hand["reason"]) == (line.resource_id, line.reason) == (line.resource_id, "told by the keeper")
        assert (by_hand["entered_by"], by_hand["decided_by"]) == ("wang", "li")


def told_rows(city: Billing) -> list[dict[str, Any]]:
    home = city.city.projects["P-portal"].department_id
    return list(periods.statement(city.platform, "2026-05", home)["rows"])


def test_what_is_measured_or_has_no_end_is_not_entered(city: Billing) -> None:
    for meter in METERS.values():
        name = meter.name + ("x" if meter.name.endswith(":") else "")
        if not meter.is_entered:
            with pytest.raises(Invalid, match=r"entry\.meter_is_measured"):
                enter(city, name, 1, MAY_S, MAY_S + 1)
        elif meter.counting is Counting.LEVEL:
            with pytest.raises(Invalid, match=r"entry\.end_missing"):
                enter(city, name, 1, MAY_S, None)
    with pytest.raises(Forbidden, match=r"entry\.own"):
        price_books.decide_entry(city.platform, enter(city, "image_gib", 1, MAY_S, MAY_S + 1), finance("wang"), "approved")


def test_nobody_commits_to_what_is_entered(city: Billing) -> None:
    commitment = (
        '  - {name: tapes, department: water-it, meter: "backup_gib:tape", amount: 3, price: "0.05",'
        " from: 2026-01-01, to: 2027-01-01}\n"
    )
    with pytest.raises(Invalid, match=r"book\.meter_unpriced"):
        price_books.submit(city.platform, (BOOK.replace("discounts:\n", HELD) + commitment).encode(), finance("wang"))
