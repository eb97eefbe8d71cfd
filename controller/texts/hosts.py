"""Texts of hosts, their pools and storage."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text


def _operator(zh: str, en: str, cure_zh: str, cure_en: str) -> Text:
    return Text(zh=zh, en=en, cure_zh=cure_zh, cure_en=cure_en, actor=Actor.OPERATOR)


TEXTS: Mapping[str, Text] = {
    "host.not_found": _operator(
        "没有名为 {host} 的宿主机。",
        "There is no host {host}.",
        "请核对名称，allot host list 列出全部宿主机。",
        "Check the name; allot host list shows them all.",
    ),
    "host.name_taken": _operator(
        "宿主机名称 {host} 已被使用。",
        "The host name {host} is taken.",
        "请换一个名称；若是同一台机器，无需重复登记。",
        "Choose another name. If it is the same machine, it is enrolled already.",
    ),
    "host.connection_taken": _operator(
        "连接地址 {connection} 已登记为宿主机 {other}，不能再登记为 {host}。",
        "{connection} is enrolled as host {other} and cannot be enrolled again as {host}.",
        "同一台机器只能登记一次，否则其容量会被重复分配；请改正连接地址，或先退役 {other}。",
        "One machine is one host, or its capacity would be promised twice. Correct the connection, or retire {other} first.",
    ),
    "host.storage_missing": _operator(
        "宿主机 {host} 上没有存储池 {storage_pool}，现有：{known}。",
        "Host {host} has no storage pool {storage_pool}. It has: {known}.",
        "请在该宿主机上建立并启用此存储池（allot host enrol --prepare 可代为建立），或改正名称。",
        "Make and start the pool on the host (allot host enrol --prepare does it), or correct the name.",
    ),
    "host.storage_twice": _operator(
        "宿主机 {host} 的存储池 {storage_pool} 写了两次。",
        "Storage pool {storage_pool} of host {host} is named twice.",
        "请删去重复的一项。",
        "Drop one of the two.",
    ),
    "host.storage_class_mixed": _operator(
        "宿主机 {host} 的存储池 {storage_pool} 不能是 {disk_class} 类：与宿主机 {other} 相比，一处只放系统盘，一处可放任何磁盘。",
        "Storage pool {storage_pool} of host {host} cannot be of class {disk_class}: it and that of host {other} "
        "do not both take root disks only, or any.",
        "本地盘（local_storage）请用单独的磁盘类别，例如 local；已有数据盘的类别不能改为本地盘。",
        "Give local disks (local_storage) a class of their own, local for example; a class with data disks cannot become local.",
    ),
    "host.amount_invalid": _operator(
        "宿主机 {host} 的 {field} 中 {dimension} = {amount} 不正确。",
        "{dimension} = {amount} in {field} of host {host} is not valid.",
        "可用项为 vcpu、memory_mib、disk_gib:<类别>；预留与容量不得为负，超分比例以千分之一为单位且至少为 1。",
        "Use vcpu, memory_mib or disk_gib:<class>; nothing below zero, overcommit (thousandths) at least 1.",
    ),
    "host.cpus_invalid": _operator(
        "宿主机 {host} 的 {field} 不是处理器集合：“{written}”。",
        "{field} of host {host} is no set of processors: “{written}”.",
        "例如 4-15,20-31（编号从 0 开始，小的在前）。",
        "Write for example 4-15,20-31 (numbers from 0, the lower one first).",
    ),
    "host.cpus_overlap": _operator(
        "宿主机 {host} 的处理器 {cpus} 既是专用又是共享。",
        "Processors {cpus} of host {host} are both dedicated and shared.",
        "每个处理器只能属于一个集合。",
        "Name each processor in one of the two sets only.",
    ),
    "host.cpus_unknown": _operator(
        "宿主机 {host} 没有处理器 {cpus}；它有 {known}。",
        "Host {host} has no processors {cpus}; it has {known}.",
        "请按宿主机实际的处理器编号填写（lscpu -e）；不报告 NUMA 单元的后端不能划分处理器。",
        "Use the numbers of the host (lscpu -e); a back end that shows no NUMA cells cannot divide its processors.",
    ),
    "host.too_many_traits": _operator(
        "登记宿主机 {host} 后共有 {count} 种特性，最多 {highest} 种。",
        "With host {host} there would be {count} different traits; placement tells {highest} apart.",
        "请使用已有的特性名称，或删去不再使用的特性。",
        "Use traits that exist, or drop those nobody asks for.",
    ),
    "host.facts_missing": _operator(
        "宿主机 {host} 还没有读取过硬件信息，不能投入使用。",
        "Host {host} was never read and cannot become active.",
        "请确认它可以连接；平台读到其 CPU、内存和存储后再设为 active。",
        "See that it can be reached; set it active once the platform has read its CPUs, memory and storage.",
    ),
    "host.not_empty": _operator(
        "宿主机 {host} 上仍有已分配的资源：{used:amounts}。",
        "Host {host} still holds promised resources: {used:amounts}.",
        "请先迁走或释放其上的资源，再执行此操作。",
        "Move or release what is on it first.",
    ),
    "host.in_service": _operator(
        "宿主机 {host} 的状态是 {state}：只有已停止服务的主机才能报告失效。",
        "Host {host} is {state}: only one that was taken out of service can be declared lost.",
        "请确认该主机已断电，再由一人执行 allot host cordon，由另一人报告失效。",
        "See that it is powered off, have one person cordon it (allot host cordon), and another declare it lost.",
    ),
    "host.still_answers": _operator(
        "宿主机 {host} 仍在应答，不能报告失效。",
        "Host {host} still answers: it is not lost.",
        "请用 allot host drain 迁走其上的云主机；若确要弃用，请先断电。",
        "Move its machines away with allot host drain; if it is to be given up, power it off first.",
    ),
    "host.own_loss": _operator(
        "宿主机 {host} 由 {by} 停止服务，须由另一人报告失效。",
        "{by} took host {host} out of service: another person must declare it lost.",
        "请另一位平台管理员执行此命令：其上磁盘的内容将被放弃。",
        "Have another operator do it: what is on its disks is given up.",
    ),
    "host.loss_confirmation_missing": _operator(
        "报告宿主机 {host} 失效将放弃其上全部磁盘的内容，须再次写出主机名称。",
        "Declaring host {host} lost gives up what is on its disks: its name must be typed once more.",
        "请加上 --confirm {host}；allot capacity failure {host} 可先查看各云主机的去处。",
        "Add --confirm {host}; allot capacity failure {host} shows first where its machines would go.",
    ),
    "host.until_past": _operator(
        "截止时间 {until_s} 已经过去。",
        "The time {until_s} is in the past.",
        "请填写将来的时间，或不填。",
        "Give a time in the future, or none.",
    ),
    "host.state_forbids": _operator(
        "宿主机 {host} 处于 {state} 状态，不能改为 {wanted}；可以改为：{allowed}。",
        "Host {host} is {state} and cannot become {wanted}. It may become: {allowed}.",
        "请先转到允许的状态。",
        "Go through one of the states that are allowed.",
    ),
    "host.changed_meanwhile": _operator(
        "宿主机 {host} 刚被他人修改，本次操作没有生效。",
        "Host {host} was just changed by somebody else; nothing was done.",
        "请重新查看后再操作。",
        "Look again and decide.",
    ),
    "pool.not_found": _operator(
        "没有名为 {pool} 的资源池，现有：{known}。",
        "There is no pool {pool}. Known: {known}.",
        "请改正资源池代码，或先在站点文件中定义。",
        "Correct the code of the pool, or define it in the site file first.",
    ),
    "pool.empty": _operator(
        "资源池 {pool} 还没有宿主机，无法访问其后端。",
        "Pool {pool} has no hosts yet: nobody knows where its back end is.",
        "请先登记一台宿主机（allot host enrol）。",
        "Enrol a host first (allot host enrol).",
    ),
    "storage_pool.not_found": _operator(
        "没有编号为 {storage_pool} 的存储池。",
        "There is no storage pool {storage_pool}.",
        "请核对宿主机的存储登记（allot host show）。",
        "Check the storage registered for the host (allot host show).",
    ),
}
