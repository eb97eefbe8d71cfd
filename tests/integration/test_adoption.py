"""Machines somebody else made, in the books: claimed, metered, followed, let go, and never touched."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from controller.identity.caller import Role
from controller.reconcile.adopted import MISSED_PERIODS
from controller.reconcile.auditor import audit_invariants
from controller.reconcile.settings import ReconcileSettings
from controller.workflows import adoption, tickets
from controller.workflows.adoption import Shown
from drivers.protocol import Capability
from drivers.simulated.faults import FaultRates
from inventory.domain.errors import AllotError, Conflict, Invalid, NotFound, QuotaExceeded
from inventory.domain.resource import Observed, Phase
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.scope import PLATFORM
from inventory.store import findings, foreign, journal
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.support.adopting import PERIOD_S, WISH, assert_whole, history, look, machines, room, take, used
from tests.support.api import Service, service
from tests.support.database import open_for_test
from tests.support.platform import Furnished, furnish
from tests.support.race import race
from tests.support.samples import release_text, ticket_text
from tests.support.simulation import Simulation


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    """Two machines of civil-it and one of nobody we know, on the first host."""
    furnished = furnish(database, tmp_path, host_count=2)
    for department in furnished.city.departments:
        for dimension in (VCPU, MEMORY_MIB, "instances"):
            furnished.limit(department, dimension, 1 << 20)
    look(furnished, furnished.hosts[0], machines(furnished.hosts[0]))
    return furnished


def test_what_a_pool_has_of_others_is_mapped_by_its_owner_and_not_changed(here: Furnished) -> None:
    before = room(here, here.hosts[0])
    seen = {
        c.machine.name: (c.host, c.department, c.project, c.adopted) for c in adoption.candidates(here.platform, "sim", limit=9)
    }
    assert seen == {
        "mail": ("host-0000", "civil-it", "P-portal", None),
        "archive": ("host-0000", "civil-it", "P-portal", None),
        "lab": ("host-0000", "", "", None),
    }
    assert room(here, here.hosts[0]) == before == {VCPU: (0, 4), MEMORY_MIB: (0, 4096)}


def test_adopted_machines_are_claimed_and_metered_and_take_no_room_twice(here: Furnished) -> None:
    mail, archive = sorted(take(here), key=lambda s: s.resource.name, reverse=True)
    assert room(here, here.hosts[0]) == {VCPU: (3, 1), MEMORY_MIB: (3072, 1024)}
    assert (used(here, VCPU), used(here, "instances")) == (3, 2)
    host_id = here.hosts[0].id
    assert history(here, mail) == [("allocated", 2, host_id), ("running", 2, host_id)]
    assert history(here, archive) == [("allocated", 1, host_id), ("stopped", 1, host_id)]
    assert [(s.system, s.department, s.project) for s in (mail, archive)] == [("legacy", "civil-it", "P-portal")] * 2
    assert [s.resource.id for s in take(here)] == sorted([mail.resource.id, archive.resource.id]), "twice is once"
    assert room(here, here.hosts[0]) == {VCPU: (3, 1), MEMORY_MIB: (3072, 1024)}
    assert_whole(here)


def test_a_host_that_is_overfull_with_others_can_be_adopted_all_the_same(here: Furnished) -> None:
    look(here, here.hosts[0], machines(here.hosts[0], vcpu_count=500))
    take(here)
    assert room(here, here.hosts[0])[VCPU] == (501, 1)
    assert_whole(here)


def test_over_quota_nothing_is_adopted(here: Furnished) -> None:
    here.limit("civil", VCPU, 2)
    with pytest.raises(QuotaExceeded):
        take(here)
    assert room(here, here.hosts[0]) == {VCPU: (0, 4), MEMORY_MIB: (0, 4096)}
    with here.platform.db.read() as connection:
        assert foreign.adopted(connection) == []
        assert connection.execute(select(t.systems)).first() is None
    assert_whole(here)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"owner": ""}, "adoption.nothing_named"),
        ({"owner": "nobody"}, "adoption.machines_unknown"),
        ({"owner": "", "machines": ("u-1", "u-9")}, "adoption.machines_unknown"),
        ({"pool": "other"}, "pool.not_found"),
        ({"project": "P-other"}, "project.not_found"),
        ({"mlps_level": 4}, "adoption.level_too_high"),
        ({"lease_end": "2020-01-01"}, "adoption.lease_past"),
    ],
)
def test_what_makes_no_sense_is_refused(here: Furnished, changes: dict[str, object], code: str) -> None:
    with pytest.raises(AllotError) as refused:
        take(here, **changes)
    assert refused.value.code == code
    assert_whole(here)


def test_more_machines_than_are_taken_at_once_are_refused(here: Furnished) -> None:
    host = here.hosts[0]
    first = machines(host)[0]
    look(here, host, [replace(first, uuid=f"u-{n}", name=f"m-{n}") for n in range(adoption.TAKE_MOST + 1)])
    with pytest.raises(Invalid) as refused:
        take(here)
    assert (refused.value.code, refused.value.params["most"]) == ("adoption.too_many", adoption.TAKE_MOST)
    with here.platform.db.read() as connection:
        assert foreign.adopted(connection) == []


def test_nothing_is_adopted_into_a_project_that_is_closed(here: Furnished) -> None:
    with here.platform.db.write() as connection:
        connection.execute(update(t.projects).where(t.projects.c.code == WISH.project).values(is_open=False))
    with pytest.raises(Conflict) as refused:
        take(here)
    assert refused.value.code == "adoption.project_closed"
    assert_whole(here)


def test_a_machine_is_in_one_book_only(here: Furnished) -> None:
    take(here, owner="", machines=("u-1",))
    with pytest.raises(Conflict) as refused:
        take(here, system="other")
    assert refused.value.code == "adoption.taken"
    assert used(here, "instances") == 1
    assert_whole(here)


def test_systems_of_tickets_and_systems_of_adopted_machines_stay_apart(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("web"), here.caller())
    with pytest.raises(Conflict) as mixed:
        take(here, system="web")
    assert mixed.value.code == "adoption.system_has_own_machines"
    take(here)
    for text in (release_text("legacy"), ticket_text("legacy")):
        with pytest.raises(Conflict) as read_only:
            tickets.submit(here.platform, text, here.caller(), confirm="legacy")
        assert read_only.value.code == "adoption.system_read_only"
    assert_whole(here)


def test_its_owners_start_stop_move_and_delete_are_followed(here: Furnished) -> None:
    first, second = here.hosts
    [mail] = take(here, owner="", machines=("u-1",))
    here.clock.now_s += 60
    assert not look(here, first, machines(first, is_running=False))
    assert history(here, mail)[-1] == ("stopped", 2, first.id)
    here.clock.now_s += 60
    # It leaves the one host before it is seen on the other.
    assert look(here, first, machines(first)[1:])
    here.clock.now_s += PERIOD_S
    assert not look(here, second, machines(second)[:1])
    assert history(here, mail)[-1] == ("running", 2, second.id)
    assert room(here, second) == {VCPU: (2, 0), MEMORY_MIB: (2048, 0)}
    assert room(here, first) == {VCPU: (0, 2), MEMORY_MIB: (0, 2048)}
    assert_whole(here)
    missed_s = here.clock()
    assert look(here, second, [])
    here.clock.now_s += MISSED_PERIODS * PERIOD_S - 1
    assert look(here, second, [])
    here.clock.now_s += 1
    assert not look(here, second, [])
    with here.platform.db.read() as connection:
        last = journal.last_of(connection, mail.resource.id)
        assert (last.state, last.occurred_at_s) == ("released", int(missed_s)), "it ended when it was missed first"
        [system] = connection.execute(select(t.systems.c.state)).scalars()
    assert (system, used(here, "instances"), room(here, second)[VCPU]) == ("released", 0, (0, 0))
    assert_whole(here)


def test_one_that_comes_back_in_time_was_never_away(here: Furnished) -> None:
    first = here.hosts[0]
    [mail] = take(here, owner="", machines=("u-1",))
    before = history(here, mail)
    assert look(here, first, [])
    here.clock.now_s += PERIOD_S
    assert not look(here, first, machines(first))
    assert history(here, mail) == before
    with here.platform.db.read() as connection:
        [row] = foreign.adopted(connection)
    assert row.observed is Observed.RUNNING
    assert_whole(here)


def test_a_size_its_owner_changed_is_reported_and_billed_when_it_is_taken_anew(here: Furnished) -> None:
    first = here.hosts[0]
    [mail] = take(here, owner="", machines=("u-1",))
    look(here, first, machines(first, vcpu_count=6))
    assert room(here, first)[VCPU] == (2, 6), "what it has beyond its claim is foreign"
    with here.platform.db.read() as connection:
        assert findings.open_counts(connection) == {"edited": 1}
    here.clock.now_s += 60
    take(here, owner="", machines=("u-1",))
    assert room(here, first)[VCPU] == (6, 2)
    assert (used(here, VCPU), history(here, mail)[-1]) == (6, ("running", 6, first.id))
    with here.platform.db.read() as connection:
        assert findings.open_counts(connection) == {}
    look(here, first, machines(first, vcpu_count=1))
    take(here, owner="", machines=("u-1",))
    assert (used(here, VCPU), history(here, mail)[-1]) == (1, ("running", 1, first.id))
    assert_whole(here)


def test_one_that_is_let_go_is_foreign_again(here: Furnished) -> None:
    first = here.hosts[0]
    before = room(here, first)
    shown = take(here)
    for one in shown:
        gone = adoption.let_go(here.platform, one.resource.id, here.caller(Role.OPERATOR))
        assert gone.resource.phase is Phase.GONE
        assert history(here, one)[-1] == ("released", 0, first.id)
        with here.platform.db.read() as connection:
            assert journal.of_resource(connection, one.resource.id)[-1].source == "controller", "a person did it"
    assert room(here, first) == before
    with here.platform.db.read() as connection:
        assert [m.name for m in foreign.domains(connection)] == ["mail", "archive", "lab"]
    assert [s.system for s in take(here)] == ["legacy", "legacy"], "the name may be used again"
    assert_whole(here)


@pytest.mark.postgres
def test_of_people_who_let_it_go_at_once_one_does(postgres_url: str, tmp_path: Path) -> None:
    with open_for_test(postgres_url, pool_size=8) as database:
        here = furnish(database, tmp_path, host_count=2)
        for department in here.city.departments:
            for dimension in (VCPU, MEMORY_MIB, "instances"):
                here.limit(department, dimension, 1 << 20)
        look(here, here.hosts[0], machines(here.hosts[0]))
        taken: list[Shown] = []

        def again(_round: int) -> None:
            taken[:] = take(here)

        def let_go(_round: int, _number: int) -> bool:
            try:
                adoption.let_go(here.platform, taken[0].resource.id, here.caller(Role.OPERATOR))
            except NotFound:
                return False
            return True

        assert race(let_go, contenders=4, rounds=10, between=again, threads=4).wins == (1,) * 10
        assert_whole(here)


def test_the_loop_follows_and_never_touches(tmp_path: Path) -> None:
    settings = ReconcileSettings(audit_s=float("inf"))
    simulation = Simulation(5, rates=FaultRates(), controllers=1, settings=settings, without=Capability.EVENTS)
    simulation.state_faults.is_active = False
    furnished = replace(simulation.stage.furnished, platform=replace(simulation.platform, db=simulation.state))
    host = next(iter(simulation.hosts.values()))
    theirs = simulation.world.hosts[host.name]
    uuid = simulation.world.drift_foreign(host.name, "mail", owner="civil-it")

    def pass_(seconds: float) -> None:
        for _ in range(int(seconds)):
            while simulation._act(0, "tick") | simulation._act(0, "job"):
                pass
            simulation.time.pass_(1.0)

    pass_(90)
    [mail] = take(furnished, pool=_pool(simulation))
    shown = theirs.foreign[uuid]
    pass_(90)
    assert theirs.foreign == {uuid: shown}
    theirs.foreign[uuid] = replace(shown, is_running=False)
    pass_(90)
    assert history(furnished, mail)[-1][0] == "stopped"
    del theirs.foreign[uuid]
    pass_(60 + MISSED_PERIODS * settings.observe_s)
    assert history(furnished, mail)[-1][0] == "released"
    assert simulation.effects == {}, "no verb that changes anything was called"
    with simulation.state.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []


def _pool(simulation: Simulation) -> str:
    with simulation.state.read() as connection:
        return str(connection.execute(select(t.pools.c.code)).scalar_one())


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path) as found:
        with found.platform.db.write() as connection:
            foreign.save_foreign(connection, found.host.id, machines(found.host)[:2], found.clock())
            foreign.recount_foreign(connection, found.host.id)
        yield found


def test_adoption_through_the_api_is_scoped_and_audited(platform: Service) -> None:
    operator = platform.operator()
    [first, _second] = operator.get("/v1/pools/sim/foreign").json()["items"]
    assert (first["owner"], first["department"], first["project"], first["adoption_id"]) == (
        "civil-it",
        "civil-it",
        "P-portal",
        None,
    )
    body = {"pool": "sim", "project": "P-portal", "system": "legacy", "lease_end": "2027-02-28", "machines": [first["uuid"]]}
    answer = operator.post("/v1/adoptions", json=body)
    assert answer.status_code == 201, answer.text
    [made] = answer.json()["items"]
    own, other = (platform.client(Role.DEPARTMENT_ADMIN, d) for d in ("civil-it", "civil"))
    assert [a["id"] for a in own.get("/v1/adoptions").json()["items"]] == [made["id"]]
    assert [a["id"] for a in other.get("/v1/adoptions").json()["items"]] == [made["id"]], "from above"
    assert operator.get("/v1/adoptions", params={"department": "water"}).json()["items"] == []
    assert operator.get("/v1/pools/sim/foreign").json()["items"][0]["adoption_id"] == made["id"]
    assert own.get("/v1/systems/legacy").json()["state"] == "active"
    gone = operator.post(f"/v1/adoptions/{made['id']}/let-go").json()
    assert gone["observed"] == "absent"
    again = operator.post(f"/v1/adoptions/{made['id']}/let-go")
    assert (again.status_code, again.json()["code"]) == (404, "adoption.not_found")
    events = operator.get("/v1/audit", params={"limit": 20}).json()["items"]
    done = [(e["action"], e["result"]) for e in events if e["action"].startswith("adoption.")]
    assert sorted(done) == [("adoption.let_go", "ok"), ("adoption.let_go", "refused"), ("adoption.take", "ok")]


def test_nothing_of_it_is_left_in_scope_of_others(platform: Service) -> None:
    body = {"pool": "sim", "project": "P-portal", "system": "legacy", "lease_end": "2027-02-28", "owner": "civil-it"}
    assert platform.operator().post("/v1/adoptions", json=body).status_code == 201
    with platform.platform.db.read() as connection:
        water = platform.city.departments["water"].id
        assert foreign.adopted(connection, replace(PLATFORM, department_ids=frozenset({water}))) == []
