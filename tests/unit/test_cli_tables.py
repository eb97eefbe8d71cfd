"""Tables for people: Chinese characters take two columns of a terminal, and names stand in the order of a Chinese dictionary."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import east_asian_width
from zoneinfo import ZoneInfo

import pytest

from controller.cli.lists import KINDS
from controller.cli.output import Column, Out
from controller.cli.session import Format

_RESERVE = {"level": "host", "count": 1}
_CAPACITY = [{"dimension": "vcpu", "used": 3, "capacity": 64}, {"dimension": "disk_gib:standard", "used": 1, "capacity": 9}]
_NICS = [{"address": "10.96.0.2"}]
#: Two rows of every kind: one of wide characters, one of narrow ones.
ROWS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "departments": [
        {"code": "civil-affairs", "name": "广州市民政局（本级）", "billed_as": "showback", "id": "dept_1"},
        {"code": "it", "name": "IT office", "billed_as": "chargeback", "id": "dept_2"},
    ],
    "projects": [
        {"code": "GZ2026-MZJ-017", "name": "门户迁移，二期", "budget_code": "预算“一”", "id": "proj_1"},
        {"code": "X", "name": "plain", "budget_code": "b", "id": "proj_2"},
    ],
    "systems": [
        {"name": "portal", "state": "active", "revision": 1, "lease_end_s": 1_780_272_000, "id": "sys_1"},
        {"name": "m", "state": "building", "revision": 22, "lease_end_s": 1_780_272_000, "id": "sys_2"},
    ],
    "hosts": [
        {
            "name": name,
            "admin_state": "active",
            "reachability": reachability,
            "unreachable_since_s": since_s,
            "capacity": _CAPACITY,
            "site": site,
            "room": "三层",
            "rack": "A01",
            "id": f"host_{name}",
        }
        for name, site, reachability, since_s in (
            ("h1", "市数据中心一号楼", "reachable", None),
            ("host-of-a-long-name", "x", "unreachable", 1_780_272_000.5),
        )
    ],
    "pools": [
        {"code": code, "name": name, "driver": "libvirt", "mlps_max": 3, "reserve": _RESERVE, "placement": "default", "id": "p"}
        for code, name in (("a", "政务外网通用池"), ("bb", "plain"))
    ],
    "zones": [
        {"code": code, "name": name, "network_class": "gov-public", "mlps_max": 3, "address_range": "10.96.0.0/12"}
        for code, name in (("gov-public", "政务外网"), ("internet", "互联网接入区"))
    ],
    "images": [
        {"name": "demo", "title": title, "arch": "x86_64", "disk_format": "qcow2", "virtual_size_gib": 1, "state": "ready"}
        for title in ("银河麒麟操作系统", "Debian")
    ],
    "tickets": [
        {"system_name": "portal", "action": "create", "state": "done", "created_by": by, "created_at_s": 1, "id": "tick_1"}
        for by in ("张三", "zhangsan")
    ],
    "instances": [
        {
            "name": name,
            "observed": "running",
            "phase": "settled",
            "host": host,
            "nics": _NICS,
            "vcpu_count": 2,
            "memory_mib": 4096,
            "id": "inst_1",
        }
        for name, host in (("web-1", "一号主机"), ("database-1", "h1"))
    ],
    "sizes": [{"name": name, "vcpu_count": 1, "memory_mib": 128, "root_disk_gib": 1} for name in ("tiny/微型", "small/中等规格")],
    "findings": [
        {"kind": "foreign_domain", "subject": subject, "state": "open", "first_seen_s": 1, "last_seen_s": 2, "id": "find_1"}
        for subject in ("一台外来云主机", "vm")
    ],
    "notices": [
        {"at_s": 1, "system": "portal", "detail": detail, "cure": cure}
        for detail, cure in (("租期将于三天后结束。", "请续租。"), ("The lease ends.", "Renew it."))
    ],
}


def width(text: str) -> int:
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def printed(kind: str, language: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    out = Out(language, Format.TABLE, ZoneInfo("Asia/Shanghai"))
    entry = KINDS[kind]
    out.rows(ROWS[kind], entry.columns(out), by=entry.by)
    return [line for line in capsys.readouterr().out.splitlines() if line.strip()]


def starts(line: str) -> set[int]:
    """Return the columns of the terminal in which cells begin: what follows two spaces or more."""
    found, gap = set(), 2
    for at, char in enumerate(line):
        if char != " " and gap >= 2:
            found.add(width(line[:at]))
        gap = gap + 1 if char == " " else 0
    return found


def test_every_kind_that_can_be_listed_is_tried() -> None:
    assert ROWS.keys() == KINDS.keys()


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("kind", sorted(ROWS))
def test_columns_are_straight_whatever_the_width_of_characters(
    kind: str, language: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "220")
    head, rule, *body = printed(kind, language, capsys)
    assert set(rule.strip()) == {"─"}
    out = Out(language, Format.TABLE, ZoneInfo("Asia/Shanghai"))
    columns = KINDS[kind].columns(out)
    assert len(body) == 2
    for column, row_starts in zip(columns[:-1], _edges(columns, head, body), strict=False):
        assert len(row_starts) == 1, column.title


def _edges(columns: Sequence[Column], head: str, body: Sequence[str]) -> list[set[int]]:
    """Return for each column of texts where its cells begin, for numbers where they end."""
    edges: list[set[int]] = []
    cells = [_cells(line) for line in (head, *body)]
    assert {len(found) for found in cells} == {len(columns)}, cells
    for index, column in enumerate(columns):
        edges.append({found[index][1 if column.is_number else 0] for found in cells})
    return edges


def _cells(line: str) -> list[tuple[int, int]]:
    """Return where each cell begins and ends, in columns of the terminal."""
    begins = sorted(starts(line))
    texts = []
    for number, begin in enumerate(begins):
        following = begins[number + 1] if number + 1 < len(begins) else None
        text = _between(line, begin, following).rstrip()
        texts.append((begin, begin + width(text)))
    return texts


def _between(line: str, first: int, last: int | None) -> str:
    at, kept = 0, ""
    for char in line:
        if at >= first and (last is None or at < last):
            kept += char
        at += width(char)
    return kept


@pytest.mark.parametrize("columns", [40, 60, 80])
@pytest.mark.parametrize("kind", sorted(ROWS))
def test_a_table_stays_within_a_narrow_terminal_and_loses_no_character(
    kind: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = printed(kind, "zh-CN", capsys)
    assert all(width(line) <= columns for line in lines)
    told = "".join("".join(lines).split())
    for row in ROWS[kind]:
        for value in row.values():
            if isinstance(value, str) and any(east_asian_width(c) in "WF" for c in value):
                assert all(told.count(c) for c in value), value


def test_fields_of_one_thing_are_straight_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    for language in ("zh-CN", "en"):
        out = Out(language, Format.TABLE, ZoneInfo("Asia/Shanghai"))
        out.fields([("cli.column.name", "门户"), ("cli.column.lease_end", "2026-06-01"), ("cli.column.id", "sys_1")])
        lines = capsys.readouterr().out.splitlines()
        assert len({_cells(line)[1][0] for line in lines}) == 1


NAMES = ["重庆办事处", "安全局", "厦门办事处", "IT中心", "市民政局", "财政局"]


@pytest.mark.parametrize("kind", ["departments", "projects"])
def test_people_read_departments_and_projects_in_the_order_of_pinyin(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"code": f"c{n}", "name": name, "budget_code": "", "billed_as": "chargeback", "id": f"x_{n}"}
        for n, name in enumerate(NAMES)
    ]
    out = Out("zh-CN", Format.TABLE, ZoneInfo("Asia/Shanghai"))
    out.rows(rows, KINDS[kind].columns(out), by=KINDS[kind].by)
    told = capsys.readouterr().out
    assert sorted(NAMES, key=told.index) == ["IT中心", "安全局", "财政局", "重庆办事处", "市民政局", "厦门办事处"]


def test_programs_read_lists_in_the_order_of_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    out = Out("zh-CN", Format.JSON, ZoneInfo("Asia/Shanghai"))
    out.rows([{"name": name} for name in NAMES], [], by="name")
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == NAMES


@pytest.mark.parametrize("columns", ["wide", "-80", "0", ""])
def test_a_width_that_is_no_number_is_as_if_none_were_given(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    usual = printed("zones", "en", capsys)
    monkeypatch.setenv("COLUMNS", columns)
    assert printed("zones", "en", capsys) == usual
