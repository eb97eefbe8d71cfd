"""Texts of what-if questions to the capacity."""

from controller.texts.text import Actor, Text


def _operator(zh: str, en: str, cure_zh: str, cure_en: str) -> Text:
    return Text(zh=zh, en=en, cure_zh=cure_zh, cure_en=cure_en, actor=Actor.OPERATOR)


TEXTS: dict[str, Text] = {
    "capacity.amount_invalid": _operator(
        "{dimension} 为 {amount}，至少为 {lowest}",
        "{amount} {dimension}: at least {lowest} is needed",
        "请填写规格名称，或不小于下限的数量",
        "name a size, or give amounts that are not below it",
    ),
    "capacity.hosts_missing": _operator(
        "没有写明哪些主机失效",
        "no host was named that is to fail",
        "写出一台或多台主机的名称",
        "name one host or several",
    ),
    "capacity.too_many_hosts": _operator(
        "一次最多假设 {highest} 台主机失效，写了 {count} 台",
        "at most {highest} hosts may fail in one question, not {count}",
        "请分批查询",
        "ask in several steps",
    ),
    "capacity.tickets_count": _operator(
        "需要 1 到 {highest} 份工单，收到 {count} 份",
        "1 to {highest} tickets are needed, not {count}",
        "请更正工单数量",
        "correct the list of tickets",
    ),
    "capacity.larger_than_shape": _operator(
        "区域 {zone} 的工单需要 {dimension}，这种主机没有",
        "tickets for zone {zone} ask for {dimension}, of which a host of this shape has none",
        "选择具备该资源的主机，或补充缺少的磁盘类别",
        "choose a host that has it, or add the class of disk that is missing",
    ),
    "capacity.rules_fit_no_number": _operator(
        "区域 {zone} 的工单用多少台这种主机都放不下：必须在一起的云主机（共用网络或规则要求）合起来大于一台主机，"
        "或与分散规则矛盾",
        "tickets for zone {zone} fit on no number of hosts of this shape: machines that must be together (they share a network, "
        "or a rule says so) are larger than one host, or a rule of spread contradicts that",
        "选择更大的主机，或检查分散规则与共用网络是否矛盾",
        "choose a larger host, or see whether spread and shared networks contradict",
    ),
    "capacity.machine_of_other_arch": _operator(
        "区域 {zone} 的云主机 {machine} 需要 {asked} 架构，这种主机是 {arch}",
        "machine {machine} for zone {zone} asks for the architecture {asked}, and a host of this shape is {arch}",
        "给出对应架构的主机（--arch），或更改该云主机的架构或镜像",
        "name hosts of that architecture (--arch), or change the architecture or the image of that machine",
    ),
    "capacity.machine_larger_than_shape": _operator(
        "区域 {zone} 的云主机 {machine} 需要 {dimension} {amount}，这种主机只有 {room}",
        "machine {machine} for zone {zone} asks for {amount} {dimension}, and a host of this shape has {room}",
        "选择更大的主机，或更改该云主机的工单",
        "choose a larger host, or change the ticket of that machine",
    ),
    "capacity.too_many_hosts_needed": _operator(
        "区域 {zone} 的工单至少需要 {lower_bound} 台这种主机；最多计算到 {highest} 台",
        "tickets for zone {zone} need {lower_bound} hosts of this shape or more; at most {highest} are reckoned with",
        "检查主机的数量单位（内存为 MiB，磁盘为 GiB），或选择更大的主机",
        "check the units of the host (MiB of memory, GiB of disk), or choose larger ones",
    ),
    "capacity.rules_need_no_reserve": _operator(
        "区域 {zone} 的工单有按机架（或机房、站点）的硬性规则，这样的机架中备用主机失效接管后无法保持",
        "tickets for zone {zone} have hard rules by rack, room or site that would not hold after a loss where hosts stand by in "
        "such racks",
        "以机架为备用单位（--survive rack:N），更改 --per-rack，或放宽规则",
        "let racks stand by (--survive rack:N), change --per-rack, or ease the rule",
    ),
    "capacity.addresses_short": _operator(
        "区域 {zone} 的地址不够这些工单使用：空闲地址块 {block_count} 个，每块 {segment_size} 台；每个部门网络在每台主机上占一块",
        "zone {zone} has too few addresses for these tickets: {block_count} free blocks of {segment_size} machines each, "
        "and a department's network takes one on each host",
        "扩大该区域的地址段或网段大小，或选择更大的主机",
        "widen the zone's range or its segments, or choose larger hosts",
    ),
    "cli.capacity.levels": Text("按区域和等保级别", "By zone and MLPS level"),
    "cli.capacity.of_network": Text(
        "网络地址按部门 {department} 的网络 {network} 计算。",
        "Addresses are those of network {network} of department {department}.",
    ),
    "cli.capacity.of_new_networks": Text(
        "未指定部门：网络地址按全部使用新网段计算（每个网段占用区域的一个空闲地址块）。",
        "No department was named: addresses are those of new segments, each of which takes a free block of its zone.",
    ),
    "cli.capacity.why_no_more": Text("{server} 再增加 {count} 台放不下：", "{count} more of {server} do not fit:"),
    "cli.capacity.no_trend": Text(
        "历史只有 {days} 天，至少需要 {least} 天才能判断趋势。", "Only {days} days of history; a trend needs {least}."
    ),
    "cli.capacity.all_placed": Text("{count} 台云主机全部可以放到其他主机。", "All {count} machines could be placed elsewhere."),
    "cli.capacity.not_placed": Text(
        "{count} 台云主机中有 {lost} 台无处可放。", "{lost} of {count} machines could be placed nowhere."
    ),
    "cli.capacity.reserved": Text("这些主机上的预留", "Reserved on these hosts"),
    "cli.capacity.not_held": Text(
        "预留 {reservation} 的 {count} 台中有 {left} 台不再有容量保留：",
        "Room for {left} of {count} machines of reservation {reservation} would be held no more:",
    ),
    "cli.host.all_anew": Text("{count} 台云主机全部在其他主机上重建。", "All {count} machines are made anew on other hosts."),
    "cli.host.some_left": Text(
        "{count} 台云主机中有 {lost} 台无处可放，仍记在失效主机上；有容量后可再次执行。",
        "{lost} of {count} machines found no place and stay in the books of the lost host; do it again when there is room.",
    ),
    "cli.capacity.empty": Text("这些主机上没有云主机。", "There is no machine on these hosts."),
    "cli.capacity.full_now": Text("已满", "full now"),
    "cli.capacity.never": Text("5 年内不会", "not within 5 years"),
}
