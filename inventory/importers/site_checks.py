"""What the fields of a site document cannot tell one by one: references, sums and overlaps."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Network, ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

from inventory.domain.layout import Layout, cpus_text, read_cpus
from inventory.importers.amounts import nearest_first
from inventory.importers.document import excerpt
from inventory.importers.shapes import Reading
from inventory.importers.site_fields import DISK_CLASS, PAGE_SIZES_KIB

DEFAULT_SEGMENT_PREFIX = 26
_UNIT_OF_METER = {"vcpu": "vcpu-hour", "memory_gib": "GiB-hour", "address": "address-hour"}
_DISK_METER = "disk_gib:"
_CONNECTION_SCHEMES = frozenset({"qemu", "qemu+ssh", "qemu+tls", "qemu+unix", "test", "simulated"})


@dataclass(slots=True)
class SiteChecks:
    """The checks of one document, against itself and what is known already; problems go to ``reading``."""

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
        self._sizes()
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
            prefix = item.get("segment-prefix", DEFAULT_SEGMENT_PREFIX)
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
            self._processors(path, item)

    def _processors(self, path: str, item: Mapping[str, Any]) -> None:
        """Check that both sets can be read and share no processor."""
        sets: dict[str, frozenset[int]] = {}
        for name in ("dedicated-cpus", "shared-cpus"):
            try:
                sets[name] = read_cpus(item.get(name, "").replace(" ", ""))
            except ValueError:
                self._fail("site.bad_cpus", f"{path}.{name}", written=excerpt(item[name]))
        both = frozenset.intersection(*sets.values()) if len(sets) == 2 else frozenset()
        if both:
            self._fail("site.cpus_overlap", f"{path}.shared-cpus", host=item["name"], cpus=cpus_text(both))

    def _sizes(self) -> None:
        for path, item in self._items("sizes"):
            layout = layout_of(item)
            misfit = layout.misfit(item["vcpu"], item["memory"])
            if misfit:
                what = {"vcpu": "vcpu", "memory": "memory", "pages": "huge-pages"}[misfit]
                self._fail("site.size_not_even", f"{path}.{what}", size=item["name"], nodes=layout.node_count, what=what)

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


def layout_of(item: Mapping[str, Any]) -> Layout:
    """Return what a size asks of cells."""
    return Layout.of(
        is_dedicated=item.get("cpus") == "dedicated",
        page_kib=PAGE_SIZES_KIB.get(item.get("huge-pages", ""), 0),
        node_count=item.get("numa-nodes", 0),
    )


def _unit_of(meter: str) -> str | None:
    if meter.startswith(_DISK_METER) and re.fullmatch(DISK_CLASS.pattern(), meter.removeprefix(_DISK_METER)):
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
