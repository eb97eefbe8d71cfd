"""A small city with a journal and an approved price book, on any database: what periods are closed from in tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from controller.identity.caller import Caller, Role
from controller.scheduling.policy import DEFAULT_POLICY
from controller.workflows import ledger, periods, price_books, sampled
from controller.workflows.platform import Platform
from inventory.domain.ids import TokenId, seeded_ids
from inventory.domain.journal import JournalRow
from inventory.domain.scope import PLATFORM
from inventory.store import journal
from inventory.store.engine import Database
from metering import count_store
from metering.counts import CountedDay, Run
from metering.sample_tables import network_counts
from tests.support.directory import City, build_city
from tests.support.journal import row
from tests.support.samples import Clock

SHANGHAI = ZoneInfo("Asia/Shanghai")
#: The first second of May 2026 in Shanghai, and of June.
MAY_S, JUNE_S, JULY_S = 1_777_564_800, 1_780_243_200, 1_782_835_200
GRACE_S = 72 * 3600
BOOK = """\
apiVersion: allotment/v1
kind: PriceBook
name: city
valid-from: 2026-01-01
prices:
  - {meter: vcpu, unit: vcpu-hour, price: "0.0764"}
  - {meter: memory_gib, unit: GiB-hour, states: {allocated: "0", running: "0.0389", stopped: "0.0195"}}
  - meter: disk_gib:standard
    unit: GiB-hour
    tiers: {mode: graduated, steps: [{up-to: 5000, price: "0.0007"}, {price: "0.0005"}]}
  - {meter: address, unit: address-hour, price: "0.003", free: 100}
  - {meter: "service:move", unit: item, price: "5000"}
discounts:
  - {department: civil-it, meter: vcpu, percent: "12.37"}
commitments:
  - {name: water-base, department: water-it, meter: vcpu, amount: 3, price: "0.05", from: 2026-01-01, to: 2027-01-01}
"""


def finance(name: str) -> Caller:
    """Return a finance officer."""
    return Caller(token_id=TokenId(name), user_name=name, role=Role.FINANCE, department_id=None, scope=PLATFORM, source="test")


#: What network traffic costs, beside ``BOOK``.
TRAFFIC = """\
  - {meter: "network_in_bytes:public", unit: GiB, price: "0"}
  - {meter: "network_out_bytes:public", unit: GiB, price: "0.8", free: 2}
  - {meter: "network_out_bytes:inner", unit: GiB, price: "0.05"}
  - {meter: "network_in_bytes:inner", unit: GiB, tiers: {mode: volume, steps: [{up-to: 10, price: "0.01"}, {price: "0.005"}]}}
"""


@dataclass
class Billing:
    """A platform with its city; ``tell`` writes the journal."""

    platform: Platform
    clock: Clock
    city: City
    told: dict[str, list[JournalRow]] = field(default_factory=dict)

    def tell(
        self, resource: str, at_s: int, amounts: Mapping[str, int] | None, *, state: str = "running", project: str = "P-portal"
    ) -> None:
        """Write one change of a resource; ``None`` releases it."""
        home = self.city.projects[project]
        history = self.told.setdefault(resource, [])
        one = row(
            len(history) + 1, resource=resource, state="released" if amounts is None else state, occurred_at_s=at_s,
            amounts=amounts or {}, department=home.department_id, project=home.id, system="sys_a",
        )  # fmt: skip
        history.append(one)
        with self.platform.db.write() as connection:
            journal.append(connection, [one])

    def passed(
        self, resource: str, at_s: int, received_bytes: int, sent_bytes: int, *, project: str = "P-portal", kind: str = "public"
    ) -> None:
        """Have a machine's bytes counted on a day of their own."""
        home = self.city.projects[project]
        start_s, end_s = sampled.day_of(self.platform.zone)(at_s)
        run = Run("host_a", at_s * 1000, 0, 0, at_s * 1000 + 300_000, received_bytes, sent_bytes)
        day = CountedDay(
            resource_id=resource, start_s=start_s, end_s=end_s, resource_name=resource, department_id=home.department_id,
            project_id=home.id, system_id="sys_a", network_class=kind, runs=[run],
        )  # fmt: skip
        with self.platform.db.write() as connection:
            connection.execute(network_counts.insert().values(**count_store.row(day)))

    def at(self, now_s: float) -> None:
        """Let time pass, and the ledger catch up."""
        self.clock.now_s = now_s
        ledger.catch_up(self.platform)

    def price(self, text: str = BOOK) -> str:
        """Bring a price book in force."""
        id_ = str(price_books.submit(self.platform, text.encode(), finance("wang"))["id"])
        for who in ("li", "zhao"):
            price_books.decide(self.platform, id_, finance(who), "approved", "checked")
        return id_

    def reviewed(self, month: str) -> None:
        """Bring a month to its review."""
        periods.begin_closing(self.platform, month, finance("wang"))
        self.at(max(self.clock.now_s, periods.window(self.platform, month)["end_s"] + GRACE_S))
        periods.review(self.platform, month, finance("wang"))

    def closed(self, month: str) -> None:
        """Bring a month to its end."""
        self.reviewed(month)
        periods.close(self.platform, month, finance("li"))


def billing(database: Database, directory: Path) -> Billing:
    """Return a city on an empty database, in the middle of May 2026."""
    clock = Clock(MAY_S + 10 * 86_400)
    platform = Platform(
        db=database,
        clock=clock,
        new_id=seeded_ids(7, lambda: int(clock())),
        zone=SHANGHAI,
        policy=DEFAULT_POLICY,
        images_dir=directory,
    )
    with database.write() as connection:
        city = build_city(connection)
    return Billing(platform, clock, city)
