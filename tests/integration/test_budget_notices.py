"""What a department is told of its budget through the API: how much is spent, and that it will not last, in both languages."""

from collections.abc import Iterator

import pytest

from controller.identity.caller import Role
from controller.reconcile.ledger import LedgerKeeper
from inventory.store import journal
from tests.support.api import YAML, Service, service
from tests.support.billing import BOOK, MAY_S
from tests.support.journal import row
from tests.support.people import as_person

BUDGETS = 'apiVersion: allotment/v1\nkind: Budgets\nbudgets: [{project: P-portal, year: 2026, amount: "300"}]\n'


@pytest.fixture
def spender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service where a project with a small budget ran a machine through most of May."""
    with service(tmp_path_factory.mktemp("spender")) as platform:
        platform.clock.now_s = float(MAY_S + 20 * 86_400)
        home = platform.city.projects["P-portal"]
        change = row(
            1, resource="inst_a", state="running", occurred_at_s=MAY_S, amounts={"vcpu": 10}, department=home.department_id,
            project=home.id, system="sys_a",
        )  # fmt: skip
        with platform.platform.db.write() as connection:
            journal.append(connection, [change])
        finance = as_person(platform, "wang", Role.FINANCE)
        book = finance.post("/v1/price-books", content=BOOK.encode(), headers=YAML).json()["id"]
        for who in ("li", "zhao"):
            agreed = as_person(platform, who, Role.FINANCE).post(f"/v1/price-books/{book}/approve", json={"reason": "checked"})
            assert agreed.is_success, agreed.text
        assert finance.post("/v1/budgets", content=BUDGETS.encode(), headers=YAML).is_success
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
