"""Usage of a department in a window, to the second, with its price: what ``allot usage`` and the API show."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from inventory.domain.errors import Invalid
from inventory.domain.journal import JournalRow
from inventory.domain.scope import Scope
from inventory.store import directory, journal
from metering import store
from metering.intervals import Interval, intervals
from metering.meters import meter_of
from metering.rating import PriceBook, charges, yuan

_NAMES = ("department", "department_name", "project", "system", "resource_id", "resource_kind", "resource", "meter", "unit")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    """One meter of one resource of one system."""

    #: Codes and names, as they are shown.
    department: str
    department_name: str
    project: str
    system: str
    resource_id: str
    resource_kind: str
    resource: str
    meter: str
    #: The unit amounts are counted in (MiB for memory, whatever it is priced in).
    unit: str
    #: Time in the window, and how much of it in which state; the states add up to it.
    seconds: int
    state_seconds: Mapping[str, int]
    #: Of ``seconds``, what is charged: building a machine is not.
    charged_seconds: int
    #: Amount × seconds, in that unit.
    unit_seconds: int
    micro_yuan: int

    def to_json(self) -> dict[str, Any]:
        """Return the form that is sent; money as a decimal string."""
        names = (
            "department",
            "department_name",
            "project",
            "system",
            "resource_id",
            "resource_kind",
            "resource",
            "meter",
            "unit",
        )
        return {
            **{name: getattr(self, name) for name in names},
            "seconds": self.seconds,
            "state_seconds": dict(sorted(self.state_seconds.items())),
            "charged_seconds": self.charged_seconds,
            "unit_seconds": self.unit_seconds,
            "price_yuan": yuan(self.micro_yuan),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """Lines by department, project, system, resource and meter, and what they add up to."""

    start_s: int
    #: Where counting stops: the end of the window, or now.
    end_s: int
    lines: tuple[UsageLine, ...]
    #: The resource behind which there are more; empty where there are none.
    following: str = ""

    @property
    def micro_yuan(self) -> int:
        """Return the price of everything."""
        return sum(line.micro_yuan for line in self.lines)

    def totals(self) -> list[dict[str, Any]]:
        """Return seconds, amount × seconds and price by meter."""
        by_meter: dict[str, list[UsageLine]] = {}
        for line in self.lines:
            by_meter.setdefault(line.meter, []).append(line)
        return [
            {
                "meter": meter,
                "unit": lines[0].unit,
                "seconds": sum(x.seconds for x in lines),
                "charged_seconds": sum(x.charged_seconds for x in lines),
                "unit_seconds": sum(x.unit_seconds for x in lines),
                "price_yuan": yuan(sum(x.micro_yuan for x in lines)),
            }
            for meter, lines in sorted(by_meter.items())
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the form that is sent."""
        return {
            **self.page_to_json(),
            "totals": self.totals(),
            "price_yuan": yuan(self.micro_yuan),
        }

    def page_to_json(self) -> dict[str, Any]:
        """Return the form of one page that is sent: of its lines alone there are no totals."""
        return {
            "start_s": self.start_s,
            "end_s": self.end_s,
            "lines": [line.to_json() for line in self.lines],
            "totals": None,
            "price_yuan": None,
            "next": self.following or None,
        }


def usage(
    connection: Connection, scope: Scope, start_s: int, end_s: int, now_s: float, *, limit: int | None = None, after: str = ""
) -> UsageReport:
    """Return what the departments of ``scope`` used in ``[start_s, end_s)``, up to now: all, or a page.

    A page is of up to ``limit`` resources with an id greater than ``after``, of those that began before the end.

    Raises:
        Invalid: ``usage.window_empty``.
        Conflict: ``usage.price_gap``: something charged was used while it had no price.
    """
    if end_s <= start_s:
        raise Invalid("usage.window_empty", start_s=start_s, end_s=end_s)
    end_s = max(start_s, min(end_s, int(now_s)))
    # One resource more than is wanted tells whether there are more.
    rows = journal.histories(connection, scope, end_s, limit=None if limit is None else limit + 1, after=after)
    rows, following = _cut(rows, limit)
    found = [i for i in intervals(rows, start_s, end_s) if scope.allows(i.department_id)]
    lines = _lines(connection, found, PriceBook(store.prices(connection)))
    return UsageReport(start_s=start_s, end_s=end_s, lines=lines, following=following)


def _cut(rows: list[JournalRow], limit: int | None) -> tuple[list[JournalRow], str]:
    """Return the rows of the first ``limit`` resources, and the last of these where there are more."""
    ids = list(dict.fromkeys(row.resource_id for row in rows))
    if limit is None or len(ids) <= limit:
        return rows, ""
    return [row for row in rows if row.resource_id != ids[limit]], ids[limit - 1]


def _key(interval: Interval) -> tuple[str, ...]:
    return (interval.department_id, interval.project_id, interval.system_id, interval.resource_id, interval.meter)


def _lines(connection: Connection, found: Iterable[Interval], book: PriceBook) -> tuple[UsageLine, ...]:
    groups: dict[tuple[str, ...], list[Interval]] = {}
    for interval in found:
        groups.setdefault(_key(interval), []).append(interval)
    departments = {d.id: d for d in directory.departments(connection)}
    projects = {p.id: p.code for p in directory.projects(connection)}
    systems = store.system_names(connection, sorted({key[2] for key in groups}))
    lines = []
    for parts in groups.values():
        last = parts[-1]
        department = departments[last.department_id]
        lines.append(
            UsageLine(
                department=department.code,
                department_name=department.name,
                project=projects[last.project_id],
                system=systems.get(last.system_id, last.system_id),
                resource_id=last.resource_id,
                resource_kind=last.resource_kind,
                resource=last.resource_name,
                meter=last.meter,
                unit=meter_of(last.meter).base_unit,
                **_sums(parts, book),
            )
        )
    return tuple(sorted(lines, key=lambda x: (x.department, x.project, x.system, x.resource, x.resource_id, x.meter)))


def _sums(parts: Sequence[Interval], book: PriceBook) -> dict[str, Any]:
    states: Counter[str] = Counter()
    charged_s = micro_yuan = 0
    for part in parts:
        states[part.state] += part.seconds
        priced = charges(part, book)
        charged_s += sum(c.end_s - c.start_s for c in priced)
        micro_yuan += sum(c.micro_yuan for c in priced)
    return {
        "seconds": states.total(),
        "state_seconds": dict(states),
        "charged_seconds": charged_s,
        "unit_seconds": sum(part.amount * part.seconds for part in parts),
        "micro_yuan": micro_yuan,
    }
