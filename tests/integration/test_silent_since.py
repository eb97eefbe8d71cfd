"""Since when a host is silent, as the service answers it and the command line shows it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from controller.cli.lists import KINDS
from controller.cli.output import Out
from controller.cli.session import Format
from inventory.domain.host import Reachability
from inventory.store import hosts
from tests.support.answers import check
from tests.support.api import Service, service
from tests.support.samples import NOW_S


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as found:
        yield found


def see(here: Service, seen: Reachability) -> None:
    with here.platform.db.write() as connection:
        hosts.set_reachability(connection, here.host.id, seen, here.clock())


def told(here: Service) -> dict[str, Any]:
    """Return the host as the list has it, and see that it is shown alone just so."""
    listed, alone = here.operator().get("/v1/hosts"), here.operator().get(f"/v1/hosts/{here.host.id}")
    check(listed, "GET /v1/hosts")
    check(alone, "GET /v1/hosts/{host}")
    (row,) = listed.json()["items"]
    assert row["unreachable_since_s"] == alone.json()["unreachable_since_s"]
    found: dict[str, Any] = row
    return found


def test_a_host_tells_since_when_it_is_silent_until_it_answers(
    here: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Wide enough for no word of the table to be broken.
    monkeypatch.setenv("COLUMNS", "220")
    assert told(here)["unreachable_since_s"] is None
    see(here, Reachability.UNREACHABLE)
    here.clock.now_s += 60
    see(here, Reachability.UNREACHABLE)
    row = told(here)
    assert row["unreachable_since_s"] == NOW_S, "since the first time"
    for language, said in (("en", "unreachable 2026-06-01 08:00:00"), ("zh-CN", "不可达 2026-06-01 08:00:00")):
        out = Out(language, Format.TABLE, ZoneInfo("Asia/Shanghai"))
        out.rows([row], KINDS["hosts"].columns(out))
        assert said in " ".join(capsys.readouterr().out.split())
    see(here, Reachability.REACHABLE)
    assert told(here)["unreachable_since_s"] is None
