"""From what a document says to what it means on this platform: names looked up, sizes and defaults filled in. Pure.

The result is a complete ``SystemSpec``; equal wishes give equal specs, whatever language or order they were written in.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from controller.tickets import aliases
from controller.tickets.language import DiskPatch, ServerPatch, TicketDocument
from inventory.domain.errors import Conflict, Problem
from inventory.domain.host import NETWORKS, ZoneLimits
from inventory.domain.layout import NO_LAYOUT, Layout
from inventory.domain.system import DiskSpec, ServerSpec, SpreadLevel, System, SystemSpec
from inventory.importers.amounts import fold, nearest_first
from inventory.importers.document import excerpt, refuse
from inventory.importers.shapes import both_spellings

#: User data and keys of one machine together: Nova takes 65,535 characters, twice encoded and with a little around it.
FIRST_BOOT_BYTES = 34 * 1024
#: Sizes named where another one was asked for.
SIZES_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A thing with a code, and the name people give it."""

    code: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectOffer(Offer):
    """An approved project."""

    #: Code of the department it belongs to.
    department: str
    is_open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneOffer(Offer):
    """A zone with its highest MLPS level."""

    mlps_max: int
    network_class: str = ""
    #: What none of its hosts does.
    limits: ZoneLimits = field(default_factory=ZoneLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeOffer(Offer):
    """A named size."""

    vcpu_count: int
    memory_mib: int
    root_disk_gib: int
    layout: Layout = NO_LAYOUT
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOffer(Offer):
    """An image that may be used."""

    arch: str
    virtual_size_gib: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """What the platform offers to the person who asks: departments they may name, and the catalogue."""

    departments: tuple[Offer, ...]
    projects: tuple[ProjectOffer, ...]
    zones: tuple[ZoneOffer, ...]
    sizes: tuple[SizeOffer, ...]
    images: tuple[ImageOffer, ...]
    disk_classes: tuple[Offer, ...]
    #: Codes of those that take root disks only: disks that are made and lost with their machine.
    root_only_classes: frozenset[str] = frozenset()
    #: What hosts have by name.
    traits: tuple[Offer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What the platform fills in where a document is silent."""

    #: The most protected one.
    environment: str = "production"
    disk_class: str = "standard"
    network: str = "default"


def resolve_create(document: TicketDocument, directory: Directory, defaults: Defaults | None = None) -> SystemSpec:
    """Return the system that a ``create`` document asks for.

    Raises:
        Invalid: with every name, level and size that does not fit the platform.
    """
    work = _Work(document, directory, defaults or Defaults())
    department = work.find("department", directory.departments, document.department, "applicant.department")
    project = work.find("project", directory.projects, document.project, "project.code")
    zone = work.zone = work.find("zone", directory.zones, document.zone, "system.network")
    work.check_project(project, department)
    work.check_level(document.mlps_level, zone)
    servers = [work.new_server(patch) for patch in document.servers]
    contact = document.contact_name or ""
    if work.problems:
        raise refuse(work.problems)
    assert department
    assert project
    assert zone
    assert document.mlps_level
    assert document.lease
    return SystemSpec(
        name=document.name,
        title=document.title or document.name,
        department=department.code,
        project=project.code,
        zone=zone.code,
        mlps_level=document.mlps_level,
        environment=document.environment or work.defaults.environment,
        lease_end=document.lease.day.isoformat(),
        owner=document.owner or contact,
        contact_name=contact,
        contact_phone=document.contact_phone or "",
        contact_email=document.contact_email or "",
        servers=_in_order(server for server in servers if server),
        labels=dict(sorted((document.labels or {}).items())),
    )


def resolve_change(
    document: TicketDocument, current: System, directory: Directory, defaults: Defaults | None = None
) -> SystemSpec:
    """Return ``current`` with the differences of a ``change`` document applied, by name.

    A document written against an older revision is refused, unless everything it asks for is already so.

    Raises:
        Invalid: with everything that does not fit the platform or the system.
        Conflict: ``ticket.base_stale``.
    """
    assert document.name == current.name, "the caller found the system by this name"
    work = _Work(document, directory, defaults or Defaults())
    work.refuse_moves(current.spec)
    zone = work.zone = next((z for z in directory.zones if z.code == current.spec.zone), None)
    work.check_level(document.mlps_level, zone)
    servers = work.changed_servers(current.spec.servers, is_current=document.base == current.revision)
    spec = replace(
        current.spec,
        title=_or(document.title, current.spec.title),
        owner=_or(document.owner, current.spec.owner),
        contact_name=_or(document.contact_name, current.spec.contact_name),
        contact_phone=_or(document.contact_phone, current.spec.contact_phone),
        contact_email=_or(document.contact_email, current.spec.contact_email),
        mlps_level=document.mlps_level or current.spec.mlps_level,
        environment=_or(document.environment, current.spec.environment),
        labels=dict(sorted({**current.spec.labels, **(document.labels or {})}.items())),
        servers=servers,
    )
    if document.base != current.revision and (work.problems or spec.digest() != current.spec.digest()):
        params: dict[str, Any] = {"base": document.base, "revision": current.revision, "name": current.name}
        raise Conflict("ticket.base_stale", problems=[Problem("ticket.base_stale", params, document.where("base"))], **params)
    if not servers:
        work.fail("ticket.no_server_left", "resources.servers", name=current.name)
    if work.problems:
        raise refuse(work.problems)
    return spec


def resolve_renew(document: TicketDocument, current: System) -> SystemSpec:
    """Return ``current`` with the lease a ``renew`` document asks for; the same day again changes nothing.

    Raises:
        Invalid: the lease would become shorter.
    """
    assert document.name == current.name, "the caller found the system by this name"
    assert document.lease
    lease_end = document.lease.day.isoformat()
    if lease_end < current.spec.lease_end:
        params = {"date": lease_end, "current": current.spec.lease_end}
        raise refuse([Problem("ticket.lease_not_extended", params, document.where("lease.end"))])
    return replace(current.spec, lease_end=lease_end)


def _or(said: str | None, current: str) -> str:
    return current if said is None else said


def _in_order(servers: Iterable[ServerSpec]) -> tuple[ServerSpec, ...]:
    """Return servers by name: the order of a document means nothing."""
    return tuple(sorted(servers, key=lambda server: server.name))


def _disks_in_order(disks: Iterable[DiskSpec]) -> tuple[DiskSpec, ...]:
    return tuple(sorted(disks, key=lambda disk: disk.name))


_KINDS_ZH = {
    "department": "部门",
    "project": "项目",
    "zone": "网络区域",
    "size": "规格",
    "image": "镜像",
    "disk_class": "磁盘类别",
    "trait": "主机特性",
}

OfferT = TypeVar("OfferT", bound=Offer)


def _with_titles(offers: Sequence[OfferT], words: Mapping[str, str]) -> list[OfferT]:
    return [offer if offer.name else replace(offer, name=words.get(offer.code, "")) for offer in offers]


class _Spread(NamedTuple):
    """The rule of a group: fields of ``ServerSpec``."""

    spread: SpreadLevel
    spread_is_hard: bool
    is_together: bool
    spread_max: int


def _spread(patch: ServerPatch, old: ServerSpec | None) -> _Spread:
    """Return the rule a patch means; a new word ends what was said of the old one."""
    if patch.spread is None and old is not None:
        return _Spread(old.spread, old.spread_is_hard, old.is_together, patch.spread_max or old.spread_max)
    word = patch.spread or "none"
    level = SpreadLevel(word.rpartition("-")[2])
    return _Spread(level, not word.startswith("soft-"), "same-" in word, patch.spread_max or 1)


@dataclass(slots=True)
class _Work:
    """One document being resolved, and what was found wrong so far."""

    document: TicketDocument
    directory: Directory
    defaults: Defaults
    problems: list[Problem] = field(default_factory=list)
    zone: ZoneOffer | None = None

    def fail(self, code: str, path: str, /, **params: Any) -> None:
        self.problems.append(Problem(code, params, self.document.where(path)))

    def find(self, kind: str, offers: Sequence[OfferT], written: str | None, path: str) -> OfferT | None:
        """Return the offer of that code, else the only one of that name."""
        if written is None:
            return None
        word = fold(written)
        asked = {"kind": kind, "kind_zh": _KINDS_ZH[kind], "written": excerpt(written)}
        found = [o for o in offers if o.code == word] or [o for o in offers if fold(o.name) == word]
        if len(found) == 1:
            return found[0]
        if found:
            codes = "、".join(o.code for o in found)
            self.fail("ticket.ambiguous_name", path, **asked, codes=codes)
            return None
        spellings = [both_spellings(o.code, o.name) for o in offers]
        by_part = [part for o in offers for part in (o.code, o.name) if part]
        suggestion, _ = nearest_first(written, by_part)
        _, offered = nearest_first(written, spellings)
        self.fail("ticket.unknown_name", path, **asked, suggestion=suggestion, offered=offered)
        return None

    def check_project(self, project: ProjectOffer | None, department: Offer | None) -> None:
        """Refuse a closed project, and one of another department."""
        if project is None:
            return
        if department is not None and project.department != department.code:
            self.fail("ticket.project_of_other_department", "project.code", project=project.code, department=department.code)
        elif not project.is_open:
            self.fail("ticket.project_closed", "project.code", project=project.code)

    def check_level(self, level: int | None, zone: ZoneOffer | None) -> None:
        """Refuse a level that the zone must not hold."""
        if level is not None and zone is not None and level > zone.mlps_max:
            params = {"level": level, "maximum": zone.mlps_max, "zone": both_spellings(zone.code, zone.name)}
            self.fail("ticket.mlps_above_zone", "system.mlps.level", **params)

    def refuse_moves(self, spec: SystemSpec) -> None:
        """Refuse to move a system: to name where it already is changes nothing."""
        document, directory = self.document, self.directory
        asked: list[tuple[str, Sequence[Offer], str | None, str, str]] = [
            ("department", directory.departments, document.department, "applicant.department", spec.department),
            ("project", directory.projects, document.project, "project.code", spec.project),
            ("zone", directory.zones, document.zone, "system.network", spec.zone),
        ]
        for kind, offers, written, path, current in asked:
            if written is None or fold(written) == current:
                continue
            found = self.find(kind, offers, written, path)
            if found is not None and found.code != current:
                self.fail("ticket.move_refused", path, field=path, current=current, wanted=found.code)

    def size(self, patch: ServerPatch) -> SizeOffer | None:
        """Return the size a patch names or spells out; None if it says nothing or something unknown."""
        if patch.vcpu_count is not None and patch.memory_mib is not None:
            return SizeOffer(code="", vcpu_count=patch.vcpu_count, memory_mib=patch.memory_mib, root_disk_gib=0)
        return self.find("size", _with_titles(self.directory.sizes, aliases.SIZES), patch.size, f"{patch.path}.size")

    def disk_class(self, written: str | None, path: str) -> str | None:
        """Return the code of a disk class; None if it says nothing or something unknown."""
        found = self.find("disk_class", _with_titles(self.directory.disk_classes, aliases.DISK_CLASSES), written, path)
        return found.code if found else None

    def data_disk_class(self, patch: DiskPatch) -> str | None:
        """Return the code of the class of a data disk, the platform's own where it says none; None after saying what is wrong.

        Of a class that takes root disks only, no disk outlives its machine.
        """
        path = f"{patch.path}.class"
        found = self.disk_class(patch.disk_class, path) if patch.disk_class is not None else self.defaults.disk_class
        if found not in self.directory.root_only_classes:
            return found
        others = [o for o in self.directory.disk_classes if o.code not in self.directory.root_only_classes]
        offered = "、".join(both_spellings(o.code, o.name) for o in _with_titles(others, aliases.DISK_CLASSES)) or "—"
        self.fail("ticket.disk_class_roots_only", path, name=patch.name, disk_class=found, offered=offered)
        return None

    def _asked(self, patch: ServerPatch | DiskPatch, **said: object) -> bool:
        """Say what is missing of something new; tell whether nothing is."""
        missing = [name for name, value in said.items() if value is None]
        for name in missing:
            self.fail("ticket.missing_of_new", f"{patch.path}.name", name=patch.name, field=f"{patch.path}.{name}")
        return not missing

    def new_server(self, patch: ServerPatch) -> ServerSpec | None:
        """Return a new group of servers, complete; None after saying what is wrong."""
        size = self.size(patch)
        image = self.find("image", self.directory.images, patch.image, f"{patch.path}.image")
        is_complete = self._asked(patch, size=patch.size or patch.vcpu_count, image=patch.image)
        root_class = self.disk_class(patch.root_disk_class, f"{patch.path}.root-disk.class")
        disks = [self.new_disk(disk) for disk in patch.disks]
        traits = self.traits(patch)
        if size is None or image is None or not is_complete:
            return None
        made = ServerSpec(
            name=patch.name,
            count=patch.count or 1,
            vcpu_count=size.vcpu_count,
            memory_mib=size.memory_mib,
            size=size.code,
            image=image.code,
            root_disk_gib=self._root_disk_gib(patch, size, image),
            root_disk_class=root_class or self.defaults.disk_class,
            disks=_disks_in_order(disk for disk in disks if disk),
            **self._spread(patch, None)._asdict(),
            networks=tuple(sorted(patch.networks or (self.defaults.network,))),
            arch=self._arch(patch, image),
            user_data=patch.user_data or "",
            ssh_keys=patch.ssh_keys or (),
            layout=size.layout,
            traits=_together(traits or (), size.traits),
        )
        self._check_made(patch, made)
        return made

    def _check_made(self, patch: ServerPatch, server: ServerSpec) -> None:
        """Refuse what no host of the zone makes, however much is free, and what no back end can tell a machine."""
        limits = self.zone.limits if self.zone is not None else ZoneLimits()
        zone = both_spellings(self.zone.code, self.zone.name) if self.zone is not None else ""
        if NETWORKS in limits.lacks:
            self.fail("ticket.zone_without_networks", f"{patch.path}.name", name=patch.name, zone=zone)
        if limits.sizes is not None:
            self._check_size(patch, server, limits.sizes, zone)
        told_bytes = len(server.user_data.encode()) + len(json.dumps(server.ssh_keys))
        if told_bytes > FIRST_BOOT_BYTES:
            self.fail(
                "ticket.first_boot_too_long", f"{patch.path}.name", name=patch.name, found=told_bytes, most=FIRST_BOOT_BYTES
            )

    def _check_size(self, patch: ServerPatch, server: ServerSpec, sizes: Collection[tuple[int, int, int]], zone: str) -> None:
        """Refuse a size the zone has no machines of; a root disk is a part of it where it is the hypervisor's own."""
        parts = 3 if server.root_disk_class in self.directory.root_only_classes else 2
        asked = (server.vcpu_count, server.memory_mib, server.root_disk_gib)[:parts]
        made = {size[:parts] for size in sizes}
        if asked in made:
            return
        nearest = sorted(made, key=lambda s: (abs(s[0] - server.vcpu_count), abs(s[1] - server.memory_mib), s))
        offered = "; ".join(map(_size_text, nearest[:SIZES_SHOWN])) or "—"
        place = f"{patch.path}.size" if patch.size is not None or patch.vcpu_count is not None else f"{patch.path}.name"
        self.fail("ticket.size_not_made", place, name=patch.name, asked=_size_text(asked), zone=zone, offered=offered)

    def traits(self, patch: ServerPatch) -> tuple[str, ...] | None:
        """Return what a patch asks of hosts by name, after saying which names no host has; None if it says nothing."""
        if patch.traits is None:
            return None
        found = [self.find("trait", self.directory.traits, t, f"{patch.path}.traits.{n}") for n, t in enumerate(patch.traits)]
        return tuple(offer.code for offer in found if offer)

    def _spread(self, patch: ServerPatch, old: ServerSpec | None) -> _Spread:
        """Return the rule of a group; how many may share a domain is only asked where they are spread."""
        rule = _spread(patch, old)
        if patch.spread_max is not None and (rule.spread is SpreadLevel.NONE or rule.is_together):
            self.fail("ticket.spread_max_without_spread", f"{patch.path}.spread-max", name=patch.name)
        return rule

    def _root_disk_gib(self, patch: ServerPatch, size: SizeOffer, image: ImageOffer) -> int:
        if patch.root_disk_gib is None:
            return max(size.root_disk_gib, image.virtual_size_gib)
        if patch.root_disk_gib < image.virtual_size_gib:
            params = {"asked_gib": patch.root_disk_gib, "image_gib": image.virtual_size_gib, "image": image.code}
            self.fail("ticket.root_disk_below_image", f"{patch.path}.root-disk.size", **params)
        return patch.root_disk_gib

    def _arch(self, patch: ServerPatch, image: ImageOffer) -> str:
        """Return the image's architecture: a machine has no other."""
        if patch.arch not in (None, "any", image.arch):
            self.fail("ticket.arch_mismatch", f"{patch.path}.arch", arch=patch.arch, image=image.code, image_arch=image.arch)
        return image.arch

    def new_disk(self, patch: DiskPatch) -> DiskSpec | None:
        """Return a new data disk; None after saying what is wrong."""
        disk_class = self.data_disk_class(patch)
        if not self._asked(patch, size=patch.size_gib) or patch.size_gib is None:
            return None
        return DiskSpec(name=patch.name, size_gib=patch.size_gib, disk_class=disk_class or self.defaults.disk_class)

    def changed_servers(self, current: Sequence[ServerSpec], *, is_current: bool) -> tuple[ServerSpec, ...]:
        """Return the servers after the patches; what is already absent is only wrong in a current document."""
        servers = {server.name: server for server in current}
        for patch in self.document.servers:
            old = servers.get(patch.name)
            if patch.is_absent:
                self._remove(servers, patch, is_current=is_current)
            elif old is not None:
                now = servers[patch.name] = self._changed_server(old, patch, is_current=is_current)
                if _machine_of(now) != _machine_of(old) or now.count > old.count:
                    self._check_made(patch, now)
            else:
                new = self._added_server(patch, list(servers))
                if new is not None:
                    servers[patch.name] = new
        return _in_order(servers.values())

    def _added_server(self, patch: ServerPatch, existing: Sequence[str]) -> ServerSpec | None:
        """Return a new group; one that says neither size nor image was surely meant to be one that exists."""
        if patch.size is None and patch.vcpu_count is None and patch.image is None:
            self._unknown_item(patch, existing)
            return None
        return self.new_server(patch)

    def _remove(
        self, items: dict[str, ServerSpec] | dict[str, DiskSpec], patch: ServerPatch | DiskPatch, *, is_current: bool
    ) -> None:
        if items.pop(patch.name, None) is None and is_current:
            self._unknown_item(patch, list(items))

    def _unknown_item(self, patch: ServerPatch | DiskPatch, existing: Sequence[str]) -> None:
        suggestion, offered = nearest_first(patch.name, existing)
        self.fail("ticket.unknown_item", f"{patch.path}.name", name=patch.name, suggestion=suggestion, offered=offered)

    def _changed_server(self, old: ServerSpec, patch: ServerPatch, *, is_current: bool) -> ServerSpec:
        size = self.size(patch)
        image = self.find("image", self.directory.images, patch.image, f"{patch.path}.image")
        root_class = self.disk_class(patch.root_disk_class, f"{patch.path}.root-disk.class")
        traits = self.traits(patch)
        changed = replace(
            old,
            count=patch.count or old.count,
            image=image.code if image else old.image,
            arch=self._arch(patch, image) if image else self._same_arch(patch, old),
            root_disk_gib=patch.root_disk_gib or old.root_disk_gib,
            root_disk_class=root_class or old.root_disk_class,
            disks=self._changed_disks(old.disks, patch.disks, is_current=is_current),
            **self._spread(patch, old)._asdict(),
            networks=tuple(sorted(patch.networks)) if patch.networks else old.networks,
            user_data=_or(patch.user_data, old.user_data),
            ssh_keys=old.ssh_keys if patch.ssh_keys is None else patch.ssh_keys,
            traits=old.traits if traits is None else _together(traits, self._size_traits(old.size)),
        )
        if size is None:
            return changed
        # What the ticket asked for stays, what only the old size asked for goes.
        asked = set(changed.traits) - set(self._size_traits(old.size)) if traits is None else traits
        return replace(
            changed,
            vcpu_count=size.vcpu_count,
            memory_mib=size.memory_mib,
            size=size.code,
            layout=size.layout,
            traits=_together(asked, size.traits),
        )

    def _size_traits(self, code: str) -> tuple[str, ...]:
        return next((size.traits for size in self.directory.sizes if size.code == code), ())

    def _same_arch(self, patch: ServerPatch, old: ServerSpec) -> str:
        if patch.arch not in (None, "any", old.arch):
            self.fail("ticket.arch_mismatch", f"{patch.path}.arch", arch=patch.arch, image=old.image, image_arch=old.arch)
        return old.arch

    def _changed_disks(
        self, current: Sequence[DiskSpec], patches: Sequence[DiskPatch], *, is_current: bool
    ) -> tuple[DiskSpec, ...]:
        disks = {disk.name: disk for disk in current}
        for patch in patches:
            old = disks.get(patch.name)
            if patch.is_absent:
                self._remove(disks, patch, is_current=is_current)
            elif old is not None:
                disk_class = self.disk_class(patch.disk_class, f"{patch.path}.class")
                disks[patch.name] = replace(old, size_gib=patch.size_gib or old.size_gib, disk_class=disk_class or old.disk_class)
            else:
                new = self.new_disk(patch)
                if new is not None:
                    disks[patch.name] = new
        return _disks_in_order(disks.values())


def _machine_of(server: ServerSpec) -> tuple[object, ...]:
    """Return what its machines are made with."""
    root = (server.root_disk_class, server.root_disk_gib)
    return (server.vcpu_count, server.memory_mib, *root, server.user_data, server.ssh_keys)


def _size_text(size: Sequence[int]) -> str:
    return ", ".join(f"{amount} {unit}" for amount, unit in zip(size, ("vCPU", "MiB", "GiB"), strict=False))


def _together(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for some in names for name in some}))
