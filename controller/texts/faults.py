"""Texts of what a proof, a comparison or a look found: sentences of the books and of machines, told beside what found them."""

from controller.texts.text import Text

_BOOKS: dict[str, Text] = {
    "fault.line_altered": Text("明细 {line} 与其编号不符，内容已被改动", "line {line} is not what its id says: it was altered"),
    "fault.line_missing": Text("缺少明细 {line}", "line {line} is missing"),
    "fault.line_extra": Text("多出明细 {line}", "line {line} is one too many"),
    "fault.line_twice": Text("明细 {line} 出现两次", "line {line} stands there twice"),
    "fault.lines_unreadable": Text("明细无法读取：{reason}", "the lines cannot be read: {reason}"),
    "fault.statement_differs": Text("部门 {department} 的对账单不一致", "the statement of department {department} differs"),
    "fault.rows_differ": Text("对账单的汇总行不一致", "rows of statements differ"),
    "fault.seal_differs": Text("重新推算的封印与封账时不同", "what is derived has another seal"),
    "fault.stored_seal_differs": Text("已存内容的封印与封账时不同", "what is stored has another seal"),
    "fault.previous_seal_differs": Text("上一个月的封印与封账时不同", "the month before has another seal"),
    "fault.not_in_chain": Text("封印不在审计链中", "the seal does not stand in the audit chain"),
    "fault.no_such_resource": Text("流水中没有这项资源", "the journal knows no such resource"),
    "fault.not_due": Text("流水 {revision} 未入账，也未列入待入账", "journal row {revision} was not taken, and is not due"),
    "fault.never_taken": Text("资源从未入账，却有计量区间", "intervals of a resource that was never taken"),
    "fault.taken_beyond": Text("已入账至 {revision}，流水中没有这一行", "taken up to {revision}, which the journal lacks"),
    "fault.interval": Text("{meter}，自 {start_s} 起", "{meter} from {start_s}"),
    "fault.day_sum": Text("自 {start_s} 起的一天：读数合计不符", "day from {start_s}: its readings come to something else"),
    "fault.counter_backwards": Text("自 {start_s} 起的一天：计数器倒退", "day from {start_s}: a counter runs backwards"),
    "fault.counted_twice": Text(
        "主机 {host} 自 {from_ms} 起的读数重复计算", "readings from {from_ms} on host {host} are counted twice"
    ),
}
_STATE: dict[str, Text] = {
    "fault.no_state_file": Text("没有状态文件", "there is no state file"),
    "fault.schema_differs": Text("表结构版本为 {found}，应为 {wanted}", "the schema is {found}, wanted is {wanted}"),
    "fault.state_damaged": Text("数据库自检：{reason}", "the database says of itself: {reason}"),
    "fault.counter_differs": Text(
        "{scope} 的 {dimension} 计数为 {used}，实际为 {counted}",
        "{dimension} of {scope} is counted as {used}, and is {counted}",
    ),
}
#: Of a machine, by what is told of it; ``finding.<key>`` for every key a finding may have.
_MACHINES: dict[str, Text] = {
    "finding.name": Text("{value}", "{value}"),
    "finding.host": Text("主机 {value}", "host {value}"),
    "finding.resource": Text("资源 {value}", "resource {value}"),
    "finding.vcpu_count": Text("现有 {value} vCPU", "{value} vCPU as it is"),
    "finding.memory_mib": Text("现有内存 {value} MiB", "memory of {value} MiB as it is"),
    "finding.disk_gib": Text("现有磁盘 {value} GiB", "disks of {value} GiB as they are"),
    "finding.seat": Text("现处于 {value}", "it lies on {value}"),
    "finding.disks_missing": Text("缺少数据盘 {value}", "data disks that are missing: {value}"),
    "finding.disks_added": Text("多出数据盘 {value}", "data disks of others: {value}"),
    "finding.strange_disks": Text("不属于平台的盘：{value}", "disks that are not ours: {value}"),
    "finding.strange_cards": Text("不属于平台的网卡：{value}", "network cards that are not ours: {value}"),
    "finding.card_missing": Text("地址 {address} 的网卡不在", "the card of {address} is missing"),
    "finding.card_unfiltered": Text(
        "地址 {address} 的网卡在 {network}，没有包过滤", "the card of {address} is in {network} without a packet filter"
    ),
    "finding.card_elsewhere": Text(
        "地址 {address} 的网卡在 {network}，包过滤限定为 {filtered}",
        "the card of {address} is in {network}, held to {filtered} by its packet filter",
    ),
    "finding.stored": Text("存储的定义中：{value}", "in the stored definition: {value}"),
    "finding.stored_none": Text("没有存储的定义", "there is no stored definition"),
    "finding.what_definition": Text("定义不在", "its definition is missing"),
    "finding.what_root_disk": Text("系统盘不在", "its root disk is missing"),
    "finding.what_data_disk": Text("数据盘不在", "its data disk is missing"),
    "finding.what_rules": Text("网络放行的流量与规定不符", "the network lets through more or less than it should"),
    "host.loss_reason": Text("失联 {minutes} 分钟，自动按失效处理", "unreachable for {minutes} min, given up by itself"),
    "finding.what_fencing": Text("失联，正在切断其电源", "it does not answer, and its power is being cut"),
    "finding.what_not_fenced": Text("未能确认其已断电，其上云主机原样保留", "it is not known to be off, and keeps what it has"),
    "finding.what_host_lost": Text("已断电并按失效处理", "it is off and was given up"),
    "finding.machines": Text("其上云主机 {value} 台", "machines it had: {value}"),
    "finding.placed": Text("已另行放置 {value} 台", "placed elsewhere: {value}"),
    "finding.admin_state": Text("状态 {value}", "state {value}"),
    "finding.until_s": Text("应到 {value} 为止", "to last until {value}"),
    "finding.by": Text("由 {value} 设定", "set by {value}"),
    "finding.reason": Text("原因：{value}", "reason: {value}"),
    "finding.since_s": Text("自 {value}", "since {value}"),
}
#: Of a resource whose metering, claims and what is seen of it differ.
_METERED: dict[str, Text] = {
    "finding.kind_metered_but_gone": Text("资源已不在，仍在计量", "metered, though it is gone"),
    "finding.kind_claimed_but_gone": Text("资源已不在，仍占用容量", "capacity is claimed, though it is gone"),
    "finding.kind_not_metered": Text("没有计量", "not metered"),
    "finding.kind_not_claimed": Text("没有占用容量", "no capacity is claimed for it"),
    "finding.kind_amount": Text("计量与占用的数量不同", "metered and claimed amounts differ"),
    "finding.kind_state": Text("计量的状态与实际不同", "metered in another state than it is seen in"),
    "finding.kind_not_there": Text("后端没有这项资源", "the back end does not have it"),
    "finding.phase": Text("阶段 {value}", "phase {value}"),
    "finding.observed": Text("实际 {value}", "seen {value}"),
    "finding.state": Text("计量状态 {value}", "metered as {value}"),
    "finding.metered": Text("计量 {value}", "metered {value}"),
    "finding.claimed": Text("占用 {value}", "claimed {value}"),
}
TEXTS: dict[str, Text] = _BOOKS | _STATE | _MACHINES | _METERED
