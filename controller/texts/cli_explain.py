"""Texts of ``allot explain``."""

from controller.texts.text import Text

TEXTS: dict[str, Text] = {
    "cli.explain.placed": Text(
        "{members} 放在主机 {host}（共考虑 {total} 台）", "{members}: on host {host} (of {total} looked at)"
    ),
    "cli.explain.refused": Text(
        "{members} 没有合适的主机（共考虑 {total} 台）", "{members}: no host fits (of {total} looked at)"
    ),
    "cli.explain.of_first": Text(
        "以上数字属于这些相同云主机中的第一台 {member}；其余各台在它之后放置，剩余主机可能更少",
        "These counts are of {member}, the first of these equal machines; the others came after it, maybe with fewer hosts left",
    ),
    "cli.explain.suggestions": Text("以下办法之一可以放下：", "It would fit if one of these were done:"),
    "cli.explain.policy": Text("放置策略 {policy}", "placement policy {policy}"),
    "cli.explain.long": Text("全部主机", "Every host"),
    "cli.explain.agrees": Text(
        "按当时的状态重新推算，与保存的说明一致。", "Decided again on the state of then: it is what is stored."
    ),
    "cli.explain.differs": Text(
        "按当时的状态重新推算，以下各项与保存的说明不一致；以保存的为准：",
        "Decided again on the state of then, it differs from what is stored, and what is stored holds:",
    ),
    "cli.explain.mismatch": Text("{what}：保存 {stored}，推算 {derived}", "{what}: stored {stored}, now {derived}"),
    "cli.explain.mismatch.decision": Text("结论", "decision"),
    "cli.explain.mismatch.hosts": Text("主机数", "hosts"),
    "cli.explain.mismatch.filter": Text("过滤后剩余", "left after"),
    "cli.explain.mismatch.winner": Text("选中的主机", "host chosen"),
    "cli.explain.mismatch.score": Text("得分", "score"),
    "cli.explain.mismatch.policy": Text("放置策略", "placement policy"),
    "cli.explain.scored": Text("{host}：{score} 分（{parts}；{policy}）", "{host}: score {score} ({parts}; {policy})"),
}
