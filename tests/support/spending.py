"""A service whose prices are agreed to and on which a machine ran: written through the API and the journal, as it happens."""

from collections.abc import Mapping

from controller.identity.caller import Role
from controller.workflows import ledger
from inventory.store import journal
from tests.support.api import YAML, Service
from tests.support.billing import BOOK, MAY_S
from tests.support.journal import row
from tests.support.people import as_person


def priced(platform: Service) -> None:
    """Bring a price book in force."""
    sent = as_person(platform, "wang", Role.FINANCE).post("/v1/price-books", content=BOOK.encode(), headers=YAML)
    for who in ("li", "zhao"):
        path = f"/v1/price-books/{sent.json()['id']}/approve"
        agreed = as_person(platform, who, Role.FINANCE).post(path, json={"reason": "checked"})
        assert agreed.is_success, agreed.text


def used_since_may(platform: Service, amounts: Mapping[str, int]) -> None:
    """Have a machine of the portal run since the first of May."""
    home = platform.city.projects["P-portal"]
    change = row(
        1, resource="inst_a", state="running", occurred_at_s=MAY_S, amounts=dict(amounts), department=home.department_id,
        project=home.id, system="sys_a",
    )  # fmt: skip
    with platform.platform.db.write() as connection:
        journal.append(connection, [change])
    ledger.catch_up(platform.platform)
