"""Texts of periods, statements, lines and corrections."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.FINANCE)


TEXTS: Mapping[str, Text] = {
    "period.not_over": _error(
        "结算期 {period} 尚未结束（至 {end_s}，UTC 秒）。",
        "{period} is not over yet; it ends at {end_s} (UTC seconds).",
        "请在结束之后再结账。",
        "Close it when it is over.",
    ),
    "period.state_forbids": _error(
        "结算期 {period} 的状态是 {state}，此操作需要 {wanted}。",
        "{period} is {state}; this needs it to be {wanted}.",
        "用 allot meter periods 查看各期状态；顺序是 close（开始结账）、review、close（封账）。",
        "allot meter periods shows the states; the order is close (begins), review, close (seals).",
    ),
    "period.out_of_order": _error(
        "不能先结 {period}：之前的结算期 {before} 尚未封账。",
        "{period} cannot be closed yet: an earlier month ({before}) is not closed.",
        "请按月份先后封账，不留空档。",
        "Close months in their order, without a gap.",
    ),
    "period.in_grace": _error(
        "结算期 {period} 仍在宽限期内，{ready_s}（UTC 秒）后方可复核。",
        "{period} still takes late word; it may be reviewed from {ready_s} (UTC seconds) on.",
        "请到时再复核；宽限时长见设置 metering.closing_grace_h。",
        "Review it then; the length is the setting metering.closing_grace_h.",
    ),
    "period.rows_due": _error(
        "流水中有 {count} 行尚未记入台账，{period} 不能复核。",
        "{count} rows of the journal are not in the ledger yet: {period} cannot be reviewed.",
        "稍候再试；若一直如此，用 allot meter compare 找出缺行的资源。",
        "Try again shortly; where it stays so, allot meter compare names the resource that lacks a row.",
        Actor.OPERATOR,
    ),
    "period.decisions_wait": _error(
        "有 {count} 项人工登记或更正待审批，{period} 不能复核。",
        "{count} entries or corrections by hand wait for a decision: {period} cannot be reviewed.",
        "用 allot meter entry list 与 allot meter adjust list 查看并作出决定。",
        "Decide on them: allot meter entry list and allot meter adjust list show them.",
    ),
    "period.own_review": _error(
        "结算期 {period} 由您复核，不能由您封账。",
        "You reviewed {period} and cannot close it as well.",
        "请由另一名财务人员封账。",
        "Another finance officer has to close it.",
    ),
    "period.changed": _error(
        "复核之后又来了 {count} 条关于 {period} 的迟到流水。",
        "{count} rows that tell of {period} came after its review.",
        "请再次复核：allot meter review {period}。",
        "Review it once more: allot meter review {period}.",
    ),
    "period.never_reopens": _error(
        "封账后的结算期不再打开（{period}，当前 {state}）。",
        "A closed month never opens again ({period} is {state}).",
        "对有误的明细作更正：allot meter adjust add；更正记入尚未复核的月份。",
        "Correct the line that is wrong with allot meter adjust add; it stands in the first month that is not reviewed.",
    ),
    "statement.not_found": _error(
        "{period} 没有该部门的对账单。",
        "There is no statement of that department for {period}.",
        "该部门在此期间没有用量，或该期尚未复核。",
        "It used nothing in that time, or the month is not reviewed yet.",
    ),
    "line.not_found": _error(
        "没有明细 {line}。",
        "There is no line {line}.",
        "明细编号见 allot meter lines。",
        "allot meter lines shows the ids of lines.",
    ),
    "adjustment.amount_unreadable": _error(
        "更正金额 {written} 不正确。",
        "{written} is no amount of a correction.",
        "请写元，至多六位小数，不为零；负数为退款，例如 -12.34。",
        "Write yuan with at most six places, not zero; a credit is negative, for example -12.34.",
    ),
    "adjustment.reason_missing": _error(
        "更正须写明事由。", "A correction needs its reason.", "请填写 reason。", "Give a reason."
    ),
    "adjustment.period_not_closed": _error(
        "明细 {line} 所在的结算期 {period} 尚未封账。",
        "The month {period} of line {line} is not closed.",
        "请在封账前更正来源（登记或价格），再次复核。",
        "Before a month is closed, correct what the line comes from and review it again.",
    ),
    "adjustment.not_found": _error(
        "没有更正 {adjustment}。",
        "There is no correction {adjustment}.",
        "用 allot meter adjust list 查看。",
        "allot meter adjust list shows them.",
    ),
    "adjustment.own": _error(
        "不能审批自己提出的更正 {adjustment}。",
        "{adjustment} is your own correction.",
        "请由另一名财务人员审批。",
        "Another finance officer has to agree.",
    ),
    "adjustment.decided": _error(
        "更正 {adjustment} 已有结论。",
        "Correction {adjustment} is decided already.",
        "如有错误，请再作一笔更正。",
        "Where it is wrong, enter another one.",
    ),
    "book.period_frozen": _error(
        "生效日 {start_s} 早于已复核或封账的时间 {until_s}（UTC 秒）。",
        "It would hold from {start_s}, before {until_s} (UTC seconds), up to which months are reviewed or closed.",
        "请改为之后的生效日；之前的差错用更正处理。",
        "Choose a later first day; what was wrong before is corrected line by line.",
    ),
    "entry.period_frozen": _error(
        "时刻 {start_s} 早于已复核或封账的时间 {until_s}（UTC 秒）。",
        "{start_s} is before {until_s} (UTC seconds), up to which months are reviewed or closed.",
        "请登记在尚未复核的月份。",
        "Enter it in a month that is not reviewed yet.",
    ),
}
