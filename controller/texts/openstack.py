"""Texts of the faults that only the OpenStack driver raises."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text

TEXTS: Mapping[str, Text] = {
    "openstack.address_invalid": Text(
        zh="连接地址“{connection}”不是 OpenStack 主机的写法。",
        en="“{connection}” does not name a host of an OpenStack region.",
        cure_zh="请写成 openstack://云名/计算节点名；由区域自行选择时写 openstack://云名（可加 ?zone=可用区）。",
        cure_en="Write openstack://CLOUD/HYPERVISOR, or openstack://CLOUD or openstack://CLOUD?zone=AZ where the region chooses.",
        actor=Actor.OPERATOR,
    ),
    "openstack.zone_unknown": Text(
        zh="区域 {cloud} 中没有可用区 {zone}，现有：{known}。",
        en="The region {cloud} has no availability zone {zone}. It has: {known}.",
        cure_zh="请改正主机的连接地址；可用区须至少有一个在用的计算节点。",
        cure_en="Correct the host's connection. A zone needs one hypervisor in use at least.",
        actor=Actor.OPERATOR,
    ),
    "openstack.service_too_old": Text(
        zh="区域 {cloud} 的 {service} 服务太旧：最高版本为 {found}，至少需要 {needed}。",
        en="The service {service} of the region {cloud} is too old: its newest version is {found}, and {needed} is needed.",
        cure_zh="请升级该区域（见 openstack.md“Supported releases”一节）；在此之前其主机不可用。",
        cure_en="Have the region upgraded (see “Supported releases” in openstack.md). Until then its hosts cannot be used.",
        actor=Actor.OPERATOR,
    ),
    "openstack.cloud_unknown": Text(
        zh="clouds.yaml 中没有名为 {cloud} 的云，或其内容无法读取。",
        en="clouds.yaml has no cloud {cloud}, or it cannot be read.",
        cure_zh="请检查 /etc/openstack/clouds.yaml（或 OS_CLIENT_CONFIG_FILE 指向的文件）及其权限；系统不会自动重试。",
        cure_en="Check /etc/openstack/clouds.yaml (or the file OS_CLIENT_CONFIG_FILE names) and who may read it.",
        actor=Actor.OPERATOR,
    ),
    "openstack.project_missing": Text(
        zh="clouds.yaml 中云 {cloud} 的凭据不属于任何项目。",
        en="The credential of cloud {cloud} in clouds.yaml is in no project.",
        cure_zh="请写上 project_name（或改用某个项目的应用凭据），并去掉 system_scope 或只写域的范围，然后重新启动控制器。",
        cure_en="Name a project (or use an application credential of one) instead of system_scope, and restart the controller.",
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
        zh="区域中没有 {vcpu_count} vCPU、{memory_mib} MiB、磁盘 {disk_gib} GiB 的规格，控制器的凭据也不能新建。",
        en=(
            "The region has no flavor of {vcpu_count} vCPU, {memory_mib} MiB and a disk of {disk_gib} GiB, "
            "and the controller's credential may make none."
        ),
        cure_zh="请由区域管理员新建该规格（建议名称 {name}，磁盘 {disk_gib} GiB），然后重试工单。"
        "在 clouds.yaml 中设 flavors: existing，则没有的规格在计划时就会被拒绝。",
        cure_en="Let the region's administrator make one (for example {name}, disk {disk_gib} GiB) and retry the ticket. With "
        "flavors: existing in clouds.yaml, plans refuse sizes that have none.",
        actor=Actor.OPERATOR,
    ),
    "openstack.flavor_changed": Text(
        zh="区域中的规格 {name} 被改动过（如附加属性、交换盘、停用），没有可用的 {vcpu_count} vCPU、{memory_mib} MiB 规格。",
        en="The region's flavor {name} was changed (extra specs, swap …): none is left of {vcpu_count} vCPU, {memory_mib} MiB.",
        cure_zh="请由区域管理员去掉这些改动，或另建一个同样大小、没有附加属性的规格，然后重试工单。",
        cure_en="Let the region's administrator undo that, or make another of this size without extra specs; then retry.",
        actor=Actor.OPERATOR,
    ),
    "openstack.data_disk_local": Text(
        zh="存储池 {storage_pool} 是区域宿主机的本地盘，只能放系统盘：磁盘 {volume_id} 不能建在其中。",
        en="Storage pool {storage_pool} is the hypervisors' own disks, for root disks only: disk {volume_id} cannot be there.",
        cure_zh="请为数据盘选用 Cinder 卷类型对应的磁盘类别，然后重新提交。",
        cure_en="Choose a class for the data disk that a Cinder volume type stands behind, and submit again.",
        actor=Actor.DEPARTMENT,
    ),
    "openstack.local_disk_not_copied": Text(
        zh="系统盘 {volume_id} 是宿主机的本地盘（{storage_pool}），不能做快照。",
        en="Root disk {volume_id} is on its hypervisor ({storage_pool}): no copy of it can be made.",
        cure_zh="请从云主机内部备份；需要快照的系统盘请选用 Cinder 卷类型对应的磁盘类别。",
        cure_en="Back it up from inside the machine; where copies are needed, choose a class with a volume type behind it.",
        actor=Actor.DEPARTMENT,
    ),
    "openstack.resize_failed": Text(
        zh="区域没有调整云主机 {instance_id} 的大小，它保持原样：{reason}",
        en="The region did not resize machine {instance_id} and left it as it was: {reason}",
        cure_zh="请在区域中腾出空间或排除原因（openstack server event list），然后重试工单。",
        cure_en="Make room in the region, or mend what it names (openstack server event list), and retry the ticket.",
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
    "openstack.volume_kept": Text(
        zh="磁盘 {volume_id} 在区域中处于状态 {status}，其中可能有数据：平台不会删除或重建它。",
        en="The region shows disk {volume_id} as {status}. It may hold data, so it is neither deleted nor made anew.",
        cure_zh="请查看区域块存储服务的日志，确认磁盘完好后执行 openstack volume set --state available {volume_id}，再重试工单。",
        cure_en=(
            "Read the log of the region's block storage; once the disk is whole, "
            "openstack volume set --state available {volume_id}, and retry the ticket."
        ),
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
    "openstack.port_foreign": Text(
        zh="部门网络 {segment_id} 中有不属于平台的端口 {port_id}（{address}，{mac}），"
        "占用了云主机网卡的地址或 MAC；平台不使用也不改动它。",
        en="Port {port_id} ({address}, {mac}) in department network {segment_id} is not the platform's and has the "
        "address or the MAC of a machine's card; it is neither used nor changed.",
        cure_zh="用 openstack port show {port_id} 查明归属，请其所有者删除该端口或换用其他地址和 MAC。此后系统会自动继续。",
        cure_en="Find out whose it is (openstack port show {port_id}) and have it removed, or given another address "
        "and MAC. It goes on by itself then.",
        actor=Actor.OPERATOR,
    ),
    "openstack.attach_failed": Text(
        zh="区域接受了请求，但没有把磁盘 {volume_id} 挂载到云主机 {machine}：{reason}",
        en="The region took the order and did not put disk {volume_id} into machine {machine}: {reason}",
        cure_zh="系统会自动重试若干次。若工单因此失败，请由区域管理员查看 openstack server event list "
        "和该计算节点的日志，排除原因后重试工单。",
        cure_en="It is retried by itself, a bounded number of times. If the ticket fails for it, let the region's "
        "administrator look at openstack server event list and the log of that hypervisor's compute service, and retry "
        "the ticket when it is mended.",
        actor=Actor.OPERATOR,
    ),
    "openstack.detach_failed": Text(
        zh="区域接受了请求，但没有把磁盘 {volume_id} 从云主机 {machine} 卸载：{reason}",
        en="The region took the order and did not take disk {volume_id} out of machine {machine}: {reason}",
        cure_zh="系统会自动重试若干次。多半是操作系统仍在使用该磁盘：请先在系统内卸载，或停止云主机，然后重试工单。",
        cure_en="It is retried by itself, a bounded number of times. Mostly its system still uses the disk: unmount it "
        "there, or stop the machine, and retry the ticket.",
        actor=Actor.DEPARTMENT,
    ),
    "openstack.diagnostics_refused": Text(
        zh="{name} 不提供云主机的用量计数（HTTP {status}）。一天之内不再询问。",
        en="{name} does not give the counters of machines (HTTP {status}). It is not asked again for a day.",
        cure_zh="403：给凭据的角色加上 Nova 的规则 os_compute_api:os-server-diagnostics；501：该节点的虚拟化驱动不支持。"
        "也可以把 diagnostics_per_s 设为 0。",
        cure_en="403: give the credential's role Nova's rule os_compute_api:os-server-diagnostics. 501: the hypervisor's driver"
        " has none. Or set diagnostics_per_s to 0.",
        actor=Actor.OPERATOR,
    ),
    "openstack.migration_failed": Text(
        zh="区域没有把云主机 {machine} 迁移到 {target}：{reason}。云主机仍在原处运行。",
        en="The region did not bring machine {machine} to {target}: {reason}. It runs on where it was.",
        cure_zh="请检查目标节点的计算服务是否在运行、是否被停用，并查看 Nova 的日志；排除后重新制定迁移计划。",
        cure_en="See that the target's compute service runs and is enabled, and read Nova's log; then make a new plan of moves.",
        actor=Actor.OPERATOR,
    ),
    "openstack.migration_changes_pool": Text(
        zh="磁盘 {volume_id} 在存储池 {storage_pool} 中，迁移不能把它移到 {wanted}。",
        en="Disk {volume_id} is in storage pool {storage_pool}, and a move does not bring it to {wanted}.",
        cure_zh="请让同一区域的各宿主机登记相同的存储池；然后重新制定迁移计划。",
        cure_en="Enrol the hosts of a region with the same storage pools; then make a new plan of moves.",
        actor=Actor.OPERATOR,
    ),
    "openstack.project_foreign": Text(
        zh="区域的域 {domain} 中已有项目 {name}，但它不是本平台建立的（没有标签 {tag}）。",
        en="Domain {domain} of the region already has a project {name} that the platform did not make: it lacks the tag {tag}.",
        cure_zh="请给该项目改名；若确应归本平台使用，请加标签：openstack project set --tag {tag} {name}；然后重试工单。",
        cure_en="Rename it, or give it to the platform: openstack project set --tag {tag} {name}; then retry the ticket.",
        actor=Actor.OPERATOR,
    ),
    "openstack.group_missing": Text(
        zh="区域的域 {domain} 中没有组 {group}，无法为其授予该部门项目中的角色。",
        en="There is no group {group} in domain {domain} of the region to be given a role in the department's project.",
        cure_zh="请在 Keystone 中建立该组，或在 clouds.yaml 中设置 department_group_missing: make；然后重试工单。",
        cure_en="Make the group in Keystone, or set department_group_missing: make in clouds.yaml; then retry the ticket.",
        actor=Actor.OPERATOR,
    ),
    "openstack.role_missing": Text(
        zh="区域没有角色 {role}；现有角色：{known}。",
        en="The region has no role {role}; it has: {known}.",
        cure_zh="请更正 clouds.yaml 中的 department_role；然后重试工单。",
        cure_en="Correct department_role in clouds.yaml, then retry the ticket.",
        actor=Actor.OPERATOR,
    ),
    "openstack.role_too_strong": Text(
        zh="角色 {role} 包含 {implied} 的权限，不授予部门人员。",
        en="Role {role} implies {implied}: people of a department are not given it.",
        cure_zh="请在 clouds.yaml 的 department_role 中选用 reader、member 或不包含管理员权限的角色；然后重试工单。",
        cure_en="Choose reader, member or another such role at department_role in clouds.yaml; then retry the ticket.",
        actor=Actor.OPERATOR,
    ),
    "openstack.broker_unreachable": Text(
        zh="区域的消息服务 {broker} 无法连接；宿主机仍按周期查看。",
        en="The region's message broker {broker} does not answer; hosts are looked at from time to time all the same.",
        cure_zh="请检查 clouds.yaml 中 notifications 的地址和该消息服务；系统每十秒重试一次。",
        cure_en="Check the address at notifications in clouds.yaml and the broker; it is tried again every ten seconds.",
        actor=Actor.OPERATOR,
    ),
    "openstack.broker_refused": Text(
        zh="区域的消息服务 {broker} 拒绝连接：{reason}",
        en="The region's message broker {broker} refuses us: {reason}",
        cure_zh="请检查 clouds.yaml 中 notifications 的用户、口令和权限，以及 Nova 是否已发送通知。",
        cure_en="Check user, password and rights at notifications in clouds.yaml, and that Nova is set to tell.",
        actor=Actor.OPERATOR,
    ),
    "openstack.key_manager_missing": Text(
        zh="区域（{connection}）没有密钥管理服务（Barbican），负载均衡不能使用 TLS。",
        en="The region at {connection} has no key manager (Barbican): its load balancers cannot speak TLS.",
        cure_zh="请改用有密钥管理服务的资源池，或让服务器自己终结 TLS（监听协议用 tcp）。",
        cure_en="Use a pool that has one, or let the servers themselves end TLS (a listener of tcp).",
        actor=Actor.DEPARTMENT,
    ),
    "openstack.tls_needs_a_user": Text(
        zh="该区域的负载均衡服务不接受以应用凭据使用证书 {references}：{reason}",
        en="The region's load balancer service shows no certificate ({references}) for an application credential: {reason}",
        cure_zh="请在 clouds.yaml 中改用用户凭据（见 openstack.md），或让服务器自己终结 TLS（监听协议用 tcp）。",
        cure_en="Give clouds.yaml a user (docs/openstack.md), or let the servers themselves end TLS (a listener of tcp).",
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
