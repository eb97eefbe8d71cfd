"""From whatever a load balancer is to whatever is asked for, in a few looks, with no change where there is nothing to change."""

from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from drivers.openstack.balancer_plan import (
    ERROR,
    Act,
    BalancerReading,
    Change,
    ListenerReading,
    MemberReading,
    PoolReading,
    next_changes,
    observed_balancer,
    shown_certificates,
    wanted_certificates,
)
from drivers.openstack.marks import Mark
from drivers.openstack.tls import BY_TLS, read_tls
from drivers.powers import Algorithm, BalancerRequest, HealthRequest, ListenerRequest, MemberRequest, TlsRequest
from inventory.domain.ids import ResourceId

SUBNET = "subnet"
TLS_KEYS = ("default_tls_container_ref", "sni_container_refs", "tls_versions")
MARK = Mark(resource_id="lb_x", fence=1, host_id="host_x")
EMPTY = BalancerReading(lb_id="lb", mark=MARK, status="ACTIVE", address="10.0.0.10")
OURS = {"ROUND_ROBIN": "ROUND_ROBIN", "LEAST_CONNECTIONS": "LEAST_CONNECTIONS", "SOURCE_IP": "SOURCE_IP"}

members = st.builds(
    MemberRequest, address=st.sampled_from(["10.0.0.11", "10.0.0.12", "10.0.0.13"]), port=st.sampled_from([80, 81]),
    weight=st.integers(0, 3),
)  # fmt: skip
healths = st.one_of(
    st.none(),
    st.builds(HealthRequest, kind=st.just("tcp"), interval_s=st.integers(1, 3), timeout_s=st.just(1), count=st.integers(1, 3)),
    st.builds(
        HealthRequest, kind=st.just("http"), interval_s=st.just(5), timeout_s=st.just(1), count=st.just(2),
        path=st.sampled_from(["", "/health"]),
    ),
)  # fmt: skip


NAMES = [f"secrets/00000000-0000-4000-8000-00000000000{number}" for number in range(3)]
KEYS_URL = "https://keys.example/v1"
tlses = st.builds(
    TlsRequest,
    certificate=st.sampled_from(NAMES),
    others=st.sets(st.sampled_from(NAMES)).map(lambda names: tuple(sorted(names))),
    versions=st.sampled_from([("1.2",), ("1.3",), ("1.2", "1.3")]),
)


@st.composite
def wishes(draw: st.DrawFn) -> BalancerRequest:
    ports = draw(st.sets(st.sampled_from([80, 443, 5432]), max_size=3))
    listeners = []
    for port in sorted(ports):
        chosen = draw(st.lists(members, max_size=4, unique_by=lambda m: (m.address, m.port)))
        protocol = draw(st.sampled_from(["tcp", "http"]))
        listeners.append(
            ListenerRequest(
                port=port,
                protocol=protocol,
                tls=draw(st.one_of(st.none(), tlses)) if protocol == "http" else None,
                members=tuple(sorted(chosen, key=lambda m: (m.address, m.port))),
                algorithm=draw(st.sampled_from(Algorithm)),
                health=draw(healths),
            )
        )
    return BalancerRequest(
        balancer_id=ResourceId("lb_x"), title="t", segment_id=ResourceId("seg_x"), address="10.0.0.10", listeners=tuple(listeners)
    )


class Octavia:
    """What Octavia does with the changes: refuses what names a part that is not there."""

    def __init__(self) -> None:
        self.state = EMPTY
        #: Every certificate it was told to show.
        self.told: set[str] = set()
        #: Certificates that are not there any more.
        self.missing: set[str] = set()
        self._ids = count()

    def look(self) -> BalancerReading:
        return self.state

    def carry_out(self, change: Change) -> None:
        if change.act not in (Act.UPDATE_LISTENER, Act.DELETE_LISTENER):
            read = {name for ls in self.state.listeners if ls.tls is not None for name in ls.tls.certificates}
            assert not self.missing & read, "it reads what is not there, and hangs"
        getattr(self, f"_{change.act.name.lower()}")(change)

    def spoil(self, pick: int) -> None:
        """Let one part fall into error."""
        pools = self.state.pools
        members = [r for p in pools for r in p.members]
        monitors = [p.monitor_id for p in pools if p.monitor_id]
        parts = [*self.state.listeners, *pools, *members, *monitors]
        bad = parts[pick % len(parts)] if parts else None
        self.state = replace(
            self.state,
            listeners=tuple(replace(x, status=ERROR) if x is bad else x for x in self.state.listeners),
            pools=tuple(_spoiled(pool, bad) for pool in pools),
        )

    def _new_id(self) -> str:
        return f"id{next(self._ids)}"

    def _pools(self, pool_id: str, **values: Any) -> None:
        assert any(p.pool_id == pool_id for p in self.state.pools), "the pool is not there"
        pools = tuple(replace(p, **values) if p.pool_id == pool_id else p for p in self.state.pools)
        self.state = replace(self.state, pools=pools)

    def _pool(self, pool_id: str) -> PoolReading:
        (found,) = [p for p in self.state.pools if p.pool_id == pool_id]
        return found

    def _create_listener(self, change: Change) -> None:
        port = change.body["protocol_port"]
        assert all(ls.port != port for ls in self.state.listeners), "the port is taken"
        tls = self._read(change) if change.body["protocol"] == BY_TLS else None
        assert (tls is None) == (not change.certificates), "what the change says it shows is not what it sends"
        made = ListenerReading(listener_id=self._new_id(), port=port, protocol=change.body["protocol"], tls=tls)
        self.state = replace(self.state, listeners=(*self.state.listeners, made))

    def _update_listener(self, change: Change) -> None:
        (found,) = [ls for ls in self.state.listeners if ls.listener_id == change.part_id]
        assert found.tls is not None, "it is spoken to in the clear"
        changed = replace(found, tls=self._read(change))
        assert changed != found, "nothing is to be changed"
        self.state = replace(self.state, listeners=tuple(changed if ls is found else ls for ls in self.state.listeners))

    def _read(self, change: Change) -> TlsRequest | None:
        tls = read_tls(SimpleNamespace(protocol=BY_TLS, **{key: change.body[key] for key in TLS_KEYS}))
        assert tls is not None
        assert tls.certificates == change.certificates
        self.told |= set(tls.certificates)
        return tls

    def _delete_listener(self, change: Change) -> None:
        left = tuple(ls for ls in self.state.listeners if ls.listener_id != change.part_id)
        assert len(left) == len(self.state.listeners) - 1
        self.state = replace(self.state, listeners=left)

    def _create_pool(self, change: Change) -> None:
        listener_id = change.body["listener_id"]
        assert all(listener_id not in p.listener_ids for p in self.state.pools), "the listener has a pool"
        made = PoolReading(pool_id=self._new_id(), listener_ids=(listener_id,), algorithm=change.body["lb_algorithm"])
        self.state = replace(self.state, pools=(*self.state.pools, made))

    def _delete_pool(self, change: Change) -> None:
        self._pool(change.part_id)
        self.state = replace(self.state, pools=tuple(p for p in self.state.pools if p.pool_id != change.part_id))

    def _update_pool(self, change: Change) -> None:
        self._pools(change.part_id, algorithm=OURS[change.body["lb_algorithm"]])

    def _create_member(self, change: Change) -> None:
        body, pool = change.body, self._pool(change.pool_id)
        member = MemberRequest(address=body["address"], port=body["protocol_port"], weight=body["weight"])
        assert all((r.member.address, r.member.port) != (member.address, member.port) for r in pool.members)
        assert body["subnet_id"] == SUBNET
        self._pools(pool.pool_id, members=(*pool.members, MemberReading(member_id=self._new_id(), member=member)))

    def _update_member(self, change: Change) -> None:
        pool = self._pool(change.pool_id)
        found = [replace(r.member, weight=change.body["weight"]) for r in pool.members if r.member_id == change.part_id]
        rest = [r for r in pool.members if r.member_id != change.part_id]
        self._pools(pool.pool_id, members=(*rest, MemberReading(member_id=change.part_id, member=found[0])))

    def _delete_member(self, change: Change) -> None:
        pool = self._pool(change.pool_id)
        self._pools(pool.pool_id, members=tuple(r for r in pool.members if r.member_id != change.part_id))

    def _create_monitor(self, change: Change) -> None:
        body = change.body
        assert not self._pool(body["pool_id"]).monitor_id, "the pool has a health monitor"
        path = body.get("url_path", "")
        health = HealthRequest(
            kind=body["type"].lower(), interval_s=body["delay"], timeout_s=body["timeout"], count=body["max_retries"],
            path="" if path == "/" else path,
        )  # fmt: skip
        self._pools(body["pool_id"], monitor_id=self._new_id(), monitor_status="ACTIVE", health=health)

    def _delete_monitor(self, change: Change) -> None:
        (pool,) = [p for p in self.state.pools if p.monitor_id == change.part_id]
        self._pools(pool.pool_id, monitor_id="", health=None)


def _spoiled(pool: PoolReading, bad: object) -> PoolReading:
    return replace(
        pool,
        status=ERROR if pool is bad else pool.status,
        members=tuple(replace(r, status=ERROR) if r is bad else r for r in pool.members),
        monitor_status=ERROR if pool.monitor_id and pool.monitor_id == bad else pool.monitor_status,
    )


def statuses(seen: BalancerReading) -> set[str]:
    """Return the states of all parts."""
    members = [r.status for p in seen.pools for r in p.members]
    monitors = [p.monitor_status for p in seen.pools if p.monitor_id]
    return {*(ls.status for ls in seen.listeners), *(p.status for p in seen.pools), *members, *monitors}


def bring(octavia: Octavia, wish: BalancerRequest) -> int:
    """Carry out changes until there are none; returns the looks it took."""
    for looks in range(6):
        changes = next_changes(octavia.look(), wish, SUBNET, KEYS_URL)
        if not changes:
            return looks
        for change in changes:
            octavia.carry_out(change)
    raise AssertionError("it does not come to rest")


@given(wishes(), wishes(), st.integers(0, 20))
def test_any_wish_is_reached_from_any_other_and_from_parts_in_error(
    first: BalancerRequest, second: BalancerRequest, pick: int
) -> None:
    octavia = Octavia()
    assert bring(octavia, first) <= 3
    assert observed_balancer(octavia.look()).listeners == first.listeners
    octavia.spoil(pick)
    assert bring(octavia, second) <= 3
    assert observed_balancer(octavia.look()).listeners == second.listeners
    assert ERROR not in statuses(octavia.look())


@given(wishes())
def test_what_is_right_is_left_alone(wish: BalancerRequest) -> None:
    octavia = Octavia()
    bring(octavia, wish)
    assert next_changes(octavia.look(), wish, SUBNET, KEYS_URL) == []
    assert shown_certificates(octavia.look()) == wanted_certificates(wish)


@given(wishes(), wishes())
def test_no_certificate_is_told_that_is_not_wanted(first: BalancerRequest, second: BalancerRequest) -> None:
    octavia = Octavia()
    for wish in (first, second):
        octavia.told = set()
        bring(octavia, wish)
        assert octavia.told <= wanted_certificates(wish)


@given(wishes(), wishes(), st.sets(st.sampled_from(NAMES)), st.integers(0, 20))
def test_a_certificate_that_is_not_there_any_more_ties_nothing(
    first: BalancerRequest, second: BalancerRequest, missing: set[str], pick: int
) -> None:
    octavia = Octavia()
    bring(octavia, first)
    octavia.spoil(pick)
    octavia.missing = missing - wanted_certificates(second)
    bring(octavia, second)
    assert observed_balancer(octavia.look()).listeners == second.listeners


def test_acts_are_verbs_of_the_sdk() -> None:
    from openstack.load_balancer.v2._proxy import Proxy

    assert [act for act in Act if not hasattr(Proxy, act.value)] == []
