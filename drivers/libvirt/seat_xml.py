"""Where a machine lies on the cells of its host, as libvirt XML and back: pinned processors, memory of cells, huge pages. Pure.

Source: libvirt, "Domain XML format": CPU tuning, NUMA node tuning, memory backing, guest NUMA topology.
"""

from drivers.libvirt.xml_tree import Element, add, kib
from inventory.domain.layout import Seat, cpus_text, read_cpus, seat_text


def add_seat(root: Element, seat: Seat) -> None:
    """Add what binds a machine to its cells."""
    if seat.page_kib:
        add(add(add(root, "memoryBacking"), "hugepages"), "page", size=seat.page_kib, unit="KiB")
    tune = add(root, "cputune")
    cpu_sets = [cpu_set for node in seat.nodes for cpu_set in node.cpu_sets()]
    for vcpu, cpu_set in enumerate(cpu_sets):
        add(tune, "vcpupin", vcpu=vcpu, cpuset=cpu_set)
    # What QEMU does beside the guest (disks, screen, monitor) stays on the same processors: others' are not to be disturbed.
    add(tune, "emulatorpin", cpuset=cpus_text(cpu for text in cpu_sets for cpu in read_cpus(text)))
    memory = add(root, "numatune")
    # Huge pages were counted cell by cell. Ordinary memory is used by machines without a cell too: a page of another cell is
    # better than none.
    mode = "strict" if seat.page_kib else "preferred"
    for guest_cell, node in enumerate(seat.nodes):
        add(memory, "memnode", cellid=guest_cell, mode=mode, nodeset=node.cell)


def add_guest_nodes(cpu: Element, seat: Seat) -> None:
    """Add the nodes a guest sees."""
    numa, first = add(cpu, "numa"), 0
    for guest_cell, node in enumerate(seat.nodes):
        cpus = cpus_text(range(first, first + node.vcpu_count))
        add(numa, "cell", id=guest_cell, cpus=cpus, memory=node.memory_mib, unit="MiB")
        first += node.vcpu_count


def read_seat(root: Element) -> str:
    """Return where a machine lies in one line (``Seat.text``), empty where it may lie anywhere."""
    pins = {int(p.get("vcpu", "0")): cpus_text(read_cpus(p.get("cpuset", ""))) for p in root.iterfind("./cputune/vcpupin")}
    cells = {int(m.get("cellid", "0")): int(m.get("nodeset", "0")) for m in root.iterfind("./numatune/memnode")}
    if not pins and not cells:
        return ""
    page = root.find("./memoryBacking/hugepages/page")
    page_kib = 0 if page is None else kib(page, page.get("size", "0"))
    nodes = []
    for cell in root.iterfind("./cpu/numa/cell"):
        own = sorted(read_cpus(cell.get("cpus", "")))
        nodes.append((cells.get(int(cell.get("id", "0")), -1), [pins.get(vcpu, "") for vcpu in own]))
    return seat_text(page_kib, nodes)
