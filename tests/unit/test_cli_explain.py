"""A plan says where its machines would go, and an explanation says of each machine the host it went to."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from controller.cli.explain_view import places_of, show_explanation
from controller.cli.output import Out
from controller.cli.plan_view import show_plan
from controller.cli.session import Format


def out(language: str = "en") -> Out:
    return Out(language, Format.TABLE, ZoneInfo("Asia/Shanghai"))


def placed(members: list[str], host: str, **elsewhere: list[str]) -> dict[str, Any]:
    """An explanation of equal machines; ``elsewhere`` holds those that went to other hosts."""
    return {
        "member": members[0],
        "members": members,
        "is_placed": True,
        "hosts_total": 9,
        "winner": {"host": host, "score": 1, "parts": {"storage": 1}},
        "elsewhere": [[name, those] for name, those in elsewhere.items()],
    }


def plan(*explanations: dict[str, Any]) -> dict[str, Any]:
    names = [name for body in explanations for name in body["members"]]
    where = {name: host for body in explanations for host, those in places_of(body).items() for name in those}
    return {
        "action": "create",
        "system": "s",
        "department": {"name": "d"},
        "project": "p",
        "zone": {"name": "z"},
        "notices": [],
        "is_noop": False,
        "changes": [],
        "month": "2026-06",
        "month_price_before_yuan": "0",
        "month_price_after_yuan": "1",
        "quota": [],
        "budget": [],
        "approvals": [],
        "placements": [{"member": name, "host_id": where[name]} for name in names],
        "explanations": list(explanations),
    }


def test_a_plan_says_which_host_each_machine_would_go_to(capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(out(), plan(placed(["a-1", "b-1"], "h1", h2=["b-1"]), placed(["db-1"], "h2")))
    told = capsys.readouterr().out
    assert "Fits: 3 machines on 2 hosts.\n  h1: a-1\n  h2: b-1, db-1\n" in told


@pytest.mark.parametrize(
    ("names", "where", "said"),
    [
        (["a-1"], {}, "Fits: 1 machine on 1 host."),
        (["a-1", "a-2"], {}, "Fits: 2 machines on 1 host."),
        (["a-1", "a-2"], {"h2": ["a-2"]}, "Fits: 2 machines on 2 hosts."),
    ],
)
def test_a_plan_counts_in_good_english(
    names: list[str], where: dict[str, list[str]], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_plan(out(), plan(placed(names, "h1", **where)))
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("language", "head"),
    [("en", "the system “s” stays as it is (d, project p, z)"), ("zh-CN", "系统“s”保持不变（d，项目 p，z）")],
)
def test_a_plan_that_changes_nothing_is_headed_so(language: str, head: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(out(language), {**plan(placed(["a-1"], "h1")), "is_noop": True, "base_revision": 3})
    assert capsys.readouterr().out.splitlines()[0] == head


def test_a_plan_of_hundreds_names_some_machines_of_some_hosts_and_counts_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    many = {f"h{n}": [f"m{n}-{i}" for i in range(20)] for n in range(1, 30)}
    body = placed(["m0-0", *(name for those in many.values() for name in those)], "h0", **many)
    show_plan(out(), plan(body))
    lines = capsys.readouterr().out.split("Fits: ")[1].splitlines()
    assert len(lines) == 12
    assert lines[2] == "  h1: m1-0, m1-1, m1-2, m1-3, m1-4, m1-5, m1-6, m1-7 … (20)"
    assert "and 20 more" in lines[-1]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_an_explanation_puts_no_machine_on_a_host_it_is_not_on(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_explanation(out(language), placed(["a-1", "a-2", "b-1"], "h1", h2=["b-1"]))
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert "a-1, a-2" in first
    assert "h1" in first
    assert "b-1" not in first
    assert second.startswith("b-1")
    assert "h2" in second


@pytest.mark.parametrize(("members", "is_said"), [(["a-1", "a-2"], True), (["a-1"], False)])
def test_counts_are_said_to_be_of_the_first_of_equal_machines(
    members: list[str], is_said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    show_explanation(out(), {**placed(members, "h1"), "left_after": [["state", 3]]})
    assert ("These counts are of a-1, the first" in capsys.readouterr().out) is is_said
