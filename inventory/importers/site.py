"""The site document (``kind: Site``): the organisation, the catalogue, the limits and the prices of one platform.

``allot import`` reads it with ``parse_site`` and compares the records with what is stored. Pure: names refer to names,
and every reference is checked here, within the document and against what the caller says is known already.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from inventory.domain.host import LossPolicy, Reserve, ReserveLevel
from inventory.domain.layout import cpus_text, read_cpus
from inventory.domain.organisation import Billing
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.importers.document import read_document, refuse
from inventory.importers.shapes import Reading
from inventory.importers.site_checks import DEFAULT_SEGMENT_PREFIX, SiteChecks, layout_of
from inventory.importers.site_fields import SITE
from inventory.importers.site_records import (
    SiteDepartment,
    SiteDocument,
    SiteHost,
    SiteImage,
    SitePool,
    SitePrice,
    SiteProject,
    SiteQuota,
    SiteSize,
    SiteStorage,
    SiteZone,
)

MAX_SITE_BYTES = 4 * 1024 * 1024
_QUOTA_DIMENSIONS = {
    "vcpu": "vcpu",
    "memory": "memory_mib",
    "disk": "disk_gib",
    "instances": "instances",
    "volumes": "volumes",
    "addresses": "addresses",
}


def parse_site(data: bytes, *, known: Mapping[str, Collection[str]] | None = None) -> SiteDocument:
    """Read a site document.

    Args:
        data: the bytes as submitted.
        known: codes that are stored already, by kind (``department``, ``project``, ``zone``, ``pool``), so that a
            document with hosts only may refer to them.

    Raises:
        Invalid: with every problem that was found.
    """
    document = read_document(data, max_bytes=MAX_SITE_BYTES)
    reading = Reading(unknown_field="site.unknown_field", not_offered="site.unknown_field")
    values = SITE.read(document.root, "", reading) or {}
    if reading.problems:
        # References cannot be judged while some of what they may point to could not be read.
        raise refuse(reading.problems)
    checks = SiteChecks(values, known or {}, reading)
    checks.run()
    if reading.problems:
        raise refuse(reading.problems)
    return SiteDocument(
        departments=_parents_first(values.get("departments", [])),
        projects=tuple(_project(p) for p in values.get("projects", [])),
        zones=tuple(_zone(z) for z in values.get("zones", [])),
        pools=tuple(_pool(p) for p in values.get("pools", [])),
        hosts=tuple(_host(h) for h in values.get("hosts", [])),
        sizes=tuple(_size(s) for s in values.get("sizes", [])),
        images=tuple(_image(i) for i in values.get("images", [])),
        quotas=tuple(_quota(q) for q in values.get("quotas", [])),
        prices=tuple(_price(p) for p in values.get("prices", [])),
        sha256=document.sha256,
        places=reading.places,
        notices=(*document.notices, *reading.notices),
    )


def _parents_first(items: Sequence[Mapping[str, Any]]) -> tuple[SiteDepartment, ...]:
    waiting = [_department(d) for d in items]
    inside = {d.code for d in waiting}
    ordered: list[SiteDepartment] = []
    while waiting:
        placed = {d.code for d in ordered}
        ready = [d for d in waiting if d.parent in placed or d.parent not in inside]
        assert ready, "cycles were refused"
        ordered += ready
        waiting = [d for d in waiting if d not in ready]
    return tuple(ordered)


def _department(d: Mapping[str, Any]) -> SiteDepartment:
    billing = Billing(d["billing"]) if "billing" in d else None
    return SiteDepartment(code=d["code"], name=d["name"], parent=d.get("parent", ""), billing=billing)


def _project(p: Mapping[str, Any]) -> SiteProject:
    is_open = p.get("open", "true") == "true"
    return SiteProject(code=p["code"], name=p["name"], department=p["department"], budget_code=p["budget-code"], is_open=is_open)


def _zone(z: Mapping[str, Any]) -> SiteZone:
    return SiteZone(
        code=z["code"],
        name=z["name"],
        network_class=z["network-class"],
        mlps_max=z["mlps-max"],
        address_range=z["address-range"],
        segment_prefix=z.get("segment-prefix", DEFAULT_SEGMENT_PREFIX),
    )


def _dimensions(amounts: Mapping[str, int]) -> dict[str, int]:
    names = {"cpu": VCPU, "vcpu": VCPU, "memory": MEMORY_MIB}
    return {names[key]: amount for key, amount in amounts.items()}


def _pool(p: Mapping[str, Any]) -> SitePool:
    return SitePool(
        code=p["code"],
        name=p["name"],
        zone=p["zone"],
        driver=p["driver"],
        mlps_max=p["mlps-max"],
        overcommit_permille=_dimensions(p.get("overcommit", {})),
        reserve=_reserve(p.get("reserve", {})),
        placement=p.get("placement", ""),
        drift=p.get("drift", {}),
        loss=_loss(p.get("lost-hosts", {})),
    )


def _loss(p: Mapping[str, Any]) -> LossPolicy:
    return LossPolicy(after_s=60 * p.get("after-minutes", 0), most=p.get("most", 1))


def _reserve(r: Mapping[str, Any]) -> Reserve:
    return Reserve(level=ReserveLevel(r.get("survive", "none")), count=r.get("count", 1))


def _host(h: Mapping[str, Any]) -> SiteHost:
    return SiteHost(
        name=h["name"],
        pool=h["pool"],
        connection=h["connection"],
        warranty_until=h["warranty"].isoformat() if "warranty" in h else "",
        reserved=_dimensions(h.get("reserved", {})),
        capacity_override=_dimensions(h.get("capacity", {})),
        overcommit_permille=_dimensions(h.get("overcommit", {})),
        storage=tuple(_storage(s) for s in h.get("storage", [])),
        watts_idle=h.get("watts-idle", 0),
        watts_most=h.get("watts-most", 0),
        dedicated_cpus=_cpus(h.get("dedicated-cpus", "")),
        shared_cpus=_cpus(h.get("shared-cpus", "")),
        traits=tuple(sorted(h.get("traits", []))),
        **{name: h.get(name, "") for name in ("site", "room", "rack", "vendor", "owner")},
    )


def _storage(s: Mapping[str, Any]) -> SiteStorage:
    overcommit = s.get("overcommit", 1000)
    return SiteStorage(name=s["name"], disk_class=s["class"], path=s.get("path", ""), overcommit_permille=overcommit)


def _size(s: Mapping[str, Any]) -> SiteSize:
    return SiteSize(
        name=s["name"],
        vcpu_count=s["vcpu"],
        memory_mib=s["memory"],
        root_disk_gib=s["root-disk"],
        layout=layout_of(s),
        traits=tuple(sorted(s.get("traits", []))),
    )


def _cpus(text: str) -> str:
    return cpus_text(read_cpus(text.replace(" ", "")))


def _image(i: Mapping[str, Any]) -> SiteImage:
    rest = {name: i.get(name, "") for name in ("title", "file", "url", "sha256", "kernel", "initrd")}
    return SiteImage(name=i["name"], arch=i["arch"], kernel_arguments=i.get("kernel-arguments", ""), **rest)


def _quota(q: Mapping[str, Any]) -> SiteQuota:
    kind = "department" if "department" in q else "project"
    limits = {dimension: q[key] for key, dimension in _QUOTA_DIMENSIONS.items() if key in q}
    return SiteQuota(scope_kind=kind, scope_code=q[kind], limits=limits)


def _price(p: Mapping[str, Any]) -> SitePrice:
    return SitePrice(meter=p["meter"], micro_yuan_per_unit_hour=p["price"], valid_from=p["valid-from"])
