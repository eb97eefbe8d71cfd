"""Documents that replace what stands: what another wrote after the command read is kept, and the second is told what to do."""

import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.replaced_documents import BUDGETS, COST_POOLS, EFFICIENCY_RULES
from tests.support.service import ServiceUnderTest

#: Command, address of the API, document, command that shows what stands, and how a number is found in its answer.
KINDS: dict[str, tuple[str, str, str, Callable[[Any], str]]] = {
    "budget": ("/v1/budgets", BUDGETS, "show", lambda found: found[0]["limit_yuan"]),
    "cost": ("/v1/cost-pools", COST_POOLS, "list", lambda found: found[0]["yuan"]),
    "efficiency": ("/v1/efficiency-rules", EFFICIENCY_RULES, "rules", lambda found: found["idle_cpu_percent"]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("language", "said"), [("en", "somebody else changed this after it was read"), ("zh-CN", "已有他人修改")]
)
def test_what_another_wrote_after_the_command_read_is_kept(
    running: ServiceUnderTest, kind: str, language: str, said: str
) -> None:
    path, document, look, number_of = KINDS[kind]
    finance = "finance.token"

    def numbered(number: int) -> str:
        return document.format(number=number, project="P-PORTAL")

    if not (running.directory / finance).exists():
        running.token("finance", "finance")
    running.ok("--token-file", finance, "meter", kind, "import", running.write("first.yaml", numbered(5)))
    read_before = _reads(running, path)
    with subprocess.Popen(
        [sys.executable, "-m", "controller", "--lang", language, "--token-file", finance, "meter", kind, "import", "-"],
        cwd=running.directory,
        env=running.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as waiting:
        # It has read what stands, and now waits for the document.
        while _reads(running, path) == read_before:
            assert waiting.poll() is None
        running.ok("--token-file", finance, "meter", kind, "import", running.write("other.yaml", numbered(6)))
        _, told = waiting.communicate(numbered(7).encode(), timeout=60)
    assert waiting.returncode == 1
    assert said in told.decode()
    assert f"allot meter {kind} {look}" in told.decode(), "it says how to see what stands now"
    assert "Traceback" not in told.decode()
    stands = running.ok("--token-file", finance, "meter", kind, look, "-o", "json").json
    assert float(number_of(stands)) == 6
    running.ok("--token-file", finance, "meter", kind, "import", "-", stdin=numbered(7))


def _reads(running: ServiceUnderTest, path: str) -> int:
    """Return how often an address was read, as the service counts it."""
    with urllib.request.urlopen(f"{running.url}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    found = re.findall(rf'^allot_http_requests_total{{method="GET",route="{path}",status="200"}} (\S+)$', text, re.MULTILINE)
    return int(float(found[0])) if found else 0
