"""Reserved room in any order of reserving, drawing, and hosts that fail, shrink, fill up and come back.

After every rule the reconciler's part has run. Then: nothing is promised over capacity on a host that keeps reserved room, the
reserve is kept, nothing of a promise is lost, hard spread holds; and a slot is left where it cannot stay only while no host
would take it, by a look at the bare numbers.
"""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from controller.identity.caller import Role
from controller.reconcile.auditor import audit_invariants
from controller.workflows import hosts as host_work
from controller.workflows import loss, reservations, tickets
from controller.workflows.picture import Picture
from controller.workflows.place import load_snapshot
from controller.workflows.reservation_wish import ReservationWish
from controller.workflows.slot_moves import SlotMender
from inventory.domain.errors import Conflict, Unplaceable
from inventory.domain.host import AdminState, Host, Reachability, Reserve, ReserveLevel
from inventory.domain.ids import HostId, StoragePoolId, seeded_ids
from inventory.domain.reservation import Slot
from inventory.domain.resources import VCPU
from inventory.domain.scope import PLATFORM
from inventory.domain.system import SpreadLevel
from inventory.store import capacities, directory, hosts, standby
from inventory.store import reservations as reservation_store
from inventory.store.engine import Database
from tests.support.placement import is_same_snapshot
from tests.support.reserves import set_reserve
from tests.support.samples import ticket_text
from tests.support.simulation_stage import CPUS, Time, stage

NAMES = ("spring", "summer", "autumn")
DAY_S = 86_400


class SlotMoves(RuleBasedStateMachine):
    """Model: for how many machines each living reservation still is."""

    def __init__(self) -> None:
        super().__init__()
        ground = stage()
        ground.reset()
        self.time, self.here = Time(), ground.furnished
        self.db = Database(ground.engine, is_sqlite=True)
        new_id = seeded_ids(13, lambda: int(self.time.now_s))
        self.platform = replace(self.here.platform, db=self.db, clock=self.time.clock, new_id=new_id, picture=Picture())
        self.mender = SlotMender(self.platform)
        self.left: dict[str, int] = {}
        self.number = 0

    @initialize(has_reserve=st.booleans())
    def furnish_reserve(self, has_reserve: bool) -> None:
        set_reserve(self.db, Reserve(level=ReserveLevel.HOST) if has_reserve else Reserve())

    def _host(self, position: int) -> Host:
        with self.db.read() as connection:
            return hosts.host(connection, self.here.hosts[position].id)

    # -- what people do -------------------------------------------------------------------------------------------------

    @rule(
        name=st.sampled_from(NAMES),
        count=st.integers(1, 6),
        vcpu=st.integers(1, 3),
        spread=st.sampled_from((SpreadLevel.NONE, SpreadLevel.HOST)),
        begins=st.integers(0, 2),
        days=st.integers(1, 3),
    )
    def reserve(self, name: str, count: int, vcpu: int, spread: SpreadLevel, begins: int, days: int) -> None:
        starts_s = int(self.time.now_s) + begins * DAY_S
        wish = ReservationWish(
            name=name,
            project="P-portal",
            zone="gov-public",
            vcpu_count=vcpu,
            memory_mib=512,
            disk_gib=1,
            count=count,
            spread=spread,
            starts_s=starts_s,
            ends_s=starts_s + days * DAY_S,
        )
        try:
            reservations.create(self.platform, wish, self.here.caller())
        except (Unplaceable, Conflict):
            return
        self.left[name] = count

    @rule(name=st.sampled_from(NAMES))
    def give_up(self, name: str) -> None:
        if self.left.pop(name, 0):
            reservations.release(self.platform, name, self.here.caller())

    @rule(count=st.integers(1, 4), reservation=st.none() | st.sampled_from(NAMES))
    def submit(self, count: int, reservation: str | None) -> None:
        self.number += 1
        text = ticket_text(f"sys-{self.number}", count=count)
        if reservation in self.left:
            text = text.replace(b"{code: P-portal}", f"{{code: P-portal, reservation: {reservation}}}".encode())
        try:
            tickets.submit(self.platform, text, self.here.caller())
        except (Unplaceable, Conflict):
            return
        if reservation in self.left:
            left = sum(s.reservation.name == reservation and s.left_count for s in self._living())
            assert left < self.left[reservation], "a ticket that draws uses something up"
            self.left[reservation] = left
            if not left:
                del self.left[reservation]

    @rule(position=st.integers(0, 2))
    def move_host(self, position: int) -> None:
        host = self._host(position)
        to = AdminState.CORDONED if host.admin_state is AdminState.ACTIVE else AdminState.ACTIVE
        host_work.set_state(self.platform, host.id, to, self.here.caller(Role.OPERATOR), reason="test")

    @rule(position=st.integers(0, 2), is_seen=st.booleans())
    def look(self, position: int, is_seen: bool) -> None:
        host = self._host(position)
        with self.db.write() as connection:
            to = Reachability.REACHABLE if is_seen else Reachability.UNREACHABLE
            hosts.set_reachability(connection, host.id, to, self.time.clock())
            standby.renew(connection, [host.pool_id])

    @rule(position=st.integers(0, 2))
    def lose(self, position: int) -> None:
        """A host is lost, before anybody had a look at what was reserved there."""
        host = self._host(position)
        self.look(position, False)
        if host.admin_state is AdminState.ACTIVE:
            host_work.set_state(self.platform, host.id, AdminState.CORDONED, self.here.caller(Role.OPERATOR), reason="off")
        second = self.here.caller(Role.OPERATOR, name="王五")
        loss.declare_lost(self.platform, host.id, second, confirm=host.name, reason="burnt")

    @rule(position=st.integers(0, 2), cpus=st.integers(1, CPUS))
    def shrink_or_grow(self, position: int, cpus: int) -> None:
        host = self._host(position)
        assert host.facts is not None
        with self.db.write() as connection:
            # Less than machines have is another story, which the auditor tells.
            used = sum(r.used for r in hosts.inventories_of(connection, [host.id])[host.id] if r.dimension == VCPU)
            at_least = max(cpus, used)
            (pool,) = directory.pools(connection)
            storage = [s for s in hosts.storage_pools(connection) if s.host_id == host.id]
            other = replace(host, facts=replace(host.facts, cpu_count=at_least))
            hosts.save_host(connection, other)
            capacities.save_capacity(connection, other, pool, storage)
            standby.renew(connection, [pool.id])

    @rule(days=st.integers(1, 2))
    def time_passes(self, days: int) -> None:
        self.time.pass_(days * DAY_S)
        reservations.expire(self.platform)
        living = {s.reservation.name for s in self._living()}
        self.left = {name: count for name, count in self.left.items() if name in living}

    # -- what holds -----------------------------------------------------------------------------------------------------

    def _living(self) -> list[reservations.Shown]:
        return reservations.page(self.platform, PLATFORM, limit=100, after="", with_ended=False)

    @invariant()
    def slots_are_where_they_can_be(self) -> None:
        before = {(s.reservation_id, s.slot): s for s in self._slots()}
        for moves in self.mender.mend():
            assert len(moves.moved) + moves.left_count > 0
        after = {(s.reservation_id, s.slot): s for s in self._slots()}
        assert before.keys() == after.keys()
        with self.db.read(is_steady=True) as connection:
            assert reservation_store.recount_held(connection) == []
            assert hosts.recount_used(connection) == []
            assert all(state.is_kept for state in standby.states(connection))
            assert audit_invariants(connection, {}) == []
            rows = hosts.inventories(connection)
            known = {h.id: h for h in hosts.hosts(connection)}
        bad = {r.host_id for r in rows if r.held_reservations and r.used + r.foreign_used + r.held > r.capacity}
        bad |= {host_id for host_id, h in known.items() if h.admin_state is not AdminState.ACTIVE}
        for key, slot in after.items():
            moved = before[key].host_id != slot.host_id
            assert not (moved and slot.host_id in bad), "nothing is moved to where it cannot stay"
        self._no_room_for_what_is_left([s for s in after.values() if s.host_id in bad], bad, rows, known)
        self._spread_holds(list(after.values()))

    def _slots(self) -> list[Slot]:
        with self.db.read() as connection:
            return reservation_store.all_slots(connection)

    def _no_room_for_what_is_left(
        self, left: list[Slot], bad: set[HostId], rows: list[hosts.InventoryRow], known: dict[HostId, Host]
    ) -> None:
        with self.db.read() as connection:
            astray = {(s.reservation_id, s.slot) for s in reservation_store.astray(connection)}
        taken = {(s.reservation_id, s.host_id) for s in self._slots()}
        spread = {s.reservation.id for s in self._living() if s.reservation.spread is not SpreadLevel.NONE}
        free = {(r.provider_id, r.dimension): r.free for r in rows}
        pools = {r.host_id: StoragePoolId(r.provider_id) for r in rows if r.provider_id != r.host_id}
        assert {s.host_id for s in left} == {s.host_id for s in left if (s.reservation_id, s.slot) in astray}, "all is told"
        for slot in left:
            if (slot.reservation_id, slot.slot) not in astray:
                continue
            for host_id in known.keys() - bad:
                is_apart = slot.reservation_id in spread and (slot.reservation_id, host_id) in taken
                if known[host_id].reachability is not Reachability.REACHABLE or is_apart:
                    continue
                there = replace(slot, host_id=host_id, storage_pool_id=pools[host_id]).amounts()
                assert any(amount > free[key] for key, amount in there.items()), f"{slot} fits on {host_id}"

    def _spread_holds(self, slots: list[Slot]) -> None:
        for shown in self._living():
            own = [s.host_id for s in slots if s.reservation_id == shown.reservation.id]
            if shown.reservation.spread is not SpreadLevel.NONE:
                assert len(own) == len(set(own))

    @invariant()
    def promises_are_whole(self) -> None:
        assert {s.reservation.name: s.left_count for s in self._living()} == self.left

    @invariant()
    def the_picture_in_memory_is_the_one_read_anew(self) -> None:
        with self.db.read() as connection:
            self.platform.picture.follow(connection)
            followed, anew = self.platform.picture.snapshot, load_snapshot(connection)
        assert is_same_snapshot(replace(followed, revision=""), replace(anew, revision=""))


TestSlotMoves = SlotMoves.TestCase
TestSlotMoves.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)
