"""Texts of placement: errors of a request or a policy, why hosts fell, and what would fit instead."""

from controller.texts.text import Actor, Text


def _numa(processors_zh: str, memory_zh: str, processors_en: str, memory_en: str) -> Text:
    """Return why the cells of a host do not take a machine."""
    return Text(
        zh="主机 {host} 的 NUMA 单元放不下：需要 {nodes} 个单元，"
        f"每个有 {{vcpu}} 个{processors_zh}和 {{memory_mib}} MiB {memory_zh}；"
        "该主机 {cells} 个单元中有 {fitting} 个放得下一份。",
        en=f"The NUMA cells of host {{host}} do not take it: {{nodes}} are asked for, each with {{vcpu}} {processors_en} and "
        f"{{memory_mib}} {memory_en}; {{fitting}} of its {{cells}} cells would take one.",
    )


TEXTS: dict[str, Text] = {
    # Errors
    "placement.no_host_fits": Text(
        zh="没有主机能够满足这次申请，未占用任何资源。",
        en="No host fits this request; nothing was claimed.",
        cure_zh="按说明中的建议修改申请（规格、数量、区域或分散规则），或请平台运维人员增加容量。",
        cure_en="Change the ticket as the explanation suggests (size, count, zone or spread), or ask the operator for capacity.",
        actor=Actor.DEPARTMENT,
    ),
    "placement.too_many_members": Text(
        zh="一次申请 {count} 台云主机，超过上限 {highest} 台。",
        en="{count} machines in one request; at most {highest} are placed at once.",
        cure_zh="请分成多个工单提交。",
        cure_en="Split it into several tickets.",
        actor=Actor.DEPARTMENT,
    ),
    "placement.member_twice": Text(
        zh="云主机名称“{name}”重复。",
        en="The machine name “{name}” is used twice.",
        cure_zh="同一系统内每台云主机使用不同的名称。",
        cure_en="Give every machine of a system its own name.",
        actor=Actor.DEPARTMENT,
    ),
    "placement.rule_twice": Text(
        zh="组“{name}”有两条分散规则。",
        en="The group “{name}” has two spread rules.",
        cure_zh="每个组只保留一条分散规则。",
        cure_en="Keep one spread rule per group.",
        actor=Actor.DEPARTMENT,
    ),
    "placement.max_per_domain_too_small": Text(
        zh="组“{group}”的分散规则允许每个故障域 {count} 台云主机，至少应为 1 台。",
        en="The spread rule of group “{group}” allows {count} machines per failure domain; it must allow at least one.",
        cure_zh="把每个故障域的上限改为 1 或更大。",
        cure_en="Allow one machine per failure domain or more.",
        actor=Actor.DEPARTMENT,
    ),
    "placement.amount_negative": Text(
        zh="云主机“{member}”申请的 {dimension} 为负数（{amount}）。",
        en="Machine “{member}” asks for a negative amount of {dimension} ({amount}).",
        cure_zh="请填写不小于零的数量。",
        cure_en="Ask for zero or more.",
        actor=Actor.DEPARTMENT,
    ),
    "placement.disk_in_compute": Text(
        zh="云主机“{member}”把磁盘容量 {dimension} 写在计算规格里。",
        en="Machine “{member}” asks for disk ({dimension}) as part of its compute size.",
        cure_zh="请把磁盘逐块列在磁盘清单中。",
        cure_en="List each disk among the disks.",
        actor=Actor.DEPARTMENT,
    ),
    "placement.disk_size_not_positive": Text(
        zh="云主机“{member}”的 {disk_class} 磁盘大小为 {size_gib} GiB，必须大于零。",
        en="A {disk_class} disk of machine “{member}” has {size_gib} GiB; it must have more than zero.",
        cure_zh="请填写大于零的磁盘大小。",
        cure_en="Ask for at least 1 GiB.",
        actor=Actor.DEPARTMENT,
    ),
    "placement.policy_unknown": Text(
        zh="没有名为“{name}”的放置策略，可用：{known}。",
        en="There is no placement policy “{name}”; known: {known}.",
        cure_zh="在放置策略文件中使用已有的策略名称，或补充该策略。",
        cure_en="Use a policy of the placement file, or add this one to it.",
        actor=Actor.OPERATOR,
    ),
    "placement.policy_malformed": Text(
        zh="放置策略文件格式不正确：{detail}。",
        en="The placement policy file is malformed: {detail}.",
        cure_zh="文件须包含 version（整数）、default 和 policies（策略名: 权重名: 整数）。",
        cure_en="It needs version (a whole number), default, and policies (policy: weight: whole number).",
        actor=Actor.OPERATOR,
    ),
    "placement.weight_unknown": Text(
        zh="放置策略“{policy}”中的权重“{weight}”不存在，可用：{known}。",
        en="Placement policy “{policy}” names the unknown weight “{weight}”; known: {known}.",
        cure_zh="请更正权重名称。",
        cure_en="Correct the name of the weight.",
        actor=Actor.OPERATOR,
    ),
    "placement.weight_out_of_range": Text(
        zh="放置策略“{policy}”的权重 {weight} 为 {value}，必须是 0 到 {highest} 的整数。",
        en="Weight {weight} of placement policy “{policy}” is {value}; it must be a whole number from 0 to {highest}.",
        cure_zh="请填写 0 到 {highest} 的整数。",
        cure_en="Use a whole number from 0 to {highest}.",
        actor=Actor.OPERATOR,
    ),
    # Names of the filters, for the table of hosts left
    "placement.filter.state": Text(zh="主机状态", en="host state"),
    "placement.filter.zone": Text(zh="区域", en="zone"),
    "placement.filter.mlps": Text(zh="等保级别", en="MLPS level"),
    "placement.filter.arch": Text(zh="处理器架构", en="architecture"),
    "placement.filter.traits": Text(zh="主机特性", en="traits"),
    "placement.filter.pinned": Text(zh="固定主机", en="pinned host"),
    "placement.filter.network_reach": Text(zh="网络可达", en="network reach"),
    "placement.filter.capacity": Text(zh="计算容量", en="capacity"),
    "placement.filter.storage": Text(zh="存储容量", en="storage"),
    "placement.filter.numa": Text(zh="NUMA 布局", en="NUMA fit"),
    "placement.filter.addresses": Text(zh="网络地址", en="addresses"),
    "placement.filter.spread": Text(zh="分散与集中规则", en="spread and affinity"),
    "placement.filter.reserve": Text(zh="故障备用", en="failure reserve"),
    # Why a host fell
    "placement.miss.state": Text(
        zh="主机 {host} 不接收新云主机：管理状态 {admin_state}，可达状态 {reachability}。",
        en="Host {host} takes no new machines: it is {admin_state} and {reachability}.",
    ),
    "placement.miss.zone": Text(
        zh="主机 {host} 在区域 {zone}，申请的是 {asked}。", en="Host {host} stands in zone {zone}; {asked} was asked for."
    ),
    "placement.miss.mlps": Text(
        zh="主机 {host} 最高承载等保 {highest} 级，申请的是 {asked} 级。",
        en="Host {host} carries systems up to MLPS level {highest}; level {asked} was asked for.",
    ),
    "placement.miss.arch": Text(
        zh="主机 {host} 的架构是 {arch}，申请的是 {asked}。", en="Host {host} is {arch}; {asked} was asked for."
    ),
    "placement.miss.traits": Text(
        zh="主机 {host} 不合适：需要特性 {asked}，该主机缺少 {missing}。",
        en="Host {host} is out: {asked} is asked for, and it lacks {missing}.",
    ),
    "placement.miss.pinned": Text(
        zh="主机 {host} 不合适：云主机必须留在 {pinned}。", en="Host {host} is out: the machine must stay on {pinned}."
    ),
    "placement.miss.network_reach": Text(
        zh="主机 {host} 不合适：所用网络位于主机 {network_host}，同一网络的云主机须在该主机或与其网络互通的主机上。",
        en="Host {host} is out: its networks live on {network_host}, and machines of one network stay on it or on hosts it "
        "shares a fabric with.",
    ),
    "placement.miss.network_reach_spread": Text(
        zh="主机 {host} 不合适：组“{group}”要求强制分散，但组内云主机共用网络，而该区域的网络不能跨主机。",
        en="Host {host} is out: group “{group}” must be spread, but its machines share a network, which stays on one host here.",
    ),
    "placement.miss.capacity": Text(
        zh="主机 {host} 的 {dimension} 不足：需要 {asked}，剩余 {free}"
        "（总量 {capacity}，本工单其他云主机已占 {taken}，预留 {held}）。",
        en="Host {host} is short of {dimension}: {asked} asked, {free} free "
        "(of {capacity}; {taken} taken by machines of this ticket, {held} held).",
    ),
    "placement.miss.storage": Text(
        zh="主机 {host} 的 {disk_class} 存储不足：最大一块盘 {asked} GiB（共 {asked_together} GiB），"
        "最空的存储池剩余 {free} GiB（共 {free_together} GiB，本工单其他云主机已占 {taken} GiB，预留 {held} GiB）。",
        en="Host {host} is short of {disk_class} storage: the largest disk needs {asked} GiB ({asked_together} together), "
        "its roomiest pool has {free} GiB ({free_together} together; {taken} taken by machines of this ticket, {held} held).",
    ),
    "placement.miss.numa": _numa("共享处理器", "内存", "shared processors", "MiB of memory"),
    "placement.miss.numa_dedicated": _numa("专用处理器", "内存", "processors of its own", "MiB of memory"),
    "placement.miss.numa_huge": _numa("共享处理器", "{page_kib} KiB 大页", "shared processors", "MiB in pages of {page_kib} KiB"),
    "placement.miss.numa_dedicated_huge": _numa(
        "专用处理器", "{page_kib} KiB 大页", "processors of its own", "MiB in pages of {page_kib} KiB"
    ),
    "placement.miss.addresses": Text(
        zh="主机 {host} 上网络“{network}”的地址不足：需要 {asked} 个，剩余 {free} 个。",
        en="On host {host} the network “{network}” is short of addresses: {asked} asked, {free} free.",
    ),
    "placement.miss.addresses_range": Text(
        zh="主机 {host} 上还没有网络“{network}”的网段，而区域 {zone} 的地址段中空闲子网不足：需要 {asked} 个，剩余 {free} 个。",
        en="Host {host} has no segment of the network “{network}” yet, and the address range of zone {zone} is short of free "
        "subnets: {asked} asked, {free} free.",
    ),
    "placement.miss.spread": Text(
        zh="主机 {host} 不合适：组“{group}”须按 {level} 分散，每处至多 {most} 台，{domain} 已有该组 {mates} 台云主机。",
        en="Host {host} is out: group “{group}” is spread by {level}, at most {most} in each, and {domain} has {mates} already.",
    ),
    "placement.miss.affinity": Text(
        zh="主机 {host} 不合适：组“{group}”须集中在同一个 {level}，而该组的云主机不在 {domain}。",
        en="Host {host} is out: group “{group}” stays together in one {level}, and its machines are not in {domain}.",
    ),
    "placement.miss.reserve": Text(
        zh="主机 {host} 不合适：由于备用主机的位置，放在 {domain} 的云主机在故障转移后会违反按 {level} 的分组规则。",
        en="Host {host} is out: with the stand-by hosts where they are, machines in {domain} would break the rule by {level} "
        "after a failure.",
    ),
    # What would fit instead
    "placement.suggest.smaller": Text(
        zh="组“{group}”每台云主机的 {dimension} 由 {asked} 降到 {fits} 即可放下。",
        en="It fits if each machine of “{group}” has {fits} instead of {asked} {dimension}.",
    ),
    "placement.suggest.split": Text(
        zh="组“{group}”改为 {count} 台、每台 {vcpu} vCPU 和 {memory_mib} MiB 内存（原为 {asked} 台两倍大的）即可放下。",
        en="It fits as {count} machines of “{group}” with {vcpu} vCPU and {memory_mib} MiB each instead of {asked} twice as "
        "large.",
    ),
    "placement.suggest.later": Text(
        zh="{date} 起，{departments} 的预留结束后即可放下。",
        en="It fits from {date} on, when the reservation of {departments} ends.",
    ),
    "placement.suggest.draw": Text(
        zh="使用本项目的预留“{reservation}”即可放下（project.reservation）。",
        en="It fits with the project's reservation “{reservation}” (project.reservation).",
    ),
    "placement.suggest.shape": Text(
        zh="组“{group}”每台云主机改为 {vcpu} vCPU、{memory_mib} MiB 内存即可放下。",
        en="It fits if each machine of “{group}” has {vcpu} vCPU and {memory_mib} MiB of memory.",
    ),
    "placement.suggest.smaller_disk": Text(
        zh="组“{group}”的 {disk_class} 磁盘由 {asked} GiB 降到 {fits} GiB 即可放下。",
        en="It fits if the {disk_class} disks of “{group}” have {fits} GiB instead of {asked}.",
    ),
    "placement.suggest.fewer": Text(
        zh="组“{group}”由 {asked} 台减为 {fits} 台即可放下。",
        en="It fits with {fits} instead of {asked} machines in “{group}”.",
    ),
    "placement.suggest.soft_spread": Text(
        zh="把组“{group}”的强制分散改为尽量分散即可放下。",
        en="It fits if the spread of “{group}” is soft instead of hard.",
    ),
    "placement.suggest.separate_networks": Text(
        zh="组“{group}”的云主机不共用网络即可放下。",
        en="It fits if the machines of “{group}” share no network.",
    ),
    "placement.suggest.other_network": Text(
        zh="组“{group}”的云主机不用网络“{network}”、换一个网络名即可放下（不同网络之间不互通）。",
        en="It fits if the machines of “{group}” name another network instead of “{network}” (networks do not reach each other).",
    ),
    "placement.suggest.wider_range": Text(
        zh="请平台运维人员扩大区域 {zone} 的 address-range（或释放不用的系统）即可放下。",
        en="It fits once the operator widens the address-range of zone {zone}, or systems that are not used are released.",
    ),
    "placement.suggest.without_pin": Text(
        zh="请平台运维人员先把云主机“{member}”（连同与它共用网络的云主机）迁移到其他主机，再提交申请即可放下。",
        en="It fits once the operator has moved machine “{member}”, with those it shares a network with, to another host: ask "
        "for that, then hand the ticket in again.",
    ),
    "placement.suggest.other_zone": Text(
        zh="改到区域 {zone} 即可放下。",
        en="It fits in zone {zone}.",
    ),
}
