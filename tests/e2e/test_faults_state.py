"""The state goes away under a running service: locked, full, stopped, and 64 people at the door for the last machine.

Each time: a clear answer with a code, both languages and a cure, nothing half done, and everything goes on by itself once
the cause is gone.
"""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.database import open_for_test
from tests.support.door import Door, nothing_half_done, refusal
from tests.support.postgres import PostgresServer, private_postgres
from tests.support.service import ServiceUnderTest, service, ticket
from tests.support.small_disk import small_disk

#: A writer waits this long for another process before it gives up (inventory.store.engine).
_BUSY_S = 10
_PATIENCE_S = 60


def _operator(found: ServiceUnderTest) -> Door:
    return Door(found.url, (found.contexts / "default.token").read_text().strip())


def _until(truth: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not truth():
        assert time.monotonic() < end, f"{what}: not within {_PATIENCE_S} s"
        time.sleep(0.2)


def _is_done(door: Door, ticket_id: str) -> bool:
    answer = door.get(f"/v1/tickets/{ticket_id}")
    return answer.status_code == 200 and answer.json()["state"] == "done"


def test_a_state_locked_by_another_process_is_busy_and_the_ticket_can_be_handed_in_again(tmp_path: Path) -> None:
    with service(tmp_path / "service") as found, _operator(found) as door:
        path = found.state / "state.sqlite"
        locker = sqlite3.connect(path, isolation_level=None, timeout=20)
        try:
            locker.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            refusal(door.submit(ticket("patient")), 503, "state.busy")
            assert time.monotonic() - started >= _BUSY_S - 1
            locker.execute("ROLLBACK")
        finally:
            locker.close()
        with open_for_test(f"sqlite:///{path}") as database:
            nothing_half_done(database)
        assert door.items("/v1/tickets") == []
        accepted = door.submit(ticket("patient"))
        assert accepted.status_code == 202, accepted.text
        _until(lambda: _is_done(door, accepted.json()["id"]), "the ticket after the lock")


def test_a_full_disk_of_the_state_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    with small_disk(tmp_path / "service" / "state", "6m") as disk, service(tmp_path / "service") as found:
        with _operator(found) as door:
            before = door.submit(ticket("before"))
            assert before.status_code == 202, before.text
            _until(lambda: _is_done(door, before.json()["id"]), "the first ticket")
            filler = disk / "filler"
            with filler.open("wb") as file:
                file.write(b"x" * shutil.disk_usage(disk).free)
            assert shutil.disk_usage(disk).free == 0
            refusal(door.submit(ticket("during", count=4)), 503, "state.disk_full")
            assert door.get("/healthz").status_code == 200
            assert [t["system_name"] for t in door.items("/v1/tickets")] == ["before"]
            filler.unlink()
            after = door.submit(ticket("during", count=4))
            assert after.status_code == 202, after.text
            _until(lambda: _is_done(door, after.json()["id"]), "the ticket after the cure")
        with open_for_test(f"sqlite:///{found.state / 'state.sqlite'}") as database:
            nothing_half_done(database)
            with database.read() as connection:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


@pytest.mark.parametrize("taken", ["state.sqlite", "."], ids=["the file", "its folder"])
def test_a_state_that_is_moved_away_refuses_all_and_goes_on_when_it_is_back(tmp_path: Path, taken: str) -> None:
    with service(tmp_path / "service") as found, _operator(found) as door:
        before = door.submit(ticket("before"))
        assert before.status_code == 202, before.text
        _until(lambda: _is_done(door, before.json()["id"]), "the first ticket")
        place, aside = (found.state / taken).resolve(), tmp_path / "aside"
        place.rename(aside)
        for answer in (door.submit(ticket("during", count=2)), door.get("/v1/systems"), door.get("/v1/tickets")):
            told = refusal(answer, 503, "state.file_gone")
            assert str(found.state / "state.sqlite") in told["detail"]
        assert door.get("/healthz").status_code == 200
        assert (door.get("/readyz").status_code, door.get("/readyz").json()["waiting_for"]) == (503, ["state"])
        assert not (found.state / "state.sqlite").exists(), "no empty state is made in its place"
        aside.rename(place)
        _until(lambda: door.get("/readyz").status_code == 200, "readiness once it is back")
        assert [t["system_name"] for t in door.items("/v1/tickets")] == ["before"]
        again = door.submit(ticket("during", count=2))
        assert again.status_code == 202, again.text
        _until(lambda: _is_done(door, again.json()["id"]), "the ticket after it is back")
        with open_for_test(f"sqlite:///{found.state / 'state.sqlite'}") as database:
            nothing_half_done(database)


def test_another_file_in_place_of_the_state_is_not_written_to_until_a_restart(tmp_path: Path) -> None:
    with service(tmp_path / "service") as found, _operator(found) as door:
        path = found.state / "state.sqlite"
        found.ok("db", "backup", "copy.sqlite")
        path.unlink()
        shutil.copyfile(found.directory / "copy.sqlite", path)
        refusal(door.submit(ticket("during")), 503, "state.file_gone")
        assert door.get("/readyz").status_code == 503
        found.stop()
        found.start()
        assert door.submit(ticket("after")).status_code == 202


class _OnPostgres(ServiceUnderTest):
    """A service whose state is on PostgreSQL."""

    url_of_state: str = ""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "ALLOT_STATE__URL": self.url_of_state}


@contextmanager
def _on_postgres(directory: Path, server: PostgresServer) -> Iterator[_OnPostgres]:
    found = _OnPostgres(directory)
    found.url_of_state = server.create_database(empty=True)
    found.ok("init")
    try:
        found.start()
        found.furnish()
        yield found
    finally:
        found.kill()


@pytest.mark.postgres
def test_postgresql_that_stops_and_comes_back_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with private_postgres(durable=True) as server, _on_postgres(tmp_path / "service", server) as found, _operator(found) as door:
        before = door.submit(ticket("before", count=2))
        assert before.status_code == 202, before.text
        _until(lambda: _is_done(door, before.json()["id"]), "the first ticket")
        server.stop()
        refusal(door.submit(ticket("during")), 503, "state.unreachable")
        refusal(door.get("/v1/systems"), 503, "state.unreachable")
        assert door.get("/healthz").status_code == 200
        assert door.get("/readyz").status_code == 503
        server.start()
        _until(lambda: door.get("/readyz").status_code == 200, "readiness after the restart")
        assert [t["system_name"] for t in door.items("/v1/tickets")] == ["before"]
        again = door.submit(ticket("during"))
        assert again.status_code == 202, again.text
        _until(lambda: _is_done(door, again.json()["id"]), "the ticket after the restart")
        with open_for_test(found.url_of_state) as database:
            nothing_half_done(database)


@pytest.mark.postgres
def test_of_64_tickets_over_http_for_the_last_machine_exactly_one_is_accepted_in_20_rounds(tmp_path: Path) -> None:
    contenders, rounds = 64, 20
    with private_postgres() as server, _on_postgres(tmp_path / "service", server) as found, _operator(found) as door:
        _set_limit(door, 1)
        assert door.submit(ticket("first")).status_code == 202
        with ThreadPoolExecutor(contenders) as people:
            for round_ in range(1, rounds + 1):
                _set_limit(door, round_ + 1)
                texts = [ticket(f"race-{round_}-{number}") for number in range(contenders)]
                answers = list(people.map(door.submit, texts))
                _exactly_one(answers)
        limit = next(
            q for q in door.items("/v1/quotas?limit=500") if (q["scope"], q["dimension"]) == ("civil-affairs", "instances")
        )
        assert limit["used"] == limit["limit"] == rounds + 1
        with open_for_test(found.url_of_state) as database:
            nothing_half_done(database)


def _set_limit(door: Door, amount: int) -> None:
    answer = door.client.put(
        "/v1/quotas/civil-affairs/instances", json={"mode": "limit", "limit": amount}, headers={"If-Match": "*"}
    )
    assert answer.status_code == 200, answer.text


def _exactly_one(answers: list[httpx.Response]) -> None:
    accepted = [a for a in answers if a.status_code == 202]
    refused = [a for a in answers if a.status_code != 202]
    assert len(accepted) == 1, [a.text[:200] for a in answers if a.status_code not in (202, 403)][:3]
    for answer in refused:
        refusal(answer, 403, "quota.exceeded")
