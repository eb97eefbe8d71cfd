"""The back end behind a whole pool, for what any of its hosts can be asked: what a region counts, and whom it keeps apart."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from controller.workflows.hosts import pool_by_code
from controller.workflows.platform import Platform
from drivers.protocol import Capability, ComputeDriver, DriverContext
from inventory.domain.errors import CapabilityMissing, Conflict
from inventory.domain.host import Host, Pool
from inventory.store import directory, hosts

OpenDriver = Callable[[str, DriverContext], ComputeDriver]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolHosts:
    """A pool and its hosts, of which there is one at least."""

    pool: Pool
    hosts: tuple[Host, ...]


def pool_hosts(connection: Connection, code: str) -> PoolHosts:
    """Return a pool whose back end can be asked.

    Raises:
        NotFound: ``pool.not_found``.
        Conflict: ``pool.empty``: it has no host, so that nobody knows where its back end is.
    """
    pool = pool_by_code(directory.pools(connection), code)
    members = tuple(h for h in hosts.hosts(connection) if h.pool_id == pool.id)
    if not members:
        raise Conflict("pool.empty", pool=pool.code)
    return PoolHosts(pool=pool, hosts=members)


@contextmanager
def pool_driver(platform: Platform, open_driver: OpenDriver, found: PoolHosts, capability: Capability) -> Iterator[ComputeDriver]:
    """Reach the back end: any host of a region speaks for all of it.

    Raises:
        CapabilityMissing: this back end has not that power.
        DriverFault: it does not answer.
    """
    first = found.hosts[0]
    context = DriverContext(host_id=first.id, host_name=first.name, connection=first.connection, clock=platform.clock)
    driver = open_driver(found.pool.driver, context)
    try:
        # What a region can do is known once it was reached.
        driver.inspect_host()
        if capability not in driver.capabilities():
            raise CapabilityMissing("driver.capability_missing", capability=str(capability.name).lower())
        yield driver
    finally:
        driver.close()
