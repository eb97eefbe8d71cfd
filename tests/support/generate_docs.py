"""Write the generated pages of ``docs/``: ``make docs``. ``tests/meta/test_docs_current.py`` compares each with its source."""

import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path

from controller.texts.catalogue import all_texts
from controller.texts.text import Actor, Text

DOCS = Path(__file__).parents[2] / "docs"

_ERRORS_HEAD = """\
# 错误代码 Error codes

平台给出的每个错误都有一个不变的代码、中英文说明、处理办法，以及应由谁处理。`{…}` 处会填入具体的名称和数值。
Every error has a code that never changes, a sentence and a cure in Chinese and English, and somebody to act on it.
`{…}` is filled with names and figures.

本页由 `make docs` 生成。This page is written by `make docs`.

| 处理人 Who acts | |
|---|---|
| 部门 department | 提交工单的部门 the department that handed in the ticket |
| 运维 operator | 平台运维人员 the operator of the platform |
| 财务 finance | 财务人员 the finance officer |
| 无需 nobody | 平台自行处理 the platform goes on by itself |
"""
_ACTORS: Mapping[Actor, str] = {
    Actor.DEPARTMENT: "部门 department",
    Actor.OPERATOR: "运维 operator",
    Actor.FINANCE: "财务 finance",
    Actor.NOBODY: "无需 nobody",
}
_SUBJECTS: Mapping[str, str] = {
    "moves": "迁移计划 Plans of moves",
    "access": "访问权限 Access",
    "adjustment": "更正 Corrections",
    "approval": "审批 Approvals",
    "audit": "审计 Audit",
    "book": "价格册 Price books",
    "catalogue": "目录 Catalogue",
    "capacity": "容量 Capacity",
    "cli": "命令行 Command line",
    "db": "状态工具 State tools",
    "department": "部门 Departments",
    "doctor": "体检 Doctor",
    "document": "文档格式 Documents",
    "driver": "宿主机与驱动 Hosts and drivers",
    "efficiency": "效能 Efficiency",
    "entry": "人工登记 Entries by hand",
    "openstack": "OpenStack 区域 OpenStack regions",
    "explanation": "放置说明 Explanations",
    "fencing": "断电 Fencing",
    "hold": "执行权 Holds",
    "host": "宿主机 Hosts",
    "http": "HTTP",
    "idempotency": "幂等键 Idempotency keys",
    "image": "镜像 Images",
    "instance": "云主机 Machines",
    "internal": "内部错误 Internal errors",
    "ledger": "用量台账 The ledger of usage",
    "line": "结算明细 Rated lines",
    "network": "网络 Networks",
    "period": "结算期 Periods",
    "report": "报表 Reports",
    "metrics": "指标 Metrics",
    "statement": "对账单 Statements",
    "placement": "放置 Placement",
    "plan": "计划 Plans",
    "pool": "资源池 Pools",
    "prepare": "宿主机准备 Preparing hosts",
    "price": "价格 Prices",
    "project": "项目 Projects",
    "cost": "成本 Costs of the platform",
    "adoption": "纳管 Adopted machines",
    "budget": "预算 Budgets of projects",
    "quota": "配额 Quotas",
    "request": "请求 Requests",
    "reservation": "预留 Reservations",
    "resource": "资源 Resources",
    "serve": "启动服务 Starting the service",
    "settings": "配置 Settings",
    "simulate": "回放 Replay of traces",
    "simulated": "模拟驱动 Simulated driver",
    "size": "规格 Sizes",
    "site": "平台文件 Site files",
    "state": "状态数据库 State database",
    "step": "执行步骤 Steps",
    "storage_pool": "存储池 Storage pools",
    "system": "信息系统 Systems",
    "ticket": "工单 Tickets",
    "token": "令牌 Tokens",
    "usage": "用量 Usage",
    "work": "工作进度 Progress of work",
    "notice": "提醒 Notices",
    "volume": "数据盘 Disks",
    "zone": "网络区域 Zones",
}


def errors_page() -> str:
    """Return the page of every error, by subject and code."""
    errors = sorted((code, text) for code, text in all_texts().items() if text.actor is not None)
    parts = [_ERRORS_HEAD]
    for subject, group in groupby(errors, key=lambda entry: entry[0].partition(".")[0]):
        parts.append(f"\n## {_SUBJECTS.get(subject, subject)}\n")
        parts += [_entry(code, text) for code, text in group]
    return "".join(parts)


def _entry(code: str, text: Text) -> str:
    assert text.actor is not None
    return (
        f"\n### `{code}`\n\n处理人 Who acts: {_ACTORS[text.actor]}\n\n"
        f"- {_literal(text.zh)}\n  - 处理：{_literal(text.cure_zh)}\n"
        f"- {_literal(text.en)}\n  - Cure: {_literal(text.cure_en)}\n"
    )


def _literal(sentence: str) -> str:
    """Keep a sentence from being read as markup, and show of what is filled in only the name."""
    sentence = re.sub(r":[a-z]+}", "}", sentence)
    return sentence.replace("\n", " ").replace("<", "&lt;").replace("*", r"\*")


def ticket_schema() -> str:
    """Return the JSON Schema of the ticket language."""
    from controller.tickets.schema import schema_text

    return schema_text()


def api_description() -> str:
    """Return the OpenAPI description of the interface."""
    from controller.api import openapi
    from tests.support.api import service

    with tempfile.TemporaryDirectory() as directory, service(Path(directory)) as found:
        return openapi.text(found.app)


def command_line() -> str:
    """Return the page of every command."""
    from tests.support.cli_page import cli_page

    return cli_page()


PAGES: Mapping[str, Callable[[], str]] = {
    "cli.md": command_line,
    "errors.md": errors_page,
    "schema/allotment-v1.schema.json": ticket_schema,
    "openapi.json": api_description,
}


def main() -> int:
    """Write every page that is not current."""
    for name, source in PAGES.items():
        path, text = DOCS / name, source()
        if path.exists() and path.read_text("utf-8") == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        print(f"written: docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
