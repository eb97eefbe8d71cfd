"""Texts of the faults that only the libvirt driver raises."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text

TEXTS: Mapping[str, Text] = {
    "driver.access_denied": Text(
        zh="宿主机（{connection}）拒绝了控制器的登录。",
        en="The host at {connection} does not let the controller in.",
        cure_zh="请在该宿主机上检查 libvirt 的认证设置，并核对控制器的证书、密钥或用户组。",
        cure_en="Check libvirt's authentication on that host, and the controller's certificate, key or group.",
        actor=Actor.OPERATOR,
    ),
    "driver.call_failed": Text(
        zh="宿主机没有完成操作 {verb}：{reason}",
        en="The host did not carry out {verb}: {reason}",
        cure_zh="系统会自动重试；若持续出现，请查看该宿主机的 libvirt 日志。",
        cure_en="It is retried by itself. If it stays, read the log of libvirt on that host.",
        actor=Actor.OPERATOR,
    ),
    "driver.refused": Text(
        zh="宿主机拒绝了操作 {verb}，重试也不会成功：{reason}",
        en="The host refuses {verb} and will refuse it again: {reason}",
        cure_zh="请检查该宿主机的 libvirt 与 QEMU 版本及配置；如无异常，请把此信息报告给平台维护者。",
        cure_en="Check versions and settings of libvirt and QEMU on that host; if they are right, tell the maintainers.",
        actor=Actor.OPERATOR,
    ),
    "driver.unsupported": Text(
        zh="宿主机的 libvirt 没有操作 {verb} 所需的功能。",
        en="libvirt on this host lacks what {verb} needs.",
        cure_zh="请升级该宿主机的 libvirt，或改用其他宿主机。",
        cure_en="Upgrade libvirt on that host, or use another host.",
        actor=Actor.OPERATOR,
    ),
    "driver.not_ours": Text(
        zh="宿主机上已有同名的{kind} {name}，但不是本平台创建的，因此不做任何改动。",
        en="The host already has a {kind} {name} that this platform did not make; it is left alone.",
        cure_zh="请确认它的用途；确属多余时由人工改名或删除，然后重试工单。",
        cure_en="Find out whose it is; rename or remove it by hand if it is not needed, then retry the ticket.",
        actor=Actor.OPERATOR,
    ),
    "driver.image_damaged": Text(
        zh="写入存储池 {storage_pool} 的文件 {name} 读回后内容不一致，已删除。",
        en="File {name} in storage pool {storage_pool} was not what was sent when it was read back; it was removed.",
        cure_zh="系统会自动重传；若再次出现，请检查该宿主机的磁盘和内存。",
        cure_en="It is sent again by itself. If it happens again, check the disks and the memory of that host.",
        actor=Actor.OPERATOR,
    ),
    "driver.file_unreadable": Text(
        zh="控制器读不到文件 {file}。",
        en="The controller cannot read file {file}.",
        cure_zh="请检查控制器镜像目录的磁盘和权限，必要时重新导入镜像（allot image import）。",
        cure_en="Check disk and permissions of the controller's image directory; or import the image again (allot image import).",
        actor=Actor.OPERATOR,
    ),
    "driver.volume_differs": Text(
        zh="存储池 {storage_pool} 中磁盘 {volume_id} 所基于的镜像与要求的不同，未作改动。",
        en="Disk {volume_id} in storage pool {storage_pool} stands on another image than asked for; it was not changed.",
        cure_zh="平台从不更换已有磁盘的镜像。请新建云主机，或请管理员查明该磁盘的来历。",
        cure_en="The image of an existing disk is never replaced. Make a new machine, or find out where the disk came from.",
        actor=Actor.OPERATOR,
    ),
    "driver.segment_differs": Text(
        zh="部门网络 {segment_id} 在宿主机上的网段是 {found}，与要求的 {wanted} 不同。",
        en="Department network {segment_id} has {found} on the host and {wanted} was asked for.",
        cure_zh="网络的网段不可更改。请查明是否有人手工改动过该宿主机上的网络定义。",
        cure_en="A network never changes its subnet. Find out whether somebody edited it on that host.",
        actor=Actor.OPERATOR,
    ),
    "driver.detach_pending": Text(
        zh="云主机 {instance} 还没有放开磁盘 {volume_id}。",
        en="Machine {instance} has not let go of disk {volume_id} yet.",
        cure_zh="请在云主机内卸载该磁盘的文件系统；系统会自动重试，也可在停机后卸载。",
        cure_en="Unmount it inside the machine. It is retried by itself; a stopped machine lets go at once.",
        actor=Actor.DEPARTMENT,
    ),
    "driver.not_reached": Text(
        zh="云主机 {instance} 没有到达状态 {wanted}，现为 {found}。",
        en="Machine {instance} did not become {wanted}; it is {found}.",
        cure_zh="系统会自动重试；若持续出现，请查看该云主机的控制台日志和宿主机的 QEMU 日志。",
        cure_en="It is retried by itself. If it stays, read the machine's console log and the log of QEMU on the host.",
        actor=Actor.OPERATOR,
    ),
    "driver.filters_off": Text(
        zh="宿主机没有让网桥流量经过防火墙（{setting} 不为 1），云主机之间和对宿主机的隔离无法保证，因此不启动。",
        en="The host does not filter bridged traffic ({setting} is not 1); machines could not be isolated, so none is started.",
        cure_zh="请在该宿主机上加载 br_netfilter 模块，并把 {setting} 设为 1（写入 /etc/sysctl.d），然后重试。",
        cure_en="Load br_netfilter on that host and set {setting} to 1 (in /etc/sysctl.d), then retry.",
        actor=Actor.OPERATOR,
    ),
}
