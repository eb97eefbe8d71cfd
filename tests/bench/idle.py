"""What a controller costs that has nothing to do: memory and processor time."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.report import Figure, Line, Target
from tests.bench.serving import controller, installed, prepared
from tests.bench.start import IMPORTS

_HOSTS, _INSTANCES = 1_000, 20_000
#: Longer than a period of looks at every host, whose first look costs more; each window then holds a whole period.
_SETTLE_S = 40.0
_WINDOWS, _WINDOW_S = 3, 30.0
_SAY_MEMORY = "; print(next(l for l in open('/proc/self/status') if l.startswith('VmRSS')).split()[1])"

_LIBRARIES = "memory of the libraries alone"


def libraries_mb() -> float:
    """Return the resident memory of an interpreter that only loaded what the service stands on."""
    done = subprocess.run([sys.executable, "-c", IMPORTS + _SAY_MEMORY], check=True, capture_output=True, text=True)
    return int(done.stdout) * 1024 / 1e6


def measure(folder: Path, seed: int) -> Figure:
    """Let a controller over a full state idle, then one over an empty state."""
    full = prepared(folder / "full", seed, host_count=_HOSTS, instance_count=_INSTANCES)
    cpu, memory = [], []
    with controller(full) as found:
        time.sleep(_SETTLE_S)
        for _ in range(_WINDOWS):
            before, started = found.cpu_s(), time.perf_counter()
            time.sleep(_WINDOW_S)
            cpu.append((found.cpu_s() - before) / (time.perf_counter() - started) * 100)
            memory.append(found.rss_mb())
        peak = found.peak_mb()
    with controller(installed(folder / "empty")) as found:
        time.sleep(5)
        bare = found.rss_mb()
        before, started = found.cpu_s(), time.perf_counter()
        time.sleep(_WINDOW_S)
        bare_cpu = (found.cpu_s() - before) / (time.perf_counter() - started) * 100
    looks = _HOSTS / 30
    return Figure(
        name="idle",
        title="An idle controller",
        size=f"{_HOSTS:,} hosts, {_INSTANCES:,} instances, default settings, SQLite; {_WINDOWS} windows of {_WINDOW_S:.0f} s "
        f"after {_SETTLE_S:.0f} s",
        seed=seed,
        lines=(
            Line(
                what="resident memory", unit="MB", values=tuple(memory), target=Target(limit=250, statistic="max"),
                baseline=_LIBRARIES,
            ),
            Line(what="greatest memory since its start", unit="MB", values=(peak,), baseline=_LIBRARIES),
            Line(what="resident memory, empty state", unit="MB", values=(bare,), baseline=_LIBRARIES),
            Line(what=_LIBRARIES, unit="MB", values=(libraries_mb(),)),
            Line(
                what="processor time", unit="% of a core", values=tuple(cpu), target=Target(limit=2.0),
                baseline="processor time, empty state",
            ),
            Line(what="processor time, empty state", unit="% of a core", values=(bare_cpu,)),
        ),
        notes=(
            (f"Each host is looked at every 30 s ({looks:.0f} looks a second, "
            f"{statistics.median(cpu) / 100 / looks * 1000:.2f} ms of processor time each if all of it went there)."),
            ("The simulated hosts live inside the measured process: their machines, disks and address entries are part of its "
            "memory and their answers part of its processor time."),
        ),
    )  # fmt: skip
