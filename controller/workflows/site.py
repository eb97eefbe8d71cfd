"""``allot import``: a site document compared with the state (plan), then made so in one transaction (apply).

The same comparison makes both, on the state of its own transaction, so that what is applied is what is true at that
moment. Work on image files and questions to hosts come before the transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.workflows import images as image_work
from controller.workflows.images import ImageRequest
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from controller.workflows.site_catalogue import compare_catalogue
from controller.workflows.site_changes import Change, Comparison, Verb
from controller.workflows.site_directory import compare_directory
from drivers.faults import DriverFault
from drivers.protocol import ComputeDriver, DriverContext
from inventory.domain.catalogue import Image
from inventory.domain.errors import Conflict, Invalid, Problem
from inventory.domain.host import HostFacts
from inventory.domain.ids import DepartmentId
from inventory.domain.progress import UNSEEN, Progress
from inventory.importers.images import FetchOptions
from inventory.importers.site import parse_site
from inventory.importers.site_records import SiteDocument, SiteImage
from inventory.store import directory, standby
from inventory.store import hosts as host_store
from quotas import store as quota_store
from quotas.limits import Level

#: (name of the driver, what it is told of the host) -> an open driver.
OpenDriver = Callable[[str, DriverContext], ComputeDriver]
#: Kind and name of a record, and those of its fields that are changed as they are; None: there is no such record.
Replaced = tuple[str, str, Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """What a document changes (or changed), record by record."""

    changes: tuple[Change, ...]
    notices: tuple[Problem, ...] = ()

    @property
    def has_changes(self) -> bool:
        """Tell whether anything differs."""
        return any(change.verb is not Verb.NONE for change in self.changes)

    @property
    def replaced(self) -> list[Replaced]:
        """Return the records that are changed as they are now: what somebody read who looked at this plan."""
        return [(c.kind, c.name, c.before) for c in self.changes if c.verb is not Verb.NONE]

    def to_json(self) -> dict[str, Any]:
        """Return the form that is sent."""
        counts = {verb.value: sum(c.verb is verb for c in self.changes) for verb in Verb}
        return {
            "has_changes": self.has_changes,
            "counts": counts,
            "changes": [change.to_json() for change in self.changes],
            "notices": [notice.to_json() for notice in self.notices],
        }


def plan_import(platform: Platform, data: bytes, *, base_dir: Path | None = None) -> ImportPlan:
    """Return what importing a site document would change; nothing is written.

    ``base_dir`` is where the document's relative file names start.

    Raises:
        Invalid: with every problem of the document, or ``site.file_without_base``.
        Conflict: with every change that must not be made now.
        NotFound: ``image.not_found``.
    """
    document = _read(platform, data)
    hashes = _hashes(document, base_dir)
    with platform.db.read() as connection:
        return _plan(_compare(Comparison(connection=connection, platform=platform, document=document, hashes=hashes)))


def apply_import(
    platform: Platform,
    data: bytes,
    caller: Caller,
    *,
    base_dir: Path | None = None,
    open_driver: OpenDriver | None = None,
    fetch_options: FetchOptions | None = None,
    as_read: Callable[[ImportPlan], None] = lambda _plan: None,
    progress: Progress = UNSEEN,
) -> ImportPlan:
    """Make the state what a site document says and return what changed; doing it again changes nothing.

    ``as_read`` is shown what will be changed and raises where it is not what the caller decided on. Hosts are stored as
    ``enrolled``. With ``open_driver`` those that answer are read at once; the others are read later.

    Raises:
        Invalid, Conflict, NotFound, Unavailable: as ``plan_import``, and ``image.*`` of what is taken into the library.
    """
    plan = plan_import(platform, data, base_dir=base_dir)
    if not plan.has_changes and open_driver is None:
        as_read(plan)
        return plan
    document = _read(platform, data)
    taken_in = _take_in(platform, document, base_dir, plan, fetch_options, progress)
    hashes = _hashes(document, base_dir) | {name: image.sha256 for name, image in taken_in.items()}
    facts = _facts(platform, document, open_driver) if open_driver else {}

    def unit(connection: Connection) -> ImportPlan:
        directory.lock_for_edit(connection)
        comparison = Comparison(
            connection=connection, platform=platform, document=document, taken_in=taken_in, hashes=hashes, facts=facts
        )
        done = _plan(_compare(comparison))
        as_read(done)
        if done.has_changes:
            _write(comparison)
            detail = {"sha256": document.sha256, "changes": [c.to_json() for c in done.changes if c.verb is not Verb.NONE]}
            seal(connection, platform, caller, "site.import", "site", detail)
        return done

    return platform.db.run(unit)


def _read(platform: Platform, data: bytes) -> SiteDocument:
    with platform.db.read() as connection:
        known = {
            "department": [d.code for d in directory.departments(connection)],
            "project": [p.code for p in directory.projects(connection)],
            "zone": [z.code for z in directory.zones(connection)],
            "pool": [p.code for p in directory.pools(connection)],
        }
    return parse_site(data, known=known)


def _compare(comparison: Comparison) -> Comparison:
    """Fill a comparison in.

    Raises:
        Conflict: with every change that must not be made.
    """
    compare_directory(comparison)
    compare_catalogue(comparison)
    if comparison.problems:
        first = comparison.problems[0]
        raise Conflict(first.code, problems=comparison.problems, **first.params)
    return comparison


def _plan(comparison: Comparison) -> ImportPlan:
    return ImportPlan(changes=tuple(comparison.changes), notices=comparison.document.notices)


def _write(comparison: Comparison) -> None:
    connection = comparison.connection
    over_before = _over(quota_store.levels(connection)) if comparison.moved else {}
    for write in comparison.writes:
        write(connection)
    # Pools, hosts and capacities may be others now: so may those that stand by.
    standby.renew(connection)
    if comparison.moved:
        _recount_moved(connection, comparison.moved, over_before)


def _over(levels: Sequence[Level]) -> dict[tuple[str, str], Level]:
    return {(x.scope_id, x.dimension): x for x in levels if x.limit_amount is not None and x.used > x.limit_amount}


def _recount_moved(connection: Connection, moved: Sequence[DepartmentId], over_before: Mapping[tuple[str, str], Level]) -> None:
    """Count again after departments changed place: what they hold counts above their new parents now.

    Raises:
        Conflict: ``site.move_exceeds_quota``.
    """
    quota_store.repair(connection)
    over = {key: level for key, level in _over(quota_store.levels(connection)).items() if key not in over_before}
    if over:
        names = {d.id: d.code for d in directory.departments(connection)}
        problems = [
            Problem(
                "site.move_exceeds_quota",
                {
                    "departments": ", ".join(sorted(names[m] for m in moved)),
                    "scope": level.scope,
                    "dimension": level.dimension,
                    "limit": level.limit_amount,
                    "used": level.used,
                },
            )
            for _, level in sorted(over.items())
        ]
        raise Conflict(problems[0].code, problems=problems, **problems[0].params)


def _hashes(document: SiteDocument, base_dir: Path | None) -> dict[str, str]:
    """Return the SHA-256 of the files behind images that do not state it."""
    return {
        image.name: image_work.file_sha256(_path(image.file, base_dir))
        for image in document.images
        if image.file and not image.sha256
    }


def _path(written: str, base_dir: Path | None) -> Path:
    if base_dir is None and not Path(written).is_absolute():
        raise Invalid("site.file_without_base", file=written)
    return (base_dir or Path("/")) / written


def _take_in(
    platform: Platform,
    document: SiteDocument,
    base_dir: Path | None,
    plan: ImportPlan,
    fetch_options: FetchOptions | None,
    progress: Progress,
) -> dict[str, Image]:
    """Copy the files of new images into the library; a file is judged there before anything else sees it."""
    new = {change.name for change in plan.changes if change.kind == "image" and change.verb is Verb.CREATE}
    return {
        image.name: image_work.take_in(platform, _image_request(image, base_dir), fetch_options=fetch_options, progress=progress)
        for image in document.images
        if image.name in new
    }


def _image_request(image: SiteImage, base_dir: Path | None) -> ImageRequest:
    return ImageRequest(
        name=image.name,
        title=image.title,
        arch=image.arch,
        source=image.url or _path(image.file, base_dir),
        sha256=image.sha256,
        kernel=_path(image.kernel, base_dir) if image.kernel else None,
        initrd=_path(image.initrd, base_dir) if image.initrd else None,
        kernel_arguments=image.kernel_arguments,
    )


def _facts(platform: Platform, document: SiteDocument, open_driver: OpenDriver) -> dict[str, HostFacts]:
    """Read the hosts that answer and were never read before; one that does not answer is read later."""
    with platform.db.read() as connection:
        stored = {h.name: h for h in host_store.hosts(connection)}
        drivers = {p.code: p.driver for p in directory.pools(connection)} | {p.code: p.driver for p in document.pools}
    found: dict[str, HostFacts] = {}
    for wanted in document.hosts:
        known = stored.get(wanted.name)
        if known and known.facts:
            continue
        host_id = known.id if known else platform.new_id("host")
        context = DriverContext(host_id=host_id, host_name=wanted.name, connection=wanted.connection, clock=platform.clock)
        try:
            found[wanted.name] = _inspect(open_driver, drivers[wanted.pool], context)
        except DriverFault:
            # Not an error of the import: the host stays enrolled and unread, and says so in the list of hosts.
            continue
    return found


def _inspect(open_driver: OpenDriver, name: str, context: DriverContext) -> HostFacts:
    driver = open_driver(name, context)
    try:
        return driver.inspect_host()
    finally:
        driver.close()
