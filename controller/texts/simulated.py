"""Texts of the simulated driver."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text

TEXTS: Mapping[str, Text] = {
    "simulated.connection_bad": Text(
        zh="模拟宿主机的连接地址 {connection} 不正确：{reason}。",
        en="The connection {connection} of a simulated host is wrong: {reason}.",
        cure_zh="正确写法例如 simulated://world/host-1?cpus=64&memory_mib=262144&disk_gib=4000&arch=x86_64。",
        cure_en="Write for example simulated://world/host-1?cpus=64&memory_mib=262144&disk_gib=4000&arch=x86_64.",
        actor=Actor.OPERATOR,
    ),
}
