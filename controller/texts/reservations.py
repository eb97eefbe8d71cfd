"""Texts of reservations."""

from controller.texts.text import Actor, Text


def _department(zh: str, en: str, cure_zh: str, cure_en: str) -> Text:
    return Text(zh=zh, en=en, cure_zh=cure_zh, cure_en=cure_en, actor=Actor.DEPARTMENT)


TEXTS: dict[str, Text] = {
    "cli.reservation.no_address": Text(
        "警告：剩余 {left} 台中有 {count} 台目前没有可用的网络地址（预留不占用地址）：本部门在所留主机上的网段没有余量，"
        "区域也没有空闲地址块。请管理员扩大该区域的 address-range。",
        "Warning: for {count} of {left} machines there is no address now (a reservation holds none): the department's segments "
        "on the hosts held have none left, and the zone has no free block. An operator can widen the address-range of the zone.",
    ),
    "cli.reservation.astray": Text(
        "警告：剩余 {left} 台中有 {count} 台所留的主机已失效、停用、超额或转为故障备用，其他主机暂时也放不下；"
        "一有空余容量就会自动改留到其他主机。请管理员增加或恢复主机。",
        "Warning: {count} of {left} machines were held on hosts that are lost, out of service, overfull or have to stand by, "
        "and no other host has room for them now; they are held elsewhere as soon as there is some. An operator can add hosts "
        "or put them back into service.",
    ),
    "reservation.not_found": _department(
        "没有预留 {reservation}",
        "there is no reservation {reservation}",
        "用 allot reservation list 查看本部门的预留（--all 包括已结束的）",
        "see allot reservation list (--all shows those that are over)",
    ),
    "reservation.name_ambiguous": _department(
        "有多份名为 {reservation} 的预留",
        "several reservations are called {reservation}",
        "请改用编号（rsv_…）",
        "use the id (rsv_…)",
    ),
    "reservation.name_taken": _department(
        "项目 {project} 已有名为 {reservation} 的预留",
        "project {project} has a reservation {reservation} already",
        "换一个名称，或先释放原有的预留",
        "choose another name, or release the other one first",
    ),
    "reservation.project_closed": _department(
        "项目 {project} 已关闭，不能预留",
        "project {project} is closed and cannot reserve anything",
        "请使用开放的项目",
        "use a project that is open",
    ),
    "reservation.amount_invalid": _department(
        "预留的 {dimension} 为 {amount}，至少为 {lowest}",
        "a reservation of {amount} {dimension}: at least {lowest} is needed",
        "请填写规格名称，或正确的 vCPU、内存和磁盘数量",
        "name a size, or give proper amounts of vCPUs, memory and disk",
    ),
    "reservation.count_invalid": _department(
        "一份预留可为 1 到 {highest} 台云主机，不能是 {count} 台",
        "a reservation is for 1 to {highest} machines, not {count}",
        "请更正台数，或分成多份预留",
        "correct the number, or make several reservations",
    ),
    "reservation.starts_in_past": _department(
        "预留的开始时间已经过去",
        "the reservation would start in the past",
        "不写开始时间即从现在开始",
        "leave the start out to reserve from now on",
    ),
    "reservation.ends_before_start": _department(
        "预留的截止时间不在开始时间之后",
        "the deadline of the reservation is not after its start",
        "请更正开始时间或截止时间",
        "correct the start or the deadline",
    ),
    "reservation.too_far": _department(
        "预留最远到 {days} 天之后",
        "reservations reach at most {days} days ahead",
        "请选择更早的截止时间",
        "choose an earlier deadline",
    ),
    "reservation.no_host_fits": _department(
        "没有主机能够满足预留 {reservation}（{count} 台），未预留任何容量",
        "no host has room for reservation {reservation} ({count} machines); nothing was reserved",
        "按说明减少台数或规格，或改在其他预留结束之后开始",
        "reserve fewer or smaller machines, or start after another reservation has ended",
    ),
    "reservation.is_over": _department(
        "预留 {reservation} 已结束（{state}）",
        "reservation {reservation} is over ({state})",
        "请新建预留，或不使用预留直接申请",
        "make a new one, or ask without a reservation",
    ),
    "reservation.not_started": _department(
        "预留 {reservation} 尚未开始",
        "reservation {reservation} has not started yet",
        "等到开始时间再提交，或不使用预留直接申请",
        "hand the ticket in from its start on, or ask without it",
    ),
    "reservation.other_zone": _department(
        "预留 {reservation} 在另一个网络区域",
        "reservation {reservation} is held in another zone",
        "在工单中使用预留所在的区域，或换一份预留",
        "use the zone of the reservation in the ticket, or another reservation",
    ),
    "ticket.reservation_unknown": _department(
        "项目 {project} 没有名为 {reservation} 的有效预留",
        "project {project} has no living reservation {reservation}",
        "用 allot reservation list 查看可用的预留",
        "see allot reservation list",
    ),
    "zone.not_found": _department(
        "没有网络区域 {zone}，可用：{known}",
        "there is no zone {zone}; known: {known}",
        "用 allot get zones 查看网络区域",
        "see allot get zones",
    ),
    "size.not_found": _department(
        "没有规格 {size}，可用：{known}",
        "there is no size {size}; known: {known}",
        "用 allot get sizes 查看规格",
        "see allot get sizes",
    ),
}
