"""The ledger of a pool beside what its back end counts itself: read only, and never a bill."""

from collections.abc import Callable

from controller.workflows.platform import Platform
from drivers.powers import CountsUsage
from drivers.protocol import Capability, ComputeDriver, DriverContext
from inventory.domain.errors import CapabilityMissing, Invalid, NotFound
from inventory.store import directory, hosts
from metering import counted, ledger_store
from metering.counted import Report

#: Longest window: a back end reads every machine it had in it.
MOST_S = 366 * 86_400


def compare(
    platform: Platform, open_driver: Callable[[str, DriverContext], ComputeDriver], pool_code: str, start_s: int, end_s: int
) -> Report:
    """Return both books of a window.

    Raises:
        NotFound: ``pool.not_found``.
        Invalid: ``usage.window_empty``, ``usage.window_too_long``.
        CapabilityMissing: this pool's back end counts nothing.
        DriverFault: it does not answer.
    """
    end_s = min(end_s, int(platform.clock()))
    if not 0 <= start_s < end_s:
        raise Invalid("usage.window_empty", start_s=start_s, end_s=end_s)
    if end_s - start_s > MOST_S:
        raise Invalid("usage.window_too_long", days=MOST_S // 86_400)
    with platform.db.read() as connection:
        pools = directory.pools(connection)
        pool = next((p for p in pools if p.code == pool_code), None)
        members = [h for h in hosts.hosts(connection) if pool is not None and h.pool_id == pool.id]
        ours = ledger_store.within(connection, counted.METER, [h.id for h in members], start_s, end_s)
    if pool is None or not members:
        raise NotFound("pool.not_found", pool=pool_code, known=", ".join(p.code for p in pools))
    # A region counts all its hosts at once: any of them speaks for it.
    first = members[0]
    context = DriverContext(host_id=first.id, host_name=first.name, connection=first.connection, clock=platform.clock)
    driver = open_driver(pool.driver, context)
    try:
        if Capability.USAGE not in driver.capabilities() or not isinstance(driver, CountsUsage):
            raise CapabilityMissing("driver.capability_missing", capability="usage")
        found = driver.counted(start_s, end_s)
    finally:
        driver.close()
    return counted.compare(ours, found, start_s, end_s)
