"""Texts of adopted machines: refusals, and ``allot adopt``."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.OPERATOR)

TEXTS: Mapping[str, Text] = {
    "adoption.nothing_named": _error(
        "没有指明要纳管哪些云主机。",
        "It is not said which machines are to be adopted.",
        "请给出后端的所属项目（--owner）或云主机 UUID（--machine）；allot adopt candidates 可查看。",
        "Name an owner at the back end (--owner) or machines (--machine); allot adopt candidates lists them.",
    ),
    "adoption.machines_unknown": _error(
        "资源池 {pool} 中没有这些外来云主机：{machines}。",
        "Pool {pool} has no such machines of others: {machines}.",
        "请用 allot adopt candidates {pool} 核对；刚出现的云主机要等下一次巡检后才能纳管。",
        "Check with allot adopt candidates {pool}; a machine that has just come is seen at the next look at its host.",
    ),
    "adoption.too_many": _error(
        "一次纳管 {count} 台，最多 {most} 台。",
        "{count} machines at once; at most {most}.",
        "请用 --machine 分批纳管。",
        "Adopt them in parts, with --machine.",
    ),
    "adoption.level_too_high": _error(
        "等保 {level} 级超出资源池 {pool} 的上限 {most} 级。",
        "MLPS level {level} is above the {most} of pool {pool}.",
        "请改正级别；云主机确属该级别时，应迁到符合要求的资源池。",
        "Correct the level; a machine that is of this level belongs in another pool.",
    ),
    "adoption.lease_past": _error(
        "租期 {lease_end} 已过。",
        "The lease ends on {lease_end}, which is over.",
        "请给出将来的日期。",
        "Give a day to come.",
    ),
    "adoption.project_closed": _error(
        "项目 {project} 已关闭。",
        "Project {project} is closed.",
        "请换用开放的项目，或由平台重新开放该项目。",
        "Use a project that is open, or have the platform open this one again.",
    ),
    "adoption.taken": _error(
        "云主机 {machine} 已纳管在另一系统（{adoption}）。",
        "Machine {machine} is in the books of another system ({adoption}).",
        "请先 allot adopt let-go {adoption}，再重新纳管；计费在此刻分界。",
        "Let it go first (allot adopt let-go {adoption}), then adopt it anew; the bill is cut at that moment.",
    ),
    "adoption.system_has_own_machines": _error(
        "系统 {system} 是由工单管理的，不能加入纳管的云主机。",
        "System {system} is managed by tickets and takes no adopted machines.",
        "请为纳管的云主机另取一个系统名。",
        "Choose a system name of its own for adopted machines.",
    ),
    "adoption.system_read_only": _error(
        "系统 {system} 的云主机是纳管的，平台只读取和计量，不做变更。",
        "The machines of system {system} are adopted: the platform looks at them and meters them, and changes nothing.",
        "续租可用工单；不再计量请联系运维执行 allot adopt let-go；要由平台管理，请另建系统并迁移。",
        "Its lease can be renewed. To end the metering, ask an operator (allot adopt let-go); to have it managed, make a new "
        "system and move there.",
        Actor.DEPARTMENT,
    ),
    "adoption.not_found": _error(
        "没有纳管的云主机 {adoption}。",
        "There is no adopted machine {adoption}.",
        "allot adopt list 列出全部纳管的云主机。",
        "allot adopt list shows them all.",
    ),
    "cli.help.adopt": Text(
        "纳管：把他人建立的云主机计入部门账目，只读取和计量，不改动。",
        "Machines somebody else made, in the books of a department: looked at and metered, never touched.",
    ),
    "cli.help.adopt.candidates": Text(
        "列出资源池中并非平台建立的云主机，以及看来属于哪个部门；不改动任何东西。",
        "List the machines of a pool that are not ours, and whose each seems to be. Changes nothing.",
    ),
    "cli.help.adopt.take": Text(
        "把云主机计入项目账目：从此计量、计入配额；云主机本身不受影响。",
        "Take machines into the books of a project: metered and counted against quota from now on. Nothing happens to them.",
    ),
    "cli.help.adopt.list": Text("列出纳管的云主机。", "List adopted machines."),
    "cli.help.adopt.let-go": Text(
        "把云主机移出账目；云主机本身不受影响。", "Take a machine out of the books. Nothing happens to it."
    ),
    "cli.param.adopt.candidates.pool": Text("资源池代码。", "Code of the pool."),
    "cli.param.adopt.candidates.owner": Text("只列该所属项目的。", "Only those of this owner at the back end."),
    "cli.param.adopt.take.pool": Text("资源池代码。", "Code of the pool."),
    "cli.param.adopt.take.project": Text("付费项目编号。", "Code of the project that pays."),
    "cli.param.adopt.take.system": Text(
        "显示为哪个系统；没有则新建。", "Name of the system they are shown as; made if there is none."
    ),
    "cli.param.adopt.take.lease_end": Text("租期最后一天，如 2027-06-30。", "Last day of the lease, for example 2027-06-30."),
    "cli.param.adopt.take.owner": Text("后端该所属项目的全部云主机。", "All machines of this owner at the back end."),
    "cli.param.adopt.take.machine": Text("云主机 UUID，可多次给出。", "UUID of a machine; may be given several times."),
    "cli.param.adopt.take.mlps": Text("等保级别。", "MLPS level."),
    "cli.param.adopt.take.environment": Text("production、test 或 development。", "production, test or development."),
    "cli.param.adopt.take.yes": Text("不再询问。", "Do not ask."),
    "cli.param.adopt.list.department": Text("只列该部门及其下级。", "Only this department and those below it."),
    "cli.param.adopt.let-go.adoption": Text("编号（adpt_…）。", "Id (adpt_…)."),
    "cli.say.adopt_these": Text("把以上云主机计入账目？", "Take these into the books?"),
    "cli.say.let_go": Text("{name}（{uuid}）已移出账目。", "{name} ({uuid}) is out of the books."),
    "cli.column.owner_there": Text("后端所属", "owner there"),
    "cli.column.metered_since": Text("计量始于", "metered since"),
    "cli.column.disk_gib_unmetered": Text("未计量磁盘 GiB", "not metered"),
    "cli.column.adopted": Text("纳管编号", "adopted as"),
}
