"""Documents that replace what stands: what another wrote after the command read is kept, and the second is told what to do."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.support.replaced_documents import BUDGETS, COST_POOLS, EFFICIENCY_RULES
from tests.support.service import ServiceUnderTest

#: Command, document, command that shows what stands, and how a number is found in its answer.
KINDS: dict[str, tuple[str, str, Callable[[Any], str]]] = {
    "budget": (BUDGETS, "show", lambda found: found[0]["limit_yuan"]),
    "cost": (COST_POOLS, "list", lambda found: found[0]["yuan"]),
    "efficiency": (EFFICIENCY_RULES, "rules", lambda found: found["idle_cpu_percent"]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("language", "said"), [("en", "somebody else changed this after it was read"), ("zh-CN", "已有他人修改")]
)
def test_what_another_wrote_after_the_command_read_is_kept(
    running: ServiceUnderTest, kind: str, language: str, said: str
) -> None:
    document, look, number_of = KINDS[kind]
    finance = "finance.token"

    def numbered(number: int) -> str:
        return document.format(number=number, project="P-PORTAL")

    if not (running.directory / finance).exists():
        running.token("finance", "finance")
    running.ok("--token-file", finance, "meter", kind, "import", running.write("first.yaml", numbered(5)))
    # A pipe can be written without waiting once somebody opened it: by then the command has read what stands.
    second = running.directory / "second.fifo"
    os.mkfifo(second)
    with subprocess.Popen(
        [sys.executable, "-m", "controller", "--lang", language, "--token-file", finance, "meter", kind, "import", str(second)],
        cwd=running.directory,
        env=running.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as waiting:
        pipe = _opened(second, waiting)
        running.ok("--token-file", finance, "meter", kind, "import", running.write("other.yaml", numbered(6)))
        with pipe:
            pipe.write(numbered(7).encode())
        _, told = waiting.communicate(timeout=60)
    second.unlink()
    assert waiting.returncode == 1
    assert said in told.decode()
    assert f"allot meter {kind} {look}" in told.decode(), "it says how to see what stands now"
    assert "Traceback" not in told.decode()
    stands = running.ok("--token-file", finance, "meter", kind, look, "-o", "json").json
    assert float(number_of(stands)) == 6
    running.ok("--token-file", finance, "meter", kind, "import", "-", stdin=numbered(7))


def _opened(fifo: Path, reader: subprocess.Popen[bytes]) -> BinaryIO:
    """Return the writing end of a pipe as soon as its reader opened the other."""
    while True:
        assert reader.poll() is None, "the command ended without reading its document"
        try:
            return os.fdopen(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK), "wb")
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            time.sleep(0.01)
