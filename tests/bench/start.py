"""From the start of the process to ready, with tens of thousands of machines in the state."""

import subprocess
import sys
import time
from pathlib import Path

from tests.bench.report import Figure, Line, Target
from tests.bench.serving import controller, installed, prepared

_HOSTS, _INSTANCES, _ROUNDS = 1_000, 50_000, 5
_LIBRARIES = "the libraries alone (FastAPI, uvicorn, SQLAlchemy, pydantic, Alembic …)"
IMPORTS = "import fastapi, uvicorn, sqlalchemy, pydantic, pydantic_settings, alembic.command, structlog, prometheus_client"


def libraries_s() -> float:
    """Return how long an interpreter takes that only loads what the service stands on."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - started


def measure(folder: Path, seed: int) -> Figure:
    """Measure starts over a full state, an empty one, and the libraries alone, in turn."""
    full = prepared(folder / "full", seed, host_count=_HOSTS, instance_count=_INSTANCES)
    empty = installed(folder / "empty")
    libraries_s()
    ready: dict[str, list[float]] = {"full": [], "full_cpu": [], "empty": [], "libraries": []}
    for _ in range(_ROUNDS):
        with controller(full) as found:
            ready["full"].append(found.ready_s)
            ready["full_cpu"].append(found.ready_cpu_s)
        with controller(empty) as found:
            ready["empty"].append(found.ready_s)
        ready["libraries"].append(libraries_s())
    return Figure(
        name="start",
        title="Start of the controller",
        size=f"{_HOSTS:,} hosts, {_INSTANCES:,} instances, SQLite; {_ROUNDS} starts each, in turn",
        seed=seed,
        lines=(
            Line(
                what="start to ready, full state",
                unit="s",
                values=tuple(ready["full"]),
                target=Target(limit=3.0),
                baseline="start to ready, empty state",
            ),
            Line(what="processor time until ready, full state", unit="s", values=tuple(ready["full_cpu"])),
            Line(what="start to ready, empty state", unit="s", values=tuple(ready["empty"]), baseline=_LIBRARIES),
            Line(what=_LIBRARIES, unit="s", values=tuple(ready["libraries"])),
        ),
        notes=(
            (
                "The clock starts before the interpreter does and stops when `GET /readyz` answers 200: state open, port "
                "taken, loop and metrics at work. The hosts are due to be looked at as in a controller that was restarted."
            ),
        ),
    )
