"""What looks, proofs and comparisons found is told in both languages, and by a code for programs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from controller.identity.caller import Role
from inventory.store import findings
from tests.support.api import Service, service


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as found:
        yield found


def _found(platform: Service, detail: dict[str, Any]) -> None:
    row = {
        "id": platform.platform.new_id("finding"), "kind": "edited", "host_id": platform.host.id, "resource_id": None,
        "subject": "edited:x", "detail": detail, "state": "open",
    }  # fmt: skip
    with platform.platform.db.write() as connection:
        findings.save(connection, [row], 1000.0)


@pytest.mark.parametrize(("language", "own"), [("en", "text_en"), ("zh-CN", "text_zh")])
def test_a_finding_is_a_sentence_in_the_callers_language_and_in_both(platform: Service, language: str, own: str) -> None:
    card = {"network": "seg_1", "filtered": ""}
    _found(platform, {"name": "web-1", "cards": {"10.96.0.10": card, "10.96.0.11": None}, "stored": {"vcpu_count": 4}})
    [found] = platform.client(Role.OPERATOR, language=language).get("/v1/findings").json()["items"]
    assert found["text"] == found[own]
    assert found["text_en"] == (
        "web-1; the card of 10.96.0.10 is in seg_1 without a packet filter; the card of 10.96.0.11 is missing; "
        "in the stored definition: 4 vCPU as it is"
    )
    assert (
        found["text_zh"]
        == "web-1；地址 10.96.0.10 的网卡在 seg_1，没有包过滤；地址 10.96.0.11 的网卡不在；存储的定义中：现有 4 vCPU"
    )
    assert found["detail"]["cards"]["10.96.0.10"] == card, "programs read values"


def test_what_a_comparison_of_the_ledger_found_has_a_code_and_both_languages(platform: Service) -> None:
    with platform.platform.db.write() as connection:
        connection.execute(
            text(
                "INSERT INTO usage_intervals (resource_id, meter, start_s, end_s, amount, state, department_id, project_id,"
                " system_id, resource_kind, resource_name, opened_by) VALUES ('inst_x', 'vcpu', 100, 200, 1, 'running', 'd', 'p',"
                " 's', 'instance', 'web-1', 1)"
            )
        )
    found = platform.client(Role.FINANCE, language="zh-CN").post("/v1/ledger/compare").json()
    [difference] = found["differences"]
    assert (found["is_equal"], difference["kind"], difference["code"]) == (False, "extra", "fault.no_such_resource")
    assert difference["detail"] == difference["detail_zh"] == "流水中没有这项资源"
    assert difference["detail_en"] == "the journal knows no such resource"
