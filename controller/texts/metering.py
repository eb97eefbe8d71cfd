"""Texts of meters and the ledger of usage."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text

TEXTS: Mapping[str, Text] = {
    "ledger.cursor_unreadable": Text(
        zh="翻页标记 {written} 无法识别。",
        en="{written} is no mark of a page.",
        cure_zh="请原样使用上一页返回的 next。",
        cure_en="Use the next of the page before as it came.",
        actor=Actor.NOBODY,
    ),
}
