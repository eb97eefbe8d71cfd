"""Fencing: cutting the power of a host that does not answer, by means that do not go through it.

No driver can tell from afar that a silent host is off. What can is a management board, a switched power strip, a rack's
controller. They differ from site to site, so that each pool has a program of the operator's own: it is called with the word
``off``, the host's name and its connection, and ends with 0 only when it has *seen* that the host is off and stays off.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from drivers.faults import Permanent, Transient
from inventory.domain.host import Host

#: What is told of the program's own words.
_TOLD_MAX = 200


class Fencing(Protocol):
    """Means to cut the power of hosts."""

    def has_means(self, pool: str) -> bool:
        """Tell whether the hosts of a pool can be fenced."""

    def power_off(self, pool: str, host: Host) -> None:
        """Cut the power of a host; may run twice. Returns only when the host was seen to be off.

        Raises:
            DriverFault: ``fencing.failed``, ``fencing.timeout``, ``fencing.missing``: it may be on.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class FencingPrograms:
    """One program for each pool, named after its code, in one directory; none without a directory."""

    directory: Path | None = None
    timeout_s: float = 120.0

    def has_means(self, pool: str) -> bool:
        """Tell whether a pool has a program that can be run."""
        return self._program(pool) is not None

    def power_off(self, pool: str, host: Host) -> None:
        """Run the program of the pool.

        Raises:
            Permanent: ``fencing.missing``.
            Transient: ``fencing.failed``, ``fencing.timeout``.
        """
        program = self._program(pool)
        if program is None:
            raise Permanent("fencing.missing", pool=pool, directory=str(self.directory or "—"))
        # No shell, and nothing of this process's surroundings: settings may hold secrets.
        command, surroundings = [str(program), "off", host.name, host.connection], {"PATH": os.defpath}
        try:
            ended = subprocess.run(  # noqa: S603  the operator's own program
                command,
                check=False,
                timeout=self.timeout_s,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except subprocess.TimeoutExpired:
            raise Transient("fencing.timeout", host=host.name, deadline_s=int(self.timeout_s)) from None
        except OSError as error:
            raise Transient("fencing.failed", host=host.name, reason=error.strerror or "") from error
        if ended.returncode != 0:
            said = ended.stderr.decode(errors="replace").strip()[-_TOLD_MAX:]
            raise Transient("fencing.failed", host=host.name, reason=said or f"exit {ended.returncode}")

    def _program(self, pool: str) -> Path | None:
        if self.directory is None:
            return None
        program = self.directory / pool
        return program if program.is_file() and os.access(program, os.X_OK) else None
