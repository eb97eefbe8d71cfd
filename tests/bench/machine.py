"""What the machine is, without saying which one."""

import datetime
import os
import platform
import sqlite3
import subprocess
from pathlib import Path

from inventory.store.engine import safe_journal_mode
from tests.bench.report import Machine
from tests.support.postgres import binaries


def describe(duration_s: float) -> Machine:
    """Return date, cores, memory and versions; no name, address or path."""
    facts = {
        **hardware(),
        "SQLite": f"{sqlite3.sqlite_version}, journal mode {safe_journal_mode()}, synchronous FULL",
        "PostgreSQL": f"{_postgres_version()}, fsync on, synchronous_commit on",
        "the whole run": f"{duration_s:.0f} s",
    }
    return Machine(facts=facts)


def hardware() -> dict[str, str]:
    """Return date, cores, memory, system and Python."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "cores": f"{os.cpu_count()} × {_cpu_model()}",
        "memory": f"{_memory_gib()} GiB",
        "system": f"{_distribution()}, Linux {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
    }


def peak_mib() -> float:
    """Return the most memory this process had at once.

    The kernel's own count of this program: what ``getrusage`` tells begins with the memory of the process that started it.
    """
    return int(_field("/proc/self/status", "VmHWM", ":").split()[0]) / 1024


def _field(path: str, key: str, mark: str) -> str:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(mark)
        if name.strip() == key:
            return value.strip().strip('"')
    return ""


def _cpu_model() -> str:
    return _field("/proc/cpuinfo", "model name", ":") or platform.machine()


def _memory_gib() -> int:
    kib = int(_field("/proc/meminfo", "MemTotal", ":").split()[0])
    return round(kib / (1 << 20))


def _distribution() -> str:
    return _field("/etc/os-release", "PRETTY_NAME", "=") or "Linux"


def _postgres_version() -> str:
    said = subprocess.run([str(binaries() / "postgres"), "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[2]
