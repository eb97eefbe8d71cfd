"""Texts of budgets: refusals, notices, and ``allot meter budget``."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.FINANCE)


TEXTS: Mapping[str, Text] = {
    "budget.exceeded": _error(
        "项目 {project} {year} 年预算不足：预算 {limit_yuan} 元，已占用 {obligated_yuan} 元，本次还需 {asked_yuan} 元"
        "（超过预算的 {percent}% 即不受理）。",
        "The {year} budget of project {project} is too small: {limit_yuan} yuan, obligated {obligated_yuan}, asked {asked_yuan} "
        "(refused over {percent} percent).",
        "请减少申请、缩短租期或释放不用的系统，或请财务调整预算（allot meter budget show 可查看）。",
        "Ask for less or for a shorter lease, release what is not used, or ask finance for more (allot meter budget show).",
        Actor.DEPARTMENT,
    ),
    "budget.unknown_field": _error(
        "预算文件没有字段“{field}”，最接近的是“{suggestion}”。",
        "A document of budgets has no field {field}; nearest: {suggestion}.",
        "请改用所列字段：{offered}。",
        "Use one of: {offered}.",
    ),
    "budget.project_unknown": _error(
        "没有代码为 {written} 的项目，最接近的是 {suggestion}。",
        "There is no project {written}; nearest: {suggestion}.",
        "请改用已有项目的代码：{offered}。",
        "Use the code of one there is: {offered}.",
    ),
    "budget.twice": _error(
        "项目 {project} 的 {year} 年预算写了两次。",
        "The {year} budget of project {project} stands twice.",
        "请只留一行。",
        "Keep one line.",
    ),
    "notice.budget_spent": _error(
        "项目 {project} {year} 年预算已用 {percent}% 以上：预算 {limit} 元，已用 {spent} 元。",
        "Project {project} has spent {percent} percent or more of its {year} budget: {spent} of {limit} yuan.",
        "请核对在用系统；不用的请释放，或请财务调整预算。",
        "Look at what runs; release what is not used, or ask finance for more.",
        Actor.DEPARTMENT,
    ),
    "notice.budget_forecast": _error(
        "照此下去，项目 {project} {year} 年预算将不足：预算 {limit} 元，到年底将达 {obligated} 元。",
        "As things are, the {year} budget of project {project} will not do: {limit} yuan, {obligated} by the end of the year.",
        "请缩减、缩短租期或释放系统，或请财务调整预算。",
        "Make systems smaller, shorten leases, release what is not used, or ask finance for more.",
        Actor.DEPARTMENT,
    ),
    "cli.help.meter.budget": Text("项目年度预算。", "Budgets of projects, by year."),
    "cli.help.meter.budget.import": Text("按文件设置预算（全部或全不）。", "Set the budgets of a document, all or none."),
    "cli.help.meter.budget.show": Text("列出预算、已用和占用。", "List budgets, what was spent and what is obligated."),
    "cli.help.meter.budget.notices": Text("列出关于预算的通知。", "List what was told about budgets."),
    "cli.param.meter.budget.import.file": Text("预算文件（YAML）。", "The document (YAML)."),
    "cli.param.meter.budget.show.year": Text("只看这一年。", "Of this year only."),
    "cli.column.year": Text("年度", "year"),
    "cli.column.budget_limit": Text("预算（元）", "budget (yuan)"),
    "cli.column.spent": Text("已用（元）", "spent (yuan)"),
    "cli.column.obligated": Text("占用（元）", "obligated (yuan)"),
    "cli.column.percent": Text("占比", "of it"),
    "cli.plan.budget": Text("预算", "Budget"),
    "cli.plan.budget_approval": Text("超出须审批的比例", "a second person is asked"),
}
