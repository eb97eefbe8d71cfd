"""Texts of the cost side."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.FINANCE)


TEXTS: Mapping[str, Text] = {
    "cost.unknown_field": _error(
        "成本池文件没有字段“{field}”，最接近的是“{suggestion}”。",
        "A document of cost pools has no field {field}; nearest: {suggestion}.",
        "请改用所列字段：{offered}。",
        "Use one of: {offered}.",
    ),
    "cost.window_empty": _error(
        "结束日 {end} 不晚于开始日 {start}。",
        "{end} is not after {start}.",
        "请让结束日晚于开始日；结束日当天不计入。",
        "Give a later last day; the day itself is not counted.",
    ),
    "cost.meter_without_capacity": _error(
        "计量项 {meter} 没有主机容量，不能据以分摊成本。",
        "Hosts have no capacity of {meter}: cost cannot be spread by it.",
        "请写 vcpu、memory_gib 或 disk_gib:磁盘类别。",
        "Write vcpu, memory_gib or disk_gib: with a class of disk.",
    ),
    "cli.help.meter.cost": Text("成本：成本池、成本与容量的去向。", "Cost: cost pools, where cost and capacity went."),
    "cli.help.meter.cost.import": Text("按文件设置全部成本池。", "Set all cost pools from a document."),
    "cli.help.meter.cost.list": Text("列出现行成本池。", "List the cost pools that hold."),
    "cli.help.meter.cost.show": Text("显示某月成本的去向。", "Show where the cost of a month went."),
    "cli.help.meter.cost.places": Text(
        "显示某月每台主机容量的去向（数量×秒）。", "Show where the capacity of every host went in a month (amount × seconds)."
    ),
    "cli.param.meter.cost.import.file": Text("成本池文件（YAML）。", "The document (YAML)."),
    "cli.param.meter.cost.show.month": Text("月份，如 2026-05。", "The month, for example 2026-05."),
    "cli.param.meter.cost.places.month": Text("月份，如 2026-05。", "The month, for example 2026-05."),
    "cli.column.cost_pool": Text("成本池", "cost pool"),
    "cli.column.departments": Text("部门", "departments"),
    "cli.column.idle_policy": Text("闲置处理", "what was idle"),
    "cli.word.place_building": Text("建设中", "building"),
    "cli.word.place_foreign": Text("外来", "foreign"),
    "cli.word.place_reserve": Text("备用与检修", "reserve and repair"),
    "cli.word.place_reserved": Text("预留", "reservations"),
    "cli.word.place_transfer": Text("迁移占用", "transfer"),
    "cli.word.place_idle": Text("闲置", "idle"),
    "cli.word.unallocated": Text("未分摊", "unallocated"),
    "cli.word.cost_hardware": Text("设备", "hardware"),
    "cli.word.cost_power": Text("电力", "power"),
    "cli.word.cost_licences": Text("许可", "licences"),
    "cli.word.cost_staff": Text("人员", "staff"),
    "cli.word.cost_other": Text("其他", "other"),
    "cli.word.policy_show": Text("单列", "shown"),
    "cli.word.policy_proportional": Text("按用量分摊", "shared by use"),
    "cli.word.policy_even": Text("平均分摊", "shared alike"),
    "cli.say.cost_total": Text(
        "成本合计 {cost} 元；对账单合计 {charged} 元；结余 {surplus} 元。",
        "Cost {cost} yuan; charged {charged} yuan; surplus {surplus} yuan.",
    ),
    "cli.say.overfull": Text(
        "有 {count} 段时间主机承载超过容量，请运维核对。",
        "Hosts held more than they had {count} times: have an operator look.",
    ),
}
