"""Loads the compiled engine where it pays: for large fleets, in a thread of its own, from a cache on disk where there is one.

numba costs about 100 MB of memory and, the first time, half a minute of compiling. A small fleet decides fast enough with
numpy alone; a large one does until the compiled engine is ready. Nobody waits for it, and no choice depends on it.
"""

import importlib
import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from controller.scheduling.engine import PLAIN, Engine, Steps
from controller.scheduling.fleet import Fleet
from controller.scheduling.snapshot import SnapshotBuilder
from controller.scheduling.stream import Orders, new_stream
from controller.scheduling.tables import DISKS_MAX, Closed, new_rules

#: Fleets from this size use the compiled engine.
COMPILED_FROM_HOSTS = 2000


class EngineLoader:
    """Gives fleets their engine; one for a process."""

    def __init__(self, *, compiled_from_hosts: int = COMPILED_FROM_HOSTS, cache: Path | None = None) -> None:
        self._from_hosts, self._cache = compiled_from_hosts, cache
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def engine(self, host_count: int) -> Engine:
        """Return the engine for a fleet of this size now; where the compiled one would pay, it is on its way from here on."""
        if host_count < self._from_hosts:
            return PLAIN
        if self._engine is None:
            self._start()
        return self._engine or PLAIN

    def load(self) -> Engine:
        """Load the compiled engine and wait for it; returns numpy's where numba is not installed."""
        if not is_installed():
            return PLAIN
        with self._lock:
            if self._engine is None:
                self._engine = load_compiled(self._cache)
        return self._engine

    def _start(self) -> None:
        if self._thread is not None or not is_installed():
            return
        self._thread = threading.Thread(target=self._load_aside, name="placement-engine", daemon=True)
        self._thread.start()

    def _load_aside(self) -> None:
        """Compile in another process first, where it takes neither this one's memory nor its time, then load what it left."""
        if self._cache is not None:
            command = [sys.executable, "-m", "controller.scheduling.loading", str(self._cache)]
            subprocess.run(command, check=False, stdin=subprocess.DEVNULL)  # noqa: S603  our own module
        self.load()


def is_installed() -> bool:
    """Tell whether numba (extra ``fast``) is there, without importing it."""
    return importlib.util.find_spec("numba") is not None


def load_compiled(cache: Path | None = None) -> Engine:
    """Return the compiled engine with everything compiled; ``cache`` keeps compiled code between processes."""
    numba = importlib.import_module("numba")
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
        # Read when a compiled function is declared: before the module below is imported for the first time.
        numba.config.CACHE_DIR = str(cache)
    compiled = importlib.import_module("controller.scheduling.compiled_stream")
    for function, arguments in _calls(compiled):
        function.compile(tuple(numba.typeof(argument) for argument in arguments))
    return Engine(
        scan=compiled.scan,
        pick=compiled.pick,
        pick_ruled=compiled.pick_ruled,
        raise_bounds=compiled.raise_bounds,
        steps=Steps(put=compiled.put, fill=compiled.fill, run=compiled.run),
    )


def _calls(compiled: ModuleType) -> Iterator[tuple[Any, tuple[object, ...]]]:
    """Yield every function that is called from Python with arguments of its types: those of a fleet without hosts."""
    snapshot = SnapshotBuilder().build()
    fleet = Fleet(snapshot)
    index, stream = fleet.index, new_stream(Orders(classes=(), orders=()), np.empty(0, dtype=np.int32), snapshot)
    tables, rules = (fleet.hosts, index.classes, index.bounds), new_rules(1, 0)
    yield compiled.scan, (*tables, 0, index.buffer)
    yield compiled.pick, (*tables, 0, index.buffer)
    yield compiled.pick_ruled, (*tables, rules, 0, index.buffer, index.work)
    yield compiled.raise_bounds, (*tables, 0)
    chosen = np.empty(DISKS_MAX, dtype=np.int32)
    yield compiled.put, (fleet.hosts, fleet.pools, *tables[1:], 0, 0, chosen)
    many = np.empty(0, dtype=np.int32), np.empty((0, DISKS_MAX), dtype=np.int32)
    yield compiled.fill, (fleet.hosts, fleet.pools, *tables[1:], rules, *many[:1], 0, *many, index.buffer, index.work)
    nobody = np.empty(0, dtype=np.uint8)
    whole = fleet.hosts, fleet.pools, *tables[1:], rules, stream, fleet.position_of
    yield compiled.run, (*whole, Closed(nobody, nobody, 0), 0, index.buffer, index.work)


if __name__ == "__main__":
    load_compiled(Path(sys.argv[1]))
