"""A comparison of a site document with the state of one transaction: changes as data, writes to make them, problems.

``site`` runs it; ``site_directory`` and ``site_catalogue`` compare the records. A record that the document does not name
is never touched: absent is not delete. What must not be changed in use becomes a problem with its place.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from controller.workflows.platform import Platform
from inventory.domain.catalogue import Image
from inventory.domain.errors import Problem
from inventory.domain.host import HostFacts, Pool, Zone
from inventory.domain.ids import DepartmentId
from inventory.domain.organisation import Department, Project
from inventory.importers.site_records import SiteDocument

Write = Callable[[Connection], object]


class Verb(StrEnum):
    """What happens to a record."""

    CREATE = "create"
    UPDATE = "update"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One record of the document; ``before`` and ``after`` hold the fields that differ (all of them for a new one)."""

    verb: Verb
    kind: str
    name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Return the form that is sent."""
        return {**asdict(self), "verb": self.verb.value}


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What was found so far, and the records as they will be, by code, for those that refer to them."""

    connection: Connection
    platform: Platform
    document: SiteDocument
    #: Images that were taken into the library (at apply), by name.
    taken_in: Mapping[str, Image] = field(default_factory=dict)
    #: SHA-256 of the files behind images, by image name.
    hashes: Mapping[str, str] = field(default_factory=dict)
    #: What hosts that could be read are, by name.
    facts: Mapping[str, HostFacts] = field(default_factory=dict)
    #: What of those read so far takes which disks, by class and whether it takes root disks only: a host of each.
    kept: dict[tuple[str, bool], str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    #: Departments that get another parent.
    moved: list[DepartmentId] = field(default_factory=list)
    departments: dict[str, Department] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    zones: dict[str, Zone] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)

    def refuse(self, code: str, path: str, /, **params: Any) -> None:
        """Add a problem at a value of the document, for example ``zones.0.address-range``."""
        places = self.document.places
        where = places.get(path) or places.get(path.rpartition(".")[0])
        self.problems.append(Problem(code, {"field": path, **params}, where))

    def note(self, kind: str, name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any], *writes: Write) -> Verb:
        """Note one comparison; its writes are kept only where something differs."""
        if before is None:
            change = Change(verb=Verb.CREATE, kind=kind, name=name, before=None, after=after)
        else:
            differing = [key for key in after if before.get(key) != after[key]]
            verb = Verb.UPDATE if differing else Verb.NONE
            old, new = ({key: values.get(key) for key in differing} or None for values in (before, after))
            change = Change(verb=verb, kind=kind, name=name, before=old, after=new)
        self.changes.append(change)
        if change.verb is not Verb.NONE:
            self.writes.extend(writes)
        return change.verb
