"""A call that is written wrongly: told in the language of the person, what it is and what may be written; never Typer's words."""

import re
from pathlib import Path
from typing import Annotated
from uuid import UUID

import pytest
import typer
import typer.exceptions

from controller.cli.main import run
from controller.cli.wrong_usage import usage_problem

CHINESE = re.compile("[\u4e00-\u9fff]")
_TAKE = ("adopt", "take", "sim", "--project", "P-PORTAL", "--system", "old", "--lease-end", "2027-02-28")
_HOSTS = ("capacity", "hosts", "/dev/null", "--vcpu", "8", "--memory-mib", "1024", "--disk")
_ENROL = ("host", "enrol", "host-1", "--pool", "sim", "--connection", "simulated://world/host-1", "--storage")
#: Arguments, code, and what both languages name.
WRONG = [
    (["apply", "x", "--timeout", "soon"], "cli.value_not_number", ("--timeout", "soon")),
    (["apply", "x", "--timeout", "9" * 5000], "cli.value_not_number", ("--timeout",)),
    (["apply", "x", "--timeout", "-5"], "cli.value_too_small", ("--timeout", "1", "-5")),
    (["apply", "x", "--timeout", "nan"], "cli.value_not_number", ("--timeout", "nan")),
    (["get", "systems", "--limit", "999999999"], "cli.value_too_big", ("--limit", "100000")),
    (["whoami", "--lang", "fr"], "cli.value_not_a_choice", ("--lang", "fr", "zh-CN, en")),
    (["-o", "xml", "whoami"], "cli.value_not_a_choice", ("--output", "xml", "table, json, yaml, name")),
    (
        ["meter", "efficiency", "answer", "2026-01", "x", "perhaps", "--reason", "r"],
        "cli.value_not_a_choice",
        ("keep, will-change",),
    ),
    (["whoami", "extra"], "cli.too_many_arguments", ("allot whoami",)),
    (["whoami", "--frob"], "cli.no_such_option", ("--frob",)),
    (["get"], "cli.missing_parameter", ("KIND",)),
    (["whoami", "--server"], "cli.option_value", ("--server",)),
    (["apply", "x", "--yes=now"], "cli.option_value", ("--yes",)),
    (["host"], "cli.command_missing", ("enrol",)),
    (["host", "enrole"], "cli.command_missing", ("enrol",)),
    (["plam"], "cli.no_such_command", ("plam", "plan")),
    ([*_TAKE], "cli.adopt_nothing_named", ("--machine", "--owner")),
    ([*_HOSTS, "standard"], "cli.disk_unreadable", ("standard:2000",)),
    ([*_HOSTS, ":5"], "cli.disk_unreadable", (":5",)),
    ([*_HOSTS, "standard:" + "9" * 5000], "cli.disk_unreadable", ("standard:9",)),
    ([*_HOSTS, "standard:5", "--survive", "room:1"], "cli.survive_unreadable", ("room:1", "rack:1")),
    ([*_HOSTS, "standard:5", "--survive", "host:0"], "cli.survive_unreadable", ("host:0",)),
    ([*_HOSTS, "standard:5", "--survive", "host:"], "cli.survive_unreadable", ("host:",)),
    (["explain", "portal/web-1", "more"], "cli.explain_kind", ("portal/web-1", "placement", "refusal")),
    (["explain", "refusal", "portal"], "cli.explain_subject", ("tick_",)),
    (["explain", "placement"], "cli.explain_subject", ("placement",)),
    (["audit", "verify", "--head", "abc"], "cli.head_unreadable", ("abc",)),
    (["audit", "verify", "--head", "12:abc"], "cli.head_unreadable", ("12:abc",)),
    (["audit", "verify", "--head", "²:" + "a" * 64], "cli.head_unreadable", ("²",)),
    (["audit", "verify", "--head", "9" * 5000 + ":" + "a" * 64], "cli.head_unreadable", ("999",)),
    (["describe", "thing", "portal"], "cli.kind_unknown", ("thing", "systems", "findings")),
    (["quota", "set", "civil", "vcpu", "many"], "cli.limit_unreadable", ("many", "unlimited", "inherit")),
    (["quota", "set", "civil", "vcpu", "9" * 5000], "cli.limit_unreadable", ("999",)),
    (["release", ""], "cli.name_empty", ()),
    (["capacity", "fit", "tiny", "--system", "portal"], "cli.fit_of_system", ()),
    (["capacity", "fit", "--system", "portal", "--spread", "host"], "cli.fit_of_system", ()),
    (["capacity", "fit", "--system", "portal", "--arch", "aarch64"], "cli.fit_of_system", ()),
    (["describe", "systems", ""], "cli.name_empty", ()),
    (["meter", "statement", ""], "cli.name_empty", ()),
    (["stop", "web-1"], "cli.machine_name", ("web-1", "inst_")),
    (["start", "portal/"], "cli.machine_name", ("portal/",)),
    (["events", "--since", "yesterday"], "cli.moment_unreadable", ("yesterday", "2027-02-28")),
    ([*_ENROL, "standard"], "cli.storage_unreadable", ("standard",)),
    ([*_ENROL, "standard:"], "cli.storage_unreadable", ("standard:",)),
]
#: What cannot be done with what stands on this machine: told with 1.
REFUSED = [
    (["--context", "nowhere", "whoami"], "cli.context_unknown", ("nowhere", "allot login")),
    (["--token-file", "/nowhere/token", "whoami"], "cli.token_file_missing", ("/nowhere/token", "--token-file")),
    (["import", "nowhere.yaml"], "cli.file_unreadable", ("nowhere.yaml",)),
    (["import", "nowhere.yaml", "--yes"], "cli.file_unreadable", ("nowhere.yaml",)),
]


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No context and no settings of the person who runs the tests."""
    for name in ("ALLOT_SERVER", "ALLOT_TOKEN_FILE", "ALLOT_CONTEXT", "ALLOT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALLOT_CONTEXT_DIR", str(tmp_path / "contexts"))


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize(("arguments", "code", "named"), WRONG)
def test_wrong_usage_is_told_in_the_language_of_the_person(
    arguments: list[str], code: str, named: tuple[str, ...], language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--lang", language, *arguments]) == 64
    told = capsys.readouterr().err
    [line] = [line for line in told.splitlines() if line.startswith(code)]
    assert all(name in told for name in named), told
    assert bool(CHINESE.search(line)) == (language == "zh-CN")
    assert not re.search("should be|unexpected|Invalid value|requires", told), "Typer's own words"
    assert ("处理办法：" if language == "zh-CN" else "what to do: ") in told


def test_a_value_of_a_kind_no_text_knows_is_told_without_typers_words() -> None:
    app = typer.Typer()

    @app.command()
    def take(id_: Annotated[UUID, typer.Option("--id")]) -> None:
        assert id_

    with pytest.raises(typer.exceptions.TyperException) as wrong:
        app(["--id", "x"], standalone_mode=False)
    told = usage_problem(wrong.value)
    assert (told.code, told.params["parameter"], told.params["written"]) == ("cli.value_unfit", "--id", "x")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize(("arguments", "code", "named"), REFUSED)
def test_what_is_not_there_is_told_in_the_language_of_the_person(
    arguments: list[str], code: str, named: tuple[str, ...], language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # No service answers at that address: it is told before one is asked.
    assert run(["--lang", language, "--server", "http://127.0.0.1:9", *arguments]) == 1
    told = capsys.readouterr().err
    assert told.startswith(code)
    assert all(name in told for name in named), told
    assert bool(CHINESE.search(told)) == (language == "zh-CN")
    assert ("处理办法：" if language == "zh-CN" else "what to do: ") in told


@pytest.mark.parametrize(("language", "said"), [("en", "it is a directory"), ("zh-CN", "这是一个目录")])
def test_why_the_system_refused_a_file_is_told_in_the_language_of_the_person(
    tmp_path: Path, language: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--lang", language, "check", "--offline", str(tmp_path)]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("language", "said"), [("en", "connection refused"), ("zh-CN", "连接被拒绝")])
def test_why_a_service_is_away_is_told_in_the_language_of_the_person(
    language: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--lang", language, "--server", "http://127.0.0.1:9", "whoami"]) == 75
    assert said in capsys.readouterr().err


def test_mistakes_of_one_code_are_each_told_once_with_their_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "t.yaml"
    file.write_bytes(b"apiVersion: allotment/v1\n\x01\x01\n")
    assert run(["--lang", "en", "check", "--offline", str(file)]) == 1
    told = [line for line in capsys.readouterr().err.splitlines() if "document.control_character" in line]
    assert len(told) == 2
    assert all(line.startswith(f"{file}:2:") for line in told)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00abc", b"allot_secret\r\nX-Evil: 1\n", "令牌".encode(), b"", b"two words", b"a" * 9 + b"\0"]
)
def test_what_is_no_token_is_never_sent_nor_shown(
    tmp_path: Path, content: bytes, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    file.chmod(0o600)
    assert run(["--lang", language, "--token-file", str(file), "whoami"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("cli.token_malformed")
    assert "secret" not in told
    assert bool(CHINESE.search(told)) == (language == "zh-CN")


@pytest.mark.parametrize(
    "url",
    [
        "http://", "foo", "ftp://localhost", "http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:abc", "http://127.0.0.1:0",
        "http://user:secret@127.0.0.1", "http://127.0.0.1/sub", "http://127.0.0.1?x=1",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_service_is_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lang", "en", "--server", url, "whoami"]) == 1
    assert capsys.readouterr().err.startswith("cli.server_url")


def test_a_name_that_no_machine_can_have_is_a_service_that_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lang", "en", "--server", f"https://{'a' * 70}.example", "whoami"]) == 75
    assert "cli.server_away" in capsys.readouterr().err


def test_no_token_is_made_where_its_secret_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in (tmp_path, tmp_path / "nowhere" / "token"):
        # No service answers at that address: nothing was asked of it.
        arguments = ["--lang", "en", "--server", "http://127.0.0.1:9", "token", "create", "x", "--role", "auditor"]
        assert run([*arguments, "--file", str(place)]) == 1
        assert "cli.file_unwritable" in capsys.readouterr().err
