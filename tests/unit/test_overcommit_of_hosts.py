"""How far a host is promised beyond what it has: by its own word or its pool's, and no further than its back end goes."""

import pytest

from inventory.domain.host import AdminState, Host, HostFacts, Pool, Reachability
from inventory.domain.ids import HostId, PoolId, ZoneId
from inventory.store.capacities import overcommit_permille


@pytest.mark.parametrize(
    ("of_host", "of_pool", "most", "promised"),
    [
        ({}, {}, {}, 1000),
        ({}, {"vcpu": 4000}, {}, 4000),
        ({"vcpu": 2000}, {"vcpu": 4000}, {}, 2000),
        ({}, {"vcpu": 4000}, {"vcpu": 1500}, 1500),
        ({"vcpu": 8000}, {"vcpu": 4000}, {"vcpu": 1500}, 1500),
        ({}, {"vcpu": 4000}, {"vcpu": 16000}, 4000),
        ({}, {"vcpu": 4000}, {"memory_mib": 1000}, 4000),
        ({}, {}, {"vcpu": 900}, 900),
    ],
)
def test_the_lowest_word_counts(of_host: dict[str, int], of_pool: dict[str, int], most: dict[str, int], promised: int) -> None:
    facts = HostFacts(
        hostname="hv-1", arch="x86_64", virtualisation="kvm", cpu_count=8, memory_mib=100, overcommit_most_permille=most
    )
    host = Host(
        id=HostId("host_1"),
        name="hv-1",
        pool_id=PoolId("pool_1"),
        connection="c",
        facts=facts,
        overcommit_permille=of_host,
        admin_state=AdminState.ACTIVE,
        reachability=Reachability.REACHABLE,
    )
    pool = Pool(
        id=PoolId("pool_1"),
        code="p",
        name="p",
        zone_id=ZoneId("zone_1"),
        driver="openstack",
        mlps_max=3,
        overcommit_permille=of_pool,
    )
    assert overcommit_permille(host, pool, "vcpu") == promised
