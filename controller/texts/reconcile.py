"""Texts of steps as people see them, and of what can go wrong between wish and observation."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text


def _event(zh: str, en: str) -> Text:
    return Text(zh=zh, en=en)


#: step -> (what one thing says, what many say), Chinese and English.
_STEPS: Mapping[str, tuple[str, str, str, str]] = {
    "image": ("{name}：镜像已就绪", "{name}: image ready", "{count} 台云主机的镜像已就绪", "image ready for {count} machines"),
    "volume": ("{name}：数据盘已创建", "{name}: disk made", "{count} 块数据盘已创建", "{count} disks made"),
    "segment": ("{name}：部门网络已就绪", "{name}: network ready", "{count} 个部门网络已就绪", "{count} networks ready"),
    "root_disk": ("{name}：系统盘已创建", "{name}: root disk made", "{count} 块系统盘已创建", "{count} root disks made"),
    "define": ("{name}：云主机已定义", "{name}: machine defined", "{count} 台云主机已定义", "{count} machines defined"),
    "start": ("{name}：云主机已启动", "{name}: machine started", "{count} 台云主机已启动", "{count} machines started"),
    "halt": ("{name}：云主机已关机", "{name}: machine stopped", "{count} 台云主机已关机", "{count} machines stopped"),
    "resize_stop": (
        "{name}：为调整规格已关机",
        "{name}: stopped to be resized",
        "{count} 台云主机为调整规格已关机",
        "{count} machines stopped to be resized",
    ),
    "stop": (
        "{name}：已关机，准备删除",
        "{name}: stopped for removal",
        "{count} 台云主机已关机，准备删除",
        "{count} machines stopped for removal",
    ),
    "remove": (
        "{name}：正在确认删除",
        "{name}: removed, confirming",
        "{count} 台云主机正在确认删除",
        "{count} machines removed, confirming",
    ),
    "clear": (
        "{name}：已从原宿主机清除，准备换一台",
        "{name}: cleared from its host, to be placed on another",
        "{count} 台云主机已从原宿主机清除，准备换一台",
        "{count} machines cleared from their hosts, to be placed on others",
    ),
    "gone": (
        "{name}：已删除，资源已归还",
        "{name}: gone, everything given back",
        "{count} 项资源已删除并归还",
        "{count} resources gone and given back",
    ),
    "placed_again": (
        "{name}：已换到另一台宿主机（第 {placements} 次安置）",
        "{name}: placed on another host (placement {placements})",
        "{count} 台云主机已换到另一台宿主机",
        "{count} machines placed on other hosts",
    ),
    "host_lost": (
        "{name}：所在宿主机 {host} 失效，正在其他宿主机上由镜像重建；原磁盘内容已丢失，请从备份恢复",
        "{name}: its host {host} is lost; made anew from its image elsewhere, its disks are empty: restore from your backup",
        "{count} 台云主机所在宿主机失效，正在其他宿主机上由镜像重建；原磁盘内容已丢失",
        "{count} machines lost with their host are made anew from their images elsewhere; their disks are empty",
    ),
    "host_lost_kept": (
        "{name}：所在宿主机 {host} 失效，正在其他宿主机上用原有磁盘和地址恢复",
        "{name}: its host {host} is lost; it is brought back on another one, with its disks and addresses",
        "{count} 台云主机所在宿主机失效，正在其他宿主机上用原有磁盘和地址恢复",
        "{count} machines lost with their host are brought back on others, with their disks and addresses",
    ),
    "host_lost_root": (
        "{name}：所在宿主机 {host} 失效，本地系统盘的内容已丢失，正在其他宿主机上由镜像重建，请从备份恢复；数据盘和地址不变",
        "{name}: its host {host} is lost with its root disk, made anew from its image elsewhere: restore it; data disks stay",
        "{count} 台云主机所在宿主机失效，系统盘在其他宿主机上由镜像重建，数据盘和地址不变",
        "{count} machines lost with their host: root disks are made anew from their images elsewhere, data disks stay",
    ),
    "evacuate": (
        "{name}：已在其他宿主机上恢复",
        "{name}: brought back on another host",
        "{count} 台云主机已在其他宿主机上恢复",
        "{count} machines brought back on other hosts",
    ),
    "trouble": (
        "{name}：步骤 {step} 遇到问题，系统会自动重试",
        "{name}: step {step} met a problem and is retried",
        "{count} 项资源遇到问题，系统会自动重试",
        "{count} resources met a problem and are retried",
    ),
}

TEXTS: Mapping[str, Text] = {
    **{f"step.{name}": _event(one_zh, one_en) for name, (one_zh, one_en, _, _) in _STEPS.items()},
    **{f"step.{name}.many": _event(many_zh, many_en) for name, (_, _, many_zh, many_en) in _STEPS.items()},
    "drift.stopped": _event(
        "{name}：在平台之外被停止；按策略只报告，不启动",
        "{name}: was stopped behind the platform's back; by policy this is reported and nothing is done",
    ),
    "drift.started": _event(
        "{name}：在平台之外被启动；按策略只报告，不停止",
        "{name}: was started behind the platform's back; by policy this is reported and nothing is done",
    ),
    "drift.missing": _event(
        "{name}：宿主机上的定义或网络已不存在；按策略只报告，不重建",
        "{name}: its host has it no more; by policy this is reported and nothing is done",
    ),
    "drift.edited": _event(
        "{name}：在平台之外被改动；按策略只报告，不改回",
        "{name}: was edited behind the platform's back; by policy this is reported and nothing is done",
    ),
    "step.failed": Text(
        zh="{name}：步骤 {step} 失败，系统已停止重试。",
        en="{name}: step {step} failed and is not retried any more.",
        cure_zh="请查看原因；排除后重试工单（allot retry），或释放该系统。",
        cure_en="See the cause. When it is removed, retry the ticket (allot retry) or release the system.",
        actor=Actor.OPERATOR,
    ),
    "step.ticket_failed": Text(
        zh="工单失败：有资源未能达到期望状态，已占用的资源保留。",
        en="The ticket failed: not everything became what was wanted; what is claimed stays claimed.",
        cure_zh="请查看失败资源的原因；排除后重试工单，或释放该系统。",
        cure_en="See the cause at the failed resource. When it is removed, retry the ticket or release the system.",
        actor=Actor.OPERATOR,
    ),
    "step.part_failed": Text(
        zh="{name} 无法创建，依赖它的云主机因此不能继续。",
        en="{name} cannot be made, so the machine that needs it cannot go on.",
        cure_zh="请查看 {name} 的问题；排除后重试工单。",
        cure_en="See the problem of {name}; when it is removed, retry the ticket.",
        actor=Actor.OPERATOR,
    ),
    "step.no_other_host": Text(
        zh="{name} 在原宿主机上创建失败，也没有其他合适的宿主机。",
        en="{name} could not be made on its host, and no other host fits.",
        cure_zh="请释放容量或修复宿主机，然后重试工单。",
        cure_en="Free capacity or repair the host, then retry the ticket.",
        actor=Actor.OPERATOR,
    ),
    "step.no_host": Text(
        zh="{name} 没有分配宿主机。",
        en="{name} has no host.",
        cure_zh="请释放该系统后重新提交工单，并向平台报告此问题。",
        cure_en="Release the system and hand the ticket in again, and report this to the platform.",
        actor=Actor.OPERATOR,
    ),
    "step.bug": Text(
        zh="{name} 的步骤 {step} 遇到程序错误，系统会稍后重试。",
        en="Step {step} of {name} met a bug and is retried later.",
        cure_zh="请把控制器日志中该时刻的错误报告给开发者。",
        cure_en="Report the error of that moment in the controller's log to the developers.",
        actor=Actor.OPERATOR,
    ),
    "instance.disk_lost": Text(
        zh="云主机 {name} 的系统盘在宿主机 {host} 上不见了，平台不会用空盘代替。",
        en="The root disk of {name} is gone from host {host}; the platform does not replace it by an empty one.",
        cure_zh="请从备份恢复系统盘后重试工单，或释放并重新创建该系统。",
        cure_en="Restore the disk from a backup and retry the ticket, or release the system and create it anew.",
        actor=Actor.OPERATOR,
    ),
    "volume.disk_lost": Text(
        zh="数据盘 {name} 在宿主机 {host} 上不见了，平台不会用空盘代替。",
        en="Data disk {name} is gone from host {host}; the platform does not replace it by an empty one.",
        cure_zh="请从备份恢复该数据盘后重试工单，或在变更工单中删除它。",
        cure_en="Restore the disk from a backup and retry the ticket, or remove it by a change.",
        actor=Actor.OPERATOR,
    ),
}
