"""Texts of long work: what it does at the moment, and that nothing is known of it."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.NOBODY)

TEXTS: Mapping[str, Text] = {
    "work.not_found": _error(
        "没有编号为 {work} 的进行中的工作，或不是您发起的。",
        "No work {work} is known, or it is not yours.",
        "进度只有发起者本人、在处理该请求的那个控制器上可查，结束十分钟后不再保留；结果请查看所处理的对象本身。",
        "Only who sent a request can ask how far it is, of the controller that works on it, until ten minutes after its end. "
        "Look at the thing itself for what became of it.",
    ),
    "work.id_unreadable": _error(
        "请求头 {header} 的值“{written}”不是 32 位小写十六进制数字。",
        "The header {header} is 32 hexadecimal digits in small letters, not “{written}”.",
        "请使用 128 位随机数（openssl rand -hex 16），或省略该请求头。",
        "Send 128 random bits (openssl rand -hex 16), or leave the header out.",
    ),
    "work.phase.turn": Text("等待轮到", "waiting for its turn"),
    "work.phase.journal": Text("将流水记入台账", "taking the journal into the ledger"),
    "work.phase.rating": Text("为台账区间计价", "rating intervals of the ledger"),
    "work.phase.correcting": Text("核算已关账月份的迟到记录", "correcting closed months for late word"),
    "work.phase.writing": Text("写入明细", "writing lines"),
    "work.phase.sealing": Text("生成对账单并封存", "writing and sealing statements"),
    "work.phase.reading": Text("核对已存明细", "checking stored lines"),
    "work.phase.deriving": Text("由流水重新推导明细", "deriving lines from the journal again"),
    "work.phase.comparing": Text("由流水推导台账", "deriving the ledger from the journal"),
    "work.phase.judging": Text("评估云主机的使用情况", "judging how machines are used"),
    "work.phase.reporting": Text("计算报表行", "computing rows of the report"),
    "work.phase.filing": Text("写成文件", "putting the file together"),
    "work.phase.copying": Text("复制镜像", "copying the image"),
    "work.phase.inspecting": Text("检查镜像", "inspecting the image"),
    "work.phase.chain": Text("重新计算审计链", "computing the audit chain again"),
}
