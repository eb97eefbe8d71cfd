"""Texts of notices to departments."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text


def _lease(zh: str, en: str) -> Text:
    return Text(
        zh=zh,
        en=en,
        cure_zh="继续使用请提交续租工单（action: renew）；不再使用请释放：allot release {system}。",
        cure_en="To go on, hand in a ticket with action: renew; to give it back: allot release {system}.",
        actor=Actor.DEPARTMENT,
    )


TEXTS: Mapping[str, Text] = {
    "notice.lease_30_days": _lease(
        "系统 {system} 的租期将在 30 天内到期（最后一天 {last_day}）。",
        "The lease of system {system} ends within 30 days (last day {last_day}).",
    ),
    "notice.lease_7_days": _lease(
        "系统 {system} 的租期将在 7 天内到期（最后一天 {last_day}）。",
        "The lease of system {system} ends within 7 days (last day {last_day}).",
    ),
    "notice.lease_1_day": _lease(
        "系统 {system} 的租期将在 1 天内到期（最后一天 {last_day}）。",
        "The lease of system {system} ends within a day (last day {last_day}).",
    ),
    "notice.lease_over": _lease(
        "系统 {system} 的租期已到期（最后一天 {last_day}）；系统仍在运行并计费。",
        "The lease of system {system} is over (last day {last_day}); it still runs and is charged.",
    ),
}
