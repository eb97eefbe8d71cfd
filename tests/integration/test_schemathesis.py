"""schemathesis against the real application, all its checks and phases, as a caller of every role: it finds nothing.

Seeded and bounded here; ``ALLOT_SCHEMATHESIS_EXAMPLES=500`` looks longer.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from controller.identity.caller import DEPARTMENT_ROLES, Role
from tests.support.api import YAML, Service, service
from tests.support.samples import ticket_text

_EXAMPLES = int(os.environ.get("ALLOT_SCHEMATHESIS_EXAMPLES", "3"))
#: Data that fits the description may still be refused for what it says: a YAML body is described as text only, names may
#: be unknown, and ``If-Match`` may be old or left out. It must never be answered by anything else.
_ANSWERS_TO_GOOD_DATA = ["2xx", "401", "403", "404", "409", "412", "422", "428", "503"]


def config_for(secret: str) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "headers": {"Authorization": f"Bearer {secret}"},
            "checks": {"positive_data_acceptance": {"expected-statuses": _ANSWERS_TO_GOOD_DATA}},
            "generation": {"max-examples": _EXAMPLES, "database": "none"},
        }
    )


def findings(platform: Service, secret: str) -> tuple[int, list[str]]:
    """Return how many checks passed, and what failed."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", platform.app, config=config_for(secret))
    passed, found = 0, []
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            found.append(str(event))
        if isinstance(event, events.ScenarioFinished):
            for check in (c for checks in event.recorder.checks.values() for c in checks):
                passed += check.failure_info is None
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    found.append(f"{event.recorder.label}: {check.name}: {failure.message}\n{check.failure_info.code_sample}")
    return passed, found


#: Every role, where it stands. Those who may do little still knock at every door.
CALLERS = {role: "civil-it" if role in DEPARTMENT_ROLES else "" for role in Role}


@pytest.mark.timeout(600 + 60 * _EXAMPLES)
@pytest.mark.parametrize("role", CALLERS)
def test_schemathesis_finds_nothing(tmp_path: Path, role: Role, record_testsuite_property: Callable[[str, object], None]) -> None:
    with service(tmp_path) as platform:
        admin = platform.client(Role.DEPARTMENT_ADMIN, "civil-it")
        assert admin.post("/v1/tickets", content=ticket_text("portal"), headers=YAML).status_code == 202
        passed, found = findings(platform, platform.secrets[role, CALLERS[role]])
    record_testsuite_property(f"schemathesis checks as {role.value}", passed)
    assert found == []
    assert passed > 5_000
