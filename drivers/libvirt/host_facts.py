"""What a host is, read from libvirt's capabilities. Pure, except for ``read_host``, which asks."""

from dataclasses import replace
from typing import Any

import libvirt

from drivers.libvirt.xml_tree import Element, attribute, parse
from inventory.domain.host import HostFacts, StorageFacts
from inventory.domain.layout import Cell, read_cpus


def arch_of(capabilities: str) -> str:
    """Return the architecture of the host."""
    return parse(capabilities).findtext("./host/cpu/arch", "")


def machine_types(capabilities: str, arch: str) -> tuple[str, ...]:
    """Return the machine types offered to guests of ``arch``."""
    root = parse(capabilities)
    found = {m.text or "" for g in root.iterfind("./guest/arch") if g.get("name") == arch for m in g.iter("machine")}
    return tuple(sorted(found))


def memory_mib(connection: Any, *, is_test: bool) -> int:
    """Return the host's memory. The statistics count memory that was added while the host ran; ``getInfo`` does not."""
    if is_test:
        return int(connection.getInfo()[1])
    return int(connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)["total"]) // 1024


def dotted(version: int) -> str:
    """Return libvirt's number of a version as people write it."""
    return f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}"


def read_host(connection: Any, virtualisation: str, storage: tuple[StorageFacts, ...], *, is_test: bool) -> HostFacts:
    """Return the facts of the host behind ``connection``."""
    capabilities = connection.getCapabilities()
    root = parse(capabilities)
    _model, _memory, cpu_count, _mhz, numa_nodes, sockets, cores, threads = connection.getInfo()
    arch = arch_of(capabilities)
    total_mib = memory_mib(connection, is_test=is_test)
    return HostFacts(
        hostname=connection.getHostname(),
        arch=arch,
        virtualisation=virtualisation,
        cpu_count=cpu_count,
        memory_mib=total_mib,
        # libvirt counts sockets per NUMA node.
        sockets=sockets * numa_nodes,
        cores=cores,
        threads=threads,
        numa_nodes=numa_nodes,
        cpu_model=_cpu_model(root),
        machine_types=machine_types(capabilities, arch),
        driver_version="libvirt " + dotted(connection.getLibVersion()),
        hypervisor_version=f"{connection.getType()} {dotted(connection.getVersion())}",
        storage=storage,
        cells=_grown(connection, read_cells(root), total_mib, is_test=is_test),
    )


def _grown(connection: Any, cells: tuple[Cell, ...], total_mib: int, *, is_test: bool) -> tuple[Cell, ...]:
    """Return cells with the memory they have now: the capabilities do not count what was added while the host ran."""
    if is_test:
        return cells
    if len(cells) == 1:
        return (replace(cells[0], memory_mib=total_mib),)
    return tuple(replace(c, memory_mib=int(connection.getMemoryStats(c.id)["total"]) // 1024) for c in cells)


def read_cells(root: Element) -> tuple[Cell, ...]:
    """Return the NUMA cells: memory, pools of huge pages, and processors by core."""
    return tuple(_cell(cell) for cell in root.iterfind("./host/topology/cells/cell"))


def _cell(cell: Element) -> Cell:
    kib = int(cell.findtext("memory", "0"))
    pages = {int(p.get("size", "0")): int(p.text or 0) for p in cell.iterfind("pages")}
    # The smallest pages are ordinary memory.
    huge = {size: count for size, count in pages.items() if count and size != min(pages)}
    cores = {frozenset(read_cpus(c.get("siblings") or c.get("id", ""))) for c in cell.iterfind("./cpus/cpu")}
    return Cell(
        id=int(cell.get("id", "0")),
        memory_mib=kib // 1024,
        cores=" ".join(",".join(map(str, sorted(core))) for core in sorted(cores, key=min)),
        huge_mib=tuple(sorted((size, size * count // 1024) for size, count in huge.items())),
    )


def _cpu_model(root: Element) -> str:
    words = (
        attribute(root, "./host/cpu/vendor", "name"),
        root.findtext("./host/cpu/vendor", ""),
        root.findtext("./host/cpu/model", ""),
    )
    return " ".join(w for w in words if w)
