"""Texts of usage and prices."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text

TEXTS: Mapping[str, Text] = {
    "usage.price_gap": Text(
        zh="计量项 {meter} 在 {start_s} 至 {end_s}（UTC 秒）之间没有已发布的单价，不能计价。",
        en="Meter {meter} has no price from {start_s} to {end_s} (UTC seconds) and cannot be charged.",
        cure_zh="请财务人员补充该计量项的单价（站点文件 prices），再重新查询。",
        cure_en="Have finance add a price for this meter (prices in the site file) and ask again.",
        actor=Actor.FINANCE,
    ),
    "usage.window_empty": Text(
        zh="时间范围不正确：结束 {end_s} 不晚于开始 {start_s}。",
        en="The window is empty: its end {end_s} is not after its start {start_s}.",
        cure_zh="请让结束时间晚于开始时间；结束时刻本身不计入。",
        cure_en="Give an end after the start; the end itself is not counted.",
        actor=Actor.FINANCE,
    ),
    "usage.window_too_long": Text(
        zh="时间范围超过 {days} 天。",
        en="The window is longer than {days} days.",
        cure_zh="请缩短时间范围，分几次查询。",
        cure_en="Ask for shorter windows, one after the other.",
        actor=Actor.FINANCE,
    ),
    "usage.month_invalid": Text(
        zh="月份 {month} 的写法不正确。",
        en="{month} is not a month.",
        cure_zh="请按“年-月”填写，例如 2026-12。",
        cure_en="Write year and month, for example 2026-12.",
        actor=Actor.FINANCE,
    ),
    "price.meter_unknown": Text(
        zh="没有名为 {meter} 的计量项，可用的有：{known}。",
        en="There is no meter {meter}. Known: {known}.",
        cure_zh="请改用所列的计量项；磁盘须带类别，例如 disk_gib:standard。",
        cure_en="Use one of those listed; disk needs its class, for example disk_gib:standard.",
        actor=Actor.FINANCE,
    ),
}
