"""What a back end keeps for a department beside its machines (a project in a region): listed, and taken away when asked to go."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.workflows.hosts import pool_by_code
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from drivers.powers import KeepsDepartments
from drivers.protocol import Capability, ComputeDriver, DriverContext
from inventory.domain.errors import CapabilityMissing, Conflict, NotFound
from inventory.domain.host import Host, Pool
from inventory.domain.scope import of_departments
from inventory.store import directory, hosts, resources

OpenDriver = Callable[[str, DriverContext], ComputeDriver]


def of_pool(platform: Platform, open_driver: OpenDriver, pool_code: str) -> list[str]:
    """Return the codes of the departments that have a place in a pool's back end, made by us.

    Raises:
        NotFound: ``pool.not_found``.
        CapabilityMissing: this back end keeps no departments apart.
        DriverFault: it does not answer.
    """
    with platform.db.read() as connection:
        pool, members = _pool(connection, pool_code)
    with _keeper(platform, open_driver, pool, members) as keeper:
        return sorted(keeper.department_codes())


def remove(platform: Platform, open_driver: OpenDriver, pool_code: str, department_code: str, caller: Caller) -> None:
    """Have no place of a department in a pool's back end; it is made anew when the department uses the pool again.

    Raises:
        NotFound: ``pool.not_found``, ``department.not_found``.
        Conflict: ``department.lives_in_pool``: it has machines or disks there.
        CapabilityMissing: this back end keeps no departments apart.
        DriverFault: ``driver.department_in_use``: something of it is left there; or it does not answer.
    """

    def once(connection: Connection) -> tuple[Pool, list[Host]]:
        pool, members = _pool(connection, pool_code)
        department = directory.department_by_code(connection, department_code)
        count = resources.count_on_hosts(connection, of_departments(department.id), [h.id for h in members])
        if count:
            raise Conflict("department.lives_in_pool", department=department.code, pool=pool.code, count=count)
        # Before the act: one that is cut off half way was asked for all the same, and may be asked for again.
        seal(connection, platform, caller, "department.leave", department.id, {"pool": pool.code}, department.id)
        return pool, members

    pool, members = platform.db.run(once)
    with _keeper(platform, open_driver, pool, members) as keeper:
        keeper.ensure_department_absent(department_code)


def _pool(connection: Connection, code: str) -> tuple[Pool, list[Host]]:
    pools = directory.pools(connection)
    pool = pool_by_code(pools, code)
    members = [h for h in hosts.hosts(connection) if h.pool_id == pool.id]
    if not members:
        raise NotFound("pool.not_found", pool=code, known=", ".join(p.code for p in pools))
    return pool, members


@contextmanager
def _keeper(platform: Platform, open_driver: OpenDriver, pool: Pool, members: list[Host]) -> Iterator[KeepsDepartments]:
    """Reach the back end: any host of a region speaks for all of it."""
    first = members[0]
    context = DriverContext(host_id=first.id, host_name=first.name, connection=first.connection, clock=platform.clock)
    driver = open_driver(pool.driver, context)
    try:
        # What a region can do is known once it was reached.
        driver.inspect_host()
        if Capability.DEPARTMENTS not in driver.capabilities() or not isinstance(driver, KeepsDepartments):
            raise CapabilityMissing("driver.capability_missing", capability="departments")
        yield driver
    finally:
        driver.close()
