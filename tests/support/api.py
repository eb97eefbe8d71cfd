"""A small platform behind the real API: a SQLite file, a city, an active simulated host, one token per role and place."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI

from controller.api.app import create_app
from controller.identity import tokens
from controller.identity.caller import DEPARTMENT_ROLES, Role
from controller.scheduling.policy import DEFAULT_POLICY
from controller.workflows.platform import Platform
from drivers.protocol import ComputeDriver, DriverContext
from drivers.registry import driver_factory
from inventory.domain.catalogue import Image, Price, Size
from inventory.domain.host import AdminState, Host, HostFacts, Pool, Reachability, StorageFacts, StoragePool, Zone
from inventory.domain.ids import HostId, ImageId, PoolId, SizeId, StoragePoolId, ZoneId, random_ids
from inventory.domain.resource import Resource
from inventory.store import capacities, directory, hosts
from inventory.store.engine import Database
from metering import store as price_store
from tests.support.asgi import client_of
from tests.support.database import sqlite_database
from tests.support.directory import City, build_city
from tests.support.samples import Clock

YAML = {"Content-Type": "application/yaml"}


def no_driver(name: str, context: DriverContext) -> NoReturn:
    """Stand in for back ends where none is opened."""
    raise AssertionError(f"{name} is opened")


@dataclass(frozen=True)
class Service:
    """The API with its means, and the secrets of its callers."""

    app: FastAPI
    platform: Platform
    clock: Clock
    city: City
    #: (role, department code or "") -> secret.
    secrets: Mapping[tuple[Role, str], str]
    host: Host
    runner: asyncio.Runner

    def client(
        self, role: Role | None = None, department: str = "", *, language: str = "en", address: str = "192.0.2.9"
    ) -> httpx.Client:
        """Return a client of one caller, or of nobody."""
        headers = {"Accept-Language": language}
        if role is not None:
            headers["Authorization"] = f"Bearer {self.secrets[role, department]}"
        return client_of(self.app, self.runner, headers=headers, address=address)

    def beside(self, runner: asyncio.Runner) -> "Service":
        """Return the same service for the clients of another thread, which brings an event loop of its own."""
        return replace(self, runner=runner)

    def operator(self) -> httpx.Client:
        """Return the operator's client."""
        return self.client(Role.OPERATOR)


@contextmanager
def service(directory_: Path, *, secret_of: Mapping[Role, tuple[str, ...]] | None = None) -> Iterator[Service]:
    """Open a platform on a SQLite file with everything a ticket needs."""
    with sqlite_database(directory_ / "state.db") as database, service_on(database, directory_, secret_of=secret_of) as found:
        yield found


@contextmanager
def service_on(
    database: Database, directory_: Path, *, secret_of: Mapping[Role, tuple[str, ...]] | None = None
) -> Iterator[Service]:
    """Open a platform on an empty database that has its tables."""
    with asyncio.Runner() as runner:
        yield _furnish(database, directory_, runner, secret_of or {})


def _furnish(database: Database, directory_: Path, runner: asyncio.Runner, secret_of: Mapping[Role, tuple[str, ...]]) -> Service:
    clock, new_id = Clock(), random_ids()
    platform = Platform(
        db=database, clock=clock, new_id=new_id, zone=ZoneInfo("Asia/Shanghai"), policy=DEFAULT_POLICY, images_dir=directory_
    )
    secrets: dict[tuple[Role, str], str] = {}
    with database.write() as connection:
        city = build_city(connection, new_id)
        zone = Zone(
            id=ZoneId(new_id("zone")),
            code="gov-public",
            name="政务外网",
            network_class="gov-public",
            mlps_max=3,
            address_range="10.96.0.0/16",
        )
        directory.save_zone(connection, zone)
        pool = Pool(id=PoolId(new_id("pool")), code="sim", name="模拟", zone_id=zone.id, driver="simulated", mlps_max=3)
        directory.save_pool(connection, pool)
        size = Size(id=SizeId(new_id("size")), name="tiny", vcpu_count=1, memory_mib=128, root_disk_gib=1)
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
        meters = ("vcpu", "memory_mib", "disk_gib:standard", "address")
        for meter in meters:
            price_store.save_price(connection, Price(meter=meter, micro_yuan_per_unit_hour=1000, valid_from_s=0))
        facts = HostFacts(
            hostname="host-1",
            arch="x86_64",
            virtualisation="simulated",
            cpu_count=64,
            memory_mib=1 << 18,
            storage=(StorageFacts(name="default", path="/pool", capacity_gib=4000, available_gib=4000),),
        )
        host = Host(
            id=HostId(new_id("host")),
            name="host-1",
            pool_id=pool.id,
            connection="simulated://world/host-1",
            admin_state=AdminState.ACTIVE,
            reachability=Reachability.REACHABLE,
            facts=facts,
        )
        hosts.save_host(connection, host)
        storage = StoragePool(id=StoragePoolId(new_id("storage_pool")), host_id=host.id, name="default", disk_class="standard")
        hosts.save_storage_pool(connection, storage)
        capacities.save_capacity(connection, host, pool, [storage])
        for role in Role:
            places = secret_of.get(role, ("civil", "civil-it", "water") if role in DEPARTMENT_ROLES else ("",))
            for code in places:
                _, secrets[role, code] = tokens.issue(
                    connection,
                    new_id=new_id,
                    user_name=f"{role.value}@{code or 'platform'}",
                    role=role,
                    department_id=city.departments[code].id if code else None,
                    now_s=clock(),
                    days=30,
                )
    app = create_app(platform, metrics=_metrics, console=_console, screen=_screen, drivers=_open_driver, ready=list)
    return Service(app, platform, clock, city, secrets, host, runner)


def _metrics() -> bytes:
    return b"# HELP allot_up One.\n# TYPE allot_up gauge\nallot_up 1\n"


def _console(instance: Resource, max_bytes: int) -> bytes:
    return f"console of {instance.name}\n".encode()[:max_bytes]


def _screen(instance: Resource) -> str:
    return f"http://screen.example/{instance.name}"


def _open_driver(name: str, context: DriverContext) -> ComputeDriver:
    return driver_factory(name)(context)


def without_ready(service_: Service, waiting: list[str]) -> Service:
    """Return the same service, still waiting for something."""
    app = create_app(
        service_.platform,
        metrics=_metrics,
        console=_console,
        screen=_screen,
        drivers=_open_driver,
        ready=lambda: waiting,
        is_metrics_open_to_loopback=False,
    )
    return replace(service_, app=app)
