"""``allot simulate``: files in, file out, and every mistake in a file named with its line."""

import csv
import json
import os
import re
from pathlib import Path

import pytest

from controller.cli.main import run
from tests.support.replay import HEADER, broken_with_moves, read_moves, read_placements, write_hosts, write_trace
from tests.support.trace_generator import TraceRow

GIB = 1024
ROWS = [
    TraceRow(0, 7, 0, 100, 6, 4 * GIB),
    TraceRow(1, 7, 0, -1, 2, 4 * GIB),
    TraceRow(2, 8, 50, 100, 6, 4 * GIB),
    TraceRow(3, 9, 100, 60, 6, 4 * GIB),
]


@pytest.fixture(autouse=True)
def _in_english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOT_CONTEXT_DIR", str(tmp_path / "contexts"))
    monkeypatch.setenv("ALLOT_LANG", "en")


def simulate(folder: Path, *more: str) -> int:
    files = ["--hosts", str(folder / "hosts.csv"), "--placements", str(folder / "out.csv")]
    trace = next(folder.glob("trace.csv*"))
    return run(["simulate", str(trace), *files, *more])


def test_every_machine_gets_its_host_by_line_or_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_trace(tmp_path / "trace.csv.gz", ROWS)
    write_hosts(tmp_path / "hosts.csv", [(8, 16 * GIB)])
    assert simulate(tmp_path, "-o", "json") == 0
    # Machine 0 ends at 100 s, before machine 3 comes at 100 s; machine 2 finds no room.
    assert read_placements(tmp_path / "out.csv") == {0: 0, 1: 0, 2: -1, 3: 0}
    said = capsys.readouterr()
    summary = json.loads(said.out)
    assert summary["refused"] == 1
    assert summary["peak_vcpu_permille"] == 1000
    assert summary["host_seconds"] == 160
    assert summary["policy"] == "balanced@3"
    assert "100 % replayed" in said.err


def test_every_machine_may_be_of_another_size(tmp_path: Path) -> None:
    sizes = 1100
    write_trace(tmp_path / "trace.csv", [TraceRow(n, n, n, -1, 1, GIB + n) for n in range(sizes)])
    write_hosts(tmp_path / "hosts.csv", [(sizes, 2 * sizes * GIB)])
    assert simulate(tmp_path) == 0
    assert read_placements(tmp_path / "out.csv") == dict.fromkeys(range(sizes), 0)


def test_machines_of_a_small_ticket_go_to_distinct_hosts_when_asked(tmp_path: Path) -> None:
    write_trace(tmp_path / "trace.csv", ROWS[:2])
    write_hosts(tmp_path / "hosts.csv", [(8, 16 * GIB), (8, 16 * GIB)])
    assert simulate(tmp_path) == 0
    assert read_placements(tmp_path / "out.csv") == {0: 0, 1: 0}
    assert simulate(tmp_path, "--distinct-hosts-up-to", "2") == 0
    assert read_placements(tmp_path / "out.csv") == {0: 0, 1: 1}


def test_moves_are_written_beside_the_placements(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [TraceRow(0, 0, 0, 50, 6, 4 * GIB), TraceRow(1, 1, 0, -1, 2, 4 * GIB), TraceRow(2, 2, 0, -1, 2, 4 * GIB)]
    write_trace(tmp_path / "trace.csv", [*rows, TraceRow(3, 3, 9000, 100, 1, GIB)])
    write_hosts(tmp_path / "hosts.csv", [(8, 16 * GIB), (8, 16 * GIB)])
    moves = ["--moves", str(tmp_path / "moves.csv"), "--moves-permille", "500", "--consolidate-every-s", "6000"]
    assert simulate(tmp_path, *moves, "-o", "json") == 0
    assert (
        broken_with_moves(rows, [(8, 16 * GIB)] * 2, read_placements(tmp_path / "out.csv"), read_moves(tmp_path / "moves.csv"), 0)
        == []
    )
    summary = json.loads(capsys.readouterr().out)
    assert summary["moves"] == 1
    assert summary["host_seconds"] == 9100 + 6000


def test_another_policy_of_the_table_is_followed(tmp_path: Path) -> None:
    rows = [TraceRow(n, n, 0, -1, 2, 4 * GIB) for n in range(2)]
    write_trace(tmp_path / "trace.csv", rows)
    write_hosts(tmp_path / "hosts.csv", [(8, 16 * GIB), (8, 16 * GIB)])
    assert simulate(tmp_path, "--policy", "pack") == 0
    assert read_placements(tmp_path / "out.csv") == {0: 0, 1: 0}
    assert simulate(tmp_path, "--policy", "spread") == 0
    assert read_placements(tmp_path / "out.csv") == {0: 0, 1: 1}


def test_a_trace_without_machines_is_answered_with_an_empty_file(tmp_path: Path) -> None:
    write_trace(tmp_path / "trace.csv", [])
    write_hosts(tmp_path / "hosts.csv", [(8, 16 * GIB)])
    assert simulate(tmp_path) == 0
    assert (tmp_path / "out.csv").read_text() == ""


@pytest.mark.parametrize(
    ("trace", "hosts", "code", "said"),
    [
        ("vm,ticket\n1,1\n", None, "simulate.column_missing", "the header lacks: arrival_s, lifetime_s, vcpus, memory_mib"),
        ("", None, "simulate.column_missing", "line 1: the header lacks"),
        (HEADER + "0,0,0,1,2,4\n1,0,soon,1,2,4\n", None, "simulate.not_a_number", "line 3: arrival_s is “soon”"),
        (HEADER + "0,0,0,-2,2,4\n", None, "simulate.not_a_number", "line 2: lifetime_s is “-2”"),
        (HEADER + "0,0,0,1,-2,4\n", None, "simulate.not_a_number", "line 2: vcpus is “-2”"),
        (HEADER + "0,0,0,1,2,99999999999999\n", None, "simulate.not_a_number", "line 2: memory_mib is “99999999999999”"),
        (HEADER + "0,0,0,1,2\n", None, "simulate.cells", "line 2: 5 cells where the header has 6"),
        (HEADER + "0,0,0,1,2,4\n0,0,0,1,2,4\n", None, "simulate.vm_twice", "line 3: the machine “0” stands in line 2 already"),
        (HEADER + ",0,0,1,2,4\n", None, "simulate.vm_empty", "line 2: the machine has no name"),
        (None, "name,vcpus,memory_mib\n", "simulate.no_hosts", "holds no host"),
        (None, "name,vcpus,memory_mib\nh,0,1\n", "simulate.not_a_number", "line 2: vcpus is “0”"),
        (None, "name,vcpus,memory_mib\nh,1,1\nh,1,1\n", "simulate.host_twice", "line 3: the host “h” stands in line 2 already"),
        (None, "name,vcpus,memory_mib\n,1,1\n", "simulate.host_empty", "line 2: the host has no name"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], trace: str | None, hosts: str | None, code: str, said: str
) -> None:
    (tmp_path / "trace.csv").write_text(HEADER if trace is None else trace, encoding="utf-8")
    (tmp_path / "hosts.csv").write_text("name,vcpus,memory_mib\nh,8,16384\n" if hosts is None else hosts, encoding="utf-8")
    assert simulate(tmp_path) == 1
    captured = capsys.readouterr()
    assert code in captured.err
    assert said in captured.err
    assert "what to do: " in captured.err
    assert not (tmp_path / "out.csv").exists()


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trace.csv").write_text(HEADER + "0,0,x,1,2,4\n1,0,0,1,0,4\n", encoding="utf-8")
    write_hosts(tmp_path / "hosts.csv", [(8, 16 * GIB)])
    assert simulate(tmp_path) == 1
    told = capsys.readouterr().err
    assert "line 2" in told
    assert "line 3" in told


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_trace(tmp_path / "trace.csv", ROWS)
    files = ["--hosts", str(tmp_path / "none.csv"), "--placements", str(tmp_path / "out.csv")]
    assert run(["simulate", str(tmp_path / "trace.csv"), *files]) == 1
    assert re.search(r"simulate\.file_unreadable: .*none\.csv cannot be read", capsys.readouterr().err)
    (tmp_path / "broken.csv.gz").write_bytes(b"no gzip")
    write_hosts(tmp_path / "hosts.csv", [(8, 16 * GIB)])
    files = ["--hosts", str(tmp_path / "hosts.csv"), "--placements", str(tmp_path / "no" / "out.csv")]
    assert run(["simulate", str(tmp_path / "broken.csv.gz"), *files]) == 1
    assert re.search(r"simulate\.file_unreadable: .*broken\.csv\.gz cannot be read", capsys.readouterr().err)
    assert run(["simulate", str(tmp_path / "trace.csv"), *files]) == 1
    assert re.search(r"simulate\.file_unwritable: .*out\.csv cannot be written", capsys.readouterr().err)


def simulated_into(folder: Path, placements: str, *more: str) -> int:
    write_trace(folder / "trace.csv", ROWS)
    write_hosts(folder / "hosts.csv", [(8, 16 * GIB)])
    return run(["simulate", str(folder / "trace.csv"), "--hosts", str(folder / "hosts.csv"), "--placements", placements, *more])


def test_where_no_answer_can_be_written_nothing_is_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    same = ["--moves", "./out.csv"]
    for placements, more, code in [
        ("", [], "simulate.file_is_directory"),
        (".", [], "simulate.file_is_directory"),
        (str(tmp_path), [], "simulate.file_is_directory"),
        ("no/out.csv", [], "simulate.file_unwritable"),
        ("out.csv", ["--moves", "."], "simulate.file_is_directory"),
        ("out.csv", same, "simulate.file_twice"),
    ]:
        assert simulated_into(tmp_path, placements, *more) == 1
        said = capsys.readouterr().err
        assert f"{code}: " in said
        assert "replayed" not in said
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["hosts.csv", "trace.csv"]


def test_what_is_no_regular_file_is_written_into_and_stays_what_it_is(tmp_path: Path) -> None:
    assert simulated_into(tmp_path, "/dev/null", "--moves", "/dev/null") == 0
    assert Path("/dev/null").is_char_device()
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert simulated_into(tmp_path, str(tmp_path / "pipe")) == 0
        assert os.read(reader, 100) == b"0,0\n1,0\n2,-1\n3,0\n"
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_device_is_told_and_nothing_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulated_into(tmp_path, "/dev/full") == 1
    assert "simulate.file_unwritable: " in capsys.readouterr().err


def test_a_link_keeps_pointing_to_the_file_that_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "out.csv").symlink_to(tmp_path / "there" / "real.csv")
    for _ in range(2):
        assert simulated_into(tmp_path, str(tmp_path / "out.csv")) == 0
        assert (tmp_path / "out.csv").is_symlink()
        assert read_placements(tmp_path / "there" / "real.csv") == {0: 0, 1: 0, 2: -1, 3: 0}
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["real.csv"]


def test_names_with_commas_and_quotes_are_read_back_from_the_answers(tmp_path: Path) -> None:
    names = ["a,b", 'a "b"', "c"]
    cells = "".join(f"{json.dumps(name).replace(chr(92), chr(34))},{n},0,-1,1,1024\n" for n, name in enumerate(names))
    (tmp_path / "trace.csv").write_text(HEADER + cells, encoding="utf-8")
    write_hosts(tmp_path / "hosts.csv", [(8, 16 * GIB)])
    assert simulate(tmp_path) == 0
    with (tmp_path / "out.csv").open(newline="") as stream:
        assert list(csv.reader(stream)) == [[name, "0"] for name in names]


def test_moves_name_machines_with_commas_so_that_they_are_read_back(tmp_path: Path) -> None:
    rows = ["long,0,0,50,6,4096", '"a,b",1,0,-1,2,4096', '"a,c",2,0,-1,2,4096', "late,3,9000,100,1,1024"]
    (tmp_path / "trace.csv").write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    write_hosts(tmp_path / "hosts.csv", [(8, 16 * GIB), (8, 16 * GIB)])
    moves = ["--moves", str(tmp_path / "moves.csv"), "--moves-permille", "500", "--consolidate-every-s", "6000"]
    assert simulate(tmp_path, *moves) == 0
    with (tmp_path / "moves.csv").open(newline="") as stream:
        header, *moved = csv.reader(stream)
    assert header == ["vm", "at_s", "from", "to"]
    assert [line[0] for line in moved] in (["a,b"], ["a,c"])


def test_without_its_files_the_command_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "trace.csv"]) == 64
    assert "--hosts" in capsys.readouterr().err
