"""Texts of the faults that only the OpenStack driver raises."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text

TEXTS: Mapping[str, Text] = {
    "openstack.address_invalid": Text(
        zh="连接地址“{connection}”不是 OpenStack 主机的写法。",
        en="“{connection}” does not name a host of an OpenStack region.",
        cure_zh="请写成 openstack://云名/计算节点名；若由该区域自行选择计算节点，则写 openstack://云名。云名取自 clouds.yaml。",
        cure_en="Write openstack://CLOUD/HYPERVISOR, or openstack://CLOUD where the region chooses (CLOUD: see clouds.yaml).",
        actor=Actor.OPERATOR,
    ),
    "openstack.cloud_unknown": Text(
        zh="clouds.yaml 中没有名为 {cloud} 的云，或其内容无法读取。",
        en="clouds.yaml has no cloud {cloud}, or it cannot be read.",
        cure_zh="请检查 /etc/openstack/clouds.yaml（或 OS_CLIENT_CONFIG_FILE 指向的文件）及其权限；系统不会自动重试。",
        cure_en="Check /etc/openstack/clouds.yaml (or the file OS_CLIENT_CONFIG_FILE names) and who may read it.",
        actor=Actor.OPERATOR,
    ),
    "openstack.settings_invalid": Text(
        zh="clouds.yaml 中 allotment 一节的这些设置有误：{names}。可用的设置有：{known}。",
        en="These settings in the section allotment of clouds.yaml are wrong: {names}. Known are: {known}.",
        cure_zh="请按文档 openstack.md 改正，然后重新启动控制器。",
        cure_en="Correct them as docs/openstack.md says and restart the controller.",
        actor=Actor.OPERATOR,
    ),
    "openstack.access_denied": Text(
        zh="区域（{connection}）拒绝了控制器的凭据。",
        en="The region at {connection} does not accept the controller's credential.",
        cure_zh="请检查 clouds.yaml 中的凭据是否过期、被停用，并核对区域的身份服务地址。",
        cure_en="Check whether the credential in clouds.yaml has expired or was disabled, and the address of Keystone.",
        actor=Actor.OPERATOR,
    ),
    "openstack.forbidden": Text(
        zh="区域（{connection}）不允许控制器的凭据执行 {verb}：{reason}",
        en="The region at {connection} does not let the controller's credential do {verb}: {reason}",
        cure_zh="请对照 openstack.md 检查凭据的角色；若是区域的配额不足，请在区域中提高。然后重试工单。",
        cure_en="Compare its roles with docs/openstack.md; if it is a quota, raise it in the region. Then retry the ticket.",
        actor=Actor.OPERATOR,
    ),
    "openstack.quota_exceeded": Text(
        zh="区域（{connection}）中该项目的配额不足：{reason}",
        en="The project's quota in the region at {connection} is used up: {reason}",
        cure_zh="平台的配额允许此请求，区域的配额不应更小：请提高区域中的配额，然后重试工单。",
        cure_en="The platform's quota allows this, and the region's should not be lower: raise it there and retry the ticket.",
        actor=Actor.OPERATOR,
    ),
    "openstack.too_many_calls": Text(
        zh="区域（{connection}）要求放慢调用。",
        en="The region at {connection} asks for fewer calls.",
        cure_zh="无需处理：系统会按区域要求的间隔自动重试。若经常出现，请放宽区域的限速。",
        cure_en="Nothing to do: it is retried when the region allows. If it happens often, raise the region's rate limits.",
        actor=Actor.NOBODY,
    ),
    "openstack.call_failed": Text(
        zh="区域没有完成操作 {verb}：{reason}",
        en="The region did not carry out {verb}: {reason}",
        cure_zh="系统会核实现状后自动重试；若持续出现，请查看区域相应服务的日志。",
        cure_en="It is looked at again and retried by itself. If it stays, read the log of that service of the region.",
        actor=Actor.OPERATOR,
    ),
    "openstack.refused": Text(
        zh="区域拒绝了操作 {verb}，重试也不会成功：{reason}",
        en="The region refuses {verb} and will refuse it again: {reason}",
        cure_zh="请核对区域的版本是否受支持（见文档 openstack.md）；如无异常，请把此信息报告给平台维护者。",
        cure_en="Check that the region's release is supported (docs/openstack.md); if it is, tell the maintainers.",
        actor=Actor.OPERATOR,
    ),
    "openstack.hypervisor_unknown": Text(
        zh="区域中没有计算节点 {name}，现有：{known}。",
        en="The region has no hypervisor {name}. It has: {known}.",
        cure_zh="请改正主机的连接地址；若该节点已从区域移除，请在平台中停用此主机。",
        cure_en="Correct the host's connection; if the hypervisor was taken out of the region, retire the host here.",
        actor=Actor.OPERATOR,
    ),
    "openstack.flavor_missing": Text(
        zh="区域中没有 {vcpu_count} vCPU、{memory_mib} MiB 的规格，控制器的凭据也不能新建。",
        en="The region has no flavor of {vcpu_count} vCPU and {memory_mib} MiB, and the controller's credential may make none.",
        cure_zh="请由区域管理员新建该规格（建议名称 {name}，磁盘 0 GiB），然后重试工单。",
        cure_en="Let the region's administrator make one (for example {name}, with a disk of 0 GiB) and retry the ticket.",
        actor=Actor.OPERATOR,
    ),
    "openstack.image_damaged": Text(
        zh="区域中镜像 {image_id} 的内容与上传的不一致，已删除。",
        en="The region's copy of image {image_id} is not what was uploaded; it was deleted.",
        cure_zh="无需处理：系统会重新上传。若再次出现，请检查区域的镜像存储。",
        cure_en="Nothing to do: it is uploaded again. If it comes back, check the region's image store.",
        actor=Actor.NOBODY,
    ),
    "openstack.volume_failed": Text(
        zh="磁盘 {volume_id} 在区域中处于状态 {status}。",
        en="The region shows disk {volume_id} as {status}.",
        cure_zh="系统会自动重试；若持续出现，请查看区域块存储服务的日志。",
        cure_en="It is retried by itself. If it stays, read the log of the region's block storage.",
        actor=Actor.OPERATOR,
    ),
    "openstack.not_ready": Text(
        zh="区域尚未完成对 {resource_id} 的操作（{verb}）。",
        en="The region is not done yet with {resource_id} ({verb}).",
        cure_zh="系统会继续等待；若持续出现，请检查区域的调度、计算和块存储服务是否在运行。",
        cure_en="It is waited for. If it stays, check that the region's scheduler, compute and block storage services run.",
        actor=Actor.OPERATOR,
    ),
    "openstack.build_failed": Text(
        zh="区域没能创建云主机 {instance_id}：{reason}",
        en="The region could not build machine {instance_id}: {reason}",
        cure_zh="系统会换一个位置再试，次数有限；仍不成功时，请按原因检查区域的容量和计算服务。",
        cure_en="It is tried elsewhere, a bounded number of times. If that fails, check the region for the reason given.",
        actor=Actor.OPERATOR,
    ),
    "openstack.machine_failed": Text(
        zh="操作 {verb} 之后，区域显示云主机的状态为 {status}：{reason}",
        en="After {verb} the region shows the machine as {status}: {reason}",
        cure_zh="系统会自动重试；若持续出现，请由区域管理员检查该云主机。",
        cure_en="It is retried by itself. If it stays, let the region's administrator look at the machine.",
        actor=Actor.OPERATOR,
    ),
    "openstack.balancer_failed": Text(
        zh="区域显示负载均衡 {balancer_id} 出错，且未能重建。",
        en="The region shows load balancer {balancer_id} in error, and it could not be failed over.",
        cure_zh="请由区域管理员执行 openstack loadbalancer failover，然后重试工单。",
        cure_en="Let the region's administrator run openstack loadbalancer failover, then retry the ticket.",
        actor=Actor.OPERATOR,
    ),
    "openstack.balancer_stuck": Text(
        zh="负载均衡 {balancer_id} 长时间停留在 {status}，区域不接受任何更改。",
        en="Load balancer {balancer_id} has been {status} for too long; the region takes no change meanwhile.",
        cure_zh="请由区域管理员检查 Octavia 的 worker 日志，并把该负载均衡的状态重置为 ERROR；然后重试工单。",
        cure_en="Let the region's administrator read Octavia's worker log and set its status to ERROR; then retry the ticket.",
        actor=Actor.OPERATOR,
    ),
}
