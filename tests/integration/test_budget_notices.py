"""What a department is told of its budget through the API: how much is spent, and that it will not last, in both languages."""

from collections.abc import Iterator

import pytest

from controller.identity.caller import Role
from controller.reconcile.ledger import LedgerKeeper
from tests.support.api import YAML, Service, service
from tests.support.billing import MAY_S
from tests.support.people import as_person
from tests.support.spending import priced, used_since_may

BUDGETS = 'apiVersion: allotment/v1\nkind: Budgets\nbudgets: [{project: P-portal, year: 2026, amount: "300"}]\n'


@pytest.fixture
def spender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service where a project with a small budget ran a machine through most of May."""
    with service(tmp_path_factory.mktemp("spender")) as platform:
        platform.clock.now_s = float(MAY_S + 20 * 86_400)
        used_since_may(platform, {"vcpu": 10})
        priced(platform)
        assert as_person(platform, "wang", Role.FINANCE).post("/v1/budgets", content=BUDGETS.encode(), headers=YAML).is_success
        LedgerKeeper(platform=platform.platform, interval_s=5, compare_interval_s=86_400).tick()
        yield platform


def test_a_department_is_told_what_it_spent_and_that_it_will_not_last(spender: Service) -> None:
    reader = spender.client(Role.DEPARTMENT_READER, "civil-it")
    told = reader.get("/v1/budget-notices").json()["items"]
    spent = {(share, "notice.budget_spent") for share in ("50", "80", "100")}
    assert {(n["kind"], n["code"]) for n in told} == {*spent, ("forecast", "notice.budget_forecast")}
    assert len(told) == 4, "each once"
    for notice in told:
        assert "P-portal" in notice["detail_en"]
        assert "P-portal" in notice["detail_zh"]
        assert "300" in notice["detail_en"], "how much the budget is"
    neighbour = as_person(spender, "zhou", Role.DEPARTMENT_READER, "water-it")
    assert neighbour.get("/v1/budget-notices").json()["items"] == []
