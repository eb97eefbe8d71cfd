"""Texts of the faults that every driver shares; a driver's own codes stand in its own module."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text

TEXTS: Mapping[str, Text] = {
    "driver.unreachable": Text(
        zh="宿主机（{connection}）暂时连接不上。",
        en="The host at {connection} does not answer.",
        cure_zh="系统会自动重试；若持续出现，请检查该宿主机的电源、网络和虚拟化服务。",
        cure_en="It is retried by itself. If it stays, check the host's power, network and hypervisor service.",
        actor=Actor.OPERATOR,
    ),
    "driver.timeout": Text(
        zh="宿主机（{connection}）在 {deadline_s} 秒内没有完成操作 {verb}。",
        en="The host at {connection} did not finish {verb} within {deadline_s} s.",
        cure_zh="系统会自动重试；若持续出现，请检查该宿主机的负载和虚拟化服务是否挂起。",
        cure_en="It is retried by itself. If it stays, check the host's load and whether its hypervisor service hangs.",
        actor=Actor.OPERATOR,
    ),
    "driver.outcome_unknown": Text(
        zh="宿主机（{connection}）对操作 {verb} 没有回音，结果未知。",
        en="The answer of the host at {connection} to {verb} was lost; the outcome is not known.",
        cure_zh="无需处理：系统会先核实现状，再决定下一步。",
        cure_en="Nothing to do: the platform looks first and then goes on.",
        actor=Actor.NOBODY,
    ),
    "driver.storage_full": Text(
        zh="存储池 {storage_pool} 空间不足（可用 {available_mib} MiB）。",
        en="Storage pool {storage_pool} is full ({available_mib} MiB available).",
        cure_zh="请清理或扩容该存储池，然后重试工单；也可把该宿主机设为停止分配。",
        cure_en="Free or add space in that pool and retry the ticket, or cordon the host.",
        actor=Actor.OPERATOR,
    ),
    "driver.storage_pool_missing": Text(
        zh="宿主机上没有名为 {storage_pool} 的存储池，或该存储池没有启用。",
        en="The host has no active storage pool {storage_pool}.",
        cure_zh="请在该宿主机上创建并启用此存储池，或改正平台中登记的存储池名称。",
        cure_en="Create and start the pool on that host, or correct the name registered in the platform.",
        actor=Actor.OPERATOR,
    ),
    "driver.unknown": Text(
        zh="没有名为 {name} 的驱动，可用的驱动有：{known}。",
        en="There is no driver {name}. Known drivers: {known}.",
        cure_zh="请改正资源池定义中的 driver；外部驱动须先安装到控制器的运行环境。",
        cure_en="Correct the pool's driver; an outside driver must be installed in the controller's environment first.",
        actor=Actor.OPERATOR,
    ),
    "driver.capability_missing": Text(
        zh="该宿主机不支持功能 {capability}。",
        en="This host cannot do {capability}.",
        cure_zh="请改用支持该功能的资源池，或从工单中去掉此项要求。",
        cure_en="Use a pool that has this power, or drop the wish from the ticket.",
        actor=Actor.DEPARTMENT,
    ),
    "driver.instance_missing": Text(
        zh="宿主机上已没有云主机 {instance_id}。",
        en="Machine {instance_id} is not on its host any more.",
        cure_zh="无需处理：系统会重新核实并按期望状态恢复或上报。",
        cure_en="Nothing to do: the platform looks again and restores or reports it.",
        actor=Actor.NOBODY,
    ),
    "driver.must_be_stopped": Text(
        zh="云主机 {instance} 正在运行，调整规格或网卡前必须先停机。",
        en="Machine {instance} runs; it must be stopped before its size or its cards change.",
        cure_zh="无需处理：系统会按计划停机后再调整。",
        cure_en="Nothing to do: the platform stops it as planned and then changes it.",
        actor=Actor.NOBODY,
    ),
    "driver.volume_missing": Text(
        zh="宿主机上已没有磁盘 {volume_id}。",
        en="Disk {volume_id} is not on its host any more.",
        cure_zh="系统会重新核实；若磁盘被人为删除，请从备份恢复数据。",
        cure_en="The platform looks again. If somebody removed the disk, restore its data from a backup.",
        actor=Actor.OPERATOR,
    ),
    "driver.segment_missing": Text(
        zh="宿主机上已没有部门网络 {segment_id}。",
        en="Department network {segment_id} is not on its host any more.",
        cure_zh="无需处理：系统会重新建立该网络。",
        cure_en="Nothing to do: the platform makes the network again.",
        actor=Actor.NOBODY,
    ),
    "driver.image_missing": Text(
        zh="存储池 {storage_pool} 中没有镜像 {image}。",
        en="Storage pool {storage_pool} does not hold image {image}.",
        cure_zh="无需处理：系统会重新上传镜像。",
        cure_en="Nothing to do: the platform uploads the image again.",
        actor=Actor.NOBODY,
    ),
    "driver.image_unreadable": Text(
        zh="控制器读不到镜像 {image_id} 的文件。",
        en="The controller cannot read the file of image {image_id}.",
        cure_zh="请检查控制器镜像目录的磁盘和权限，必要时重新导入镜像（allot image import）。",
        cure_en="Check the controller's image directory (disk, permissions); or import the image again (allot image import).",
        actor=Actor.OPERATOR,
    ),
    "driver.segment_in_use": Text(
        zh="部门网络 {segment_id} 上仍有云主机，不能删除。",
        en="Department network {segment_id} still has machines on it and is not removed.",
        cure_zh="无需处理：系统会在云主机删除后自动重试。",
        cure_en="Nothing to do: it is retried when its machines are gone.",
        actor=Actor.NOBODY,
    ),
    "driver.volume_in_use": Text(
        zh="磁盘 {volume_id} 仍挂载在云主机 {machine} 上，不能删除。",
        en="Disk {volume_id} is still attached to machine {machine} and is not deleted.",
        cure_zh="请先卸载该磁盘；系统会自动重试。",
        cure_en="Detach the disk first; it is retried by itself.",
        actor=Actor.OPERATOR,
    ),
    "driver.volume_shrink": Text(
        zh="磁盘 {volume_id} 不能缩小到 {size_gib} GiB。",
        en="Disk {volume_id} is not shrunk to {size_gib} GiB.",
        cure_zh="磁盘只能扩大。请新建一块小磁盘并迁移数据。",
        cure_en="Disks only grow. Make a smaller new disk and move the data.",
        actor=Actor.DEPARTMENT,
    ),
    "hold.stale_fence": Text(
        zh="资源 {resource_id} 已由更新的操作接管（凭证 {given}，现为 {found}），本次操作作废。",
        en="A newer hold acts on {resource_id} (given {given}, found {found}); this work is dropped.",
        cure_zh="无需处理：由新的持有者继续。",
        cure_en="Nothing to do: the newer holder goes on.",
        actor=Actor.NOBODY,
    ),
    "image.corrupt": Text(
        zh="镜像 {image_id} 的内容与登记的 SHA-256 不一致，已拒绝使用。",
        en="Image {image_id} does not have the registered SHA-256 and was refused.",
        cure_zh="请重新导入镜像（allot image import），并核对来源和摘要。",
        cure_en="Import the image again (allot image import) and check its source and digest.",
        actor=Actor.OPERATOR,
    ),
}
