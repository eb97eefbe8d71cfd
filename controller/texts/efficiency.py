"""Texts of what machines use, and of efficiency."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.FINANCE)

TEXTS: Mapping[str, Text] = {
    "efficiency.unknown_field": _error(
        "效能规则没有字段“{field}”，最接近的是“{suggestion}”。",
        "Efficiency rules have no field {field}; nearest: {suggestion}.",
        "请改用所列字段：{offered}。",
        "Use one of: {offered}.",
    ),
    "efficiency.nothing_to_draft": Text(
        zh="系统 {system} 在 {period} 没有可退回的资源，没有工单草稿。",
        en="Nothing of system {system} can be given back by what {period} shows; there is no draft.",
        cure_zh="请用 allot meter efficiency show {period} 查看结论与覆盖率。",
        cure_en="allot meter efficiency show {period} tells the finding and how much of the time is known.",
        actor=Actor.NOBODY,
    ),
    "efficiency.reason_missing": Text(
        zh="答复没有写原因。",
        en="The answer gives no reason.",
        cure_zh="请用 --reason 写明原因。",
        cure_en="Give one with --reason.",
        actor=Actor.DEPARTMENT,
    ),
    "cli.column.received_bytes": Text("入（字节）", "bytes in"),
    "cli.column.sent_bytes": Text("出（字节）", "bytes out"),
    "cli.column.readings": Text("读数段", "runs of readings"),
    "cli.help.meter.efficiency": Text(
        "效能：利用率、闲置与过大、工单草稿。", "Efficiency: use, what is idle or too large, drafts."
    ),
    "cli.help.meter.efficiency.show": Text(
        "显示某月各系统与各网络类别对所持资源的利用。", "Show how well systems and classes of zones used what they hold."
    ),
    "cli.help.meter.efficiency.draft": Text(
        "打印可退回未用资源的工单草稿；不会提交。",
        "Print the ticket that would give back what is not used; nothing is handed in.",
    ),
    "cli.help.meter.efficiency.answer": Text("部门答复某系统的结论。", "Answer what was found of a system."),
    "cli.help.meter.efficiency.rules": Text("显示现行规则与目标。", "Show the rules and targets that hold."),
    "cli.help.meter.efficiency.import": Text("按文件设置规则与目标。", "Set rules and targets from a document."),
    "cli.param.meter.efficiency.show.month": Text("月份，如 2026-05。", "The month, for example 2026-05."),
    "cli.param.meter.efficiency.show.department": Text("只看该部门及其下级。", "Only of this department and those below it."),
    "cli.param.meter.efficiency.draft.month": Text("月份，如 2026-05。", "The month, for example 2026-05."),
    "cli.param.meter.efficiency.draft.system": Text("系统名称或编号。", "Name or id of the system."),
    "cli.param.meter.efficiency.answer.month": Text("月份，如 2026-05。", "The month, for example 2026-05."),
    "cli.param.meter.efficiency.answer.system": Text("系统名称或编号。", "Name or id of the system."),
    "cli.param.meter.efficiency.answer.given": Text("保留（keep）或将变更（will-change）。", "Keep it, or change it."),
    "cli.param.meter.efficiency.answer.reason": Text("原因。", "Why."),
    "cli.param.meter.efficiency.import.file": Text("规则文件（YAML）。", "The document (YAML)."),
    "cli.column.coverage": Text("覆盖 %", "known %"),
    "cli.column.cpu_average": Text("CPU 均 %", "CPU mean %"),
    "cli.column.cpu_p95": Text("CPU P95 %", "CPU P95 %"),
    "cli.column.cpu_peak": Text("CPU 峰 %", "CPU peak %"),
    "cli.column.memory_average": Text("内存均 %", "memory mean %"),
    "cli.column.memory_p95": Text("内存 P95 %", "memory P95 %"),
    "cli.column.memory_peak": Text("内存峰 %", "memory peak %"),
    "cli.column.per_vcpu_hour": Text("元/vCPU·h", "yuan/vCPU·h"),
    "cli.column.saving_per_year": Text("年节省（元）", "saves a year (yuan)"),
    "cli.column.finding": Text("结论", "finding"),
    "cli.column.answer": Text("答复", "answer"),
    "cli.column.use_target": Text("目标 CPU/内存 %", "target CPU/memory %"),
    "cli.column.target_met": Text("达标", "met"),
    "cli.column.rule_idle_cpu_percent": Text("闲置：CPU P95 不高于 %", "idle: CPU P95 at most %"),
    "cli.column.rule_idle_mib_per_day": Text("闲置：日流量不高于 MiB", "idle: MiB a day at most"),
    "cli.column.rule_stopped_days": Text("停机：不少于天数", "stopped: days at least"),
    "cli.column.rule_oversized_cpu_percent": Text("过大：CPU P95 不高于 %", "too large: CPU P95 at most %"),
    "cli.column.rule_oversized_memory_percent": Text("过大：内存峰值不高于 %", "too large: memory peak at most %"),
    "cli.column.rule_load_percent": Text("建议规格的负载 %", "load of a proposed size %"),
    "cli.column.rule_coverage_percent": Text("覆盖率不低于 %", "known time at least %"),
    "cli.word.finding_fit": Text("合适", "fit"),
    "cli.word.finding_idle": Text("闲置", "idle"),
    "cli.word.finding_stopped": Text("长期停机", "stopped"),
    "cli.word.finding_oversized": Text("过大", "too large"),
    "cli.word.finding_unknown": Text("未知", "not known"),
    "cli.word.answer_keep": Text("保留", "keep"),
    "cli.word.answer_will_change": Text("将变更", "will change"),
    "cli.say.efficiency": Text("效能 {start} 至 {end}", "Efficiency from {start} to {end}"),
    "cli.say.efficiency_draft": Text(
        "结论：{finding}；每年可节省 {saving} 元。草稿，未提交：核对后用 allot apply 提交，或作答复。",
        "Finding: {finding}; it would save {saving} yuan a year. A draft, not handed in: check it and allot apply, or answer it.",
    ),
    "cli.say.efficiency_answered": Text("已记录对系统 {system} 的答复。", "The answer for system {system} is kept."),
}
