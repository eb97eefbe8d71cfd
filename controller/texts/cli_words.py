"""Words of the command line for dimensions and for the parts of a score."""

from controller.texts.text import Text


def words(prefix: str, table: dict[str, tuple[str, str]]) -> dict[str, Text]:
    """Return the texts of one prefix: Chinese and English by name."""
    return {f"{prefix}.{name}": Text(zh=zh, en=en) for name, (zh, en) in table.items()}


_DIMENSIONS = words(
    "cli.dimension",
    {
        "vcpu": ("vCPU", "vCPU"),
        "pcpu": ("专用处理器", "dedicated processors"),
        "seat": ("处理器与内存位置", "processors and memory of NUMA cells"),
        "address_blocks": ("区域的空闲地址块", "free address blocks of the zone"),
        "huge_mib": ("大页内存 MiB（页 KiB）", "memory MiB in huge pages of KiB"),
        "memory_mib": ("内存 MiB", "memory MiB"),
        "disk_gib": ("磁盘 GiB", "disk GiB"),
        "instances": ("云主机数", "machines"),
        "volumes": ("数据盘数", "disks"),
        "addresses": ("地址数", "addresses"),
        "address": ("地址", "addresses"),
    },
)

_WEIGHERS = words(
    "cli.weigher",
    {
        "pack": ("填满", "pack"),
        "spread_load": ("分摊", "spread load"),
        "balance": ("均衡", "balance"),
        "even_out": ("均衡利用", "even out"),
        "keep_usable": ("保留可用余量", "keep usable room"),
        "keep_large": ("保留大规格空位", "keep room for large"),
        "keep_empty": ("保留空闲主机", "keep empty hosts"),
        "soft_spread": ("软分散", "soft spread"),
        "storage": ("存储", "storage"),
        "keep_accelerators": ("保留加速卡", "keep accelerators"),
    },
)

#: Titles of what ``describe`` shows beside what lists show.
_DETAILS = words(
    "cli.column",
    {
        "capacity_override": ("容量改写", "capacity override"),
        "contact": ("联系人", "contact"),
        "hypervisor": ("虚拟化软件", "hypervisor"),
        "image": ("镜像", "image"),
        "service_versions": ("服务版本", "service versions"),
        "lacks": ("不具备", "lacks"),
        "sizes_made": ("仅有规格", "sizes it makes"),
        "machine_types": ("机器类型", "machine types"),
        "node_count": ("NUMA 节点数", "NUMA nodes"),
        "open": ("可用", "open"),
        "overcommit": ("超分", "overcommit"),
        "page_kib": ("大页 KiB", "huge pages KiB"),
        "parent": ("上级部门", "above it"),
        "segment_prefix": ("网段长度", "segments"),
        "size_bytes": ("字节", "bytes"),
        "storage": ("存储池", "storage pools"),
        "topology": ("CPU 拓扑", "CPU topology"),
    },
)

_SAID: dict[str, Text] = {
    "cli.say.topology": Text(
        "{sockets} 路 × {cores} 核 × {threads} 线程，{numa_nodes} 个 NUMA 节点，{cpu_model}",
        "{sockets} sockets × {cores} cores × {threads} threads, {numa_nodes} NUMA nodes, {cpu_model}",
    ),
    "cli.say.storage": Text(
        "{name}（{path}）共 {capacity_gib} GiB，可用 {available_gib} GiB",
        "{name} ({path}) {capacity_gib} GiB, {available_gib} GiB available",
    ),
}

_PLACES: dict[str, Text] = {
    "cli.plan.place": Text("  {host}：{members}", "  {host}: {members}"),
    "cli.explain.elsewhere": Text(
        "{members} 放在主机 {host}：与 {first} 相同的云主机，按同样的规则依次放置。下面是 {first} 的说明。",
        "{members}: on host {host}; they are like {first} and were placed by the same rules, in turn. Below is why for {first}.",
    ),
    "cli.explain.moved": Text("{name} 后来迁移过，现在在主机 {host}。", "{name} was moved since: it is on host {host} now."),
}

TEXTS: dict[str, Text] = _DIMENSIONS | _WEIGHERS | _DETAILS | _SAID | _PLACES
