"""Small pieces of the command line: storage, console, contexts, secrets in logs."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog

from controller import logs
from controller.cli.contexts import ContextEntry, find_target, load_contexts, remember
from controller.cli.instances import printable
from controller.cli.mistakes import Usage
from controller.cli.output import Out
from controller.cli.plan_view import described
from controller.cli.session import Format
from controller.cli.storage import Storage, read_storage
from inventory.domain.errors import NotFound

CANARY = "allot_" + "Ab3-_" * 9


def test_storage_is_class_name_and_path() -> None:
    assert read_storage("standard:allot") == Storage("standard", "allot")
    assert read_storage("fast:nvme:/srv/a:b") == Storage("fast", "nvme", "/srv/a:b")
    assert read_storage("standard:allot").body() == {"name": "allot", "disk_class": "standard"}


@pytest.mark.parametrize("text", ["", "standard", "standard:", ":allot", "standard::/srv"])
def test_storage_that_is_half_written_is_refused(text: str) -> None:
    with pytest.raises(Usage):
        read_storage(text)


def test_a_guest_cannot_play_tricks_on_the_terminal() -> None:
    shown = printable(b"ok\r\n\x1b[2Jgone\x07\xff\n")
    assert shown == "ok\n·[2Jgone·\ufffd\n"


def test_a_context_is_remembered_privately_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOT_CONTEXT_DIR", str(tmp_path / "c"))
    path = remember("city", ContextEntry(server="https://a.example"), "allot_secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    assert "allot_secret" not in (tmp_path / "c" / "contexts.json").read_text()
    target = find_target(server="", token_file="", context="")
    assert (target.server, target.token) == ("https://a.example", "allot_secret")
    assert "allot_secret" not in repr(target)
    remember("other", ContextEntry(), "allot_other")
    assert load_contexts().current == "other"
    assert find_target(server="", token_file="", context="city").token == "allot_secret"
    with pytest.raises(NotFound):
        find_target(server="", token_file="", context="nowhere")


def test_a_change_is_described_by_what_differs() -> None:
    out = Out("en", Format.TABLE, ZoneInfo("Asia/Shanghai"))
    assert described(out, {"memory_mib": 128, "size": "tiny"}, {"memory_mib": 192, "size": "tiny"}) == "memory MiB 128 → 192"
    assert described(out, {}, {"image": "demo"}) == "image demo"


def test_times_are_those_of_the_platform() -> None:
    out = Out("en", Format.TABLE, ZoneInfo("Asia/Shanghai"))
    assert out.moment(1_780_272_000) == "2026-06-01 08:00:00"
    assert out.day(1_780_272_000) == "2026-06-01"
    assert out.moment(None) == ""


@pytest.fixture
def log_stream() -> Iterator[io.StringIO]:
    """What is logged, with the set-up of a service; undone afterwards."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    stream = io.StringIO()
    logs.set_up("info", "json", stream)
    try:
        yield stream
    finally:
        root.handlers[:], root.level = before
        structlog.reset_defaults()


def test_a_log_line_is_a_constant_message_with_keys(log_stream: io.StringIO) -> None:
    structlog.get_logger("t").info("ticket accepted", ticket_id="tick_1", took_s=0.5)
    line = json.loads(log_stream.getvalue())
    assert (line["event"], line["ticket_id"], line["took_s"], line["level"]) == ("ticket accepted", "tick_1", 0.5, "info")


def fail_to_connect() -> None:
    raise ValueError(f"postgresql://user:hunter2@db {CANARY}")


def test_no_secret_reaches_the_log(log_stream: io.StringIO) -> None:
    log = structlog.get_logger("t")
    log.info("called", token=CANARY, url=f"postgresql://allot:{CANARY}@db/x", nested={"authorization": CANARY, "list": [CANARY]})
    log.warning(f"Bearer {CANARY}", header=f"Authorization: Bearer {CANARY}", error=ValueError(CANARY))
    logging.getLogger("library").warning("failed with %s", CANARY)
    try:
        fail_to_connect()
    except ValueError:
        log.exception("a bug")
    text = log_stream.getvalue()
    assert CANARY not in text
    assert "hunter2" not in text
    assert text.count(logs.BLANK) >= 7
    assert len(text.splitlines()) == 4


def test_metric_names_and_ids_are_no_secrets(log_stream: io.StringIO) -> None:
    structlog.get_logger("t").info("x", metric="allot_driver_faults_total", resource_id="inst_" + "0" * 32)
    assert logs.BLANK not in log_stream.getvalue()
