"""What ``allot capacity`` and ``allot reservation create`` ask the service, and how an answer is shown."""

from pathlib import Path
from typing import Any

import pytest

from controller.cli.client import Client
from controller.cli.main import run
from tests.support.samples import ticket_text

SERVER = ("--server", "http://127.0.0.1:9")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return what the service is asked, by this command alone."""
    found: list[dict[str, Any]] = []
    monkeypatch.setenv("ALLOT_CONTEXT_DIR", str(tmp_path / "contexts"))
    monkeypatch.setenv("ALLOT_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "token").write_text("t")
    (tmp_path / "token").chmod(0o600)

    def get(_client: Client, path: str, **query: Any) -> dict[str, Any]:
        found.append(query)
        return {"path": path}

    def post(_client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
        found.append(body)
        return {"path": path}

    monkeypatch.setattr(Client, "get", get)
    monkeypatch.setattr(Client, "post", post)
    return found


def test_the_architecture_of_machines_and_of_hosts_can_be_given(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "ticket.yaml").write_bytes(ticket_text("portal"))
    hosts = ["capacity", "hosts", str(tmp_path / "ticket.yaml"), "--vcpu", "8", "--memory-mib", "1024"]
    reservation = ["reservation", "create", "r", "--project", "P", "--zone", "z", "--until", "2027-02-28", "--size", "tiny"]
    for command in (["capacity", "fit", "tiny"], hosts, reservation):
        assert run([*SERVER, "-o", "json", *command]) == 0
        assert run([*SERVER, "-o", "json", *command, "--arch", "aarch64"]) == 0
    assert [one["arch"] for one in asked] == ["any", "aarch64", "x86_64", "aarch64", "any", "aarch64"]


def test_the_loss_that_hosts_are_to_survive_is_asked_for_as_a_pool_names_it(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "ticket.yaml").write_bytes(ticket_text("portal"))
    hosts = ["capacity", "hosts", str(tmp_path / "ticket.yaml"), "--vcpu", "8", "--memory-mib", "1024"]
    for more in ([], ["--survive", "host"], ["--survive", "rack:2"]):
        assert run([*SERVER, "-o", "json", *hosts, *more]) == 0
    assert [one.get("reserve") for one in asked] == [None, {"survive": "host", "count": 1}, {"survive": "rack", "count": 2}]


@pytest.mark.parametrize(("language", "said"), [("en", "full now"), ("zh-CN", "已满")])
def test_a_pool_that_is_full_is_shown_as_such_however_short_its_history(
    asked: list[dict[str, Any]], language: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row: dict[str, Any] = {"pool": "sim", "p10": "2026-06-04", "p50": "2026-06-04", "p90": "2026-06-04", "dimension": "vcpu"}
    row |= {"is_enough": False, "is_full": True, "history_days": 3, "history_days_needed": 28}
    monkeypatch.setattr(Client, "get", lambda _self, _path, **_query: {"pools": [row]})
    assert run([*SERVER, "--lang", language, "capacity", "forecast"]) == 0
    told = capsys.readouterr().out
    assert told.count(said) == 3
    assert "28" not in told
    assert asked == []
