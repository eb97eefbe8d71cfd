"""The ledger of a pool beside what its back end counts itself: read only, and never a bill."""

from controller.workflows.platform import Platform
from controller.workflows.pool_driver import OpenDriver, pool_driver, pool_hosts
from drivers.powers import CountsUsage
from drivers.protocol import Capability
from inventory.domain.errors import Invalid
from metering import counted, ledger_store
from metering.counted import Report

#: Longest window: a back end reads every machine it had in it.
MOST_S = 366 * 86_400


def compare(platform: Platform, open_driver: OpenDriver, pool_code: str, start_s: int, end_s: int) -> Report:
    """Return both books of a window.

    Raises:
        NotFound: ``pool.not_found``.
        Conflict: ``pool.empty``.
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
        found = pool_hosts(connection, pool_code)
        ours = ledger_store.within(connection, counted.METERS, [h.id for h in found.hosts], start_s, end_s)
    # A region counts all its hosts at once.
    with pool_driver(platform, open_driver, found, Capability.USAGE) as driver:
        assert isinstance(driver, CountsUsage), "it says so itself"
        theirs = driver.counted(start_s, end_s)
    return counted.compare(ours, theirs, start_s, end_s)
