"""Help texts of the command line: what each command does and what each parameter means."""

from controller.texts.text import Text

_PANELS = {
    "cli.panel.tickets": Text("工单", "Tickets"),
    "cli.panel.look": Text("查看", "Looking"),
    "cli.panel.machines": Text("云主机", "Machines"),
    "cli.panel.platform": Text("平台", "Platform"),
    "cli.panel.access": Text("身份与审计", "Access and audit"),
    "cli.panel.local": Text("本机命令（不经过 API）", "On this machine (not through the API)"),
    "cli.panel.arguments": Text("参数", "Arguments"),
    "cli.panel.options": Text("选项", "Options"),
    "cli.panel.commands": Text("命令", "Commands"),
    "cli.panel.required": Text("[必填]", "[required]"),
    "cli.panel.default": Text("[默认：{}]", "[default: {}]"),
    "cli.panel.usage": Text("用法：", "Usage:"),
    "cli.panel.common": Text("公共选项见 allot --help。", "Options of every command: see allot --help."),
    "cli.epilog": Text(
        "选项 --server、--token-file、--context、--lang、--output、--debug 可写在命令前后任意位置。"
        "退出码：0 完成；1 被拒绝或失败；2 plan 发现有变更；64 用法错误；75 请稍后再试。",
        "The options --server, --token-file, --context, --lang, --output and --debug may stand anywhere. "
        "Exit codes: 0 done, 1 refused or failed, 2 plan found changes, 64 wrong usage, 75 try again later.",
    ),
}

_COMMANDS = {
    "cli.help.root": Text(
        "Allotment：政务云控制器。部门用一份 YAML 工单申请资源，平台在配额内落实、计量并可审计。",
        "Allotment, the cloud controller of a government data centre: departments ask with one YAML ticket; the platform "
        "fulfils it within quota, meters it and keeps it auditable.",
    ),
    "cli.help.check": Text("检查工单，一次列出全部错误。", "Read a ticket and list everything that is wrong with it."),
    "cli.help.plan": Text(
        "显示工单将做什么、每月价格、配额变化和放置结果，不做任何改动。有变更时退出码为 2。",
        "Show what a ticket would do, cost and need, and where it would go; changes nothing. Exits with 2 for changes.",
    ),
    "cli.help.apply": Text(
        "先显示计划，确认后提交；只执行所显示的计划。",
        "Show the plan, ask, and hand in exactly that.",
    ),
    "cli.help.release": Text(
        "释放整个系统：云主机、磁盘、地址及其全部数据。须输入系统名确认。",
        "Give a whole system back: machines, disks, addresses and all data on them. Its name has to be typed.",
    ),
    "cli.help.status": Text(
        "查看工单进度；给出系统名则查看它最近的工单；都不写则列出未完成的工单。",
        "Show how far a ticket is, or the newest one of a system; without either, every ticket that is not over.",
    ),
    "cli.help.approve": Text("作为第二人同意等待中的工单。", "Agree to a waiting ticket, as a second person."),
    "cli.help.reject": Text("作为第二人驳回等待中的工单。", "Turn a waiting ticket down, as a second person."),
    "cli.help.cancel": Text("撤回尚在等待的工单。", "Withdraw a ticket that still waits."),
    "cli.help.retry": Text("重试失败的工单。", "Try a failed ticket again."),
    "cli.help.get": Text(
        "列出某类对象：systems、instances、tickets、notices、hosts、pools、zones、sizes、images、departments、projects、findings；"
        "其他词视为系统名。",
        "List things: systems, instances, tickets, notices, hosts, pools, zones, sizes, images, departments, projects, findings; "
        "any other word is taken for the name of a system.",
    ),
    "cli.help.describe": Text("显示一个对象的全部信息。", "Show one thing whole."),
    "cli.help.explain": Text(
        "用平常的话说明一台云主机为何放在那里，或一份工单为何放不下。",
        "Say in plain words why a machine is where it is, or why a ticket found no place.",
    ),
    "cli.help.usage": Text("按资源和计量项列出使用秒数与价格。", "Print seconds by resource and meter, with their price."),
    "cli.help.start": Text("启动云主机。", "Have a machine running."),
    "cli.help.stop": Text(
        "停止云主机；保留位置、磁盘和地址。", "Have a machine stopped; it keeps its place, disks and addresses."
    ),
    "cli.help.reboot": Text(
        "原地重启云主机一次：先请系统正常重启，超时后强制重启。",
        "Have a running machine restarted in place, once: asked politely, then by force.",
    ),
    "cli.help.console": Text("打印云主机串口日志的末尾。", "Print the end of a machine's serial log."),
    "cli.help.screen": Text(
        "打印短时有效的地址，用浏览器查看和操作云主机的屏幕；地址即密钥，不要转给他人。",
        "Print an address, good for a short time, where a browser shows a machine's screen; who has it uses the machine.",
    ),
    "cli.help.import": Text(
        "按站点文件导入部门、项目、区域、资源池、规格、镜像、配额和价格；先显示计划；重复导入不产生变化。",
        "Import departments, projects, zones, pools, sizes, images, quotas and prices from a site document; shows a plan first; "
        "twice changes nothing.",
    ),
    "cli.help.host": Text("主机：纳管、查看、切换状态。", "Hosts: enrol, look at, move between states."),
    "cli.help.host.list": Text("列出主机及其已承诺容量。", "List hosts with what is promised on them."),
    "cli.help.host.inventory": Text(
        "以 Ansible 动态清单（JSON）打印可登录的宿主机；见 etc/ansible/allotment。",
        "Print the hosts one can log in to as an inventory of Ansible (JSON); see etc/ansible/allotment.",
    ),
    "cli.say.inventory_left_out": Text(
        "名称或地址不规范，未列入清单：{names}。", "Left out, because name or address is no plain one: {names}."
    ),
    "cli.help.host.show": Text("显示一台主机的全部信息。", "Show a host whole."),
    "cli.help.host.foreign": Text(
        "列出主机上不是平台创建的云主机（计入容量，绝不触碰）。",
        "List guests on a host that are not ours: counted, never touched.",
    ),
    "cli.help.host.enrol": Text(
        "纳管主机：读取其真实情况并登记；加 --prepare 先用 playbook 准备。",
        "Take a host into the inventory from what it really is; with --prepare it is made ready by the playbook first.",
    ),
    "cli.help.host.state": Text(
        "把主机切换到某个状态：active、cordoned、draining、maintenance、retired。",
        "Move a host to a state: active, cordoned, draining, maintenance, retired.",
    ),
    "cli.help.host.activate": Text("让主机接收云主机。", "Let a host take machines."),
    "cli.help.host.cordon": Text("不再向主机放置新云主机，已有的保留。", "Give a host no new machines; those it has stay."),
    "cli.help.host.drain": Text(
        "腾空主机：不再放置新云主机，并在后端支持时把已有的迁走。",
        "Give a host no new machines, and move those it has away where its driver can.",
    ),
    "cli.help.host.maintain": Text("让主机进入维护。", "Put a host into maintenance."),
    "cli.help.host.retire": Text("让已腾空的主机退役。", "Take an empty host out of service for good."),
    "cli.help.host.lost": Text(
        "由另一人报告已断电的主机失效：其上云主机在其他主机上由镜像重建，磁盘内容放弃；有放不下的则退出码为 1。",
        "Give up a host that is off, as a second person: its machines are made anew elsewhere; exit 1 when one finds no place.",
    ),
    "cli.help.plan-moves": Text(
        "迁移计划：计算、查看、执行、取消。", "Plans that move machines: computed, looked at, run, cancelled."
    ),
    "cli.help.plan-moves.drain": Text("计划腾空一台主机。", "Plan to empty a host."),
    "cli.help.plan-moves.rebalance": Text("计划均衡各主机的负载。", "Plan to even out the load of hosts."),
    "cli.help.plan-moves.repair": Text(
        "只修复被破坏的规则：超分配的主机、分布规则、区域和等保级别。",
        "Plan to put broken rules right and nothing else: overfull hosts, spread, zone and MLPS level.",
    ),
    "cli.help.plan-moves.consolidate": Text(
        "计划腾出整台主机以便断电节能。", "Plan to free whole hosts so that they can be powered off."
    ),
    "cli.help.plan-moves.make-room": Text(
        "为没有一台主机放得下的云主机腾挪空间：移走少量其他云主机。",
        "Plan to make room for machines that no host has room for, by moving a few others.",
    ),
    "cli.help.plan-moves.run": Text(
        "执行计划：逐步进行，每步开始前重新核实。", "Run a plan: step by step, each judged again before it begins."
    ),
    "cli.help.plan-moves.show": Text("显示一个计划及其步骤。", "Show a plan with its steps."),
    "cli.help.plan-moves.list": Text("列出计划。", "List plans."),
    "cli.help.plan-moves.cancel": Text(
        "取消计划；途中的云主机留在原处，除非已经到达。", "End a plan; a machine on its way stays, unless it has arrived."
    ),
    "cli.help.image": Text("镜像。", "Images machines boot from."),
    "cli.help.image.list": Text("列出镜像。", "List images."),
    "cli.help.image.import": Text(
        "从控制器所在机器的文件或 URL 导入镜像（检查格式并计算哈希）。",
        "Take an image from a file on the controller's machine or from a URL, inspected and hashed.",
    ),
    "cli.help.image.withdraw": Text(
        "不再提供镜像；已在用的云主机不受影响。", "Offer an image no more; machines that have it keep it."
    ),
    "cli.help.reservation": Text("预留：在一段时间内为项目保留容量。", "Capacity held for a project for a time."),
    "cli.help.reservation.create": Text(
        "为项目预留容量，到期自动释放；计入配额；本项目的工单可用 project.reservation 使用它。",
        "Hold capacity for a project until a deadline; counts against quota. A ticket of the project uses it with "
        "project.reservation.",
    ),
    "cli.help.reservation.list": Text("列出预留。", "List reservations."),
    "cli.help.reservation.show": Text("显示一份预留。", "Show a reservation."),
    "cli.help.reservation.release": Text("提前释放预留。", "Give a reservation up before its deadline."),
    "cli.help.capacity": Text("容量推演：只回答，不改动。", "What-if questions to the capacity; nothing is changed."),
    "cli.help.capacity.fit": Text(
        "某规格的云主机还可放多少台：按资源池、区域和等保级别；或某信息系统的各服务器组还可增加多少台（--system）。",
        "How many more machines of a size fit, per pool, zone and MLPS level; or of the server groups of a system (--system).",
    ),
    "cli.help.capacity.forecast": Text(
        "按目前趋势，各资源池何时用满（p10、p50、p90）。", "When pools are full at the present trend (p10, p50, p90)."
    ),
    "cli.help.capacity.failure": Text(
        "若这些主机失效，上面的云主机和预留能放到哪里；有放不下的，退出码为 1。",
        "What would become of machines and reserved room on hosts that fail; exits with 1 when some of it finds no place.",
    ),
    "cli.help.capacity.hosts": Text("一批工单需要多少台某种规格的主机。", "How many hosts of one shape a list of tickets needs."),
    "cli.help.quota": Text("配额。", "Limits of departments and projects."),
    "cli.help.quota.show": Text("显示配额和已用量。", "Show limits and what is used of them."),
    "cli.help.quota.set": Text(
        "设置一项配额：数量、unlimited（不限）或 inherit（继承）。", "Set a limit: an amount, unlimited or inherit."
    ),
    "cli.help.quota.audit": Text(
        "按占用重新计数；有差异时退出码为 1。", "Recount every counter from the claims; exits with 1 when one was wrong."
    ),
    "cli.help.events": Text(
        "按发生的先后列出全部工单的经过；--follow 持续显示新的。",
        "Tell what happened to all tickets, in the order it happened; with --follow, what is new as it happens.",
    ),
    "cli.param.events.since": Text(
        "只要这一时刻之后的（平台时区）；与 --follow 同用时默认为现在。",
        "Only from this moment on (in the platform's zone); with --follow, from now on unless it is given.",
    ),
    "cli.param.events.system": Text("只要这个系统的。", "Only those of this system."),
    "cli.param.events.limit": Text("最多列出多少条。", "Most lines to list."),
    "cli.param.events.follow": Text("持续显示，Ctrl-C 结束。", "Go on telling until Ctrl-C."),
    "cli.help.audit": Text("审计链。", "The chain of who did what."),
    "cli.help.audit.list": Text("列出审计事件，最早的在前。", "List events, oldest first."),
    "cli.help.audit.verify": Text(
        "重新计算整条审计链；断裂时退出码为 1。", "Recompute the whole chain; exits with 1 when it is broken."
    ),
    "cli.help.token": Text("令牌。", "Tokens."),
    "cli.help.token.create": Text(
        "签发令牌；其内容只显示这一次。", "Make a token; its secret is shown this once, or written to a private file."
    ),
    "cli.help.token.list": Text("列出令牌记录（不含内容）。", "List tokens as recorded; secrets are not recorded."),
    "cli.help.token.revoke": Text("立即作废令牌。", "End a token now."),
    "cli.help.login": Text(
        "记住一个服务及其令牌（交互输入、标准输入或 --token-file）。",
        "Remember a service and a token (typed in, from standard input, or from --token-file).",
    ),
    "cli.help.whoami": Text("显示平台眼中的我。", "Show the caller as the platform sees it."),
    "cli.help.init": Text(
        "建立状态目录、数据库结构和第一个运维令牌；重复运行不改变任何东西。",
        "Make the state and the first operator token; running it again changes nothing.",
    ),
    "cli.help.serve": Text("运行控制器，直到被要求停止。", "Run the controller until it is told to stop."),
    "cli.help.db": Text("状态库：备份、恢复、检查、升级。", "The state: back up, restore, check, upgrade."),
    "cli.help.db.backup": Text(
        "在服务运行时备份状态，并检查副本。", "Copy the state into a file while the service runs, and check the copy."
    ),
    "cli.help.db.restore": Text(
        "用备份替换状态；须先停止服务。", "Put a backup in place of the state; the service must not run."
    ),
    "cli.help.db.check": Text(
        "检查状态：结构、完整性、配额账目。", "Check the state: schema, integrity, and the quota books against the claims."
    ),
    "cli.help.db.upgrade": Text("把数据库结构升级到本程序所需版本。", "Bring the schema to what this program needs."),
    "cli.help.doctor": Text(
        "检查本机和状态，指出需要处理的问题。", "Check this machine and this state, and say what must be put right."
    ),
    "cli.help.simulate": Text(
        "用真实的放置核心回放一份申请记录（CSV，可为 .gz），写出每台云主机所在的主机。",
        "Replay a trace of requests (CSV, also .gz) through the placement core, and write the host of every machine.",
    ),
    "cli.help.schema": Text("打印工单语言的 JSON Schema。", "Print the JSON Schema of the ticket language, for editors."),
    "cli.help.version": Text("打印版本。", "Print the version."),
}

_PARAMETERS = {
    "cli.param.help": Text("显示帮助后退出。", "Show this help and exit."),
    "cli.param.server": Text("服务地址。", "Address of the service."),
    "cli.param.token_file": Text("令牌文件（权限 0600）。", "File of the token (mode 0600)."),
    "cli.param.context": Text("使用哪个已记住的服务。", "Which remembered service to use."),
    "cli.param.lang": Text("语言：zh-CN 或 en；默认取自 LANG。", "Language: zh-CN or en; by default that of LANG."),
    "cli.param.output": Text("输出形式。", "How answers are printed."),
    "cli.param.debug": Text("出错时显示完整的内部信息。", "On an error, show everything internal too."),
    "cli.param.file": Text("工单文件；- 表示标准输入。", "The ticket; - is standard input."),
    "cli.param.import.file": Text("站点文件；- 表示标准输入。", "The site document; - is standard input."),
    "cli.param.offline": Text("只按语言规则检查，不连接服务。", "Check against the language only, without a service."),
    "cli.param.full": Text("显示全部细节。", "Show every detail."),
    "cli.param.wait": Text(
        "等到完成，实时显示步骤；Ctrl-C 只停止显示。", "Wait until it is over, telling each step; Ctrl-C ends only the telling."
    ),
    "cli.param.timeout": Text("最多等待多久（秒）。", "Longest time to wait (s)."),
    "cli.param.confirm": Text("会丢失数据时须写系统名。", "The system's name, where data is destroyed."),
    "cli.param.host.lost.confirm": Text("再次写出主机名。", "The host's name, once more."),
    "cli.param.yes": Text("不询问。", "Do not ask."),
    "cli.param.dry_run": Text("只显示，不执行。", "Only show."),
    "cli.param.system": Text("系统名或 id。", "Name or id of a system."),
    "cli.param.department": Text("部门代码。", "Code of a department."),
    "cli.param.status.what": Text("工单 id 或系统名。", "Id of a ticket, or name of a system."),
    "cli.param.ticket": Text("工单 id。", "Id of a ticket."),
    "cli.param.reason": Text("原因。", "Why."),
    "cli.param.kind": Text("对象类别。", "Kind of thing."),
    "cli.param.name": Text("名称、代码或 id。", "Name, code or id."),
    "cli.param.host": Text("主机名或 id。", "Name or id of a host."),
    "cli.param.plan": Text("迁移计划的 id。", "Id of a plan of moves."),
    "cli.param.moves_most": Text("最多移动多少台。", "Most machines moved (count)."),
    "cli.param.memory_most_mib": Text("最多复制多少内存（MiB）。", "Most memory copied (MiB)."),
    "cli.param.horizon_h": Text("预计断电多少小时（h）。", "For how long freed hosts would be off (h)."),
    "cli.param.saving_least_wh_per_gib": Text(
        "每复制 1 GiB 至少节省的电量（Wh）。", "Least saving for each GiB to be copied (Wh)."
    ),
    "cli.param.plan-moves.make-room.size": Text("需要空间的云主机的规格名称。", "Size of the machines that need room."),
    "cli.param.plan-moves.make-room.count": Text("需要空间的云主机台数。", "How many machines need room (count)."),
    "cli.param.plan-moves.make-room.zone": Text(
        "只在该网络区域内；默认为全部。", "Within this network zone only; all by default."
    ),
    "cli.param.plan-moves.make-room.mlps_level": Text("其主机须满足的等保级别。", "MLPS level their hosts must be good for."),
    "cli.param.plan-moves.make-room.disk_class": Text("系统盘的存储类别。", "Class of their root disks."),
    "cli.param.moves_each_most": Text("腾空一台主机最多移动多少台。", "Most machines moved off one host to free it (count)."),
    "cli.param.fill_most_permille": Text(
        "留用主机的 vCPU 和内存最多占用多少（‰）。", "How full of vCPU and of memory the hosts that stay on may be (‰)."
    ),
    "cli.param.watts_idle": Text("空载功率（W）。", "What it draws with no load (W)."),
    "cli.param.watts_most": Text("满载功率（W）。", "What it draws with all of its load (W)."),
    "cli.param.dedicated_cpus": Text(
        "专用处理器（例如 4-15,20-31）：每个只给一台云主机。", "Processors given to one machine each, for example 4-15,20-31."
    ),
    "cli.param.shared_cpus": Text(
        "普通云主机共享的处理器，默认为其余全部。", "Processors that ordinary machines share; all others by default."
    ),
    "cli.param.trait": Text(
        "主机具备的特性（可重复）；工单和规格可以要求。", "What it has, by name (repeatable); tickets and sizes may ask."
    ),
    "cli.param.state": Text("状态。", "State."),
    "cli.param.with_gone": Text("也列出已释放的。", "List what is gone too."),
    "cli.param.limit": Text("最多列出多少条。", "Most items listed."),
    "cli.param.explain.what": Text(
        "云主机（id 或 系统/名称）或工单 id；或 placement、refusal，后跟对象。",
        "A machine (its id or SYSTEM/NAME) or the id of a ticket; or placement or refusal, and then its subject.",
    ),
    "cli.param.explain.name": Text("placement 或 refusal 的对象。", "Subject of placement or refusal."),
    "cli.param.explain.long": Text(
        "列出每台主机：得分，或在哪一项被排除（平台侧）。", "Every host: its score, or where it fell (for the platform's people)."
    ),
    "cli.param.explain.host": Text("只说这一台主机。", "Only this host."),
    "cli.param.start": Text("起始时刻（含）：日期、时间或纪元秒。", "First moment: a date, a time or epoch seconds."),
    "cli.param.end": Text("结束时刻（不含）；默认为现在。", "First moment after; by default now."),
    "cli.param.instance": Text(
        "云主机：id 或 系统/名称，例如 civil-affairs-portal/web-1。",
        "A machine: its id or SYSTEM/NAME, for example civil-affairs-portal/web-1.",
    ),
    "cli.param.max_bytes": Text("最多打印多少字节。", "Most bytes printed."),
    "cli.param.to": Text("目标状态。", "State to move to."),
    "cli.param.until": Text("预计到何时（日期或时间）。", "Until when (a date or time)."),
    "cli.param.pool": Text("资源池代码。", "Code of a pool."),
    "cli.param.connection": Text("连接地址，例如 qemu:///system。", "How to reach it, for example qemu:///system."),
    "cli.param.storage": Text("存储池，写作 类别:名称[:路径]，可多次。", "A storage pool as CLASS:NAME[:PATH]; may be repeated."),
    "cli.param.site": Text("机房所在地。", "Site."),
    "cli.param.room": Text("机房。", "Room."),
    "cli.param.rack": Text("机柜。", "Rack."),
    "cli.param.vendor": Text("厂商。", "Vendor."),
    "cli.param.owner": Text("归属单位。", "Owner."),
    "cli.param.warranty": Text("保修截止日。", "Last day of the warranty."),
    "cli.param.reserve_cpu": Text("为主机自身保留的 CPU 数。", "CPUs kept for the host itself (count)."),
    "cli.param.reserve_memory_mib": Text("为主机自身保留的内存（MiB）。", "Memory kept for the host itself (MiB)."),
    "cli.param.activate_": Text("登记后立即启用。", "Let it take machines at once."),
    "cli.param.prepare": Text("先在这台机器上运行 playbook 准备主机。", "First make it ready with the playbook, run from here."),
    "cli.param.host.enrol.dry_run": Text(
        "只检查准备会改变什么，不登记。", "Only say what preparing would change; enrol nothing."
    ),
    "cli.param.address": Text("准备时 ssh 的地址；空表示本机。", "Where ssh reaches it while preparing; empty: this machine."),
    "cli.param.user": Text("用户名。", "Name of the person or program."),
    "cli.param.host.enrol.user": Text("准备时 ssh 的用户。", "User of ssh while preparing."),
    "cli.param.private_key": Text("准备时 ssh 的私钥文件。", "File of the private key of ssh while preparing."),
    "cli.param.known_hosts": Text(
        "准备时核对主机身份的 known_hosts 文件。", "The known_hosts file the host is recognised by while preparing."
    ),
    "cli.param.source": Text("控制器所在机器上的文件，或 https URL。", "A file on the controller's machine, or an https URL."),
    "cli.param.sha256": Text("应有的 SHA-256；URL 必填。", "The SHA-256 it must have; needed for a URL."),
    "cli.param.arch": Text("处理器架构。", "Processor architecture."),
    "cli.param.title": Text("给人看的标题。", "Title for people."),
    "cli.param.kernel": Text("直接引导的内核文件。", "Kernel to boot directly."),
    "cli.param.initrd": Text("直接引导的初始内存盘。", "Initial ram disk to boot directly."),
    "cli.param.kernel_arguments": Text("内核参数。", "Arguments of the kernel."),
    "cli.param.scope": Text("部门或项目的代码。", "Code of a department or project."),
    "cli.param.dimension": Text(
        "维度：vcpu、memory_mib、disk_gib、instances、volumes、addresses。",
        "Dimension: vcpu, memory_mib, disk_gib, instances, volumes, addresses.",
    ),
    "cli.param.capacity.fit.size": Text("规格名称；或用下列选项。", "Name of a size, or use the options."),
    "cli.param.capacity.fit.vcpu": Text("vCPU 数。", "vCPUs."),
    "cli.param.capacity.fit.memory_mib": Text("内存 MiB。", "MiB of memory."),
    "cli.param.capacity.fit.disk_gib": Text("磁盘 GiB；默认规格的系统盘。", "GiB of disk; the size's root disk by default."),
    "cli.param.capacity.fit.disk_class": Text("磁盘类别。", "Class of disk."),
    "cli.param.capacity.fit.pool": Text("只看这个资源池。", "Only this pool."),
    "cli.param.capacity.fit.department": Text(
        "按这个部门（代码）的网络计算地址；默认按新网段计算。",
        "Count the addresses of this department's network (code of the department); by default those of new segments.",
    ),
    "cli.param.capacity.fit.network": Text("该部门网络的名称。", "Name of that network."),
    "cli.param.capacity.fit.system": Text(
        "信息系统（名称或编号）：各服务器组还可增加多少台，计入其分散规则和网络；同名时用 --department 指明部门。",
        "A system, by name or id: how many more machines each of its server groups could get, with its spread and its networks; "
        "--department tells two of one name apart.",
    ),
    "cli.param.capacity.fit.zone": Text("只看这个区域。", "Only this zone."),
    "cli.param.capacity.fit.spread": Text(
        "每个故障域最多一台：host、rack、room 或 site。", "One per failure domain at most: host, rack, room or site."
    ),
    "cli.param.capacity.forecast.pool": Text("只看这个资源池。", "Only this pool."),
    "cli.param.capacity.failure.hosts": Text("失效的主机。", "Hosts that fail."),
    "cli.param.capacity.hosts.files": Text("工单文件。", "Ticket files."),
    "cli.param.capacity.hosts.vcpu": Text("每台主机可承诺的 vCPU（含超分）。", "vCPUs that may be promised on one host."),
    "cli.param.capacity.hosts.memory_mib": Text("每台主机可承诺的内存 MiB。", "MiB that may be promised on one host."),
    "cli.param.capacity.hosts.disk": Text("每台主机的磁盘 类别:GiB，可重复。", "Disk of one host as CLASS:GIB; repeatable."),
    "cli.param.capacity.hosts.per_rack": Text("每个机架的主机数。", "Hosts of one rack."),
    "cli.param.capacity.hosts.survive": Text(
        "须能承受的失效：host:N 台主机，或 rack:N 个机架；备用主机计入结果。",
        "Loss to be survived: of N hosts (host:N) or racks (rack:N); those that stand by are counted.",
    ),
    "cli.param.reservation": Text("预留名称或编号。", "Name or id of a reservation."),
    "cli.param.reservation.create.name": Text("名称。", "Name."),
    "cli.param.reservation.create.project": Text("项目编号。", "Code of the project."),
    "cli.param.reservation.create.zone": Text("网络区域代码。", "Code of the zone."),
    "cli.param.reservation.create.until": Text(
        "截止时刻（不含），到时自动释放。", "Deadline (not included): then it frees itself."
    ),
    "cli.param.reservation.create.start": Text("从何时起可用；不写即现在。", "From when it is usable; now by default."),
    "cli.param.reservation.create.size": Text("规格名称。", "Name of a size."),
    "cli.param.reservation.create.vcpu": Text("不写规格时：每台 vCPU 数。", "Without a size: vCPUs of each machine."),
    "cli.param.reservation.create.memory_mib": Text("不写规格时：每台内存 MiB。", "Without a size: MiB of memory of each."),
    "cli.param.reservation.create.disk_gib": Text(
        "每台磁盘 GiB；默认规格的系统盘。", "GiB of disk of each; the size's root disk by default."
    ),
    "cli.param.reservation.create.disk_class": Text("磁盘类别。", "Class of disk."),
    "cli.param.reservation.create.count": Text("台数。", "How many machines."),
    "cli.param.reservation.create.mlps": Text("等保级别。", "MLPS level."),
    "cli.param.reservation.create.spread": Text("分散：none、host 或 rack。", "Spread: none, host or rack."),
    "cli.param.reservation.list.all_": Text("包括已结束的。", "Also those that are over."),
    "cli.param.quota.set.limit": Text("数量、unlimited 或 inherit。", "An amount, unlimited or inherit."),
    "cli.param.repair": Text("把计数改正（记入审计）。", "Put the counters right (an audited act)."),
    "cli.param.action": Text("只看这种操作，例如 ticket.submit。", "Only this action, for example ticket.submit."),
    "cli.param.actor": Text("只看此人。", "Only this person."),
    "cli.param.after": Text("从此编号之后开始。", "Begin after this number."),
    "cli.param.head": Text("另处保存的链尾，写作 编号:哈希。", "The end of the chain as kept elsewhere, as SEQ:HASH."),
    "cli.param.role": Text(
        "角色：operator、department_admin、department_reader、finance、auditor。",
        "Role: operator, department_admin, department_reader, finance, auditor.",
    ),
    "cli.param.days": Text("有效天数。", "How many days it is valid."),
    "cli.param.token.create.file": Text(
        "写入此文件（权限 0600），不显示。", "Write it to this file (mode 0600) instead of showing it."
    ),
    "cli.param.token.revoke.token": Text("令牌 id。", "Id of a token."),
    "cli.param.login.server": Text("服务地址。", "Address of the service."),
    "cli.param.login.name": Text("记住时用的名称。", "Name to remember it by."),
    "cli.param.ca_file": Text(
        "签发服务证书的 CA 文件（PEM）。", "PEM file of the authority that signed the service's certificate."
    ),
    "cli.param.zone": Text("显示时间所用的时区。", "Time zone that times are printed in."),
    "cli.param.config": Text("配置文件。", "Configuration file."),
    "cli.param.new_token": Text("再签发一个运维令牌（令牌丢失时）。", "Make another operator token (when the first is lost)."),
    "cli.param.paused": Text("启动后不动任何后端，直到恢复。", "Start with the loop off: nothing is changed at any back end."),
    "cli.param.simulate.trace": Text(
        "申请记录：列 vm,ticket,arrival_s,lifetime_s,vcpus,memory_mib；lifetime_s 为 -1 表示一直运行。",
        "The trace: columns vm,ticket,arrival_s,lifetime_s,vcpus,memory_mib; a lifetime_s of -1 never ends.",
    ),
    "cli.param.simulate.hosts": Text(
        "主机：列 name,vcpus,memory_mib，可加 rack、room、site。",
        "The hosts: columns name,vcpus,memory_mib and, if you like, rack, room, site.",
    ),
    "cli.param.simulate.placements": Text(
        "结果文件，每行 vm,主机；主机为主机文件中从 0 起的行号（不计表头），-1 表示被拒绝。",
        "The answer, vm,host in each line: the host is its line in the hosts file from 0, the header not counted; -1 is refused.",
    ),
    "cli.param.simulate.distinct_hosts_up_to": Text(
        "2 到这么多台的工单，其云主机放在不同主机上；0 表示不要求。",
        "Machines of a ticket of 2 up to so many go to distinct hosts; 0 asks for nothing.",
    ),
    "cli.param.simulate.moves": Text(
        "回放中不时腾空主机以便关机，并把迁移写入此文件：列 vm,at_s,from,to。",
        "Empty hosts from time to time so that they could be powered off, and write the moves here: vm,at_s,from,to.",
    ),
    "cli.param.simulate.moves_permille": Text(
        "迁移最多占云主机数的千分之几（配合 --moves）。", "Most moves for a thousand machines of the trace (with --moves)."
    ),
    "cli.param.simulate.consolidate_every_s": Text(
        "每隔多少秒规划一次迁移（配合 --moves）。", "Seconds from one plan of moves to the next (with --moves)."
    ),
    "cli.param.simulate.policy": Text(
        "放置策略名；默认为策略表的默认策略。", "Name of the placement policy; by default that of the table."
    ),
    "cli.param.simulate.policy_file": Text(
        "策略表文件；默认为自带的策略表。", "File of the table of policies; by default the one that ships."
    ),
    "cli.param.db.backup.file": Text("备份文件，不得已存在。", "File of the backup; must not exist yet."),
    "cli.param.db.restore.file": Text("备份文件。", "File of the backup."),
}

TEXTS: dict[str, Text] = _PANELS | _COMMANDS | _PARAMETERS
