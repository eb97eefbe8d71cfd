"""What all tests of a process share: a test that leaves it changed makes another one fail, hours later in the order."""

import gc
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Not SIGALRM: the limit of time of a test is the runner's own alarm, and still set behind a test that failed.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """A process as it is in a moment."""

    is_searching_for_cycles: bool
    handlers: tuple[Any, ...]
    directory: Path
    umask: int
    #: Settings of the product alone: the test runner's own variables change with each test.
    settings: tuple[tuple[str, str], ...]

    @classmethod
    def now(cls) -> "ProcessState":
        """Return this process as it is."""
        return cls(
            is_searching_for_cycles=gc.isenabled(),
            handlers=tuple(signal.getsignal(s) for s in _SIGNALS),
            directory=Path.cwd(),
            umask=_umask(),
            settings=tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith("ALLOT_"))),
        )


def _umask() -> int:
    # Reading it is only possible by setting it; the tests of a process run one after the other.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
