"""Every reading route a department may call, in a city where its neighbour has one of everything: no answer holds a word of it.

The matrix of roles (``tests/meta/test_authorisation_matrix.py``) says which calls are allowed; here is what allowed calls tell.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest
from sqlalchemy import insert, update

from controller.identity.caller import DEPARTMENT_ROLES, Role
from controller.identity.policy import RULES
from controller.workflows import ledger
from inventory.domain.host import ForeignDomain
from inventory.domain.scope import PLATFORM
from inventory.store import foreign, journal, notices, systems
from inventory.store import tables as t
from quotas.budget_tables import budget_notices
from tests.meta.test_authorisation_matrix import EXAMPLES
from tests.support.api import YAML, Service, service
from tests.support.billing import BOOK, GRACE_S, JUNE_S, MAY_S
from tests.support.journal import row
from tests.support.people import as_person
from tests.support.samples import ticket_text

#: The neighbours: (department, project), the caller's first.
PLACES = (("civil-it", "P-portal"), ("water-it", "P-gauges"))
MONTH = "2026-05"
WINDOW = {"from": "2026-05-01", "to": "2026-07-01"}
#: Lists of the platform's own, the same for everybody, and what only looks at one thing (the matrix goes through those).
SHARED = {
    "/v1/whoami", "/v1/zones", "/v1/sizes", "/v1/images", "/v1/meters", "/v1/periods", "/v1/periods/{period}",
    "/v1/efficiency-rules", "/v1/lines/{line}", "/v1/periods/{period}/efficiency/{system}/draft", "/v1/works/{work}",
}  # fmt: skip
READ = sorted(
    key.partition(" ")[2]
    for key, rule in RULES.items()
    if key.startswith("GET ") and not rule.is_public and rule.roles & set(DEPARTMENT_ROLES) and not EXAMPLES[key].is_departmental
)
TRIED = [path for path in READ if path not in SHARED]


@dataclass(frozen=True)
class Town:
    """The service, and every word that only the neighbour's things have in them."""

    platform: Service
    words: Mapping[str, str]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with service(tmp_path_factory.mktemp("walls")) as platform:
        standing = [
            ForeignDomain(host_id=platform.host.id, uuid=f"u-{code}", name="mail", vcpu_count=1, memory_mib=64, is_running=True)
            for code, _ in PLACES
        ]
        with platform.platform.db.write() as connection:
            foreign.save_foreign(connection, platform.host.id, standing, platform.clock())
        made = {code: furnish(platform, code, project) for code, project in PLACES}
        with platform.platform.db.write() as connection:
            connection.execute(update(t.systems).values(lease_end_s=int(platform.clock() + 3 * 86_400)))
            notices.raise_due(connection, platform.platform.new_id, platform.clock(), limit=10)
            connection.execute(insert(budget_notices), [told_of(platform, project) for _, project in PLACES])
        rated(platform)
        city = platform.city
        words: dict[str, str] = {f"id of {code}": city.departments[code].id for code in ("water", "water-it")}
        words |= {"project": city.projects["P-gauges"].id, "its code": "P-gauges", "a code": "water"}
        yield Town(platform, words | made["water-it"])


def rated(platform: Service) -> None:
    """Have both use machines through May, and the month reviewed."""
    rows = []
    for number, (code, project) in enumerate(PLACES):
        home = platform.city.projects[project]
        with platform.platform.db.read() as connection:
            system = systems.get(connection, f"{code}-base", PLATFORM)
        rows.append(
            row(1, resource=f"inst_{number}", state="running", occurred_at_s=MAY_S, amounts={"vcpu": 4},
                department=home.department_id, project=home.id, system=system.id)
        )  # fmt: skip
    with platform.platform.db.write() as connection:
        journal.append(connection, rows)
    ledger.catch_up(platform.platform)
    book = as_person(platform, "wang", Role.FINANCE).post("/v1/price-books", content=BOOK.encode(), headers=YAML).json()["id"]
    entries = platform.client(Role.FINANCE).get("/v1/usage-entries").json()["items"]
    for who in ("li", "zhao"):
        agreed(platform, who, f"/v1/price-books/{book}/approve", {"reason": "checked"})
    for entry in entries:
        agreed(platform, "li", f"/v1/usage-entries/{entry['id']}/approve")
    agreed(platform, "wang", f"/v1/periods/{MONTH}/closing")
    platform.clock.now_s = JUNE_S + GRACE_S + 60
    agreed(platform, "wang", f"/v1/periods/{MONTH}/review")


def agreed(platform: Service, who: str, path: str, body: Mapping[str, str] | None = None) -> None:
    answer = as_person(platform, who, Role.FINANCE).post(path, json=body)
    assert answer.is_success, answer.text


def told_of(platform: Service, project: str) -> dict[str, object]:
    """A notice that half of a project's budget is spent."""
    home = platform.city.projects[project]
    amounts = {"limit_micro_yuan": 2, "spent_micro_yuan": 1, "obligated_micro_yuan": 1}
    ids = {"id": f"bnot_{project}", "project_id": home.id, "department_id": home.department_id}
    return {**ids, **amounts, "year": 2026, "kind": "50", "at_s": platform.clock()}


def furnish(platform: Service, code: str, project: str) -> dict[str, str]:
    """Give a department one of everything that is listed; returns what is told by ids."""
    operator, finance = platform.operator(), platform.client(Role.FINANCE)
    ticket = operator.post("/v1/tickets", content=ticket_text(f"{code}-base", department=code, project=project), headers=YAML)
    system = operator.get(f"/v1/systems/{code}-base").json()
    held = {"name": "standing", "project": project, "zone": "gov-public", "size": "tiny", "ends_s": 1_790_000_000}
    reservation = operator.post("/v1/reservations", json=held)
    entry = {"project": project, "meter": "service:move", "amount": 1, "start": "2026-05-01", "reason": "because"}
    entered = finance.post("/v1/usage-entries", json=entry)
    text = f'apiVersion: allotment/v1\nkind: Budgets\nbudgets: [{{project: {project}, year: 2026, amount: "9000"}}]\n'
    budget = finance.post("/v1/budgets", content=text.encode(), headers=YAML)
    adopt = {"pool": "sim", "project": project, "system": f"{code}-old", "lease_end": "2027-02-28", "machines": [f"u-{code}"]}
    adopted = operator.post("/v1/adoptions", json=adopt)
    for answer in (ticket, reservation, entered, budget, adopted):
        assert answer.is_success, answer.text
    return {
        "ticket": ticket.json()["id"],
        "system": system["id"],
        "machine": system["instances"][0]["id"],
        "reservation": reservation.json()["id"],
        "entry": entered.json()["id"],
        "adoption": adopted.json()["items"][0]["id"],
    }


def read(client: httpx.Client, path: str) -> str:
    answer = client.get(path.format(period=MONTH), params=WINDOW if path == "/v1/usage" else {})
    assert answer.status_code == 200, f"{path}: {answer.text}"
    return str(answer.text)


@pytest.mark.parametrize(("path", "role"), [(p, r) for p in TRIED for r in sorted(DEPARTMENT_ROLES & RULES[f"GET {p}"].roles)])
def test_no_answer_to_a_department_holds_a_word_of_its_neighbour(town: Town, path: str, role: Role) -> None:
    told = read(town.platform.client(role, "civil-it"), path)
    assert [kind for kind, word in town.words.items() if word in told] == []


@pytest.mark.parametrize("path", TRIED)
def test_the_neighbour_has_something_in_each_of_these_answers(town: Town, path: str) -> None:
    role = next(r for r in (Role.OPERATOR, Role.FINANCE, Role.AUDITOR) if r in RULES[f"GET {path}"].roles)
    told = read(town.platform.client(role), path)
    assert any(word in told for word in town.words.values()), f"{path} tells nothing of anybody: nothing was tried above"
