"""``meter demo``: three months of a made-up city, closed in a state of its own, with everything that makes a bill interesting.

Twelve departments with machines that are resized, stopped and released, one of them only shown what it uses; a price that
changes in the middle of April; a commitment; a service and labour; a correction of March, by hand and by late word; and on
the first of May two departments become one.
Nothing is read from the platform, and no service is needed.
"""

import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from controller import state
from controller.api.routes.periods import statement_summary, with_rows
from controller.cli.meter_periods import show_statement
from controller.cli.output import Column, Out
from controller.identity.caller import Caller, Role
from controller.scheduling.policy import DEFAULT_POLICY
from controller.workflows import corrections, ledger, periods, price_books
from controller.workflows.platform import Platform
from inventory.domain.errors import Conflict, Unavailable
from inventory.domain.ids import DepartmentId, ProjectId, ResourceId, SystemId, TokenId, seeded_ids
from inventory.domain.journal import JournalRow
from inventory.domain.organisation import Billing, Department, Project
from inventory.domain.scope import PLATFORM
from inventory.store import directory, journal
from inventory.store.engine import Database, open_database
from metering import period_store
from metering.rating import yuan

_ZONE = ZoneInfo("Asia/Shanghai")
_STATE = "state.sqlite"
_DAY = 86_400
_MONTHS = ("2026-03", "2026-04", "2026-05")
#: The one whose statement is printed whole, and whose story is written here and not drawn.
_TOLD = "civil"
#: Code -> name. The last two become one in May.
_DEPARTMENTS = {
    "civil": "民政局", "education": "教育局", "finance": "财政局", "health": "卫生健康委",
    "housing": "住建局", "justice": "司法局",
    "transport": "交通运输局", "water": "水务局", "culture": "文旅局", "archive": "档案馆",
    "market": "市场监管局", "industry": "工信局",
}  # fmt: skip
_MERGED, _INTO = "industry", "market"
#: Is shown what its use costs, and not charged.
_SHOWN = "archive"
_BOOK = """\
apiVersion: allotment/v1
kind: PriceBook
name: city
valid-from: {first}
{replaces}prices:
  - {{meter: vcpu, unit: vcpu-hour, states: {{allocated: "0", running: "{vcpu}", stopped: "0.02"}}}}
  - {{meter: memory_gib, unit: GiB-hour, states: {{allocated: "0", running: "0.0300", stopped: "0"}}}}
  - meter: disk_gib:standard
    unit: GiB-hour
    tiers: {{mode: graduated, steps: [{{up-to: 50000, price: "0.0010"}}, {{price: "0.0008"}}]}}
  - {{meter: address, unit: address-hour, price: "0.0030"}}
  - {{meter: "service:migration", unit: item, price: "3000"}}
  - {{meter: "labour:engineer", unit: hour, price: "180"}}
discounts:
  - {{department: health, meter: "*", percent: "10"}}
commitments:
  - {{name: water-base, department: water, meter: vcpu, amount: 12, price: "0.0500", from: {first}, to: 2027-01-01}}
"""


@dataclass
class _City:
    """The city as its three months go by."""

    platform: Platform
    moment: list[float]
    departments: dict[str, Department] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    #: Machine -> (revision, whose it is, amounts).
    machines: dict[str, tuple[int, str, Mapping[str, int]]] = field(default_factory=dict)

    def at(self, text: str) -> int:
        """Let time pass up to a local time, and the ledger catch up."""
        self.moment[0] = max(self.moment[0], _at(text))
        ledger.catch_up(self.platform)
        return _at(text)

    def tell(self, name: str, at_s: int, amounts: Mapping[str, int] | None, *, state: str = "running", owner: str = "") -> None:
        """Write one change of a machine into the journal; ``None`` releases it."""
        revision, before, _ = self.machines.get(name, (0, owner, {}))
        owner = owner or before
        self.machines[name] = (revision + 1, owner, amounts or {})
        project = self.projects[owner]
        row = JournalRow(
            resource_id=ResourceId(f"inst_{name}"), revision=revision + 1, resource_kind="instance", resource_name=name,
            department_id=project.department_id, project_id=project.id, system_id=SystemId(f"sys_{owner}"), host_id=None,
            state="released" if amounts is None else state, amounts=amounts or {}, occurred_at_s=at_s,
            recorded_at_s=int(self.platform.clock()), source="controller",
        )  # fmt: skip
        with self.platform.db.write() as connection:
            journal.append(connection, [row])

    def close(self, month: str) -> None:
        """Close a month: begun, reviewed by one officer, closed by another, seen by nobody yet."""
        periods.begin_closing(self.platform, month, _officer("chen"))
        self.moment[0] = max(self.moment[0], periods.show(self.platform, month)["ready_s"])
        periods.review(self.platform, month, _officer("chen"))
        periods.close(self.platform, month, _officer("li"))


def run(out: Out, seed: int, to: str) -> None:
    """Play the three months and print what they come to.

    Raises:
        Conflict: ``cli.demo_place_taken``.
        Unavailable: ``cli.file_not_written``.
    """
    with _scratch(to) as folder, _database(folder) as database:
        city = _found(database, folder)
        source = random.Random(seed)  # noqa: S311  a made-up city
        with out.working("cli.say.demo_begun") as shown:
            for done, play in enumerate((partial(_march, city, source), partial(_april, city, source), partial(_may, city))):
                if shown:
                    shown(out.say("cli.say.demo_played", month=_MONTHS[done]), done, len(_MONTHS))
                play()
        _show(out, city)
        if to:
            out.line("cli.say.demo_kept", directory=str(folder))


@contextmanager
def _scratch(to: str) -> Iterator[Path]:
    if to:
        try:
            Path(to).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable("cli.file_not_written", file=to, reason=error.strerror or str(error)) from error
        if (Path(to) / _STATE).exists():
            raise Conflict("cli.demo_place_taken", directory=to)
        yield Path(to)
        return
    with tempfile.TemporaryDirectory(prefix="allot-meter-demo-") as folder:
        yield Path(folder)


@contextmanager
def _database(folder: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{folder / _STATE}")
    try:
        state.upgrade(database)
        yield database
    finally:
        database.dispose()


def _found(database: Database, folder: Path) -> _City:
    """Found the city on the first of January, with its prices."""
    moment = [float(_at("2026-02-20"))]
    new_id = seeded_ids(1, lambda: int(moment[0]))
    platform = Platform(db=database, clock=lambda: moment[0], new_id=new_id, zone=_ZONE, policy=DEFAULT_POLICY, images_dir=folder)
    city = _City(platform, moment)
    with database.write() as connection:
        for code, name in _DEPARTMENTS.items():
            billing = Billing.SHOWBACK if code == _SHOWN else None
            own = Department(id=DepartmentId(new_id("department")), code=code, name=name, parent_id=None, billing=billing)
            city.departments[code] = own
            directory.save_department(connection, own)
            project = Project(
                id=ProjectId(new_id("project")),
                code=f"P-{code}",
                name=f"{name}业务系统",
                department_id=own.id,
                budget_code=f"B26-{code}",
            )
            city.projects[code] = project
            directory.save_project(connection, project)
    _price(city, _BOOK.format(first="2026-01-01", replaces="", vcpu="0.0800"))
    return city


def _price(city: _City, text: str) -> str:
    id_ = str(price_books.submit(city.platform, text.encode(), _officer("chen"))["id"])
    for who in ("li", "zhao"):
        price_books.decide(city.platform, id_, _officer(who), "approved", "checked")
    return id_


def _march(city: _City, source: random.Random) -> None:
    # The department that is told whole: one machine, resized on the eleventh, stopped for four days.
    small = {"vcpu": 4, "memory_mib": 8192, "disk_gib:standard": 100, "address": 1}
    city.tell("civil-1", _at("2026-03-01"), small, state="allocated", owner="civil")
    city.tell("civil-1", _at("2026-03-01 00:02:30"), small)
    city.tell("civil-1", _at("2026-03-11"), {**small, "vcpu": 8})
    city.tell("civil-1", _at("2026-03-20"), {**small, "vcpu": 8}, state="stopped")
    city.tell("civil-1", _at("2026-03-24"), {**small, "vcpu": 8})
    for code in _DEPARTMENTS:
        if code != _TOLD:
            for number in range(1, source.randrange(2, 5)):
                amounts = {"vcpu": source.choice((2, 4, 8)), "memory_mib": source.choice((4096, 8192, 16384)),
                           "disk_gib:standard": source.choice((40, 80, 200)), "address": 1}  # fmt: skip
                city.tell(f"{code}-{number}", _at("2026-03-01") + source.randrange(25 * _DAY), amounts, owner=code)
    city.at("2026-03-05")
    _enter(city, "service:migration", 1, "2026-03-05", "门户网站迁移上云")
    city.at("2026-04-01")
    city.close("2026-03")


def _april(city: _City, source: random.Random) -> None:
    # The correction by hand: a day of the migration was not needed.
    with city.platform.db.read() as connection:
        lines = period_store.lines(connection, "2026-03")
        wrong = next(line_id for line_id, line in lines if line.meter == "service:migration")
    entered = corrections.adjust(city.platform, wrong.hex(), "-500", "迁移少用一天", _officer("chen"))
    corrections.decide(city.platform, entered.id, _officer("li"), "approved")
    # Word that comes late: the machine was already stopped on the last of March.
    _, _, amounts = city.machines["civil-1"]
    city.tell("civil-1", _at("2026-03-31"), amounts, state="stopped")
    city.tell("civil-1", _at("2026-04-02"), amounts)
    _price(city, _BOOK.format(first="2026-04-16", replaces=f"replaces: {_book_in_force(city)}\n", vcpu="0.0700"))
    for name in sorted(city.machines):
        if not name.startswith(_TOLD) and source.random() < 0.5:
            _, _, amounts = city.machines[name]
            moment = _at("2026-04-05") + source.randrange(20 * _DAY)
            change = source.choice(("resize", "stop", "release"))
            wanted = {**amounts, "vcpu": 2 * amounts["vcpu"]} if change == "resize" else amounts
            city.tell(name, moment, None if change == "release" else wanted, state="stopped" if change == "stop" else "running")
    city.at("2026-04-20")
    _enter(city, "labour:engineer", 90, "2026-04-20", "安全加固")
    city.at("2026-05-01")
    city.close("2026-04")


def _may(city: _City) -> None:
    # Two departments become one: from that second on everything is the other's.
    for name, (_, owner, amounts) in sorted(city.machines.items()):
        if owner == _MERGED and amounts:
            city.tell(name, _at("2026-05-01"), amounts, owner=_INTO)
    city.at("2026-06-01")
    city.close("2026-05")


def _book_in_force(city: _City) -> str:
    return str(price_books.listed(city.platform, limit=10, after="")[0]["id"])


def _enter(city: _City, meter: str, amount: int, day: str, reason: str) -> None:
    entry = price_books.enter(
        city.platform,
        _officer("chen"),
        project=f"P-{_TOLD}",
        meter=meter,
        amount=amount,
        start_s=_at(day),
        end_s=None,
        reason=reason,
    )
    price_books.decide_entry(city.platform, entry.id, _officer("li"), "approved")


def _show(out: Out, city: _City) -> None:
    months, line_count, micro = [], 0, 0
    for month in _MONTHS:
        proof = periods.verify(city.platform, month)
        assert proof["is_proven"], proof
        line_count, micro = line_count + proof["line_count"], micro + periods.show(city.platform, month)["micro_yuan"]
        summaries = [statement_summary(s) for s in periods.statements(city.platform, month, PLATFORM)]
        months.append({"period_id": month, "statements": summaries})
    own = city.departments[_TOLD]
    told = [with_rows(periods.statement(city.platform, month, own.id)) for month in _MONTHS[:2]]
    found = {"months": months, "told": told, "line_count": line_count, "yuan": yuan(micro)}
    out.value(found, lambda value: _show_tables(out, value), name="line_count")


def _show_tables(out: Out, found: Mapping[str, Any]) -> None:
    columns = [
        Column("cli.column.department", "department_name"),
        Column("cli.column.code", "department_code"),
        Column("cli.column.lines", "line_count", is_number=True),
        Column("cli.column.list_yuan", "list_yuan", is_number=True),
        Column("cli.column.billing", lambda s: out.say(f"cli.word.billing_{s['billing']}")),
        Column("cli.column.payable_yuan", "payable_yuan", is_number=True),
    ]
    for month in found["months"]:
        out.heading("cli.say.demo_month", month=month["period_id"])
        out.rows(month["statements"], columns, name="department_code")
    for statement in found["told"]:
        out.heading("cli.say.demo_statement", month=statement["period_id"], department=statement["department_name"])
        show_statement(out, statement)
    out.line("cli.say.demo_proven", months=len(found["months"]), lines=found["line_count"], yuan=found["yuan"])


def _officer(name: str) -> Caller:
    return Caller(token_id=TokenId(name), user_name=name, role=Role.FINANCE, department_id=None, scope=PLATFORM, source="demo")


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=_ZONE).timestamp())
