"""``simulate``: replay a trace of requests through the placement core, and write where every machine went."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from controller.cli.commands import commands
from controller.cli.session import session_of

if TYPE_CHECKING:
    from controller.cli.output import Out
    from controller.local.answer_file import AnswerFile
    from controller.replay.stays import Moves
    from controller.replay.trace import Trace
    from controller.scheduling.engine import Engine
    from controller.scheduling.policy import Policy

app = commands()
#: Progress is told in so many steps.
_TOLD_TIMES = 10
#: Machines from which compiling first is faster than numpy alone.
_COMPILED_FROM = 100_000


@app.command()
def simulate(
    ctx: typer.Context,
    trace: Path = typer.Argument(),
    hosts: Path = typer.Option(..., "--hosts"),
    placements: Path = typer.Option(..., "--placements"),
    distinct_hosts_up_to: int = typer.Option(0, "--distinct-hosts-up-to", min=0),
    moves: Path | None = typer.Option(None, "--moves"),
    moves_permille: int = typer.Option(10, "--moves-permille", min=0, max=1000),
    consolidate_every_s: int = typer.Option(900, "--consolidate-every-s", min=60),
    policy: str = typer.Option("", "--policy"),
    policy_file: Path | None = typer.Option(None, "--policy-file"),
) -> None:
    """Replay a trace; write the host of each machine and print what became of all."""
    from controller.replay.consolidation import Consolidation, replay_with_moves
    from controller.replay.hosts import read_hosts
    from controller.replay.run import replay
    from controller.replay.stays import NO_MOVES
    from controller.replay.summary import summarise
    from controller.replay.trace import read_trace

    out = session_of(ctx).out
    chosen = _policy(policy, policy_file)
    fleet, requests = read_hosts(hosts), read_trace(trace)
    out.note("cli.simulate.read", machines=requests.count, hosts=fleet.host_count)
    with ExitStack() as opened:
        answer, answer_of_moves = _opened(opened, placements, moves)
        started = time.monotonic()
        engine = _engine(requests.count)
        how: dict[str, Any] = {"distinct_up_to": distinct_hosts_up_to, "engine": engine, "on_progress": _teller(out)}
        if answer_of_moves is None:
            placed_on, made = replay(requests, fleet, chosen, **how), NO_MOVES
        else:
            consolidation = Consolidation(every_s=consolidate_every_s, moves_permille=moves_permille)
            placed_on, made = replay_with_moves(requests, fleet, chosen, consolidation, **how)
        took_s = time.monotonic() - started
        answer.write(zip(requests.vms, placed_on.tolist(), strict=True))
        if answer_of_moves is not None:
            answer_of_moves.write(_lines(requests, made))
    summary = summarise(requests, fleet, placed_on, made)
    value = asdict(summary) | {"policy": chosen.label, "took_s": round(took_s, 1), "placements": str(placements)}
    out.value(value, lambda shown: _show(out, shown), name="placements")


def _opened(opened: ExitStack, placements: Path, moves: Path | None) -> tuple["AnswerFile", "AnswerFile | None"]:
    """Open the files of the answer before a replay that may take long.

    Raises:
        Invalid: ``simulate.file_is_directory``, ``simulate.file_unwritable``, ``simulate.file_twice``.
    """
    from controller.local.answer_file import AnswerFile
    from inventory.domain.errors import Invalid

    answer = opened.enter_context(AnswerFile(placements))
    if moves is None:
        return answer, None
    of_moves = AnswerFile(moves)
    if of_moves.is_same(answer):
        raise Invalid("simulate.file_twice", file=str(moves))
    return answer, opened.enter_context(of_moves)


def _policy(name: str, file: Path | None) -> "Policy":
    from controller.paths import data_dir
    from controller.scheduling.policy import read_policies
    from inventory.domain.errors import Invalid

    path = file or data_dir("etc") / "placement.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            "simulate.file_unreadable", file=str(path), reason=getattr(error, "strerror", None) or str(error)
        ) from error
    return read_policies(text).policy(name)


def _engine(machines: int) -> "Engine":
    """Return the compiled engine where the trace is long enough for it to pay; what it compiled is kept for the next time."""
    from controller.scheduling.engine import PLAIN
    from controller.scheduling.loading import EngineLoader

    if machines < _COMPILED_FROM:
        return PLAIN
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return EngineLoader(cache=cache / "allotment" / "placement").load()


def _teller(out: "Out") -> Callable[[int, int], None]:
    """Return what tells the progress, each tenth once."""
    told = 0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if total and done * _TOLD_TIMES // total > told:
            told = done * _TOLD_TIMES // total
            out.note("cli.simulate.progress", percent=100 * done // total)

    return tell


def _lines(trace: "Trace", moves: "Moves") -> Iterator[Sequence[object]]:
    """Yield the lines of a file of moves."""
    columns = (moves.machine.tolist(), moves.at_s.tolist(), moves.source.tolist(), moves.target.tolist())
    yield "vm", "at_s", "from", "to"
    for machine, *move in zip(*columns, strict=True):
        yield trace.vms[machine], *move


def _show(out: "Out", shown: Any) -> None:
    host_hours, over = f"{shown['host_seconds'] / 3600:,.1f}", shown["host_seconds"] / max(1, shown["bound_host_seconds"])
    accelerators = f"{shown['peak_accelerators_permille'] / 10} %"
    out.fields(
        [
            ("cli.simulate.policy", shown["policy"]),
            ("cli.simulate.machines", shown["machines"]),
            ("cli.simulate.refused", shown["refused"]),
            ("cli.simulate.hosts_used", f"{shown['hosts_used']} / {shown['hosts']}"),
            ("cli.simulate.hosts_used_at_once", shown["hosts_used_at_once"]),
            ("cli.simulate.peak_vcpu", f"{shown['peak_vcpu_permille'] / 10} %"),
            ("cli.simulate.peak_memory", f"{shown['peak_memory_permille'] / 10} %"),
            *([("cli.simulate.peak_accelerators", accelerators)] if shown["peak_accelerators_permille"] else []),
            ("cli.simulate.host_hours", f"{host_hours} ({over:.3f} ×)"),
            ("cli.simulate.moves", shown["moves"]),
            ("cli.simulate.took", f"{shown['took_s']} s"),
            ("cli.simulate.placements", shown["placements"]),
        ]
    )
