"""Texts of plans that move machines, and why one stays."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text


def _operator(zh: str, en: str, cure_zh: str, cure_en: str) -> Text:
    return Text(zh=zh, en=en, cure_zh=cure_zh, cure_en=cure_en, actor=Actor.OPERATOR)


TEXTS: Mapping[str, Text] = {
    "system.moving": Text(
        zh="系统 {system} 有云主机正在迁移，此时不能变更。",
        en="A machine of system {system} is being moved; the system cannot be changed at this moment.",
        cure_zh="请几分钟后重试；取消迁移计划也可以。",
        cure_en="Try again in a few minutes; the operator may also cancel the plan of moves.",
        actor=Actor.NOBODY,
    ),
    "moves.plan_not_found": _operator(
        "没有迁移计划 {plan}。",
        "There is no plan of moves {plan}.",
        "请核对编号，allot plan-moves list 列出全部计划。",
        "Check the id; allot plan-moves list shows them all.",
    ),
    "moves.plan_not_planned": _operator(
        "迁移计划 {plan} 的状态是 {state}，只有 planned 状态的计划可以执行。",
        "Plan {plan} is {state}; only a planned one can be run.",
        "请重新计算一个计划。",
        "Compute a new plan.",
    ),
    "moves.plan_over": _operator(
        "迁移计划 {plan} 已经结束（{state}）。",
        "Plan {plan} is over ({state}).",
        "无需处理。",
        "Nothing to do.",
    ),
    "moves.another_runs": _operator(
        "迁移计划 {plan} 正在执行，同一时间只执行一个计划。",
        "Plan {plan} is under way; one plan runs at a time.",
        "请等它结束，或先取消它。",
        "Wait for its end, or cancel it first.",
    ),
    "moves.host_missing": _operator(
        "计划类型 {kind} 与主机不符：只有 drain 需要且必须指定一台主机。",
        "A plan of kind {kind}: drain needs a host, and only drain takes one.",
        "请改正请求。",
        "Correct the request.",
    ),
    "moves.size_missing": _operator(
        "计划类型 {kind} 与规格不符：只有 make-room 需要且必须指定规格。",
        "A plan of kind {kind}: make-room needs a size, and only make-room takes one.",
        "请改正请求。",
        "Correct the request.",
    ),
    "moves.bound_not_of_kind": _operator(
        "计划类型 {kind} 不支持这些上限：{bounds}。它支持：{known}。",
        "A plan of kind {kind} does not know these bounds: {bounds}. It knows: {known}.",
        "请去掉它们后重试。",
        "Leave them out.",
    ),
    "moves.size_lies": _operator(
        "规格 {size} 要求独占 CPU、NUMA 或大页，无法为它计划腾挪空间。",
        "Size {size} asks how its machines lie on hosts (pinned CPUs, NUMA nodes, huge pages); no room can be planned for it.",
        "请用 allot capacity fit 查看哪些主机放得下，或腾空一台主机（allot plan-moves drain）。",
        "See with allot capacity fit what fits, or empty a host (allot plan-moves drain).",
    ),
    "moves.machine_gone": _operator(
        "云主机 {machine} 已不存在。",
        "Machine {machine} is gone.",
        "无需处理：这一步已跳过。",
        "Nothing to do: the step is skipped.",
    ),
    "moves.not_there": _operator(
        "云主机 {machine} 已不在计划中的源主机上。",
        "Machine {machine} is not where the plan found it.",
        "无需处理：这一步已跳过；需要时请重新计算计划。",
        "Nothing to do: the step is skipped. Compute a new plan if one is needed.",
    ),
    "moves.target_closed": _operator(
        "目标主机不再接收云主机，{machine} 留在原处。",
        "The target takes no machines any more; {machine} stays where it is.",
        "请重新计算计划。",
        "Compute a new plan.",
    ),
    "moves.not_allowed": _operator(
        "目标主机的网络区域、等保级别或架构不适合云主机 {machine}。",
        "The target does not suit {machine}: zone, MLPS level or architecture.",
        "请重新计算计划。",
        "Compute a new plan.",
    ),
    "moves.spread": _operator(
        "移动云主机 {machine} 会破坏其服务器组的分布规则。",
        "Moving {machine} would break the spread rule of its group.",
        "请重新计算计划。",
        "Compute a new plan.",
    ),
    "moves.no_room": _operator(
        "没有主机容得下云主机 {machine}（或目标主机的空间已被占用）。",
        "No host has room for {machine}, or the room on its target was taken meanwhile.",
        "请增加容量，或重新计算计划。",
        "Add capacity, or compute a new plan.",
    ),
    "moves.over_the_bound": _operator(
        "移动云主机 {machine} 会超过本计划的上限（移动次数或复制的内存）。",
        "Moving {machine} would exceed the plan's bound on moves or on memory to copy.",
        "请提高上限后重新计算。",
        "Raise the bound and compute again.",
    ),
    "moves.not_offered": _operator(
        "云主机 {machine} 所在的后端不支持热迁移。",
        "The back end of machine {machine} does not move machines.",
        "请用工单停机迁走，或等待跨主机网络支持。",
        "Let its department recreate it elsewhere, or wait for networks across hosts.",
    ),
    "moves.not_running": _operator(
        "云主机 {machine} 没有运行，热迁移只移动运行中的云主机。",
        "Machine {machine} does not run; only running machines are moved.",
        "请先启动它，或在它停机期间维护主机。",
        "Start it first, or maintain the host while it is stopped.",
    ),
    "moves.not_settled": _operator(
        "云主机 {machine} 正在变更或已失败，暂不移动。",
        "Machine {machine} is being changed or has failed; it is not moved now.",
        "请等变更结束或处理失败，然后重新计算。",
        "Wait for the change, or mend the failure, then compute again.",
    ),
    "moves.on_its_way": _operator(
        "云主机 {machine} 正在迁移途中。",
        "Machine {machine} is on its way already.",
        "请等它到达。",
        "Wait until it has arrived.",
    ),
    "moves.shares_network": _operator(
        "云主机 {machine} 与同系统其他云主机共用网络，跨主机网络可用之前只能留在一起。",
        "Machine {machine} shares a network with others of its system; until networks reach across hosts they stay together.",
        "等待跨主机网络支持；或由部门用工单重建。",
        "Wait for networks across hosts, or let the department recreate the system.",
    ),
    "moves.cooling": _operator(
        "云主机 {machine} 刚被移动过，仍在静置期内。",
        "Machine {machine} was moved lately and rests.",
        "请等静置期结束（moves.cool_down_s）。",
        "Wait until it has rested (moves.cool_down_s).",
    ),
    "moves.dwelling": _operator(
        "云主机 {machine} 创建不久，暂不为均衡或节能移动。",
        "Machine {machine} is young and not moved for evenness or energy yet.",
        "请等最短停留期结束（moves.dwell_s）。",
        "Wait until it is old enough (moves.dwell_s).",
    ),
    "moves.seated": _operator(
        "云主机 {machine} 绑定了处理器或大页，不为均衡或节能移动。",
        "Machine {machine} has processors or huge pages of its own and is not moved for evenness or energy.",
        "需要腾空宿主机时请用 allot host drain，它会移动这类云主机。",
        "To empty a host use allot host drain, which moves such machines too.",
    ),
    "moves.stayed": _operator(
        "云主机 {machine} 留在原处，没有移动。",
        "Machine {machine} stayed where it was.",
        "无需处理；需要时请重新计算计划。",
        "Nothing to do. Compute a new plan if one is needed.",
    ),
    "cli.moves.title": Text("迁移计划 {plan}（{kind}，{state}）", "Plan {plan} ({kind}, {state})"),
    "cli.moves.score": Text(
        "移动 {moves} 台，复制内存 {memory_mib} MiB；负载不均衡度 {before} → {after}",
        "{moves} moves, {memory_mib} MiB of memory to copy; unevenness of load {before} → {after}",
    ),
    "cli.moves.broken": Text("被破坏的规则 {before} → {after}", "Broken rules {before} → {after}"),
    "cli.moves.freed": Text(
        "腾出 {count} 台主机：{hosts}；断电预计节省 {kwh} kWh",
        "Frees {count} hosts: {hosts}; powered off, they save {kwh} kWh",
    ),
    "cli.moves.room": Text(
        "需要空间的 {wanted} 台云主机中，{count} 台放得下：{hosts}", "Room for {count} of {wanted} machines: {hosts}"
    ),
    "cli.moves.problem": Text("已停止：{sentence}", "Stopped: {sentence}"),
    "cli.moves.nothing": Text("没有需要移动的云主机。", "Nothing is to be moved."),
    "cli.moves.stay": Text("留在 {host}：{machine}。{reason}", "Stays on {host}: {machine}. {reason}"),
    "cli.moves.planned": Text("执行：allot plan-moves run {plan}", "To run it: allot plan-moves run {plan}"),
    "cli.moves.dry_run": Text("仅为试算，未保存。", "A dry run: nothing is stored."),
    "cli.column.number": Text("序号", "no."),
    "cli.column.machine": Text("云主机", "machine"),
    "cli.column.problem": Text("问题", "problem"),
    "cli.column.moves": Text("移动", "moves"),
    "cli.column.done": Text("完成", "done"),
    "cli.column.watts": Text("功率 W", "watts"),
}
