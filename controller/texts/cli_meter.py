"""Help, words and sentences of ``allot meter``."""

from controller.texts.text import Text

TEXTS: dict[str, Text] = {
    "cli.help.meter": Text("计量与结算：计量项、用量台账。", "Metering and billing: the meters, the ledger of usage."),
    "cli.help.meter.list": Text("列出计量项、单位与来源。", "List what is metered, in which unit, and what is entered by hand."),
    "cli.help.meter.ledger": Text("列出用量台账的区间。", "List the intervals of the ledger of usage."),
    "cli.help.meter.compare": Text(
        "由流水重新推算台账并比对；不一致时退出码为 1。",
        "Derive the ledger from the journal again and compare; exit 1 when they differ.",
    ),
    "cli.help.meter.rebuild": Text("由流水重建台账（记入审计）。", "Make the ledger again from the journal (an audited act)."),
    "cli.help.meter.counted": Text(
        "把一个池的台账与后端自己的计数并列，并逐项说明差异（vCPU 秒、内存 MiB 秒）。",
        "The ledger of a pool beside what its back end counts itself, vCPU and memory, with the reasons of each difference.",
    ),
    "cli.param.meter.counted.pool": Text("池的代码。", "Code of a pool."),
    "cli.param.meter.counted.start": Text("开始（含），日期或时刻。", "First moment, a date or a time."),
    "cli.param.meter.counted.end": Text("结束（不含）；不写则到现在。", "First moment after; up to now without it."),
    "cli.column.ledger_vcpu_s": Text("台账（vCPU 秒）", "ledger (vCPU-s)"),
    "cli.column.counted_vcpu_s": Text("后端（vCPU 秒）", "back end (vCPU-s)"),
    "cli.column.difference_vcpu_s": Text("差（vCPU 秒）", "difference (vCPU-s)"),
    "cli.column.ledger_memory_mib_s": Text("台账（MiB 秒）", "ledger (MiB-s)"),
    "cli.column.counted_memory_mib_s": Text("后端（MiB 秒）", "back end (MiB-s)"),
    "cli.column.difference_memory_mib_s": Text("差（MiB 秒）", "difference (MiB-s)"),
    "cli.column.reasons": Text("原因", "because"),
    "cli.word.counted.building": Text("创建中", "being built"),
    "cli.word.counted.never_started": Text("从未启动", "never started"),
    "cli.word.counted.rebuilding": Text("重建间隙", "being built anew"),
    "cli.word.counted.ended_early": Text("后端先结束", "ended first at the back end"),
    "cli.word.counted.not_promised": Text("台账中没有", "not in the ledger"),
    "cli.word.counted.other_size": Text("规格不同", "another size"),
    "cli.say.counted": Text("{start} 至 {end}：", "From {start} to {end}:"),
    "cli.say.counted_foreign": Text(
        "另有 {count} 台非本平台创建的云主机，共 {vcpu_s} vCPU 秒、内存 {memory_mib_s} MiB 秒。",
        "Not in the ledger: {count} machines of others, {vcpu_s} vCPU-seconds, {memory_mib_s} MiB-seconds of memory.",
    ),
    "cli.param.meter.ledger.resource": Text("只看此资源（id）。", "Only this resource, by id."),
    "cli.word.level": Text("按量×时长", "amount × time"),
    "cli.word.count": Text("按次数或字节", "units"),
    "cli.word.entry": Text("人工登记", "entered by hand"),
    "cli.word.measured": Text("平台计量", "measured"),
    "cli.column.base_unit": Text("计数单位", "counted in"),
    "cli.column.counting": Text("计法", "counting"),
    "cli.column.charged_states": Text("计费状态", "charged in"),
    "cli.column.meter_source": Text("来源", "source"),
    "cli.column.amount": Text("数量", "amount"),
    "cli.column.from": Text("从", "from"),
    "cli.column.opened_by": Text("起于", "opened by"),
    "cli.column.closed_by": Text("止于", "closed by"),
    "cli.column.uncertain_s": Text("起止不确定（秒）", "uncertain (s)"),
    "cli.say.uncertain": Text("最多早 {seconds} 秒", "up to {seconds} s earlier"),
    "cli.column.detail": Text("说明", "detail"),
    "cli.say.ledger_equal": Text(
        "台账与流水一致：{resources} 个资源，{intervals} 个区间。",
        "The ledger is what the journal says: {resources} resources, {intervals} intervals.",
    ),
    "cli.say.ledger_differs": Text(
        "台账与流水不一致（已查 {resources} 个资源、{intervals} 个区间），差异 {count} 处：",
        "The ledger differs from the journal ({resources} resources, {intervals} intervals compared) in {count} places:",
    ),
    "cli.say.rebuild_this": Text("由流水重建整个台账？", "Make the whole ledger again from the journal?"),
    "cli.say.ledger_rebuilt": Text("已重建，共 {count} 个区间。", "Made again: {count} intervals."),
    "cli.help.meter.book": Text("价格册：提交、审批、查看。", "Price books: hand in, decide on, look at."),
    "cli.help.meter.book.check": Text(
        "检查价格册，一次列出全部错误。", "Read a price book and list everything that is wrong with it."
    ),
    "cli.help.meter.book.submit": Text(
        "提交价格册草案；另外两人同意后生效。", "Hand in a price book as a draft; it holds when two others have agreed."
    ),
    "cli.help.meter.book.list": Text("列出价格册的各版本。", "List versions of price books."),
    "cli.help.meter.book.show": Text("显示一个版本的原文与审批。", "Show a version with its document and who decided on it."),
    "cli.help.meter.book.approve": Text("同意他人提交的草案。", "Agree to somebody else's draft."),
    "cli.help.meter.book.reject": Text("驳回草案。", "Turn a draft down."),
    "cli.param.meter.book.check.file": Text("价格册文件；- 表示标准输入。", "File of the price book; - is standard input."),
    "cli.param.meter.book.submit.file": Text("价格册文件；- 表示标准输入。", "File of the price book; - is standard input."),
    "cli.param.meter.book.show.id_": Text("版本编号。", "Id of a version."),
    "cli.param.meter.book.approve.id_": Text("版本编号。", "Id of a version."),
    "cli.param.meter.book.reject.id_": Text("版本编号。", "Id of a version."),
    "cli.help.meter.entry": Text(
        "服务、人工与平台外的占用：登记、审批、查看。", "Services, labour, what is held elsewhere: enter, decide, look."
    ),
    "cli.help.meter.entry.add": Text(
        "登记服务或人工，须另一人同意后计费。", "Enter a service or labour; it is charged when a second person has agreed."
    ),
    "cli.help.meter.entry.list": Text("列出登记。", "List entries."),
    "cli.help.meter.entry.approve": Text("同意他人的登记。", "Agree to somebody else's entry."),
    "cli.help.meter.entry.reject": Text("驳回登记。", "Turn an entry down."),
    "cli.param.meter.entry.add.project": Text("项目代码。", "Code of a project."),
    "cli.param.meter.entry.add.meter": Text(
        "service:…、labour:…，或 allot meter list 中标为人工登记的其他计量项。",
        "service:…, labour:…, or another one that allot meter list shows as entered by hand.",
    ),
    "cli.param.meter.entry.add.amount": Text(
        "件数、人工分钟数，或占用的量（GiB、单元）。", "Items, minutes of labour, or what was held (GiB, units)."
    ),
    "cli.param.meter.entry.add.start": Text("发生（或开始）时刻。", "When it was done, or began."),
    "cli.param.meter.entry.add.end": Text(
        "按月服务或占用的结束时刻（不含）。", "First moment after a service by the month, or after what was held."
    ),
    "cli.param.meter.entry.approve.id_": Text("登记编号。", "Id of an entry."),
    "cli.param.meter.entry.reject.id_": Text("登记编号。", "Id of an entry."),
    "cli.word.book_draft": Text("草案", "draft"),
    "cli.word.book_approved": Text("已批准，待生效", "approved, to come"),
    "cli.word.book_effective": Text("生效中", "in force"),
    "cli.word.book_retired": Text("已失效", "retired"),
    "cli.word.book_rejected": Text("已驳回", "rejected"),
    "cli.column.version": Text("版本", "version"),
    "cli.column.replaces": Text("替代", "replaces"),
    "cli.column.entered_by": Text("登记人", "entered by"),
    "cli.column.agreed_by": Text("同意人", "agreed to by"),
    "cli.column.approvals": Text("审批", "decided by"),
    "cli.column.sha256": Text("SHA-256", "SHA-256"),
    "cli.say.book_good": Text(
        "价格册 {name} 没有错误：{rates} 个单价，{discounts} 个折扣，{commitments} 个承诺用量。",
        "{name} has no mistakes: {rates} prices, {discounts} discounts, {commitments} commitments.",
    ),
    "cli.say.entry_waits": Text("已登记 {id}，待另一人同意。", "{id} is entered and waits for a second person."),
    "cli.say.entry_decided": Text("登记 {id}：{state}。", "{id}: {state}."),
    "cli.help.meter.periods": Text("列出各结算期及其状态。", "List months with how far their closing is."),
    "cli.help.meter.close": Text(
        "开始结账；复核之后由另一人执行则封账。",
        "Begin to close a month that is over; after its review, another person closes it for good.",
    ),
    "cli.help.meter.review": Text("计价并生成对账单，供封账。", "Rate a month and write its statements, ready to be closed."),
    "cli.help.meter.statement": Text(
        "显示部门对账单；不写部门则列出该期全部对账单。", "Show a department's statement; without one, list those of the month."
    ),
    "cli.help.meter.acknowledge": Text("部门确认已阅对账单。", "Say that your department has seen its statement."),
    "cli.help.meter.lines": Text("列出对账单的结算明细。", "List the rated lines of a statement."),
    "cli.help.meter.trace": Text(
        "追溯一条明细：流水、单价、审批。", "Show what a line came from: journal rows, price, approvals."
    ),
    "cli.help.meter.verify": Text(
        "由流水重新推算已封账的结算期，逐字节比对；不一致时退出码为 1。",
        "Derive a closed month from the journal again and compare every byte; exit 1 when it differs.",
    ),
    "cli.help.meter.reopen-never": Text(
        "说明封账为何不再打开，以及应怎样更正。", "Say why a closed month stays closed, and what to do instead."
    ),
    "cli.help.meter.adjust": Text(
        "更正：对已封账明细的退款或补收。", "Corrections: credits and debits for lines of closed months."
    ),
    "cli.help.meter.adjust.add": Text("提出一笔更正，须另一人同意。", "Enter a correction; a second person has to agree."),
    "cli.help.meter.adjust.list": Text("列出更正。", "List corrections."),
    "cli.help.meter.adjust.approve": Text("同意他人的更正。", "Agree to somebody else's correction."),
    "cli.help.meter.adjust.reject": Text("驳回更正。", "Turn a correction down."),
    "cli.help.meter.report": Text(
        "把一个月的报表取回为文件（CSV、JSON、Parquet、XLSX、对账单、FOCUS）。",
        "Fetch a month as files: CSV, JSON, Parquet, a workbook, a printed statement, or FOCUS.",
    ),
    "cli.help.meter.demo": Text(
        "在独立的临时状态中结算一个虚构小城的三个月，并打印对账单；不需要服务。",
        "Close three months of a made-up city in a scratch state and print the statements; needs no service.",
    ),
    "cli.param.meter.demo.seed": Text("随机种子：同一种子得到同样的对账单。", "Seed: the same one gives the same statements."),
    "cli.param.meter.demo.to": Text("保留状态的目录；默认用后即删。", "Directory to keep the state in; thrown away if left out."),
    "cli.say.demo_month": Text("{month}：各部门对账单", "{month}: statements of all departments"),
    "cli.say.demo_statement": Text("{month} {department} 的对账单", "Statement of {department} for {month}"),
    "cli.say.demo_proven": Text(
        "{months} 个月均已封账并由流水重新推算验证：{lines} 行明细，合计 {yuan} 元。",
        "{months} months are closed and proven from the journal: {lines} lines, {yuan} yuan in all.",
    ),
    "cli.say.demo_begun": Text("正在建立演示城市 …", "Founding the city …"),
    "cli.say.demo_played": Text("正在使用并关账 {month}", "using and closing {month}"),
    "cli.say.demo_kept": Text("状态保留在 {directory}。", "The state is kept in {directory}."),
    "cli.param.meter.report.dataset": Text(
        "哪种报表：lines、statements、workbook、statement、focus（一个目录的四个文件）、focus-1.2、efficiency、"
        "efficiency-classes、efficiency-machines、assessment。",
        "Which report: lines, statements, workbook, statement, focus (four files in a directory), focus-1.2, efficiency, "
        "efficiency-classes, efficiency-machines, assessment.",
    ),
    "cli.param.meter.report.format_": Text(
        "文件格式；默认为该报表的第一种。", "How it is written; the report's first if left out."
    ),
    "cli.param.meter.report.department": Text("仅此部门及其下级。", "Only this department and those below it."),
    "cli.param.meter.report.as_of": Text("未封账月份：截止时刻；默认现在。", "Of an open month: up to when; now if left out."),
    "cli.param.meter.report.bom": Text(
        "UTF-8 CSV 以 BOM 开头，便于表格软件。", "Begin CSV in UTF-8 with a byte order mark, for spreadsheets."
    ),
    "cli.param.meter.report.encoding": Text("CSV 的编码。", "Encoding of CSV."),
    "cli.param.meter.report.headings": Text(
        "CSV 的列标题：列名（names）或所用语言的文字（words）。",
        "Headings of CSV: the columns' names, or words in the reader's language.",
    ),
    "cli.param.meter.report.to": Text(
        "文件（focus 为目录）；默认在当前目录。", "File (for focus a directory); here if left out."
    ),
    "cli.column.file": Text("文件", "file"),
    "cli.column.rows": Text("行数", "rows"),
    "cli.column.bytes": Text("字节", "bytes"),
    "cli.say.month_worked_on": Text("正在处理 {period} 的明细 …", "Working on the lines of {period} …"),
    "cli.say.ledger_worked_on": Text("正在由流水推导台账 …", "Deriving the ledger from the journal …"),
    "cli.say.chain_worked_on": Text("正在重新计算审计链 …", "Computing the audit chain again …"),
    "cli.say.work_unknown": Text(
        "服务尚不知道此请求进行到哪里；请求继续进行，稍后再问。",
        "The service does not know yet how far this is. The request goes on, and is asked about again.",
    ),
    "cli.say.work_unseen": Text(
        "不再显示进度（{reason}）。请求继续进行。", "How far this is, is not shown any more ({reason}). The request goes on."
    ),
    "cli.say.report_made": Text("正在生成 {dataset} …", "Making {dataset} …"),
    "cli.param.period": Text("月份，例如 2026-12。", "Month, for example 2026-12."),
    "cli.param.meter.statement.department": Text("部门代码。", "Code of a department."),
    "cli.param.meter.acknowledge.department": Text("部门代码。", "Code of a department."),
    "cli.param.meter.lines.department": Text("部门代码。", "Code of a department."),
    "cli.param.line": Text("明细编号。", "Id of a line."),
    "cli.param.meter.adjust.add.yuan": Text("金额（元）；负数为退款。", "Amount in yuan; a credit is negative."),
    "cli.param.meter.adjust.approve.id_": Text("更正编号。", "Id of a correction."),
    "cli.param.meter.adjust.reject.id_": Text("更正编号。", "Id of a correction."),
    "cli.word.period_open": Text("进行中", "open"),
    "cli.word.period_closing": Text("结账中", "closing"),
    "cli.word.period_reviewed": Text("已复核", "reviewed"),
    "cli.word.period_closed": Text("已封账", "closed"),
    "cli.column.period": Text("结算期", "month"),
    "cli.column.reviewed_by": Text("复核", "reviewed by"),
    "cli.column.closed_by_whom": Text("封账", "closed by"),
    "cli.column.lines": Text("明细", "lines"),
    "cli.column.payable_yuan": Text("应付（元）", "payable (yuan)"),
    "cli.column.list_yuan": Text("目录价（元）", "list (yuan)"),
    "cli.column.yuan": Text("金额（元）", "amount (yuan)"),
    "cli.column.seal": Text("封印", "seal"),
    "cli.column.ready": Text("可复核于", "review from"),
    "cli.column.quantity": Text("用量", "quantity"),
    "cli.column.acknowledged_by": Text("部门确认", "seen by"),
    "cli.column.corrects": Text("更正明细", "corrects"),
    "cli.column.late_word": Text("迟到流水", "late word"),
    "cli.column.price_book": Text("价格册", "price book"),
    "cli.column.billing": Text("计费方式", "billing"),
    "cli.word.billing_chargeback": Text("计费", "charged"),
    "cli.word.billing_showback": Text("仅展示，不收费", "shown, not charged"),
    "cli.say.late_word_waits": Text(
        "有 {count} 条关于已复核月份的迟到记录，其更正将在下次复核时记入，未计入以上金额。",
        "Told too late about reviewed months: {count}. The next review books their corrections; the amounts above lack them.",
    ),
    "cli.say.statement_total": Text(
        "合计 {yuan} 元，应付 {payable} 元（舍入 {rounding}）。部门确认：{by}",
        "{yuan} yuan in all, {payable} payable (rounding {rounding}). Seen by: {by}",
    ),
    "cli.say.period_proven": Text(
        "{period} 已证明：{count} 条明细逐字节一致，封印 {seal}。",
        "{period} is proven: {count} lines are the same byte for byte, seal {seal}.",
    ),
    "cli.say.period_not_proven": Text(
        "{period} 不能证明（{count} 条明细，封印 {seal}）：", "{period} could not be proven ({count} lines, seal {seal}):"
    ),
    "cli.say.seal_not_in_audit": Text("审计链中没有这个封印。", "The audit chain does not hold this seal."),
    "cli.say.adjustment_waits": Text("更正 {id} 待另一人同意。", "{id} waits for a second person."),
    "cli.say.adjustment_decided": Text("更正 {id}：{state}，记入 {period}。", "{id}: {state}, stands in {period}."),
}
