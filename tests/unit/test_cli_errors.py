"""How errors are told: code, sentence, place, cure, exit code; a traceback only for those who ask for it."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from controller.cli import failures, main
from controller.cli.client import Refused
from controller.cli.failures import report
from controller.cli.language import chosen_language
from controller.cli.main import hoisted, run
from controller.cli.mistakes import WithFile
from drivers.faults import Permanent, Transient
from inventory.domain.errors import Invalid, Problem, Unavailable, Where

EXAMPLES = Path(__file__).parents[2] / "etc" / "examples"
TICKET = """\
apiVersion: allotment/v1
kind: Ticket
metadata: {name: portal, action: create}
applicant: {department: civil}
"""


@pytest.fixture(autouse=True)
def contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No context and no settings of the person who runs the tests."""
    for name in ("ALLOT_SERVER", "ALLOT_TOKEN_FILE", "ALLOT_CONTEXT", "ALLOT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALLOT_CONTEXT_DIR", str(tmp_path / "contexts"))
    monkeypatch.setenv("ALLOT_LANG", "en")
    return tmp_path / "contexts"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--nonsense"],
        ["frobnicate"],
        ["check"],
        ["get"],
        ["apply", "x", "--timeout", "soon"],
        ["host", "enrol", "a"],
        ["-o", "xml", "whoami"],
        ["db"],
    ],
)
def test_wrong_usage_ends_with_64(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 64
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert "what to do: " in captured.err or captured.out.startswith("Usage: allot")


def test_a_mistyped_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plam", "x.yaml"]) == 64
    assert "plan" in capsys.readouterr().err


def test_a_service_that_does_not_answer_ends_with_75(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--server", "http://127.0.0.1:9", "whoami"]) == 75
    assert "cli.server_away" in capsys.readouterr().err


def test_a_token_is_never_sent_unencrypted_to_another_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--server", "http://cloud.example.gov.cn", "whoami"]) == 1
    assert "cli.plain_http" in capsys.readouterr().err


def test_a_token_file_others_may_read_is_not_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "token"
    file.write_text("allot_x")
    file.chmod(0o644)
    assert run(["--token-file", str(file), "whoami"]) == 1
    captured = capsys.readouterr()
    assert "cli.token_file_open" in captured.err
    assert "chmod 600" in captured.err


def test_offline_check_names_file_line_and_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(TICKET + "colour: blue\n", encoding="utf-8")
    assert run(["check", "--offline", str(file)]) == 1
    told = capsys.readouterr().err
    assert f"{file}:5:1 ticket.unknown_field" in told
    assert "what to do" in told


def test_offline_check_of_a_good_ticket_needs_no_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--offline", "etc/examples/portal.yaml"]) == 0
    assert "well written" in capsys.readouterr().out


def test_offline_check_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TICKET.encode())))
    assert run(["check", "--offline", "-"]) == 1
    assert "<stdin>:" in capsys.readouterr().err


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--offline", "nowhere.yaml"]) == 1
    assert "cli.file_unreadable: the file nowhere.yaml" in capsys.readouterr().err


def test_a_bug_is_one_line_with_a_number(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_arguments: object) -> int:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(main, "_call", broken)
    assert run(["version"]) == 1
    told = capsys.readouterr().err
    assert "cli.unexpected" in told
    assert "cli_" in told
    assert "--debug" in told
    assert "Traceback" not in told
    assert run(["--debug", "version"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_errors_without_texts_are_still_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def speechless(*_arguments: object, **_named: object) -> int:
        raise LookupError("no texts")

    monkeypatch.setattr(failures, "report", speechless)
    assert run(["--server", "http://127.0.0.1:9", "whoami"]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "no texts" in told


def test_every_problem_of_an_answer_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [
        {"code": "a.b", "detail_zh": "甲", "detail_en": "first", "cure_zh": "", "cure_en": "do", "line": 3, "column": 7},
        {"code": "a.c", "detail_zh": "乙", "detail_en": "second", "cure_zh": "做", "cure_en": "", "line": None, "column": None},
    ]
    body = {"code": "request.invalid", "detail_zh": "总", "detail_en": "all", "problems": problems}
    assert report(WithFile("t.yaml", Refused(422, body)), "en", is_debug=False) == 1
    told = capsys.readouterr().err
    assert "t.yaml:3:7 a.b: first\n  what to do: do\n" in told
    assert "a.c: second" in told
    assert report(Refused(422, body), "zh-CN", is_debug=False) == 1
    assert "a.c：乙\n  处理办法：做" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused(503, {"code": "state.busy"}), 75),
        (Refused(409, {"code": "plan.changed"}), 1),
        (Unavailable("state.busy"), 75),
        (Invalid("x.y"), 1),
        (Transient("driver.unreachable", delay_s=1), 75),
        (Permanent("prepare.task_failed", task="t", detail="d"), 1),
    ],
)
def test_what_may_succeed_later_ends_with_75(error: Exception, code: int) -> None:
    assert report(error, "en", is_debug=False) == code


def test_a_problem_of_ours_is_told_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    error = Invalid("ticket.unknown_field", problems=[Problem("ticket.unknown_field", {"field": "x"}, Where(2, 4))])
    report(WithFile("t.yaml", error), "en", is_debug=False)
    assert capsys.readouterr().err.startswith("t.yaml:2:4 ticket.unknown_field")


@pytest.mark.parametrize(("language", "said"), [("en", "the disk is full"), ("zh-CN", "磁盘已满")])
@pytest.mark.parametrize("arguments", [["--help"], ["check", "ticket.yaml", "--offline"]])
@pytest.mark.parametrize("is_buffered", [True, False])
def test_an_output_that_takes_nothing_is_told_with_its_code(
    tmp_path: Path, arguments: list[str], is_buffered: bool, language: str, said: str
) -> None:
    (tmp_path / "ticket.yaml").write_bytes((EXAMPLES / "portal.yaml").read_bytes())
    command = [sys.executable, "-m", "controller", "--lang", language, *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if is_buffered else "1"}
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment, timeout=100, check=False
        )
    assert ended.returncode == 1
    first, *rest = ended.stderr.splitlines()
    assert first.startswith("cli.output_unwritable")
    assert said in first
    assert len(rest) == 1, "a cure, and no complaint at the exit of the interpreter"


def test_common_options_may_stand_anywhere() -> None:
    assert hoisted(["get", "systems", "-o", "json", "--lang=en"]) == ["-o", "json", "--lang=en", "get", "systems"]
    assert hoisted(["check", "--", "--debug"]) == ["check", "--", "--debug"]


@pytest.mark.parametrize(
    ("arguments", "environment", "language"),
    [
        ([], {}, "zh-CN"),
        ([], {"LANG": "C.UTF-8"}, "zh-CN"),
        ([], {"LANG": "en_GB.UTF-8"}, "en"),
        ([], {"LANG": "en_GB", "LC_ALL": "zh_CN.UTF-8"}, "zh-CN"),
        (["--lang", "en"], {"LANG": "zh_CN"}, "en"),
        (["--lang=zh-CN"], {"ALLOT_LANG": "en"}, "zh-CN"),
        (["--lang", "EN_us"], {}, "en"),
        ([], {"ALLOT_LANG": "fr", "LANG": "en_US.UTF-8"}, "en"),
        ([], {"LC_ALL": "C", "LANG": "en_US.UTF-8"}, "en"),
        ([], {"LANG": "fr_FR.UTF-8"}, "zh-CN"),
    ],
)
def test_the_language_is_the_option_then_the_first_variable_that_names_one_then_chinese(
    arguments: list[str], environment: dict[str, str], language: str
) -> None:
    assert chosen_language(arguments, environment) == language


def test_broken_contexts_are_named_with_the_cure(contexts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contexts.mkdir()
    (contexts / "contexts.json").write_text(json.dumps({"current": 1}))
    assert run(["whoami"]) == 1
    told = capsys.readouterr().err
    assert "cli.contexts_unreadable" in told
    assert "allot login" in told
