"""A furnished platform without the API: a city, one zone and pool, simulated hosts, sizes, an image, prices."""

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from controller.identity.caller import Caller, Role
from controller.scheduling.policy import DEFAULT_POLICY
from controller.tickets.approval import ApprovalPolicy
from controller.workflows.platform import Platform
from drivers.simulated.records import HostSpec
from inventory.domain.catalogue import Image, Price, Size
from inventory.domain.host import AdminState, Host, HostFacts, Pool, Reachability, StorageFacts, StoragePool, Zone
from inventory.domain.ids import (
    HostId,
    ImageId,
    NewId,
    PoolId,
    SizeId,
    StoragePoolId,
    TokenId,
    ZoneId,
    random_ids,
)
from inventory.domain.layout import Layout
from inventory.domain.resources import QUOTA_DIMENSIONS
from inventory.domain.scope import PLATFORM
from inventory.store import capacities, directory, hosts
from inventory.store.engine import Database
from metering import store as price_store
from quotas import store as quota_store
from quotas.limits import Mode, ScopeKind
from tests.support.directory import City, build_city
from tests.support.samples import Clock


@dataclass(frozen=True)
class Furnished:
    """A platform and what stands on it."""

    platform: Platform
    clock: Clock
    city: City
    hosts: tuple[Host, ...]

    def caller(self, role: Role = Role.DEPARTMENT_ADMIN, department: str = "civil-it", name: str = "张三") -> Caller:
        """Return a person with a role, in a department where the role has one."""
        own = self.city.departments[department].id if role is Role.DEPARTMENT_ADMIN else None
        with self.platform.db.read() as connection:
            scope = directory.subtree(connection, own) if own else PLATFORM
        return Caller(token_id=TokenId("tok_test"), user_name=name, role=role, department_id=own, scope=scope, source="test")

    def limit(self, scope: str, dimension: str, amount: int) -> None:
        """Set a limit of a department or project by code."""
        with self.platform.db.write() as connection:
            if scope in self.city.projects:
                kind, id_ = ScopeKind.PROJECT, str(self.city.projects[scope].id)
            else:
                kind, id_ = ScopeKind.DEPARTMENT, str(self.city.departments[scope].id)
            quota_store.set_limit(connection, kind, id_, dimension, Mode.LIMIT, amount)


@dataclass(frozen=True, kw_only=True)
class CellSpec:
    """NUMA cells of every host, and the processors of them that are dedicated."""

    count: int = 2
    threads: int = 2
    #: (KiB, pages) in each cell.
    huge_pages: tuple[tuple[int, int], ...] = ()
    dedicated_cpus: str = ""

    @property
    def query(self) -> str:
        """Return it as a part of a simulated connection."""
        huge = ",".join(f"{kib}:{pages}" for kib, pages in self.huge_pages)
        return f"&cells={self.count}&threads={self.threads}" + (f"&huge={huge}" if huge else "")


NO_CELLS = CellSpec(count=0)
#: Sizes that ask for cells: name, processors (with 512 MiB each), layout.
SEATED = (
    ("pinned-1", 1, Layout.of(is_dedicated=True)),
    ("pinned-2", 2, Layout.of(is_dedicated=True)),
    ("pinned-3", 3, Layout.of(is_dedicated=True)),
    ("pinned-4x2", 4, Layout.of(is_dedicated=True, page_kib=2048, node_count=2)),
    ("huge-2", 2, Layout.of(page_kib=2048)),
    ("node-2", 2, Layout.of(node_count=1)),
)


def furnish(
    database: Database,
    directory_: Path,
    *,
    host_count: int = 3,
    cpu_count: int = 16,
    memory_mib: int = 65536,
    disk_gib: int = 1000,
    segment_prefix: int = 26,
    approval: ApprovalPolicy | None = None,
    new_id: NewId | None = None,
    driver: str = "simulated",
    cells: CellSpec = NO_CELLS,
    scope: str = "",
    disks: str = "",
) -> Furnished:
    """Write a small platform into a database with tables; with a ``scope`` its hosts share one network fabric, with ``disks``
    the storage."""
    clock, new_id = Clock(), new_id or random_ids()
    platform = Platform(
        db=database,
        clock=clock,
        new_id=new_id,
        zone=ZoneInfo("Asia/Shanghai"),
        policy=DEFAULT_POLICY,
        images_dir=directory_,
        approval_policy=approval or ApprovalPolicy(),
    )
    with database.write() as connection:
        city = build_city(connection, new_id)
        scopes = [(ScopeKind.DEPARTMENT, str(d.id)) for d in city.departments.values()]
        scopes += [(ScopeKind.PROJECT, str(p.id)) for p in city.projects.values()]
        quota_store.ensure_rows(connection, scopes)
        assert QUOTA_DIMENSIONS
        zone = Zone(
            id=ZoneId(new_id("zone")),
            code="gov-public",
            name="政务外网",
            network_class="gov-public",
            mlps_max=3,
            address_range="10.96.0.0/12",
            segment_prefix=segment_prefix,
        )
        directory.save_zone(connection, zone)
        pool = Pool(id=PoolId(new_id("pool")), code="sim", name="模拟", zone_id=zone.id, driver=driver, mlps_max=3)
        directory.save_pool(connection, pool)
        for name, cpus, memory in (("tiny", 1, 128), ("small", 2, 4096)):
            size = Size(id=SizeId(new_id("size")), name=name, vcpu_count=cpus, memory_mib=memory, root_disk_gib=1)
            directory.save_size(connection, size)
        for name, cpus, layout in SEATED if cells.count else ():
            size = Size(
                id=SizeId(new_id("size")), name=name, vcpu_count=cpus, memory_mib=512 * cpus, root_disk_gib=1, layout=layout
            )
            directory.save_size(connection, size)
        image = Image(
            id=ImageId(new_id("image")),
            name="demo-linux",
            arch="x86_64",
            disk_format="qcow2",
            sha256="0" * 64,
            size_bytes=1 << 20,
            virtual_size_gib=1,
            path="images/demo-linux.qcow2",
        )
        directory.save_image(connection, image)
        for meter in ("vcpu", "memory_mib", "disk_gib:standard", "address"):
            price_store.save_price(connection, Price(meter=meter, micro_yuan_per_unit_hour=1000, valid_from_s=0))
        made: list[Host] = []
        for number in range(host_count):
            host = Host(
                id=HostId(new_id("host")),
                name=f"host-{number:04d}",
                pool_id=pool.id,
                connection=f"simulated://test/host-{number:04d}?cpus={cpu_count}&memory_mib={memory_mib}&disk_gib={disk_gib}"
                + (cells.query if cells.count else "")
                + (f"&scope={scope}" if scope else "")
                + (f"&disks={disks}" if disks else ""),
                dedicated_cpus=cells.dedicated_cpus,
                admin_state=AdminState.ACTIVE,
                reachability=Reachability.REACHABLE,
                rack=f"A{number % 8:02d}",
                home_id=made[0].id if scope and made else None,
                facts=HostFacts(
                    hostname=f"host-{number:04d}",
                    arch="x86_64",
                    virtualisation="simulated",
                    cpu_count=cpu_count,
                    memory_mib=memory_mib,
                    storage=(StorageFacts(name="default", path="/pool", capacity_gib=disk_gib, available_gib=disk_gib),),
                    network_scope=scope,
                    disk_scope=disks,
                    cells=HostSpec(
                        cpu_count=cpu_count,
                        memory_mib=memory_mib,
                        cells=cells.count,
                        threads=cells.threads,
                        huge_pages=cells.huge_pages,
                    ).numa(),
                ),
            )
            storage = StoragePool(
                id=StoragePoolId(new_id("storage_pool")), host_id=host.id, name="default", disk_class="standard"
            )
            hosts.save_host(connection, host)
            hosts.save_storage_pool(connection, storage)
            capacities.save_capacity(connection, host, pool, [storage])
            made.append(host)
    return Furnished(platform, clock, city, tuple(made))
