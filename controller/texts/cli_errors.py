"""Texts of the command line's own errors."""

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.NOBODY)


TEXTS: dict[str, Text] = {
    "cli.value_not_number": _error(
        "{parameter} 应为整数，写的是“{written}”。",
        "{parameter} takes a whole number, not “{written}”",
        "运行 {command} --help 查看用法。",
        "Run {command} --help.",
    ),
    "cli.value_too_small": _error(
        "{parameter} 至少为 {least}，写的是“{written}”。",
        "{parameter} is at least {least}, not “{written}”",
        "运行 {command} --help 查看用法。",
        "Run {command} --help.",
    ),
    "cli.value_too_big": _error(
        "{parameter} 至多为 {most}，写的是“{written}”。",
        "{parameter} is at most {most}, not “{written}”",
        "运行 {command} --help 查看用法。",
        "Run {command} --help.",
    ),
    "cli.value_not_a_choice": _error(
        "{parameter} 不能写“{written}”。", "{parameter} cannot be “{written}”", "可写：{choices}。", "Write one of: {choices}."
    ),
    "cli.output_unwritable": _error(
        "无法写标准输出：{reason}。",
        "standard output cannot be written: {reason}",
        "命令本身的请求可能已经完成：先查看结果（allot status、allot get），再把输出写到有空间的地方。",
        "What was asked for may be done already: look first (allot status, allot get), then write where there is room.",
    ),
    "cli.value_unfit": _error(
        "{parameter} 的值不合适。",
        "the value of {parameter} does not fit",
        "运行 {command} --help 查看用法。",
        "Run {command} --help.",
    ),
    "cli.option_value": _error(
        "选项 {option} 缺少值，或不带值却写了值。",
        "the option {option} lacks its value, or has one and takes none",
        "运行 {command} --help 查看用法。",
        "Run {command} --help.",
    ),
    "cli.too_many_arguments": _error(
        "{command} 后面多写了内容。",
        "there are more words than {command} takes",
        "运行 {command} --help 查看用法；含空格的名称要加引号。",
        "Run {command} --help; put names with spaces in quotes.",
    ),
    "cli.command_missing": _error(
        "{command} 后面缺少子命令，或没有所写的子命令。",
        "{command} needs one of its commands, and there is none of what is written",
        "可写：{known}。",
        "Write one of: {known}.",
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
        "缺少 {parameter}。",
        "{parameter} is missing",
        "运行 {command} --help 查看用法。",
        "Run {command} --help.",
    ),
    "cli.unexpected": _error(
        "命令意外中断（{kind}：{reason}），编号 {incident}。",
        "the command broke off unexpectedly ({kind}: {reason}), incident {incident}",
        "加上 --debug 重新运行，把输出和编号交给平台运维人员。",
        "Run it again with --debug and give the output and the number to the operator.",
        Actor.OPERATOR,
    ),
    "cli.fit_of_system": _error(
        "--system 按该系统自己的规格、分散规则和网络计算，不能再写规格、数量、资源池、区域、分散或网络。",
        "--system counts with the system's own sizes, spread and networks, and takes no other option but --department",
        "请去掉其余选项，或去掉 --system。",
        "Leave the other options away, or --system.",
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
    "cli.token_malformed": _error(
        "令牌文件 {path} 的内容不是一个令牌。",
        "the token file {path} does not hold one token",
        "文件中只放一行令牌；或运行 allot login。",
        "Put the token in it on one line, or run allot login.",
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
    "cli.adopt_nothing_named": _error(
        "没有指明要纳管哪些云主机。",
        "it is not said which machines are to be adopted",
        "加上 --owner 或 --machine；allot adopt candidates 可查看。",
        "Add --owner or --machine; allot adopt candidates lists them.",
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
    "cli.name_empty": _error(
        "名称不能为空。",
        "a name cannot be empty",
        "写出名称或 id；在脚本中请检查变量是否有值。",
        "Write the name or the id; in a script look whether the variable has a value.",
    ),
    "cli.machine_name": _error(
        "“{written}”不是云主机的写法。",
        "“{written}” does not name a machine",
        "写它的 id（inst_…），或 系统/名称，例如 civil-affairs-portal/web-1。",
        "Write its id (inst_…) or SYSTEM/NAME, for example civil-affairs-portal/web-1.",
    ),
    "cli.machine_unknown": _error(
        "系统 {system} 中没有云主机“{name}”。",
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
        "工单 {ticket} 没有放置说明（它不需要放置云主机）。",
        "the ticket {ticket} has no explanation: it placed no machines",
        "运行 allot status {ticket} 查看进度。",
        "Run allot status {ticket} to see how far it is.",
    ),
    "cli.changed_meanwhile": _error(
        "读取之后已有他人修改，本次没有写入。",
        "somebody else changed this after it was read; nothing was written",
        "运行 {look} 查看当前内容，仍需修改时再运行一次本命令。",
        "Run {look} to see what stands now, and run this command again if you still want the change.",
    ),
    "cli.list_too_long": _error(
        "列表超过 {count} 项，未全部读取。",
        "the list has more than {count} items, and was not read whole",
        "用命令的选项（allot 命令 --help）缩小范围，或通过接口逐页读取。",
        "Narrow it with the command's options (see its --help), or read it page by page through the API.",
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
