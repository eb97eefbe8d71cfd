"""Texts of ``simulate``: what is wrong with its files, and what it found."""

from controller.texts.text import Actor, Text


def _mistake(zh: str, en: str, cure_zh: str, cure_en: str) -> Text:
    return Text(zh=zh, en=en, cure_zh=cure_zh, cure_en=cure_en, actor=Actor.OPERATOR)


TEXTS: dict[str, Text] = {
    "simulate.file_unreadable": _mistake(
        "无法读取文件 {file}：{reason}。",
        "The file {file} cannot be read: {reason}.",
        "请检查路径、权限和格式：UTF-8 编码的 CSV，或以 .gz 结尾的压缩文件。",
        "Check its path, permissions and form: CSV in UTF-8, compressed only when its name ends in .gz.",
    ),
    "simulate.file_unwritable": _mistake(
        "无法写入文件 {file}：{reason}。",
        "The file {file} cannot be written: {reason}.",
        "请指定一个可写目录中的文件。",
        "Name a file in a directory you may write to.",
    ),
    "simulate.file_is_directory": _mistake(
        "{file} 是目录，不是文件。",
        "{file} is a directory, not a file.",
        "请写出目录中文件的名称。",
        "Name the file in it.",
    ),
    "simulate.file_twice": _mistake(
        "{file} 被指定为两个结果的文件。",
        "{file} is to hold both answers.",
        "请为放置结果和迁移各指定一个文件。",
        "Name one file for the placements and another for the moves.",
    ),
    "simulate.column_missing": _mistake(
        "{file} 第 {line} 行：表头缺少列：{columns}。",
        "{file}, line {line}: the header lacks: {columns}.",
        "第一行须写出列名，例如 vm,ticket,arrival_s,lifetime_s,vcpus,memory_mib，或主机文件的 name,vcpus,memory_mib。",
        "The first line names the columns: vm,ticket,arrival_s,lifetime_s,vcpus,memory_mib, or name,vcpus,memory_mib for hosts.",
    ),
    "simulate.cells": _mistake(
        "{file} 第 {line} 行：有 {found} 个单元格，应有 {expected} 个。",
        "{file}, line {line}: {found} cells where the header has {expected}.",
        "请补齐该行，或删除空行。",
        "Complete the line, or delete it where it is empty.",
    ),
    "simulate.not_a_number": _mistake(
        "{file} 第 {line} 行：{column} 为“{value}”，应为 {lowest} 到 {highest} 的整数。",
        "{file}, line {line}: {column} is “{value}”; it must be a whole number from {lowest} to {highest}.",
        "请改正该单元格。",
        "Put the cell right.",
    ),
    "simulate.vm_empty": _mistake(
        "{file} 第 {line} 行：没有云主机编号。",
        "{file}, line {line}: the machine has no name.",
        "请填写 vm 列。",
        "Fill the column vm.",
    ),
    "simulate.vm_twice": _mistake(
        "{file} 第 {line} 行：云主机“{vm}”在第 {first} 行已出现。",
        "{file}, line {line}: the machine “{vm}” stands in line {first} already.",
        "每台云主机只写一行。",
        "Give every machine one line.",
    ),
    "simulate.host_empty": _mistake(
        "{file} 第 {line} 行：没有主机名。",
        "{file}, line {line}: the host has no name.",
        "请填写 name 列。",
        "Fill the column name.",
    ),
    "simulate.host_twice": _mistake(
        "{file} 第 {line} 行：主机“{host}”在第 {first} 行已出现。",
        "{file}, line {line}: the host “{host}” stands in line {first} already.",
        "每台主机只写一行。",
        "Give every host one line.",
    ),
    "simulate.no_hosts": _mistake(
        "{file} 中没有主机。", "{file} holds no host.", "表头之后至少写一台主机。", "Write at least one host below the header."
    ),
    "cli.simulate.read": Text(
        "已读入 {machines} 台云主机和 {hosts} 台主机，正在回放。", "Read {machines} machines and {hosts} hosts; replaying."
    ),
    "cli.simulate.progress": Text("已回放 {percent} %", "{percent} % replayed"),
    "cli.simulate.policy": Text("放置策略", "Policy"),
    "cli.simulate.machines": Text("云主机", "Machines"),
    "cli.simulate.refused": Text("被拒绝", "Refused"),
    "cli.simulate.hosts_used": Text("用过的主机", "Hosts ever used"),
    "cli.simulate.hosts_used_at_once": Text("同时使用的主机（最多）", "Hosts in use at once, most"),
    "cli.simulate.peak_vcpu": Text("vCPU 最高占用", "Peak fill, vCPU"),
    "cli.simulate.peak_memory": Text("内存最高占用", "Peak fill, memory"),
    "cli.simulate.peak_accelerators": Text("加速卡最高占用", "Peak fill, accelerators"),
    "cli.simulate.host_hours": Text("主机小时（与理论下界之比）", "Host-hours (over their bound)"),
    "cli.simulate.moves": Text("迁移", "Moves"),
    "cli.simulate.took": Text("回放用时", "Replayed in"),
    "cli.simulate.placements": Text("结果文件", "Placements"),
}
