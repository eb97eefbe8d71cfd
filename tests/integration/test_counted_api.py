"""The ledger beside what a back end counts itself, on simulated hosts whose machines were promised and never made."""

from collections.abc import Iterator

import pytest

from controller.identity.caller import Role
from controller.reconcile.ledger import LedgerKeeper
from tests.support.api import YAML, Service, service
from tests.support.samples import ticket_text

POOL = "sim"
PATH = "/v1/ledger/counted"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("counted")) as found:
        body = ticket_text("civil-it-base", department="civil-it", project="P-portal")
        assert found.operator().post("/v1/tickets", content=body, headers=YAML).status_code in (201, 202)
        LedgerKeeper(platform=found.platform, interval_s=5, compare_interval_s=86_400).tick()
        found.clock.now_s += 100
        yield found


def test_what_was_promised_and_never_started_is_said_so_to_the_second(platform: Service) -> None:
    now_s = int(platform.clock.now_s)
    window = {"pool": POOL, "from": str(now_s - 1000), "to": str(now_s + 1000)}
    answer = platform.client(Role.FINANCE).get(PATH, params=window)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["end_s"] == now_s, "nothing is counted that has not happened yet"
    assert report["machines"]
    for machine in report["machines"]:
        assert machine["counted_vcpu_s"] == 0
        amounts = {"vcpu_s": machine["ledger_vcpu_s"], "memory_mib_s": machine["ledger_memory_mib_s"]}
        assert machine["reasons"] == [{"reason": "never_started", **amounts}]
        assert machine["ledger_memory_mib_s"] == machine["difference_memory_mib_s"] > machine["ledger_vcpu_s"] > 0
        assert machine["ledger_vcpu_s"] == machine["difference_vcpu_s"]
        assert machine["ledger_vcpu_s"] % 100 == 0


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"pool": "nowhere"}, 404, "pool.not_found"),
        ({"to": "5", "from": "5"}, 422, "usage.window_empty"),
        ({"from": "0"}, 422, "usage.window_too_long"),
        ({"from": "tomorrow"}, 422, "usage.moment_unreadable"),
    ],
)
def test_what_cannot_be_compared_is_refused(platform: Service, changed: dict[str, str], status: int, code: str) -> None:
    now_s = int(platform.clock.now_s)
    window = {"pool": POOL, "from": str(now_s - 10), "to": str(now_s)}
    answer = platform.operator().get(PATH, params=window | changed)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
