"""Texts of the ticket language and of the plan made from it."""

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.DEPARTMENT)


_TICKET = {
    "ticket.unknown_field": _error(
        "不认识的字段“{field}”。",
        "The field “{field}” is unknown.",
        "可写（最接近的在前）：{offered}。",
        "Offered, nearest first: {offered}.",
    ),
    "ticket.not_offered": _error(
        "本平台尚未提供：{field}。",
        "Not offered on this platform: {field}",
        "删去此项；如确有需要，请联系平台运维人员。",
        "Remove it; speak to the operator if you need it.",
    ),
    "ticket.secret_refused": _error(
        "工单中不得出现口令、密钥等秘密：{field}。",
        "A ticket must hold no secret: {field}",
        "删去它。工单会长期保存；已写入的口令请尽快更换。登录请用 ssh-keys（登录公钥）。",
        "Remove it, and change the password you wrote: tickets are kept for years. Use ssh-keys to log in.",
    ),
    "ticket.template_refused": _error(
        "文字中不得出现模板标记“{found}”。",
        "A text must not hold template marks: {found}",
        "删去这个标记。",
        "Remove it.",
    ),
    "ticket.user_data_secret": _error(
        "初始化数据中似乎设置了口令：“{found}”。",
        "The user data seem to set a password: “{found}”",
        "删去它，登录请用 ssh-keys（登录公钥）；秘密由服务器启动后自行获取。",
        "Remove it; log in with ssh-keys and let the server fetch its secrets itself.",
    ),
    "ticket.user_data_broken": _error(
        "初始化数据以 #cloud-config 开头，但其第 {line} 行不符合 YAML 格式（{reason}）。",
        "The user data begin with #cloud-config, but their line {line} is not YAML ({reason}).",
        "改正那一行，否则服务器启动时会忽略整段数据。",
        "Correct that line; the server would ignore all of it.",
    ),
    "ticket.bad_ssh_key": _error(
        "这不是可用的登录公钥：{written}。",
        "This is no usable public key: {written}",
        "粘贴 .pub 文件中的一整行（ssh-ed25519、ecdsa，或 2048 位以上的 ssh-rsa），前面不带选项。",
        "Paste the one line of the .pub file (ssh-ed25519, ecdsa, or ssh-rsa of at least 2048 bits), without options.",
    ),
    "ticket.field_out_of_place": _error(
        "操作 {action} 中不能写 {field}。",
        "{field} has no place in the action {action}.",
        "删去它；调整资源用 change（变更），延长租期用 renew（续租）。",
        "Remove it; resources are changed by change, leases by renew.",
    ),
    "ticket.absent_only_in_change": _error(
        "新建时不能写“删除”：{field}。", "Nothing can be absent in a create: {field}", "删去此项。", "Remove the item."
    ),
    "ticket.absent_with_fields": _error(
        "“{name}”要删除，却又写了 {fields}。",
        "“{name}” is to be removed but also says {fields}.",
        "删除时只写 name 和 state。",
        "Keep only name and state to remove it.",
    ),
    "ticket.lease_in_past": _error(
        "租期结束日 {date} 已过（今天是 {today}）。",
        "The lease would end on {date}, which is past (today is {today}).",
        "写一个今天以后的日期。",
        "Write a later day.",
    ),
    "ticket.lease_too_far": _error(
        "租期结束日 {date} 太远，最晚 {latest}。",
        "The lease would end on {date}; the latest is {latest}.",
        "检查年份；到期前可以续租。",
        "Check the year; a lease can be renewed before it ends.",
    ),
    "ticket.lease_resolved": Text(
        zh="租期“{written}”：到 {date} 当日结束为止。", en="The lease “{written}” lasts to the end of {date}."
    ),
    "ticket.lease_not_extended": _error(
        "续租到 {date} 早于现有的 {current}。",
        "The renewal to {date} is before the present end, {current}.",
        "写更晚的日期；提前不用请提交 release（释放）。",
        "Write a later day; to end early, release the system.",
    ),
    "ticket.too_many_machines": _error(
        "一份工单申请了 {count} 台，上限 {maximum} 台。",
        "The ticket asks for {count} machines; at most {maximum} are allowed.",
        "检查数量，或分成几个系统。",
        "Check the counts, or split it into several systems.",
    ),
    "ticket.unknown_name": _error(
        "{kind_zh}中没有“{written}”，或您无权使用。",
        "There is no {kind} “{written}”, or it is not yours to use.",
        "可用的有（最接近的在前）：{offered}。",
        "Offered, nearest first: {offered}.",
    ),
    "ticket.ambiguous_name": _error(
        "有多个{kind_zh}名为“{written}”。",
        "Several of kind {kind} are called “{written}”.",
        "改写代码，其中之一：{codes}。",
        "Write the code instead, one of {codes}.",
    ),
    "ticket.project_of_other_department": _error(
        "项目 {project} 不属于部门 {department}。",
        "The project {project} does not belong to the department {department}.",
        "核对项目编号与部门。",
        "Check both.",
    ),
    "ticket.project_closed": _error(
        "项目 {project} 已关闭，不能再申请新系统。",
        "The project {project} is closed and takes no new systems.",
        "换用有效的项目编号，或请平台重新开放此项目。",
        "Use an open project, or have this one opened again.",
    ),
    "ticket.mlps_above_zone": _error(
        "等保 {level} 级高于区域“{zone}”允许的 {maximum} 级。",
        "MLPS level {level} is above what the zone “{zone}” may hold, {maximum}.",
        "换用级别足够的网络区域。",
        "Choose a zone for that level.",
    ),
    "ticket.move_refused": _error(
        "变更不能把系统从 {current} 移到 {wanted}（{field}）。",
        "A change cannot move the system from {current} to {wanted} ({field}).",
        "删去此项；移交部门、更换项目或区域请联系平台运维人员。",
        "Remove it; speak to the operator about moving a system.",
    ),
    "ticket.missing_of_new": _error(
        "“{name}”是新增的，缺少 {field}。",
        "“{name}” is new and lacks {field}.",
        "补上它；若指已有的一项，请核对名称。",
        "Add it; if an existing one is meant, check its name.",
    ),
    "ticket.unknown_item": _error(
        "系统里没有“{name}”。",
        "The system has no “{name}”.",
        "现有的（最接近的在前）：{offered}。",
        "It has, nearest first: {offered}.",
    ),
    "ticket.no_server_left": _error(
        "变更后系统“{name}”一台服务器也不剩。",
        "The change would leave the system “{name}” without a server.",
        "整个系统不用了请提交 release（释放）。",
        "Release the system if it is no longer needed.",
    ),
    "ticket.disk_class_roots_only": _error(
        "磁盘类别 {disk_class} 是宿主机的本地盘，只能用作系统盘，不能用作数据盘“{name}”：本地盘随云主机一起删除。",
        "Class {disk_class} is the hosts' own disks: it takes root disks, that go with their machine, not data disk “{name}”.",
        "请为数据盘改写类别，可用的有：{offered}；没有可用的，则本平台在此不提供数据盘，请去掉它或联系平台运维人员。",
        "Give the data disk another class, of {offered}. With none, there are no data disks: drop it, or speak to the operator.",
    ),
    "ticket.zone_without_networks": _error(
        "网络区域 {zone} 的宿主机没有部门网络的能力，不能创建“{name}”的云主机。",
        "The hosts of zone {zone} have no department networks: the machines of “{name}” cannot be made there.",
        "请选择其他网络区域；allot host show 会逐台说明：OpenStack 区域的 Neutron 缺少扩展。",
        "Choose another zone. allot host show says so of each host: Neutron of an OpenStack region lacks an extension.",
    ),
    "ticket.size_not_made": _error(
        "网络区域 {zone} 的宿主机不提供“{name}”所要的规格（{asked}）。",
        "No host of zone {zone} makes machines of the size that “{name}” asks for ({asked}).",
        "可用的有：{offered}；需要其他规格请联系平台运维人员。",
        "They make: {offered}. For another size ask the operator, who may have it made there.",
    ),
    "ticket.first_boot_too_long": _error(
        "“{name}”的初始化数据与登录公钥合计 {found} 字节，超过 {most} 字节，后端无法传给云主机。",
        "User data and keys of “{name}” are {found} bytes together, more than the {most} that a machine can be given.",
        "请让初始化数据从别处下载其余内容，或减少公钥。",
        "Let the user data fetch the rest from elsewhere, or name fewer keys.",
    ),
    "ticket.root_disk_below_image": _error(
        "系统盘 {asked_gib} GiB 小于镜像“{image}”的 {image_gib} GiB。",
        "A root disk of {asked_gib} GiB is smaller than the image “{image}”, {image_gib} GiB.",
        "写 {image_gib}GiB 以上，或不写（按规格与镜像取默认）。",
        "Write at least {image_gib}GiB, or leave it out.",
    ),
    "ticket.arch_mismatch": _error(
        "架构 {arch} 与镜像“{image}”的 {image_arch} 不符。",
        "The architecture {arch} is not that of the image “{image}”, {image_arch}.",
        "换用该架构的镜像，或不写 arch。",
        "Choose an image of that architecture, or leave arch out.",
    ),
    "ticket.spread_max_without_spread": _error(
        "服务器组“{name}”写了 spread-max，但没有要求分散。",
        "The servers “{name}” say spread-max, but they are not spread.",
        "加上 spread（host、rack、room 或 site），或去掉 spread-max。",
        "Add a spread (host, rack, room or site), or leave spread-max out.",
    ),
    "ticket.base_stale": _error(
        "工单依据的是系统“{name}”的第 {base} 版，现在已是第 {revision} 版。",
        "The ticket was written against revision {base} of “{name}”; it is now at {revision}.",
        "查看系统现状（allot get {name}），核对差异后把 base（基准版本）改为 {revision}。",
        "Look at the system (allot get {name}), check the differences, then write base: {revision}.",
    ),
}

_PLAN = {
    "plan.replace_refused": _error(
        "“{name}”的 {field} 从 {before} 改为 {after} 需要重建服务器，平台不会擅自重建。",
        "Changing {field} of “{name}” from {before} to {after} needs new machines; nothing is replaced implicitly.",
        "新增一组使用新镜像的服务器，迁移数据后再用 state: absent 删除旧的一组。",
        "Add a group with the new image, move the data, then remove the old group with state: absent.",
    ),
    "plan.root_disk_fixed": _error(
        "“{name}”的系统盘不能从 {before} 改为 {after}。",
        "The root disk of “{name}” cannot change from {before} to {after}.",
        "增加一块数据盘，或新增一组服务器。",
        "Add a data disk, or a new group of servers.",
    ),
    "plan.disk_fixed": _error(
        "数据盘“{name}”不能从 {before} 改为 {after}。",
        "The data disk “{name}” cannot change from {before} to {after}.",
        "另加一块所需容量的数据盘，迁移数据后再删除旧盘。",
        "Add a disk of the wanted size, move the data, then remove the old one.",
    ),
    "plan.first_boot_only": _error(
        "“{name}”的 {field} 只在首次启动时生效，不能再改。",
        "{field} of “{name}” only counts at the first boot and cannot change.",
        "在服务器内修改，或新增一组服务器。",
        "Change it inside the machines, or add a new group.",
    ),
    "plan.field_fixed": _error(
        "“{name}”的 {field} 不能从 {before} 改为 {after}。",
        "{field} of “{name}” cannot change from {before} to {after}.",
        "删去此项；确需改变请新建系统或新增一组服务器。",
        "Remove it; if it must change, make a new system or a new group.",
    ),
    "plan.mlps_raise_refused": _error(
        "“{name}”的等保级别不能在运行中从 {before} 提高到 {after}。",
        "The MLPS level of “{name}” cannot rise from {before} to {after} while it runs.",
        "按新级别新建系统，迁移后释放旧系统。",
        "Create a system of the new level, move to it, then release this one.",
    ),
}

#: Where a value of the completed document comes from (``plan --full``).
_ORIGINS = {
    "plan.origin_ticket": Text(zh="工单", en="ticket"),
    "plan.origin_language": Text(zh="工单语言的默认值", en="default of the ticket language"),
    "plan.origin_platform": Text(zh="平台默认值", en="default of the platform"),
    "plan.origin_size": Text(zh="随规格和镜像", en="from size and image"),
    "plan.origin_image": Text(zh="随镜像", en="from the image"),
    "plan.origin_contact": Text(zh="同联系人", en="the contact"),
    "plan.origin_name": Text(zh="同系统名称", en="the system's name"),
    "plan.origin_system": Text(zh="系统现状", en="as the system is"),
}

TEXTS: dict[str, Text] = _TICKET | _PLAN | _ORIGINS
