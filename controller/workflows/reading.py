"""What a transaction reads of organisation and catalogue: each list once, however many tickets it decides on.

A controller may keep the lists beyond it (``KeptLists``): then a transaction asks only whether they are still what is stored.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from controller.scheduling.columns import TRAITS_MAX
from controller.tickets import store as ticket_store
from inventory.domain.catalogue import Image, Price, Size
from inventory.domain.host import Zone, ZoneLimits
from inventory.domain.ids import DepartmentId, ProjectId
from inventory.domain.organisation import Department, Project
from inventory.store import directory, hosts, revisions, zone_limits
from metering import store as price_store
from quotas import budget_store
from quotas import store as quota_store
from quotas.budgets import Budget
from quotas.limits import Level

T = TypeVar("T")
#: Tables of the lists that may be kept.
_TABLES = (*directory.LISTED, *price_store.PRICED_BY)


class KeptLists:
    """Lists of one controller, kept as long as nobody changes a row of what they were read from.

    For transactions that write none of it: what one wrote itself and rolled back must not be kept.
    """

    def __init__(self) -> None:
        self._read_at: revisions.Revision | None = None
        self._lists: dict[str, Any] = {}

    def now(self, connection: Connection) -> dict[str, Any]:
        """Return lists by name that are as this transaction would read them; others are to be added."""
        read_at = revisions.revision(connection, _TABLES)
        if read_at is None or read_at != self._read_at:
            self._read_at, self._lists = read_at, {}
        return self._lists


class Reader:
    """Lists by the transaction of ``connection``, read when first asked for, if they are not kept."""

    def __init__(self, connection: Connection, kept: KeptLists | None = None) -> None:
        self.connection = connection
        self._kept = kept
        self._levels: dict[ProjectId, list[Level]] = {}
        #: What decisions of this transaction will hold, by scope and dimension.
        self._planned: dict[tuple[str, str], int] = {}
        self._budgets: dict[ProjectId, list[Budget]] = {}
        #: Names that tickets of this transaction speak of, and departments as they call them.
        self._expected: frozenset[str] = frozenset()
        self._callers: frozenset[str] = frozenset()
        self._obliged: dict[tuple[str, int], int] = {}

    @cached_property
    def _lists(self) -> dict[str, Any]:
        return {} if self._kept is None else self._kept.now(self.connection)

    def _list(self, name: str, read: Callable[[Connection], T]) -> T:
        if name not in self._lists:
            self._lists[name] = read(self.connection)
        return cast(T, self._lists[name])

    def levels(self, project: Project) -> list[Level]:
        """Return the limits that count for a project on the way up, as they were read; ``planned`` came since."""
        if project.id not in self._levels:
            self._levels[project.id] = quota_store.levels_of(self.connection, self.departments, project)
        return self._levels[project.id]

    def planned(self, level: Level) -> int:
        """Return what decisions of this transaction will hold of a limit."""
        return self._planned.get((level.scope_id, level.dimension), 0)

    def plan(self, project: Project, growth: Mapping[str, int]) -> None:
        """Count what a decision will hold, for the decisions after it."""
        for level in self._levels.get(project.id, ()):
            key = (level.scope_id, level.dimension)
            self._planned[key] = self._planned.get(key, 0) + growth.get(level.dimension, 0)

    def budgets(self, project: Project) -> list[Budget]:
        """Return the budgets of a project, what decisions of this transaction add to them included."""
        if project.id not in self._budgets:
            self._budgets[project.id] = budget_store.of_projects(self.connection, [project.id])
        more = self._obliged
        return [
            replace(b, obligated_micro_yuan=b.obligated_micro_yuan + more.get((b.project_id, b.year), 0))
            for b in self._budgets[project.id]
        ]

    def oblige(self, growth: Mapping[tuple[str, int], int]) -> None:
        """Count what a decision adds to budgets, for the decisions after it."""
        for key, amount in growth.items():
            self._obliged[key] = self._obliged.get(key, 0) + amount

    def expect(self, departments: Collection[str], names: Collection[str]) -> None:
        """Be asked soon whether somebody has heard of these names, in departments of these codes or names."""
        self._callers, self._expected = frozenset(departments), frozenset(names)

    def is_unheard_of(self, department_id: DepartmentId, name: str) -> bool:
        """Tell whether an expected name is neither that of a living system nor in any ticket; else it is to be looked up."""
        return name in self._expected and department_id in self._asking and (department_id, name) not in self._heard_of

    @cached_property
    def _asking(self) -> frozenset[DepartmentId]:
        return frozenset(d.id for d in self.departments if d.code in self._callers or d.name in self._callers)

    @cached_property
    def _heard_of(self) -> set[tuple[str, str]]:
        return ticket_store.heard_of(self.connection, self._asking, self._expected)

    @cached_property
    def departments(self) -> list[Department]:
        """Return every department, by code."""
        return self._list("departments", directory.departments)

    @cached_property
    def projects(self) -> list[Project]:
        """Return every project, by code."""
        return self._list("projects", directory.projects)

    @cached_property
    def zones(self) -> list[Zone]:
        """Return every zone, by code."""
        return self._list("zones", directory.zones)

    @cached_property
    def sizes(self) -> list[Size]:
        """Return every size, smallest first."""
        return self._list("sizes", directory.sizes)

    @cached_property
    def images(self) -> dict[str, Image]:
        """Return every image by name."""
        return self._list("images", _images_by_name)

    @cached_property
    def disk_classes(self) -> dict[str, bool]:
        """Return the classes of disk there are storage pools for, and whether they take root disks only."""
        return hosts.disk_classes(self.connection)

    @cached_property
    def zone_limits(self) -> Mapping[str, ZoneLimits]:
        """Return what no host of a zone does, by code of the zone."""
        return zone_limits.zone_limits(self.connection)

    @cached_property
    def traits(self) -> list[str]:
        """Return what hosts have by name."""
        return hosts.traits(self.connection, TRAITS_MAX)

    @cached_property
    def prices(self) -> list[Price]:
        """Return every price, by meter and date."""
        return self._list("prices", price_store.prices)


def _images_by_name(connection: Connection) -> dict[str, Image]:
    return {image.name: image for image in directory.images(connection)}
