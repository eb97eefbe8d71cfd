"""``allot --help``: what a person waits for, against the interpreter alone and against typer."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.report import Figure, Line, Target

_ROUNDS = 20


def wall_ms(command: Sequence[str], folder: Path) -> float:
    """Return how long a command takes from its start to its end."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - started) * 1000


def measure(folder: Path, seed: int) -> Figure:
    """Measure the start of the command line."""
    python = sys.executable
    commands = {
        "allot --help": [str(Path(python).with_name("allot")), "--help"],
        "python -c pass": [python, "-c", "pass"],
        "python -c 'import typer'": [python, "-c", "import typer"],
    }
    values: dict[str, list[float]] = {what: [] for what in commands}
    for command in commands.values():
        wall_ms(command, folder)
    for _ in range(_ROUNDS):
        for what, command in commands.items():
            values[what].append(wall_ms(command, folder))
    ours, *others = (Line(what=what, unit="ms", values=tuple(found)) for what, found in values.items())
    ours = Line(what=ours.what, unit="ms", values=ours.values, target=Target(limit=300), baseline="python -c 'import typer'")
    return Figure(
        name="command_line",
        title="Start of the command line",
        size=f"{_ROUNDS} rounds, the three commands in turn, one warm-up each",
        seed=None,
        lines=(ours, *others),
    )
