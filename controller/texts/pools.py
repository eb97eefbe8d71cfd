"""Texts of ``allot pool``: what a back end keeps for departments."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.OPERATOR)

TEXTS: Mapping[str, Text] = {
    "department.lives_in_pool": _error(
        "部门 {department} 在资源池 {pool} 中还有 {count} 项资源。",
        "Department {department} has {count} resources in pool {pool}.",
        "请先释放其系统（纳管的云主机用 allot adopt let-go），待资源删除后再执行。",
        "Release its systems first (allot adopt let-go for adopted machines), and come again when they are gone.",
    ),
    "cli.help.pool": Text("资源池后端为部门保留的内容。", "What a pool's back end keeps for departments."),
    "cli.help.pool.departments": Text(
        "列出在资源池后端有自己项目的部门。", "List the departments that have a place of their own in the pool's back end."
    ),
    "cli.help.pool.drop-department": Text(
        "从资源池后端删除部门的项目；其中须已没有任何资源，再次使用时自动新建。",
        "Remove a department's place from the pool's back end, once nothing is in it. First use makes it anew.",
    ),
    "cli.param.pool.departments.pool": Text("资源池代码。", "Code of the pool."),
    "cli.param.pool.drop-department.pool": Text("资源池代码。", "Code of the pool."),
    "cli.param.pool.drop-department.department": Text("部门代码。", "Code of the department."),
    "cli.say.department_left": Text(
        "部门 {department} 在资源池 {pool} 后端的项目已删除。", "Department {department} has no place in pool {pool} any more."
    ),
}
