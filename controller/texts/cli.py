"""Texts of the command line: its own errors, what it says, and the words of its tables."""

from controller.texts.text import Actor, Text


def _error(zh: str, en: str, cure_zh: str, cure_en: str, actor: Actor = Actor.NOBODY) -> Text:
    return Text(zh=zh, en=en, cure_zh=cure_zh, cure_en=cure_en, actor=actor)


_ERRORS = {
    "cli.usage": _error(
        "命令用法不正确：{message}",
        "wrong usage: {message}",
        "运行 {command} --help 查看用法。",
        "Run {command} --help.",
    ),
    "cli.no_such_command": _error(
        "没有命令“{written}”。",
        "there is no command “{written}”",
        "可写（最接近的在前）：{near}。",
        "Nearest first: {near}.",
    ),
    "cli.no_such_option": _error(
        "没有选项 {option}。", "there is no option {option}", "运行 {command} --help 查看可用选项。", "Run {command} --help."
    ),
    "cli.missing_parameter": _error(
        "缺少 {parameter}。", "{parameter} is missing", "运行 {command} --help 查看用法。", "Run {command} --help."
    ),
    "cli.unexpected": _error(
        "命令意外中断（{kind}：{reason}），编号 {incident}。",
        "the command broke off unexpectedly ({kind}: {reason}), incident {incident}",
        "加上 --debug 重新运行，把输出和编号交给平台运维人员。",
        "Run it again with --debug and give the output and the number to the operator.",
        Actor.OPERATOR,
    ),
    "cli.server_away": _error(
        "服务 {server} 没有应答：{reason}。",
        "the service {server} does not answer: {reason}",
        "稍后再试；若服务未启动，请运维人员运行 allot serve。",
        "Try again later; if it is not running, have the operator run allot serve.",
        Actor.OPERATOR,
    ),
    "cli.tls_failed": _error(
        "与 {server} 的加密连接未能建立：{reason}。",
        "the encrypted connection to {server} could not be made: {reason}",
        "核对服务证书；自签的 CA 用 allot login --ca-file 指定。",
        "Check the certificate; name an authority of your own with allot login --ca-file.",
        Actor.OPERATOR,
    ),
    "cli.not_allotment": _error(
        "应答不是来自本平台（HTTP {status}）。",
        "the answer is not from this platform (HTTP {status})",
        "检查 --server 的地址和端口，以及中间的代理。",
        "Check address and port of --server, and any proxy in between.",
    ),
    "cli.contexts_unreadable": _error(
        "无法读取 {path}：{reason}。",
        "{path} cannot be read: {reason}",
        "改正或删除该文件，然后运行 allot login。",
        "Correct or remove the file, then run allot login.",
    ),
    "cli.context_unknown": _error(
        "没有记住名为“{context}”的服务，已有：{known}。",
        "no service is remembered as “{context}”; known: {known}",
        "运行 allot login --name {context}。",
        "Run allot login --name {context}.",
    ),
    "cli.server_url": _error(
        "“{server}”不是服务地址。",
        "“{server}” is no address of a service",
        "写作 https://主机名:端口。",
        "Write https://name:port.",
    ),
    "cli.plain_http": _error(
        "{server} 未加密，令牌不会以明文发送到其他机器。",
        "{server} is not encrypted, and a token is not sent to another machine in the clear",
        "使用 https 地址。",
        "Use an https address.",
    ),
    "cli.token_file_missing": _error(
        "无法读取令牌文件 {path}：{reason}。",
        "the token file {path} cannot be read: {reason}",
        "检查 --token-file，或运行 allot login。",
        "Check --token-file, or run allot login.",
    ),
    "cli.token_file_open": _error(
        "令牌文件 {path} 可被其他用户读取，不予使用。",
        "the token file {path} can be read by others and is not used",
        "运行 chmod 600 {path}；若令牌可能已泄露，请作废后重新签发。",
        "Run chmod 600 {path}; if others may have seen it, revoke the token and make a new one.",
    ),
    "cli.file_unreadable": _error(
        "无法读取文件 {file}：{reason}。",
        "the file {file} cannot be read: {reason}",
        "检查路径和权限。",
        "Check path and permissions.",
    ),
    "cli.nobody_to_ask": _error(
        "这里无人可以回答确认。",
        "there is nobody here to answer the question",
        "加上 {option}。",
        "Add {option}.",
    ),
    "cli.kind_unknown": _error(
        "没有“{kind}”这类对象。", "there is nothing of kind “{kind}”", "可写：{known}。", "Write one of: {known}."
    ),
    "cli.not_found": _error(
        "{kind} 中没有“{name}”，或您无权查看。",
        "there is no “{name}” among {kind}, or it is not yours to see",
        "运行 allot get {kind} 查看全部。",
        "Run allot get {kind} to see them all.",
    ),
    "cli.machine_name": _error(
        "“{written}”不是虚拟机的写法。",
        "“{written}” does not name a machine",
        "写它的 id（inst_…），或 系统/名称，例如 civil-affairs-portal/web-1。",
        "Write its id (inst_…) or SYSTEM/NAME, for example civil-affairs-portal/web-1.",
    ),
    "cli.machine_unknown": _error(
        "系统 {system} 中没有虚拟机“{name}”。",
        "the system {system} has no machine “{name}”",
        "现有：{known}。",
        "It has: {known}.",
    ),
    "cli.no_ticket": _error(
        "系统 {system} 没有您可以查看的工单。",
        "the system {system} has no ticket you may see",
        "运行 allot get tickets 查看全部。",
        "Run allot get tickets to see them all.",
    ),
    "cli.no_explanation": _error(
        "工单 {ticket} 没有放置说明（它不需要放置虚拟机）。",
        "the ticket {ticket} has no explanation: it placed no machines",
        "运行 allot status {ticket} 查看进度。",
        "Run allot status {ticket} to see how far it is.",
    ),
    "cli.wait_too_long": _error(
        "等待时间已到，工单 {ticket} 仍在进行。",
        "the ticket {ticket} is still running, and the time to wait is over",
        "运行 allot status {ticket} --wait 继续等待。",
        "Run allot status {ticket} --wait to wait on.",
    ),
    "cli.storage_unreadable": _error(
        "“{written}”不是存储池的写法。",
        "“{written}” does not name a storage pool",
        "写作 类别:名称[:路径]，例如 standard:allot:/var/lib/libvirt/allot。",
        "Write CLASS:NAME[:PATH], for example standard:allot:/var/lib/libvirt/allot.",
    ),
    "cli.limit_unreadable": _error(
        "“{written}”不是配额。",
        "“{written}” is no limit",
        "写一个数量、unlimited 或 inherit。",
        "Write an amount, unlimited or inherit.",
    ),
    "cli.head_unreadable": _error(
        "“{written}”不是链尾。",
        "“{written}” is no end of a chain",
        "写作 编号:哈希，见 allot audit verify 的输出。",
        "Write SEQ:HASH as allot audit verify prints it.",
    ),
    "cli.moment_unreadable": _error(
        "“{text}”不是日期或时间。",
        "“{text}” is no date or time",
        "写作 2027-02-28 或 2027-02-28T18:00。",
        "Write 2027-02-28 or 2027-02-28T18:00.",
    ),
    "cli.init_directory_failed": _error(
        "无法建立目录 {path}：{reason}。",
        "the directory {path} cannot be made: {reason}",
        "检查权限，或在 [state] 中改 directory。",
        "Check permissions, or set another directory in [state].",
        Actor.OPERATOR,
    ),
}

_SAY = {
    "cli.cure": Text("处理办法：{cure}", "what to do: {cure}"),
    "cli.incident": Text("编号：{incident}", "incident: {incident}"),
    "cli.overrun": Text(
        "{scope} 的 {dimension}：上限 {limit}，已用 {used}，变更后 {after}",
        "{dimension} of {scope}: limit {limit}, used {used}, {after} afterwards",
    ),
    "cli.say.nothing": Text("没有。", "Nothing."),
    "cli.say.check_ok": Text("工单“{system}”没有错误。", "The ticket for “{system}” has no mistakes."),
    "cli.say.check_ok_offline": Text(
        "工单“{system}”符合语言规则（未与平台核对名称）。",
        "The ticket for “{system}” is well written (names were not compared with the platform).",
    ),
    "cli.say.plan_impossible": Text("现在提交会被拒绝。", "Handed in now, it would be refused."),
    "cli.say.apply_this": Text("执行以上计划吗？", "Do all this?"),
    "cli.say.not_applied": Text("未执行，没有任何改动。", "Not done; nothing was changed."),
    "cli.say.type_name": Text(
        "这将永久删除数据。请输入系统名 {system} 以确认：",
        "This destroys data for good. Type the system's name, {system}, to confirm:",
    ),
    "cli.say.type_token": Text("令牌", "token"),
    "cli.say.ticket_accepted": Text(
        "工单 {ticket} 已受理（{state}）。查看进度：allot status {ticket} --wait",
        "Ticket {ticket} is {state}. Follow it with: allot status {ticket} --wait",
    ),
    "cli.say.ticket_waits": Text(
        "工单 {ticket} 等待第二人审批：由另一人运行 allot approve {ticket}",
        "Ticket {ticket} waits for a second person, who runs: allot approve {ticket}",
    ),
    "cli.say.ticket_done": Text(
        "工单 {ticket} 已完成，系统“{system}”已是所要的样子。", "Ticket {ticket} is done: “{system}” is as wanted."
    ),
    "cli.say.still_running": Text(
        "工单 {ticket} 仍在进行，不受影响。继续查看：allot status {ticket} --wait",
        "Ticket {ticket} goes on all the same. Follow it with: allot status {ticket} --wait",
    ),
    "cli.say.waiting": Text("等待工单 {ticket} …", "waiting for ticket {ticket} …"),
    "cli.say.waiting_state": Text("{state} …", "{state} …"),
    "cli.say.service_away": Text("服务暂时没有应答，继续等待 …", "the service does not answer for the moment; waiting on …"),
    "cli.say.end_done": Text("工单 {ticket} 已完成。", "Ticket {ticket} is done."),
    "cli.say.end_failed": Text(
        "工单 {ticket} 失败；已占用的容量保留。可运行 allot retry {ticket} 重试，或释放系统“{system}”。",
        "Ticket {ticket} failed; what it claimed is kept. Run allot retry {ticket}, or release “{system}”.",
    ),
    "cli.say.end_refused": Text("工单 {ticket} 被拒绝。", "Ticket {ticket} was refused."),
    "cli.say.end_cancelled": Text("工单 {ticket} 已撤回。", "Ticket {ticket} was withdrawn."),
    "cli.say.end_awaiting_approval": Text(
        "工单 {ticket} 等待第二人审批：由另一人运行 allot approve {ticket}",
        "Ticket {ticket} waits for a second person, who runs: allot approve {ticket}",
    ),
    "cli.say.decision": Text("{at} {by} {decision} {reason}", "{at} {by} {decision} {reason}"),
    "cli.say.more_exist": Text(
        "只列出了前 {limit} 条；用 --limit 列出更多。", "Only the first {limit} are listed; see more with --limit."
    ),
    "cli.say.start_ordered": Text("虚拟机 {name}（{id}）将启动。", "Machine {name} ({id}) will be started."),
    "cli.say.stop_ordered": Text("虚拟机 {name}（{id}）将停止。", "Machine {name} ({id}) will be stopped."),
    "cli.say.import_plan": Text("{count} 项变更，{unchanged} 项不变。", "{count} to change, {unchanged} as they are."),
    "cli.say.imported": Text("已导入，{count} 项变更。", "Imported, {count} changed."),
    "cli.say.image_imported": Text(
        "镜像 {name} 已导入（{gib} GiB，sha256 {sha256}）。", "Image {name} was taken in ({gib} GiB, sha256 {sha256})."
    ),
    "cli.say.quota_set": Text(
        "{scope} 的 {dimension} 配额设为 {limit}，已用 {used}。", "{dimension} of {scope} is now {limit}; {used} used."
    ),
    "cli.say.no_drift": Text("全部计数与占用一致。", "Every counter equals the claims."),
    "cli.say.drift_found": Text(
        "{count} 个计数与占用不一致；用 --repair 改正。", "{count} counters differ from the claims; put them right with --repair."
    ),
    "cli.say.drift_repaired": Text(
        "已改正 {count} 个计数，并记入审计。", "{count} counters were put right; the audit chain tells of it."
    ),
    "cli.say.chain_intact": Text("审计链完整，共 {count} 条。", "The chain is intact: {count} events."),
    "cli.say.chain_broken": Text("审计链不完整（检查了 {count} 条）：", "The chain is broken ({count} events checked):"),
    "cli.say.chain_head": Text(
        "链尾 {seq}:{hash}，请保存在平台之外。", "Its end is {seq}:{hash}; keep that outside the platform."
    ),
    "cli.say.token_made": Text(
        "令牌 {id}：{user}（{role}），有效至 {until}。内容只显示这一次：",
        "Token {id} for {user} ({role}), valid until {until}. Its secret is shown this once:",
    ),
    "cli.say.token_written": Text(
        "令牌 {id}：{user}（{role}），有效至 {until}。内容已写入 {path}（仅本人可读）。",
        "Token {id} for {user} ({role}), valid until {until}. Its secret is in {path}, readable by you alone.",
    ),
    "cli.say.token_revoked": Text("令牌 {id}（{user}）已作废。", "Token {id} of {user} is revoked."),
    "cli.say.logged_in": Text(
        "已登录：{user}（{role}）。令牌保存在 {path}。", "Known there as {user} ({role}). The token is kept in {path}."
    ),
    "cli.init.made": Text("已建立状态：{state}", "The state was made: {state}"),
    "cli.init.there": Text("状态已存在：{state}", "The state is there already: {state}"),
    "cli.init.token_there": Text(
        "已有运维令牌；若已丢失，运行 allot init --new-token。",
        "There is an operator token already; if it is lost, run allot init --new-token.",
    ),
    "cli.init.token_kept": Text(
        "{user} 的运维令牌（{days} 天有效）保存在 {path}，只显示这一次：",
        "The operator token of {user} (valid for {days} days) is kept in {path} and shown this once:",
    ),
    "cli.db.backed_up": Text(
        "已备份到 {path}（{size_bytes} 字节），副本检查无误。", "Backed up to {path} ({size_bytes} bytes); the copy is sound."
    ),
    "cli.db.replace_state": Text("用备份替换当前状态吗？", "Replace the present state by the backup?"),
    "cli.db.restored": Text("已从 {path} 恢复。", "Restored from {path}."),
    "cli.db.kept": Text("原来的状态保留在 {path}。", "The former state is kept in {path}."),
    "cli.db.fine": Text("状态完好。", "The state is sound."),
    "cli.db.upgraded": Text("数据库结构版本 {revision}。", "The schema is at {revision}."),
    "cli.db.url": Text("状态", "state"),
    "cli.db.revision_found": Text("结构版本", "schema"),
    "cli.db.revision_wanted": Text("所需版本", "schema wanted"),
    "cli.db.sqlite_version": Text("SQLite", "SQLite"),
    "cli.db.journal_mode": Text("日志模式", "journal mode"),
    "cli.db.problems": Text("问题", "problems"),
    "cli.prepare.begun": Text("正在准备主机 {host} …", "preparing {host} …"),
    "cli.prepare.done": Text(
        "主机 {host} 已就绪：改变 {changed} 项，共 {ok} 项，用时 {took_s} 秒。",
        "{host} is ready: {changed} of {ok} steps changed something, {took_s} s.",
    ),
    "cli.prepare.would_change": Text(
        "主机 {host} 将改变 {changed} 项（共 {ok} 项），未作改动。",
        "{changed} of {ok} steps would change something on {host}; nothing was changed.",
    ),
    "cli.plan.title": Text(
        "{action}系统“{system}”（{department}，项目 {project}，{zone}）",
        "{action} the system “{system}” ({department}, project {project}, {zone})",
    ),
    "cli.plan.noop": Text(
        "没有变更：系统已是第 {revision} 版所写的样子。", "No changes: the system is as written already (revision {revision})."
    ),
    "cli.plan.changes": Text("变更（{count} 项）", "Changes ({count})"),
    "cli.plan.more": Text("  …… 另有 {count} 项，用 --full 查看", "  … and {count} more; see them with --full"),
    "cli.plan.price": Text("价格（{month} 整月）", "Price (the whole of {month})"),
    "cli.plan.price_line": Text("  {before} 元 → {after} 元", "  {before} yuan → {after} yuan"),
    "cli.plan.quota": Text("配额", "Quota"),
    "cli.plan.approvals": Text("需要审批：{stages}", "Must be approved by: {stages}"),
    "cli.plan.does_not_fit": Text("放不下", "It does not fit"),
    "cli.plan.fits": Text("放置：{count} 台虚拟机，{hosts} 台主机。", "Fits: {count} machines on {hosts} hosts."),
    "cli.explain.placed": Text(
        "{members} 放在主机 {host}（共考虑 {total} 台）", "{members}: on host {host} (of {total} looked at)"
    ),
    "cli.explain.refused": Text(
        "{members} 没有合适的主机（共考虑 {total} 台）", "{members}: no host fits (of {total} looked at)"
    ),
    "cli.explain.suggestions": Text("以下办法之一可以放下：", "It would fit if one of these were done:"),
    "cli.explain.policy": Text("放置策略 {policy}", "placement policy {policy}"),
    "cli.usage.title": Text("{start} 至 {end}", "From {start} to {end}"),
    "cli.usage.totals": Text("合计", "Totals"),
    "cli.usage.price": Text("合计 {price} 元", "{price} yuan in all"),
}


def _words(prefix: str, table: dict[str, tuple[str, str]]) -> dict[str, Text]:
    return {f"{prefix}.{name}": Text(zh=zh, en=en) for name, (zh, en) in table.items()}


_WORDS = _words(
    "cli.word",
    {
        # Actions
        "create": ("新建", "create"),
        "change": ("变更", "change"),
        "renew": ("续租", "renew"),
        "release": ("释放", "release"),
        # Tickets
        "planned": ("已计划", "planned"),
        "awaiting_approval": ("等待审批", "awaiting approval"),
        "accepted": ("已受理", "accepted"),
        "running": ("运行中", "running"),
        "done": ("已完成", "done"),
        "failed": ("失败", "failed"),
        "refused": ("已拒绝", "refused"),
        "cancelled": ("已撤回", "cancelled"),
        "approved": ("同意", "approved"),
        "rejected": ("驳回", "rejected"),
        "second-person": ("第二人", "a second person"),
        # Systems
        "absent": ("无", "absent"),
        "building": ("建设中", "building"),
        "active": ("在用", "active"),
        "degraded": ("降级", "degraded"),
        "releasing": ("释放中", "releasing"),
        "released": ("已释放", "released"),
        # Resources
        "unknown": ("未知", "unknown"),
        "present": ("存在", "present"),
        "stopped": ("已停止", "stopped"),
        "paused": ("已暂停", "paused"),
        "crashed": ("已崩溃", "crashed"),
        "pending": ("待处理", "pending"),
        "working": ("处理中", "working"),
        "settled": ("稳定", "settled"),
        "gone": ("已消失", "gone"),
        # Hosts
        "enrolled": ("已登记", "enrolled"),
        "cordoned": ("停止接收", "cordoned"),
        "draining": ("腾空中", "draining"),
        "maintenance": ("维护", "maintenance"),
        "retired": ("已退役", "retired"),
        "reachable": ("可达", "reachable"),
        "unreachable": ("不可达", "unreachable"),
        # Findings
        "open": ("未处理", "open"),
        "repaired": ("已修复", "repaired"),
        "closed": ("已关闭", "closed"),
        # Impact
        "impact_restart": ("需重启", "restart"),
        "impact_downtime": ("有停机", "downtime"),
        "impact_data_loss": ("丢失数据", "data loss"),
        # Kinds
        "kind_instance": ("虚拟机", "machine"),
        "kind_volume": ("数据盘", "disk"),
        "kind_group": ("组", "group"),
        "kind_system": ("系统", "system"),
        # Limits
        "no_limit": ("不限", "no limit"),
        "over": ("超出", "over"),
        "unlimited": ("不限", "unlimited"),
        "inherit": ("继承", "inherit"),
        "yes": ("是", "yes"),
        "no": ("否", "no"),
    },
)

_DIMENSIONS = _words(
    "cli.dimension",
    {
        "vcpu": ("vCPU", "vCPU"),
        "memory_mib": ("内存 MiB", "memory MiB"),
        "disk_gib": ("磁盘 GiB", "disk GiB"),
        "instances": ("虚拟机数", "machines"),
        "volumes": ("数据盘数", "disks"),
        "addresses": ("地址数", "addresses"),
        "address": ("地址", "addresses"),
    },
)

_WEIGHERS = _words(
    "cli.weigher",
    {
        "pack": ("填满", "pack"),
        "spread_load": ("分摊", "spread load"),
        "balance": ("均衡", "balance"),
        "soft_spread": ("软分散", "soft spread"),
        "storage": ("存储", "storage"),
        "keep_accelerators": ("保留加速卡", "keep accelerators"),
    },
)

_FIELDS = _words(
    "cli.field",
    {
        "vcpu_count": ("vCPU", "vCPU"),
        "memory_mib": ("内存 MiB", "memory MiB"),
        "size": ("规格", "size"),
        "image": ("镜像", "image"),
        "root_disk_gib": ("系统盘 GiB", "root disk GiB"),
        "root_disk_class": ("系统盘类别", "root disk class"),
        "size_gib": ("大小 GiB", "size GiB"),
        "disk_class": ("类别", "class"),
        "networks": ("网络", "networks"),
        "lease_end": ("租期至", "lease end"),
        "spread": ("分散", "spread"),
        "count": ("数量", "count"),
        "disks": ("数据盘", "disks"),
    },
)

_COLUMNS = _words(
    "cli.column",
    {
        "blank": ("", ""),
        "id": ("编号", "id"),
        "name": ("名称", "name"),
        "code": ("代码", "code"),
        "title": ("标题", "title"),
        "kind": ("类别", "kind"),
        "state": ("状态", "state"),
        "phase": ("阶段", "phase"),
        "step": ("步骤", "step"),
        "desired": ("期望", "desired"),
        "host": ("主机", "host"),
        "address": ("地址", "address"),
        "vcpu": ("vCPU", "vCPU"),
        "vcpu_count": ("vCPU", "vCPU"),
        "memory_mib": ("内存 MiB", "memory MiB"),
        "disk_gib": ("磁盘 GiB", "disk GiB"),
        "root_disk_gib": ("系统盘 GiB", "root disk GiB"),
        "disk_class": ("类别", "class"),
        "disks": ("数据盘", "disks"),
        "volumes": ("数据盘", "Disks"),
        "instances": ("虚拟机", "Machines"),
        "size": ("规格", "size"),
        "system": ("系统", "system"),
        "action": ("操作", "action"),
        "by": ("提交人", "by"),
        "created": ("创建于", "created"),
        "accepted": ("受理于", "accepted"),
        "finished": ("结束于", "finished"),
        "ticket": ("工单", "ticket"),
        "story": ("经过", "Story"),
        "revision": ("版本", "revision"),
        "lease_end": ("租期至", "lease until"),
        "mlps_level": ("等保级别", "MLPS level"),
        "mlps_max": ("最高等保级", "highest MLPS"),
        "environment": ("环境", "environment"),
        "owner": ("归属", "owner"),
        "reachability": ("可达", "reachability"),
        "place": ("位置", "place"),
        "reason": ("原因", "reason"),
        "until": ("直到", "until"),
        "connection": ("连接", "connection"),
        "vendor": ("厂商", "vendor"),
        "warranty": ("保修至", "warranty until"),
        "arch": ("架构", "arch"),
        "virtualisation": ("虚拟化", "virtualisation"),
        "cpu_count": ("CPU", "CPUs"),
        "reserved": ("保留", "reserved"),
        "observed_at": ("观察于", "seen at"),
        "capacity": ("可承诺", "Capacity"),
        "total": ("总量", "total"),
        "foreign": ("外来", "foreign"),
        "running": ("运行", "running"),
        "uuid": ("UUID", "UUID"),
        "subject": ("对象", "subject"),
        "first_seen": ("首次发现", "first seen"),
        "last_seen": ("最近发现", "last seen"),
        "driver": ("驱动", "driver"),
        "network_class": ("网络类别", "network class"),
        "address_range": ("地址段", "address range"),
        "disk_format": ("格式", "format"),
        "virtual_size_gib": ("GiB", "GiB"),
        "budget_code": ("预算编号", "budget code"),
        "scope": ("范围", "scope"),
        "dimension": ("维度", "dimension"),
        "used": ("已用", "used"),
        "after": ("变更后", "after"),
        "limit": ("上限", "limit"),
        "counted": ("实数", "counted"),
        "filter": ("筛选", "filter"),
        "fell": ("排除", "fell"),
        "left": ("剩余", "left"),
        "score": ("得分", "score"),
        "department": ("部门", "department"),
        "resource": ("资源", "resource"),
        "meter": ("计量项", "meter"),
        "seconds": ("秒", "seconds"),
        "charged_seconds": ("计费秒", "charged s"),
        "unit_seconds": ("单位·秒", "unit seconds"),
        "unit": ("单位", "unit"),
        "price_yuan": ("价格（元）", "price (yuan)"),
        "seq": ("序号", "no."),
        "at": ("时间", "at"),
        "actor": ("人员", "actor"),
        "target": ("对象", "target"),
        "result": ("结果", "result"),
        "source": ("来源", "from"),
        "user": ("用户", "user"),
        "role": ("角色", "role"),
        "expires": ("有效至", "expires"),
        "revoked": ("作废于", "revoked"),
        "token": ("令牌", "token"),
        "server": ("服务", "service"),
    },
)

TEXTS: dict[str, Text] = _ERRORS | _SAY | _WORDS | _DIMENSIONS | _WEIGHERS | _FIELDS | _COLUMNS
