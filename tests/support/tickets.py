"""Values for tests of the ticket language: a directory, documents by edit of the examples, and codes of problems."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from controller.tickets.language import TicketDocument, parse_ticket
from controller.tickets.resolve import Directory, ImageOffer, Offer, ProjectOffer, SizeOffer, ZoneOffer, resolve_create
from inventory.domain.errors import AllotError, Problem
from inventory.domain.ids import DepartmentId, ProjectId, SystemId
from inventory.domain.layout import Layout
from inventory.domain.system import System, SystemSpec, SystemState

EXAMPLES = Path(__file__).parents[2] / "etc" / "examples"
TODAY = date(2026, 3, 1)

DIRECTORY = Directory(
    departments=(
        Offer(code="city-hall", name="市政府"),
        Offer(code="civil-affairs", name="市民政局"),
        Offer(code="education", name="市教委"),
        Offer(code="civil-office", name="办公室"),
        Offer(code="education-office", name="办公室"),
        Offer(code="civil-branch", name="市民政局（本级）"),
    ),
    projects=(
        ProjectOffer(code="GZ2026-MZJ-017", name="门户迁移", department="civil-affairs"),
        ProjectOffer(code="GZ2025-MZJ-001", name="旧项目", department="civil-affairs", is_open=False),
        ProjectOffer(code="GZ2026-JW-003", name="测试环境", department="education"),
    ),
    zones=(
        ZoneOffer(code="gov-public", name="政务外网", mlps_max=3, network_class="gov-public"),
        ZoneOffer(code="internet-access", name="互联网接入区", mlps_max=2),
    ),
    sizes=(
        SizeOffer(code="tiny", vcpu_count=1, memory_mib=128, root_disk_gib=1),
        SizeOffer(code="small", vcpu_count=2, memory_mib=4096, root_disk_gib=20),
        SizeOffer(
            code="db", vcpu_count=4, memory_mib=8192, root_disk_gib=20, layout=Layout.of(is_dedicated=True), traits=("ssd",)
        ),
    ),
    images=(
        ImageOffer(code="demo-linux", name="演示系统", arch="x86_64", virtual_size_gib=1),
        ImageOffer(code="kylin-v10", name="麒麟", arch="aarch64", virtual_size_gib=10),
    ),
    disk_classes=(Offer(code="standard"), Offer(code="high-performance")),
    traits=(Offer(code="nvme"), Offer(code="ssd")),
)

PORTAL = (EXAMPLES / "portal.yaml").read_text(encoding="utf-8")


def parse(text: str | bytes, today: date = TODAY) -> TicketDocument:
    """Read a ticket."""
    return parse_ticket(text if isinstance(text, bytes) else text.encode(), today=today)


def portal(*edits: tuple[str, str]) -> str:
    """Return the portal example with each first text replaced by its second; each must be there."""
    text = PORTAL
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def created(*edits: tuple[str, str]) -> SystemSpec:
    """Return the spec of the edited portal."""
    return resolve_create(parse(portal(*edits)), DIRECTORY)


def stored(spec: SystemSpec, revision: int = 1) -> System:
    """Return a stored system of that spec."""
    return System(
        id=SystemId("sys_" + "0" * 32),
        name=spec.name,
        department_id=DepartmentId("dept_" + "0" * 32),
        project_id=ProjectId("proj_" + "0" * 32),
        state=SystemState.ACTIVE,
        revision=revision,
        spec=spec,
        lease_end_s=0,
    )


def change(servers: str, *, base: int = 1, more: str = "") -> TicketDocument:
    """Return a change of the portal; ``servers`` is the content of the list, in flow style."""
    return parse(
        "apiVersion: allotment/v1\nkind: Ticket\nmetadata: {name: civil-affairs-portal, action: change}\n"
        f"base: {base}\n{more}\nresources: {{servers: [{servers}]}}\n"
    )


def problems_of(act: Callable[[], Any]) -> list[Problem]:
    """Return what an act is refused for."""
    with pytest.raises(AllotError) as caught:
        act()
    return list(caught.value.problems)


def codes_of(act: Callable[[], Any]) -> list[str]:
    """Return the codes of what an act is refused for, in the order of the document."""
    return [p.code for p in problems_of(act)]
