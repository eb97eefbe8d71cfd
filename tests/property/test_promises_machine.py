"""Tickets in any order, worked on at any pace by the real reconciler: every promise is counted once at every moment.

The state is SQLite in memory, the hosts are simulated without faults (the seeded simulation brings those), the clock is
virtual. After every rule: used equals the claims, quota equals the claims, no address is given twice, and every journal
counts 1, 2, 3 … At rest the hosts hold just what the accepted tickets asked for. In the end every state there was can be told
again, and every explanation says in its long form what it said in its short one.
"""

import random
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from controller.identity.caller import Role
from controller.reconcile.auditor import audit_invariants
from controller.reconcile.loop import Reconciler
from controller.reconcile.workers import Inline
from controller.scheduling.snapshot import Snapshot
from controller.tickets.model import TicketState
from controller.tickets.tables import explanations
from controller.workflows import hosts as host_work
from controller.workflows import tickets
from controller.workflows.long_form import retold
from controller.workflows.picture import Picture
from controller.workflows.place import load_snapshot
from controller.workflows.swap import swapper
from drivers.protocol import HostObservation
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.records import HostSpec, PoolSpec
from drivers.simulated.world import World, image_is_trusted
from inventory.domain.errors import Conflict, QuotaExceeded, Unplaceable
from inventory.domain.host import AdminState, Reserve, ReserveLevel
from inventory.domain.ids import HostId, seeded_ids
from inventory.store import hosts, standby
from inventory.store import tables as t
from inventory.store.engine import Database
from quotas import store as quota_store
from quotas.limits import Mode, ScopeKind
from tests.support.past import snapshot_of
from tests.support.placement import is_same_snapshot
from tests.support.reserves import set_reserve, stranded
from tests.support.samples import change_text, ticket_text
from tests.support.simulation_stage import CPUS, DISK_GIB, MEMORY_MIB, SETTINGS, Time, stage

NAMES = ("portal", "mail", "maps", "archive")
SIZES = st.sampled_from(("tiny", "small"))
COUNTS = st.integers(1, 4)
DISKS = st.integers(0, 2)
#: What a ticket may be refused for; anything else is a bug.
REFUSALS = (QuotaExceeded, Unplaceable, Conflict)


def _servers(size: str, count: int, disks: int) -> str:
    listed = ", ".join(f"{{name: d{n}, size: 1GiB, class: standard}}" for n in range(disks))
    return f"{{name: web, count: {count}, size: {size}, image: demo-linux, disks: [{listed}]}}"


class Promises(RuleBasedStateMachine):
    """Model: how many machines every accepted system asked for last."""

    def __init__(self) -> None:
        super().__init__()
        ground = stage()
        ground.reset()
        self.time = Time()
        self.world = World("promises", clock=self.time.clock, sleep=self.time.pass_, verify_image=image_is_trusted)
        self.here = ground.furnished
        for host in self.here.hosts:
            self.world.add_host(
                host.name,
                HostSpec(cpu_count=CPUS, memory_mib=MEMORY_MIB, pools=(PoolSpec(name="default", capacity_gib=DISK_GIB),)),
            )
        self.db = Database(ground.engine, is_sqlite=True)
        self.platform = replace(
            self.here.platform,
            db=self.db,
            clock=self.time.clock,
            new_id=seeded_ids(11, lambda: int(self.time.now_s)),
            quarantine_s=30,
            picture=Picture(),
        )
        chooser = random.Random(5)
        self.executor = Inline(chooser)
        self.controller = Reconciler(
            self.platform,
            owner="controller-1",
            executor=lambda _: self.executor,
            open_driver=lambda host, _: SimulatedDriver(self.world, self.world.hosts[host.name]),
            settings=SETTINGS,
            swap=swapper(self.platform),
            chooser=chooser,
            monotonic=self.time.monotonic,
        )
        self.wanted: dict[str, int] = {}
        self.revisions: dict[str, int] = {}
        self.releasing: set[str] = set()
        self.has_reserve = self.has_been_whole = False
        self.states: list[Snapshot] = []

    @initialize(has_reserve=st.booleans())
    def furnish_reserve(self, has_reserve: bool) -> None:
        set_reserve(self.db, Reserve(level=ReserveLevel.HOST) if has_reserve else Reserve())
        self.has_reserve, self.has_been_whole = has_reserve, has_reserve

    # -- people ---------------------------------------------------------------------------------------------------------

    def _submit(self, name: str, text: bytes) -> bool:
        before = self._levels()
        try:
            ticket = tickets.submit(self.platform, text, self.here.caller(), confirm=name)
        except REFUSALS:
            assert self._levels() == before, "a refused ticket moved a counter"
            return False
        assert ticket.state in (TicketState.ACCEPTED, TicketState.RUNNING, TicketState.DONE)
        for key, (used, limit) in self._levels().items():
            assert limit is None or used <= max(limit, before[key][0]), f"{key} grew over its limit"
        return True

    @rule(name=st.sampled_from(NAMES), size=SIZES, count=COUNTS, disks=DISKS)
    def create(self, name: str, size: str, count: int, disks: int) -> None:
        old = ticket_text(name).partition(b"    - {name: web")[0]
        text = old + f"    - {_servers(size, count, disks)}\n".encode()
        is_known = name in self.wanted or name in self.releasing
        if self._submit(name, text) and not is_known:
            self.wanted[name], self.revisions[name] = count, 1

    @precondition(lambda self: self.wanted)
    @rule(data=st.data(), size=SIZES, count=COUNTS, disks=DISKS)
    def change(self, data: st.DataObject, size: str, count: int, disks: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.wanted)))
        text = change_text(name, _servers(size, count, disks), base=self.revisions[name])
        if self._submit(name, text):
            self.wanted[name] = count
            with self.db.read() as connection:
                statement = select(t.systems.c.revision).where(t.systems.c.name == name, t.systems.c.state != "released")
                self.revisions[name] = int(connection.execute(statement).scalar_one())

    @precondition(lambda self: self.wanted)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.wanted)))
        text = f"apiVersion: allotment/v1\nkind: Ticket\nmetadata: {{name: {name}, action: release}}\n"
        assert self._submit(name, (text + "applicant: {department: civil-it}\n").encode())
        del self.wanted[name]
        self.releasing.add(name)

    @rule(
        scope=st.sampled_from(("city", "civil-it", "P-portal")),
        dimension=st.sampled_from(("vcpu", "instances", "disk_gib", "addresses", "volumes")),
        limit=st.none() | st.integers(0, 16),
    )
    def set_limit(self, scope: str, dimension: str, limit: int | None) -> None:
        if scope in self.here.city.projects:
            kind, id_ = ScopeKind.PROJECT, str(self.here.city.projects[scope].id)
        else:
            kind, id_ = ScopeKind.DEPARTMENT, str(self.here.city.departments[scope].id)
        mode = Mode.UNLIMITED if limit is None else Mode.LIMIT
        with self.db.write() as connection:
            quota_store.set_limit(connection, kind, id_, dimension, mode, limit)

    @precondition(lambda self: self.has_reserve)
    @rule(data=st.data())
    def move_a_host(self, data: st.DataObject) -> None:
        """Take the stand-by host or another out of service, or give it back."""
        host = data.draw(st.sampled_from(self.here.hosts))
        with self.db.read() as connection:
            now = hosts.host(connection, host.id).admin_state
        to = AdminState.CORDONED if now is AdminState.ACTIVE else AdminState.ACTIVE
        host_work.set_state(self.platform, host.id, to, self.here.caller(), reason="test")
        with self.db.read() as connection:
            # With no empty host left nobody can stand by for the others: said, and not made worse.
            self.has_been_whole = not any(s.uncovered for s in standby.states(connection))

    # -- the controller -------------------------------------------------------------------------------------------------

    @rule(pieces=st.integers(1, 12))
    def work_a_little(self, pieces: int) -> None:
        self.controller.tick()
        for _ in range(pieces):
            self.executor.run_one()
        self.controller.tick()

    @rule(seconds=st.sampled_from((0.5, 5.0, 40.0)))
    def time_passes(self, seconds: float) -> None:
        self.time.pass_(seconds)

    @rule()
    def work_to_the_end(self) -> None:
        for _ in range(200):
            self.controller.tick()
            while self.executor.run_one():
                pass
            self.controller.tick()
            if not self._is_busy():
                break
            self.time.pass_(2.0)
        assert not self._is_busy(), "the work does not end"
        self.releasing.clear()
        machines = [m for h in self.world.hosts.values() for m in h.machines]
        assert len(machines) == sum(self.wanted.values())
        with self.db.read(is_steady=True) as connection:
            assert audit_invariants(connection, self._seen(), is_quiet=True) == []

    # -- what must hold at every moment -----------------------------------------------------------------------------------

    def _is_busy(self) -> bool:
        with self.db.read() as connection:
            return (
                connection.execute(select(t.resources.c.id).where(t.resources.c.next_try_s.is_not(None)).limit(1)).first()
                is not None
            )

    def _seen(self) -> dict[HostId, HostObservation]:
        return {h.id: self.world.hosts[h.name].observe() for h in self.here.hosts}

    def _levels(self) -> dict[tuple[str, str], tuple[int, int | None]]:
        with self.db.read() as connection:
            return {(x.scope_id, x.dimension): (x.used, x.limit_amount) for x in quota_store.levels(connection)}

    @invariant()
    def used_is_the_sum_of_claims(self) -> None:
        with self.db.read() as connection:
            assert hosts.recount_used(connection) == []
            assert quota_store.recount(connection) == []

    @invariant()
    def the_loss_of_any_host_is_survived(self) -> None:
        if self.has_reserve and self.has_been_whole:
            with self.db.read() as connection:
                assert [s.uncovered for s in standby.states(connection)] == [()]
                assert stranded(connection) == []

    @invariant()
    def the_picture_in_memory_is_the_one_read_anew(self) -> None:
        with self.db.read() as connection:
            self.platform.picture.follow(connection)
            followed, anew = self.platform.picture.snapshot, load_snapshot(connection)
        assert is_same_snapshot(replace(followed, revision=""), replace(anew, revision=""))

    @invariant()
    def states_are_remembered(self) -> None:
        with self.db.read() as connection:
            self.states.append(load_snapshot(connection))

    def teardown(self) -> None:
        with self.db.read() as connection:
            for state in self.states:
                assert is_same_snapshot(snapshot_of(connection, state.revision), state)
            explained = list(connection.execute(select(explanations.c.id).order_by(explanations.c.id)).scalars())
        for explanation_id in explained:
            assert retold(self.platform, explanation_id, self.here.caller(Role.OPERATOR)).mismatches == ()
        super().teardown()

    @invariant()
    def no_address_is_given_twice(self) -> None:
        with self.db.read() as connection:
            a = t.addresses.c
            given = connection.execute(select(a.segment_id, a.address, a.resource_id).where(a.resource_id.is_not(None))).all()
        assert len({(r.segment_id, r.address) for r in given}) == len(given)

    @invariant()
    def journals_count_without_a_gap(self) -> None:
        with self.db.read() as connection:
            rows = connection.execute(
                select(t.journal.c.resource_id, t.journal.c.revision).order_by(*t.journal.primary_key)
            ).all()
            last = {r.id: r.revision for r in connection.execute(select(t.resources.c.id, t.resources.c.revision))}
        counts: dict[str, int] = {}
        for row in rows:
            counts[row.resource_id] = counts.get(row.resource_id, 0) + 1
            assert row.revision == counts[row.resource_id]
        assert all(last[resource_id] == count for resource_id, count in counts.items())

    @invariant()
    def the_auditor_finds_nothing(self) -> None:
        with self.db.read(is_steady=True) as connection:
            assert audit_invariants(connection, self._seen()) == []


TestPromises = Promises.TestCase
TestPromises.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
