"""Texts of the endpoints that are told only when a setting asks for them."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text

TEXTS: Mapping[str, Text] = {
    "metrics.not_offered": Text(
        zh="这些指标没有启用（设置 {setting}），或尚未采集。",
        en="These figures are not told (setting {setting}), or were not collected yet.",
        cure_zh="在 controller.toml 的 [metrics] 中启用后重启控制器。",
        cure_en="Ask for them in [metrics] of controller.toml and restart the controller.",
        actor=Actor.OPERATOR,
    ),
}
