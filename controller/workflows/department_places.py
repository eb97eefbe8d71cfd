"""What a back end keeps for a department beside its machines (a project in a region): listed, and taken away when asked to go."""

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.workflows.platform import Platform
from controller.workflows.pool_driver import OpenDriver, PoolHosts, pool_driver, pool_hosts
from controller.workflows.sealing import seal
from drivers.powers import KeepsDepartments
from drivers.protocol import Capability
from inventory.domain.errors import Conflict
from inventory.domain.scope import of_departments
from inventory.store import directory, resources


def of_pool(platform: Platform, open_driver: OpenDriver, pool_code: str) -> list[str]:
    """Return the codes of the departments that have a place in a pool's back end, made by us.

    Raises:
        NotFound: ``pool.not_found``.
        Conflict: ``pool.empty``.
        CapabilityMissing: this back end keeps no departments apart.
        DriverFault: it does not answer.
    """
    with platform.db.read() as connection:
        found = pool_hosts(connection, pool_code)
    with pool_driver(platform, open_driver, found, Capability.DEPARTMENTS) as keeper:
        assert isinstance(keeper, KeepsDepartments), "it says so itself"
        return sorted(keeper.department_codes())


def remove(platform: Platform, open_driver: OpenDriver, pool_code: str, department_code: str, caller: Caller) -> None:
    """Have no place of a department in a pool's back end; it is made anew when the department uses the pool again.

    Raises:
        NotFound: ``pool.not_found``, ``department.not_found``.
        Conflict: ``pool.empty``, ``department.lives_in_pool``: it has machines or disks there.
        CapabilityMissing: this back end keeps no departments apart.
        DriverFault: ``driver.department_in_use``: something of it is left there; or it does not answer.
    """

    def once(connection: Connection) -> PoolHosts:
        found = pool_hosts(connection, pool_code)
        department = directory.department_by_code(connection, department_code)
        count = resources.count_on_hosts(connection, of_departments(department.id), [h.id for h in found.hosts])
        if count:
            raise Conflict("department.lives_in_pool", department=department.code, pool=found.pool.code, count=count)
        # Before the act: one that is cut off half way was asked for all the same, and may be asked for again.
        seal(connection, platform, caller, "department.leave", department.id, {"pool": found.pool.code}, department.id)
        return found

    with pool_driver(platform, open_driver, platform.db.run(once), Capability.DEPARTMENTS) as keeper:
        assert isinstance(keeper, KeepsDepartments), "it says so itself"
        keeper.ensure_department_absent(department_code)
