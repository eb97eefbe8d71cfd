"""What somebody else changed after it was read is not replaced: every write that replaces, over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.identity.caller import Role
from quotas import store as quota_store
from tests.support.api import YAML, Service, service
from tests.support.replaced_documents import BUDGETS, COST_POOLS, EFFICIENCY_RULES


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as found:
        yield found


def _set(client: httpx.Client, limit: int, **headers: str) -> httpx.Response:
    return client.put("/v1/quotas/civil/vcpu", json={"mode": "limit", "limit": limit}, headers=headers)


def _refused(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (412, "request.if_match_stale")
    assert answer.json()["cure"].startswith("Read it again")


def test_of_two_people_who_read_a_limit_the_second_is_told_that_it_changed(platform: Service) -> None:
    operator = platform.operator()
    read = operator.get("/v1/quotas/civil/vcpu")
    assert (read.json()["mode"], read.json()["used"]) == ("inherit", 0)
    first = _set(operator, 100, **{"If-Match": read.headers["ETag"]})
    assert first.status_code == 200
    _refused(_set(operator, 120, **{"If-Match": read.headers["ETag"]}))
    assert operator.get("/v1/quotas/civil/vcpu").json()["limit"] == 100
    assert _set(operator, 120, **{"If-Match": first.headers["ETag"]}).status_code == 200
    assert operator.get("/v1/quotas/civil/vcpu").json()["limit"] == 120


def test_a_limit_is_not_replaced_by_who_does_not_say_what_it_was(platform: Service) -> None:
    answer = _set(platform.operator(), 100)
    assert (answer.status_code, answer.json()["code"]) == (428, "request.if_match_required")


def test_use_is_no_change_of_a_limit(platform: Service) -> None:
    operator = platform.operator()
    tag = operator.get("/v1/quotas/P-portal/vcpu").headers["ETag"]
    with platform.platform.db.write() as connection:
        quota_store.hold(connection, platform.city.all_departments, platform.city.projects["P-portal"], {"vcpu": 3})
    again = operator.get("/v1/quotas/P-portal/vcpu")
    assert (again.json()["used"], again.headers["ETag"]) == (3, tag)


def test_a_limit_of_another_department_is_not_found(platform: Service) -> None:
    answer = platform.client(Role.DEPARTMENT_ADMIN, "water").get("/v1/quotas/civil/vcpu")
    assert (answer.status_code, answer.json()["code"]) == (404, "quota.scope_unknown")
    assert platform.client(Role.DEPARTMENT_ADMIN, "civil").get("/v1/quotas/civil-it/vcpu").status_code == 200


SITE = """\
apiVersion: allotment/v1
kind: Site
sizes:
  - {{name: tiny, vcpu: {vcpu}, memory: 128MiB, root-disk: 1GiB}}
"""


def test_an_import_replaces_only_what_its_plan_showed(platform: Service) -> None:
    operator = platform.operator()
    mine, others = (SITE.format(vcpu=vcpu).encode() for vcpu in (2, 3))
    plan = operator.post("/v1/site/plan", content=mine, headers=YAML)
    assert plan.json()["has_changes"]
    assert operator.post("/v1/site/import", content=others, headers=YAML).status_code == 200
    _refused(operator.post("/v1/site/import", content=mine, headers={**YAML, "If-Match": plan.headers["ETag"]}))
    sizes = {s["name"]: s["vcpu_count"] for s in operator.get("/v1/sizes").json()["items"]}
    assert sizes["tiny"] == 3, "what the other wrote stands"
    tag = operator.post("/v1/site/plan", content=mine, headers=YAML).headers["ETag"]
    assert operator.post("/v1/site/import", content=mine, headers={**YAML, "If-Match": tag}).status_code == 200


DOCUMENTS = {"/v1/efficiency-rules": EFFICIENCY_RULES, "/v1/cost-pools": COST_POOLS, "/v1/budgets": BUDGETS}


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_document_replaces_only_the_one_that_was_read(platform: Service, path: str) -> None:
    finance = platform.client(Role.FINANCE)

    def send(number: int, **headers: str) -> httpx.Response:
        document = DOCUMENTS[path].format(number=number, project="P-portal")
        return finance.post(path, content=document.encode(), headers={**YAML, **headers})

    read = finance.get(path).headers["ETag"]
    done = send(5, **{"If-Match": read})
    assert done.status_code == 200, done.text
    now: Any = finance.get(path)
    assert now.headers["ETag"] == done.headers["ETag"] != read
    _refused(send(6, **{"If-Match": read}))
    assert finance.get(path).json() == now.json()
    assert send(6).status_code == 200, "who names nothing replaces whatever there is"


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_wrong_document_is_told_so_whatever_was_read(platform: Service, path: str) -> None:
    answer = platform.client(Role.FINANCE).post(path, content=b"{}", headers={**YAML, "If-Match": '"old"'})
    assert answer.status_code == 422, answer.text
