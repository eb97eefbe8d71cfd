"""Site import: sizes, images, hosts, limits and prices compared with what is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from sqlalchemy import Connection

from controller.scheduling.columns import TRAITS_MAX
from controller.workflows import hosts as host_work
from controller.workflows.hosts import EnrolRequest, StorageRequest
from controller.workflows.site_changes import Comparison
from inventory.domain.catalogue import Image, Price, Size
from inventory.domain.clock import first_second
from inventory.domain.errors import AllotError
from inventory.domain.host import AdminState, Host, Pool, Reachability, StoragePool, told_apart
from inventory.domain.ids import HostId, SizeId, StoragePoolId
from inventory.importers.site_records import Limit, SiteHost, SiteImage, SitePrice
from inventory.store import directory
from inventory.store import hosts as host_store
from metering import store as price_store
from metering.meters import meter_written
from metering.rating import yuan
from quotas import store as quota_store
from quotas.limits import Level, Mode, ScopeKind

#: States in which the connection of a host may be changed: nobody counts on it then.
_MAY_REWIRE = frozenset({AdminState.ENROLLED, AdminState.MAINTENANCE, AdminState.RETIRED})
#: Which processors are for whom; while anything is promised on a host, it rests on that.
_PROCESSORS = ("dedicated_cpus", "shared_cpus")
#: What an import never says of a host that is stored.
_KEPT = ("admin_state", "state_reason", "state_by", "state_until_s")


def compare_catalogue(found: Comparison) -> None:
    """Compare what stands on the directory; ``compare_directory`` ran before."""
    _sizes(found)
    _images(found)
    _hosts(found)
    _quotas(found)
    _prices(found)


def _sizes(found: Comparison) -> None:
    stored = {s.name: s for s in directory.sizes(found.connection)}
    for wanted in found.document.sizes:
        known = stored.get(wanted.name)
        fields = {name: getattr(wanted, name) for name in wanted.__dataclass_fields__}
        size = Size(id=known.id if known else SizeId(found.platform.new_id("size")), **fields)
        before = _size_fields(known) if known else None
        found.note("size", wanted.name, before, _size_fields(size), partial(directory.save_size, size=size))


def _size_fields(size: Size) -> dict[str, Any]:
    layout = size.layout
    return {
        **{name: getattr(size, name) for name in ("name", "vcpu_count", "memory_mib", "root_disk_gib")},
        "cpus": "dedicated" if layout.is_dedicated else "shared",
        "page_kib": layout.page_kib,
        "numa_nodes": layout.node_count,
        "traits": list(size.traits),
    }


def _images(found: Comparison) -> None:
    stored = {i.name: i for i in directory.images(found.connection)}
    for index, wanted in enumerate(found.document.images):
        sha256 = found.hashes.get(wanted.name, wanted.sha256)
        known = stored.get(wanted.name)
        if known and known.sha256 != sha256:
            found.refuse("site.image_changed", f"images.{index}", image=wanted.name, sha256=known.sha256)
            continue
        after = {"title": wanted.title, "arch": wanted.arch, "sha256": sha256, "kernel_arguments": wanted.kernel_arguments}
        before = {name: getattr(known, name) for name in after} if known else None
        image = _image(found, wanted, known)
        writes = [partial(directory.save_image, image_=image)] if image else []
        found.note("image", wanted.name, before, after, *writes)


def _image(found: Comparison, wanted: SiteImage, known: Image | None) -> Image | None:
    """Return the record to write; none while a plan is made and the file was not taken in yet."""
    if known:
        return replace(known, title=wanted.title, arch=wanted.arch, kernel_arguments=wanted.kernel_arguments)
    return found.taken_in.get(wanted.name)


def enrol_request(wanted: SiteHost) -> EnrolRequest:
    """Return a host of the document as an enrolment."""
    values = {name: getattr(wanted, name) for name in wanted.__dataclass_fields__ if name != "storage"}
    return EnrolRequest(**values, storage=[StorageRequest(**asdict(s)) for s in wanted.storage])


def _hosts(found: Comparison) -> None:
    stored = {h.name: h for h in host_store.hosts(found.connection)}
    storage = host_store.storage_pools(found.connection)
    codes = {p.id: p.code for p in found.pools.values()}
    _check_traits(found, stored)
    for index, wanted in enumerate(found.document.hosts):
        request, pool, known = enrol_request(wanted), found.pools[wanted.pool], stored.get(wanted.name)
        path = f"hosts.{index}"
        host_id = known.id if known else HostId(found.platform.new_id("host"))
        own = {s.name: s for s in storage if s.host_id == host_id}
        host = _host(found, request, host_id, pool, known)
        stored[wanted.name] = host
        _check_host(found, path, request, host, known, [h for h in stored.values() if h.name != wanted.name])
        pools_after = _storage(found, path, request, host_id, own)
        before = _host_fields(known, codes, list(own.values())) if known else None
        after = _host_fields(host, codes, [*pools_after.values()])
        read = host_work.storage_read(host, [*pools_after.values()])
        _check_classes(found, path, host, read)
        save = partial(_save_host, host=host, pool=pool, storage=read, is_new=known is None)
        found.note("host", wanted.name, before, after, save)


def _check_traits(found: Comparison, stored: Mapping[str, Host]) -> None:
    """Refuse more different traits than placement tells apart, and sizes that ask for one no host has."""
    hosts = {name: host.traits for name, host in stored.items()} | {h.name: h.traits for h in found.document.hosts}
    own = {trait for traits in hosts.values() for trait in traits}
    if len(own) > TRAITS_MAX:
        found.refuse("site.too_many_traits", "hosts", count=len(own), highest=TRAITS_MAX)
    offered = told_apart(own, {trait for host in stored.values() for trait in host.offers}, TRAITS_MAX)
    for index, size in enumerate(found.document.sizes):
        for trait in sorted(set(size.traits) - set(offered)):
            known = ", ".join(offered) or "—"
            found.refuse("site.unknown_trait", f"sizes.{index}.traits", size=size.name, trait=trait, known=known)


def _host(found: Comparison, request: EnrolRequest, host_id: HostId, pool: Pool, known: Host | None) -> Host:
    """Return the record as it will be; what the platform knows of a stored host stays."""
    fresh = host_work.record_of(request, host_id, pool)
    facts = found.facts.get(request.name)
    if known:
        kept = {name: getattr(known, name) for name in (*_KEPT, "reachability", "facts", "observed_at_s")}
        fresh = replace(fresh, **kept)
    if facts and not fresh.facts:
        seen_s = int(found.platform.clock())
        fresh = replace(fresh, facts=facts, reachability=Reachability.REACHABLE, observed_at_s=seen_s)
    return fresh


def _check_host(found: Comparison, path: str, request: EnrolRequest, host: Host, known: Host | None, others: list[Host]) -> None:
    try:
        host_work.check_amounts(request)
        host_work.check_is_new(others, request)
        if host.facts and not (known and known.facts):
            host_work.check_storage(host.name, [s.name for s in request.storage], host.facts)
        host_work.check_processors(request, host.facts)
        if known and known.pool_id != host.pool_id:
            host_work.check_empty(found.connection, known)
    except AllotError as error:
        found.refuse(error.code, path, **error.params)
    if known and any(getattr(known, name) != getattr(host, name) for name in _PROCESSORS):
        try:
            host_work.check_empty(found.connection, known)
        except AllotError as error:
            found.refuse("site.processors_in_use", path, host=host.name, used=error.params["used"])
    if known and known.connection != host.connection and known.admin_state not in _MAY_REWIRE:
        found.refuse("site.host_in_service", f"{path}.connection", host=host.name, state=known.admin_state.value)


def _check_classes(found: Comparison, path: str, host: Host, storage: Sequence[StoragePool]) -> None:
    # Whether a class takes any disk is known of hosts that were read.
    if host.facts is None:
        return
    try:
        host_work.check_classes(found.connection, host.name, storage)
        host_work.check_classes_among(found.kept, host.name, storage)
    except AllotError as error:
        found.refuse(error.code, path, **error.params)
    for pool in storage:
        found.kept.setdefault((pool.disk_class, pool.roots_only), host.name)


def _storage(
    found: Comparison, path: str, request: EnrolRequest, host_id: HostId, own: Mapping[str, StoragePool]
) -> dict[str, StoragePool]:
    """Return the storage pools of a host as they will be; those the document does not name stay."""
    after = dict(own)
    for index, wanted in enumerate(request.storage):
        known = own.get(wanted.name)
        if known and known.disk_class != wanted.disk_class:
            found.refuse(
                "site.storage_class_fixed", f"{path}.storage.{index}.class", storage_pool=known.name, known=known.disk_class
            )
        id_ = known.id if known else StoragePoolId(found.platform.new_id("storage_pool"))
        is_kept = known is not None and known.roots_only
        after[wanted.name] = StoragePool(id=id_, host_id=host_id, roots_only=is_kept, **asdict(wanted))
    return after


def _host_fields(host: Host, codes: Mapping[Any, str], storage: list[StoragePool]) -> dict[str, Any]:
    place = ("site", "room", "rack", "vendor", "owner", "warranty_until")
    operator = ("connection", *place, "watts_idle", "watts_most", *_PROCESSORS)
    amounts = ("reserved", "capacity_override", "overcommit_permille")
    return {
        "pool": codes[host.pool_id],
        **{name: getattr(host, name) for name in operator},
        **{name: dict(getattr(host, name)) for name in amounts},
        "traits": list(host.traits),
        "storage": [
            {"name": s.name, "disk_class": s.disk_class, "path": s.path, "overcommit_permille": s.overcommit_permille}
            for s in sorted(storage, key=lambda s: s.name)
        ],
        "is_read": host.facts is not None,
    }


def _save_host(connection: Connection, host: Host, pool: Pool, storage: list[StoragePool], *, is_new: bool) -> None:
    if not is_new:
        # Locked and read again: a change of state by another operator meanwhile must not be written over.
        now = host_store.host(connection, host.id, lock=True)
        kept = {name: getattr(now, name) for name in _KEPT}
        facts = now.facts or host.facts
        reachability = now.reachability if now.facts else host.reachability
        host = replace(host, **kept, facts=facts, reachability=reachability, revision=now.revision + 1)
    host_work.save_new(connection, host, pool, storage)


def _quotas(found: Comparison) -> None:
    stored = {(x.scope_id, x.dimension): x for x in quota_store.levels(found.connection)}
    for wanted in found.document.quotas:
        kind = ScopeKind(wanted.scope_kind)
        scopes = found.departments if kind is ScopeKind.DEPARTMENT else found.projects
        scope = scopes[wanted.scope_code]
        after: dict[str, Limit] = dict(sorted(wanted.limits.items()))
        before = {dimension: _limit(stored.get((scope.id, dimension))) for dimension in after}
        writes = [partial(_set_limit, kind=kind, scope_id=scope.id, dimension=d, limit=limit) for d, limit in after.items()]
        found.note("quota", f"{kind.value} {wanted.scope_code}", before, after, *writes)


def _limit(level: Level | None) -> Limit:
    if level is None or level.mode is Mode.INHERIT:
        return "inherit"
    return "unlimited" if level.limit_amount is None else level.limit_amount


def _set_limit(connection: Connection, kind: ScopeKind, scope_id: str, dimension: str, limit: Limit) -> None:
    mode, amount = (Mode.LIMIT, limit) if isinstance(limit, int) else (Mode(limit), None)
    quota_store.set_limit(connection, kind, scope_id, dimension, mode, amount)


def _prices(found: Comparison) -> None:
    stored = price_store.prices(found.connection)
    by_key = {(p.meter, p.valid_from_s): p for p in stored}
    for index, wanted in enumerate(found.document.prices):
        price = _price(found, wanted)
        known = by_key.get((price.meter, price.valid_from_s))
        path = f"prices.{index}.valid-from"
        if price.valid_from_s <= found.platform.clock():
            _check_past(found, path, wanted, price, known, [p for p in stored if p.meter == price.meter])
        before, after = ({"yuan_per_unit_hour": yuan(p.micro_yuan_per_unit_hour)} if p else {} for p in (known, price))
        name = f"{wanted.meter} {wanted.valid_from.isoformat()}"
        found.note("price", name, before or None, after, partial(price_store.save_price, price=price))


def _price(found: Comparison, wanted: SitePrice) -> Price:
    return Price(
        meter=meter_written(wanted.meter),
        micro_yuan_per_unit_hour=wanted.micro_yuan_per_unit_hour,
        valid_from_s=first_second(wanted.valid_from, found.platform.zone),
    )


def _check_past(
    found: Comparison, path: str, wanted: SitePrice, price: Price, known: Price | None, of_meter: list[Price]
) -> None:
    """Refuse what would change the price of time that has passed; filling time that had no price at all is no change."""
    day = wanted.valid_from.isoformat()
    if known and known.micro_yuan_per_unit_hour != price.micro_yuan_per_unit_hour:
        found.refuse("site.price_fixed", path, meter=wanted.meter, date=day, yuan=yuan(known.micro_yuan_per_unit_hour))
    if not known and any(p.valid_from_s < price.valid_from_s for p in of_meter):
        found.refuse("site.price_in_past", path, meter=wanted.meter, date=day)
