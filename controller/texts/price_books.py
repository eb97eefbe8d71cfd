"""Texts of price books and of services and labour entered by hand."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.FINANCE)


TEXTS: Mapping[str, Text] = {
    "book.unknown_field": _error(
        "价格册没有字段“{field}”，最接近的是“{suggestion}”。",
        "A price book has no field {field}; nearest: {suggestion}.",
        "请改用所列字段：{offered}。",
        "Use one of: {offered}.",
    ),
    "book.window_empty": _error(
        "结束日 {end} 不晚于开始日 {start}。",
        "{end} is not after {start}.",
        "请让结束日晚于开始日；结束日当天不计入。",
        "Give a later last day; the day itself is not counted.",
    ),
    "book.meter_twice": _error(
        "计量项 {meter} 在价格册中出现两次。",
        "Meter {meter} is priced twice.",
        "请合并为一行；阶梯和状态价写在同一行内。",
        "Make it one line; steps and states belong into the same line.",
    ),
    "book.wrong_unit": _error(
        "计量项 {meter} 的单位不能写作 {written}。",
        "The unit of meter {meter} is not {written}.",
        "请写作 {unit}。",
        "Write {unit}.",
    ),
    "book.one_price": _error(
        "计量项 {meter} 须且只能写 price、states、tiers 之一。",
        "Meter {meter} needs exactly one of price, states and tiers.",
        "单一价写 price；按状态写 states；阶梯写 tiers。",
        "One price: price; by state: states; steps: tiers.",
    ),
    "book.states_unknown": _error(
        "计量项 {meter} 没有状态（人工登记或按流量计），不能按状态定价。",
        "Meter {meter} has no states (it is entered by hand, or counts what passed): it has no price by state.",
        "改写为 price 或 tiers。",
        "Write price or tiers instead.",
    ),
    "book.free_with_price": _error(
        "计量项 {meter} 的免费额度只能与 price 同写。",
        "The free quantity of meter {meter} goes with price only.",
        "阶梯价请把第一档写成 0。",
        "With tiers, give the first step the price 0.",
    ),
    "book.price_absurd": _error(
        "计量项 {meter} 的单价超过每单位小时一百万元，应为笔误。",
        "The price of meter {meter} is above a million yuan per unit and hour: a slip of the pen.",
        "请核对小数点和单位。",
        "Check the decimal point and the unit.",
    ),
    "book.step_end": _error(
        "第 {number} 档：只有最后一档不写“至”，且最后一档不得写。",
        "Step {number}: all steps but the last have up-to, and the last has none.",
        "请补上或删去该档的 up-to。",
        "Add or remove its up-to.",
    ),
    "book.step_order": _error(
        "第 {number} 档的上限 {up_to} 不大于前一档的 {before}。",
        "Step {number} ends at {up_to}, which is not above {before}.",
        "请按由小到大排列各档。",
        "Order the steps from small to large.",
    ),
    "book.entry_price": _error(
        "人工登记项 {meter} 只能写一个 price。",
        "Meter {meter} is entered by hand and takes one price only.",
        "请写 price，删去 states、tiers、free。",
        "Give price and leave states, tiers and free out.",
    ),
    "book.unknown_department": _error(
        "没有代码为 {written} 的部门，最接近的是 {suggestion}。",
        "There is no department {written}; nearest: {suggestion}.",
        "请改用已有部门的代码：{offered}。",
        "Use the code of one there is: {offered}.",
    ),
    "book.unknown_project": _error(
        "该部门没有代码为 {written} 的项目，最接近的是 {suggestion}。",
        "The department has no project {written}; nearest: {suggestion}.",
        "请改用该部门已有项目的代码：{offered}。",
        "Use the code of one it has: {offered}.",
    ),
    "book.meter_unpriced": _error(
        "计量项 {meter} 在本价格册中没有可用的单价。",
        "Meter {meter} has no price in this book.",
        "请先在 prices 中写明该计量项的单价。",
        "Give it a price under prices first.",
    ),
    "book.discount_twice": _error(
        "部门 {department} 在计量项 {meter} 上有两个时间重叠的折扣。",
        "Department {department} has two discounts on meter {meter} at one time.",
        "请改为首尾相接的时间段。",
        "Let one begin where the other ends.",
    ),
    "book.commitment_twice": _error(
        "部门 {department} 在计量项 {meter} 上有两个时间重叠的承诺用量。",
        "Department {department} has two commitments on meter {meter} at one time.",
        "请合并为一个，或改为首尾相接的时间段。",
        "Make it one, or let one begin where the other ends.",
    ),
    "book.outside_window": _error(
        "时间段超出价格册的有效期。",
        "The time lies outside the time the book holds.",
        "请改在 valid-from 与 valid-to 之间。",
        "Keep it between valid-from and valid-to.",
    ),
    "book.not_found": _error(
        "没有价格册版本 {book}。",
        "There is no version {book} of a price book.",
        "用 allot meter book list 查看编号。",
        "allot meter book list shows them.",
    ),
    "book.overlap": _error(
        "有效期与已批准的版本 {other}（{start_s} 至 {end_s}，UTC 秒）重叠。",
        "It would hold at the same time as version {other} ({start_s} to {end_s}, UTC seconds).",
        "请改有效期；如要接替该版本，写 replaces: {other}。",
        "Change the days, or write replaces: {other} to end that version where this one begins.",
    ),
    "book.replaces_nothing": _error(
        "所替代的 {replaces} 不是在 {start_s}（UTC 秒）仍有效的已批准版本。",
        "{replaces} is no approved version that still holds at {start_s} (UTC seconds).",
        "用 allot meter book list 查看当前有效的版本。",
        "allot meter book list shows which version holds.",
    ),
    "book.state_forbids": _error(
        "版本 {book} 的状态是 {state}，不能再审批。",
        "Version {book} is {state} and cannot be decided on any more.",
        "如需改价，请提交新的价格册。",
        "Hand in a new price book to change prices.",
    ),
    "book.own": _error(
        "不能审批自己提交的价格册 {book}。",
        "{book} is your own price book.",
        "请由另外两人审批。",
        "Two others have to agree.",
    ),
    "book.decided_already": _error(
        "{user} 已经审批过版本 {book}。",
        "{user} has already decided on version {book}.",
        "请由另一人审批。",
        "Somebody else has to agree.",
    ),
    "entry.meter_is_measured": _error(
        "计量项 {meter} 由平台计量，不能人工登记。",
        "Meter {meter} is measured by the platform and cannot be entered.",
        "请用 allot meter list 中标为人工登记的计量项，例如 service:、labour:、backup_gib:。",
        "Use one that allot meter list shows as entered by hand, for example service:, labour:, backup_gib:.",
    ),
    "entry.end_missing": _error(
        "计量项 {meter} 按占用时长计费，须写明结束时刻。",
        "Meter {meter} is charged by the time it was held: say when that ended.",
        "请加 --to；仍在占用的，登记到月末，下月再登记。",
        "Add --to; of what is still held, enter the time up to the end of the month, and the next month again.",
    ),
    "entry.reason_missing": _error("人工登记须写明事由。", "An entry needs its reason.", "请填写 reason。", "Give a reason."),
    "entry.window_empty": _error(
        "结束 {end_s} 不晚于开始 {start_s}（UTC 秒）。",
        "{end_s} is not after {start_s} (UTC seconds).",
        "请让结束晚于开始。",
        "Give a later end.",
    ),
    "entry.project_unknown": _error(
        "没有项目 {project}。", "There is no project {project}.", "用 allot get projects 查看。", "allot get projects shows them."
    ),
    "entry.not_found": _error(
        "没有登记 {entry}。",
        "There is no entry {entry}.",
        "用 allot meter entry list 查看。",
        "allot meter entry list shows them.",
    ),
    "entry.own": _error(
        "不能审批自己的登记 {entry}。", "{entry} is your own entry.", "请由另一人审批。", "Somebody else has to agree."
    ),
    "entry.decided": _error(
        "登记 {entry} 已有结论。",
        "Entry {entry} is decided already.",
        "如有错误，请另行登记或在结算后作更正。",
        "Where it is wrong, enter it anew or correct it after the bill.",
    ),
}
