"""Texts of meters and the ledger of usage."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text

TEXTS: Mapping[str, Text] = {
    "price.meter_not_offered": Text(
        zh="计量项 {meter} 在本平台还没有数据来源，不能计价。",
        en="Meter {meter} has no source on this platform yet and cannot be priced.",
        cure_zh="请删去该计量项；可用的计量项见 allot meter list。",
        cure_en="Leave it out; allot meter list shows the meters that are offered.",
        actor=Actor.FINANCE,
    ),
    "ledger.cursor_unreadable": Text(
        zh="翻页标记 {written} 无法识别。",
        en="{written} is no mark of a page.",
        cure_zh="请原样使用上一页返回的 next。",
        cure_en="Use the next of the page before as it came.",
        actor=Actor.NOBODY,
    ),
}
