"""Texts about preparing a machine as a host."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.OPERATOR)


TEXTS: Mapping[str, Text] = {
    "prepare.refused_text": _error(
        "主机准备参数 {field} 含有不允许的内容。",
        "The setting {field} for preparing the host holds something that is not allowed.",
        "名称只能用字母、数字、点、短横线;路径必须是不含空格和特殊符号的绝对路径。",
        "Names hold letters, digits, dots and dashes only; a path is absolute and has no blanks or special characters.",
    ),
    "prepare.storage_twice": _error(
        "存储池名称或目录 {storage} 写了两次。",
        "The name or directory {storage} of a storage pool is given twice.",
        "每个存储池要有自己的名称和自己的目录。",
        "Give every storage pool a name and a directory of its own.",
    ),
    "prepare.known_hosts_missing": _error(
        "没有主机 {host} 的 SSH 主机密钥,不会连接身份不明的机器。",
        "There is no ssh host key for {host}; a machine whose identity is not known is not connected to.",
        "请在机房核对该主机的密钥指纹,并写入平台管理的 known_hosts 文件。",
        "Compare the host's key fingerprint on the machine itself and put the key into the managed known_hosts file.",
    ),
    "prepare.not_installed": _error(
        "缺少主机准备所需的程序:{missing}。",
        "A program needed to prepare hosts is missing: {missing}.",
        "请运行 make .venv-ansible/.ready 建立 Ansible 的独立环境后重试。",
        "Run make .venv-ansible/.ready, which makes Ansible's own environment, then try again.",
    ),
    "prepare.unreachable": _error(
        "无法通过 SSH 连接主机 {host}:{detail}",
        "The host {host} cannot be reached by ssh: {detail}",
        "请检查地址、网络、SSH 密钥和主机密钥,然后重试。",
        "Check address, network, ssh key and host key, then try again.",
    ),
    "prepare.task_failed": _error(
        "主机准备在步骤“{task}”失败:{detail}",
        "Preparing the host failed at '{task}': {detail}",
        "请按提示处理该主机上的问题后重新准备;重复运行不会造成影响。",
        "Put right on the host what is named, then prepare it again; running it twice does no harm.",
    ),
    "prepare.timeout": _error(
        "主机准备在 {seconds} 秒内没有完成,已中止。",
        "Preparing the host did not finish within {seconds} s and was stopped.",
        "请检查该主机的软件源和网络速度,然后重新准备;重复运行不会造成影响。",
        "Check the package mirror and the network of the host, then prepare it again; running it twice does no harm.",
    ),
    "prepare.cancelled": _error(
        "主机准备已被取消。",
        "Preparing the host was cancelled.",
        "需要时重新准备即可;重复运行不会造成影响。",
        "Prepare it again when wanted; running it twice does no harm.",
    ),
    "prepare.broke_off": _error(
        "主机准备意外中断(状态 {status})。",
        "Preparing the host broke off (status {status}).",
        "请查看控制器日志中的原因,然后重新准备。",
        "See the controller's log for the reason, then prepare it again.",
    ),
}
