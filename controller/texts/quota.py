"""Texts of limits."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text

TEXTS: Mapping[str, Text] = {
    "quota.exceeded": Text(
        zh="{scope_name}（{scope}）的配额不足：{dimension} 上限 {limit}，已用 {used}，本次需要 {asked}。",
        en="The quota of {scope_name} ({scope}) is too small: {dimension} limit {limit}, used {used}, asked {asked}.",
        cure_zh="请释放不用的资源或减少申请数量，或向平台运维申请调整配额（allot quota show 可查看各级用量）。",
        cure_en="Release what is not used, ask for less, or ask the operator for a higher limit (allot quota show lists use).",
        actor=Actor.DEPARTMENT,
    ),
    "quota.departments_moved": Text(
        zh="项目 {project} 所在的组织机构刚刚调整过，本次操作没有生效。",
        en="The departments above project {project} were just moved; nothing was done.",
        cure_zh="请重新提交。",
        cure_en="Submit it again.",
        actor=Actor.DEPARTMENT,
    ),
    "quota.dimension_unknown": Text(
        zh="没有名为 {dimension} 的配额项，可用的有：{known}。",
        en="There is no quota dimension {dimension}. Known: {known}.",
        cure_zh="请改用所列的配额项。",
        cure_en="Use one of those listed.",
        actor=Actor.OPERATOR,
    ),
    "quota.limit_invalid": Text(
        zh="配额项 {dimension} 的设置 {mode} {limit} 不正确：limit 需要 0 到 {highest} 的整数，inherit 与 unlimited 不带数值。",
        en="{mode} {limit} is no setting of {dimension}: limit needs a whole number up to {highest}, inherit and unlimited none.",
        cure_zh="请改正模式或数值后重试。",
        cure_en="Correct mode or number and try again.",
        actor=Actor.OPERATOR,
    ),
    "quota.scope_unknown": Text(
        zh="没有代码为 {scope} 的部门或项目。",
        en="There is no department or project {scope}.",
        cure_zh="请核对部门或项目代码。",
        cure_en="Check the code of the department or project.",
        actor=Actor.OPERATOR,
    ),
}
