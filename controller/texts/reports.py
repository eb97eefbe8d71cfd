"""Texts of reports: what keeps one from being made, and the headings of workbooks and printed statements."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.FINANCE)


TEXTS: Mapping[str, Text] = {
    "report.dataset_unknown": _error(
        "没有名为 {dataset} 的报表。", "There is no report {dataset}.", "可选：{known}。", "There are: {known}."
    ),
    "report.format_unknown": _error(
        "报表 {dataset} 没有 {format} 格式。",
        "{dataset} is not written as {format}.",
        "可选：{known}。",
        "It is written as: {known}.",
    ),
    "report.names_fixed": _error(
        "{dataset}（{format}）的列名是固定的，不能换成文字标题。",
        "The columns of {dataset} as {format} have fixed names; they are not headed by words.",
        "请省略 headings（命令行 --headings），或选用 CSV 格式的自有报表。",
        "Leave out `headings` (--headings), or ask for a table of our own as CSV.",
    ),
    "report.encoding_fixed": _error(
        "{format} 文件的编码是固定的，只有 CSV 可选编码和 BOM。",
        "How a file of {format} is encoded is fixed; only CSV has a choice of encoding and a byte order mark.",
        "请省略 bom 和 encoding（命令行 --bom、--encoding），或选用 CSV 格式。",
        "Leave out `bom` and `encoding` (--bom, --encoding), or ask for CSV.",
    ),
    "report.pdf_not_here": _error(
        "本控制器不能生成 PDF：缺少 WeasyPrint、Pango 或中文字体。",
        "This controller makes no PDF: WeasyPrint, Pango or a Chinese font is missing.",
        "请选用 html，由浏览器打印或另存为 PDF；或请运维人员安装 docs/operator.md 所列的组件。",
        "Ask for html, which every browser prints or saves as PDF; or have the operator install what docs/operator.md names.",
    ),
    "report.one_department": _error(
        "对账单属于一个部门，但没有指明部门。",
        "A statement is one department's, and none was named.",
        "请用 department（命令行 --department）指明部门代码。",
        "Name the department's code with `department` (--department).",
    ),
    "report.in_future": _error(
        "月份 {period} 尚未开始。", "{period} has not begun yet.", "请选择已开始的月份。", "Ask for a month that has begun."
    ),
    "report.as_of_outside": _error(
        "截止时刻须在 {period} 之内，且不晚于现在：{start_s} 至 {last_s}（UTC 秒）。",
        "`as_of` must lie in {period} and not after now: {start_s} to {last_s} (UTC seconds).",
        "请改用该范围内的时刻，或省略。",
        "Give a moment in between, or leave it out.",
    ),
    "report.as_of_not_here": _error(
        "{period} 的状态是 {state}，其报表不随时刻变化。",
        "{period} is {state}: its reports do not depend on a moment.",
        "请省略 as_of。",
        "Leave `as_of` out.",
    ),
    "report.differs": _error(
        "{period} 的明细（{lines} 行、{micro_yuan} 微元）与对账单（{wanted_lines} 行、{wanted_micro_yuan} 微元）不符。",
        "The lines of {period} ({lines}, {micro_yuan} micro-yuan) are not what its statements say ({wanted_lines}, "
        "{wanted_micro_yuan}): no report was made.",
        "请用 allot meter verify {period} 查明差异。",
        "allot meter verify {period} tells what differs.",
    ),
    "report.disk_full": _error(
        "目录 {folder} 所在磁盘已满，报表未生成，没有留下残缺文件。",
        "The disk of {folder} is full: no report was made, and nothing half written is left.",
        "请腾出空间后重试。",
        "Make room and ask again.",
        Actor.OPERATOR,
    ),
    "report.not_written": _error(
        "无法在 {folder} 写入报表：{reason}。",
        "The report could not be written in {folder}: {reason}.",
        "请检查该目录的权限与磁盘后重试。",
        "Check that directory and its disk, then ask again.",
        Actor.OPERATOR,
    ),
    "report.busy": _error(
        "正在生成的报表过多。", "Too many reports are being made.", "请稍后重试。", "Ask again in a moment.", Actor.NOBODY
    ),
    "cli.demo_place_taken": _error(
        "目录 {directory} 中已有演示状态。",
        "{directory} already holds the state of a demonstration.",
        "请用 --to 指定另一目录，或先删除该目录。",
        "Name another directory with --to, or remove that one first.",
    ),
    "cli.file_not_written": _error(
        "无法写入文件 {file}：{reason}。",
        "{file} could not be written: {reason}.",
        "请检查目录、权限与磁盘空间；没有留下残缺文件。",
        "Check the directory, its permissions and its disk; nothing half written is left.",
    ),
    "cli.report_broke_off": _error(
        "取回 {file} 时连接一再中断且不再有数据：已取得 {have} / {size} 字节，保留在 {file}.partial。",
        "The connection broke off again and again, and nothing more of {file} came: {have} of {size} bytes are there, kept in "
        "{file}.partial.",
        "请检查网络后再次运行同一命令，将从中断处继续。",
        "Look at the network, then run the same command again: it goes on from there.",
    ),
    "cli.report_broken": _error(
        "取回的 {file} 与服务端不符（SHA-256 应为 {wanted}，实为 {found}），已丢弃。",
        "{file} is not what the service sent (SHA-256 {found} instead of {wanted}); it was thrown away.",
        "请重试；若再次发生，请检查网络与代理。",
        "Ask again; if it happens again, look at the network and its proxies.",
    ),
    "report.word.statement": Text("云资源使用对账单", "Statement of cloud usage"),
    "report.word.not_final": Text("本月尚未封账，金额可能变化。", "This month is not closed yet: amounts may change."),
    "report.word.late_word_waits": Text(
        "关于已复核月份的迟到记录，其更正将在下次复核时记入，未计入下列金额",
        "Told too late about reviewed months; the next review books their corrections, which are not in the amounts below",
    ),
    "report.word.department": Text("部门", "Department"),
    "report.word.code": Text("代码", "Code"),
    "report.word.month": Text("月份", "Month"),
    "report.word.number": Text("编号", "Number"),
    "report.word.acknowledged": Text("确认人", "Acknowledged by"),
    "report.word.project": Text("项目", "Project"),
    "report.word.project_name": Text("项目名称", "Name of project"),
    "report.word.budget_code": Text("预算代码", "Budget code"),
    "report.word.meter": Text("计量项", "Meter"),
    "report.word.kind": Text("类别", "Kind"),
    "report.word.quantity": Text("用量", "Quantity"),
    "report.word.unit": Text("单位", "Unit"),
    "report.word.list_yuan": Text("目录价（元）", "List (yuan)"),
    "report.word.exact_yuan": Text("金额（元，六位小数）", "Amount (yuan, six places)"),
    "report.word.payable_yuan": Text("应付（元）", "Payable (yuan)"),
    "report.word.total": Text("合计", "Total"),
    "report.word.of_it_shown": Text("其中仅展示、不收费", "Of it shown, not charged"),
    "report.word.shown_not_charged": Text(
        "仅展示，不收费：本对账单列明用量的成本，无需支付。",
        "Shown, not charged: this statement tells what use costs, and nothing is to be paid.",
    ),
    "report.word.billing": Text("计费方式", "Billing"),
    "report.word.billing_chargeback": Text("计费", "charged"),
    "report.word.billing_showback": Text("仅展示", "shown, not charged"),
    "report.word.cost_yuan": Text("费用（元）", "Cost (yuan)"),
    "report.word.rounding": Text("尾差", "Rounding"),
    "report.word.payable": Text("应付合计", "To be paid"),
    "report.word.sign_finance": Text("财务（签章）", "Finance (signature)"),
    "report.word.sign_department": Text("用云部门（签章）", "Department (signature)"),
    "report.word.seal_statement": Text("对账单封印", "Seal of this statement"),
    "report.word.seal_month": Text("月份封印", "Seal of the month"),
    "report.word.lines": Text("明细行数", "Lines"),
    "report.word.resource": Text("资源", "Resource"),
    "report.word.id": Text("编号", "Id"),
    "report.word.amount": Text("数量", "Amount"),
    "report.word.from": Text("起", "From"),
    "report.word.until": Text("止", "Until"),
    "report.word.sheet_summary": Text("汇总", "Summary"),
    "report.word.sheet_projects": Text("按项目", "By project"),
    "report.word.sheet_meters": Text("按计量项", "By meter"),
    "report.word.sheet_trend": Text("趋势", "Trend"),
    "report.word.sheet_top": Text("费用前列", "Dearest"),
    "report.word.sheet_corrections": Text("更正", "Corrections"),
    "report.word.sheet_lines": Text("明细", "Lines"),
    "report.word.too_many_machines": Text(
        "云主机过多，请导出 CSV 或 Parquet（efficiency-machines）。",
        "Too many machines for a workbook: ask for efficiency-machines as CSV or Parquet.",
    ),
    "report.word.too_many_lines": Text(
        "明细过多，请导出 CSV 或 Parquet。", "Too many lines for a workbook: ask for CSV or Parquet."
    ),
}
