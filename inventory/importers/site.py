"""The site document (``kind: Site``): the organisation, the catalogue, the limits and the prices of one platform.

``allot import`` reads it with ``parse_site`` and compares the records with what is stored. Pure: names refer to names,
and every reference is checked here, within the document and against what the caller says is known already.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from ipaddress import IPv4Network, ip_network
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from inventory.domain.errors import Problem, Where
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.importers.amounts import fold, mib, nearest_first, whole
from inventory.importers.document import Node, excerpt, read_document, refuse
from inventory.importers.shapes import (
    ALL_PUNCTUATION,
    Amount,
    Choice,
    Day,
    Decimal,
    Field,
    ListOf,
    Name,
    Prose,
    Reading,
    Record,
    Shape,
    Whole,
    read_text,
)

#: ``unlimited`` and ``inherit`` are words, never numbers.
Limit = int | Literal["unlimited", "inherit"]

MAX_SITE_BYTES = 4 * 1024 * 1024
_UNIT_OF_METER = {"vcpu": "vcpu-hour", "memory_gib": "GiB-hour", "address": "address-hour"}
_DISK_METER = "disk_gib:"
_CONNECTION_SCHEMES = frozenset({"qemu", "qemu+ssh", "qemu+tls", "qemu+unix", "test", "simulated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDepartment:
    """A department and the one above it."""

    code: str
    name: str
    #: Code of the department above; empty at the top.
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteProject:
    """An approved project."""

    code: str
    name: str
    department: str
    budget_code: str
    is_open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteZone:
    """A network and security policy area."""

    code: str
    name: str
    network_class: str
    mlps_max: int
    address_range: str
    segment_prefix: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePool:
    """Hosts of one driver in one zone."""

    code: str
    name: str
    zone: str
    driver: str
    mlps_max: int
    overcommit_permille: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteStorage:
    """A storage pool of a host and the class of disk it holds."""

    name: str
    disk_class: str
    path: str = ""
    overcommit_permille: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteHost:
    """A host to enrol, with what only the operator knows of it."""

    name: str
    pool: str
    connection: str
    site: str = ""
    room: str = ""
    rack: str = ""
    vendor: str = ""
    owner: str = ""
    #: ISO date.
    warranty_until: str = ""
    reserved: Mapping[str, int] = field(default_factory=dict)
    capacity_override: Mapping[str, int] = field(default_factory=dict)
    overcommit_permille: Mapping[str, int] = field(default_factory=dict)
    storage: tuple[SiteStorage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSize:
    """A named machine shape."""

    name: str
    vcpu_count: int
    memory_mib: int
    root_disk_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteImage:
    """An image to import, from a file beside the document or from a URL."""

    name: str
    title: str
    arch: str
    file: str = ""
    url: str = ""
    #: Required of a URL.
    sha256: str = ""
    kernel: str = ""
    initrd: str = ""
    kernel_arguments: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteQuota:
    """Limits of a department or a project, by quota dimension."""

    #: ``department`` | ``project``.
    scope_kind: str
    scope_code: str
    limits: Mapping[str, Limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePrice:
    """Price of a meter from a day on."""

    #: ``vcpu`` | ``memory_gib`` | ``disk_gib:<class>`` | ``address``.
    meter: str
    micro_yuan_per_unit_hour: int
    valid_from: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDocument:
    """Everything a site document says, in an order in which it can be stored (departments: parents first)."""

    departments: tuple[SiteDepartment, ...]
    projects: tuple[SiteProject, ...]
    zones: tuple[SiteZone, ...]
    pools: tuple[SitePool, ...]
    hosts: tuple[SiteHost, ...]
    sizes: tuple[SiteSize, ...]
    images: tuple[SiteImage, ...]
    quotas: tuple[SiteQuota, ...]
    prices: tuple[SitePrice, ...]
    #: Of the bytes as submitted.
    sha256: str
    #: Place of every value by its path, for example ``hosts.0.connection``.
    places: Mapping[str, Where]
    notices: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _QuotaLimit:
    """A limit: an amount, or one of the two words. Memory and disk carry their unit."""

    #: ``MiB`` | ``GiB`` | empty for a count.
    unit: str

    def read(self, node: Node, path: str, reading: Reading) -> Limit | None:
        text = read_text(node, path, reading)
        if text is None:
            return None
        word = fold(text)
        if word == "unlimited":
            return "unlimited"
        if word == "inherit":
            return "inherit"
        amount = self._amount(word)
        if amount is None:
            reading.fail("site.bad_limit", node.where, field=path, written=excerpt(text), unit=self.unit or "—")
        return amount

    def _amount(self, word: str) -> int | None:
        if not self.unit or word == "0":
            return whole(word)
        found = mib(word)
        if found is None:
            return None
        amount, rest = divmod(found[0], 1024 if self.unit == "GiB" else 1)
        return None if rest else amount

    def to_schema(self) -> dict[str, Any]:
        return {"anyOf": [{"enum": ["unlimited", "inherit"]}, {"type": ["string", "integer"]}]}


def _f(name: str, shape: Shape, *, required: bool = False) -> Field:
    return Field(name=name, shape=shape, required=required)


_CODE = Name(max_length=40, example="civil-affairs")
_TEXT = Prose(allowed=ALL_PUNCTUATION)
_LEVEL = Whole(minimum=1, maximum=5)
_YES_NO = Choice(labels={"true": "是", "false": "否"})
_OVERCOMMIT = Decimal(places=3, minimum=1, maximum=100_000)
_OVERCOMMITS = Record(fields=[_f("vcpu", _OVERCOMMIT), _f("memory", _OVERCOMMIT)])
_CPU_AND_MEMORY = Record(
    fields=[
        _f("cpu", Whole(minimum=0, maximum=100_000, suffixes=("核", "vcpu"))),
        _f("memory", Amount(minimum=0, maximum=1024**3, unit="MiB")),
    ]
)
_CLASS = Name(max_length=40, example="standard")
_PATH = Prose(max_length=255, pattern=r"(?!.*\.\.)[A-Za-z0-9_./+-]+", example="images/debian-12.qcow2")
_ARCH = Choice(labels={"x86_64": "", "aarch64": ""})


def _many(*fields: Field, key: str = "") -> ListOf:
    return ListOf(item=Record(fields=fields), key=key, maximum=5000)


_SITE = Record(
    fields=[
        _f("apiVersion", Choice(labels={"allotment/v1": ""}), required=True),
        _f("kind", Choice(labels={"Site": ""}), required=True),
        _f(
            "departments",
            _many(_f("code", _CODE, required=True), _f("name", _TEXT, required=True), _f("parent", _CODE), key="code"),
        ),
        _f(
            "projects",
            _many(
                _f("code", Prose(max_length=64), required=True),
                _f("name", _TEXT, required=True),
                _f("department", _CODE, required=True),
                _f("budget-code", Prose(max_length=40), required=True),
                _f("open", _YES_NO),
                key="code",
            ),
        ),
        _f(
            "zones",
            _many(
                _f("code", _CODE, required=True),
                _f("name", _TEXT, required=True),
                _f("network-class", _CODE, required=True),
                _f("mlps-max", _LEVEL, required=True),
                _f("address-range", Prose(max_length=18), required=True),
                _f("segment-prefix", Whole(minimum=8, maximum=29)),
                key="code",
            ),
        ),
        _f(
            "pools",
            _many(
                _f("code", _CODE, required=True),
                _f("name", _TEXT, required=True),
                _f("zone", _CODE, required=True),
                _f("driver", _CODE, required=True),
                _f("mlps-max", _LEVEL, required=True),
                _f("overcommit", _OVERCOMMITS),
                key="code",
            ),
        ),
        _f(
            "hosts",
            _many(
                _f("name", Name(max_length=63, example="rack3-07"), required=True),
                _f("pool", _CODE, required=True),
                _f("connection", Prose(max_length=200), required=True),
                *(_f(name, _TEXT) for name in ("site", "room", "rack", "vendor", "owner")),
                _f("warranty", Day()),
                _f("reserved", _CPU_AND_MEMORY),
                _f("capacity", _CPU_AND_MEMORY),
                _f("overcommit", _OVERCOMMITS),
                _f(
                    "storage",
                    _many(
                        _f("name", Name(max_length=63, example="allotment"), required=True),
                        _f("class", _CLASS, required=True),
                        _f("path", _PATH),
                        _f("overcommit", _OVERCOMMIT),
                        key="name",
                    ),
                ),
                key="name",
            ),
        ),
        _f(
            "sizes",
            _many(
                _f("name", _CODE, required=True),
                _f("vcpu", Whole(minimum=1, maximum=512, suffixes=("核",)), required=True),
                _f("memory", Amount(minimum=64, maximum=16 * 1024 * 1024, unit="MiB"), required=True),
                _f("root-disk", Amount(minimum=1, maximum=16_384, unit="GiB"), required=True),
                key="name",
            ),
        ),
        _f(
            "images",
            _many(
                _f(
                    "name",
                    Prose(max_length=80, pattern=r"[a-z0-9][a-z0-9._-]{0,78}[a-z0-9]", example="debian-12"),
                    required=True,
                ),
                _f("title", _TEXT),
                _f("arch", _ARCH, required=True),
                _f("file", _PATH),
                _f("url", Prose(max_length=1000)),
                _f("sha256", Prose(max_length=64, pattern=r"[0-9a-f]{64}", example="e3b0c442…（64 位十六进制）")),
                _f("kernel", _PATH),
                _f("initrd", _PATH),
                _f("kernel-arguments", Prose(max_length=500)),
                key="name",
            ),
        ),
        _f(
            "quotas",
            _many(
                _f("department", _CODE),
                _f("project", Prose(max_length=64)),
                _f("vcpu", _QuotaLimit(unit="")),
                _f("memory", _QuotaLimit(unit="MiB")),
                _f("disk", _QuotaLimit(unit="GiB")),
                _f("instances", _QuotaLimit(unit="")),
                _f("volumes", _QuotaLimit(unit="")),
                _f("addresses", _QuotaLimit(unit="")),
            ),
        ),
        _f(
            "prices",
            _many(
                _f("meter", Prose(max_length=60), required=True),
                _f("unit", Prose(max_length=40), required=True),
                _f("price", Decimal(places=6), required=True),
                _f("valid-from", Day(), required=True),
            ),
        ),
    ]
)
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
    values = _SITE.read(document.root, "", reading) or {}
    if reading.problems:
        # References cannot be judged while some of what they may point to could not be read.
        raise refuse(reading.problems)
    checks = _Checks(values, known or {}, reading)
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


_DEFAULT_SEGMENT_PREFIX = 26


@dataclass(slots=True)
class _Checks:
    """What fields alone cannot tell: references, sums and overlaps."""

    values: Mapping[str, Any]
    known: Mapping[str, Collection[str]]
    reading: Reading

    def run(self) -> None:
        """Check everything."""
        self._references("departments", "parent", "department")
        self._references("projects", "department", "department")
        self._references("pools", "zone", "zone")
        self._references("hosts", "pool", "pool")
        self._references("quotas", "department", "department")
        self._references("quotas", "project", "project")
        self._tree()
        self._zones()
        self._pools()
        self._hosts()
        self._images()
        self._quotas()
        self._prices()

    def _items(self, section: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        return ((f"{section}.{index}", item) for index, item in enumerate(self.values.get(section, [])))

    def _fail(self, code: str, path: str, /, **params: Any) -> None:
        places = self.reading.places
        self.reading.fail(code, places.get(path) or places.get(path.rpartition(".")[0]), field=path, **params)

    def _references(self, section: str, name: str, kind: str) -> None:
        offered = {item["code"] for _, item in self._items(f"{kind}s")} | set(self.known.get(kind, ()))
        for path, item in self._items(section):
            written = item.get(name)
            if written is not None and written not in offered:
                suggestion, shown = nearest_first(written, sorted(offered))
                self._fail(
                    "site.unknown_reference",
                    f"{path}.{name}",
                    kind=kind,
                    written=excerpt(written),
                    suggestion=suggestion,
                    offered=shown,
                )

    def _tree(self) -> None:
        parents = {item["code"]: item.get("parent") for _, item in self._items("departments")}
        for path, item in self._items("departments"):
            seen = {item["code"]}
            above = item.get("parent")
            while above is not None and above not in seen:
                seen.add(above)
                above = parents.get(above)
            if above == item["code"]:
                self._fail("site.department_cycle", f"{path}.parent", code=item["code"])

    def _zones(self) -> None:
        taken: list[tuple[str, IPv4Network]] = []
        for path, item in self._items("zones"):
            network = _private_network(item["address-range"])
            if network is None:
                self._fail("site.bad_address_range", f"{path}.address-range", written=excerpt(item["address-range"]))
                continue
            prefix = item.get("segment-prefix", _DEFAULT_SEGMENT_PREFIX)
            if prefix < network.prefixlen:
                self._fail("site.segment_too_large", f"{path}.segment-prefix", prefix=prefix, range=str(network))
            for other, taken_network in taken:
                if network.overlaps(taken_network):
                    self._fail("site.ranges_overlap", f"{path}.address-range", zone=item["code"], other=other)
            taken.append((item["code"], network))

    def _pools(self) -> None:
        highest = {item["code"]: item["mlps-max"] for _, item in self._items("zones")}
        for path, item in self._items("pools"):
            limit = highest.get(item["zone"])
            if limit is not None and item["mlps-max"] > limit:
                self._fail("site.pool_above_zone", f"{path}.mlps-max", level=item["mlps-max"], maximum=limit, zone=item["zone"])

    def _hosts(self) -> None:
        for path, item in self._items("hosts"):
            if not _is_connection(item["connection"]):
                self._fail("site.bad_connection", f"{path}.connection", written=_without_login(item["connection"]))

    def _images(self) -> None:
        for path, item in self._items("images"):
            if ("file" in item) == ("url" in item):
                self._fail("site.image_source", path, name=item["name"])
            elif "url" in item:
                self._check_url(path, item)

    def _check_url(self, path: str, item: Mapping[str, Any]) -> None:
        parts = _split(item["url"])
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            self._fail("site.bad_url", f"{path}.url", name=item["name"])
        if "sha256" not in item:
            self._fail("site.image_hash_missing", path, name=item["name"])

    def _quotas(self) -> None:
        seen: set[tuple[str | None, str | None]] = set()
        for path, item in self._items("quotas"):
            scope = item.get("department"), item.get("project")
            if (scope[0] is None) == (scope[1] is None):
                self._fail("site.quota_scope", path)
            elif scope in seen:
                self._fail("site.quota_twice", path, scope=scope[0] or scope[1])
            seen.add(scope)

    def _prices(self) -> None:
        seen: set[tuple[str, date]] = set()
        for path, item in self._items("prices"):
            meter, unit = item["meter"], _unit_of(item["meter"])
            if unit is None:
                self._fail("site.unknown_meter", f"{path}.meter", written=excerpt(meter))
            elif item["unit"] != unit:
                self._fail("site.wrong_unit", f"{path}.unit", meter=meter, written=excerpt(item["unit"]), unit=unit)
            if (meter, item["valid-from"]) in seen:
                self._fail("site.price_twice", f"{path}.valid-from", meter=meter, date=item["valid-from"].isoformat())
            seen.add((meter, item["valid-from"]))


def _unit_of(meter: str) -> str | None:
    if meter.startswith(_DISK_METER) and re.fullmatch(_CLASS.pattern(), meter.removeprefix(_DISK_METER)):
        return "GiB-hour"
    return _UNIT_OF_METER.get(meter)


def _private_network(text: str) -> IPv4Network | None:
    try:
        network = ip_network(text)
    except ValueError:
        return None
    return network if isinstance(network, IPv4Network) and network.is_private and network.prefixlen <= 28 else None


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _is_connection(text: str) -> bool:
    """Tell whether it names a way to reach a host that is encrypted or local, and holds no password."""
    parts = _split(text)
    return parts is not None and parts.scheme in _CONNECTION_SCHEMES and not parts.password and " " not in text


def _without_login(text: str) -> str:
    return excerpt(re.sub(r"//[^/@]*@", "//…@", text))


def _parents_first(items: Sequence[Mapping[str, Any]]) -> tuple[SiteDepartment, ...]:
    waiting = [SiteDepartment(code=d["code"], name=d["name"], parent=d.get("parent", "")) for d in items]
    inside = {d.code for d in waiting}
    ordered: list[SiteDepartment] = []
    while waiting:
        placed = {d.code for d in ordered}
        ready = [d for d in waiting if d.parent in placed or d.parent not in inside]
        assert ready, "cycles were refused"
        ordered += ready
        waiting = [d for d in waiting if d not in ready]
    return tuple(ordered)


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
        segment_prefix=z.get("segment-prefix", _DEFAULT_SEGMENT_PREFIX),
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
    )


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
        **{name: h.get(name, "") for name in ("site", "room", "rack", "vendor", "owner")},
    )


def _storage(s: Mapping[str, Any]) -> SiteStorage:
    overcommit = s.get("overcommit", 1000)
    return SiteStorage(name=s["name"], disk_class=s["class"], path=s.get("path", ""), overcommit_permille=overcommit)


def _size(s: Mapping[str, Any]) -> SiteSize:
    return SiteSize(name=s["name"], vcpu_count=s["vcpu"], memory_mib=s["memory"], root_disk_gib=s["root-disk"])


def _image(i: Mapping[str, Any]) -> SiteImage:
    rest = {name: i.get(name, "") for name in ("title", "file", "url", "sha256", "kernel", "initrd")}
    return SiteImage(name=i["name"], arch=i["arch"], kernel_arguments=i.get("kernel-arguments", ""), **rest)


def _quota(q: Mapping[str, Any]) -> SiteQuota:
    kind = "department" if "department" in q else "project"
    limits = {dimension: q[key] for key, dimension in _QUOTA_DIMENSIONS.items() if key in q}
    return SiteQuota(scope_kind=kind, scope_code=q[kind], limits=limits)


def _price(p: Mapping[str, Any]) -> SitePrice:
    return SitePrice(meter=p["meter"], micro_yuan_per_unit_hour=p["price"], valid_from=p["valid-from"])
