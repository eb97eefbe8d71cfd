"""Texts of the state on disk and of the checks of this machine."""

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.OPERATOR)


_STATE = {
    "db.postgresql_tools": _error(
        "状态保存在 PostgreSQL（{url}），此命令只用于嵌入式 SQLite。",
        "The state is in PostgreSQL ({url}); this command is for the embedded SQLite only.",
        "请使用 pg_dump 和 pg_restore 备份与恢复。",
        "Back up and restore with pg_dump and pg_restore.",
    ),
    "db.target_exists": _error(
        "{path} 已经存在，不会覆盖。", "{path} exists and is not overwritten.", "换一个文件名。", "Choose another file name."
    ),
    "db.copy_damaged": _error(
        "备份 {path} 未通过检查：{problem}。没有留下文件。",
        "The copy {path} did not pass the check: {problem}. No file was left.",
        "检查磁盘，再运行 allot db check；状态本身可能已损坏。",
        "Check the disk and run allot db check: the state itself may be damaged.",
    ),
    "db.source_missing": _error("找不到备份文件 {path}。", "There is no backup {path}.", "检查路径。", "Check the path."),
    "db.source_damaged": _error(
        "备份文件 {path} 已损坏：{problem}。状态未被改动。",
        "The backup {path} is damaged: {problem}. The state was not touched.",
        "换用另一份备份。",
        "Use another backup.",
    ),
    "db.source_foreign": _error(
        "{path} 中没有控制器的状态。现有状态未被改动。",
        "{path} holds no state of a controller. The state was not touched.",
        "换用 allot db backup 生成的备份；空文件表示复制时中断。",
        "Use a file that allot db backup made; an empty one was cut short when it was copied.",
    ),
    "serve.address_unusable": _error(
        "无法监听 {host}:{port}：{reason}。",
        "Cannot listen on {host}:{port}: {reason}.",
        "检查 [server] 中的 host 和 port；1024 以下的端口需要相应权限。",
        "Check host and port in [server]; ports below 1024 need the right to use them.",
    ),
}

_DOCTOR = {
    "doctor.sqlite": Text("SQLite {version}，日志模式 {mode}", "SQLite {version}, journal mode {mode}"),
    "doctor.state": Text("状态 {url} 完好，结构版本 {revision}", "the state {url} is sound, schema {revision}"),
    "doctor.state_damaged": _error(
        "状态有 {count} 处问题",
        "the state has {count} problems",
        "停止服务，用 allot db check 查看全部问题，必要时用 allot db restore 恢复备份。",
        "Stop the service, see all with allot db check, and restore a backup with allot db restore if needed.",
    ),
    "doctor.disk_room": Text(
        zh="{path} 剩余 {free_gib} GiB（至少应有 {least_gib} GiB）",
        en="{path} has {free_gib} GiB free (at least {least_gib} GiB are wanted)",
        cure_zh="清理磁盘，或把状态目录移到更大的磁盘。",
        cure_en="Free some room, or move the state directory to a larger disk.",
        actor=Actor.OPERATOR,
    ),
    "doctor.zone": Text("时区 {zone}", "time zone {zone}"),
    "doctor.zone_unknown": _error(
        "未知时区 {zone}",
        "unknown time zone {zone}",
        "改正 [time] zone，或安装 tzdata。",
        "Correct [time] zone, or install tzdata.",
    ),
    "doctor.no_tls": Text("未启用 TLS，仅监听 {host}", "no TLS, listening on {host} only"),
    "doctor.tls": Text("TLS 证书 {path}", "TLS certificate {path}"),
    "doctor.tls_unreadable": _error(
        "无法读取 TLS 文件 {path}",
        "the TLS file {path} cannot be read",
        "检查路径和权限。",
        "Check its path and permissions.",
    ),
    "doctor.libvirt": Text("本机 libvirt 套接字 {path}", "libvirt's socket on this machine: {path}"),
    "doctor.no_libvirt": Text(
        zh="本机没有运行 libvirt",
        en="libvirt does not run on this machine",
        cure_zh="若要把本机作为宿主机，运行 allot host enrol --prepare；否则无须处理。",
        cure_en="To use this machine as a host run allot host enrol --prepare; otherwise nothing is to be done.",
        actor=Actor.OPERATOR,
    ),
    "doctor.kvm": Text("/dev/kvm 能创建云主机", "/dev/kvm makes machines"),
    "doctor.no_kvm": Text(
        zh="/dev/kvm 不可用，本机上的云主机将由 QEMU 模拟（较慢）",
        en="/dev/kvm cannot be used: guests on this machine would be emulated (slow)",
        cure_zh="在固件中启用虚拟化，或检查权限。",
        cure_en="Switch virtualisation on in the firmware, or check permissions.",
        actor=Actor.OPERATOR,
    ),
    "doctor.qemu_img": Text("qemu-img：{path}", "qemu-img: {path}"),
    "doctor.no_qemu_img": Text(
        zh="没有 qemu-img",
        en="there is no qemu-img",
        cure_zh="只有制作演示镜像时需要：安装 qemu-utils。",
        cure_en="Only building the demo image needs it: install qemu-utils.",
        actor=Actor.OPERATOR,
    ),
    "doctor.ansible": Text("Ansible：{path}", "Ansible: {path}"),
    "doctor.no_ansible": Text(
        zh="没有 {path}，无法准备主机",
        en="there is no {path}: hosts cannot be prepared",
        cure_zh="建立 Ansible 的独立环境（make demo 会自动建立），或用 ALLOT_ANSIBLE_BIN 指明位置。",
        cure_en="Make Ansible's own environment (make demo does), or say where it is with ALLOT_ANSIBLE_BIN.",
        actor=Actor.OPERATOR,
    ),
    "doctor.state_private": Text("状态目录 {path} 仅属主可读", "the state directory {path} is private"),
    "doctor.state_open": Text(
        zh="状态目录 {path} 的权限是 {mode}，其他用户可以读取",
        en="the state directory {path} has mode {mode}: others may read it",
        cure_zh="运行 chmod 700 {path}。",
        cure_en="Run chmod 700 {path}.",
        actor=Actor.OPERATOR,
    ),
}

TEXTS: dict[str, Text] = _STATE | _DOCTOR
